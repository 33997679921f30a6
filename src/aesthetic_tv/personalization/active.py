"""Which photos, or pairs, would teach most: those that make the whole album's scores surest."""

import numpy as np

from aesthetic_tv.personalization.convex_fit import TOLD
from aesthetic_tv.personalization.posterior import Posterior, pair_probability

POOL = 1500  # photos of a large album that are looked at
PAIRS = 4000  # pairs that are looked at
# A choice between two photos of equal score tells 1/4 of a unit of information on their gap, and a
# rating is worth `TOLD` of them.
RATING_NOISE = 4.0 / TOLD


def photos_to_rate(
    posterior: Posterior, slopes: np.ndarray, candidates: np.ndarray, count: int
) -> list[int]:
    """Greedily, the photos whose rating takes most variance away from the scores of all.

    Args:
        posterior: so far.
        slopes: of the album (N, L, K).
        candidates: positions of the photos that may be asked for.
        count: how many; fewer when there are no more candidates.

    Returns:
        Positions in the album, the most telling first.
    """
    pool = _spread_out(candidates, POOL)
    covariance = posterior.covariance(slopes[pool], slopes[pool])
    chosen = list[int]()
    for _ in range(min(count, len(pool))):
        variance = covariance.diagonal()
        gains = (covariance**2).sum(0) / (variance + RATING_NOISE)
        gains[chosen] = -np.inf
        best = int(gains.argmax())
        chosen.append(best)
        column = covariance[:, best].copy()
        covariance -= np.outer(column, column) / (variance[best] + RATING_NOISE)
    return pool[chosen].tolist()


def pairs_to_compare(
    posterior: Posterior,
    slopes: np.ndarray,
    scores: np.ndarray,
    candidates: np.ndarray,
    count: int,
    seed: int = 0,
) -> list[tuple[int, int]]:
    """Greedily, the pairs whose comparison takes most variance away from the scores of all.

    Args:
        posterior, slopes, candidates, count: as for `photos_to_rate`.
        scores: of the album (N,).
        seed: of the pairs that are looked at, where there are too many.

    Returns:
        Positions in the album, the most telling pair first; no photo stands in two of them.
    """
    pool = _spread_out(candidates, POOL)
    covariance = posterior.covariance(slopes[pool], slopes[pool])
    first, second = _some_pairs(len(pool), seed)
    chosen = list[tuple[int, int]]()
    open_pairs = np.ones(len(first), dtype=bool)
    while len(chosen) < count and open_pairs.any():
        gap_columns = covariance[:, first] - covariance[:, second]  # (pool, pairs)
        index = np.arange(len(first))
        variance = gap_columns[first, index] - gap_columns[second, index]
        likely = pair_probability(scores[pool[first]] - scores[pool[second]], variance)
        noise = 1 / np.maximum(likely * (1 - likely), 1e-6)
        gains = np.where(open_pairs, (gap_columns**2).sum(0) / (variance + noise), -np.inf)
        best = int(gains.argmax())
        a, b = int(first[best]), int(second[best])
        chosen.append((int(pool[a]), int(pool[b])))
        column = gap_columns[:, best].copy()
        covariance = covariance - np.outer(column, column) / (variance[best] + noise[best])
        open_pairs &= ~np.isin(first, (a, b)) & ~np.isin(second, (a, b))
    return chosen


def _spread_out(candidates: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` of the candidates, evenly from first to last."""
    if len(candidates) <= limit:
        return candidates
    return candidates[np.linspace(0, len(candidates) - 1, limit).astype(int)]


def _some_pairs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.triu_indices(count, 1)
    if len(first) <= PAIRS:
        return first, second
    rows = np.random.default_rng(seed).choice(len(first), PAIRS, replace=False)
    return first[rows], second[rows]
