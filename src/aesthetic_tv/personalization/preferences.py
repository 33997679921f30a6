"""What a person prefers, as weighted ordered pairs: from ratings, from pairs, or from a ranking."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from reprlib import repr as short  # content in memory is long
from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image

from aesthetic_tv.errors import PhotoError, PreferenceError
from aesthetic_tv.frames import data_frame
from aesthetic_tv.scorer.decoding import memory_digest, of_tensor, photo_name
from aesthetic_tv.table_file import PHOTO_COLUMNS, RATING_COLUMNS, find_column, some_of

Kind = Literal["ratings", "pairs", "ranking"]
# Rating of each photo: a mapping; a pandas Series whose index names the photos; a pandas DataFrame,
# a `datasets.Dataset` or other rows with a column of photos and one of ratings; (photo, rating).
Ratings: TypeAlias = Mapping[Any, float] | Iterable[tuple[Any, float]] | Any
IN_MEMORY = (Image.Image, np.ndarray, bytes)
# Independent choices between two photos that one rating is worth: on five levels it carries about
# two bits, a choice one.
CHOICES_PER_RATING = 2.0
# Ratings as scores: a standard deviation of a person's ratings is STEEP units of score, in which a
# photo that is one unit above another is chosen in 73 % of cases; the variance of a rating is that
# at which n ratings are worth CHOICES_PER_RATING n choices.
STEEP = 1.4
RATING_NOISE = 4.0 / CHOICES_PER_RATING
# Of a scale's width: the standard deviation of most people's ratings. It counts like SURE ratings,
# for few show little of their spread.
USUAL_SPREAD, SURE = 0.25, 4.0


@dataclass(frozen=True, eq=False, repr=False)
class Preferences:
    """Ordered pairs «`better[p]` over `worse[p]`» with `weights[p]`, over n photos.

    Ratings and comparisons stand side by side: first the pairs that ratings or places make, then
    those that the person compared.

    Attributes:
        photos: the n photos, as the person named them.
        better, worse: (P,) positions in `photos`.
        weights: (P,) above 0, in independent choices: a pair that was compared is one; the
            n (n - 1) / 2 pairs of n ratings are worth 2 n together.
        kind: what they came from; `ratings` and `ranking` may have comparisons besides.
        ratings: (n,) the ratings, NaN of a photo that was compared alone; for a ranking the place
            counted from the end, higher is better; `None` for pairs.
        scale: lowest and highest rating there can be, where they came as ratings.
        compared: how many of the pairs, the last ones, were compared.
    """

    photos: tuple[Any, ...]
    better: np.ndarray
    worse: np.ndarray
    weights: np.ndarray
    kind: Kind
    ratings: np.ndarray | None = None
    scale: tuple[float, float] | None = None
    compared: int = 0

    @classmethod
    def of(
        cls,
        ratings: Ratings | None = None,
        pairs: Iterable[tuple[Any, Any]] | None = None,
        ranking: Sequence[Any] | None = None,
        scale: tuple[float, float] | None = None,
    ) -> "Preferences":
        """From ratings, from pairs or from a ranking, whichever is given; pairs may come beside
        ratings or a ranking. Ratings that are all equal do no harm there.

        Raises:
            PreferenceError: none of them, ratings and a ranking, or nothing to learn from.
        """
        found = sum(x is not None for x in (ratings, pairs, ranking))
        if found == 0 or (ratings is not None and ranking is not None):
            raise PreferenceError(
                f"Give ratings, pairs or a ranking, one of the three; found {found}. Only pairs "
                "may come beside another."
            )
        if ratings is not None:
            if pairs is None:
                return cls.from_ratings(ratings, scale=scale)
            return cls._of_ratings(ratings, scale).with_pairs(pairs)
        if ranking is not None:
            ranked = cls.from_ranking(ranking)
            return ranked if pairs is None else ranked.with_pairs(pairs)
        return cls.from_pairs(pairs or [])

    @classmethod
    def from_ratings(
        cls, ratings: Ratings, *, scale: tuple[float, float] | None = None
    ) -> "Preferences":
        """All pairs of unequal ratings, of equal weight; ties say nothing.

        Args:
            ratings: as for `rating_pairs`; higher is better.
            scale: lowest and highest rating there can be; those given when not said.

        Raises:
            PreferenceError: fewer than 2 photos, a photo that is rated twice, a rating that is no
                finite number or outside the scale, or all ratings equal.
        """
        preferences = cls._of_ratings(ratings, scale)
        count = len(preferences)
        if count < 2:
            raise PreferenceError(f"Rate at least 2 photos; found {count}.")
        if len(preferences.better) == 0:
            assert preferences.ratings is not None
            raise PreferenceError(
                f"All {count} ratings are {preferences.ratings[0]:g}; rate at least one photo "
                "higher or lower than the others."
            )
        return preferences

    @classmethod
    def from_ranking(cls, ranking: Sequence[Any]) -> "Preferences":
        """All pairs of a ranking, best first; a list inside it holds photos of equal rank.

        Raises:
            PreferenceError: fewer than 2 ranks, or a photo that stands in it twice.
        """
        known, places = _Photos(), list[float]()
        for place, entry in enumerate(ranking):
            for photo in entry if isinstance(entry, list | tuple | set) else [entry]:
                if known.at(photo) < len(places):
                    raise PreferenceError(
                        f"{_named(photo)} stands twice in the ranking; name it once."
                    )
                places.append(len(ranking) - place)
        if len(set(places)) < 2:
            raise PreferenceError("A ranking needs at least 2 photos of different rank.")
        return cls._of_values(known, np.array(places, dtype=float), "ranking", None)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[Any, Any]]) -> "Preferences":
        """Pairs (better, worse); a pair that is given m times has weight m, and one that is also
        given the other way round keeps both weights: the loss then settles for the share.

        Raises:
            PreferenceError: no pairs, a photo preferred over itself, or nothing left to learn
                because all pairs contradict each other evenly.
        """
        known = _Photos()
        counts = _counted(pairs, known)
        if all(counts[(a, b)] == counts[(b, a)] for a, b in counts):
            raise PreferenceError(
                "Every pair was judged as often one way as the other; nothing can be learned."
            )
        nothing = np.zeros(0, dtype=int)
        empty = cls(known.photos, nothing, nothing, nothing.astype(float), "pairs")
        return empty._and_compared(counts)

    def with_pairs(self, pairs: Iterable[tuple[Any, Any]]) -> "Preferences":
        """These and, besides, pairs that the person compared; each weighs as much as it is
        worth in independent choices. Ratings and their scale stay what they are.

        Raises:
            PreferenceError: no pairs, or a photo preferred over itself.
        """
        known = _Photos(self.photos)
        counts = _counted(pairs, known)
        ratings = self.ratings
        if ratings is not None:
            ratings = np.append(ratings, np.full(len(known.photos) - len(self), np.nan))
        return replace(self, photos=known.photos, ratings=ratings)._and_compared(counts)

    @classmethod
    def _of_ratings(cls, ratings: Ratings, scale: tuple[float, float] | None) -> "Preferences":
        """Of ratings that may be few or all equal."""
        known, values = _Photos(), list[float]()
        for photo, rating in rating_pairs(ratings):
            if known.at(photo) < len(values):
                raise PreferenceError(f"{_named(photo)} is rated twice; keep one of its ratings.")
            values.append(_number(photo, rating))
        if scale is None and values:
            scale = (min(values), max(values))
        if scale is not None:
            _check_scale(known.photos, values, scale)
        return cls._of_values(known, np.array(values), "ratings", scale)

    @classmethod
    def _of_values(
        cls, known: "_Photos", values: np.ndarray, kind: Kind, scale: tuple[float, float] | None
    ) -> "Preferences":
        better, worse = np.nonzero(values[:, None] > values[None, :])
        weights = np.full(len(better), _weight(len(values)))
        return cls(known.photos, better, worse, weights, kind, values, scale)

    def _and_compared(self, counts: Counter[tuple[int, int]]) -> "Preferences":
        """With pairs of positions that were compared so many times."""
        pairs = np.array(list(counts), dtype=int).reshape(-1, 2)
        return replace(
            self,
            better=np.append(self.better, pairs[:, 0]),
            worse=np.append(self.worse, pairs[:, 1]),
            weights=np.append(self.weights, list(counts.values())).astype(float),
            compared=self.compared + len(pairs),
        )

    def __repr__(self) -> str:
        return f"Preferences({self.described})"

    @property
    def described(self) -> str:
        """What there is, in a few words, such as `50 ratings from 1 to 5`."""
        parts = []
        if self.on_scale and self.scale is not None:
            low, high = self.scale
            parts.append(f"{len(self.on_scale):,} ratings from {low:g} to {high:g}")
        elif self.ratings is not None:
            parts.append(f"a ranking of {len(self.rated):,} photos")
        if self.compared:
            one = "pair" if self.compared == 1 else "pairs"
            parts.append(f"{self.compared:,} compared {one}")
        if self.ratings is None:
            parts.append(f"of {len(self):,} photos")
        return ", ".join(parts).replace(", of ", " of ")

    def to_frame(self) -> Any:
        """A pandas DataFrame of photos and ratings; NaN of a photo that was compared alone, and of
        all photos where there are pairs alone.

        Raises:
            SettingError: pandas is not installed.
        """
        ratings = np.full(len(self), np.nan) if self.ratings is None else self.ratings
        return data_frame({"photo": list(self.photos), "rating": ratings})

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def choices(self) -> float:
        """How many independent choices between two photos all of it is worth."""
        return float(self.weights.sum())

    @property
    def rated(self) -> np.ndarray:
        """Positions of the photos that have a rating, or a place in the ranking."""
        return np.flatnonzero(np.isfinite(self.ratings)) if self.ratings is not None else _NOBODY

    @property
    def on_scale(self) -> dict[int, float]:
        """Rating by position, where they came as ratings: a ranking's places are none."""
        if self.ratings is None or self.scale is None:
            return {}
        return {int(row): float(self.ratings[row]) for row in self.rated}

    @property
    def by_photo(self) -> dict[Any, float] | None:
        """Rating by photo; `None` where there are none (a ranking's places are none), or photos are
        images in memory, which have no name to keep a rating by.
        """
        rated = [(self.photos[row], rating) for row, rating in self.on_scale.items()]
        in_memory = any(isinstance(photo, IN_MEMORY) for photo, _ in rated)
        return None if in_memory or not rated else dict(rated)

    @property
    def targets(self) -> np.ndarray | None:
        """Where the ratings would put the scores of `rated`, but for noise and a common level: of
        mean 0; `None` for pairs and rankings, which know no distances.
        """
        if self.ratings is None or self.scale is None or len(self.rated) < 2:
            return None
        return STEEP * standardized(self.ratings[self.rated], self.scale)

    @property
    def choices_alone(self) -> "Preferences":
        """The pairs that the person compared, without ratings or places; over the same photos."""
        kept = slice(len(self.better) - self.compared, None)
        return replace(
            self.as_pairs(),
            better=self.better[kept],
            worse=self.worse[kept],
            weights=self.weights[kept],
            compared=self.compared,
        )

    def as_pairs(self) -> "Preferences":
        """The same as pairs alone, as the paper takes ratings."""
        everything = len(self.better)
        return replace(self, kind="pairs", ratings=None, scale=None, compared=everything)

    def subset(self, positions: Sequence[int] | np.ndarray) -> "Preferences | None":
        """The preferences among some of the photos, in the order given; `None` when there is no
        pair among them.
        """
        positions = np.asarray(positions, dtype=int)
        new = np.full(len(self), -1)
        new[positions] = np.arange(len(positions))
        better, worse = new[self.better], new[self.worse]
        kept = (better >= 0) & (worse >= 0)
        if not kept.any():
            return None
        compared = int(kept[len(kept) - self.compared :].sum())
        weights, ratings = self.weights[kept], self.ratings
        if ratings is not None:
            ratings = ratings[positions]
            weights[: len(weights) - compared] = _weight(int(np.isfinite(ratings).sum()))
        return Preferences(
            tuple(self.photos[i] for i in positions),
            better[kept],
            worse[kept],
            weights,
            self.kind,
            ratings,
            self.scale,
            compared,
        )


_NOBODY = np.zeros(0, dtype=int)


class _Photos:
    """Photos and their positions. Images in memory have no hash: they are known by their content,
    so that a data set's image is one photo however often it is read.
    """

    def __init__(self, photos: Iterable[Any] = ()):
        self._list = list[Any]()
        self._positions = dict[Any, int]()
        self._met = dict[int, tuple[Any, int]]()  # images, kept so that no other takes their id
        for photo in photos:
            self.at(photo)

    @property
    def photos(self) -> tuple[Any, ...]:
        """In the order of their positions."""
        return tuple(self._list)

    def at(self, photo: Any) -> int:
        """The photo's position, the next one where it is new."""
        if id(photo) in self._met:
            return self._met[id(photo)][1]
        given, photo = photo, of_tensor(photo)
        key = _content(photo) if isinstance(photo, Image.Image | np.ndarray) else photo
        try:
            position = self._positions.setdefault(key, len(self._list))
        except TypeError:
            raise PreferenceError(
                f"found {short(photo)} in place of a photo; expected a path or an image."
            ) from None
        if position == len(self._list):
            self._list.append(photo)
        if key is not photo:
            self._met[id(given)] = (given, position)
        return position


def _named(photo: Any) -> str:
    """A photo in a message: without its content, or the label that stands for it."""
    kinds = (str, os.PathLike, Image.Image, bytes, np.ndarray)
    return photo_name(photo) if isinstance(photo, kinds) else short(photo)


def _content(image: Image.Image | np.ndarray) -> str | int:
    try:
        return memory_digest(image)
    except PhotoError:  # cannot be decoded; it is left out and named when photos are loaded
        return id(image)


def _counted(pairs: Iterable[tuple[Any, Any]], known: _Photos) -> Counter[tuple[int, int]]:
    """How often each pair was given, by positions among the known photos, which grow."""
    counts: Counter[tuple[int, int]] = Counter()
    for pair in pairs:
        positions = [known.at(photo) for photo in pair] if len(pair) == 2 else []
        if len(set(positions)) != 2:
            raise PreferenceError(f"expected a pair of two different photos, got {short(pair)}.")
        counts[(positions[0], positions[1])] += 1
    if not counts:
        raise PreferenceError("No pairs were given; choose the better of two photos first.")
    both_ways = [(a, b) for a, b in counts if (b, a) in counts]
    if both_ways:
        first, second = (known.photos[i] for i in both_ways[0])
        warnings.warn(
            f"{len(both_ways) // 2} pairs were judged both ways, such as {(first, second)}; each "
            "side counts by how often it was chosen.",
            stacklevel=3,
        )
    return counts


WANTED = (
    "expected {photo: rating}, a pandas Series whose index names the photos, rows with a column of "
    "photos and one of ratings, or (photo, rating) pairs"
)


def rating_pairs(ratings: Ratings) -> list[tuple[Any, Any]]:
    """(photo, rating) of each rated photo.

    Args:
        ratings: a mapping; a pandas Series whose index names the photos; a pandas DataFrame, a
            `datasets.Dataset` or a list of rows, with a column of photos (photo, image, file, ...)
            and one of ratings (rating, score, stars, ...); or (photo, rating) pairs, also as an
            array of two columns.

    Raises:
        PreferenceError: something else.
    """
    if isinstance(ratings, str | bytes):
        raise PreferenceError(f"ratings are a {type(ratings).__name__}; {WANTED}.")
    if hasattr(ratings, "columns") and hasattr(ratings, "itertuples"):  # a pandas DataFrame
        columns = list(map(str, ratings.columns))
        photo, rating = _places(columns)
        return [(row[photo], row[rating]) for row in ratings.itertuples(index=False, name=None)]
    if getattr(ratings, "ndim", 1) != 1 and getattr(ratings, "shape", ())[1:] != (2,):
        raise PreferenceError(f"ratings are a {type(ratings).__name__}; {WANTED}.")
    given = ratings.items() if hasattr(ratings, "items") else ratings
    pairs = list[tuple[Any, Any]]()
    for pair in given:
        if isinstance(pair, Mapping):
            photo, rating = _places(list(map(str, pair)))
            values = list(pair.values())
            pairs.append((_of_row(values[photo]), values[rating]))
            continue
        if not isinstance(pair, list | tuple | np.ndarray) or len(pair) != 2:
            raise PreferenceError(f"found {short(pair)} among the ratings; {WANTED}.")
        pairs.append((pair[0], pair[1]))
    return pairs


def _places(columns: Sequence[str]) -> tuple[int, int]:
    """Of the photos and of the ratings among columns."""
    photo, rating = (find_column(columns, names) for names in (PHOTO_COLUMNS, RATING_COLUMNS))
    if photo is None or rating is None:
        what, names = ("photos", PHOTO_COLUMNS) if photo is None else ("ratings", RATING_COLUMNS)
        raise PreferenceError(
            f"the columns {some_of(list(columns))} name no {what}; call one {some_of(names)}."
        )
    return photo, rating


def _of_row(photo: Any) -> Any:
    """A photo of a data set's row: one that is not decoded holds bytes, or a path."""
    if isinstance(photo, Mapping) and photo.keys() <= {"bytes", "path"}:
        return photo.get("bytes") or photo.get("path")
    return photo


def _check_scale(
    photos: Sequence[Any], values: Sequence[float], scale: tuple[float, float]
) -> None:
    rated = zip(photos, values, strict=True)
    outside = [(photo, y) for photo, y in rated if not scale[0] <= y <= scale[1]]
    if outside:
        photo, value = outside[0]
        raise PreferenceError(
            f"{_named(photo)}: rating {value:g} lies outside the scale {scale[0]:g} to "
            f"{scale[1]:g} ({len(outside)} such ratings)."
        )


def standardized(ratings: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """One person's ratings (n,) at mean 0 and standard deviation 1, as far as so few show it.

    Args:
        scale: lowest and highest rating there can be.
    """
    centred = ratings - ratings.mean()
    usual = (USUAL_SPREAD * (scale[1] - scale[0])) ** 2
    variance = (centred @ centred + SURE * usual) / (len(ratings) - 1 + SURE)
    return centred / np.sqrt(variance or 1.0)


def _weight(count: int) -> float:
    """Of each pair of `count` ratings, in choices; no pair is worth more than one."""
    return min(1.0, 2 * CHOICES_PER_RATING / max(count - 1, 1))


def _number(photo: Any, rating: Any) -> float:
    try:
        value = float(rating)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise PreferenceError(
            f"{_named(photo)}: rating {short(rating)} is not a number; write one such as 4."
        )
    return value
