"""Fine-tune a scorer on one database: first the head on the frozen tower, then everything.

Paper section 4.1: the head alone would otherwise drag a random gradient through the tower.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import CLIPVisionConfig
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from aesthetic_tv.errors import SettingError
from aesthetic_tv.scorer import AestheticScorer, image_processor
from aesthetic_tv.scorer.images import Photo, crop

Progress = Callable[[int, int, float], None]  # step, steps, loss


@dataclass(frozen=True)
class FinetuneConfig:
    """How a scorer is fine-tuned.

    Args:
        head_epochs: passes over the cached embeddings, head only.
        head_lr: peak learning rate of the head in that stage.
        epochs: passes over the photos, tower and head.
        lr: peak learning rate of that stage.
        batch_size: photos per step.
        weight_decay: of AdamW.
        warmup: share of the steps over which the learning rate rises, before its cosine fall.
        max_grad_norm: gradients are scaled down to this norm.
        flip: mirror half of the photos (a mirrored photo is another composition).
        score_range: lowest and highest score of the database; mapped onto the lowest and highest
            bin. `None` takes the range of the scores given.
        seed: of order, dropout and flips.
    """

    head_epochs: int = 20
    head_lr: float = 1e-3
    epochs: int = 5
    lr: float = 3e-4
    batch_size: int = 32
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_grad_norm: float = 1.0
    flip: bool = False
    score_range: tuple[float, float] | None = None
    seed: int = 0

    def __post_init__(self):
        for name in ("head_lr", "lr", "batch_size", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise SettingError(f"{name} must be above 0, got {getattr(self, name)}.")
        for name in ("head_epochs", "epochs", "weight_decay"):
            if getattr(self, name) < 0:
                raise SettingError(f"{name} must be 0 or more, got {getattr(self, name)}.")
        if not 0 <= self.warmup < 1:
            raise SettingError(f"warmup must be in [0, 1), got {self.warmup}.")
        if self.score_range is not None and not self.score_range[0] < self.score_range[1]:
            raise SettingError(f"score_range must rise, got {self.score_range}.")


def load_crops(photos: Sequence[Photo], vision_config: CLIPVisionConfig) -> np.ndarray:
    """Photos as the tower sees them, before normalization: uint8 (n, 3, H, W).

    Raises:
        PhotoError: a photo cannot be read.
    """
    processor = image_processor(vision_config)
    return np.stack([crop(photo, processor) for photo in photos])


def normalize(crops: np.ndarray) -> torch.Tensor:
    """uint8 (n, 3, H, W) to pixel values, float32 of the same shape."""
    pixels = torch.from_numpy(np.ascontiguousarray(crops)).float().div_(255)
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    return pixels.sub_(mean).div_(std)


def finetune(
    base: AestheticScorer,
    crops: np.ndarray,
    scores: np.ndarray,
    config: FinetuneConfig | None = None,
    *,
    progress: Progress | None = None,
) -> AestheticScorer:
    """Fine-tune a copy of the base on one database of scored photos.

    Args:
        base: stays as it is.
        crops: uint8 (n, 3, H, W), as by `load_crops`; may be a memory map.
        scores: (n,) on the database's own scale.
        config: settings.
        progress: called after each step of the second stage.

    Returns:
        The fine-tuned scorer, in evaluation mode; its scores are on the scale of the bins.

    Raises:
        SettingError: scores that are not n finite numbers within the score range, or all equal.
    """
    config = config or FinetuneConfig()
    targets = _to_bins(np.asarray(scores, dtype=np.float64), len(crops), base, config)
    scorer = copy.deepcopy(base)
    scorer.config.head_seed = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        _train_head(scorer, crops, targets, config)
        _train_all(scorer, crops, targets, config, progress)
    return scorer.eval()


def _to_bins(scores, count: int, base: AestheticScorer, config: FinetuneConfig) -> torch.Tensor:
    """Scores of the database on the scale of the bins, float32 (n,)."""
    if scores.shape != (count,) or not np.isfinite(scores).all():
        raise SettingError(f"expected {count} finite scores, one per photo, got {scores.shape}.")
    low, high = config.score_range or (scores.min(), scores.max())
    if not low < high or scores.min() < low or scores.max() > high:
        raise SettingError(
            f"scores run from {scores.min():g} to {scores.max():g}; expected different scores "
            f"within the range {low:g} to {high:g}."
        )
    first, last = base.config.bin_values[0], base.config.bin_values[-1]
    scaled = first + (scores - low) / (high - low) * (last - first)
    return torch.from_numpy(scaled).float()


def _train_head(scorer, crops, targets, config: FinetuneConfig) -> None:
    scorer.eval()
    with torch.inference_mode():
        embeds = torch.cat(
            [
                scorer.vision(normalize(crops[start : start + 64])).image_embeds
                for start in range(0, len(crops), 64)
            ]
        )
    embeds = embeds.clone()  # inference tensors cannot enter a graph
    scorer.head.train()
    steps = config.head_epochs * math.ceil(len(crops) / config.batch_size)
    optimizer, schedule = _optimizer(scorer.head, config.head_lr, steps, config)
    for rows in _batches(len(crops), config.head_epochs, config.batch_size):
        predicted = scorer.head(embeds[rows]) @ scorer.bin_values
        _step(nn.functional.mse_loss(predicted, targets[rows]), scorer.head, optimizer, config)
        schedule.step()


def _train_all(scorer, crops, targets, config: FinetuneConfig, progress) -> None:
    scorer.train()
    steps = config.epochs * math.ceil(len(crops) / config.batch_size)
    optimizer, schedule = _optimizer(scorer, config.lr, steps, config)
    for step, rows in enumerate(_batches(len(crops), config.epochs, config.batch_size), 1):
        pixels = normalize(crops[np.sort(rows.numpy())])
        if config.flip:
            mirrored = torch.rand(len(pixels)) < 0.5
            pixels[mirrored] = pixels[mirrored].flip(-1)
        loss = scorer(pixels, labels=targets[rows.sort().values]).loss
        _step(loss, scorer, optimizer, config)
        schedule.step()
        if progress is not None:
            progress(step, steps, loss.item())


def _optimizer(module: nn.Module, lr: float, steps: int, config: FinetuneConfig):
    optimizer = torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=config.weight_decay)
    rising = max(1, round(config.warmup * steps))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _batches(count: int, epochs: int, batch_size: int) -> Iterator[torch.Tensor]:
    for _ in range(epochs):
        yield from torch.randperm(count).split(batch_size)


def _step(loss: torch.Tensor, module: nn.Module, optimizer, config: FinetuneConfig) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(module.parameters(), config.max_grad_norm)
    optimizer.step()
