"""How well scores serve one person, and how sure a mean over people is.

Every agreement is higher for better and defined for any finite input: a constant says nothing, so
its correlation is 0 and its pair accuracy a half, never NaN. The same measures as metrics of
Hugging Face's `evaluate`: `aesthetic_tv.evaluation.evaluate_metrics`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization import agreement
from aesthetic_tv.personalization.agreement import srocc
from aesthetic_tv.personalization.preferences import Preferences

METRICS = ("srocc", "plcc", "kendall", "pair_accuracy", "top_k_precision", "calibration_error")
CULLED = 0.25  # share of the photos that a culling keeps
BLOCK = 1 << 21  # counts of resampled people held at once, 16 MB

__all__ = [
    "METRICS",
    "bootstrap_interval",
    "calibration_error",
    "kendall",
    "measure",
    "pair_accuracy",
    "plcc",
    "srocc",
    "top_k_precision",
]


def measure(
    scores: Sequence[float] | np.ndarray,
    ratings: Sequence[float] | np.ndarray,
    *,
    scale: tuple[float, float] | None = None,
) -> dict[str, float]:
    """All of `METRICS` for one person.

    Args:
        scores: (n,) predicted, n at least 2.
        ratings: (n,) the person's own, higher is better.
        scale: lowest and highest rating, where the scores are meant to be on it; without it the
            calibration error is NaN.

    Raises:
        SettingError: other shapes, values that are not finite, or a scale without width.
    """
    scored, truth = checked(scores, ratings)
    return {
        "srocc": srocc(scored, truth),
        "plcc": plcc(scored, truth),
        "kendall": kendall(scored, truth),
        "pair_accuracy": pair_accuracy(scored, truth),
        "top_k_precision": top_k_precision(scored, truth),
        "calibration_error": np.nan if scale is None else calibration_error(scored, truth, scale),
    }


def checked(scores: Any, ratings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 (n,), n at least 2, all finite.

    Raises:
        SettingError: they are not.
    """
    scored, truth = (np.asarray(values, dtype=np.float64) for values in (scores, ratings))
    if scored.ndim != 1 or scored.shape != truth.shape or len(scored) < 2:
        raise SettingError(
            f"an agreement needs a score and a rating of each of 2 or more photos; found scores of "
            f"shape {scored.shape} and ratings of shape {truth.shape}."
        )
    if not (np.isfinite(scored).all() and np.isfinite(truth).all()):
        raise SettingError(
            f"scores and ratings must be finite; found {int((~np.isfinite(scored)).sum())} scores "
            f"and {int((~np.isfinite(truth)).sum())} ratings that are not."
        )
    return scored, truth


def plcc(scores: np.ndarray, ratings: np.ndarray) -> float:
    """Pearson's correlation in [-1, 1]; 0 when either is constant, both (n,)."""
    # Constant up to rounding, as a network's scores of a blank album are, counts as constant.
    spreads = [np.ptp(values) / max(1.0, np.abs(values).max()) for values in (scores, ratings)]
    if min(spreads) < 1e-12:
        return 0.0
    return float(np.clip(np.corrcoef(scores, ratings)[0, 1], -1, 1))


def kendall(scores: np.ndarray, ratings: np.ndarray) -> float:
    """Kendall's tau-b in [-1, 1], corrected for ties; 0 when either is constant, both (n,)."""
    if np.ptp(scores) == 0 or np.ptp(ratings) == 0:
        return 0.0
    return float(stats.kendalltau(scores, ratings).statistic)


def pair_accuracy(scores: np.ndarray, ratings: np.ndarray) -> float:
    """Share of the pairs of unequal ratings that the scores order rightly, in [0, 1].

    Equal ratings carry nothing, equal scores count half; a half when all ratings are equal. Both
    (n,).
    """
    if np.ptp(ratings) == 0:
        return 0.5
    preferences = Preferences.from_ratings(dict(enumerate(ratings)))
    return agreement.pair_accuracy(scores, preferences)


def top_k_precision(scores: np.ndarray, ratings: np.ndarray, *, share: float = CULLED) -> float:
    """Share of the k photos with the highest scores that are among the truly best k, in [0, 1].

    k is `share` of the photos, rounded, at least 1. A photo rated as high as the k-th best is among
    the truly best, since it is as good a pick: a perfect order has precision 1 on any scale. Of
    scores that tie at the border each is picked with equal chance; the expected precision is given.

    Raises:
        SettingError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise SettingError(f"the share to keep is {share}; expected above 0, up to 1.")
    k = max(1, round(share * len(scores)))
    border = np.partition(scores, -k)[-k]
    above, tied = scores > border, scores == border
    good = ratings >= np.partition(ratings, -k)[-k]
    chance = (tied & good).sum() * (k - above.sum()) / tied.sum()
    return float(((above & good).sum() + chance) / k)


def calibration_error(scores: np.ndarray, ratings: np.ndarray, scale: tuple[float, float]) -> float:
    """Mean distance of predicted and true ratings as a share of the scale's width, lower is better.

    0.25 on a scale of 1 to 5 is one star. Shares, so that people with different scales compare.

    Raises:
        SettingError: a scale without width.
    """
    low, high = scale
    if not low < high:
        raise SettingError(f"the scale goes from {low} to {high}; expected a width above 0.")
    return float(np.abs(scores - ratings).mean() / (high - low))


def bootstrap_interval(
    values: Sequence[float] | np.ndarray, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over people.

    Args:
        values: (n,) one a person, finite. Of one person, the interval is that value; of none, NaN.
        level: share of the resampled means inside.
        draws: how often the people are drawn again, with replacement.
        seed: of these draws; the same values and seed give the same interval.

    Raises:
        SettingError: values that are not finite (n,), or a level or number of draws out of range.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise SettingError("a bootstrap needs one finite value a person, shape (n,).")
    if not 0 < level < 1 or draws < 1:
        raise SettingError(f"level is {level} and draws {draws}; expected within 0 to 1, and 1 up.")
    if len(numbers) == 0:
        return np.nan, np.nan
    rows = max(1, BLOCK // len(numbers))
    means = [
        _resampled(len(numbers), min(rows, draws - start), seed, start) @ numbers / len(numbers)
        for start in range(0, draws, rows)
    ]
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=4)  # the same for every method of a run
def _resampled(people: int, draws: int, seed: int, start: int) -> np.ndarray:
    """(draws, people) how often each is drawn, when as many are drawn with replacement."""
    random = np.random.default_rng([seed, start])
    drawn = random.integers(people, size=(draws, people)) + people * np.arange(draws)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=draws * people)
    return counts.reshape(draws, people).astype(np.float64)
