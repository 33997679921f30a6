"""The first stage: the head on the frozen tower, whose embeddings are computed once.

The head is small and its whole database of embeddings fits each device. So every process trains it
alike, with nothing to send, and in the end takes that of the main process.
"""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from accelerate.utils import broadcast
from torch import nn

from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.log import HEAD, Line, Losses, figures
from aesthetic_tv.finetuning.losses import Batch, Loss
from aesthetic_tv.finetuning.optimization import seed_dropout, set_rate
from aesthetic_tv.finetuning.photos import Checked, Examples, loader
from aesthetic_tv.finetuning.progress import Progress
from aesthetic_tv.finetuning.validation import Agreement, Best
from aesthetic_tv.scorer import AestheticScorer

EMBEDDING_BATCH = 64  # photos in each process
GATHERED = 64  # batches


@torch.no_grad()
def embed(
    scorer: AestheticScorer,
    examples: Examples,
    accelerator: Any,
    workers: int | None,
    progress: Progress,
) -> tuple[torch.Tensor, list[int]]:
    """The tower's embeddings of all photos, float32 (n, D), on the CPU of each process, and the
    rows of those that cannot be decoded.
    """
    scorer.vision.to(accelerator.device).eval()
    total = EMBEDDING_BATCH * accelerator.num_processes
    batches = accelerator.prepare_data_loader(loader(Checked.of(examples), total, workers=workers))
    embeds, readable, done = list[torch.Tensor](), list[torch.Tensor](), 0
    for batch in batches:
        with accelerator.autocast():
            mine = scorer.embed(scorer.normalize(batch["crops"])).float()
        told = accelerator.gather_for_metrics((mine, batch["readable"]))
        embeds.append(told[0].cpu())
        readable.append(told[1].cpu())
        done += len(embeds[-1])
        progress("embeddings", done, len(examples))
    return torch.cat(embeds), torch.nonzero(~torch.cat(readable)).flatten().tolist()


def train_head(
    scorer: AestheticScorer,
    embeds: torch.Tensor,
    train: Examples,
    validation: Examples | None,
    loss: Loss,
    config: FinetuneConfig,
    accelerator: Any,
    progress: Progress,
) -> tuple[nn.Module, list[Line]]:
    """Train a copy of the scorer's head on embeddings.

    Args:
        scorer: stays as it is.
        embeds: (N, D), of all photos that `train` and `validation` were selected from.
        train, validation: examples; of the latter the best epoch is chosen.
        loss: what is made small.
        config: `head_epochs`, `head_lr`, and what both stages share.
        accelerator: whose device it is done on.
        progress: told after each epoch.

    Returns:
        The head in evaluation mode, the same in all processes, and one line for each epoch.

    Raises:
        DivergedError: the loss is not a finite number any more.
    """
    device = accelerator.device
    head = copy.deepcopy(scorer.head).to(device).train()
    values = torch.tensor(scorer.config.bin_values, device=device)
    inputs = embeds[train.rows].to(device)
    truth = Batch(*(x.to(device) for x in train.truth))
    optimizer = torch.optim.AdamW(
        [{"params": list(head.parameters()), "peak_lr": config.head_lr}],
        lr=config.head_lr,
        weight_decay=config.weight_decay,
        fused=True,
    )
    per_epoch = -(-len(train) // config.batch_size)
    steps, best, lines, losses = config.head_epochs * per_epoch, Best(), list[Line](), Losses()
    for epoch in range(1, config.head_epochs + 1):
        random = np.random.default_rng([config.seed, epoch])
        seed_dropout(device, int(random.integers(2**62)))
        order = torch.from_numpy(random.permutation(len(train)))
        batches = _batches(order, config.batch_size, inputs, *truth)
        for number, (rows, embeddings, *expected) in enumerate(batches):
            lr = set_rate(optimizer, (epoch - 1) * per_epoch + number, steps, config.warmup)
            distribution = head(embeddings)  # (n, num_bins)
            told = Batch(distribution @ values, distribution)
            value = loss(told, Batch(*expected))
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(head.parameters(), config.max_grad_norm)
            optimizer.step()
            losses.add(value, rows)
        step = epoch * per_epoch
        mean = losses.mean(step, f"the head stage (epoch {epoch})", train)
        agreement = _validated(head, embeds, validation, values)
        if agreement is not None:
            best.offer(epoch, agreement, lambda: copy.deepcopy(head.state_dict()))
        lines.append(Line(HEAD, epoch, step, mean, lr, **figures(agreement)))
        progress("head", step, steps)
    if best.layers:
        head.load_state_dict(best.layers)
    for parameter in head.parameters():
        parameter.data = broadcast(parameter.data)
    return head.eval(), lines


def _batches(
    order: torch.Tensor, size: int, *tensors: torch.Tensor
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Rows in an order, and tensors at these rows, batch by batch; many batches are gathered at
    once, since the steps of a head are so short that it counts.
    """
    for rows in order.split(GATHERED * size):
        parts = (x[rows].split(size) for x in tensors)
        yield from zip(rows.split(size), *parts, strict=True)


@torch.no_grad()
def _validated(head: nn.Module, embeds, validation: Examples | None, values) -> Agreement | None:
    if validation is None:
        return None
    head.eval()
    told = head(embeds[validation.rows].to(values.device)) @ values
    head.train()
    return Agreement.of(told.double().cpu().numpy(), validation.truth.scores.double().numpy())
