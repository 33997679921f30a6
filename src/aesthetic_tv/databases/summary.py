"""What is in a database, in a few numbers."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from aesthetic_tv.databases.registry import DatabaseEntry, Range
from aesthetic_tv.databases.schema import SPLITS, Database

BINS = 10


@dataclass(frozen=True)
class SplitSummary:
    """Rows, different photos, and the mean, standard deviation and ends of the scores."""

    rows: int
    photos: int
    mean: float
    sd: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Summary:
    """What is in a database.

    Attributes:
        entry: what the registry knows of it.
        num_photos: different photos in the table.
        num_users: different users; 0 for mean scores.
        rows_per_user: fewest to most scores of one user, as text; "" for mean scores.
        score_range: of the scale.
        distribution_values: the score of each step of the distributions, `None` without any.
        split_source: where the split comes from.
        splits: by name; "all" is the whole table.
        edges: of the histogram's bins, shape (BINS + 1,).
        counts: rows in each bin, shape (BINS,).
        num_problems: rows and photos left out.
        problems: how many were left out for each kind of reason, most frequent first.
    """

    entry: DatabaseEntry
    num_photos: int
    num_users: int
    rows_per_user: str
    score_range: Range
    distribution_values: tuple[float, ...] | None
    split_source: str
    splits: dict[str, SplitSummary]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    num_problems: int
    problems: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON wants it."""
        return asdict(self)


def summarize(database: Database) -> Summary:
    """Count a database's rows; photos are not looked at."""
    frame = database.table.select_columns(["photo", "score", "user", "split"]).to_pandas()
    parts = {"all": frame, **{name: frame[frame["split"] == name] for name in SPLITS}}
    per_user = frame["user"].dropna().value_counts()
    counts, edges = np.histogram(frame["score"], BINS, range=database.score_range)
    reasons = pd.Series([reason for _, reason in database.problems], dtype=object)
    # One kind for `the score 7 is out of range` and `the score 9 is out of range`.
    kinds = reasons.str.replace(r"'[^']*'|\d[\d.]*|user \S+", "...", regex=True).value_counts()
    return Summary(
        entry=database.entry,
        num_photos=frame["photo"].nunique(),
        num_users=len(per_user),
        rows_per_user=f"{per_user.min()} to {per_user.max()}" if len(per_user) else "",
        score_range=database.score_range,
        distribution_values=database.distribution_values,
        split_source=database.split_source,
        splits={name: _split(part) for name, part in parts.items() if len(part)},
        edges=tuple(round(float(edge), 6) for edge in edges),
        counts=tuple(int(count) for count in counts),
        num_problems=len(database.problems),
        problems={str(kind): int(count) for kind, count in kinds.items()},
    )


def _split(part: pd.DataFrame) -> SplitSummary:
    scores = part["score"]
    return SplitSummary(
        rows=len(part),
        photos=part["photo"].nunique(),
        mean=float(scores.mean()),
        sd=float(scores.std(ddof=0)),
        lowest=float(scores.min()),
        highest=float(scores.max()),
    )
