"""PAMELA: `annotations/pamela_<part>.json`, one row for each person and generated image.

A part is `train`, or `val` or `test` of people who are `seen` (they have rows in the training part;
the images are new) or `unseen` (they have none). The data set is read where it was unpacked, and
from the Hub: tables beside images or beside an archive of them, or rows that hold their images.

What its makers ship is known from public programs that read it, not from the data set itself:
lists of objects with `participant_id`, `original_score` from 1 to 5 and `image_path`
(`./images/<name>.png`). Where a column has another name, the usual ones are tried (`USER`, `SCORE`,
`PHOTO`, in this order).
"""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import DownloadManager
from huggingface_hub import HfApi, snapshot_download

from aesthetic_tv.databases.hub import read_rows, told, with_images
from aesthetic_tv.databases.labels import Labels, find_file, missing, search_file
from aesthetic_tv.databases.photos import Progress, Verify
from aesthetic_tv.databases.preparing import SPLIT_NAMES
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.schema import SPLITS, Database
from aesthetic_tv.databases.source import Source
from aesthetic_tv.databases.splits import SplitSettings
from aesthetic_tv.databases.tables import column, find_column, read_table, texts
from aesthetic_tv.errors import DatabaseError

PARTS = ("train", "val_seen", "val_unseen", "test_seen", "test_unseen")
FORMATS = (".json", ".jsonl", ".csv", ".parquet")
USER = ("participant_id", "user_id", "user", "worker_id", "rater_id", "annotator_id", "rater")
SCORE = ("original_score", "rating", "user_score", "score", "liking")
PHOTO = ("image_path", "image_filename", "image_name", "file_name", "filename", "image_id", "image")
_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_TABLE = re.compile(rf"(.*/)?pamela_({'|'.join(PARTS)})({'|'.join(map(re.escape, FORMATS))})")


def read(folder: Path) -> Labels:
    """Mean score of each image over everyone; an image that is tested on, or validated on, by
    anyone counts as that for all.
    """
    return _means(_rows(folder))


def read_people(folder: Path) -> Labels:
    """One row for each person and image, with the makers' part of each."""
    return Labels(_rows(folder))


def tables_at(place: str | os.PathLike[str]) -> tuple[Path, Path] | None:
    """The folders of the tables and of the images; `None` where rows hold the images.

    Args:
        place: a folder here, or a repo on the Hub, which is fetched where it has tables.

    Raises:
        DatabaseError: neither a folder nor the name of a repo; or nothing of the database is there.
        HubError: the Hub refused or failed; see its subclasses.
    """
    folder = Path(place)
    if not folder.is_dir():
        repo = str(place)
        if not _REPO.fullmatch(repo):
            raise missing(folder, [entry("pamela").layout[0]], entry("pamela"))
        with told(repo, Source()):
            names = HfApi().list_repo_files(repo, repo_type="dataset")
            if not any(_TABLE.fullmatch(name) or name.endswith(".zip") for name in names):
                return None
            folder = Path(snapshot_download(repo, repo_type="dataset"))
    places = [folder]
    if not (_has_tables(folder) and _has_images(folder)):
        extract = DownloadManager().extract  # into the cache of `datasets`, once
        places += [Path(str(extract(str(path)))) for path in sorted(folder.glob("*.zip"))]
    tables = next(filter(_has_tables, places), None)
    if tables is not None:
        return tables, next(filter(_has_images, places), tables)
    if any(folder.rglob("*.parquet")):
        return None
    raise missing(folder, [entry("pamela").layout[0]], entry("pamela"))


def load_rows(
    place: str,
    per_person: bool,
    split: SplitSettings,
    verify: Verify,
    workers: int | None,
    progress: Progress | None,
) -> Database:
    """The database of rows that hold their images, on the Hub or in a folder of parquet.

    Args:
        place: the repo, or the folder.
        per_person, split, verify, workers, progress: as for `databases.load`.

    Raises:
        DatabaseError: a column is missing, or no row can be used.
        HubError: see its subclasses.
    """
    known = entry("pamela")
    table, images = read_rows(place, Source())
    if "split" not in table:
        table["split"] = "train"
    parts = [_labelled(rows, str(part), Path(place)) for part, rows in table.groupby("split")]
    rows = pd.concat(parts).sort_values("__row").reset_index(drop=True)
    labels = Labels(rows) if per_person else _means(rows)
    scale = known.people_score_range if per_person else known.score_range
    return with_images(labels, images, known, scale, split, verify, workers, progress)


def _rows(folder: Path) -> pd.DataFrame:
    parts = []
    for part in PARTS:
        names = [f"annotations/pamela_{part}{suffix}" for suffix in FORMATS]
        path = find_file(folder, names, entry("pamela"))
        parts.append(_labelled(read_table(path), part, path))
    return pd.concat(parts, ignore_index=True)


def _labelled(table: pd.DataFrame, part: str, path: Path) -> pd.DataFrame:
    """Photo, user, score and split of each row, and `__row`, which image is its, of such rows."""
    rows = pd.DataFrame(
        {
            "user": texts(table[column(table, USER, path)]),
            "score": table[column(table, SCORE, path)],
            "split": _split(part, path),
        }
    )
    if "__photo" in table:  # rows with images; a number stands where they have no names
        named = find_column(table.drop(columns="__photo"), PHOTO)
        rows["photo"] = texts(table["__photo" if named is None else named])
        return rows.assign(photo=rows["photo"].map(_below_images), __row=table.index)
    return rows.assign(photo=texts(table[column(table, PHOTO, path)]).map(_below_images))


def _below_images(name: str) -> str:
    return name.replace("\\", "/").rpartition("images/")[2].removeprefix("./")


def _split(part: str, path: Path) -> str:
    """One of `SPLITS` for a part such as `pamela_test_unseen`.

    Raises:
        DatabaseError: no part of the database.
    """
    name = part.lower().removeprefix("pamela_").removesuffix("_seen").removesuffix("_unseen")
    if name not in SPLIT_NAMES:
        told = ", ".join(f"pamela_{known}" for known in PARTS)
        raise DatabaseError(f"{path}: the part {part!r} is none of PAMELA's, which are {told}.")
    return SPLIT_NAMES[name]


def _means(rows: pd.DataFrame) -> Labels:
    strict = rows["split"].map(SPLITS.index)  # train < validation < test
    low, high = entry("pamela").people_score_range or (-np.inf, np.inf)
    scores = pd.to_numeric(rows["score"], errors="coerce")
    scores = scores.where(scores.between(low, high), np.nan)
    of_photo = rows.assign(score=scores, split=strict).groupby("photo", sort=False)
    means = of_photo.first()  # where the image is
    means["score"], means["split"] = of_photo["score"].mean(), of_photo["split"].max()
    means = means.drop(columns="user").reset_index()
    return Labels(means.assign(split=means["split"].map(dict(enumerate(SPLITS)))))


def _has_tables(folder: Path) -> bool:
    names = [f"pamela_{PARTS[0]}{suffix}" for suffix in FORMATS]
    return search_file(folder, names) is not None


def _has_images(folder: Path) -> bool:
    return any((base / "images").is_dir() for base in (folder, *folder.iterdir()) if base.is_dir())
