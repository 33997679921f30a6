"""From raw scores to a person's own scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROOM = 0.1  # of the scale's outer steps, and of the spread of scores, for photos beyond those rated
# Shares of an album for 1, 2, ... 5 stars where nothing is known of how a person gives them: few
# photos are very good or very bad.
USUAL_SHARES = (0.1, 0.2, 0.4, 0.2, 0.1)
# Ratings that weigh as much as these shares, and as the order of the album beside the person's own
# calibration: of few ratings, the map leaps from one end of the scale to the other.
SHARES_WORTH, ORDER_WORTH = 10, 20


@dataclass(frozen=True)
class Calibration:
    """A rising, piecewise linear map.

    Args:
        scores: rising raw scores, the knots.
        ratings: the rating at each knot, rising.
    """

    scores: tuple[float, ...]
    ratings: tuple[float, ...]

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Raw scores (n,) on the person's scale (n,); constant beyond the outer knots."""
        return np.interp(scores, self.scores, self.ratings)


def fit_calibration(
    scores: np.ndarray, ratings: np.ndarray, scale: tuple[float, float]
) -> Calibration | None:
    """Match the spread of raw scores to the spread of a person's ratings, level by level.

    The share of photos that the person put below a level is the share that is mapped below it
    (quantile matching), so that a person who uses the whole scale gets scores over the whole scale
    and not a bunch around its middle. The map only ever rises: it never changes the order.

    Args:
        scores: (n,) raw scores of the support photos.
        ratings: (n,) the person's ratings of them.
        scale: lowest and highest rating there can be.

    Returns:
        The map, or `None` when the scores or the ratings are all equal.
    """
    spread = float(np.ptp(scores))
    levels, counts = np.unique(ratings, return_counts=True)
    if spread == 0 or len(levels) < 2:
        return None
    ordered = np.sort(scores)
    ends = np.cumsum(counts)[:-1]
    boundaries = (ordered[ends - 1] + ordered[ends]) / 2  # between two neighbouring levels
    between = (levels[:-1] + levels[1:]) / 2
    low, high = scale
    lowest = max(2 * levels[0] - between[0], low + ROOM * (between[0] - low))
    highest = min(2 * levels[-1] - between[-1], high - ROOM * (high - between[-1]))
    beyond = ROOM * spread
    knots = [ordered[0] - beyond, ordered[0], *boundaries, ordered[-1], ordered[-1] + beyond]
    values = [low, lowest, *between, highest, high]
    rising = [0]
    for i in range(1, len(knots)):  # tied scores can put two boundaries on one spot
        if knots[i] > knots[rising[-1]] and values[i] > values[rising[-1]]:
            rising.append(i)
    return Calibration(
        tuple(float(knots[i]) for i in rising), tuple(float(values[i]) for i in rising)
    )


def spread_stars(scores: np.ndarray, shares: Sequence[float] = USUAL_SHARES) -> np.ndarray:
    """Stars by an album's own quantiles: the lowest share of photos rounds to 1 star, and so on.

    Args:
        scores: (N,) of the album.
        shares: of the album for 1, 2, ... stars; they add up to 1.

    Returns:
        (N,) in [1, number of shares], equal for equal scores, rising with them, and spread from one
        end to the other.
    """
    ordered = np.sort(scores)
    below = np.searchsorted(ordered, scores, "left")
    ranks = (below + np.searchsorted(ordered, scores, "right")) / 2  # ties stand in their middle
    borders = np.concatenate([[0.0], np.cumsum(shares)])
    stars = np.concatenate([[1.0], np.arange(1, len(shares)) + 0.5, [float(len(shares))]])
    return np.interp(ranks / len(scores), borders, stars)


def album_stars(scores: np.ndarray, rated: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """Stars of an album as they are shown: by the person's own calibration as far as there is
    evidence, and for the rest by the album's quantiles, with the person's own shares.

    Args:
        scores: (N,) of the album.
        rated: (n,) scores of the photos that were rated.
        ratings: (n,) stars of them, in [1, 5].

    Returns:
        (N,) in [1, 5], rising with the scores.
    """
    levels, count = len(USUAL_SHARES), len(ratings)
    given = np.bincount(np.clip(np.rint(ratings), 1, levels).astype(int), minlength=levels + 1)[1:]
    shares = (given + SHARES_WORTH * np.array(USUAL_SHARES)) / (count + SHARES_WORTH)
    spread = spread_stars(scores, shares.tolist())
    calibration = fit_calibration(rated, ratings, (1, levels)) if count else None
    if calibration is None:
        return spread
    weight = count / (count + ORDER_WORTH)
    return weight * calibration(scores) + (1 - weight) * spread
