"""From raw scores to a person's own scale."""

from dataclasses import dataclass

import numpy as np

ROOM = 0.1  # of the scale's outer steps, and of the spread of scores, for photos beyond those rated


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
