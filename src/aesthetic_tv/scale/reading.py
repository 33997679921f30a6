"""The photos of a shard, one after the other; never all of them in memory."""

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa
from pyarrow import parquet

from aesthetic_tv.errors import AestheticTVError, FormatError, PhotoError
from aesthetic_tv.files import inside
from aesthetic_tv.names import written
from aesthetic_tv.scale.columns import photo_column
from aesthetic_tv.scale.hub_shards import hub_samples
from aesthetic_tv.scale.photo_stream import Sample
from aesthetic_tv.scale.shards import Shard
from aesthetic_tv.scorer.photo_files import PhotoFiles, is_photo

ROWS = 32  # of parquet at once, since each holds its photo
LARGEST = 1 << 30  # bytes of a photo in a shard
BLOCK = 512  # of a tar
NAME_COLUMNS = ("path", "name", "file_name", "filename", "key", "__key__", "url", "id", "photo")
DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError)


class ShardError(AestheticTVError, ValueError):
    """A shard that cannot be read to its end; it has no output, and the others go on."""


def samples_of(shard: Shard, column: str | None = None) -> Iterator[Sample]:
    """The rows of a shard, in its own order.

    Args:
        shard: of any kind.
        column: of parquet and data sets: with the photos; found by its name when not given.

    Raises:
        ShardError: it is cut off or damaged, or cannot be opened.
        SettingError: it lacks the column.
        HubError: the Hub refused or failed; see its subclasses.
    """
    if shard.hub is not None:
        return hub_samples(shard.hub, column)
    path = Path(shard.place)
    if shard.kind == "folder":
        return _of_folder(path)
    return _of_tar(path) if shard.kind == "tar" else _of_parquet(path, column)


def _of_folder(folder: Path) -> Iterator[Sample]:
    try:
        files = PhotoFiles.below(folder)
    except PhotoError as error:
        raise ShardError(str(error)) from error
    for path in files.photos:
        yield Sample(written(path.relative_to(folder).as_posix()), path)
    for paths in files.left_out.values():
        for path in paths:
            name = written(path.relative_to(folder).as_posix())
            yield Sample(name, None, "is of a kind that cannot be read here")


def _of_tar(path: Path) -> Iterator[Sample]:
    """As webdataset packs them: files of one name but for the suffix are one sample."""
    try:
        plain = not path.name.lower().endswith("gz")
        mode: Any = "r:" if plain else "r:gz"
        with path.open("rb") as file, tarfile.open(fileobj=file, mode=mode) as tar:
            yield from _grouped(_members(tar))
            if plain and not _ends_well(file, tar.offset):
                raise ShardError("is cut off: it has no end; fetch or pack it again")
    except ShardError:
        raise
    except DAMAGE as error:
        told = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ShardError(f"is damaged or cut off ({told}); fetch or pack it again") from error


def _ends_well(file: IO[bytes], offset: int) -> bool:
    """Whether the walk ended at the block of zeros that ends a tar."""
    file.seek(offset)
    return file.read(BLOCK) == bytes(BLOCK)


def _members(tar: tarfile.TarFile) -> Iterator[Sample | str]:
    """Photos, and the names of other files."""
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them
        name = written(member.name)
        if member.isdir() or PurePosixPath(member.name).name.startswith("."):
            continue
        if not is_photo(PurePosixPath(member.name).name):
            yield name
        elif not member.isreg():
            yield Sample(name, None, "is a link or a device, which is not followed")
        elif member.size > LARGEST:
            yield Sample(name, None, f"has {member.size:,} bytes; at most {LARGEST:,} are read")
        else:
            content: Any = tar.extractfile(member)
            data = content.read()
            if len(data) < member.size:
                raise ShardError("is cut off in the middle of a photo; fetch or pack it again")
            yield Sample(name, data)


def _grouped(members: Iterator[Sample | str]) -> Iterator[Sample]:
    """Photos; and a row for each sample that has other files but none that is a photo."""
    key, others, photos = "", list[str](), 0
    for member in members:
        name = member if isinstance(member, str) else member.name
        if _key(name) != key:
            if others and not photos:
                yield _without_photo(key, others)
            key, others, photos = _key(name), [], 0
        if isinstance(member, str):
            others.append(name)
        else:
            photos += 1
            yield member
    if others and not photos:
        yield _without_photo(key, others)


def _without_photo(key: str, others: list[str]) -> Sample:
    kinds = ", ".join(PurePosixPath(name).name for name in others[:3])
    return Sample(key, None, f"has no photo, only {kinds}")


def _key(name: str) -> str:
    path = PurePosixPath(name)
    return (path.parent / path.name.partition(".")[0]).as_posix()


def _of_parquet(path: Path, column: str | None) -> Iterator[Sample]:
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            photos = photo_column(schema.names, column)
            names = next((x for x in NAME_COLUMNS if x in schema.names and x != photos), None)
            wanted = [photos] if names is None else [photos, names]
            place = 0
            for rows in file.iter_batches(ROWS, columns=wanted):
                told = [None] * len(rows) if names is None else rows[names].to_pylist()
                for value, name in zip(rows[photos].to_pylist(), told, strict=True):
                    yield _of_row(path.parent, value, name, place)
                    place += 1
    except AestheticTVError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        told = str(error).splitlines()[0][:200]
        raise ShardError(f"is damaged or cut off ({told}); fetch or write it again") from error


def _of_row(folder: Path, value: Any, name: Any, place: int) -> Sample:
    if isinstance(value, dict):
        name, value = (value.get("path") or name), value.get("bytes")
    if name is None and isinstance(value, str):
        name = value
    named = f"row {place}" if name is None else written(str(name))
    if isinstance(value, str):  # a path, which may lead nowhere else
        try:
            return Sample(named, inside(folder, value))
        except (FormatError, OSError, ValueError):
            return Sample(named, None, "is a path out of the shard's own folder; refused")
    if not isinstance(value, bytes):
        return Sample(named, None, "holds no bytes of a photo")
    return Sample(named, value)
