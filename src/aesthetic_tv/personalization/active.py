"""Which photos, or pairs, would teach most about a person's taste.

Greedily those whose rating is expected to be most informative about the coefficients: for a
Gaussian belief and noise of one size, the photos whose scores are least sure (D-optimal design;
MacKay 1992, "Information-based objective functions for active data selection"). To aim at the
album's scores instead of the coefficients ranked worse where tastes are known
(benchmarks/RESULTS.md).
"""

from collections.abc import Iterable

import numpy as np

from aesthetic_tv.personalization.posterior import Posterior
from aesthetic_tv.personalization.preferences import RATING_NOISE

POOL = 1500  # photos of a large album that are looked at
PAIRS = 20_000  # pairs that are looked at


def photos_to_rate(
    posterior: Posterior, slopes: np.ndarray, candidates: np.ndarray, count: int
) -> list[int]:
    """Greedily, the photos whose rating would be most informative.

    Args:
        posterior: so far.
        slopes: of the album (N, P).
        candidates: positions of the photos that may be asked for.
        count: how many; fewer when there are no more candidates.

    Returns:
        Positions in the album, the most informative first.
    """
    pool = _spread_out(candidates, POOL)
    looked_at = slopes[pool]
    variance, column_of = posterior.variances(looked_at), posterior.columns(looked_at)
    # What each choice takes away, one column for each: the matrix of all pairs is never needed.
    chosen, columns = list[int](), list[np.ndarray]()
    for _ in range(min(count, len(pool))):
        open_ones = variance.copy()
        open_ones[chosen] = -np.inf
        best = int(open_ones.argmax())
        column = column_of(best)
        for earlier in columns:
            column = column - earlier * earlier[best]
        columns.append(column / np.sqrt(variance[best] + RATING_NOISE))
        variance = variance - columns[-1] ** 2
        chosen.append(best)
    return pool[chosen].tolist()


def pairs_to_compare(
    posterior: Posterior,
    slopes: np.ndarray,
    scores: np.ndarray,
    candidates: np.ndarray,
    count: int,
    seed: int = 0,
    known: Iterable[tuple[int, int]] = (),
) -> list[tuple[int, int]]:
    """Greedily, the pairs whose comparison would be most informative: those with an unsure gap
    and an open outcome.

    Args:
        posterior, slopes, candidates, count: as for `photos_to_rate`.
        scores: of the album (N,).
        seed: of the pairs that are looked at, where there are too many.
        known: pairs of positions, either way round, that are not asked for.

    Returns:
        Positions in the album, the most informative pair first; no photo stands in two of them.
    """
    pool = _spread_out(candidates, POOL)
    looked_at = slopes[pool]
    covariance = posterior.covariance(looked_at, looked_at)
    first, second = _some_pairs(len(pool), seed)
    chosen = list[tuple[int, int]]()
    left = ~_among(pool[first], pool[second], known)
    while len(chosen) < count and left.any():
        own = covariance.diagonal()
        variance = own[first] + own[second] - 2 * covariance[first, second]
        likely = posterior.pair_probability(scores[pool[first]] - scores[pool[second]], variance)
        information = likely * (1 - likely)
        best = int(np.where(left, variance * information, -np.inf).argmax())
        a, b = int(first[best]), int(second[best])
        chosen.append((int(pool[a]), int(pool[b])))
        column = covariance[:, a] - covariance[:, b]
        noise = 1 / max(float(information[best]), 1e-6)
        covariance = covariance - np.outer(column, column) / (variance[best] + noise)
        left &= ~np.isin(first, (a, b)) & ~np.isin(second, (a, b))
    return chosen


def _among(first: np.ndarray, second: np.ndarray, known: Iterable[tuple[int, int]]) -> np.ndarray:
    """Whether each pair (first[p], second[p]) is known, either way round (p,)."""
    taken = np.array([sorted(pair) for pair in known], dtype=int).reshape(-1, 2)
    size = 1 + max(first.max(initial=0), second.max(initial=0), taken.max(initial=0))
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.isin(low * size + high, taken[:, 0] * size + taken[:, 1])


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
