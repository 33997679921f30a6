"""The prior on alpha: a Gaussian around a centre, with a part for layers and a part for tasks."""

from dataclasses import dataclass

import numpy as np

from aesthetic_tv.task_vectors.population import Population

LEAST = 1e-300  # in place of 0, for photos whose scores no coefficient moves
# A coefficient strays by five task vectors or so at most: where vectors hardly move the scores of
# the support photos, the linear model would otherwise ask for hundreds.
WIDEST = 25.0


@dataclass(frozen=True, eq=False)
class CoefficientPrior:
    """alpha ~ N(centre, S): each layer's own deviation has variance `layer`, and what all layers of
    a task deviate in common has variance `task`.

    Args:
        centre: float64 (L, K).
        layer, task: variances of alpha, at least 0.
    """

    centre: np.ndarray
    layer: float
    task: float

    @classmethod
    def of_population(cls, population: Population) -> "CoefficientPrior":
        """The prior that a bank's population stands for."""
        centre = population.centre.double().numpy()
        return cls(centre, population.layer_variance, population.task_variance)

    @classmethod
    def scaled_to(
        cls, centre: np.ndarray, slopes: np.ndarray, task_share: float
    ) -> "CoefficientPrior":
        """Variances by which the scores of these photos would spread by 1 on average, as far as
        coefficients need no variance above `WIDEST` for it.

        Args:
            centre: (L, K).
            slopes: J (n, L, K).
            task_share: of that spread, in [0, 1]; the rest is the layers' own.
        """
        centred = slopes - slopes.mean(0)
        own = (centred**2).sum((1, 2)).mean()
        shared = (centred.sum(1) ** 2).sum(1).mean()
        layer = (1 - task_share) / max(own, LEAST)
        return cls(centre, min(layer, WIDEST), min(task_share / max(shared, LEAST), WIDEST))

    def spread(self, v: np.ndarray) -> np.ndarray:
        """S v for v (..., L, K)."""
        return self.layer * v + self.task * v.sum(-2, keepdims=True)

    def gram(self, slopes: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
        """J S J'^T (n, m), for J (n, L, K) and J' (m, L, K), which is J when not given."""
        others = slopes if others is None else others
        size = slopes.shape[1] * slopes.shape[2]
        own = slopes.reshape(-1, size) @ others.reshape(-1, size).T
        return self.layer * own + self.task * slopes.sum(1) @ others.sum(1).T

    def penalty(self, deviation: np.ndarray) -> float:
        """deviation^T S^-1 deviation, by Sherman and Morrison; without the layers' own part, only
        what they have in common can deviate.
        """
        if self.layer == 0:
            return float((deviation.mean(0) ** 2).sum() / self.task)
        layers = len(deviation)
        shrink = self.task / (self.layer + layers * self.task)
        total = (deviation**2).sum() - shrink * (deviation.sum(0) ** 2).sum()
        return float(total / self.layer)
