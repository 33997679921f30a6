"""Putting fetched files into a database's folder: all of them, or nothing."""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from aesthetic_tv.databases.archive_volumes import volumes
from aesthetic_tv.databases.archives import (
    ArchiveLimits,
    Contents,
    contents,
    is_archive,
    unpack_into,
)
from aesthetic_tv.databases.fetch_progress import Counter, Progress
from aesthetic_tv.databases.file_fetching import linked
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.row_photos import unpack_rows
from aesthetic_tv.databases.source_listing import ListedFile
from aesthetic_tv.databases.source_marker import MARKER, FetchedFile, mark
from aesthetic_tv.databases.sources import DatabaseSource
from aesthetic_tv.databases.zip_photos import stays_packed
from aesthetic_tv.errors import ArchiveError, SourceError
from aesthetic_tv.files import atomic_folder

SPARE = 1 << 28  # bytes to leave on the disk


def place(
    source: DatabaseSource,
    folder: Path,
    paths: Mapping[ListedFile, Path],
    files: Sequence[FetchedFile],
    *,
    unpack_all: bool,
    limits: ArchiveLimits | None,
    progress: Progress | None,
) -> None:
    """Unpack what is packed, put the rest beside it, and mark the folder.

    Args:
        source: of the database.
        folder: of the database; one that was fetched before is replaced.
        paths: where each file is now; they stay there.
        files: the same, for the mark.
        unpack_all: also zips that are as fast to read from inside.
        limits: on what archives may hold.
        progress: called with ("unpacking", bytes done, bytes in all).

    Raises:
        SourceError: an archive is broken or not safe, or the disk is too small; names the database.
        OutputError: the folder cannot be written.
    """
    with _named(source):
        packed = () if unpack_all else _staying(source, paths, limits)
        archives, rows = _sorted(paths, packed)
        for file in packed:
            contents([paths[file]], limits=limits)  # as carefully as what is unpacked
        found = {into: contents(some, limits=limits) for into, some in archives.items()}
        of_rows = sum(path.stat().st_size for some in rows.values() for path in some)
        total = sum(some.num_bytes for some in found.values()) + of_rows
        inner = sum(map(_inner_bytes, found.values()))
        check_disk(source, folder, total + inner, free_bytes(folder))
        counter = Counter("unpacking", total, progress)
        with atomic_folder(folder, marker=MARKER, many=True) as stage:
            for into, some in archives.items():
                (stage / into).mkdir(parents=True, exist_ok=True)
                step = counter.step()
                unpack_into(some, stage / into, found=found[into], limits=limits, progress=step)
            _unpack_inner(stage, limits)  # before what stays packed is there
            for photos, some in rows.items():
                unpack_rows(some, stage, photos, limits=limits, progress=counter.step())
            for file, path in paths.items():
                if file in packed or not (file.is_archive or file.photos):
                    target = stage / file.into / path.name if file.into else stage / file.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    linked(path, target)
            mark(source, stage, files)


def free_bytes(folder: Path) -> int:
    """What is free on the disk of a folder, which need not be there yet."""
    return shutil.disk_usage(next(path for path in folder.parents if path.exists())).free


def check_disk(source: DatabaseSource, folder: Path, size: int, free: int) -> None:
    """Refuse what does not fit.

    Args:
        source: of the database.
        folder: of the database.
        size: bytes that it takes at most at once.
        free: bytes.

    Raises:
        SourceError: both numbers, and the way out.
    """
    if size + SPARE > free:
        raise SourceError(
            f"{source.name} needs {size / 1e9:.2f} GB on the disk of {folder.parent}, its archives "
            f"and what they hold together, and {free / 1e9:.2f} GB are free. Name a data folder on "
            "a larger disk, or leave this database out."
        )


def _staying(
    source: DatabaseSource, paths: Mapping[ListedFile, Path], limits: ArchiveLimits | None
) -> tuple[ListedFile, ...]:
    """Zips that photos stay in. Where there are people, albums are looked at as files as well."""
    if entry(source.name).has_people:
        return ()
    return tuple(file for file, path in paths.items() if stays_packed(path, limits))


Columns = tuple[tuple[str, str], ...]  # of photos and of their names


def _sorted(
    paths: Mapping[ListedFile, Path], packed: Collection[ListedFile]
) -> tuple[dict[str, list[Path]], dict[Columns, list[Path]]]:
    """Archives by the folder they go to, and parquet by the photos that its rows hold."""
    archives, rows = dict[str, list[Path]](), dict[Columns, list[Path]]()
    for file, path in paths.items():
        if file.is_archive and file not in packed:
            archives.setdefault(file.into, []).append(path)
        elif file.photos:
            rows.setdefault(file.photos, []).append(path)
    return archives, rows


def _inner_bytes(found: Contents) -> int:
    """Bytes of archives within archives, which take their room twice."""
    entries = [entry for some in found.entries.values() for entry in some]
    return sum(entry.size for entry in entries if is_archive(entry.name.rpartition("/")[2]))


def _unpack_inner(stage: Path, limits: ArchiveLimits | None) -> None:
    """Unpack archives that were in archives, once: beside where they lie where they hold a single
    folder, and otherwise into a folder of their name, as file managers do.
    """
    inner = [path for path in stage.rglob("*") if is_archive(path.name) and path.is_file()]
    for parent in dict.fromkeys(path.parent for path in inner):
        for name, group in volumes(path for path in inner if path.parent == parent).items():
            found = contents(group, limits=limits)
            (entries,) = found.entries.values()
            alone = len({entry.name.partition("/")[0] for entry in entries}) == 1
            alone = alone and all("/" in entry.name or entry.is_folder for entry in entries)
            into = parent if alone else parent / name.partition(".")[0]
            into.mkdir(exist_ok=True)
            unpack_into(group, into, found=found, limits=limits)
            for path in group:
                path.unlink()


@contextmanager
def _named(source: DatabaseSource) -> Iterator[None]:
    """Let errors of archives inside the block name the database and where it is from."""
    try:
        yield
    except ArchiveError as error:
        raise SourceError(f"{source.name}, from {source.repo_id}: {error}") from error
