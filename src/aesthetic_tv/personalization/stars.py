"""From scores to stars."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from aesthetic_tv.errors import SettingError

LOWEST, HIGHEST = 1, 5
USUAL_SHARES = (10.0, 20.0, 40.0, 20.0, 10.0)  # percent with one star, with two and so on


def stars_by_shares(scores: np.ndarray, shares: Sequence[float] = USUAL_SHARES) -> np.ndarray:
    """Give each number of stars to a share of the photos, the best ones the most.

    Photos of one score get the same stars; but for these each share holds to within one photo.

    Args:
        scores: (n,) of any scale, higher is better.
        shares: percent of the photos with 1, 2, 3, 4 and 5 stars.

    Returns:
        (n,) stars, integers from 1 to 5.

    Raises:
        SettingError: not five shares of 0 or more that make 100, or a score that is no number.
    """
    check_shares(shares)
    scores = _finite(scores)
    if not len(scores):
        return np.zeros(0, dtype=int)
    ordered = np.sort(scores)
    # The middle of the places that a score has, counted from the worst, as a share of all.
    below = np.searchsorted(ordered, scores, "left")
    up_to = np.searchsorted(ordered, scores, "right")
    middle = (below + up_to) / (2 * len(scores))
    borders = np.cumsum(shares)[:-1] / 100
    return LOWEST + np.searchsorted(borders, middle, "right")


def stars_by_calibration(calibrated: np.ndarray) -> np.ndarray:
    """Round scores on a person's own scale of stars.

    Args:
        calibrated: (n,) as `AestheticScorer.calibrate` gives them, on a scale within 1 to 5.

    Returns:
        (n,) stars, integers from 1 to 5; halves go up.

    Raises:
        SettingError: a score that is no number.
    """
    return np.clip(np.floor(_finite(calibrated) + 0.5), LOWEST, HIGHEST).astype(int)


def on_stars(ratings: Sequence[float] | None) -> bool:
    """Whether a calibration leads to stars: to ratings within 1 to 5, more than a star apart.

    Args:
        ratings: at its knots, rising; `None` where there is no calibration.
    """
    if not ratings:
        return False
    low, high = min(ratings), max(ratings)
    return low >= LOWEST and high <= HIGHEST and high - low > 1


def parse_shares(text: str) -> tuple[float, ...]:
    """`10,20,40,20,10` as numbers.

    Raises:
        SettingError: not five shares that make 100.
    """
    try:
        shares = tuple(float(part) for part in text.replace("%", "").split(","))
    except ValueError:
        shares = ()
    check_shares(shares, text)
    return shares


def check_shares(shares: Sequence[float], text: str | None = None) -> None:
    """Refuse what are no shares of five kinds of stars.

    Raises:
        SettingError: not five of 0 or more that make 100.
    """
    right = len(shares) == HIGHEST and all(math.isfinite(x) and x >= 0 for x in shares)
    if not right or abs(sum(shares) - 100) > 0.5:
        told = text if text is not None else ",".join(f"{x:g}" for x in shares)
        raise SettingError(
            f"stars: {told!r}; expected the percentages of photos with 1, 2, 3, 4 and 5 stars, "
            "which make 100, such as 10,20,40,20,10."
        )


def _finite(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise SettingError("a score is no finite number; leave such photos out.")
    return scores


def stars_of_scores(
    raw: np.ndarray,
    calibrate: Callable[[np.ndarray], np.ndarray],
    calibration_ratings: Sequence[float] | None,
    shares: Sequence[float] | None = None,
) -> tuple[np.ndarray, str]:
    """Stars by the person's own calibration, where there is one to stars; by shares else.

    Args:
        raw: (n,) raw scores of a scorer.
        calibrate: the scorer's map onto the person's scale.
        calibration_ratings: that scale at the knots of the map, in the scorer's config.
        shares: percent of the photos with 1 to 5 stars; when given, it is these that count.

    Returns:
        (n,) stars, integers from 1 to 5, and how they came about, in a few words.
    """
    if shares is None and on_stars(calibration_ratings):
        return stars_by_calibration(calibrate(raw)), "as you give stars yourself"
    shares = USUAL_SHARES if shares is None else shares
    told = ", ".join(f"{share:g}" for share in shares)
    return stars_by_shares(raw, shares), f"{told} % of the photos with one to five"
