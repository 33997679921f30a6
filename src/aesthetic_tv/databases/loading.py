"""From a folder on disk to a table in the one schema."""

import importlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from aesthetic_tv.databases.checks import check_twice
from aesthetic_tv.databases.labels import Labels, missing
from aesthetic_tv.databases.photos import PhotoIndex, Progress, Verify, find_all, unreadable
from aesthetic_tv.databases.preparing import Prepared, prepare
from aesthetic_tv.databases.registry import REGISTRY, DatabaseEntry, entry
from aesthetic_tv.databases.schema import Database
from aesthetic_tv.databases.source import Source
from aesthetic_tv.databases.source_marker import MARKER
from aesthetic_tv.databases.splits import SplitSettings
from aesthetic_tv.errors import DatabaseError, SettingError


def load(
    name: str,
    folder: str | os.PathLike[str],
    *,
    per_person: bool = False,
    split: SplitSettings | None = None,
    verify: Verify = "header",
    source: Source | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Database:
    """Read a database as its makers ship it.

    Rows that cannot be used (no photo, an empty or broken one, a score that is no number or off
    the scale) are left out and named in `Database.problems`.

    Args:
        name: one of `REGISTRY`; "folder" for photos of your own with a table of scores, "hub" for
            a data set on the Hub.
        folder: where the database is unpacked; for "hub", the repo (or a local data set), and for
            "pamela" too, where it is not in a folder here.
        per_person: single persons' scores, one row for each user and photo, instead of means.
        split: how photos are divided; the official way where there is one when not given.
        verify: "exists" looks for each photo and its size, "header" also opens each, "full" decodes
            each (slow).
        source: which columns to read, and the scale; for "folder" and "hub" alone.
        workers: threads that look at photos.
        progress: called with (photos looked at, photos in all).

    Raises:
        DatabaseError: unknown, files are missing (it says where to get them and how to lay them
            out), or no row can be used.
        SettingError: `source` for a database that has its own format, or an unknown `verify`.

    Example:
        >>> database = load("para", "/data/PARA")  # doctest: +SKIP
        >>> database.split("train").table[0]["score"]  # doctest: +SKIP
        3.28
    """
    if verify not in ("exists", "header", "full"):
        raise SettingError(f"verify is {verify!r}; expected 'exists', 'header' or 'full'.")
    known, split = entry(name), split or SplitSettings()
    photos: Path | None = None  # where they lie apart from the tables
    if name == "hub":
        from aesthetic_tv.databases.hub import load_hub

        return load_hub(str(folder), source or Source(), split, verify, workers, progress)
    if known.hub and source is None:
        from aesthetic_tv.databases.pamela import load_rows, tables_at

        # Tables with photos beside them are read below, as those of any other database.
        found = tables_at(folder)
        if found is None:
            return load_rows(str(folder), per_person, split, verify, workers, progress)
        folder, photos = found
    folder = Path(folder)
    if name == "folder":
        from aesthetic_tv.databases.folder import read

        source = source or Source()
        if not folder.is_dir():
            raise missing(folder, ["table of scores"], known)
        known, labels = source.described(known), read(folder, source)
        per_person = "user" in labels.rows
    elif source is not None:
        raise SettingError(f"{name} has a format of its own; source= is for 'folder' and 'hub'.")
    else:
        labels, per_person = _read(known, folder, per_person)
    score_range = known.people_score_range if per_person else known.score_range
    if name == "folder":
        score_range = known.score_range
    prepared = prepare(labels, known, score_range, split)
    files, reasons = _locate(prepared.rows, photos or folder, known, verify, workers, progress)
    if name == "folder":
        prepared, files, reasons = _each_once(prepared, folder, files, reasons)
    return prepared.database(files, reasons)


def people(
    name: str,
    folder: str | os.PathLike[str],
    *,
    split: SplitSettings | None = None,
    verify: Verify = "header",
    source: Source | None = None,
) -> dict[str, Database]:
    """Each user's own scores: `load(..., per_person=True).people()`.

    Raises:
        DatabaseError: as `load`, or the database has no single persons' scores.
    """
    whole = load(name, folder, per_person=True, split=split, verify=verify, source=source)
    return whole.people()


def _read(known: DatabaseEntry, folder: Path, per_person: bool) -> tuple[Labels, bool]:
    if not folder.is_dir():
        raise missing(folder, list(known.layout[:1]), known)
    reader = importlib.import_module(f"aesthetic_tv.databases.{known.reader}")
    if per_person and not known.has_people:
        having = ", ".join(other.id for other in REGISTRY.values() if other.has_people)
        raise DatabaseError(
            f"{known.id} comes without single persons' scores; those of {having} do."
        )
    labels = reader.read_people(folder) if per_person else reader.read(folder)
    return labels, "user" in labels.rows


def _locate(
    rows: pd.DataFrame,
    folder: Path,
    known: DatabaseEntry,
    verify: Verify,
    workers: int | None,
    progress: Progress | None,
) -> tuple[pa.Array, np.ndarray]:
    """Each row's photo as the image column stores it, and why it cannot be used ("" if it can)."""
    index = PhotoIndex(_image_folders(folder, known), _zips(folder))
    # Many rows may share a photo: look at each once.
    names = rows[[name for name in ("file", "photo", "other_file") if name in rows]].fillna("")
    of_row = names.groupby(list(names.columns), sort=False).ngroup().to_numpy()
    unique = names.drop_duplicates().to_numpy()
    given = [[name for name in photo if name] or [""] for photo in unique]
    paths, problems = find_all(index, given)
    found = [position for position, path in enumerate(paths) if path is not None]
    bad = unreadable(
        [path for path in paths if path is not None], verify, workers=workers, progress=progress
    )
    problems |= {found[position]: reason for position, reason in bad.items()}
    reasons = np.array([problems.get(i, "") for i in range(len(unique))], dtype=object)
    whole = pa.array([None if path is None else str(path) for path in paths], pa.string())
    places = whole.take(pa.array(of_row))
    nothing = pa.nulls(len(places), pa.binary())
    return pa.StructArray.from_arrays([nothing, places], ["bytes", "path"]), reasons[of_row]


def _each_once(
    prepared: Prepared, folder: Path, files: pa.Array, reasons: np.ndarray
) -> tuple[Prepared, pa.Array, np.ndarray]:
    """Each photo once, as `check_twice` does it, where a table spells its name in several ways.

    Raises:
        DatabaseError: a photo has two scores, and no users are given to tell them apart.
    """
    given = zip(files.field("path").to_pylist(), prepared.rows["photo"], strict=True)
    names = [name if path is None else os.path.relpath(path, folder) for path, name in given]
    rows = prepared.rows.assign(photo=names, row=np.arange(len(names)))
    kept, problems = check_twice(rows, prepared.entry.id)
    at = kept["row"].to_numpy()
    once = replace(
        prepared,
        rows=prepared.rows.iloc[at].reset_index(drop=True),
        problems=[*prepared.problems, *problems],
    )
    return once, files.take(pa.array(at)), reasons[at]


def _image_folders(folder: Path, known: DatabaseEntry) -> list[Path]:
    """The image folders in the database's folder, or in the one that its archive unpacks to."""
    for base in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        found = [base / name for name in known.image_folders if (base / name).is_dir()]
        if found:
            return found
    return [folder]


def _zips(folder: Path) -> list[Path]:
    """Zips that a fetched database's photos stay in; not those that a user has not unpacked yet."""
    if not (folder / MARKER).is_file():
        return []
    return sorted([*folder.glob("*.zip"), *folder.glob("*/*.zip")])
