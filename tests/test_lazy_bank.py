"""A bank too large for memory reads its vectors layer by layer, and nothing else changes."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from aesthetic_tv.errors import FormatError
from aesthetic_tv.personalization import PaperSolver, Preferences, Problem
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank, fingerprint
from aesthetic_tv.task_vectors.stack import IN_MEMORY_BYTES, TaskStack, merged_layer, stack_layers
from aesthetic_tv.task_vectors.task_vector import layers_of, with_layers
from aesthetic_tv.tensor_file import TensorFile
from conftest import make_bank


@pytest.fixture(params=["float32", "bfloat16", "int4", "memory"])
def banks(request, tmp_path) -> tuple[TaskVectorBank, TaskVectorBank]:
    """One bank twice: kept in memory, and read layer by layer."""
    made = make_bank(3)
    if request.param == "memory":
        return made, TaskVectorBank(made.base, made.vectors, in_memory=False)
    made.save_pretrained(tmp_path / "bank", storage=request.param)
    kept, read = (
        TaskVectorBank.from_pretrained(tmp_path / "bank", in_memory=in_memory)
        for in_memory in (True, False)
    )
    return kept, read


def test_both_ways_hold_and_merge_the_same(banks):
    kept, read = banks
    assert isinstance(kept.stacked, dict) and isinstance(read.stacked, TaskStack)
    assert kept.reference == read.reference
    torch.manual_seed(0)
    for alpha in (torch.randn(len(kept.layers), 3), torch.randn(1, 3)):
        expected, found = kept.merged_layers(alpha), read.merged_layers(alpha)
        assert all(torch.equal(found[name], expected[name]) for name in kept.layers)
        merged = layers_of(read.merge(alpha))
        assert all(torch.equal(merged[name], expected[name]) for name in kept.layers)
    np.testing.assert_array_equal(read.similarity(), kept.similarity())
    for name in kept.names:
        expected, found = layers_of(kept.task_scorer(name)), layers_of(read.task_scorer(name))
        assert all(torch.equal(found[layer], expected[layer]) for layer in kept.layers)


def test_both_ways_score_the_same(banks, photos):
    kept, read = banks
    np.testing.assert_array_equal(read.score(photos), kept.score(photos))


def test_both_ways_have_the_same_gradients(banks):
    kept, read = banks
    torch.manual_seed(0)
    weights = {name: torch.randn(layer.shape) for name, layer in kept.start.items()}
    gradients = []
    for bank in (kept, read):
        alpha = torch.full((len(bank.layers), 3), 0.3, requires_grad=True)
        layers = bank.merged_layers(alpha)
        sum((layers[name].square() * weights[name]).sum() for name in layers).backward()
        gradients.append(alpha.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-6)


def test_gradients_of_a_layer_that_is_read_equal_finite_differences():
    torch.manual_seed(0)
    stack = _DoubleStack([{"x": torch.randn(4, 5)} for _ in range(3)], {"x": (4, 5)})
    start = torch.randn(4, 5, dtype=torch.float64)
    row = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda alpha: merged_layer(start, stack, "x", alpha), row)
    assert torch.autograd.gradgradcheck(
        lambda alpha: merged_layer(start, stack, "x", alpha).sin(), row
    )


class _DoubleStack(TaskStack):
    def read(self, name, room):
        return super().read(name, room).double()


def test_the_solver_finds_the_same_both_ways(banks):
    torch.manual_seed(0)
    pixels = torch.randn(12, 3, 32, 32)
    ratings = dict(enumerate(np.random.default_rng(0).integers(1, 6, 12).tolist()))
    solver = PaperSolver(iterations=5)
    found = []
    for bank in banks:
        before = fingerprint(layers_of(bank.base))
        start = torch.full((len(bank.layers), 3), 1 / 3)
        problem = Problem(bank, pixels, Preferences.from_ratings(ratings), start)
        found.append(solver.solve(problem).coefficients)
        assert fingerprint(layers_of(bank.base)) == before and not bank.base.head.training
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)


def test_autograd_keeps_no_layer_of_the_vectors_that_is_read(banks):
    kept, read = banks
    alpha = torch.full((len(read.layers), 3), 0.3, requires_grad=True)
    held: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: held.append(x.numel()) or x, lambda x: x
    ):
        read.merged_layers(alpha)
    assert not held
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: held.append(x.numel()) or x, lambda x: x
    ):
        kept.merged_layers(alpha)
    assert sum(held) >= 3 * sum(x.numel() for x in kept.start.values())


def test_size_decides_where_nobody_does():
    layers = [{"x": torch.zeros(2)}] * 3
    assert isinstance(stack_layers(layers, {"x": (2,)}, None), dict)
    most = IN_MEMORY_BYTES // (3 * 4)
    assert isinstance(stack_layers(layers, {"x": (most + 1,)}, None), TaskStack)


def test_a_vector_reads_on_after_its_files_were_deleted(tiny_bank, tmp_path):
    vector = tiny_bank.vectors[0]
    vector.save_pretrained(tmp_path / "v")
    loaded = TaskVector.from_pretrained(tmp_path / "v")
    (tmp_path / "v/task_vector.safetensors").unlink()
    assert all(torch.equal(loaded.layers[k], tau) for k, tau in vector.layers.items())


def test_a_file_cut_short_after_it_was_loaded_is_an_error_not_a_crash(tiny_bank, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "bank")
    bank = TaskVectorBank.from_pretrained(tmp_path / "bank", in_memory=False)
    path = tmp_path / "bank/vectors/01/task_vector.safetensors"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(FormatError, match="too early"):
        bank.merge(torch.ones(1, 3))


@pytest.mark.parametrize("storage", ["float32", "int4"])
def test_a_loaded_vector_travels_to_another_process(tiny_bank, tmp_path, storage):
    tiny_bank.vectors[0].save_pretrained(tmp_path / "v", storage=storage)
    loaded = TaskVector.from_pretrained(tmp_path / "v")
    for other in (pickle.loads(pickle.dumps(loaded)), copy.deepcopy(loaded)):
        assert other.content_sha256 == loaded.content_sha256
        assert other.storage == storage
        assert all(torch.equal(other.layers[k], loaded.layers[k]) for k in loaded.layers)


def test_a_layer_that_is_not_there_is_a_key_error(tiny_bank):
    layers = tiny_bank.vectors[0].compress(4).layers
    assert "elsewhere" not in layers and len(layers) == len(tiny_bank.layers)
    with pytest.raises(KeyError):
        layers["elsewhere"]


def test_reading_without_positioned_reads_gives_the_same(tmp_path, monkeypatch):
    tensors = {"x": torch.randn(300, 1000), "y": torch.arange(7, dtype=torch.uint8)}
    save_file(tensors, tmp_path / "x.safetensors", {"key": "text"})
    monkeypatch.delattr(os, "preadv")
    file = TensorFile(tmp_path / "x.safetensors")
    assert file.metadata == {"key": "text"}
    assert all(torch.equal(file.read(name), tensor) for name, tensor in tensors.items())


def test_empty_tensors_can_be_read(tmp_path):
    save_file({"x": torch.zeros(0, 3), "y": torch.ones(2)}, tmp_path / "x.safetensors")
    file = TensorFile(tmp_path / "x.safetensors")
    assert file.read("x").shape == (0, 3) and torch.equal(file.read("y"), torch.ones(2))


def test_copies_share_no_layer_with_the_base(tiny_scorer):
    copied = with_layers(tiny_scorer, lambda _, layer: layer)
    before = fingerprint(layers_of(tiny_scorer))
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert fingerprint(layers_of(tiny_scorer)) == before
    assert copied.bin_values.data_ptr() != tiny_scorer.bin_values.data_ptr()
    assert copied.config is not tiny_scorer.config


PEAK = """
import sys, torch
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVectorBank

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

warm, folder, in_memory = sys.argv[1], sys.argv[2], sys.argv[3] == "True"
TaskVectorBank.from_pretrained(warm).merge(torch.ones(1, 3))
open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
before = status("VmRSS")
bank = TaskVectorBank.from_pretrained(folder, in_memory=in_memory)
bank.merge(torch.full((1, len(bank.names)), 0.3))
print(status("VmHWM") - before, sum(x.nbytes for x in bank.start.values()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_holds_the_base_and_the_merged_scorer_but_not_the_vectors(tiny_bank, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "warm")
    wide = {"hidden_size": 256, "num_hidden_layers": 8, "intermediate_size": 1024}
    make_bank(8, **wide).save_pretrained(tmp_path / "bank")
    models = {}
    for in_memory in (False, True):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, tmp_path / "warm", tmp_path / "bank", str(in_memory)],
            capture_output=True,
            text=True,
            check=True,
        )
        peak, size = map(int, done.stdout.split())
        models[in_memory] = peak / size
    assert models[False] < 4  # base, merged scorer, what loading the base takes, some layers
    assert models[True] > 9  # and the 8 vectors: what it used to be
