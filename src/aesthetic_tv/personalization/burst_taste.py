"""What one person prefers among frames of one burst, learned from choices inside bursts.

Scores of whole photos pick a burst's best frame little better than chance: they are learned from
how subjects differ, and frames of one subject differ in what towers hardly see. So what frames do
differ in is measured (`frame_traits`), and a Bradley-Terry model weighs it by the person's choices.
Before any choice it is the scorer alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from aesthetic_tv.personalization.posterior import logits
from aesthetic_tv.photo_metadata.best import RankedBurst, first_choices

# Of a weight, on differences in units of their usual size: a trait that everybody's choices follow
# closely has about 1.
SPREAD = 0.7
SCORE_WEIGHT = 0.3  # of the scorer's score before any choice


@dataclass(frozen=True, eq=False)
class BurstTaste:
    """Weights of what frames differ in, and how well these are known.

    Attributes:
        features: (n, F) of all frames, less the mean of their burst, in units of their usual size:
            first the score, then the traits.
        groups: positions of each burst's frames.
        pairs: (better, worse) inside bursts.
        weights: (F,).
        covariance: of the weights (F, F).
    """

    features: np.ndarray
    groups: tuple[tuple[int, ...], ...]
    pairs: tuple[tuple[int, int], ...]
    weights: np.ndarray
    covariance: np.ndarray

    @classmethod
    def fit(
        cls,
        groups: Sequence[Sequence[int]],
        scores: np.ndarray,
        traits: np.ndarray,
        pairs: Iterable[tuple[int, int]] = (),
    ) -> "BurstTaste":
        """Learn from choices.

        Args:
            groups: positions of each burst's frames, as by `bursts`.
            scores: of the scorer, of all photos (n,).
            traits: as by `traits_of` (n, T); unknown ones tell nothing.
            pairs: positions (better, worse) of photos that the person compared, chose or rated;
                those of two bursts are passed over.
        """
        number = {place: k for k, group in enumerate(groups) for place in group}
        inside = [(a, b) for a, b in pairs if number.get(a, -1) == number.get(b, -2)]
        raw = np.column_stack([np.asarray(scores, dtype=float), traits])
        features = _within(raw, groups)
        first, second = np.array(inside, dtype=int).reshape(-1, 2).T
        gaps = features[first] - features[second]
        centre = np.zeros(features.shape[1])
        centre[0] = SCORE_WEIGHT

        def surprise(weights: np.ndarray) -> tuple[float, np.ndarray]:
            gap, away = gaps @ weights, (weights - centre) / SPREAD**2
            value = np.logaddexp(0.0, -gap).sum() + away @ (weights - centre) / 2
            return float(value), away - expit(-gap) @ gaps

        weights = minimize(surprise, centre, jac=True).x
        likely = expit(gaps @ weights)
        curvature = (gaps * (likely * (1 - likely))[:, None]).T @ gaps
        covariance = np.linalg.inv(curvature + np.eye(len(centre)) / SPREAD**2)
        kept = tuple(tuple(group) for group in groups)
        return cls(features, kept, tuple(inside), weights, covariance)

    def best_of(self) -> list[RankedBurst]:
        """Each burst, best frame first. A frame that the person preferred to others of its burst,
        and none to it, is the best, whatever the weights say.
        """
        won, lost = {a for a, _ in self.pairs}, {b for _, b in self.pairs}
        return [self._ranked(group, won - lost) for group in self.groups]

    def _ranked(self, group: tuple[int, ...], chosen: set[int]) -> RankedBurst:
        utility = dict(zip(group, self.features[list(group)] @ self.weights, strict=True))
        order = sorted(group, key=lambda place: (place not in chosen, -utility[place], place))
        rows = self.features[order]
        between = rows[:, None] - rows  # (m, m, F)
        variances = np.einsum("ijf,fg,ijg->ij", between, self.covariance, between)
        chances = first_choices(logits(between @ self.weights, variances))
        first = [place for place in order if place in chosen]
        if first:  # among those alone
            chances = np.where([place in chosen for place in order], chances, 0.0)
            chances /= chances.sum()
        return RankedBurst(tuple(order), tuple(chances.tolist()))


def pairs_of_ratings(
    groups: Sequence[Sequence[int]], ratings: Mapping[int, float]
) -> list[tuple[int, int]]:
    """Choices that ratings make inside bursts: each frame over every other that was rated lower.

    Args:
        groups: positions of each burst's frames.
        ratings: by position; higher is better.
    """
    rated = [[place for place in group if place in ratings] for group in groups]
    return [(a, b) for places in rated for a in places for b in places if ratings[a] > ratings[b]]


def _within(raw: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Less the mean of each burst, over the usual deviation inside bursts; unknown ones are 0."""
    features = np.zeros_like(raw)
    inside = list[int]()
    for group in groups:
        rows = list(group)
        if len(rows) > 1:
            known = np.isfinite(raw[rows])
            mean = np.where(known, raw[rows], 0).sum(0) / np.maximum(known.sum(0), 1)
            features[rows] = np.where(known, raw[rows] - mean, 0)
            inside += rows
    if not inside:
        return features
    size = np.sqrt((features[inside] ** 2).mean(0))
    return features / np.where(size > 1e-9, size, 1.0)
