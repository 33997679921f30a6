"""The best frames of each burst, and how sure that is: inside a burst, only differences count."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RankedBurst:
    """One group of near duplicates.

    Args:
        photos: positions, best first.
        chances: that the person would choose each one of them, in the same order; 1 in all.
    """

    photos: tuple[int, ...]
    chances: tuple[float, ...]


def first_choices(logits: np.ndarray) -> np.ndarray:
    """The chance of each of m photos to be chosen from all, from what is known of pairs: (m,).

    Exact where chances come from one score each (Bradley-Terry, Plackett-Luce). Price et al.
    (1994), "Pairwise neural network classifiers with probabilistic outputs".

    Args:
        logits: of preferring the photo of the row to that of the column (m, m), 0 on the diagonal.
    """
    # 1 / p_ij is 1 + exp(-l_ij), and p_i = 1 / (sum over the others of 1 / p_ij, less m - 2).
    surprise = np.logaddexp.reduce(-np.asarray(logits, dtype=float), axis=1)
    chances = np.exp(-(surprise - surprise.min()))
    return chances / chances.sum()


def best_of(
    groups: Sequence[Sequence[int]], scores: np.ndarray, *, certainty: float = 1.0
) -> list[RankedBurst]:
    """Rank each group by a scorer's raw scores.

    Args:
        groups: positions, as by `bursts`.
        scores: of all photos (n,), raw: a gap of 1 is a logit of 1, as tastes are fitted.
        certainty: factor on those logits.
    """
    scores = np.asarray(scores, dtype=float)
    found = []
    for group in groups:
        order = sorted(group, key=lambda place: (-scores[place], place))
        ranked = scores[order]
        chances = first_choices(certainty * (ranked[:, None] - ranked))
        found.append(RankedBurst(tuple(order), tuple(chances.tolist())))
    return found
