"""A database of a recipe as the steps take it: where it lies, what it holds, what it shares."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import numpy as np

from aesthetic_tv.building.made_photos import TABLE
from aesthetic_tv.building.recipe import Columns
from aesthetic_tv.building.recipe import Database as Part
from aesthetic_tv.databases import Database, Source, SplitSettings, load
from aesthetic_tv.databases.overlap import overlaps
from aesthetic_tv.errors import DatabaseError


def load_part(part: Part, folder: str, *, people: bool = False) -> Database:
    """A database of a recipe.

    Args:
        part: of the recipe.
        folder: where it is, as the step `fetch` found; for `hub` the repo.
        people: single persons' scores instead of means, where the database tells them apart.

    Raises:
        DatabaseError: it is not there, or holds nothing that can be used.
    """
    split = SplitSettings(cast(Any, part.split), 0, part.validation, part.test)
    if part.is_fetched:
        return load(part.name, folder, per_person=people, split=split)
    columns = Columns(table=TABLE) if part.made else part.columns
    given = {name: value for name, value in vars(columns).items() if value is not None}
    if columns.score_range is not None:
        given["score_range"] = tuple(columns.score_range)
    if part.hub:
        given["revision"] = part.revision
    return load(part.name, folder, split=split, source=Source(**given, id=part.id))


def cut(database: Database, split: str) -> Database:
    """One of its splits, or `all`."""
    return database if split == "all" else database.split(split)


def apart_from(database: Database, trained: Iterable[Database]) -> tuple[Database, int]:
    """The database without the photos that vectors were trained on, told by their content.

    Args:
        database: to learn a population from, or to test on.
        trained: databases; their training parts are looked at.

    Returns:
        What is left, and how many photos are not.

    Raises:
        DatabaseError: nothing is left.
    """
    shared = set[str]()
    for other in trained:
        shared |= {pair.second for pair in overlaps(other.split("train"), database)}
    if not shared:
        return database, 0
    photos = np.array(database.table["photo"][:], dtype=str)
    kept = np.flatnonzero(~np.isin(photos, sorted(shared)))
    if not len(kept):
        raise DatabaseError(
            f"{database.entry.id}: vectors were trained on all of its photos; name another "
            "database, or another split."
        )
    return replace(database, table=database.table.select(kept)), len(shared)


def with_splits_apart(database: Database) -> tuple[Database, int]:
    """The database with each content in one split alone: what is in the test part too goes from the
    others, what is in the validation part from the training part. Databases off the web have the
    same photo under two names.

    Returns:
        What is left, and how many photos are not.
    """
    splits = np.array(database.table["split"][:], dtype=str)
    photos = np.array(database.table["photo"][:], dtype=str)
    dropped = np.zeros(len(splits), dtype=bool)
    for held, others in (("test", ("train", "validation")), ("validation", ("train",))):
        for other in others:
            if (splits == held).any() and (splits == other).any():
                pairs = overlaps(database.split(held), database.split(other))
                twice = sorted({pair.second for pair in pairs})
                dropped |= (splits == other) & np.isin(photos, twice)
    if not dropped.any():
        return database, 0
    table = database.table.select(np.flatnonzero(~dropped))
    return replace(database, table=table), int(dropped.sum())


def facts_of(database: Database) -> dict[str, Any]:
    """What is to be told of it: photos, splits, what was left out and why."""
    table = database.table.select_columns(["photo", "split", "user"]).to_pandas()
    splits = {name: int(part["photo"].nunique()) for name, part in table.groupby("split")}
    reasons: dict[str, int] = {}
    for _, reason in database.problems:
        reasons[reason] = reasons.get(reason, 0) + 1
    most = sorted(reasons.items(), key=lambda item: -item[1])[:5]
    return {
        "photos": int(table["photo"].nunique()),
        "people": int(table["user"].nunique()),
        "splits": splits,
        "split_source": database.split_source,
        "score_range": list(database.score_range),
        "left_out": len(database.problems),
        "reasons": dict(most),
    }


def spread_rows(count: int, most: int) -> np.ndarray:
    """At most so many rows, evenly from first to last."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)
