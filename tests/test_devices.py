"""Which device computes: by a fake availability, and what is done with the choice."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from aesthetic_tv import AestheticScorer, Personalizer, TaskVectorBank
from aesthetic_tv.cli import app
from aesthetic_tv.cli.options import Device
from aesthetic_tv.cli.outcome import FAILED
from aesthetic_tv.errors import SettingError
from aesthetic_tv.processes import joined
from aesthetic_tv.scorer import devices
from aesthetic_tv.scorer.devices import (
    DEVICES,
    available_devices,
    choose_device,
    count_devices,
    fast_dtype,
    own_randomness,
    trains_in_bfloat16,
)
from conftest import make_bank


@pytest.fixture
def there(monkeypatch):
    """Pretend that these devices are there, besides the CPU."""

    def pretend(*kinds: str, count: int = 1) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in kinds)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in kinds)
        monkeypatch.setattr(torch.xpu, "is_available", lambda: "xpu" in kinds)

    return pretend


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        ((), "cpu"),
        (("cuda",), "cuda"),
        (("mps",), "mps"),
        (("xpu",), "xpu"),
        (("xpu", "mps", "cuda"), "cuda"),
        (("xpu", "mps"), "mps"),
    ],
)
def test_auto_takes_the_first_that_is_there(there, kinds, chosen):
    there(*kinds)
    assert choose_device("auto") == torch.device(chosen)
    assert choose_device("cpu") == torch.device("cpu")
    assert available_devices()[-1] == "cpu" and set(available_devices()) == {*kinds, "cpu"}


def test_a_device_that_is_not_there_is_refused_with_those_that_are(there):
    there("mps")
    with pytest.raises(SettingError, match="cuda is not there; PyTorch finds mps, cpu here"):
        choose_device("cuda")
    there("cuda", count=2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(SettingError, match="cuda:0 to cuda:1"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:x", "cpu:1", "auto:0", "meta"])
def test_a_name_that_is_none_is_refused(there, name):
    there("cuda")
    with pytest.raises(SettingError, match="device"):
        choose_device(name)


def test_the_command_line_names_all_devices():
    assert set(get_args(get_args(Device)[0])) == set(DEVICES)


def test_bfloat16_is_for_devices_that_multiply_in_it(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert fast_dtype(cuda) == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert fast_dtype(cuda) == torch.float32
    assert fast_dtype(torch.device("mps")) == torch.float32


def test_training_is_in_bfloat16_on_accelerators_alone(monkeypatch):
    monkeypatch.setattr(devices, "_native_bfloat16", lambda device: True)
    assert trains_in_bfloat16(torch.device("cuda"))
    assert not trains_in_bfloat16(torch.device("cpu"))


def test_devices_are_counted(there):
    there("cuda", count=3)
    assert [count_devices(kind) for kind in ("cpu", "mps", "cuda")] == [1, 1, 3]


@pytest.mark.parametrize("kind", ["cpu", "mps", "cuda", "xpu"])
def test_random_numbers_of_a_device_are_kept(kind, monkeypatch):
    kept, fork = [], torch.random.fork_rng

    def forked(devices, device_type="cuda"):
        kept.extend((str(device), device_type) for device in devices)
        return fork(devices=[])

    monkeypatch.setattr(torch.random, "fork_rng", forked)
    torch.manual_seed(0)
    with own_randomness(torch.device(kind)):
        drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3))
    assert kept == ([(kind, kind)] if kind in ("cuda", "xpu") else [])


def test_devices_are_chosen_in_one_place():
    """Nothing else asks torch for its devices."""
    package = Path(devices.__file__).parents[1]
    asking = re.compile(r"torch\.(cuda|xpu|backends\.mps|accelerator)\.")
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py")
             if asking.search(path.read_text(encoding="utf-8"))}  # fmt: skip
    assert found == {"scorer/devices.py"}


def test_processes_refuse_a_device_that_they_do_not_compute_on():
    assert joined("cpu").device.type == "cpu"
    with pytest.raises(SettingError, match="processes compute on cpu"):
        joined("cuda")


def test_a_bank_on_a_device_gives_the_same_bits_there(photos):
    ratings = {str(photo): float(1 + i % 5) for i, photo in enumerate(photos)}
    plain, moved = make_bank(), make_bank().to(choose_device("cpu"))
    found = [Personalizer(bank).fit(ratings) for bank in (plain, moved)]
    assert torch.equal(found[0].coefficients, found[1].coefficients)
    scores = [mine.merge().score(list(ratings)) for mine in found]
    assert np.array_equal(*scores)


# Every command that computes, up to where its model is moved: there it is stopped.
class MovedError(Exception):
    """Where to."""


@pytest.mark.parametrize("name", ["personalize", "score", "suggest", "pick", "demo"])
def test_commands_move_the_model_to_the_device_that_is_there(
    name, there, photos, tmp_path, monkeypatch
):
    album, ratings = photos[0].parent, tmp_path / "r.csv"
    ratings.write_text("photo,rating\np00.jpg,1\np01.jpg,5\np02.jpg,3\n")
    make_bank().save_pretrained(tmp_path / "bank")
    make_bank().task_scorer("task1").save_pretrained(tmp_path / "scorer")
    arguments = {
        "personalize": [album, "--ratings", ratings, "-o", tmp_path / "t", "--bank",
                        tmp_path / "bank"],
        "score": [album, "--scorer", tmp_path / "scorer"],
        "suggest": [album, "--bank", tmp_path / "bank"],
        "pick": [album, "--scorer", tmp_path / "scorer", "--to", tmp_path / "kept"],
        "demo": ["-o", tmp_path / "demo"],
    }[name]  # fmt: skip
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")

    def stop(self, place, *more, **options):
        raise MovedError(str(place))

    monkeypatch.setattr(TaskVectorBank, "to", stop)
    monkeypatch.setattr(AestheticScorer, "to", stop)
    there("xpu")
    done = CliRunner().invoke(app, [name, *map(str, arguments)])
    assert isinstance(done.exception, MovedError) and str(done.exception) == "xpu", done.output
    refused = CliRunner().invoke(app, [name, *map(str, arguments), "--device", "cuda"])
    assert refused.exit_code == FAILED
    assert "xpu, cpu" in refused.stderr
