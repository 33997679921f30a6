"""Scores as a linear function of the coefficients, which they nearly are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from aesthetic_tv.personalization.convex_fit import choose_strength, fit_dual
from aesthetic_tv.personalization.jacobian import jacobian
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.task_vectors import TaskVectorBank


@dataclass(frozen=True, eq=False)
class LinearModel:
    """s(alpha) = scores + J (alpha - point), for n photos.

    Args:
        point: the coefficients of the linearization (L, K).
        scores: there (n,).
        slopes: J (n, L, K).
    """

    point: np.ndarray
    scores: np.ndarray
    slopes: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, alpha: np.ndarray) -> np.ndarray:
        """Scores (n,) at coefficients (L, K)."""
        return self.scores + np.tensordot(self.slopes, alpha - self.point, 2)

    def task_scores(self) -> np.ndarray:
        """Scores of each single task model, alpha_k = 1 and the others 0: (n, K)."""
        nothing = self.scores - np.tensordot(self.slopes, self.point, 2)
        return nothing[:, None] + self.slopes.sum(1)

    def subset(self, rows: Sequence[int] | np.ndarray) -> "LinearModel":
        """The same of some of the photos."""
        return LinearModel(self.point, self.scores[rows], self.slopes[rows])


def linearize(
    bank: TaskVectorBank, pixel_values: torch.Tensor, point: np.ndarray, dtype: torch.dtype
) -> LinearModel:
    """The linear model of photos (n, 3, H, W) around a point, by one pass there and back."""
    point = np.asarray(point, dtype=np.float64)
    scores, slopes = jacobian(bank.merge(point), pixel_values, bank.stacked, dtype=dtype)
    return LinearModel(point, scores.double().cpu().numpy(), slopes.double().cpu().numpy())


def fit_linear(
    model: LinearModel, prior: CoefficientPrior, preferences: Preferences, strength: float | None
) -> tuple[np.ndarray, float]:
    """The coefficients of the least regularized loss within the linear model.

    Args:
        model: of the n photos.
        prior: on alpha.
        preferences: over the same photos.
        strength: c: the prior weighs c against the n of the ratings; `None` chooses it by evidence.

    Returns:
        alpha (L, K), which is the centre of the prior where nothing speaks for another, and c.
    """
    offset, gram = model.at(prior.centre), prior.gram(model.slopes)
    if strength is None:
        strength = choose_strength(offset, gram, preferences)
    if not np.isfinite(strength):
        return prior.centre, strength
    dual = fit_dual(offset, gram, preferences, strength / len(model))
    return prior.centre + prior.spread(np.tensordot(dual, model.slopes, 1)), strength
