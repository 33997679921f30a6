"""What people have in common and what they differ in, along the head directions of a bank.

A person's rating of a photo, on a standard scale, is taken for
    common taste + this photo's own + this person's own taste + noise,
where both tastes are linear in the slopes of the coefficients. The common taste is a ridge
regression of the photos' mean ratings. The covariance of people's own tastes is learned by
empirical Bayes from what each says beyond the others (EM, Dempster, Laird & Rubin 1977, for random
coefficients): a photo that everybody likes for reasons that no slope explains would otherwise pass
for a taste that all have. A newcomer's prior is the sum of what is unsure of the common taste and
of how people stray from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.personalization.agreement import srocc
from aesthetic_tv.personalization.preferences import CHOICES_PER_RATING, standardized
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.task_vectors.layout import Layout

Ratings: TypeAlias = Mapping[Any, tuple[np.ndarray, np.ndarray]]

# Variances on a person's standard scale, as they were found for photographs: of a person's ratings
# around the common taste, and of a photo's mean around what slopes can explain of it.
NOISE, PHOTO = 0.85, 0.2
COMMON = 0.65  # standard deviation of the common taste
# The logistic choice between two photos is steep as a normal one with this many deviations.
PROBIT = 1.7
LEADING = 60  # head directions in which people may differ
# Share by which covariances are drawn to 0 in each step: people mostly rate the same few photos.
DIAGONAL = 0.85
ROUNDS = 30
REPEATS = 4  # of the cross-validation
RANK = 64  # of the factor that is kept
PENALTIES = tuple(np.logspace(-1.5, 1.5, 9).tolist())
DIRECTION_SHARES = (1.0, 0.9, 0.5, 0.0)  # of the spread of the common taste, that are tried
EQUAL = 0.005  # rank correlations that differ by less say the same


@dataclass(frozen=True, eq=False)
class CommonTaste:
    """A ridge regression of mean ratings.

    Args:
        coefficients: of the common taste, on a person's standard scale (P,).
        prior: S of the regression, of which the coefficients are a draw.
        scale: variance of the coefficients in units of the prior's.
        precision: (n, n), of the mean ratings of n photos, whose level is unknown: the
            covariance of the coefficients is scale (S - S J^T precision J S).
        slopes: J of these photos, less their mean (n, P).
    """

    coefficients: np.ndarray
    prior: CoefficientPrior
    scale: float
    precision: np.ndarray
    slopes: np.ndarray

    def unsure(self, layout: Layout) -> np.ndarray:
        """Covariance of what is not known of head directions, (R, R)."""
        along = self.prior.direction * self.slopes[:, layout.weights :]
        whole = self.prior.direction * np.eye(layout.directions)
        return self.scale * (whole - along.T @ self.precision @ along)


def common_taste(
    slopes: np.ndarray,
    layout: Layout,
    means: np.ndarray,
    counts: np.ndarray,
    groups: np.ndarray,
) -> CommonTaste:
    """The ridge regression that foretells photos of held-out groups best; of equals the one that
    leans most on head directions.

    Args:
        slopes: J (n, P), at coefficients 0.
        layout: of the P coefficients.
        means: mean standardized ratings (n,).
        counts: how many people rated each photo (n,); infinity where that is not known.
        groups: (n,) photos that are held out together.
    """
    centred, nothing = slopes - slopes.mean(0), np.zeros(layout.size)
    noise = PHOTO + NOISE / counts
    folds = folds_of_groups(groups)
    best, highest = None, -np.inf
    for share in DIRECTION_SHARES if layout.directions else (0.0,):
        prior = CoefficientPrior.scaled_to(nothing, layout, centred, 0.5, share)
        gram = prior.gram(centred)
        if not gram.trace() > 0:  # nothing of it moves any score
            continue
        for penalty in PENALTIES[::-1]:
            unexplained = penalty * gram.trace() / len(gram) * noise / noise.mean()
            foretold = np.zeros((REPEATS, len(means)))
            agreement = list[float]()
            for number, out in folds:
                known = ~out
                dual, _, level = _dual(gram[np.ix_(known, known)], unexplained[known], means[known])
                foretold[number, out] = level + gram[np.ix_(out, known)] @ dual
                agreement.append(srocc(foretold[number, out], means[out]))
            found = float(np.mean(agreement)) if agreement else 0.0
            if found > highest + EQUAL * (best is None or share != best[0]):
                best, highest = (share, prior, gram, unexplained, foretold), found
    if best is None:
        raise PreferenceError("No coefficient moves the scores of these photos; give others.")
    _, prior, gram, unexplained, foretold = best
    dual, precision, _ = _dual(gram, unexplained, means)
    # What is foretold of unseen photos is as far spread as it is right to.
    weights = 1 / noise
    around = foretold - np.average(foretold, axis=1, weights=weights)[:, None]
    spread = float((around**2 @ weights).sum())
    right = float((around * means @ weights).sum()) / spread if spread > 0 else 1.0
    coefficients = prior.spread(dual @ centred) * max(right, 0.1)
    scale = float(np.mean(noise / unexplained))
    return CommonTaste(coefficients, prior, scale, precision, centred)


def _dual(
    gram: np.ndarray, noise: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """a with scores = level + G a, for G (n, n), noise and y (n,); the precision (n, n); level."""
    inverse = np.linalg.inv(gram + np.diag(noise))
    one = inverse.sum(1)
    # The level is unknown: what all photos have in common is projected out.
    precision = inverse - np.outer(one, one) / one.sum()
    return precision @ y, precision, float(one @ y / one.sum())


def folds_of_groups(groups: np.ndarray, count: int = 5) -> list[tuple[int, np.ndarray]]:
    """Photos that are held out together, by turns (n,): a fifth of the groups each time, all of
    them `REPEATS` times over, with the number of the time.
    """
    number = np.unique(groups, return_inverse=True)[1]
    folds = list[tuple[int, np.ndarray]]()
    for repeat in range(REPEATS):
        drawn = np.random.default_rng([len(groups), repeat]).permutation(number.max() + 1) % count
        masks = (drawn[number] == fold for fold in range(count))
        folds += [(repeat, mask) for mask in masks if 0 < mask.sum() < len(mask)]
    return folds


def covariance_of_people(
    features: np.ndarray, people: Ratings, means: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, float]:
    """Covariance of people's own tastes, and the variance of a rating around them.

    Args:
        features: (N, q) of the photos.
        people: of each, positions of the rated photos, and the ratings.
        means, counts: mean standardized ratings (N,), and of how many people (N,).

    Returns:
        (q, q), on a person's standard scale; and the noise.
    """
    size, spread = features.shape[1], features.std(0).clip(1e-12)
    scale = scale_of(people)
    moments = list[tuple[np.ndarray, np.ndarray, float, int]]()
    for rows, ratings in people.values():
        own = standardized(ratings, scale)
        others = counts[rows] - 1
        # the others' mean; where nobody else rated a photo, nothing is known of it
        rest = np.where(others > 0, (means[rows] * counts[rows] - own) / others.clip(1), 0.0)
        kept = others > 0
        if kept.sum() < 2:
            continue
        x = features[rows[kept]] / spread
        x, y = x - x.mean(0), own[kept] - rest[kept]
        y = y - y.mean()
        moments.append((x.T @ x, x.T @ y, float(y @ y), len(y) - 1))
    # leading directions first: what photos differ in most, people may differ in most
    covariance = np.diag(0.02 * spread**2 / np.mean(spread**2))
    noise = NOISE
    for _ in range(ROUNDS if moments else 0):
        precision, total = np.linalg.inv(covariance + 1e-9 * np.eye(size)), np.zeros((size, size))
        left, count = 0.0, 0
        for gram, along, square, free in moments:
            unsure = np.linalg.inv(precision + gram / noise)
            mean = unsure @ along / noise
            total += unsure + np.outer(mean, mean)
            left += square - 2 * along @ mean + mean @ gram @ mean + np.vdot(gram, unsure)
            count += free
        covariance = total / len(moments)
        covariance = DIAGONAL * np.diag(covariance.diagonal()) + (1 - DIAGONAL) * covariance
        noise = max(left / count, 1e-3)
    return covariance / np.outer(spread, spread), noise


def steepness(noise: float) -> float:
    """Of choices between two photos by their scores on a person's standard scale, where ratings
    have this variance.
    """
    return PROBIT / np.sqrt(2 * noise)


def factor_of(covariance: np.ndarray, noise: float, spreads: np.ndarray) -> np.ndarray:
    """B (q, r) with B B^T nearly the covariance (q, q), in the units of a population: steep as
    choices are, and so that n ratings weigh n against it.

    Args:
        covariance: on a person's standard scale.
        noise: variance of a rating around it.
        spreads: (q,) standard deviations of the features; what moves scores least is left out.
    """
    seen = spreads.clip(1e-12)
    values, vectors = np.linalg.eigh(covariance * np.outer(seen, seen))
    kept = slice(max(0, len(values) - RANK), None)
    factor = vectors[:, kept] * np.sqrt(values[kept].clip(0)) / seen[:, None]
    return steepness(noise) * np.sqrt(CHOICES_PER_RATING) * factor[:, ::-1]


def newcomers_prior(
    taste: CommonTaste,
    slopes: np.ndarray,
    layout: Layout,
    people: Ratings,
    means: np.ndarray,
    counts: np.ndarray,
) -> CoefficientPrior:
    """Around the common taste: what is unsure of it, and how people stray from it.

    Args:
        taste: what people have in common.
        slopes: J (N, P), near its coefficients.
        layout: of the P coefficients.
        people, means, counts: as for `covariance_of_people`.
    """
    common = layout.in_common(slopes)
    first, last = layout.tasks, layout.tasks + min(LEADING, layout.directions)
    own, noise = covariance_of_people(common[:, first:last], people, means, counts)
    noise += PHOTO
    covariance = np.zeros((layout.tasks + layout.directions,) * 2)
    covariance[first:last, first:last] = own
    covariance[first:, first:] += taste.unsure(layout)
    factor = factor_of(covariance, noise, common.std(0)).astype(np.float16).astype(np.float64)
    point = steepness(noise) * taste.coefficients
    return CoefficientPrior(point, layout, 0.0, 0.0, 0.0, factor)


def among(rows: np.ndarray, people: Ratings) -> dict[Any, tuple[np.ndarray, np.ndarray]]:
    """People's ratings of some of the photos, by their places among these; of those who rated any.

    Args:
        rows: positions of the photos (m,), ascending.
    """
    found = {}
    for name, (photos, ratings) in people.items():
        kept = np.isin(photos, rows)
        if kept.any():
            found[name] = (np.searchsorted(rows, photos[kept]), ratings[kept])
    return found


def scale_of(people: Ratings) -> tuple[float, float]:
    """Lowest and highest rating that anybody gave."""
    given = [ratings for _, ratings in people.values()] or [np.zeros(1)]
    return float(min(map(np.min, given))), float(max(map(np.max, given)))


def means_of(count: int, people: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """Mean standardized ratings of each photo (count,), NaN where nobody rated it; by how many."""
    total, raters, scale = np.zeros(count), np.zeros(count), scale_of(people)
    for rows, ratings in people.values():
        total[rows] += standardized(ratings, scale)
        raters[rows] += 1
    return np.divide(total, raters, out=np.full(count, np.nan), where=raters > 0), raters


def those_who_differ(people: Ratings) -> dict[Any, tuple[np.ndarray, np.ndarray]]:
    """People who rated at least two photos, and not all alike."""
    return {name: x for name, x in people.items() if len(x[1]) > 1 and np.ptp(x[1]) > 0}
