"""The state of an unfinished run: what a resumed one goes on from, in safetensors and JSON.

Each state is one file that is replaced whole, so that a kill at any moment leaves a good one.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)

from aesthetic_tv.errors import FormatError, OutputError, ResumeError
from aesthetic_tv.files import (
    FORMAT_VERSION,
    read_config,
    read_hashed,
    write_hashed,
    write_json,
)
from aesthetic_tv.finetuning.optimization import MovingAverage
from aesthetic_tv.version import __version__

RUN_NAME = "run.json"
KEY = "state"  # in what the header says
Tensors = dict[str, torch.Tensor]
State = dict[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """Where one run keeps its state.

    Args:
        path: the folder.
        writes: whether this process is the one that writes; all read.
    """

    path: Path
    writes: bool = True

    @property
    def exists(self) -> bool:
        """Whether there is something to resume."""
        return (self.path / RUN_NAME).is_file()

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Start anew: what lay here of an earlier run goes.

        Args:
            facts: all that decides what comes out.

        Raises:
            OutputError: the folder holds something else, or cannot be written.
        """
        if not self.writes:
            return
        if self.exists:
            self.remove()
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise OutputError(
                f"{self.path} exists and holds no {RUN_NAME}; it is left alone. "
                "Name another folder."
            )
        known = {"format_version": FORMAT_VERSION, "library_version": __version__}
        write_json(self.path / RUN_NAME, known | dict(facts))

    def check(self, facts: Mapping[str, Any]) -> None:
        """Raise `ResumeError` unless the run that is here would come to the same result."""
        found = read_config(self.path, RUN_NAME)
        told = [
            f"{path}: {old!r} there, {new!r} here"
            for path, old, new in _differences(found, json.loads(json.dumps(dict(facts))))
        ]
        if told:
            raise ResumeError(
                f"the run in {self.path} was started with other settings ({'; '.join(told)}). "
                "Resume with those, or start anew with overwrite."
            )

    def save(self, name: str, tensors: Tensors, state: Mapping[str, Any]) -> None:
        """Write a state, in place of the one of that name before it.

        Raises:
            OutputError: it could not be written; the one before is as it was.
        """
        if self.writes:
            write_hashed(self._file(name), tensors, {KEY: dict(state)})

    def load(self, name: str) -> tuple[Tensors, State] | None:
        """A state that was saved; `None` where there is none.

        Raises:
            FormatError: it is damaged.
        """
        path = self._file(name)
        if not path.is_file():
            return None
        stored = read_hashed(path)
        state = stored.about.get(KEY, stored.metadata.get(KEY))
        try:
            if isinstance(state, str):  # of older versions, which had no hash either
                state = json.loads(state)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{path}: its {KEY} cannot be read ({error}).") from error
        if not isinstance(state, dict):
            raise FormatError(f"{path} has no {KEY} in its header; it is no state of a run.")
        stored.check()
        return stored.tensors, state

    def forget(self, prefix: str, *, keep: str) -> None:
        """Delete the states whose names begin so, but for one."""
        if not self.writes:
            return
        for path in self.path.glob(f"{prefix}*.safetensors"):
            if path.stem != keep:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder; the run is finished."""
        if not self.writes:
            return
        # What makes it a run goes last: the rest alone would be taken for somebody's files.
        for path in self.path.glob("*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != RUN_NAME:
                path.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def part(self, number: int) -> "RunFolder":
        """The folder of one task of several."""
        return RunFolder(self.path / f"task{number:02d}", self.writes)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.safetensors"


def _differences(found: Mapping, expected: Mapping, place: str = "") -> list[tuple]:
    """(path, found, expected) of each value of `expected` that is another in `found`."""
    rows = []
    for key, value in expected.items():
        old = found.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            rows += _differences(old, value, f"{place}{key}.")
        elif old != value:
            rows.append((f"{place}{key}", old, value))
    return rows


def full_weights(module: nn.Module) -> Tensors:
    """The weights of a module by name, on the CPU of each process, however they are sharded."""
    whole: Any = get_model_state_dict(module, options=StateDictOptions(full_state_dict=True))
    return {name: tensor.detach().cpu().clone() for name, tensor in whole.items()}


def training_state(
    module: nn.Module, optimizer: torch.optim.Optimizer, average: MovingAverage | None
) -> Tensors:
    """Weights, optimizer and average as tensors, whole on the main process and empty on others."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights: Any = get_model_state_dict(module, options=options)
    tensors = {f"model.{name}": tensor for name, tensor in weights.items()}
    if optimizer.state:  # asking before the first step would make one, of no length but counted
        moments: Any = get_state_dict(module, optimizer, options=options)[1]
        for name, slots in moments.get("state", {}).items():  # the groups are the config's
            tensors |= {f"optimizer.{name}/{slot}": tensor for slot, tensor in slots.items()}
    if average is not None:
        with average.applied():
            averaged: Any = get_model_state_dict(module, options=options)
            tensors |= {f"average.{name}": tensor.clone() for name, tensor in averaged.items()}
    return tensors


def restore_training_state(
    tensors: Tensors,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None,
) -> None:
    """Put back what `training_state` took, bit by bit; each process gives all of the tensors."""
    options = StateDictOptions(full_state_dict=True)
    if average is not None:
        averaged: Any = _under("average.", tensors)
        set_model_state_dict(module, averaged, options=options)
        average.follow()
    weights: Any = _under("model.", tensors)
    slots = _under("optimizer.", tensors)
    if not slots:
        set_model_state_dict(module, weights, options=options)
        return
    # With slots for every layer.
    moments: Any = get_state_dict(module, optimizer, options=options)[1]
    for key, tensor in slots.items():
        name, slot = key.rsplit("/", 1)
        moments["state"][name][slot] = tensor
    set_state_dict(
        module, optimizer, model_state_dict=weights, optim_state_dict=moments, options=options
    )


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
