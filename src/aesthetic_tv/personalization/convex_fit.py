"""The convex problem behind the Newton solver, in as many unknowns as there are photos.

Where scores are linear in the coefficients, s = offset + J (alpha - alpha_0), the fit with a
Gaussian prior alpha ~ N(alpha_0, S) has its minimum at alpha - alpha_0 = S J^T a, so that
s = offset + G a with the Gram matrix G = J S J^T of (n, n), and only a (n,) is sought.

The loss is a mean over pairs, which are not independent. Its weight against the prior is that of
`TOLD` independent choices for each photo: a rating on five levels tells about two bits, a choice
between two photos one.
"""

import numpy as np
from scipy.special import expit

from aesthetic_tv.personalization.preferences import Preferences

TOLD = 2.0
# Strengths c of the prior that are tried, most to least; no deviation at all is one of them, and
# counts as ATMOST. Before any rating, c is taken to be USUAL, give or take a factor of ten.
STRENGTHS = (np.inf, *np.logspace(1.5, -2.5, 9).tolist())
USUAL, ATMOST = 0.1, 100.0
NEWTON_STEPS = 50
TOLERANCE = 1e-8


def pair_loss(scores: np.ndarray, preferences: Preferences) -> float:
    """Weighted mean of softplus(-(s_better - s_worse)) (paper eq. 3)."""
    gaps = scores[preferences.worse] - scores[preferences.better]
    return float(np.average(np.logaddexp(0.0, gaps), weights=preferences.weights))


def pair_derivatives(scores: np.ndarray, preferences: Preferences) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (n,) and Hessian (n, n) of `pair_loss` by the scores."""
    better, worse = preferences.better, preferences.worse
    share = preferences.weights / preferences.weights.sum()
    miss = expit(scores[worse] - scores[better])  # (P,) probability of the other order
    count = len(scores)
    gradient = np.bincount(worse, share * miss, count) - np.bincount(better, share * miss, count)
    curvature = share * miss * (1 - miss)
    places = np.concatenate([better * count + worse, worse * count + better])
    between = np.bincount(places, np.tile(curvature, 2), count * count).reshape(count, count)
    return gradient, np.diag(between.sum(0)) - between


def fit_dual(
    offset: np.ndarray,
    gram: np.ndarray,
    preferences: Preferences,
    precision: float,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Minimize pair_loss(offset + G a) + precision / 2 a^T G a by Newton's method.

    Args:
        offset: (n,) scores at the centre of the prior.
        gram: G (n, n), positive semi-definite.
        preferences: over the same n photos.
        precision: lambda, above 0; it keeps separable preferences finite.
        start: a (n,) to start from.

    Returns:
        a (n,).
    """
    dual = np.zeros_like(offset) if start is None else start
    identity = np.eye(len(offset))

    def objective(a: np.ndarray) -> float:
        moved = gram @ a
        return pair_loss(offset + moved, preferences) + 0.5 * precision * float(a @ moved)

    value = objective(dual)
    for _ in range(NEWTON_STEPS):
        gradient, hessian = pair_derivatives(offset + gram @ dual, preferences)
        residual = gradient + precision * dual
        step = np.linalg.solve(precision * identity + hessian @ gram, -residual)
        length = 1.0
        while (found := objective(dual + length * step)) > value and length > 1e-6:
            length /= 2
        if value - found <= TOLERANCE * abs(value):
            break
        dual, value = dual + length * step, found
    return dual


def choose_strength(offset: np.ndarray, gram: np.ndarray, preferences: Preferences) -> float:
    """The strength c of the prior of the greatest evidence, by Laplace's approximation.

    The evidence weighs how well the ratings are fitted against how much of what the prior allows
    had to be ruled out for it. It uses all ratings, where cross-validation on 10 photos is noise.

    Returns:
        c; lambda is c / n. Infinity where no deviation from the centre is the most likely.
    """
    count, dual = len(offset), None
    best = (-np.inf, np.inf)
    for strength in STRENGTHS:
        evidence = -TOLD * count * pair_loss(offset, preferences)
        if np.isfinite(strength):
            dual = fit_dual(offset, gram, preferences, strength / count, dual)
            scores = offset + gram @ dual
            hessian = pair_derivatives(scores, preferences)[1]
            taken = strength / count * float(dual @ gram @ dual) / 2
            ruled_out = np.linalg.slogdet(np.eye(count) + count / strength * hessian @ gram)[1]
            evidence = -TOLD * count * (pair_loss(scores, preferences) + taken) - ruled_out / 2
        evidence -= np.log10(min(strength, ATMOST) / USUAL) ** 2 / 2
        best = max(best, (evidence, strength))
    return float(best[1])
