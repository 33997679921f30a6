"""The interface every solver stands behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch

from aesthetic_tv.personalization.linear_model import LinearModel
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.task_vectors import Population, TaskVectorBank

Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True, eq=False)
class Problem:
    """One person's support set and where to start from.

    Args:
        bank: K task vectors with L layers.
        pixel_values: (n, 3, H, W) the support photos.
        preferences: over the same n photos.
        initial: coefficients at the start, float32 (L, K), or (P,) with those of head directions.
        population: what is known of people's coefficients, where `initial` is its centre.
        linear: a linear model of the support photos, where one is at hand.
    """

    bank: TaskVectorBank
    pixel_values: torch.Tensor
    preferences: Preferences
    initial: torch.Tensor
    population: Population | None = None
    linear: LinearModel | None = None

    @property
    def centre(self) -> np.ndarray:
        """`initial` as a vector, float64 (P,)."""
        layout, initial = self.bank.layout, self.initial.double().numpy().reshape(-1)
        return np.pad(initial, (0, layout.size - len(initial)))


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver found.

    Args:
        coefficients: float32 (L, K), or (P,) for a bank with head directions.
        loss: the training loss after each step.
        scores: of the support photos (n,), where the solver knows them.
    """

    coefficients: torch.Tensor
    loss: tuple[float, ...] = ()
    scores: np.ndarray | None = None


@runtime_checkable
class Solver(Protocol):
    """Fits coefficients to preferences; deterministic for one problem and one setting."""

    name: ClassVar[str]

    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON, to be saved with the personalization."""

    def solve(self, problem: Problem, progress: Progress | None = None) -> Solution:
        """Fit alpha; `progress` is called with `("fit", step, steps)`."""
