"""What a person prefers, as weighted ordered pairs: from ratings, from pairs, or from a ranking."""

import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aesthetic_tv.errors import PreferenceError

Kind = Literal["ratings", "pairs", "ranking"]


@dataclass(frozen=True, eq=False)
class Preferences:
    """Ordered pairs «`better[p]` over `worse[p]`» with `weights[p]`, over n photos.

    Attributes:
        photos: the n photos, as the person named them.
        better, worse: (P,) positions in `photos`.
        weights: (P,) above 0.
        kind: what they came from.
        ratings: (n,) the ratings; for a ranking the place counted from the end, higher is better;
            `None` for pairs.
        scale: lowest and highest rating there can be, where they came as ratings.
    """

    photos: tuple[Any, ...]
    better: np.ndarray
    worse: np.ndarray
    weights: np.ndarray
    kind: Kind
    ratings: np.ndarray | None = None
    scale: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        ratings: Mapping[Any, float] | None = None,
        pairs: Iterable[tuple[Any, Any]] | None = None,
        ranking: Sequence[Any] | None = None,
        scale: tuple[float, float] | None = None,
    ) -> "Preferences":
        """From ratings, from pairs or from a ranking, whichever of the three is given.

        Raises:
            PreferenceError: not exactly one of them, or nothing to learn from.
        """
        given = [x for x in (ratings, pairs, ranking) if x is not None]
        if len(given) != 1:
            raise PreferenceError(
                f"Give ratings, pairs or a ranking, one of the three; found {len(given)}."
            )
        if ratings is not None:
            return cls.from_ratings(ratings, scale=scale)
        return cls.from_pairs(pairs) if pairs is not None else cls.from_ranking(ranking or [])

    @classmethod
    def from_ratings(
        cls, ratings: Mapping[Any, float], *, scale: tuple[float, float] | None = None
    ) -> "Preferences":
        """All pairs of unequal ratings, weight 1 each; ties say nothing.

        Args:
            ratings: rating of each photo, higher is better.
            scale: lowest and highest rating there can be; those given when not said.

        Raises:
            PreferenceError: fewer than 2 photos, a rating that is no finite number or outside the
                scale, or all ratings equal.
        """
        if len(ratings) < 2:
            raise PreferenceError(f"Rate at least 2 photos; found {len(ratings)}.")
        values = np.array([_number(photo, rating) for photo, rating in ratings.items()])
        scale = scale or (float(values.min()), float(values.max()))
        outside = [p for p, y in zip(ratings, values, strict=True) if not scale[0] <= y <= scale[1]]
        if outside:
            raise PreferenceError(
                f"{outside[0]}: rating {ratings[outside[0]]} lies outside the scale "
                f"{scale[0]:g} to {scale[1]:g} ({len(outside)} such ratings)."
            )
        return cls._from_values(tuple(ratings), values, "ratings", scale)

    @classmethod
    def from_ranking(cls, ranking: Sequence[Any]) -> "Preferences":
        """All pairs of a ranking, best first; a list inside it holds photos of equal rank.

        Raises:
            PreferenceError: fewer than 2 ranks, or a photo that stands in it twice.
        """
        places = {}
        for place, entry in enumerate(ranking):
            for photo in entry if isinstance(entry, list | tuple | set) else [entry]:
                if photo in places:
                    raise PreferenceError(f"{photo} stands twice in the ranking; name it once.")
                places[photo] = len(ranking) - place
        if len(set(places.values())) < 2:
            raise PreferenceError("A ranking needs at least 2 photos of different rank.")
        values = np.array(list(places.values()), dtype=float)
        return cls._from_values(tuple(places), values, "ranking", None)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[Any, Any]]) -> "Preferences":
        """Pairs (better, worse); a pair that is given m times has weight m, and one that is also
        given the other way round keeps both weights: the loss then settles for the share.

        Raises:
            PreferenceError: no pairs, a photo preferred over itself, or nothing left to learn
                because all pairs contradict each other evenly.
        """
        counts: Counter[tuple[Hashable, Hashable]] = Counter()
        for pair in pairs:
            if len(pair) != 2 or pair[0] == pair[1]:
                raise PreferenceError(f"expected a pair of two different photos, got {pair!r}.")
            counts[tuple(pair)] += 1
        if not counts:
            raise PreferenceError("No pairs were given; choose the better of two photos first.")
        contradictions = [(a, b) for a, b in counts if (b, a) in counts]
        if contradictions:
            warnings.warn(
                f"{len(contradictions) // 2} pairs were judged both ways, such as "
                f"{contradictions[0]}; each side counts by how often it was chosen.",
                stacklevel=2,
            )
        if all(counts[(a, b)] == counts[(b, a)] for a, b in counts):
            raise PreferenceError(
                "Every pair was judged as often one way as the other; nothing can be learned."
            )
        photos = tuple(dict.fromkeys(photo for pair in counts for photo in pair))
        at = {photo: i for i, photo in enumerate(photos)}
        better = np.array([at[a] for a, _ in counts])
        worse = np.array([at[b] for _, b in counts])
        return cls(photos, better, worse, np.array(list(counts.values()), dtype=float), "pairs")

    def with_pairs(self, pairs: Iterable[tuple[Any, Any]]) -> "Preferences":
        """These ratings and, besides, pairs that the person compared: all of it as pairs.

        A choice between two photos tells a bit, a rating about two; n ratings make n (n - 1) / 2
        pairs out of their 2 n bits, so a choice weighs (n - 1) / 4 of those, and at least 1.

        Raises:
            PreferenceError: as for `from_pairs`.
        """
        other = Preferences.from_pairs(pairs)
        photos = tuple(dict.fromkeys([*self.photos, *other.photos]))
        at = {photo: i for i, photo in enumerate(photos)}
        moved = np.array([at[photo] for photo in other.photos])
        weight = max(1.0, (len(self) - 1) / 4)
        return Preferences(
            photos,
            np.concatenate([self.better, moved[other.better]]),
            np.concatenate([self.worse, moved[other.worse]]),
            np.concatenate([self.weights, weight * other.weights]),
            "pairs",
        )

    @classmethod
    def _from_values(
        cls, photos: tuple, values: np.ndarray, kind: Kind, scale: tuple[float, float] | None
    ) -> "Preferences":
        better, worse = np.nonzero(values[:, None] > values[None, :])
        if len(better) == 0:
            raise PreferenceError(
                f"All {len(values)} ratings are {values[0]:g}; rate at least one photo higher or "
                "lower than the others."
            )
        return cls(photos, better, worse, np.ones(len(better)), kind, values, scale)

    def __len__(self) -> int:
        return len(self.photos)

    def subset(self, positions: Sequence[int] | np.ndarray) -> "Preferences | None":
        """The preferences among some of the photos, in the order given; `None` when there is no
        pair among them.
        """
        new = np.full(len(self), -1)
        new[np.asarray(positions, dtype=int)] = np.arange(len(positions))
        better, worse = new[self.better], new[self.worse]
        kept = (better >= 0) & (worse >= 0)
        if not kept.any():
            return None
        return Preferences(
            tuple(self.photos[i] for i in positions),
            better[kept],
            worse[kept],
            self.weights[kept],
            self.kind,
            None if self.ratings is None else self.ratings[np.asarray(positions, dtype=int)],
            self.scale,
        )


def _number(photo: Any, rating: Any) -> float:
    try:
        value = float(rating)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise PreferenceError(f"{photo}: rating {rating!r} is not a number; write one such as 4.")
    return value
