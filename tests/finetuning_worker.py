"""Runs of fine-tuning in processes of their own, for the tests: several together, or one that dies.

torchrun --nproc_per_node 2 tests/finetuning_worker.py together OUT
torchrun --nproc_per_node 2 tests/finetuning_worker.py sharded OUT
python tests/finetuning_worker.py killed RUN_FOLDER STAGE STEP
python tests/finetuning_worker.py resumed RUN_FOLDER OUT
"""

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from aesthetic_tv.finetuning import FinetuneConfig
from aesthetic_tv.finetuning.checkpoint import (
    RunFolder,
    full_weights,
    restore_training_state,
    training_state,
)
from aesthetic_tv.finetuning.losses import parse_loss
from aesthetic_tv.finetuning.optimization import MovingAverage, parameter_groups
from aesthetic_tv.finetuning.photos import Examples
from aesthetic_tv.finetuning.targets import targets
from aesthetic_tv.finetuning.tower_stage import TowerStage
from aesthetic_tv.finetuning.two_stage import Finetuned, Run, finetune_examples
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors.task_vector import layers_of
from conftest import make_scorer
from tower_samples import KNOWN, SAMPLES, open_convolutions

# 37 photos to train on: neither a multiple of the batch nor of two.
PHOTOS, TRAIN, VALIDATION = 56, 37, 9
COMMON = FinetuneConfig(
    head_epochs=2, epochs=2, lr=1e-3, batch_size=12, accumulation=2, log_every=1, ema=0.9
)
CASES = {
    "mse": dataclasses.replace(COMMON, loss="mse", flip=True, crop=0.8),
    "rank": dataclasses.replace(COMMON, loss="rank+0.5*plcc", accumulation=1, ema=None),
}
# One training of each family of towers, by the name of its sample.
FAMILIES = {
    name: dataclasses.replace(COMMON, head_epochs=1, epochs=1, loss="mse", ema=None)
    for name in KNOWN
}
CASES |= FAMILIES
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


def base_of(case: str | None) -> AestheticScorer:
    """The tiny CLIP tower, or the one of a family."""
    if case not in FAMILIES:
        return make_scorer()
    torch.manual_seed(0)
    tower = SAMPLES[case].tower_config().to_dict()
    scorer = AestheticScorer(AestheticScorerConfig(vision_config=tower, head_hidden_size=24))
    open_convolutions(scorer)
    return scorer.eval()


def train(
    config: FinetuneConfig,
    *,
    case: str | None = None,
    dropout: float = 0.0,
    held_out: bool = True,
    **run,
) -> Finetuned:
    """One task, on a tiny tower; when nothing is held out, the last weights are the result."""
    base = base_of(case)
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
        write(out, name, train(config, case=name))
    write(out, "whole", train(RESUMED, **RANDOM))
    main = os.environ["RANK"] == "0"
    folder = RunFolder(out / "run", writes=main)
    undo = stop_after_saves(3)
    try:
        train(RESUMED, **RANDOM, folder=folder)
    except StoppedError:
        undo()
    write(out, "resumed", train(RESUMED, **RANDOM, folder=folder, resume=True))


def resumed(run: Path, out: Path) -> None:
    """What the run of a killed process comes to, and what one that was not killed does."""
    steps: list[tuple[str, int]] = []
    again = train(
        RESUMED,
        **RANDOM,
        folder=RunFolder(run),
        resume=True,
        progress=lambda stage, done, total: steps.append((stage, done)),
    )
    write(out, "resumed", again)
    write(out, "whole", train(RESUMED, **RANDOM))
    (out / "steps.json").write_text(json.dumps(steps))


def sharded(out: Path) -> None:
    """Two steps of a tower in shards (FSDP2) and of a whole one, and a restored state of the first:
    how far their weights are apart, and whether the state came back bit by bit.
    """
    dist.init_process_group("gloo")
    whole, split, restored = prepared(), prepared(shards=True), prepared(shards=True)
    random = torch.Generator().manual_seed(0)
    for _ in range(2):
        pixels = torch.randn(4, 3, 32, 32, generator=random)
        for scorer, optimizer, average in (whole, split):
            optimizer.zero_grad()
            scorer(pixels).scores.square().mean().backward()
            torch.nn.utils.clip_grad_norm_(scorer.parameters(), 1.0)
            optimizer.step()
            average.update()
    pairs = zip(full_weights(whole[0]).values(), full_weights(split[0]).values(), strict=True)
    gap = max((one - other).abs().max().item() for one, other in pairs)
    saved = [training_state(*split)]  # whole on the main process
    dist.broadcast_object_list(saved)
    restore_training_state(saved[0], *restored)
    again = training_state(*restored)
    if dist.get_rank() == 0:
        facts = {
            "shards": sum(isinstance(p, DTensor) for p in split[0].parameters()),
            "gap": gap,
            "tensors": sorted(saved[0]) == sorted(again) and len(again),
            "other": [name for name, x in again.items() if not torch.equal(x, saved[0][name])],
        }
        (out / "sharded.json").write_text(json.dumps(facts))
    dist.destroy_process_group()


def prepared(*, shards: bool = False):
    """A scorer, its optimizer and moving average; in shards over all processes, or whole."""
    scorer = make_scorer().train()
    scorer.head.dropout.p = 0.0
    if shards:
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        for layer in scorer.vision.vision_model.encoder.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(scorer, mesh=mesh)
    groups = parameter_groups(scorer, lr=1e-3, layer_decay=0.75, weight_decay=0.01)
    return scorer, torch.optim.AdamW(groups, fused=True), MovingAverage(scorer, 0.9)


def write(out: Path, name: str, result: Finetuned) -> None:
    if os.environ.get("RANK", "0") != "0":
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
    if command in ("together", "sharded"):
        {"together": together, "sharded": sharded}[command](Path(folder))
    elif command == "resumed":
        resumed(Path(folder), Path(rest[0]))
    else:
        stage, step = rest[0], int(rest[1])
        train(RESUMED, **RANDOM, folder=RunFolder(Path(folder)), progress=die_at(stage, step))
