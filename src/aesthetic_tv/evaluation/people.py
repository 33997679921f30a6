"""Photos, what each of many people said of some of them, and whom of them a protocol tests."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from datasets import Image as Undecoded

from aesthetic_tv.databases import Database
from aesthetic_tv.databases.zip_photos import stored_photo
from aesthetic_tv.errors import DatabaseError, PhotoError, SettingError
from aesthetic_tv.evaluation.protocol import Protocol, PublishedProtocol, protocol_named
from aesthetic_tv.scorer.decoding import Photo, open_photo


@dataclass(frozen=True, eq=False)
class Person:
    """One person's ratings.

    Args:
        name: who.
        rows: positions of the rated photos (m,), each once.
        ratings: (m,) on the scale of all people, higher is better.
        tested: those of the rows that are only tested on; `None` where any may be fitted on.
        group: whom the person is averaged with besides all, such as `seen`; "" where all are alike.
    """

    name: str
    rows: np.ndarray
    ratings: np.ndarray
    tested: np.ndarray | None = None
    group: str = ""

    def kept(self, new: np.ndarray) -> "Person":
        """The same person among fewer photos.

        Args:
            new: position of each photo by its position before, -1 of those that are gone.
        """
        there = new[self.rows] >= 0
        tested = None if self.tested is None else new[self.tested][new[self.tested] >= 0]
        rows, ratings = new[self.rows][there], self.ratings[there]
        return replace(self, rows=rows, ratings=ratings, tested=tested)


@dataclass(frozen=True, eq=False)
class People:
    """N photos and the people who rated some of them.

    Args:
        photos: paths, or images that came without files.
        names: of the photos, as the database has them.
        persons: in the order of their first ratings.
        scale: lowest and highest rating there can be.
        database: id of where it is from.
        problems: (photo, reason) of all that was left out.
        data: what the photos are called in a title, where the database's id does not say it: the
            name of a folder or a repo, never a path.
    """

    photos: tuple[Photo, ...]
    names: tuple[str, ...]
    persons: tuple[Person, ...]
    scale: tuple[float, float]
    database: str
    problems: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    data: str = ""

    @classmethod
    def of(cls, database: Database) -> "People":
        """The people of a database that was loaded with single persons' scores.

        Raises:
            DatabaseError: it holds mean scores.
        """
        users = database.table.select_columns(["user"]).to_pandas()["user"]
        if users.isna().all():
            raise DatabaseError(
                f"{database.entry.id}: these are mean scores; an evaluation needs single persons' "
                "scores, so a database that has them or a table with a column of users."
            )
        names, photos, row = photos_of(database)
        scores = database.scores
        persons = [
            Person(str(user), row[rows], scores[rows])
            for user, rows in users.groupby(users, sort=False).indices.items()
        ]
        scale, whence = database.score_range, database.entry.id
        return cls(photos, names, tuple(persons), scale, whence, database.problems)

    @classmethod
    def fitted_and_tested(cls, database: Database) -> "People":
        """People who are fitted on the training part of a database and tested on its test part.

        Those with ratings in both are `seen`: their test photos are never fitted on. Those with
        none in the training part are `unseen`: fitted on some of their test photos and tested on
        others. Whoever has none in the test part is not among them.

        Raises:
            DatabaseError: it holds mean scores, or nothing in the test part.
        """
        everyone = cls.of(database)
        parts = database.table.select_columns(["user", "split"]).to_pandas()
        _, _, row = photos_of(database)
        database.split("test")  # an error where there is none
        persons = []
        for person in everyone.persons:
            theirs = (parts["user"] == person.name).to_numpy()
            of_part = {
                part: np.isin(person.rows, row[theirs & (parts["split"] == part).to_numpy()])
                for part in ("train", "test")
            }
            train, test = of_part["train"], of_part["test"]
            if not test.any():
                continue
            used, seen = train | test, bool(train.any())
            rows, ratings = person.rows[used], person.ratings[used]
            tested = person.rows[test] if seen else None
            group = "seen" if seen else "unseen"
            persons.append(Person(person.name, rows, ratings, tested, group))
        return replace(everyone, persons=tuple(persons))

    def __len__(self) -> int:
        return len(self.persons)

    def select(self, names: Collection[str]) -> "People":
        """Some of the people; the photos stay.

        Raises:
            DatabaseError: names one that is not there.
        """
        there = {person.name: person for person in self.persons}
        unknown = [name for name in names if name not in there]
        if unknown:
            raise DatabaseError(
                f"{self.database}: nobody is called {unknown[0]!r} ({len(unknown)} such names)."
            )
        return replace(self, persons=tuple(there[name] for name in names))

    def sample(self, count: int | None, seed: int) -> "People":
        """`count` of the people, drawn at random, in random order; all of them when `None`."""
        order = np.random.default_rng([seed, len(self)]).permutation(len(self))
        return replace(self, persons=tuple(self.persons[i] for i in order[:count]))

    def without(self, failures: Mapping[int, str]) -> "People":
        """All but some photos, and the ratings of them.

        Args:
            failures: why, by position.
        """
        if not failures:
            return self
        kept = np.setdiff1d(np.arange(len(self.photos)), list(failures))
        new = np.full(len(self.photos), -1)
        new[kept] = np.arange(len(kept))
        persons = [person.kept(new) for person in self.persons if (new[person.rows] >= 0).any()]
        reasons = tuple((self.names[row], reason) for row, reason in failures.items())
        return replace(
            self,
            photos=tuple(self.photos[row] for row in kept),
            names=tuple(self.names[row] for row in kept),
            persons=tuple(persons),
            problems=(*self.problems, *reasons),
        )

    def means_of_others(self) -> dict[str, np.ndarray]:
        """For each person, the mean of all others' standardized ratings of each photo (N,); 0, the
        mean of a standard rating, where nobody else rated it.
        """
        total, raters = np.zeros(len(self.photos)), np.zeros(len(self.photos))
        own = {person.name: _standardized(person.ratings) for person in self.persons}
        for person in self.persons:
            total[person.rows] += own[person.name]
            raters[person.rows] += 1
        means = {}
        for person in self.persons:
            others, count = total.copy(), raters.copy()
            others[person.rows] -= own[person.name]
            count[person.rows] -= 1
            means[person.name] = np.divide(
                others, count, out=np.zeros(len(others)), where=count > 0
            )
        return means


def photos_of(database: Database) -> tuple[tuple[str, ...], tuple[Photo, ...], np.ndarray]:
    """Each photo of a database once: names and photos (N,), and which one each row is of."""
    table = database.table.select_columns(["photo", "image"])
    stored = table.cast_column("image", Undecoded(decode=False))
    of_row = np.array(stored["photo"][:], dtype=str)
    names, first, row = np.unique(of_row, return_index=True, return_inverse=True)
    images = stored.select(first)["image"]
    return tuple(names.tolist()), tuple(_photo(image) for image in images), row


def _standardized(ratings: np.ndarray) -> np.ndarray:
    return (ratings - ratings.mean()) / (ratings.std() or 1.0)


def _photo(stored: Mapping) -> Photo:
    try:
        photo = stored_photo(stored)
    except PhotoError:  # reported when it is looked at, by its name
        return stored["path"]
    if isinstance(photo, str):
        return photo
    try:
        return open_photo(photo)
    except PhotoError:  # as above
        return photo


def people_of(protocol: PublishedProtocol, database: Database) -> People:
    """Those of a database who are tested, before any is drawn at random.

    Args:
        protocol: a named one.
        database: loaded with single persons' scores.

    Raises:
        DatabaseError: there are too few of them, the database is divided by a seed where the
            makers' own parts are needed, or it holds mean scores.
        SettingError: another database.
    """
    protocol.check_database(database.entry.id)
    if protocol.part != "all" and not database.split_source.startswith("official"):
        raise DatabaseError(
            f"{database.entry.id}: the protocol {protocol.id} tests the makers' own test part, "
            f"which cannot be told here (splits are {database.split_source}); get the whole "
            "database, with all of its tables."
        )
    if protocol.part == "train to test":
        people = People.fitted_and_tested(database)
    else:
        people = People.of(database if protocol.part == "all" else database.split(protocol.part))
    return enough(people, Protocol.named(protocol.id))


def enough(people: People, protocol: Protocol) -> People:
    """Those who rated at least as many photos as the protocol asks for.

    Raises:
        DatabaseError: nobody did, or a named protocol has more people than that.
        SettingError: not the people of a named protocol: of another database, or of another part.
    """
    least, wanted = protocol.least_ratings or 0, protocol.people
    found = [person.name for person in people.persons if len(person.rows) >= least]
    named = None if protocol.protocol is None else protocol_named(protocol.protocol)
    if named is not None:
        _check_people(named, people)
    if len(found) < (1 if named is None else wanted or 1):
        rated = f" rated {least} photos or more" if least else " can be tested"
        most = max((len(person.rows) for person in people.persons), default=0)
        takes = "" if named is None else f"the protocol {named.id} takes {wanted or 'some'}. "
        raise DatabaseError(
            f"{people.database}: {len(found)} of {len(people)} people{rated} (the most is {most} "
            f"photos); {takes}Look whether photos are missing on disk (`aesthetic-tv database "
            "info`), or test fewer people without naming a protocol."
        )
    return people.select(found) if len(found) < len(people) else people


def _check_people(protocol: PublishedProtocol, people: People) -> None:
    """Refuse people who are not this protocol's: of another database, or of another part.

    Raises:
        SettingError: that.
    """
    protocol.check_database(people.database)
    crowd = protocol.part == "test" and len(people) > protocol.settings["people"]
    mixed = protocol.part == "train to test" and not all(x.group for x in people.persons)
    if crowd or mixed:
        raise SettingError(
            f"the protocol {protocol.id} takes the people of one part ({protocol.part}), not all "
            f"{len(people)} of {people.database}; `people_of` of the loaded database gives "
            "them."
        )
