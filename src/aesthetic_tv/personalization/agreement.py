"""How well scores agree with what a person prefers."""

import numpy as np

from aesthetic_tv.personalization.preferences import Preferences


def srocc(scores: np.ndarray, ratings: np.ndarray) -> float:
    """Spearman's rank correlation in [-1, 1], ties at their mean rank; 0 when either is constant.

    Args:
        scores, ratings: (n,), n at least 2.
    """
    return float(srocc_rows(scores[None], ratings[None])[0])


def srocc_rows(scores: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """`srocc` of each of m rows at once, (m,).

    Args:
        scores, ratings: (m, n), n at least 2.
    """
    ranks = [mean_ranks(values) for values in (scores, ratings)]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return (first * second).sum(axis=1) / np.where(size == 0, 1.0, size)


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 in each row, equal values at the mean of theirs; NaN where a row has any. As
    `scipy.stats.rankdata`, which takes a second to import.

    Args:
        values: (m, n).
    """
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    differs = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(values), 1), dtype=bool)
    begins, ends = np.hstack([edge, differs]), np.hstack([differs, edge])
    places = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    last = np.where(ends, places, values.shape[1])[:, ::-1]
    last = np.minimum.accumulate(last, axis=1)[:, ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    ranks[np.isnan(values).any(axis=1)] = np.nan
    return ranks


def pair_accuracy(scores: np.ndarray, preferences: Preferences) -> float:
    """Weighted share of the pairs that the scores order rightly, in [0, 1]; a tie counts half."""
    gaps = scores[preferences.better] - scores[preferences.worse]
    right = (gaps > 0) + 0.5 * (gaps == 0)
    return float(np.average(right, weights=preferences.weights))


def rank_correlation(scores: np.ndarray, preferences: Preferences) -> float:
    """rho in [-1, 1]: SROCC to the ratings or the ranking; for pairs, rightly ordered less wrongly
    ordered ones (Kendall's tau over the pairs that were judged); for both, their mean, each
    weighted by the independent choices that it is worth.
    """
    rows, chosen = preferences.rated, preferences.choices_alone
    if len(rows) < 2:
        return 2 * pair_accuracy(scores, preferences) - 1
    assert preferences.ratings is not None
    rho = srocc(scores[rows], preferences.ratings[rows])
    if not chosen.compared:
        return rho
    share = chosen.choices / preferences.choices
    return (1 - share) * rho + share * (2 * pair_accuracy(scores, chosen) - 1)
