"""What a reader hands over: the rows of a database's tables, before anything is checked."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.databases.registry import DatabaseEntry, entry
from aesthetic_tv.databases.tables import column, read_table, texts
from aesthetic_tv.errors import DatabaseError

SUFFIXES = (".csv", ".txt", ".tsv", ".xlsx", ".jpgl", ".mat", ".json", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Labels:
    """Rows of a database's tables.

    Attributes:
        rows: the columns photo and score, and where the database has them user, split,
            distribution (votes or shares for each step), file (where the photo is, below an image
            folder, when not under its name), other_file (where else it may be) and group (what a
            split that is drawn must not part, such as the picture that several photos show).
        distribution_values: the score that each step of a distribution stands for.
    """

    rows: pd.DataFrame = field(repr=False)
    distribution_values: tuple[float, ...] | None = None


def find_file(folder: Path, names: Sequence[str], database: DatabaseEntry) -> Path:
    """The first of some label files that is there: at its place, or anywhere below the folder.

    Raises:
        DatabaseError: none of them is; says where to get the database and how to lay it out.
    """
    found = search_file(folder, names)
    if found is None:
        raise missing(folder, names, database)
    return found


def makers_file(
    folder: Path, names: Sequence[str], others: Sequence[str], database: DatabaseEntry
) -> Path:
    """The makers' own label file where it is anywhere below the folder, or else one that others
    made of it, wherever that is.

    Raises:
        DatabaseError: as by `find_file`.
    """
    return search_file(folder, names) or find_file(folder, [*names, *others], database)


def search_file(folder: Path, names: Sequence[str]) -> Path | None:
    """As `find_file`, but `None` where there is none."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    # Archives unpack into folders of their own, and people rename: look a few levels down.
    files = list(_files(folder, depth=3))
    for name in names:
        wanted = name.casefold().split("/")
        same = [file for file in files if file.name.casefold() == wanted[-1]]
        if same:
            return max(same, key=lambda file: (_shared(file, wanted), -len(file.parts), str(file)))
    return None


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        if len(Path(root).relative_to(folder).parts) >= depth:
            folders.clear()
        yield from (Path(root) / name for name in names if name.lower().endswith(SUFFIXES))


def _shared(file: Path, wanted: Sequence[str]) -> int:
    """How many of the last parts of the two paths agree."""
    parts = [part.casefold() for part in file.parts]
    agree = [x == y for x, y in zip(reversed(parts), reversed(wanted), strict=False)]
    return agree.index(False) if False in agree else len(agree)


def missing(folder: Path, names: Sequence[str], database: DatabaseEntry) -> DatabaseError:
    """The error for label files that are not there."""
    found = f"it holds no {' or '.join(names)}" if folder.is_dir() else "there is no such folder"
    title = database.title.split(":")[0]
    source = f"Get {title} from {database.homepage}, and lay" if database.homepage else "Lay"
    layout = "".join(f"\n  {folder}/{name}" for name in database.layout)
    return DatabaseError(f"{folder}: {found}. {source} it out as{layout}")


def mean_votes(votes: pd.DataFrame, values: Sequence[float]) -> pd.DataFrame:
    """Mean score and distribution of each photo from single votes.

    Args:
        votes: the columns photo and score, one row for each vote; votes off the steps are left out.
        values: the steps of the scale.
    """
    scores = pd.to_numeric(votes["score"], errors="coerce")
    counted = pd.crosstab(votes["photo"], scores).reindex(columns=list(values), fill_value=0)
    counts = counted.to_numpy(dtype=np.float64)  # (photos, steps)
    total = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        means = counts @ np.asarray(values, dtype=np.float64) / total
    means[total == 0] = np.nan
    return pd.DataFrame(
        {"photo": counted.index.to_list(), "score": means, "distribution": list(counts)}
    )


def split_tables(
    folder: Path, files: Mapping[str, Sequence[str]], name: str, *, photo: str, score: str
) -> pd.DataFrame:
    """The tables of a database that has one for each split, as one.

    Args:
        folder: of the database.
        files: what the table of each split may be called.
        name: the database's id.
        photo: column of the photos' names.
        score: column of the scores.

    Raises:
        DatabaseError: a table is missing, or has no such columns.
    """
    parts = []
    for split, names in files.items():
        path = find_file(folder, names, entry(name))
        table = read_table(path)
        photos, scores = column(table, [photo], path), column(table, [score], path)
        parts.append(
            pd.DataFrame({"photo": texts(table[photos]), "score": table[scores], "split": split})
        )
    return pd.concat(parts, ignore_index=True)


def split_of(votes: pd.DataFrame, photos: pd.DataFrame) -> pd.DataFrame:
    """Votes with the split of the photo they are for; a photo of no split counts as training."""
    if "split" not in photos:
        return votes
    splits = photos.drop_duplicates("photo").set_index("photo")["split"]
    return votes.assign(split=votes["photo"].map(splits).fillna("train"))
