"""Is the personal scorer better than the generic one for this person? Cross-validated figures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import stdtrit  # of Student's t

from aesthetic_tv.personalization.agreement import srocc, srocc_rows
from aesthetic_tv.personalization.preferences import Preferences

RESAMPLES = 1000
CONFIDENCE = 0.90
# Choices that are added to those that were made, half of them right and half wrong, so that few
# that all agree are not taken for certainty (Agresti & Coull 1998).
TO_SHARE, TO_DIFFERENCE = 2, 1

# Fit on the photos at these positions; scores of all n photos.
FitAndScore = Callable[[np.ndarray, Preferences], np.ndarray]
Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Figures:
    """What cross-validation on the support set says; photos are judged by models that never saw
    their preferences.

    Args:
        metric: `srocc` for ratings and rankings, `pair_accuracy` where pairs were compared, which
            counts the pairs that ratings make too, each kind weighted by the
            independent choices that it is worth.
        personal, generic: the metric of the personal scores, and of the bank's generic score.
        difference: personal less generic.
        interval: 90 % interval of the difference, over photos.
        num_photos, num_pairs: size of the support set.
        personal_interval: 90 % interval of `personal`; `None` where an earlier version saved none.
    """

    metric: Literal["srocc", "pair_accuracy"]
    personal: float
    generic: float
    difference: float
    interval: Interval
    num_photos: int
    num_pairs: int
    personal_interval: Interval | None = None

    @property
    def chance(self) -> float:
        """The metric of scores that know nothing of the person."""
        return 0.0 if self.metric == "srocc" else 0.5

    @property
    def above_chance(self) -> bool:
        """Whether the personal scores are shown to know anything of the person; by themselves
        where there is no interval of them.
        """
        low = self.personal if self.personal_interval is None else self.personal_interval[0]
        return low > self.chance

    @property
    def outcome(self) -> Literal["better", "better, but not than chance", "worse", "unknown"]:
        """Of personal beside generic."""
        low, high = self.interval
        if low > 0:
            return "better" if self.above_chance else "better, but not than chance"
        return "worse" if high < 0 else "unknown"

    @property
    def verdict(self) -> str:
        """In a sentence, which of the two is better for this person."""
        shown = f"{self.personal:+.2f} against {self.generic:+.2f}"
        if self.metric == "pair_accuracy":
            shown = f"{self.personal:.0%} of pairs right against {self.generic:.0%}"
        return {
            "better": f"Personal is better than generic for you ({shown}).",
            "better, but not than chance": (
                f"Generic is worse than personal for you ({shown}), but personal is not shown to "
                "be better than chance yet; rate more."
            ),
            "worse": f"Generic is better than personal for you ({shown}); rate more photos.",
            "unknown": (
                f"Personal is not shown to differ from generic for you yet ({shown}); rate more."
            ),
        }[self.outcome]


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
    if within.ratings is not None and not within.compared:
        return _srocc_figures(pool.diagonal(), generic[judged], within, seed)
    return _pair_figures(pool, generic[judged], within)


def _srocc_figures(
    personal: np.ndarray, generic: np.ndarray, preferences: Preferences, seed: int
) -> Figures:
    """Photos that were compared alone stand in no pair here, and have no rating."""
    rated = preferences.rated
    assert preferences.ratings is not None
    personal, generic, ratings = personal[rated], generic[rated], preferences.ratings[rated]
    rows = np.random.default_rng(seed).integers(len(rated), size=(RESAMPLES, len(rated)))
    of_personal, of_generic = (
        srocc_rows(scores[rows], ratings[rows]) for scores in (personal, generic)
    )
    found = srocc(personal, ratings), srocc(generic, ratings)
    return Figures(
        "srocc",
        *found,
        found[0] - found[1],
        _percentiles(of_personal - of_generic),
        len(preferences),
        len(preferences.better),
        _percentiles(of_personal),
    )


def _pair_figures(pool: np.ndarray, generic: np.ndarray, preferences: Preferences) -> Figures:
    better, worse, weights = preferences.better, preferences.worse, preferences.weights
    by_better, by_worse = pool[better], pool[worse]  # (P, n): the models that held out either
    pairs = np.arange(len(better))
    gaps = np.stack([model[pairs, better] - model[pairs, worse] for model in (by_better, by_worse)])
    personal = ((gaps > 0) + 0.5 * (gaps == 0)).mean(axis=0)  # (P,)
    gap = generic[better] - generic[worse]
    plain = (gap > 0) + 0.5 * (gap == 0)
    right, wrong = (float(np.average(x, weights=weights)) for x in (personal, plain))
    return Figures(
        "pair_accuracy",
        right,
        wrong,
        right - wrong,
        mean_interval(personal - plain, preferences, (-1.0, 1.0), TO_DIFFERENCE),
        len(preferences),
        len(pairs),
        mean_interval(personal, preferences, (0.0, 1.0), TO_SHARE),
    )


def mean_interval(
    values: np.ndarray, preferences: Preferences, among: Interval, added: float
) -> Interval:
    """90 % interval of the weighted mean of what each pair says, over photos.

    Each photo is left out in turn with all its pairs (jackknife). That counts a pair once for
    either of its photos, so the variance by leaving out single pairs is taken off again, as in the
    variance of Aronow, Samii & Assenova (2015), "Cluster-robust variance estimation for dyadic
    data". Drawing photos and multiplying their counts comes to the same among all pairs of many
    photos, but to three times the variance among pairs that share none.

    Args:
        values: of the pairs (P,).
        preferences: their photos and weights.
        among: the lowest and highest value there can be.
        added: so many choices are added, which half say the one and half the other.
    """
    (low, high), better, worse = among, preferences.better, preferences.worse
    weights, weighted = preferences.weights, preferences.weights * values
    total, summed = weights.sum() + added, weighted.sum() + added * (low + high) / 2
    mean = float(summed / total)

    def of_photos(x: np.ndarray) -> np.ndarray:
        count = len(preferences)
        return np.bincount(better, x, count) + np.bincount(worse, x, count)

    photos = len(np.unique([better, worse]))
    without_photo = (summed - of_photos(weighted)) / (total - of_photos(weights)) - mean
    without_pair = (summed - weighted) / (total - weights) - mean
    alone = float(without_pair @ without_pair)
    variance = max(float(without_photo @ without_photo) * (photos - 1) / photos - alone, alone)
    variance += added * ((high - low) / 2) ** 2 / total**2
    half = float(stdtrit(photos - 1, (1 + CONFIDENCE) / 2)) * np.sqrt(variance)
    return max(low, float(mean - half)), min(high, float(mean + half))


def _percentiles(draws: np.ndarray) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
