"""What is noted down of a run: losses, learning rates and agreement, line by line."""

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from aesthetic_tv.errors import DivergedError
from aesthetic_tv.files import atomic_path
from aesthetic_tv.finetuning.validation import Agreement

HEAD, ALL = "head", "all"  # the two stages


@dataclass(frozen=True)
class Line:
    """One line of the log.

    Attributes:
        stage: `head` or `all`.
        epoch: that was gone through last, in part or whole; 0 before the first.
        step: optimizer steps of this stage so far.
        loss: mean training loss of the steps since the line before.
        lr: highest learning rate at this step.
        validation_srocc, validation_plcc, validation_n: after a whole epoch.
        photos_per_second: of the steps since the line before.
        waited: seconds of them that were spent waiting for photos.
    """

    stage: str
    epoch: int
    step: int
    loss: float | None = None
    lr: float | None = None
    validation_srocc: float | None = None
    validation_plcc: float | None = None
    validation_n: int | None = None
    photos_per_second: float | None = None
    waited: float | None = None

    def values(self) -> dict[str, Any]:
        """What is known, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def write_csv(path: Path, lines: Sequence[Line]) -> None:
    """The log as a table; what is not known of a line is empty.

    Raises:
        OutputError: it could not be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [item.name for item in fields(Line)])
        writer.writeheader()
        writer.writerows(asdict(line) for line in lines)


class Losses:
    """The losses of the steps since the last line; they stay on the device until they are told, so
    that no step waits for a number.
    """

    def __init__(self) -> None:
        self._losses: list[torch.Tensor] = []
        self._photos: list[list[torch.Tensor]] = []

    def add(self, loss: torch.Tensor, positions: torch.Tensor, *, new_step: bool = True) -> None:
        """The loss of a step, or of a part of it, and the photos that this process had in it."""
        if new_step:
            self._losses.append(loss.detach())
            self._photos.append([positions])
        else:
            self._losses[-1] = self._losses[-1] + loss.detach()
            self._photos[-1].append(positions)

    def mean(self, step: int, where: str, examples: Any) -> float | None:
        """The mean, and begin anew; `None` without steps.

        Args:
            step: the last one.
            where: stage and epoch, for the error.
            examples: that the positions belong to.

        Raises:
            DivergedError: one is not a finite number; names the first such step.
        """
        if not self._losses:
            return None
        losses = torch.stack(self._losses).double().cpu()
        broken = torch.nonzero(~torch.isfinite(losses)).flatten().tolist()
        if broken:
            first = broken[0]
            photos = examples.named(torch.cat(self._photos[first]).tolist())
            raise DivergedError(
                f"the loss is {losses[first].item()} at step {step - len(losses) + 1 + first} of "
                f"{where} (photos {photos}). Lower lr or max_grad_norm, or use float32."
            )
        self._losses, self._photos = [], []
        return math.fsum(losses.tolist()) / len(losses)


def figures(agreement: Agreement | None) -> dict[str, Any]:
    """What a line tells of the validation."""
    if agreement is None:
        return {}
    return {f"validation_{name}": value for name, value in vars(agreement).items()}
