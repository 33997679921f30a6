"""A recipe of seconds, and builds of it in processes that can be killed."""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import torch

from aesthetic_tv.building.journal import digest_of
from aesthetic_tv.building.recipe_file import read_recipe
from aesthetic_tv.building.running import build

STEPS = ("fetch light", "fetch colour", "fetch people", "prepare light", "prepare colour",
         "prepare people", "base", "finetune light", "finetune colour", "population", "evaluate",
         "bank")  # fmt: skip

RECIPE = """
name: small
title: Two vectors of a second each
license: apache-2.0
tower:
  config: {model_type: clip_vision_model, hidden_size: 32, intermediate_size: 64,
           num_hidden_layers: 2, num_attention_heads: 2, image_size: 32, patch_size: 8,
           projection_dim: 16, hidden_act: gelu}
size: tiny
finetuning: {head_epochs: 2, epochs: 3, batch_size: 8, checkpoint_every: 2, workers: 0}
databases:
  - {id: light, made: {rule: light, photos: 48, seed: 1}}
  - {id: colour, made: {rule: colour, photos: 48, seed: 2}}
  - {id: people, made: {rule: people, photos: 40, seed: 3, people: 2}, trains: false, test: 0.5}
population: {databases: [people], people: true, split: train, directions: 4}
evaluation: {people: [people], shots: [4], trials: 1, methods: [generic]}
storage: int8
"""


def write_recipe(folder: Path, text: str = RECIPE, name: str = "small.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def bank_digest(out: Path) -> str | None:
    """Of every byte of the bank."""
    return digest_of(out / "bank")


def build_there(recipe: Path, out: Path, *, kill_after: float | None = None) -> tuple[bool, float]:
    """Build in a process of its own, forked off this one, which must not have used any library's
    threads yet; killed as by `kill -9` after so many seconds of its own work: those of the clock
    tell little where others work too.

    Returns:
        Whether it came to its end, and the seconds of its work.
    """
    process = os.fork()
    if process == 0:
        try:
            torch.set_num_threads(1)
            outcome = build(*read_recipe(recipe), out)
            os._exit(0 if outcome.is_whole else 3)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    while kill_after is not None and worked(process) < kill_after:
        time.sleep(0.002)
    if kill_after is not None:
        os.kill(process, signal.SIGKILL)
    _, status, usage = os.wait4(process, 0)
    return status == 0, usage.ru_utime + usage.ru_stime


def worked(process: int) -> float:
    """Seconds of work of a process; without end where it has ended."""
    state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    if state == "Z":
        return float("inf")
    return (int(fields[10]) + int(fields[11])) / os.sysconf("SC_CLK_TCK")


def going_on(out: Path) -> str:
    """The first step that the journal does not have."""
    path = out / "journal.json"
    done = json.loads(path.read_text())["steps"] if path.exists() else {}
    return next((step for step in STEPS if step not in done), "the end")


def kill_and_go_on(folder: Path, kills: int, seed: int) -> list[tuple[str, bool]]:
    """Builds that are killed after a random share of the work that one takes, and gone on with.

    Returns:
        What was going on when each was killed, and whether it came to the same bank bit by bit.
    """
    random, found = np.random.default_rng(seed), list[tuple[str, bool]]()
    recipe = write_recipe(folder)
    done, whole = build_there(recipe, folder / "whole")
    assert done
    expected = bank_digest(folder / "whole")
    assert expected is not None
    for number in range(kills):
        out = folder / f"kill{number:02d}"
        moment = whole * (number + random.random()) / kills
        build_there(recipe, out, kill_after=moment)
        where = going_on(out)
        same = build_there(recipe, out)[0] and bank_digest(out) == expected
        found.append((where, same))
        print(f"{number + 1}: killed after {moment:.1f} of {whole:.1f} s, in {where}: "
              f"{'the same bank' if same else 'ANOTHER BANK'}", flush=True)  # fmt: skip
    return found


if __name__ == "__main__":
    print(json.dumps(kill_and_go_on(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
