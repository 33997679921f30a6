"""The one schema that every database is read into."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from datasets import Dataset, Features, Image, List, Value

from aesthetic_tv.databases.registry import DatabaseEntry, Range
from aesthetic_tv.errors import DatabaseError

SPLITS = ("train", "validation", "test")

FEATURES = Features(
    {
        "image": Image(),  # decoded when it is looked at
        "photo": Value("string"),  # the file's name as the database gives it
        "score": Value("float64"),  # on the database's own scale, higher is better
        "distribution": List(Value("float64")),  # shares of votes, sum 1; null where there are none
        "user": Value("string"),  # who gave the score; null for mean scores
        "database": Value("string"),  # id of the registry
        "split": Value("string"),  # one of SPLITS
    }
)


@dataclass(frozen=True)
class Database:
    """Scored photos in the one schema, and what was found on the way.

    Attributes:
        table: one row for each photo (for each user and photo where users are given), with the
            columns of `FEATURES`.
        entry: what the registry knows of the database.
        score_range: lowest and highest score there can be on its scale.
        distribution_values: the score that each step of `distribution` stands for, such as 1 to 10
            for AVA; `None` where there are no distributions.
        problems: (photo, reason) of every photo or row that was left out.
        split_source: "official", "seeded:<seed>:<validation share>:<test share>", or
            "official, validation seeded:<seed>:<share>" where it was drawn from the official
            training split.
    """

    table: Dataset = field(repr=False)
    entry: DatabaseEntry
    score_range: Range
    distribution_values: tuple[float, ...] | None = None
    problems: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    split_source: str = "official"

    def __post_init__(self):
        if self.table.features != FEATURES:
            raise DatabaseError(
                f"{self.entry.id}: the table has the columns {dict(self.table.features)}; expected "
                f"{dict(FEATURES)}."
            )
        if not self.score_range[0] < self.score_range[1]:
            raise DatabaseError(
                f"{self.entry.id}: score_range is {self.score_range}; expected low < high."
            )

    def __len__(self) -> int:
        return len(self.table)

    @property
    def scores(self) -> np.ndarray:
        """The scores, shape (rows,), float64."""
        return self._column("score").astype(np.float64)

    def split(self, name: str) -> "Database":
        """The rows of one split; the problems stay with the whole.

        Raises:
            DatabaseError: not one of `SPLITS`, or no rows in it.
        """
        if name not in SPLITS:
            raise DatabaseError(f"there is no split {name!r}; expected one of {', '.join(SPLITS)}.")
        rows = np.flatnonzero(self._column("split") == name)
        if not len(rows):
            raise DatabaseError(
                f"{self.entry.id} has no rows for {name} (splits are {self.split_source}); load it "
                "with shares of its own, or use another split."
            )
        return replace(self, table=self.table.select(rows), problems=())

    def people(self) -> "dict[str, Database]":
        """One database for each user, in the order of their first rows.

        Raises:
            DatabaseError: the table holds mean scores, not those of single persons.
        """
        tables = dict(self._by_user())
        if not tables:
            raise DatabaseError(
                f"{self.entry.id}: these are mean scores; single persons' come with "
                "`per_person=True` where a database has them."
            )
        return tables

    def _by_user(self) -> "Iterator[tuple[str, Database]]":
        users = self._column("user")
        names = list(dict.fromkeys(user for user in users if user is not None))
        codes = {name: code for code, name in enumerate(names)}
        of_row = np.array([codes.get(user, -1) for user in users])
        order = np.argsort(of_row, kind="stable")
        bounds = np.searchsorted(of_row[order], np.arange(len(names) + 1))
        for name, start, end in zip(names, bounds, bounds[1:], strict=False):
            rows = order[start:end]
            yield name, replace(self, table=self.table.select(rows), problems=())

    def _column(self, name: str) -> np.ndarray:
        # Arrow, since the numpy format of `datasets` makes float32 of the scores.
        return self.table.with_format("arrow")[name][:].to_numpy(zero_copy_only=False)
