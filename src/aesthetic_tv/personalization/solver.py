"""The interface every solver stands behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch

from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.task_vectors import TaskVectorBank

Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True, eq=False)
class Problem:
    """One person's support set and where to start from.

    Args:
        bank: K task vectors with L layers.
        pixel_values: (n, 3, H, W) the support photos.
        preferences: over the same n photos.
        initial: alpha at the start, float32 (L, K).
    """

    bank: TaskVectorBank
    pixel_values: torch.Tensor
    preferences: Preferences
    initial: torch.Tensor


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver found.

    Args:
        coefficients: alpha, float32 (L, K).
        loss: the training loss after each step.
    """

    coefficients: torch.Tensor
    loss: tuple[float, ...] = ()


@runtime_checkable
class Solver(Protocol):
    """Fits coefficients to preferences; deterministic for one problem and one setting."""

    name: ClassVar[str]

    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON, to be saved with the personalization."""

    def solve(self, problem: Problem, progress: Progress | None = None) -> Solution:
        """Fit alpha; `progress` is called with `("fit", step, steps)`."""
