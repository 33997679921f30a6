"""The convex problem behind the Newton solver, in as many unknowns as there are photos.

Where scores are linear in the coefficients, s = offset + J (alpha - alpha_0), the fit with a
Gaussian prior alpha ~ N(alpha_0, S) has its minimum at alpha - alpha_0 = S J^T a, so that
s = offset + G a with the Gram matrix G = J S J^T of (n, n), and only a (n,) is sought.

Ratings are taken for scores with normal noise, on the person's own level and spread; choices
between two photos for what they are (Bradley-Terry). The loss is a mean, and its weight against the
prior is that of `Preferences.choices` independent choices: about `CHOICES_PER_RATING` for each
rating, and one for each choice.
"""

import numpy as np
from scipy.special import expit

from aesthetic_tv.personalization.preferences import CHOICES_PER_RATING, RATING_NOISE, Preferences

# Strengths c of the prior that are tried, most to least; no deviation at all is one of them, and
# counts as ATMOST. Before any rating, c is taken to be USUAL, give or take a factor of ten.
STRENGTHS = (np.inf, *np.logspace(1.5, -2.5, 9).tolist())
USUAL, ATMOST = 0.1, 100.0
# Variance of a person's ratings around the best scores, before any is seen; worth as many ratings.
LIKELY_NOISE, LIKELY_COUNT = 1.0, 4.0
NEWTON_STEPS = 50
TOLERANCE = 1e-8


def preference_loss(scores: np.ndarray, preferences: Preferences) -> float:
    """What scores (n,) fail to explain, for each independent choice: of ratings, squared distances
    to where they would be without noise, up to a common level; of pairs, `pair_loss`; of both,
    their sum, each weighted by the independent choices that it is worth.
    """
    missed = _missed(scores, preferences)
    if missed is None:
        return pair_loss(scores, preferences)
    total, chosen = float(missed @ missed) / (2 * RATING_NOISE), preferences.choices_alone
    if chosen.compared:
        total += chosen.choices * pair_loss(scores, chosen)
    return total / preferences.choices


def preference_derivatives(
    scores: np.ndarray, preferences: Preferences
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (n,) and Hessian (n, n) of `preference_loss` by the scores."""
    missed = _missed(scores, preferences)
    if missed is None:
        return pair_derivatives(scores, preferences)
    count, rows, rated = len(scores), preferences.rated, len(missed)
    gradient, hessian = np.zeros(count), np.zeros((count, count))
    gradient[rows] = -missed / RATING_NOISE
    hessian[np.ix_(rows, rows)] = (np.eye(rated) - 1 / rated) / RATING_NOISE
    if (chosen := preferences.choices_alone).compared:
        slope, curvature = pair_derivatives(scores, chosen)
        gradient += chosen.choices * slope
        hessian += chosen.choices * curvature
    return gradient / preferences.choices, hessian / preferences.choices


def _missed(scores: np.ndarray, preferences: Preferences) -> np.ndarray | None:
    """Targets less scores of the rated photos, of mean 0; `None` where there are no targets."""
    targets = preferences.targets
    if targets is None:
        return None
    missed = targets - scores[preferences.rated]
    return missed - missed.mean()


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
    """Minimize preference_loss(offset + G a) + precision / 2 a^T G a by Newton's method.

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
        return preference_loss(offset + moved, preferences) + 0.5 * precision * float(a @ moved)

    value = objective(dual)
    for _ in range(NEWTON_STEPS):
        gradient, hessian = preference_derivatives(offset + gram @ dual, preferences)
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
        c; lambda is c / n, or somewhat more where ratings are equal. Infinity where no deviation
        from the centre is the most likely.
    """
    evidence = -(np.log10(np.minimum(STRENGTHS, ATMOST) / USUAL) ** 2) / 2
    targets, rows = preferences.targets, preferences.rated
    if targets is None:
        evidence += _evidence_of_choices(offset, gram, preferences)
    else:
        unexplained, ruled_out = _of_ratings(targets - offset[rows], gram[np.ix_(rows, rows)])
        noise, free = LIKELY_COUNT * LIKELY_NOISE + unexplained, len(rows) - 1 + LIKELY_COUNT
        evidence -= (free * np.log(noise) + ruled_out) / 2
        if preferences.compared:  # the evidence of the choices, given the ratings
            evidence += _evidence_of_choices(offset, gram, preferences)
            evidence += (unexplained / RATING_NOISE + ruled_out) / 2
    return max(zip(evidence.tolist(), STRENGTHS, strict=True))[1]


def _evidence_of_choices(
    offset: np.ndarray, gram: np.ndarray, preferences: Preferences
) -> np.ndarray:
    """Of each of `STRENGTHS`, by Laplace's approximation, with ratings of the usual noise."""
    count, choices, dual = len(offset), preferences.choices, None
    found = list[float]()
    for strength in STRENGTHS:
        evidence = -choices * preference_loss(offset, preferences)
        if np.isfinite(strength):
            precision = CHOICES_PER_RATING * strength / choices
            dual = fit_dual(offset, gram, preferences, precision, dual)
            scores = offset + gram @ dual
            hessian = preference_derivatives(scores, preferences)[1]
            taken = precision * float(dual @ gram @ dual) / 2
            ruled_out = np.linalg.slogdet(np.eye(count) + hessian @ gram / precision)[1]
            evidence = -choices * (preference_loss(scores, preferences) + taken) - ruled_out / 2
        found.append(evidence)
    return np.array(found)


def _of_ratings(missed: np.ndarray, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left unexplained at each of `STRENGTHS`, and what is ruled out for the rest.

    Ratings have normal noise, whose size is in neither.

    Args:
        missed: ratings less scores at the centre (n,).
        gram: G (n, n).
    """
    level = np.eye(len(missed)) - 1 / len(missed)
    values, vectors = np.linalg.eigh(level @ gram @ level)
    turned = (vectors.T @ (missed - missed.mean())) ** 2
    spread = 1 + values.clip(0) / (RATING_NOISE * CHOICES_PER_RATING * np.array(STRENGTHS)[:, None])
    return (turned / spread).sum(1), np.log(spread).sum(1)
