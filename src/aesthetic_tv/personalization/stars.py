"""From scores to stars, 1 to 5: by shares of photos, or on the person's own scale."""

from collections.abc import Sequence

import numpy as np

from aesthetic_tv.errors import SettingError

STARS = (1, 2, 3, 4, 5)
USUAL_SHARES = (10.0, 20.0, 40.0, 20.0, 10.0)  # percent of the photos, from one star on


def parse_shares(text: str) -> tuple[float, ...]:
    """Shares as people write them.

    Args:
        text: five numbers for 1 to 5 stars, as in `10,20,40,20,10`, which make 100.

    Raises:
        SettingError: says what it is instead.
    """
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    right = len(shares) == len(STARS) and all(0 <= share <= 100 for share in shares)
    if not right or abs(sum(shares) - 100) > 0.5:
        raise SettingError(
            f"stars: {text!r}; expected the percentages of photos with 1, 2, 3, 4 and 5 stars, "
            "which make 100, such as 10,20,40,20,10."
        )
    return shares


def stars_by_shares(scores: np.ndarray, shares: Sequence[float] = USUAL_SHARES) -> np.ndarray:
    """The best photos get five stars, and so on, as many of each as the shares say.

    Photos of one score get the same stars: those of the middle one of them.

    Args:
        scores: (n,) higher is better, finite.
        shares: of 1 to 5 stars, in percent.

    Returns:
        Stars of each photo, in order.
    """
    from scipy.stats import rankdata

    if not len(scores):
        return np.zeros(0, dtype=int)
    places = (rankdata(scores) - 0.5) / len(scores)  # 0 to 1, the best last
    ends = np.cumsum(shares)[:-1] / np.sum(shares)
    return 1 + np.searchsorted(ends, places, side="right")


def on_stars(ratings: Sequence[float] | None) -> bool:
    """Whether a calibration's ratings are on the scale of stars."""
    return ratings is not None and STARS[0] <= min(ratings) and max(ratings) <= STARS[-1]


def stars_by_calibration(scores: np.ndarray) -> np.ndarray:
    """Stars nearest to scores on the person's own scale, 1 to 5.

    Args:
        scores: (n,) calibrated, finite.
    """
    nearest = np.floor(np.asarray(scores, dtype=float) + 0.5)
    return np.clip(nearest, STARS[0], STARS[-1]).astype(int)
