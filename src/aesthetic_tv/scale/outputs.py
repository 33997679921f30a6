"""The output of a shard: one parquet file, whole or not there, which says what made it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from aesthetic_tv.errors import OutputError
from aesthetic_tv.scale.shards import OUTPUT, Shard

KEY = b"aesthetic_tv"  # in the file's metadata
ROWS = 1 << 16  # of a row group
NOTE = 1 << 20  # bytes at the end of a file that hold our note
SHOWN = 5  # failures that a report names; the output names all


@dataclass
class ShardReport:
    """What became of a shard.

    Attributes:
        shard: its place.
        output: name of the output; empty where there is none.
        identity: of what it held.
        rows, scored: how many, and how many of them have a score.
        failures: why rows have none, of the first few by name.
        problem: why there is no output; empty where there is one.
        notes: what was not as usual, such as a batch that was halved.
        kept: whether an earlier run had made the output; not part of it.
    """

    shard: str
    output: str = ""
    identity: str = ""
    rows: int = 0
    scored: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    notes: dict[str, Any] = field(default_factory=dict)
    kept: bool = False

    @property
    def failed(self) -> int:
        """Rows without a score."""
        return self.rows - self.scored

    def count(self, names: list[str], errors: list[str]) -> None:
        """Add rows and their reasons for having no score."""
        self.rows += len(names)
        for place, (name, error) in enumerate(zip(names, errors, strict=True)):
            self.scored += not error
            if error and len(self.failures) < SHOWN:
                row = self.rows - len(names) + place
                key = name if name not in self.failures else f"{name} (row {row})"
                self.failures[key] = error

    def told(self) -> dict[str, Any]:
        """As the manifest and the output have it."""
        told = asdict(self)
        del told["kept"]
        return told


class ShardWriter:
    """Writes rows to a parquet file, a row group at a time: the same rows are the same bytes.

    Attributes:
        rows: how many were added.

    Args:
        path: to write.
        schema: of the rows.
    """

    def __init__(self, path: Path, schema: pa.Schema):
        self.schema, self.rows = schema, 0
        self._parts, self._count = list[pa.Table](), 0
        self._writer = parquet.ParquetWriter(
            path, schema, compression="zstd", write_page_checksum=True
        )

    def add(self, columns: Mapping[str, Any]) -> None:
        """Add rows."""
        self._parts.append(pa.table(dict(columns), schema=self.schema))
        self._count += len(self._parts[-1])
        self.rows += len(self._parts[-1])
        while self._count >= ROWS:
            whole = pa.concat_tables(self._parts)
            self._writer.write_table(whole.slice(0, ROWS))
            self._parts = [pa.concat_tables([whole.slice(ROWS)]).combine_chunks()]
            self._count -= ROWS

    def close(self, about: Mapping[str, Any]) -> None:
        """Write the rest, and what made it."""
        if self._count:
            self._writer.write_table(pa.concat_tables(self._parts))
        told = json.dumps(about, sort_keys=True, ensure_ascii=False)
        self._writer.add_key_value_metadata({KEY.decode(): told})
        self.abort()

    def abort(self) -> None:
        """Close the file, as it is."""
        self._writer.close()


def made_by(path: Path) -> dict[str, Any] | None:
    """What an output says of itself; `None` for a file that is not one of ours, or damaged."""
    try:
        metadata = parquet.read_metadata(path)
        about = json.loads((metadata.metadata or {})[KEY])
        if metadata.num_rows != about["rows_written"]:
            return None
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
        return None
    return about


def is_readable(path: Path) -> bool:
    """Whether all of an output can be read and its pages have the sums they were written with."""
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            for _ in file.iter_batches(ROWS):
                pass
    except (pa.ArrowException, OSError, ValueError):
        return False
    return True


def kept_report(
    out: Path, shard: Shard, settings: Mapping[str, Any], *, overwrite: bool
) -> ShardReport | None:
    """The report of an earlier run on the same shard with the same settings; `None` where there is
    none, or its output is damaged.

    Raises:
        OutputError: what stands there is of other settings, or is not ours, and may not be
            replaced.
    """
    path = out / (shard.stem + OUTPUT)
    if not path.exists():
        return None
    about = made_by(path)
    if about is None:
        if overwrite or _was_ours(path):
            return None
        raise OutputError(
            f"{path} is there, and is no output of this command; it is left alone. Move it, or "
            "name another folder."
        )
    then = about.get("settings")
    if then != dict(settings):
        if overwrite:
            return None
        raise OutputError(
            f"{path} was made otherwise ({_difference(then, settings)}). Name another folder, or "
            "replace what is in this one with `overwrite` (--overwrite)."
        )
    report = ShardReport(**about["report"], kept=True)
    return report if report.identity == shard.identity and is_readable(path) else None


def _was_ours(path: Path) -> bool:
    """Whether a file is one of ours that was damaged: it cannot be read, and holds our note."""
    with suppress(pa.ArrowException, OSError, ValueError):
        return KEY in (parquet.read_metadata(path).metadata or {})
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - NOTE))
        end = file.read()
    return KEY in end and b"rows_written" in end


def _difference(then: Any, now: Mapping[str, Any]) -> str:
    if not isinstance(then, dict):
        return "by nothing that is known"
    keys = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    return "; ".join(f"{key} {_short(then.get(key))}, now {_short(now.get(key))}" for key in keys)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
