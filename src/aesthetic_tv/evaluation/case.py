"""What a method may know of one person, and what it answers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from aesthetic_tv.evaluation.photo_pool import PhotoPool
from aesthetic_tv.evaluation.splits import Split
from aesthetic_tv.personalization import Preferences, Problem
from aesthetic_tv.personalization.solver import Initialization, initial_coefficients


@dataclass(frozen=True, eq=False)
class Case:
    """One person, one draw: the ratings of the support set, and photos to rank.

    Args:
        pool: all photos.
        split: positions of support (n,) and query (m,).
        ratings: of the support set (n,); those of the query set are nobody's business here.
        scale: lowest and highest rating there can be.
        others: mean of other people's ratings of all photos (N,); for the oracle alone.
        seed: of methods that draw.
    """

    pool: PhotoPool
    split: Split
    ratings: np.ndarray
    scale: tuple[float, float]
    others: np.ndarray
    seed: int

    @cached_property
    def preferences(self) -> Preferences:
        """Of the support set."""
        rated = dict(zip(range(len(self.ratings)), self.ratings.tolist(), strict=True))
        return Preferences.from_ratings(rated, scale=self.scale)

    @cached_property
    def support_pixels(self) -> torch.Tensor:
        """(n, 3, H, W)."""
        return self.pool.pixels(self.split.support)

    @cached_property
    def query_pixels(self) -> torch.Tensor:
        """(m, 3, H, W)."""
        return self.pool.pixels(self.split.query)

    def initial(self, initialization: Initialization) -> torch.Tensor:
        """alpha (L, K) before any of it is learned."""
        bank = self.pool.bank
        known = self.pool.task_scores[self.split.support]
        return initial_coefficients(
            initialization, known, self.preferences, len(bank.layers), population=bank.population
        )

    def problem(self, initialization: Initialization | None = None) -> Problem:
        """The fit that a solver is given; its prior is the population's where it starts there."""
        return Problem.starting(
            self.pool.bank,
            self.support_pixels,
            self.preferences,
            self.pool.task_scores[self.split.support],
            initialization,
            linear=self.pool.linear.subset(self.split.support),
        )


@dataclass(frozen=True, eq=False)
class Answer:
    """What a method makes of a case.

    Args:
        support: scores of the support set (n,), to calibrate by.
        query: scores of the query set (m,).
        coefficients: (L, K), or (P,) for a bank with head directions, where it has any.
    """

    support: np.ndarray
    query: np.ndarray
    coefficients: np.ndarray | None = None

    @classmethod
    def of_all(cls, scores: np.ndarray, split: Split) -> "Answer":
        """From scores of all photos (N,)."""
        return cls(scores[split.support], scores[split.query])
