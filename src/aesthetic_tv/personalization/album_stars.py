"""Stars of a whole album as they are shown while it is rated: never all the same, and by the
person's own scale as far as that is known.
"""

from collections.abc import Sequence

import numpy as np

from aesthetic_tv.personalization.calibration import fit_calibration
from aesthetic_tv.personalization.stars import HIGHEST, LOWEST, USUAL_SHARES, stars_by_calibration

# Ratings that weigh as much as the usual shares, and as the order of the album beside the person's
# own calibration: of few ratings, that leaps from one end of the scale to the other.
SHARES_WORTH, ORDER_WORTH = 10, 20


def spread_stars(scores: np.ndarray, shares: Sequence[float] = USUAL_SHARES) -> np.ndarray:
    """Stars by an album's own quantiles, with what is between them.

    Args:
        scores: (N,) of the album.
        shares: percent of the album that rounds to 1, 2, ... 5 stars.

    Returns:
        (N,) in [1, 5], equal for equal scores, rising with them, and spread from one end to the
        other.
    """
    ordered = np.sort(scores)
    below = np.searchsorted(ordered, scores, "left")
    places = (below + np.searchsorted(ordered, scores, "right")) / 2  # ties stand in their middle
    borders = np.concatenate([[0.0], np.cumsum(shares)]) / sum(shares)
    stars = np.concatenate([[LOWEST], np.arange(LOWEST, HIGHEST) + 0.5, [HIGHEST]])
    return np.interp(places / len(scores), borders, stars)


def album_stars(scores: np.ndarray, rated: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """Stars of an album: by the person's own calibration as far as there is evidence, and for the
    rest by the album's quantiles, with the person's own shares.

    Args:
        scores: (N,) of the album.
        rated: (n,) scores of the photos that were rated.
        ratings: (n,) stars of them, in [1, 5].

    Returns:
        (N,) in [1, 5], rising with the scores.
    """
    count = len(ratings)
    given = np.bincount(stars_by_calibration(ratings), minlength=HIGHEST + 1)[LOWEST:]
    usual = SHARES_WORTH * np.array(USUAL_SHARES) / sum(USUAL_SHARES)
    spread = spread_stars(scores, (given + usual).tolist())
    calibration = fit_calibration(rated, ratings, (LOWEST, HIGHEST)) if count else None
    if calibration is None:
        return spread
    weight = count / (count + ORDER_WORTH)
    return weight * calibration(scores) + (1 - weight) * spread
