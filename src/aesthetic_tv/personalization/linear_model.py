"""Scores as a linear function of the coefficients, which they nearly are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from aesthetic_tv.personalization.convex_fit import choose_strength, fit_dual
from aesthetic_tv.personalization.jacobian import coefficient_slopes
from aesthetic_tv.personalization.preferences import CHOICES_PER_RATING, Preferences
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.task_vectors import TaskVectorBank
from aesthetic_tv.task_vectors.layout import Layout


@dataclass(frozen=True, eq=False)
class LinearModel:
    """s(alpha) = scores + J (alpha - point), for n photos, with all P coefficients in one vector.

    Args:
        point: the coefficients of the linearization (P,).
        scores: there (n,).
        slopes: J (n, P).
        layout: of the coefficients.
    """

    point: np.ndarray
    scores: np.ndarray
    slopes: np.ndarray
    layout: Layout

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, alpha: np.ndarray) -> np.ndarray:
        """Scores (n,) at coefficients (P,)."""
        return self.scores + self.slopes @ (alpha - self.point)

    def task_scores(self) -> np.ndarray:
        """Scores of each single task model, alpha_k = 1 and the others 0: (n, K)."""
        nothing = self.scores - self.slopes @ self.point
        return nothing[:, None] + self.layout.in_common(self.slopes)[:, : self.layout.tasks]

    def subset(self, rows: Sequence[int] | np.ndarray) -> "LinearModel":
        """The same of some of the photos."""
        return LinearModel(self.point, self.scores[rows], self.slopes[rows], self.layout)


def linearize(
    bank: TaskVectorBank, pixel_values: torch.Tensor, point: np.ndarray, dtype: torch.dtype
) -> LinearModel:
    """The linear model of photos (n, 3, H, W) around a point (P,), by one pass there and back."""
    point = np.asarray(point, dtype=np.float64).reshape(-1)
    scores, slopes = coefficient_slopes(bank, bank.merge(point), pixel_values, dtype=dtype)
    return LinearModel(
        point, scores.double().cpu().numpy(), slopes.double().cpu().numpy(), bank.layout
    )


@dataclass(frozen=True, eq=False)
class LinearFit:
    """What the linear model says.

    Args:
        coefficients: float64 (P,).
        prior: what was known of them before.
        strength: of the prior against the n of the ratings; infinity: nothing speaks for other
            coefficients than its centre.
        pull: v (P,) with coefficients = centre + S v.
    """

    coefficients: np.ndarray
    prior: CoefficientPrior
    strength: float
    pull: np.ndarray


def fit_linear(
    model: LinearModel, prior: CoefficientPrior, preferences: Preferences, strength: float | None
) -> LinearFit:
    """The coefficients of the least regularized loss within the linear model.

    Args:
        model: of the n photos.
        prior: on the coefficients.
        preferences: over the same photos.
        strength: c: the prior weighs c against the n of the ratings; `None` chooses it by evidence.

    Returns:
        The fit; the centre of the prior where nothing speaks for other coefficients.
    """
    offset, gram = model.at(prior.centre), prior.gram(model.slopes)
    if strength is None:
        strength = choose_strength(offset, gram, preferences)
    if not np.isfinite(strength):
        return LinearFit(prior.centre, prior, strength, np.zeros_like(prior.centre))
    dual = fit_dual(offset, gram, preferences, CHOICES_PER_RATING * strength / preferences.choices)
    pull = dual @ model.slopes
    return LinearFit(prior.centre + prior.spread(pull), prior, strength, pull)
