"""What a person has said of photos so far: a value that never changes, so undo is the last one."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.names import one_spelling
from aesthetic_tv.personalization import Preferences

LOWEST, HIGHEST = 1, 5  # stars
PICK, REJECT = 1, -1  # flags, as their file has them

Pair = tuple[str, str]
Value = TypeVar("Value", int, float)


@dataclass(frozen=True)
class Answers:
    """Ratings, comparisons and flags by the photos' names.

    Args:
        ratings: stars of each photo, in [1, 5].
        pairs: (better, worse), one for any two photos.
        passed: photos that the person would rather not rate; not asked for again.
        passed_pairs: pairs likewise.
        flags: `PICK` or `REJECT` of a photo; not asked for any more. Nothing is learned from them:
            a photo is rejected for a blink, too.
    """

    ratings: Mapping[str, float] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    passed: frozenset[str] = frozenset()
    passed_pairs: frozenset[frozenset[str]] = frozenset()
    flags: Mapping[str, int] = field(default_factory=dict)

    def rated(self, name: str, stars: float) -> "Answers":
        """The same and this rating, in place of one of the same photo.

        Raises:
            PreferenceError: not a number from 1 to 5.
        """
        if not (math.isfinite(stars) and LOWEST <= stars <= HIGHEST):
            raise PreferenceError(
                f"{name}: {stars:g} stars; expected a number from {LOWEST} to {HIGHEST}."
            )
        return replace(
            self, ratings={**self.ratings, name: stars}, passed=self.passed - frozenset({name})
        )

    def cleared(self, name: str) -> "Answers":
        """The same without this photo's rating; it is asked for again."""
        ratings = {other: stars for other, stars in self.ratings.items() if other != name}
        return replace(self, ratings=ratings, passed=self.passed - frozenset({name}))

    def flagged(self, name: str, flag: int) -> "Answers":
        """The same and this flag: `PICK`, `REJECT`, or 0 for none."""
        flags = {other: found for other, found in self.flags.items() if other != name}
        return replace(self, flags={**flags, name: flag} if flag else flags)

    def compared(self, better: str, worse: str) -> "Answers":
        """The same and this choice, in place of one between the same two photos.

        Raises:
            PreferenceError: a photo against itself.
        """
        if better == worse:
            raise PreferenceError(f"{better} cannot be better than itself; compare two photos.")
        others = tuple(pair for pair in self.pairs if set(pair) != {better, worse})
        return replace(self, pairs=(*others, (better, worse)))

    def passed_over(self, *names: str) -> "Answers":
        """The same, and this photo, or this pair, is not asked for any more."""
        if len(names) == 1:
            return replace(self, passed=self.passed | {names[0]})
        return replace(self, passed_pairs=self.passed_pairs | {frozenset(names)})

    def joined(self, other: "Answers") -> "Answers":
        """Both, and where they differ the other."""
        return replace(
            self,
            ratings={**self.ratings, **other.ratings},
            pairs=_newest(self.pairs, other.pairs),
            passed=self.passed | other.passed,
            passed_pairs=self.passed_pairs | other.passed_pairs,
            flags={**self.flags, **other.flags},
        )

    def changed(self, before: "Answers", now: "Answers") -> "Answers":
        """This, after somebody whose answers were `before` has come to `now`: what differs between
        the two, and nothing else, is done to it.
        """
        ratings = _changed(self.ratings, before.ratings, now.ratings)
        flags = _changed(self.flags, before.flags, now.flags)
        known, kept = set(before.pairs), set(now.pairs)
        pairs = [pair for pair in self.pairs if pair in kept or pair not in known]
        added = [pair for pair in now.pairs if pair not in known]
        return replace(self, ratings=ratings, pairs=_newest(pairs, added), flags=flags)

    def named_as(self, names: Iterable[str]) -> "Answers":
        """The same by these names, where a photo is called by another spelling of one of them, or
        by the bare file name that only one of them has.
        """
        spelled, bare = dict[str, str](), dict[str, list[str]]()
        for name in names:
            spelled[one_spelling(name)] = name
            bare.setdefault(one_spelling(name).rpartition("/")[2], []).append(name)
        called = {name: found[0] for name, found in bare.items() if len(found) == 1} | spelled

        def here(name: str) -> str:
            return called.get(one_spelling(name), name)

        return Answers(
            {here(name): stars for name, stars in self.ratings.items()},
            tuple(
                (here(better), here(worse))
                for better, worse in self.pairs
                if here(better) != here(worse)
            ),
            frozenset(map(here, self.passed)),
            frozenset(frozenset(map(here, pair)) for pair in self.passed_pairs),
            {here(name): flag for name, flag in self.flags.items()},
        )

    def among(self, names: Iterable[str]) -> "Answers":
        """What was said of these photos alone."""
        kept = set(names)
        return Answers(
            {name: stars for name, stars in self.ratings.items() if name in kept},
            tuple(pair for pair in self.pairs if kept.issuperset(pair)),
            self.passed & kept,
            frozenset(pair for pair in self.passed_pairs if kept.issuperset(pair)),
            {name: flag for name, flag in self.flags.items() if name in kept},
        )

    def at(self, paths: Mapping[str, str]) -> "Answers":
        """The same of the photos' paths instead of their names."""
        return Answers(
            {paths[name]: stars for name, stars in self.ratings.items()},
            tuple((paths[better], paths[worse]) for better, worse in self.pairs),
        )

    @property
    def known(self) -> frozenset[str]:
        """The photos that were rated or compared."""
        return frozenset(self.ratings).union(*self.pairs)

    @property
    def settled(self) -> frozenset[str]:
        """The photos whose stars are not asked for any more."""
        return self.passed.union(self.ratings, self.flags)

    def __len__(self) -> int:
        """How many answers were given."""
        return len(self.ratings) + len(self.pairs)

    def preferences(self) -> Preferences | None:
        """All of it; `None` while there is nothing to learn from."""
        if not self.pairs and len(set(self.ratings.values())) < 2:
            return None
        scale = (LOWEST, HIGHEST)
        return Preferences.of(self.ratings or None, self.pairs or None, scale=scale)

    def kept(self) -> dict[str, Any]:
        """As JSON, for the browser to keep."""
        return {
            "ratings": dict(self.ratings),
            "pairs": [list(pair) for pair in self.pairs],
            "passed": sorted(self.passed),
            "passed_pairs": [sorted(pair) for pair in self.passed_pairs],
            "flags": dict(self.flags),
        }

    @classmethod
    def of_kept(cls, content: Any) -> "Answers":
        """From what the browser has kept; whatever is not of this form is left out, since anyone
        can write there.
        """
        if not isinstance(content, Mapping):
            return cls()
        ratings = {
            name: stars
            for name, stars in _named(content.get("ratings"))
            if type(stars) in (int, float) and 1 <= stars <= 5
        }
        flags = {
            name: flag
            for name, flag in _named(content.get("flags"))
            if type(flag) is int and flag in (PICK, REJECT)
        }
        pairs = {frozenset(pair): pair for pair in _pairs(content.get("pairs"))}
        passed = (name for name in _listed(content.get("passed")) if isinstance(name, str))
        passed_pairs = map(frozenset, _pairs(content.get("passed_pairs")))
        return cls(
            ratings, tuple(pairs.values()), frozenset(passed), frozenset(passed_pairs), flags
        )


def _changed(
    there: Mapping[str, Value], before: Mapping[str, Value], now: Mapping[str, Value]
) -> dict[str, Value]:
    """What differs between `before` and `now`, done to what is there."""
    gone = before.keys() - now.keys()
    kept = {name: value for name, value in there.items() if name not in gone}
    return kept | {name: value for name, value in now.items() if before.get(name) != value}


def _newest(pairs: Iterable[Pair], others: Iterable[Pair]) -> tuple[Pair, ...]:
    """Both, one choice between any two photos: the last."""
    found = {frozenset(pair): pair for pair in pairs}
    for pair in others:
        found.pop(frozenset(pair), None)
        found[frozenset(pair)] = pair
    return tuple(found.values())


def _pairs(value: Any) -> list[Pair]:
    found = []
    for pair in _listed(value):
        names = [name for name in _listed(pair) if isinstance(name, str)]
        if len(names) == 2 and names[0] != names[1]:
            found.append((names[0], names[1]))
    return found


def _named(value: Any) -> list[tuple[str, Any]]:
    items = value.items() if isinstance(value, Mapping) else ()
    return [(name, found) for name, found in items if isinstance(name, str)]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
