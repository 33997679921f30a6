"""The table of a folder's scores: its rows, what it may be called, and how it is written. It needs
no PyTorch, so that a name that cannot be is refused at once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aesthetic_tv.errors import OutputError
from aesthetic_tv.files import atomic_path, write_csv

FORMATS = (".csv", ".parquet", ".json")


@dataclass(frozen=True)
class ScoredPhoto:
    """One row of the table.

    Attributes:
        photo: path relative to the folder, with `/`.
        score: on the scorer's scale, higher is better; `None` when skipped.
        rank: 1 is best, no two alike; `None` when skipped.
        skipped: why the photo has no score; empty when it has one.
    """

    photo: str
    score: float | None = None
    rank: int | None = None
    skipped: str = ""


def check_output(out: Path, overwrite: bool) -> None:
    """Refuse a table that cannot be written, before any photo is scored.

    Raises:
        OutputError: another suffix than `FORMATS`, a folder, or a file that may not be replaced.
    """
    if out.suffix.lower() not in FORMATS:
        raise OutputError(f"{out}: expected a name ending in {', '.join(FORMATS)}.")
    if out.is_dir():
        raise OutputError(f"{out} is a folder; name a file.")
    if out.exists() and not overwrite:
        raise OutputError(
            f"{out} exists; name another file, or replace it with `overwrite` (--overwrite)."
        )


def ranked(rows: Sequence[ScoredPhoto]) -> list[ScoredPhoto]:
    """The scored photos from best to worst."""
    return sorted((row for row in rows if row.rank), key=lambda row: row.rank or 0)


def write_scores(out: Path, rows: Sequence[ScoredPhoto]) -> None:
    """Write the table, atomically, in the format that its name says."""
    columns: dict[str, list[Any]] = {
        "photo": [row.photo for row in rows],
        "score": [row.score for row in rows],
        "rank": [row.rank for row in rows],
        "skipped": [row.skipped for row in rows],
    }
    table = list(zip(*columns.values(), strict=True))
    if out.suffix.lower() == ".csv":
        write_csv(out, [columns, *table])
        return
    with atomic_path(out) as temporary:
        if out.suffix.lower() == ".json":
            records = [dict(zip(columns, row, strict=True)) for row in table]
            temporary.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", "utf-8")
        else:
            _write_parquet(temporary, columns)


def _write_parquet(path: Path, columns: dict[str, list]) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(
        [
            ("photo", pyarrow.string()),
            ("score", pyarrow.float64()),
            ("rank", pyarrow.int64()),
            ("skipped", pyarrow.string()),
        ]
    )
    parquet.write_table(pyarrow.table(columns, schema=schema), path)
