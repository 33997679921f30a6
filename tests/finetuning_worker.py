"""Runs of fine-tuning in processes of their own, for the tests: several together, or one that dies.

torchrun --nproc_per_node 2 tests/finetuning_worker.py together OUT
python tests/finetuning_worker.py killed RUN_FOLDER STAGE STEP
"""

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from aesthetic_tv.finetuning import FinetuneConfig
from aesthetic_tv.finetuning.checkpoint import RunFolder
from aesthetic_tv.finetuning.losses import parse_loss
from aesthetic_tv.finetuning.photos import Examples
from aesthetic_tv.finetuning.targets import targets
from aesthetic_tv.finetuning.tower_stage import TowerStage
from aesthetic_tv.finetuning.two_stage import Finetuned, Run, finetune_examples
from aesthetic_tv.task_vectors.task_vector import layers_of
from conftest import make_scorer

# 37 photos to train on: neither a multiple of the batch nor of two.
PHOTOS, TRAIN, VALIDATION = 56, 37, 9
COMMON = FinetuneConfig(
    head_epochs=2, epochs=2, lr=1e-3, batch_size=12, accumulation=2, log_every=1, ema=0.9
)
CASES = {
    "mse": dataclasses.replace(COMMON, loss="mse", flip=True, crop=0.8),
    "rank": dataclasses.replace(COMMON, loss="rank+0.5*plcc", accumulation=1, ema=None),
}
# All that draws at random, or keeps something from step to step.
RESUMED = dataclasses.replace(COMMON, loss="mse", flip=True, checkpoint_every=2, epochs=3)

RANDOM = {"dropout": 0.5, "held_out": False}


def examples() -> tuple[Examples, np.ndarray]:
    """Photos of random brightness, which is their score, and their splits."""
    random = np.random.default_rng(0)
    brightness = random.uniform(40, 215, PHOTOS)
    noise = random.normal(0, 30, (PHOTOS, 3, 32, 32))
    crops = np.clip(brightness[:, None, None, None] + noise, 0, 255).astype(np.uint8)
    truth = targets(brightness, (0.0, 255.0), make_scorer().config.bin_values)
    rest = PHOTOS - TRAIN - VALIDATION
    split = np.repeat(["train", "validation", "test"], [TRAIN, VALIDATION, rest])
    return Examples(crops, truth), split


def train(
    config: FinetuneConfig, *, dropout: float = 0.0, held_out: bool = True, **run
) -> Finetuned:
    """One task, on the tiny tower; when nothing is held out, the last weights are the result."""
    base = make_scorer()
    base.config.head_dropout = base.head.dropout.p = dropout
    photos, split = examples()
    if not held_out:
        split[split != "train"] = "unused"
    (result,) = finetune_examples(base, photos, split, parse_loss(config.loss), config, Run(**run))
    return result


def die_at(stage: str, step: int):
    """A progress that kills the process as `kill -9` does."""

    def progress(name: str, done: int, total: int) -> None:
        if name == stage and done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return progress


class StoppedError(Exception):
    """In place of a kill, where several processes are to go on."""


def stop_after_saves(count: int):
    """Let the second stage stop in all processes after so many saves; gives what undoes it."""
    save, saves = TowerStage._save, []

    def stopping(self) -> None:
        save(self)
        saves.append(1)
        if len(saves) == count:
            raise StoppedError

    TowerStage._save = stopping
    return lambda: setattr(TowerStage, "_save", save)


def together(out: Path) -> None:
    for name, config in CASES.items():
        write(out, name, train(config))
    write(out, "whole", train(RESUMED, **RANDOM))
    main = os.environ["RANK"] == "0"
    folder = RunFolder(out / "run", writes=main)
    undo = stop_after_saves(3)
    try:
        train(RESUMED, **RANDOM, folder=folder)
    except StoppedError:
        undo()
    write(out, "resumed", train(RESUMED, **RANDOM, folder=folder, resume=True))


def write(out: Path, name: str, result: Finetuned) -> None:
    if os.environ["RANK"] != "0":
        return
    facts = {
        "num_processes": result.num_processes,
        "losses": [line.loss for line in result.lines],
        "validation": [line.validation_srocc for line in result.lines],
        "held_out": [part and part.n for part in (result.validation, result.test)],
    }
    (out / f"{name}.json").write_text(json.dumps(facts))
    save_file(layers_of(result.scorer), out / f"{name}.safetensors")


if __name__ == "__main__":
    command, folder, *rest = sys.argv[1:]
    if command == "together":
        together(Path(folder))
    else:
        stage, step = rest[0], int(rest[1])
        train(RESUMED, **RANDOM, folder=RunFolder(Path(folder)), progress=die_at(stage, step))
