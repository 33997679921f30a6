"""What the training loops cost beside a bare PyTorch loop on the same tower and photos.

    python benchmarks/finetune_speed.py --photos 512 --rounds 5

Photos per second of the head stage (embeddings cached) and of the second stage, and how long a
step waits for photos. Both loops are run in turn, round by round; the ratio is the median over
rounds. On one thread of a CPU all of it is CPU time, which a busy machine does not change. Making
the optimizer and taking it apart is not counted. Photos are noise: what they show costs nothing.
"""

import argparse
import copy
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from rich import box
from rich.table import Table
from torch import nn

from aesthetic_tv.finetuning import FinetuneConfig, normalize
from aesthetic_tv.finetuning.checkpoint import RunFolder
from aesthetic_tv.finetuning.head_stage import train_head
from aesthetic_tv.finetuning.losses import parse_loss
from aesthetic_tv.finetuning.photos import Examples
from aesthetic_tv.finetuning.progress import silent
from aesthetic_tv.finetuning.targets import targets
from aesthetic_tv.finetuning.tower_stage import TowerStage
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show
from hub import VIT_B_16


def scorer_named(name: str) -> AestheticScorer:
    """The embedded base, or one of the size of CLIP ViT-B/16 with random weights."""
    if name == "embedded:tiny":
        return TaskVectorBank.from_pretrained(name).base
    torch.manual_seed(0)
    return AestheticScorer(AestheticScorerConfig(vision_config=VIT_B_16))


def bare_head(scorer, embeds, truth, config: FinetuneConfig, clock) -> float:
    """Seconds of the head stage as one would write it in a notebook."""
    head = copy.deepcopy(scorer.head).train()
    optimizer = torch.optim.AdamW(head.parameters(), config.head_lr)
    began = clock()
    for _ in range(config.head_epochs):
        for rows in torch.randperm(len(embeds)).split(config.batch_size):
            told = head(embeds[rows]) @ scorer.bin_values
            loss = nn.functional.mse_loss(told, truth[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(head.parameters(), config.max_grad_norm)
            optimizer.step()
    return clock() - began


def bare_tower(scorer, crops, truth, config: FinetuneConfig, clock) -> float:
    """Seconds of the second stage as one would write it in a notebook."""
    scorer = copy.deepcopy(scorer).train()
    optimizer = torch.optim.AdamW(scorer.parameters(), config.lr)
    began = clock()
    for _ in range(config.epochs):
        for rows in torch.randperm(len(crops)).split(config.batch_size):
            loss = scorer(normalize(crops[rows.numpy()]), labels=truth[rows]).loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(scorer.parameters(), config.max_grad_norm)
            optimizer.step()
    return clock() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tower", default="embedded:tiny", help="or ViT-B/16")
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--head-epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", 2)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.threads > 1 or torch.cuda.is_available():
        clock = time.perf_counter
    else:
        clock = time.process_time
    config = FinetuneConfig(
        head_epochs=options.head_epochs, epochs=1, batch_size=options.batch_size, loss="mse"
    )
    scorer, loss = scorer_named(options.tower), parse_loss("mse")
    random = np.random.default_rng(0)
    side = scorer.config.tower.image_size
    crops = random.integers(0, 256, (options.photos, 3, side, side), dtype=np.uint8)
    truth = targets(random.uniform(1, 10, options.photos), (1, 10), scorer.config.bin_values)
    examples = Examples(crops, truth)
    embeds = torch.randn(options.photos, scorer.config.tower.projection_dim)
    accelerator = Accelerator(
        dataloader_config=DataLoaderConfiguration(split_batches=True, use_seedable_sampler=True)
    )
    waited = list[float]()

    def head_stage() -> float:
        began = clock()
        train_head(scorer, embeds, examples, None, loss, config, accelerator, silent)
        return clock() - began

    def all_layers(folder: RunFolder | None) -> float:
        trained = copy.deepcopy(scorer)
        stage = TowerStage(trained, examples, None, loss, config, accelerator, folder, silent)
        began = clock()
        stage.run()
        seconds = clock() - began
        accelerator.free_memory()
        if folder is not None:
            folder.remove()
        waited.append(sum(line.waited or 0 for line in stage.lines))
        return seconds

    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        works = {
            "head stage, bare": lambda: bare_head(scorer, embeds, truth.scores, config, clock),
            "head stage": head_stage,
            "all layers, bare": lambda: bare_tower(scorer, crops, truth.scores, config, clock),
            "all layers": lambda: all_layers(None),
            "all layers, two states saved": lambda: all_layers(RunFolder(Path(temporary) / "run")),
        }
        for turn in range(options.rounds + 1):
            for name, work in works.items():
                seconds = work()
                if turn:  # the first round warms up
                    times.setdefault(name, []).append(seconds)
    table = Table("loop", "photos per second", "time beside the bare loop", box=box.MARKDOWN)
    for name, seconds in times.items():
        passes = config.head_epochs if name.startswith("head") else config.epochs
        bare = times["head stage, bare" if name.startswith("head") else "all layers, bare"]
        ratio = statistics.median(a / b for a, b in zip(seconds, bare, strict=True))
        speed = passes * options.photos / statistics.median(seconds)
        table.add_row(name, f"{speed:,.0f}", "" if seconds is bare else f"{ratio - 1:+.1%}")
    steps = -(-options.photos // options.batch_size)
    show(
        table,
        f"\n{options.tower}, {options.photos} photos of {side} x {side} in memory, batches of "
        f"{options.batch_size}, {options.threads} thread(s), median of {options.rounds} rounds; a "
        f"step waits {1000 * statistics.median(waited) / steps:.2f} ms for its photos; {machine()}",
    )


if __name__ == "__main__":
    main()
