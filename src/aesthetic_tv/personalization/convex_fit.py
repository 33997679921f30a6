"""The convex problem behind the Newton solver, in as many unknowns as there are photos.

Where scores are linear in the coefficients, s = offset + J (alpha - alpha_0), the fit with a
Gaussian prior alpha ~ N(alpha_0, S) has its minimum at alpha - alpha_0 = S J^T a, so that
s = offset + G a with the Gram matrix G = J S J^T of (n, n), and only a (n,) is sought.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from aesthetic_tv.personalization.preferences import Preferences

# Prior precisions that are tried, least to most; G has mean diagonal 1, so they are without unit.
STRENGTHS = tuple(np.logspace(-5, 1, 13).tolist())
NEWTON_STEPS = 50
TOLERANCE = 1e-8


def pair_loss(scores: np.ndarray, preferences: Preferences) -> float:
    """Weighted mean of softplus(-(s_better - s_worse)) (paper eq. 3)."""
    return float(np.average(_pair_losses(scores, preferences), weights=preferences.weights))


def _pair_losses(scores: np.ndarray, preferences: Preferences) -> np.ndarray:
    return np.logaddexp(0.0, scores[preferences.worse] - scores[preferences.better])


def _derivatives(scores: np.ndarray, preferences: Preferences) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (n,) and Hessian (n, n) of `pair_loss` by the scores."""
    better, worse = preferences.better, preferences.worse
    share = preferences.weights / preferences.weights.sum()
    miss = expit(scores[worse] - scores[better])  # (P,) probability of the other order
    count = len(scores)
    gradient = np.bincount(worse, share * miss, count) - np.bincount(better, share * miss, count)
    curvature = share * miss * (1 - miss)
    hessian = np.diag(np.bincount(better, curvature, count) + np.bincount(worse, curvature, count))
    np.subtract.at(hessian, (better, worse), curvature)
    np.subtract.at(hessian, (worse, better), curvature)
    return gradient, hessian


def fit_dual(
    offset: np.ndarray, gram: np.ndarray, preferences: Preferences, strength: float
) -> np.ndarray:
    """Minimize pair_loss(offset + G a) + strength / 2 a^T G a by Newton's method.

    Args:
        offset: (n,) scores at the centre of the prior.
        gram: G (n, n), positive semi-definite.
        preferences: over the same n photos.
        strength: precision of the prior, above 0; it keeps separable preferences finite.

    Returns:
        a (n,).
    """
    dual = np.zeros_like(offset)
    identity = np.eye(len(offset))

    def objective(a: np.ndarray) -> float:
        moved = gram @ a
        return pair_loss(offset + moved, preferences) + 0.5 * strength * float(a @ moved)

    value = objective(dual)
    for _ in range(NEWTON_STEPS):
        gradient, hessian = _derivatives(offset + gram @ dual, preferences)
        residual = gradient + strength * dual
        step = np.linalg.solve(strength * identity + hessian @ gram, -residual)
        length = 1.0
        while (found := objective(dual + length * step)) > value and length > 1e-6:
            length /= 2
        if value - found <= TOLERANCE * abs(value):
            break
        dual, value = dual + length * step, found
    return dual


@dataclass(frozen=True)
class StrengthChoice:
    """What cross-validation says of each prior strength.

    Args:
        strength: the one chosen; infinity when no deviation from the centre is worth it.
        losses: held-out pair loss by strength, infinity (no deviation) included.
    """

    strength: float
    losses: dict[float, float]


def choose_strength(
    offset: np.ndarray,
    gram: np.ndarray,
    preferences: Preferences,
    *,
    folds: int = 5,
    seed: int = 0,
) -> StrengthChoice:
    """Cross-validate the prior strength on the support set; only n x n algebra.

    Each fold fits without the preferences of a share of the photos and is judged by the pairs that
    touch them. An infinite strength, no deviation at all, is one of the candidates.
    """
    count = len(offset)
    order = np.random.default_rng(seed).permutation(count)
    parts = np.array_split(order, min(count, folds if count >= 2 * folds else count))
    candidates = [*STRENGTHS, np.inf]
    losses = np.full((len(parts), len(candidates)), np.nan)
    for row, held_out in enumerate(parts):
        train = np.setdiff1d(np.arange(count), held_out)
        within = preferences.subset(train)
        touching = _touching(preferences, held_out)
        if within is None or touching is None:
            continue
        for column, strength in enumerate(candidates):
            scores = offset
            if np.isfinite(strength):
                dual = fit_dual(offset[train], gram[np.ix_(train, train)], within, strength)
                scores = offset + gram[:, train] @ dual
            losses[row, column] = pair_loss(scores, touching)
    judged = losses[~np.isnan(losses[:, 0])]
    if len(judged) < 2:
        return StrengthChoice(STRENGTHS[-1], {})
    means = judged.mean(0)
    chosen = candidates[int(means.argmin())]
    return StrengthChoice(chosen, dict(zip(candidates, means.tolist(), strict=True)))


def _touching(preferences: Preferences, photos: np.ndarray) -> Preferences | None:
    """The pairs in which at least one photo is among those named, over all n photos."""
    kept = np.isin(preferences.better, photos) | np.isin(preferences.worse, photos)
    if not kept.any():
        return None
    return Preferences(
        preferences.photos,
        preferences.better[kept],
        preferences.worse[kept],
        preferences.weights[kept],
        preferences.kind,
    )
