"""What the training loops cost beside bare PyTorch loops on the same tower and photos.

    OMP_NUM_THREADS=1 python benchmarks/finetune_speed.py --steps 300

The head stage on cached embeddings and the second stage, each beside a loop as one would write it
in a notebook, with the same data loader, optimizer, clipping and precision. The two are run in
turn, lap by lap (an epoch of the head, a step of all layers), so that a machine that is busy at
times is so for both. Setting up and the first laps are not counted, and nothing is validated or
saved but the weights that are kept at the end of an epoch. CPU time is that of the process.

Then how long a step waits for its photos: in memory, and decoded from JPEG files by processes of
their own.
"""

import argparse
import copy
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from datasets import Dataset, Features
from datasets import Image as ImageFeature
from PIL import Image
from rich import box
from rich.table import Table
from torch import nn

from aesthetic_tv.finetuning import FinetuneConfig
from aesthetic_tv.finetuning.head_stage import train_head
from aesthetic_tv.finetuning.losses import parse_loss
from aesthetic_tv.finetuning.photos import Crops, DecodedCrops, Examples, loader
from aesthetic_tv.finetuning.progress import Progress, silent
from aesthetic_tv.finetuning.targets import targets
from aesthetic_tv.finetuning.tower_stage import TowerStage
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show
from hub import VIT_B_16

WARM_UP = 5  # laps
BLOCK = 10  # laps, of which one has a line of the log
JPEG = (640, 480)  # pixels of the photos that are decoded on the way


def scorer_named(name: str) -> AestheticScorer:
    """The embedded base, or one of the size of CLIP ViT-B/16 with random weights."""
    if name == "embedded:tiny":
        return TaskVectorBank.from_pretrained(name).base
    torch.manual_seed(0)
    return AestheticScorer(AestheticScorerConfig(vision_config=VIT_B_16))


def bare_head(scorer, embeds, truth, config: FinetuneConfig) -> Iterator[None]:
    """The head stage as one would write it in a notebook, epoch by epoch."""
    head = copy.deepcopy(scorer.head).train()
    optimizer = torch.optim.AdamW(head.parameters(), config.head_lr, fused=True)
    while True:
        for rows in torch.randperm(len(embeds)).split(config.batch_size):
            told = head(embeds[rows]) @ scorer.bin_values
            loss = nn.functional.mse_loss(told, truth[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(head.parameters(), config.max_grad_norm)
            optimizer.step()
        yield


def bare_tower(scorer, examples: Examples, config: FinetuneConfig) -> Iterator[None]:
    """The second stage as one would write it in a notebook, step by step."""
    scorer = copy.deepcopy(scorer).train()
    optimizer = torch.optim.AdamW(scorer.parameters(), config.lr, fused=True)
    batches = loader(examples, config.batch_size, shuffle=True)
    while True:
        for batch in batches:
            loss = scorer(scorer.normalize(batch["crops"]), labels=batch["scores"]).loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(scorer.parameters(), config.max_grad_norm)
            optimizer.step()
            yield


def now() -> np.ndarray:
    """Wall and CPU seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def in_turn(ours: Callable[[Progress], object], bare: Iterator[None]) -> np.ndarray:
    """Seconds of (laps, our loop and the bare one, wall and CPU): ours tells when it has done a
    lap, and then the bare one does one.
    """
    laps, began = list[list[np.ndarray]](), now()

    def lap(stage: str, done: int, total: int) -> None:
        nonlocal began
        mine, middle = now() - began, now()
        next(bare)
        laps.append([mine, now() - middle])
        began = now()

    ours(lap)
    return np.array(laps[WARM_UP:])


def row(name: str, laps: np.ndarray, photos: int) -> list[str]:
    """Photos per second of both, and the time that ours takes beside the bare one: of blocks of
    laps their median, and of all together.
    """
    whole = laps[: len(laps) // BLOCK * BLOCK]
    blocks = whole.reshape(-1, BLOCK, 2, 2).sum(axis=1)
    medians = np.median(blocks[:, 0] / blocks[:, 1], axis=0)
    totals = laps.sum(axis=0)
    wall, cpu = totals[0] / totals[1]
    speeds = [f"{photos * BLOCK / seconds:,.0f}" for seconds in np.median(blocks[..., 0], axis=0)]
    told = [
        f"{medians[0] - 1:+.1%}",
        f"{wall - 1:+.1%}",
        f"{medians[1] - 1:+.1%}",
        f"{cpu - 1:+.1%}",
    ]
    return [name, str(len(laps)), *speeds, *told]


def decoded(folder: Path, count: int, config) -> Crops:
    """Photos to decode: JPEG files of noise that is smooth, as photos are."""
    random = np.random.default_rng(0)
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        coarse.resize(JPEG, Image.Resampling.BICUBIC).save(folder / f"{i}.jpg", quality=90)
    names = [f"{i}.jpg" for i in range(count)]
    features = Features({"image": ImageFeature()})
    table = Dataset.from_dict({"image": [str(folder / name) for name in names]}, features=features)
    return DecodedCrops(table.add_column("photo", names), config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tower", default="embedded:tiny", help="or ViT-B/16")
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=300, help="of the second stage")
    parser.add_argument("--head-epochs", type=int, default=300)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", 2)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    per_epoch = -(-options.photos // options.batch_size)
    config = FinetuneConfig(
        head_epochs=options.head_epochs,
        epochs=-(-options.steps // per_epoch),
        batch_size=options.batch_size,
        loss="mse",
    )
    scorer, loss = scorer_named(options.tower), parse_loss("mse")
    side = scorer.config.tower.image_size
    random = np.random.default_rng(0)
    crops = random.integers(0, 256, (options.photos, 3, side, side), dtype=np.uint8)
    truth = targets(random.uniform(1, 10, options.photos), (1, 10), scorer.config.bin_values)
    examples = Examples(crops, truth)
    embeds = torch.randn(options.photos, scorer.config.width)
    accelerator = Accelerator(
        dataloader_config=DataLoaderConfiguration(split_batches=True, use_seedable_sampler=True)
    )

    def head_stage(progress: Progress) -> None:
        train_head(scorer, embeds, examples, None, loss, config, accelerator, progress)

    def all_layers(progress: Progress, of: Examples = examples) -> TowerStage:
        trained = copy.deepcopy(scorer)
        stage = TowerStage(trained, of, None, loss, config, accelerator, None, progress)
        stage.run()
        accelerator.free_memory()
        return stage

    table = Table("loop", "laps", "photos/s", "photos/s, bare", "wall, median", "wall, all",
                  "CPU, median", "CPU, all", box=box.MARKDOWN)  # fmt: skip
    bare = bare_head(scorer, embeds, truth.scores, config)
    table.add_row(*row("head, epochs", in_turn(head_stage, bare), options.photos))
    laps = in_turn(all_layers, bare_tower(scorer, examples, config))
    table.add_row(*row("all layers, steps", laps, options.batch_size))
    waits = Table("photos", "a step takes, ms", "and waits for photos, ms", box=box.MARKDOWN)
    with tempfile.TemporaryDirectory() as temporary:
        files = Examples(decoded(Path(temporary), options.photos, scorer.config), truth)
        for name, kind in (("in memory", examples), ("decoded from JPEG", files)):
            began = time.perf_counter()
            stage = all_layers(silent, kind)
            took = time.perf_counter() - began
            waited = sum(line.waited or 0 for line in stage.lines)
            waits.add_row(name, *(f"{1000 * x / stage.step:.1f}" for x in (took, waited)))
    show(
        table,
        waits,
        f"\n{options.tower}, {options.photos} photos of {side} x {side}, "
        f"batches of {options.batch_size}, {options.threads} thread(s); {machine()}",
    )


if __name__ == "__main__":
    main()
