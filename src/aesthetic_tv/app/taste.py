"""What a fit says of an album's photos, by their names: their order, how sure, what to ask next;
and the exact scorer that a fit is polished to.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from aesthetic_tv.app.answers import Pair
from aesthetic_tv.personalization import InstantFit, Personalization
from aesthetic_tv.personalization.album_stars import album_stars
from aesthetic_tv.personalization.solver import Progress
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.images import Photo

LOOKED_AT = 100  # photos among which sureness is taken
LOOKED_AT_FOR_NEXT, PAIRED = 400, 150  # photos among which the next ones, or pairs, are looked for
MOST_SCORED = 500  # photos of an album that are put in the exact order; more take too long here
BATCH = 16


@dataclass(frozen=True)
class Row:
    """One photo of the person's ranking.

    Args:
        name: of the photo.
        rank, generic_rank: 1 is best.
        stars: that the person would give, in [1, 5]; see `album_stars`.
        generic: the generic score, raw.
        upper: chance to be in the better half of these photos, in [0, 1].
        rating: the person's own stars, where there are.
    """

    name: str
    rank: int
    generic_rank: int
    stars: float
    generic: float
    upper: float
    rating: float | None


@dataclass(frozen=True, eq=False)
class Taste:
    """One person's fit, seen by the photos' names.

    Args:
        fit: over N photos.
        names: of the N photos.
        scope: positions of the photos that are ranked and asked for (m,).
        ratings: stars by name.
        exact: raw scores of the exact scorer (N,), where there are any.
    """

    fit: InstantFit
    names: Sequence[str]
    scope: np.ndarray
    ratings: Mapping[str, float]
    exact: np.ndarray | None = None

    @property
    def scores(self) -> np.ndarray:
        """Raw scores of all photos (N,), the exact ones where they are known."""
        return self.fit.scores if self.exact is None else self.exact

    @property
    def stars(self) -> np.ndarray:
        """Stars that the person would give all photos (N,)."""
        rows = [row for row, name in enumerate(self.names) if name in self.ratings]
        ratings = [self.ratings[self.names[row]] for row in rows]
        return album_stars(self.scores, self.scores[rows], np.array(ratings, dtype=float))

    def ranking(self) -> list[Row]:
        """The photos in scope, best first."""
        raw, generic = self.scores[self.scope], self.fit.album.scores[self.scope]
        gaps = raw - np.median(raw)
        upper = self.fit.posterior.pair_probability(gaps, self.fit.deviations[self.scope] ** 2)
        shown = self.stars[self.scope]
        order = np.argsort(-raw, kind="stable")
        places = np.empty(len(raw), dtype=int)
        places[np.argsort(-generic, kind="stable")] = np.arange(1, len(raw) + 1)
        rows = []
        for rank, i in enumerate(order.tolist(), 1):
            name = self.names[self.scope[i]]
            numbers = (float(shown[i]), float(generic[i]), float(upper[i]))
            rows.append(Row(name, rank, int(places[i]), *numbers, self.ratings.get(name)))
        return rows

    def sureness(self) -> float:
        """Mean chance that the order of two photos is right, in [0.5, 1]."""
        some = np.linspace(0, len(self.scope) - 1, min(len(self.scope), LOOKED_AT)).astype(int)
        rows = self.scope[some]
        if len(rows) < 2:
            return 0.5
        slopes, scores = self.fit.album.model.slopes[rows], self.fit.scores[rows]
        first, second = np.triu_indices(len(rows), 1)
        variance = self.fit.posterior.gap_variances(slopes, first, second)
        gaps = np.abs(scores[first] - scores[second])
        return float(self.fit.posterior.pair_probability(gaps, variance).mean())

    def next_photos(self, count: int, answered: Collection[str]) -> list[str]:
        """The photos in scope whose ratings would teach most; fewer when fewer are left."""
        among = _spread_out(self._except(answered), LOOKED_AT_FOR_NEXT)
        return [self._name(photo) for photo in self.fit.suggest_next(count, among=among)]

    def next_pairs(
        self, count: int, known: Collection[frozenset[str]], passed: Collection[str]
    ) -> list[Pair]:
        """The pairs whose comparisons would teach most; fewer when fewer new ones are found."""
        photos = dict(zip(self.names, self.fit.album.photos, strict=True))
        taken = [
            (photos[first], photos[second])
            for first, second in map(tuple, known)
            if first in photos and second in photos
        ]
        among = _spread_out(self._except(passed), PAIRED)
        found = self.fit.suggest_pairs(count, among, taken)
        return [(self._name(first), self._name(second)) for first, second in found]

    def _except(self, names: Collection[str]) -> list[Photo]:
        photos = self.fit.album.photos
        return [photos[row] for row in self.scope if self.names[row] not in names]

    def _name(self, photo: Photo) -> str:
        return self.names[int(self.fit.album.positions([photo])[0])]


def _spread_out(photos: list[Photo], limit: int) -> list[Photo]:
    """At most `limit` of them, evenly from first to last."""
    if len(photos) <= limit:
        return photos
    return [photos[i] for i in np.linspace(0, len(photos) - 1, limit).astype(int)]


@dataclass(frozen=True, eq=False)
class Polished:
    """A person's exact scorer, as what is weighed: kilobytes, which a server keeps of everybody.

    Args:
        personalization: what is saved and pushed.
        scores: raw, of the album's photos by path; of none where the album is too large.
    """

    personalization: Personalization
    scores: Mapping[str, float]

    def scorer(self) -> AestheticScorer:
        """Base plus weighted task vectors, put together anew."""
        return self.personalization.merge()


def polish(fit: InstantFit, progress: Progress | None = None) -> Polished:
    """Fit the exact scorer from where the linear fit is, and score the album with it.

    Args:
        fit: of the person.
        progress: called with (stage, done, total); what it raises ends the work.
    """
    mine, album = fit.polish(progress), [str(photo) for photo in fit.album.photos]
    scored = album if len(album) <= MOST_SCORED else []
    return Polished(mine, scores_of(mine.merge(), scored, progress) if scored else {})


def scores_of(
    scorer: AestheticScorer, photos: Sequence[str], progress: Progress | None = None
) -> dict[str, float]:
    """Raw score of each photo that can be read, by path."""
    scoring = None if progress is None else partial(progress, "scoring")
    raw, failures = scorer.score_readable(
        photos, batch_size=BATCH, calibrated=False, progress=scoring
    )
    scores = dict(zip(photos, raw.tolist(), strict=True))
    return {photo: scores[photo] for place, photo in enumerate(photos) if place not in failures}
