"""How well scores agree with what a person prefers."""

import numpy as np
from scipy import stats

from aesthetic_tv.personalization.preferences import Preferences


def srocc(scores: np.ndarray, ratings: np.ndarray) -> float:
    """Spearman's rank correlation in [-1, 1], ties at their mean rank; 0 when either is constant.

    Args:
        scores, ratings: (n,), n at least 2.
    """
    if np.ptp(scores) == 0 or np.ptp(ratings) == 0:
        return 0.0
    return float(stats.spearmanr(scores, ratings).statistic)


def pair_accuracy(scores: np.ndarray, preferences: Preferences) -> float:
    """Weighted share of the pairs that the scores order rightly, in [0, 1]; a tie counts half."""
    gaps = scores[preferences.better] - scores[preferences.worse]
    right = (gaps > 0) + 0.5 * (gaps == 0)
    return float(np.average(right, weights=preferences.weights))


def rank_correlation(scores: np.ndarray, preferences: Preferences) -> float:
    """rho in [-1, 1]: SROCC to the ratings or the ranking; for pairs, rightly ordered less wrongly
    ordered ones (Kendall's tau over the pairs that were judged).
    """
    if preferences.ratings is not None:
        return srocc(scores, preferences.ratings)
    return 2 * pair_accuracy(scores, preferences) - 1
