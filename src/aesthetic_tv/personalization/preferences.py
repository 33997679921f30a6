"""What a person prefers, as weighted ordered pairs: from ratings, from pairs, or from a ranking."""

import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.scorer.decoding import photo_name

Kind = Literal["ratings", "pairs", "ranking"]
# Independent choices between two photos that a rating tells as much as: on five levels it tells
# about two bits, a choice one.
TOLD = 2.0
# Ratings as scores: a standard deviation of a person's ratings is STEEP units of score, in which a
# photo that is one unit above another is chosen in 73 % of cases; the variance of a rating is that
# at which n ratings tell TOLD n choices.
STEEP = 1.4
RATING_NOISE = 4.0 / TOLD
# Of a scale's width: the standard deviation of most people's ratings. It counts like SURE ratings,
# for few tell little of their spread.
USUAL_SPREAD, SURE = 0.25, 4.0


@dataclass(frozen=True, eq=False)
class Preferences:
    """Ordered pairs «`better[p]` over `worse[p]`» with `weights[p]`, over n photos.

    Attributes:
        photos: the n photos, as the person named them.
        better, worse: (P,) positions in `photos`.
        weights: (P,) above 0, in independent choices: a pair that was compared is one; the
            n (n - 1) / 2 pairs of n ratings tell 2 n together.
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
        """All pairs of unequal ratings, of equal weight; ties say nothing.

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
        photos, places = dict[Hashable, Any](), dict[Hashable, int]()
        for place, entry in enumerate(ranking):
            for photo in entry if isinstance(entry, list | tuple | set) else [entry]:
                key = _key(photo)
                if key in places:
                    raise PreferenceError(
                        f"{photo_name(photo, list(places).index(key), len(places))} stands twice "
                        "in the ranking; name it once."
                    )
                photos[key], places[key] = photo, len(ranking) - place
        if len(set(places.values())) < 2:
            raise PreferenceError("A ranking needs at least 2 photos of different rank.")
        values = np.array(list(places.values()), dtype=float)
        return cls._from_values(tuple(photos.values()), values, "ranking", None)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[Any, Any]]) -> "Preferences":
        """Pairs (better, worse); a pair that is given m times has weight m, and one that is also
        given the other way round keeps both weights: the loss then settles for the share.

        Raises:
            PreferenceError: no pairs, a photo preferred over itself, or nothing left to learn
                because all pairs contradict each other evenly.
        """
        counts: Counter[tuple[Hashable, Hashable]] = Counter()
        named: dict[Hashable, Any] = {}
        for pair in pairs:
            keys = tuple(map(_key, pair))
            if len(keys) != 2 or keys[0] == keys[1]:
                told = "(" + ", ".join(map(_told, pair)) + ")"
                raise PreferenceError(f"expected a pair of two different photos, got {told}.")
            named |= zip(keys, pair, strict=True)
            counts[keys] += 1
        if not counts:
            raise PreferenceError("No pairs were given; choose the better of two photos first.")
        contradictions = [(a, b) for a, b in counts if (b, a) in counts]
        if contradictions:
            first = ", ".join(_told(named[key]) for key in contradictions[0])
            warnings.warn(
                f"{len(contradictions) // 2} pairs were judged both ways, such as "
                f"({first}); each side counts by how often it was chosen.",
                stacklevel=2,
            )
        if all(counts[(a, b)] == counts[(b, a)] for a, b in counts):
            raise PreferenceError(
                "Every pair was judged as often one way as the other; nothing can be learned."
            )
        at = {key: i for i, key in enumerate(dict.fromkeys(key for pair in counts for key in pair))}
        photos = tuple(named[key] for key in at)
        better = np.array([at[a] for a, _ in counts])
        worse = np.array([at[b] for _, b in counts])
        return cls(photos, better, worse, np.array(list(counts.values()), dtype=float), "pairs")

    def with_pairs(self, pairs: Iterable[tuple[Any, Any]]) -> "Preferences":
        """These ratings and, besides, pairs that the person compared: all of it as pairs, by what
        each tells.

        Raises:
            PreferenceError: as for `from_pairs`.
        """
        other = Preferences.from_pairs(pairs)
        both = {_key(photo): photo for photo in [*other.photos, *self.photos]}
        keys = dict.fromkeys(map(_key, [*self.photos, *other.photos]))
        at = {key: i for i, key in enumerate(keys)}
        photos = tuple(both[key] for key in at)
        moved = np.array([at[_key(photo)] for photo in other.photos])
        return Preferences(
            photos,
            np.concatenate([self.better, moved[other.better]]),
            np.concatenate([self.worse, moved[other.worse]]),
            np.concatenate([self.weights, other.weights]),
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
        weights = np.full(len(better), _weight(len(values)))
        return cls(photos, better, worse, weights, kind, values, scale)

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def choices(self) -> float:
        """How many independent choices between two photos all of it tells."""
        return float(self.weights.sum())

    @property
    def targets(self) -> np.ndarray | None:
        """Where the ratings would put the scores, but for noise and a common level: (n,) of mean
        0; `None` for pairs and rankings, which know no distances.
        """
        if self.kind != "ratings" or self.ratings is None or self.scale is None:
            return None
        return STEEP * standardized(self.ratings, self.scale)

    def as_pairs(self) -> "Preferences":
        """The same as pairs alone, as the paper takes ratings."""
        return replace(self, kind="pairs", ratings=None, scale=None)

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
        weights = self.weights[kept]
        if self.ratings is not None:
            weights = np.full(len(weights), _weight(len(positions)))
        return Preferences(
            tuple(self.photos[i] for i in positions),
            better[kept],
            worse[kept],
            weights,
            self.kind,
            None if self.ratings is None else self.ratings[np.asarray(positions, dtype=int)],
            self.scale,
        )


def standardized(ratings: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """One person's ratings (n,) at mean 0 and standard deviation 1, as far as so few tell it.

    Args:
        scale: lowest and highest rating there can be.
    """
    centred = ratings - ratings.mean()
    usual = (USUAL_SPREAD * (scale[1] - scale[0])) ** 2
    variance = (centred @ centred + SURE * usual) / (len(ratings) - 1 + SURE)
    return centred / np.sqrt(variance or 1.0)


def _key(photo: Any) -> Hashable:
    """What tells photos apart: their names; of images in memory, which cannot be hashed, which
    object each is.
    """
    in_memory = isinstance(photo, bytes) or not isinstance(photo, Hashable)
    return ("in memory", id(photo)) if in_memory else photo


def _told(photo: Any) -> str:
    """A photo in a message, without its content."""
    return f"<{type(photo).__name__}>" if isinstance(_key(photo), tuple) else repr(photo)


def _weight(count: int) -> float:
    """Of each pair of `count` ratings, in choices; no pair tells more than one."""
    return min(1.0, 2 * TOLD / (count - 1))


def _number(photo: Any, rating: Any) -> float:
    try:
        value = float(rating)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise PreferenceError(f"{photo}: rating {rating!r} is not a number; write one such as 4.")
    return value
