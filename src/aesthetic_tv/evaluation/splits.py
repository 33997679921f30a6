"""Which photos a person's taste is learned from, and on which it is tested.

Splits are drawn once, written to a file that can be shipped and cited, and checked whenever they
are used: no photo, and no near duplicate of one, is on both sides.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aesthetic_tv.databases.overlap import Overlap
from aesthetic_tv.errors import DatabaseError, FormatError, OverlapError, SettingError
from aesthetic_tv.evaluation.duplicates import PhotoHashes
from aesthetic_tv.evaluation.people import People, Person
from aesthetic_tv.files import FORMAT_VERSION, config_value, reading, write_json
from aesthetic_tv.scorer.images import Photo

FILE = "splits.json"
LEAST_QUERY = 10  # photos that a query set has at least
ATTEMPTS = 100  # draws until the support set has two different ratings
SHOWN = 5  # names in a message


@dataclass(frozen=True)
class Split:
    """Positions of photos to fit on (n,), and of photos to test on (m,)."""

    support: np.ndarray
    query: np.ndarray


@dataclass(frozen=True, eq=False)
class Splits:
    """The splits of all people.

    Args:
        photos: names of the N photos.
        sha256: of their content.
        of_person: splits by person, shots and draw.
        seed: that they were drawn with.
        left_out: people without splits, and why.
        group_of: whom each person is averaged with besides all, where people are told apart.
    """

    photos: tuple[str, ...]
    sha256: tuple[str, ...]
    of_person: Mapping[str, Mapping[int, Sequence[Split]]] = field(repr=False)
    seed: int
    left_out: Mapping[str, str] = field(default_factory=dict, repr=False)
    group_of: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def draw(
        cls,
        people: People,
        sha256: Sequence[str],
        groups: np.ndarray,
        *,
        shots: Sequence[int],
        trials: int,
        seed: int = 0,
        query: int | None = None,
        least_query: int | None = None,
    ) -> "Splits":
        """Draw `trials` splits for each person and number of shots.

        Every person, number of shots and draw has a seed of its own: one shared seed would move
        all means at once. The query set is everything else the person rated (of a person with
        photos that are only tested on, those), but for duplicates of the support set.

        Args:
            people: who rated what.
            sha256: of each photo's content.
            groups: (N,) one number for all duplicates of a photo, as by `PhotoHashes.groups`.
            shots: sizes of the support set.
            trials: draws.
            seed: of all of them.
            query: size of the query set, drawn at random; everything when `None`.
            least_query: a person who has fewer photos to test on is left out; `LEAST_QUERY` when
                `None`, and `query` where that is given.

        Raises:
            SettingError: shots, query or least_query below 2, or no draws.
            DatabaseError: nobody rated enough photos.
        """
        if not shots or min(shots) < 2 or trials < 1:
            raise SettingError(
                f"shots are {list(shots)} and trials {trials}; expected shots of 2 or more, and 1 "
                "trial or more."
            )
        least = query or least_query or LEAST_QUERY
        if least < 2:
            raise SettingError(f"{least} photos to test on; expected 2 or more.")
        of_person, left_out = dict[str, dict[int, list[Split]]](), dict[str, str]()
        for person in people.persons:
            try:
                of_person[person.name] = {
                    n: [_draw(person, groups, n, t, seed, query, least) for t in range(trials)]
                    for n in shots
                }
            except _TooFewError as error:
                left_out[person.name] = str(error)
        if not of_person:
            raise DatabaseError(
                f"{people.database}: nobody rated enough photos for shots {list(shots)}: "
                + "; ".join(f"{who}: {why}" for who, why in list(left_out.items())[:SHOWN])
            )
        known = {x.name: x.group for x in people.persons if x.group and x.name in of_person}
        return cls(people.names, tuple(sha256), of_person, seed, left_out, known)

    def cases(self, person: str) -> Iterator[tuple[int, int, Split]]:
        """Shots, draw and split, one after the other; the first draw of all shots comes first."""
        of_shots = self.of_person[person]
        for draw in range(max(map(len, of_shots.values()))):
            for shots, splits in of_shots.items():
                if draw < len(splits):
                    yield shots, draw, splits[draw]

    def check(self, people: People, sha256: Sequence[str], groups: np.ndarray) -> None:
        """Refuse splits that are not of these people and photos, or that leak.

        Args:
            people: as for `draw`.
            sha256: as for `draw`.
            groups: as for `draw`.

        Raises:
            OverlapError: a photo, or a near duplicate of it, is in the support set and in the query
                set of one person; all such pairs stand in its `overlaps`.
            FormatError: a person or photo is unknown, has another content, or was not rated.
        """
        if self.photos != people.names or self.sha256 != tuple(sha256):
            then = dict(zip(self.photos, self.sha256, strict=True))
            now = dict(zip(people.names, sha256, strict=True))
            other = sorted(
                name for name in then.keys() | now.keys() if then.get(name) != now.get(name)
            )
            raise FormatError(
                f"these splits are of other photos: {', '.join(other[:SHOWN]) or 'other order'} "
                f"({len(other)} photos are missing, new or of other content). Use the database "
                "that they were drawn for, or draw new ones."
            )
        persons = {person.name: person for person in people.persons}
        overlaps = list[Overlap]()
        for name in self.of_person:
            if name not in persons:
                raise FormatError(f"these splits know {name!r}, who is not among the people.")
            rated, tested = persons[name].rows, persons[name].tested
            for shots, draw, split in self.cases(name):
                both = np.concatenate([split.support, split.query])
                if len(split.support) != shots or not np.isin(both, rated).all():
                    raise FormatError(
                        f"the split of {name!r}, {shots} shots, draw {draw} is not one of photos "
                        "that this person rated; draw new ones."
                    )
                if np.isin(split.support, () if tested is None else tested).any():
                    raise FormatError(
                        f"the split of {name!r}, {shots} shots, draw {draw} fits on photos that "
                        "are only to be tested on; draw new ones."
                    )
                overlaps += self._overlaps(split, groups)
        if overlaps:
            unique = list(dict.fromkeys(overlaps))
            named = "\n".join(f"  {pair.first} = {pair.second}" for pair in unique[:SHOWN])
            raise OverlapError(
                f"{len(unique)} pairs of one photo, or of near duplicates, are both in a support "
                f"set and in the query set that belongs to it; draw new splits:\n{named}",
                unique,
            )

    def _overlaps(self, split: Split, groups: np.ndarray) -> Iterator[Overlap]:
        for row in split.query[np.isin(groups[split.query], groups[split.support])]:
            twin = split.support[groups[split.support] == groups[row]][0]
            yield Overlap(self.photos[twin], self.photos[row], self.sha256[row])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write names, hashes and positions: no ratings, no photos."""
        write_json(path, self._content(), indent=None)

    @property
    def digest(self) -> str:
        """SHA-256 of the splits, to cite them by."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    def _content(self) -> dict:
        people = {
            name: {
                str(shots): [[split.support.tolist(), split.query.tolist()] for split in splits]
                for shots, splits in of_shots.items()
            }
            for name, of_shots in self.of_person.items()
        }
        return {
            "format_version": FORMAT_VERSION,
            "seed": self.seed,
            "photos": dict(zip(self.photos, self.sha256, strict=True)),
            "people": people,
            "left_out": dict(self.left_out),
            **({"groups": dict(self.group_of)} if self.group_of else {}),
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Splits":
        """The splits of a file; `check` tells whether they fit.

        Raises:
            FormatError: not such a file.
        """
        path = Path(path)
        with reading(path.parent, path.name) as content:
            return cls._made(path, content)

    @classmethod
    def _made(cls, path: Path, content: dict[str, Any]) -> "Splits":
        photos = config_value(content, "photos", dict, path)
        try:
            of_person = {
                name: {
                    int(shots): [Split(*map(_positions, pair)) for pair in splits]
                    for shots, splits in of_shots.items()
                }
                for name, of_shots in config_value(content, "people", dict, path).items()
            }
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FormatError(f"{path} holds no splits ({error}); draw new ones.") from error
        seed = config_value(content, "seed", int, path)
        left_out = config_value(content, "left_out", dict, path)
        group_of = config_value({"groups": {}} | content, "groups", dict, path)
        texts = [*photos.values(), *left_out.values(), *group_of.values()]
        if not all(isinstance(text, str) for text in texts) or not all(of_person.values()):
            raise FormatError(f"{path} holds no splits; draw new ones.")
        return cls(tuple(photos), tuple(photos.values()), of_person, seed, left_out, group_of)


def refuse_trained_on(people: People, names: Sequence[str], photos: Sequence[Photo]) -> None:
    """Refuse people whose photos a vector was trained on.

    Args:
        people: to be evaluated on.
        names, photos: of the database that it was trained on.

    Raises:
        OverlapError: photos of both that are the same or near duplicates; the first are named.
    """
    hashed = PhotoHashes.of([*people.photos, *photos])
    ours = len(people.photos)
    overlaps = [
        Overlap(names[theirs - ours], people.names[own], str(hashed.digests[own]))
        for own, theirs in hashed.pairs()
        if own < ours <= theirs
    ]
    if overlaps:
        named = "\n".join(f"  {pair.first} = {pair.second}" for pair in overlaps[:SHOWN])
        raise OverlapError(
            f"{len(overlaps)} photos of the people, or near duplicates of them, were trained on; "
            f"leave them out, or take other people:\n{named}",
            overlaps,
        )


class _TooFewError(Exception):
    """Too little was rated to split it."""


def case_seed(seed: int, person: str, shots: int, draw: int) -> int:
    """A seed of 64 bits for one person, number of shots and draw."""
    key = json.dumps([seed, person, shots, draw]).encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big")


def _draw(
    person: Person,
    groups: np.ndarray,
    shots: int,
    draw: int,
    seed: int,
    size: int | None,
    least: int,
) -> Split:
    random = np.random.default_rng(case_seed(seed, person.name, shots, draw))
    fitted = np.ones(len(person.rows), dtype=bool)
    if person.tested is not None:
        fitted = ~np.isin(person.rows, person.tested)
    pool = np.flatnonzero(fitted)
    if len(pool) < shots:
        raise _TooFewError(f"{len(pool)} photos to fit on; {shots} are needed")
    for _ in range(ATTEMPTS):
        order = pool[random.permutation(len(pool))]
        support, rest = person.rows[order[:shots]], person.rows[order[shots:]]
        if person.tested is not None:
            rest = random.permutation(person.tested)
        query = rest[~np.isin(groups[rest], groups[support])][:size]
        if len(query) < least:
            raise _TooFewError(
                f"{len(query)} photos to test on beside {shots} to fit on; at least {least} are "
                "needed"
            )
        if np.ptp(person.ratings[order[:shots]]) > 0:
            return Split(np.sort(support), np.sort(query))
    raise _TooFewError(f"{shots} photos of two different ratings were not found")


def _positions(rows: Sequence[int]) -> np.ndarray:
    if not all(type(row) is int and row >= 0 for row in rows):
        raise ValueError(f"{rows!r:.60} are no positions")
    return np.array(rows, dtype=int)
