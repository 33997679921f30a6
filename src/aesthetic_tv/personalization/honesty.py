"""Is the personal scorer better than the generic one for this person? Cross-validated figures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aesthetic_tv.personalization.agreement import pair_accuracy, srocc, srocc_rows
from aesthetic_tv.personalization.preferences import Preferences

RESAMPLES = 1000
CONFIDENCE = 0.90

# Fit on the photos at these positions; scores of all n photos.
FitAndScore = Callable[[np.ndarray, Preferences], np.ndarray]


@dataclass(frozen=True)
class Figures:
    """What cross-validation on the support set says; photos are judged by models that never saw
    their preferences.

    Args:
        metric: `srocc` for ratings and rankings, `pair_accuracy` for pairs.
        personal, generic: the metric of the personal scores, and of the bank's generic score.
        difference: personal less generic.
        interval: 90 % bootstrap interval of the difference, photos resampled.
        num_photos, num_pairs: size of the support set.
    """

    metric: Literal["srocc", "pair_accuracy"]
    personal: float
    generic: float
    difference: float
    interval: tuple[float, float]
    num_photos: int
    num_pairs: int

    @property
    def verdict(self) -> str:
        """In a sentence, which of the two is better for this person."""
        low, high = self.interval
        shown = f"{self.personal:+.2f} against {self.generic:+.2f}"
        if self.metric == "pair_accuracy":
            shown = f"{self.personal:.0%} of pairs right against {self.generic:.0%}"
        if low > 0:
            return f"Personal is better than generic for you ({shown})."
        if high < 0:
            return f"Generic is better than personal for you ({shown}); rate more photos."
        return f"Personal is not shown to differ from generic for you yet ({shown}); rate more."


def cross_validate(
    preferences: Preferences,
    generic: np.ndarray,
    fit_and_score: FitAndScore,
    *,
    folds: int,
    seed: int,
) -> Figures | None:
    """Figures from `folds` fits, each without the preferences of a share of the photos.

    Each fold's scores are standardized over all n photos, so that folds can be pooled. Pairs are
    judged by the fold that holds out either of their photos.

    Args:
        preferences: over n photos.
        generic: (n,) the bank's generic score.
        fit_and_score: called once for each fold.
        folds: at most n are used.
        seed: of the folds.

    Returns:
        `None` with fewer than 4 photos or 2 folds, or when the training part of no fold has a pair.
    """
    count = len(preferences)
    if min(folds, count) < 2 or count < 4:
        return None
    order = np.random.default_rng(seed).permutation(count)
    held_out_scores = np.full((count, count), np.nan)  # row i: the model that held out photo i
    for held_out in np.array_split(order, min(folds, count)):
        train = np.setdiff1d(np.arange(count), held_out)
        part = preferences.subset(train)
        if part is not None:
            scores = fit_and_score(train, part)
            held_out_scores[held_out] = (scores - scores.mean()) / (scores.std() or 1.0)
    judged = np.flatnonzero(~np.isnan(held_out_scores[:, 0]))
    within = preferences.subset(judged)
    if within is None:
        return None
    pool = held_out_scores[np.ix_(judged, judged)]
    if preferences.ratings is not None:
        ratings = preferences.ratings[judged]
        return _srocc_figures(pool.diagonal(), generic[judged], ratings, within, seed)
    return _pair_figures(pool, generic[judged], within, seed)


def _srocc_figures(personal, generic, ratings, preferences: Preferences, seed: int) -> Figures:
    def difference(rows: np.ndarray) -> np.ndarray:
        rated = ratings[rows]
        return srocc_rows(personal[rows], rated) - srocc_rows(generic[rows], rated)

    count = len(preferences)
    return Figures(
        "srocc",
        srocc(personal, ratings),
        srocc(generic, ratings),
        float(difference(np.arange(count)[None])[0]),
        _interval(difference, count, seed),
        count,
        len(preferences.better),
    )


def _pair_figures(pool, generic, preferences: Preferences, seed: int) -> Figures:
    better, worse, weights = preferences.better, preferences.worse, preferences.weights
    by_better, by_worse = pool[better], pool[worse]  # (P, n): the models that held out either
    pairs = np.arange(len(better))
    gaps = np.stack([model[pairs, better] - model[pairs, worse] for model in (by_better, by_worse)])
    personal = ((gaps > 0) + 0.5 * (gaps == 0)).mean(axis=0)  # (P,)
    gap = generic[better] - generic[worse]
    plain = (gap > 0) + 0.5 * (gap == 0)

    def difference(rows: np.ndarray) -> np.ndarray:
        return np.average((personal - plain)[rows], weights=weights[rows], axis=1)

    return Figures(
        "pair_accuracy",
        float(np.average(personal, weights=weights)),
        pair_accuracy(generic, preferences),
        float(difference(pairs[None])[0]),
        _interval(difference, len(pairs), seed),
        len(preferences),
        len(pairs),
    )


def _interval(
    difference: Callable[[np.ndarray], np.ndarray], count: int, seed: int
) -> tuple[float, float]:
    """Percentile bootstrap interval of a difference over resampled rows, (RESAMPLES, count)."""
    random = np.random.default_rng(seed)
    draws = difference(np.stack([random.integers(count, size=count) for _ in range(RESAMPLES)]))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
