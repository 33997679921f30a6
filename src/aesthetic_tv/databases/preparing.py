"""Rows of a table judged, divided, and put together with their photos in the one schema."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from datasets import Dataset

from aesthetic_tv.databases.checks import (
    Problems,
    check_distributions,
    check_scores,
    check_twice,
    listed,
)
from aesthetic_tv.databases.labels import Labels
from aesthetic_tv.databases.registry import DatabaseEntry, Range
from aesthetic_tv.databases.schema import FEATURES, SPLITS, Database
from aesthetic_tv.databases.splits import SplitSettings, divide
from aesthetic_tv.errors import DatabaseError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Prepared:
    """Rows that wait for their photos.

    Attributes:
        rows: photo, score, distribution and split of each, and user where users are given.
        entry: of the database.
        score_range: of the scale.
        distribution_values: the score that each step of a distribution stands for.
        problems: (photo, reason) of rows left out so far.
        split_source: where the split comes from.
    """

    rows: pd.DataFrame = field(repr=False)
    entry: DatabaseEntry
    score_range: Range
    distribution_values: tuple[float, ...] | None
    problems: Problems = field(repr=False)
    split_source: str

    def database(self, images: pa.Array | pa.ChunkedArray, reasons: np.ndarray) -> Database:
        """The finished database.

        Args:
            images: the image of each row, struct of bytes and path.
            reasons: why each row's photo cannot be used; "" where it can, shape (rows,).

        Raises:
            DatabaseError: no photo can be used.
        """
        good = reasons == ""
        photos = self.rows["photo"]
        # A photo of many users is one problem.
        lost = dict(zip(photos[~good], reasons[~good], strict=True))
        problems = [*self.problems, *lost.items()]
        if not good.any():
            raise DatabaseError(
                f"{self.entry.id}: none of the {len(lost)} photos in the table can be used: "
                f"{listed(list(lost.items()))}."
            )
        rows, kept = self.rows[good], pa.array(np.flatnonzero(good))
        columns = {
            "image": images.take(kept),
            "photo": rows["photo"].tolist(),
            "score": rows["score"].to_numpy(np.float64),
            "distribution": rows["distribution"].tolist(),
            "user": rows["user"].tolist() if "user" in rows else pa.nulls(len(rows)),
            "database": [self.entry.id] * len(rows),
            "split": rows["split"].tolist(),
        }
        table = pa.table(columns).cast(FEATURES.arrow_schema)
        return Database(
            table=Dataset(table),
            entry=self.entry,
            score_range=self.score_range,
            distribution_values=self.distribution_values,
            problems=tuple(problems),
            split_source=self.split_source,
        )


def prepare(
    labels: Labels, entry: DatabaseEntry, score_range: Range | None, split: SplitSettings
) -> Prepared:
    """Judge and divide the rows of a table.

    Raises:
        DatabaseError: no row can be used, all scores are equal, a photo has two scores without
            users, or there is no official split where one is asked for.
    """
    rows = labels.rows.assign(photo=labels.rows["photo"].astype(str))
    if not len(rows):
        raise DatabaseError(f"{entry.id}: the table has no rows.")
    rows, scale, problems = check_scores(rows, score_range, entry.id)
    rows, twice = check_twice(rows, entry.id)
    values = labels.distribution_values
    rows, voteless = check_distributions(rows, values, entry.id)
    if not rows["distribution"].notna().any():
        values = None
    if not entry.higher_is_better:
        rows, values = _turned(rows, values, scale)
    official, rows, nowhere = _official(rows, entry.id)
    together = rows["group" if "group" in rows else "photo"]
    rows["split"], source = divide(together, official, split, entry.id)
    found = [*problems, *twice, *voteless, *nowhere]
    return Prepared(rows, entry, scale, values, found, source)


def _turned(
    rows: pd.DataFrame, values: tuple[float, ...] | None, scale: Range
) -> tuple[pd.DataFrame, tuple[float, ...] | None]:
    """Scores the other way round on the same scale, so that higher is better."""
    ends = sum(scale)
    turned = [None if shares is None else shares[::-1] for shares in rows["distribution"]]
    rows = rows.assign(
        score=ends - rows["score"], distribution=pd.Series(turned, index=rows.index, dtype=object)
    )
    return rows, None if values is None else tuple(ends - value for value in reversed(values))


def _official(rows: pd.DataFrame, database: str) -> tuple[pd.Series | None, pd.DataFrame, Problems]:
    """The makers' split in our words; rows of a split without a name are left out."""
    if "split" not in rows:
        return None, rows, []
    given = rows["split"].astype(str).str.strip()
    named = given.str.lower().map(SPLIT_NAMES)
    if named.isna().all():
        raise DatabaseError(
            f"{database}: the splits are called {', '.join(sorted(set(given))[:5])}; expected "
            f"{', '.join(SPLITS)}."
        )
    lost = named.isna()
    problems = [
        (str(photo), f"the split {split!r} is none of {', '.join(SPLITS)}.")
        for photo, split in zip(rows["photo"][lost], given[lost], strict=True)
    ]
    rows = rows[~lost].reset_index(drop=True)
    return named[~lost].reset_index(drop=True), rows, problems
