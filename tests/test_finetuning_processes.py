"""Fine-tuning in several processes, killed processes, and what is left of them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import finetuning_worker as worker
from aesthetic_tv.finetuning.checkpoint import RunFolder
from aesthetic_tv.task_vectors.task_vector import layers_of

WORKER = Path(worker.__file__)


def environment() -> dict[str, str]:
    source = Path(sys.modules["aesthetic_tv"].__file__).parents[1]
    paths = os.pathsep.join([str(source), str(WORKER.parent)])
    told = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    return os.environ | told | {"HF_HUB_OFFLINE": "0"}  # the demo turns it on for its own process


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory) -> Path:
    """What two processes wrote."""
    return launched("together", tmp_path_factory.mktemp("together"))


def launched(command: str, out: Path) -> Path:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2]
    done = subprocess.run(
        [str(part) for part in (*launch, WORKER, command, out)],
        env=environment(), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def in_a_process(*command) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(WORKER), *map(str, command)],
        env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def known(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("case", worker.CASES)
def test_two_processes_learn_as_one_does_at_the_same_global_batch(two_processes, case):
    told = known(two_processes, case)
    assert told["num_processes"] == 2
    alone = worker.train(worker.CASES[case], case=case)
    losses = [line.loss for line in alone.lines]
    assert [loss is None for loss in losses] == [loss is None for loss in told["losses"]]
    difference = [a - b for a, b in zip(losses, told["losses"], strict=True) if a is not None]
    assert np.abs(difference).max() < 1e-4
    weights = load_file(two_processes / f"{case}.safetensors")
    for name, layer in layers_of(alone.scorer).items():
        torch.testing.assert_close(weights[name], layer, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_each_held_out_photo_counts_once_in_two_processes(two_processes):
    told = known(two_processes, "mse")
    rest = worker.PHOTOS - worker.TRAIN - worker.VALIDATION
    assert told["held_out"] == [worker.VALIDATION, rest]
    alone = [line.validation_srocc for line in worker.train(worker.CASES["mse"]).lines]
    assert told["validation"] == pytest.approx(alone, abs=1e-6)


@pytest.mark.slow
def test_two_processes_go_on_from_where_they_stopped(two_processes):
    assert known(two_processes, "resumed")["losses"] == known(two_processes, "whole")["losses"]
    whole, resumed = (
        load_file(two_processes / f"{name}.safetensors") for name in ("whole", "resumed")
    )
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
def test_a_tower_in_shards_learns_as_a_whole_one_and_its_state_comes_back_bit_by_bit(tmp_path):
    told = known(launched("sharded", tmp_path), "sharded")
    layers = len(layers_of(worker.make_scorer()))
    assert told["shards"] == layers
    assert told["gap"] < 1e-4
    # Weights, average, two moments and a count of steps of each layer.
    assert told["tensors"] == 5 * layers and told["other"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "step"), [("head", 4), ("all layers", 7)])
def test_a_killed_run_resumes_to_the_very_weights_of_one_that_was_not(tmp_path, stage, step):
    run = tmp_path / "run"
    assert in_a_process("killed", run, stage, step).returncode == -signal.SIGKILL
    assert (RunFolder(run).part(0).load("checkpoint") is None) == (stage == "head")
    # In a process like the one that was killed: what other tests left in this one, as threads do,
    # may change the last bit.
    done = in_a_process("resumed", run, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    whole, resumed = (load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "resumed"))
    for name, layer in whole.items():
        assert torch.equal(resumed[name], layer), name
    assert known(tmp_path, "resumed")["losses"] == known(tmp_path, "whole")["losses"]
    if stage == "all layers":
        # Step 6 was saved; nothing before it is done again.
        assert known(tmp_path, "steps")[0] == ["all layers", 7]
