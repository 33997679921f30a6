"""Which columns to read of a table that has no format of its own, and what its scores mean."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from aesthetic_tv.databases.labels import Labels
from aesthetic_tv.databases.registry import DatabaseEntry, Range
from aesthetic_tv.databases.tables import PLACE, PLACES, column, find_column, texts
from aesthetic_tv.errors import DatabaseError, SettingError
from aesthetic_tv.table_file import PHOTO_COLUMNS, SCORE_COLUMNS, unrated

DISTRIBUTION = ("distribution", "rating_counts", "votes", "histogram")
USER = ("user", "user_id", "userid", "worker", "worker_id", "workerid", "rater", "participant_id")
SPLIT = ("split", "set", "subset", "partition")


@dataclass(frozen=True)
class Source:
    """Columns and scale of a table; what is not given is told by the usual names.

    Args:
        table: the table's file, in the folder or elsewhere; the only one there when not given.
        photo: column of the photos' file names (for the Hub: of the images' names).
        image: column of the images, on the Hub alone.
        score: column of the scores.
        distribution: column of lists of votes or shares.
        user: column of who gave the score.
        split: column of the split.
        score_range: lowest and highest score there can be; those found when not given.
        distribution_values: the score of each step of a distribution; 1, 2, ... when not given.
        higher_is_better: whether a higher score is better; scores are turned where not.
        id: what to call the database.
        config: which configuration of a data set on the Hub.
        revision: branch, tag or commit of a data set on the Hub.
        streaming: whether a data set on the Hub is streamed to disk shard by shard, without its
            own files being kept; the rows are the same.
    """

    table: str | None = None
    photo: str | None = None
    image: str | None = None
    score: str | None = None
    distribution: str | None = None
    user: str | None = None
    split: str | None = None
    score_range: Range | None = None
    distribution_values: tuple[float, ...] | None = None
    higher_is_better: bool = True
    id: str | None = None
    config: str | None = None
    revision: str | None = None
    streaming: bool = False

    def __post_init__(self):
        if self.score_range is not None and not self.score_range[0] < self.score_range[1]:
            raise SettingError(f"score_range is {self.score_range}; expected low < high.")

    def described(self, entry: DatabaseEntry) -> DatabaseEntry:
        """The registry's entry with what is known of this source."""
        return replace(
            entry,
            id=self.id or entry.id,
            score_range=self.score_range,
            higher_is_better=self.higher_is_better,
        )

    def labels(self, table: pd.DataFrame, path: Path, *, photos: pd.Series | None = None) -> Labels:
        """The rows of a table by these columns.

        Args:
            table: as `read_table` gives it.
            path: of the table, for the errors.
            photos: names of the photos, where they stand in no column.

        Raises:
            DatabaseError: a column is missing.
        """
        named = None
        if photos is None:
            named = column(table, _named(self.photo, PHOTO_COLUMNS), path)
            photos = texts(table[named])
        rows = pd.DataFrame({"photo": photos})
        scores = table[column(table, _named(self.score, SCORE_COLUMNS), path)]
        if named is not None:
            filled = ["" if unrated(score, named) else score for score in scores]
            scores = pd.Series(filled, index=table.index, dtype=object)
        rows["score"] = scores
        if PLACES in table.attrs:
            rows[PLACE] = table.attrs[PLACES]
        for name, given, usual in (("user", self.user, USER), ("split", self.split, SPLIT)):
            found = _optional(table, given, usual, path)
            if found is not None:
                rows[name] = texts(table[found])
        found = _optional(table, self.distribution, DISTRIBUTION, path)
        values = None
        if found is not None:
            rows["distribution"] = pd.Series(
                [_votes(votes, path) for votes in table[found]], index=rows.index, dtype=object
            )
            values = self.distribution_values or _steps(rows["distribution"])
        return Labels(rows, values)


def _named(given: str | None, usual: Sequence[str]) -> Sequence[str]:
    return usual if given is None else (given,)


def _optional(
    table: pd.DataFrame, given: str | None, usual: Sequence[str], path: Path
) -> str | None:
    return find_column(table, usual) if given is None else column(table, (given,), path)


def _votes(votes: Any, path: Path) -> list[float] | None:
    """A list of votes, from a list or from text such as `[0, 3, 5]` or `0 3 5`."""
    if votes is None or (isinstance(votes, str | float) and str(votes).strip() in ("", "nan")):
        return None
    if isinstance(votes, str):
        text = votes.strip().strip("[]").replace(",", " ").split()
    elif hasattr(votes, "__iter__"):
        text = list(votes)
    else:
        text = [votes]
    try:
        return [float(vote) for vote in text]
    except (TypeError, ValueError):
        shown = json.dumps(votes, default=str)[:60]
        raise DatabaseError(
            f"{path}: the distribution {shown} is not a list of numbers such as [0, 3, 5]."
        ) from None


def _steps(distributions: pd.Series) -> tuple[float, ...] | None:
    first = next((votes for votes in distributions if votes is not None), None)
    return None if first is None else tuple(float(step) for step in range(1, len(first) + 1))
