"""Data sets whose rows hold their photos: the photos into files, once each, and the rows without
them beside, so that a database of any size is read by its names and not through memory.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from aesthetic_tv.databases.archive_entries import ArchiveLimits, check_count, check_size, safe_name
from aesthetic_tv.databases.labels import missing
from aesthetic_tv.databases.registry import DatabaseEntry
from aesthetic_tv.errors import ArchiveError, OutputError

IMAGES, LABELS = "images", "labels"
ROWS = 64  # at once, since each holds its photos
_SUFFIX = re.compile(r"\.(jpe?g|png|webp|gif)$", re.I)
KINDS = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif"}


def file_column(image: str) -> str:
    """The column that names the files of a column of images."""
    return f"{image}_file"


def unpack_rows(
    files: Sequence[Path],
    folder: Path,
    photos: Sequence[tuple[str, str]],
    *,
    limits: ArchiveLimits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Put the photos of parquet files into `images/`, and their rows into `labels/`.

    A photo that several rows hold is written once. The rows keep all other columns, and get the
    file's name (`file_column`), empty for a row without a photo.

    Args:
        files: parquet.
        folder: to put them in, which nobody else writes to.
        photos: columns of images, `{"bytes", "path"}` or bytes, each with the column of names.
        limits: on size and count.
        progress: called with (bytes of parquet done, bytes in all).

    Raises:
        ArchiveError: a file is damaged or lacks a column; a name leads out of its folder; or there
            is more than a database has.
        OutputError: it cannot be written.
    """
    limits, total, done = limits or ArchiveLimits(), sum(f.stat().st_size for f in files), 0
    writer = _Photos(folder / IMAGES, limits, total)
    for file in files:
        target = folder / LABELS / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        for share in _unpack_file(file, target, photos, writer):
            if progress is not None:
                progress(done + int(share * file.stat().st_size), total)
        done += file.stat().st_size


def _unpack_file(
    file: Path, target: Path, photos: Sequence[tuple[str, str]], writer: "_Photos"
) -> Iterator[float]:
    """One parquet file; tells the share of its rows that are done."""
    labels: parquet.ParquetWriter | None = None
    try:
        with parquet.ParquetFile(file) as source:
            names = source.schema_arrow.names
            lost = [name for pair in photos for name in pair if name not in names]
            if lost:
                raise ArchiveError(
                    f"{file.name} has the columns {', '.join(names)}; expected one called "
                    f"{lost[0]!r} too."
                )
            rows = 0
            for batch in source.iter_batches(ROWS):
                table = _without_photos(batch, file.name, photos, writer)
                labels = labels or parquet.ParquetWriter(target, table.schema)
                labels.write_table(table)
                rows += len(batch)
                yield rows / max(source.metadata.num_rows, 1)
    except pa.ArrowException as error:
        raise ArchiveError(f"{file.name} is damaged ({error}); fetch it again.") from error
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        if error.errno is None:  # what pyarrow says of a file that is cut off
            raise ArchiveError(f"{file.name} is cut off ({error}); fetch it again.") from error
        raise OutputError(f"{target.parent} could not be written ({error.strerror}).") from error
    finally:
        if labels is not None:
            labels.close()


def _without_photos(
    batch: pa.RecordBatch, file: str, photos: Sequence[tuple[str, str]], writer: "_Photos"
) -> pa.Table:
    table = pa.Table.from_batches([batch])
    for image, name in photos:
        pairs = zip(table[name].to_pylist(), table[image].to_pylist(), strict=True)
        written = [writer.write(file, given, stored) for given, stored in pairs]
        table = table.drop_columns([image]).append_column(
            file_column(image), pa.array(written, pa.string())
        )
    return table.replace_schema_metadata(None)  # of `datasets`, that there are images


class _Photos:
    """Writes photos into a folder, each name once."""

    def __init__(self, folder: Path, limits: ArchiveLimits, packed: int):
        self._folder, self._limits, self._packed = folder, limits, packed
        self._files, self._bytes = dict[str, str](), 0
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, file: str, given: Any, stored: Mapping[str, Any] | bytes | None) -> str:
        """The file of a photo; "" where there is none."""
        content = stored if isinstance(stored, bytes) else (stored or {}).get("bytes")
        if not content or given is None:
            return ""
        given = _SUFFIX.sub("", str(given))
        name = safe_name(given, file, self._limits)
        if not name or "/" in name:
            raise ArchiveError(
                f"{file}: {given[:60]!r} is no name of a photo; refused, nothing was kept."
            )
        if name not in self._files:
            self._bytes += len(content)
            check_count(len(self._files) + 1, file, self._limits)
            check_size(self._bytes, file, self._packed, self._limits)
            kind = next((KINDS[start] for start in KINDS if content.startswith(start)), ".jpg")
            self._files[name] = name + kind
            with (self._folder / self._files[name]).open("xb") as target:
                target.write(content)
        return self._files[name]


def label_tables(folder: Path, database: DatabaseEntry) -> list[Path]:
    """The tables that `unpack_rows` left.

    Raises:
        DatabaseError: there are none; says where to get the database.
    """
    found = sorted(folder.glob(f"{LABELS}/*.parquet")) or sorted(
        folder.glob(f"*/{LABELS}/*.parquet")
    )
    if not found:
        raise missing(folder, [f"{LABELS}/<part>-<number>.parquet"], database)
    return found


def part_of(table: Path) -> str:
    """The part of a data set that a table is of, by its name: `train-00000-of-00006.parquet`; of
    the training where the name does not say.
    """
    start = table.stem.partition("-")[0].lower().removesuffix("_unique")
    return start if start in ("train", "validation", "test") else "train"
