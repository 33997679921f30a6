"""Unpacking archives of databases: zip, split zip, tar, tar.gz, tar.bz2, tar.xz.

What an archive holds is looked at whole before the first byte is written: names that are absolute
or lead out by `..`, links, devices, two entries of one name, and more or larger ones than a
database has are refused. Files are written into a temporary folder beside the one asked for, which
takes its place when all of them are whole; nothing is ever written elsewhere.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aesthetic_tv.databases.archive_entries import (
    ArchiveLimits as ArchiveLimits,
)
from aesthetic_tv.databases.archive_entries import Entry, check_entries
from aesthetic_tv.databases.archive_volumes import is_archive as is_archive
from aesthetic_tv.databases.archive_volumes import volumes
from aesthetic_tv.databases.tar_archive import TarArchive
from aesthetic_tv.databases.zip_archive import ZipArchive
from aesthetic_tv.errors import ArchiveError, OutputError
from aesthetic_tv.files import atomic_folder

Progress = Callable[[int, int], None]  # bytes written, bytes in all
ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\x08", b"PK00")  # of a zip, an empty one, and volumes
UNREPLACED = "/"  # no file's name: only an empty folder is replaced


@dataclass(frozen=True)
class Contents:
    """What archives hold, looked at whole and found safe.

    Attributes:
        entries: of each archive by its name.
        num_bytes: of all files together when unpacked.
        num_files: how many files.
    """

    entries: dict[str, list[Entry]] = field(repr=False)
    num_bytes: int
    num_files: int


def contents(
    archives: Sequence[str | os.PathLike[str]], *, limits: ArchiveLimits | None = None
) -> Contents:
    """Look at what archives hold, all of it, and write nothing.

    Args:
        archives: of one folder; volumes of one archive are told by their names.
        limits: on size and count.

    Raises:
        ArchiveError: broken, cut off, or not safe to unpack; it names archive and entry.
    """
    with ExitStack() as stack:
        return _checked(_opened(archives, limits or ArchiveLimits(), stack))


def unpack(
    archives: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    limits: ArchiveLimits | None = None,
    progress: Progress | None = None,
) -> Path:
    """Unpack archives into one new folder: all of them, or nothing.

    Args:
        archives: zips, tars, or all volumes of a split one, in any order.
        folder: to make; where it is there, it must be empty.
        limits: on size and count.
        progress: called with (bytes written, bytes in all).

    Returns:
        The folder.

    Raises:
        ArchiveError: broken, cut off, or not safe to unpack; it names archive and entry.
        OutputError: the folder holds something, or cannot be written.
    """
    with ExitStack() as stack:
        opened = _opened(archives, limits or ArchiveLimits(), stack)
        found = _checked(opened)
        with atomic_folder(folder, marker=UNREPLACED, many=True) as temporary:
            _write(opened, found, temporary, progress)
    return Path(folder)


def unpack_into(
    archives: Sequence[str | os.PathLike[str]],
    folder: Path,
    *,
    found: Contents | None = None,
    limits: ArchiveLimits | None = None,
    progress: Progress | None = None,
) -> None:
    """Unpack archives beside what is in a folder, which the caller deletes where this fails.

    Args:
        archives, limits, progress: as for `unpack`.
        folder: which nobody else writes to; files there are never written over.
        found: what `contents` said of the same archives, so that they are not looked at again.

    Raises:
        ArchiveError: as by `unpack`, or a file is there already.
        OutputError: it cannot be written.
    """
    with ExitStack() as stack:
        opened = _opened(archives, limits or ArchiveLimits(), stack)
        _write(opened, found or _checked(opened), folder, progress)


Opened = dict[str, ZipArchive | TarArchive]


def _opened(
    archives: Sequence[str | os.PathLike[str]], limits: ArchiveLimits, stack: ExitStack
) -> Opened:
    opened: Opened = {}
    for name, paths in volumes(map(Path, archives)).items():
        try:
            with paths[0].open("rb") as file:
                start = file.read(4)
            is_zip = start in ZIP or paths[-1].suffix.lower() == ".zip"
            archive = (ZipArchive if is_zip else TarArchive)(paths, name, limits)
            opened[name] = archive
            stack.push(archive)
        except OSError as error:
            raise ArchiveError(f"{paths[0]} cannot be read ({error.strerror or error}).") from error
    if not opened:
        raise ArchiveError("there is no archive to unpack.")
    return opened


def _checked(opened: Opened) -> Contents:
    entries = {name: list(archive.entries()) for name, archive in opened.items()}
    for name, archive in opened.items():
        check_entries(entries[name], name, archive.packed, archive.limits)
        if not any(not entry.is_folder for entry in entries[name]):
            raise ArchiveError(f"{name} holds no files; nothing was unpacked. Fetch it again.")
    every = [entry for some in entries.values() for entry in some]
    if len(opened) > 1:  # in each other's way
        limits = next(iter(opened.values())).limits
        packed = sum(archive.packed for archive in opened.values())
        check_entries(every, " and ".join(opened), packed, limits)
    files = [entry for entry in every if not entry.is_folder]
    return Contents(entries, sum(entry.size for entry in files), len(files))


def _write(opened: Opened, found: Contents, folder: Path, progress: Progress | None) -> None:
    """Write all files below a folder of ours, in which nothing but them is made."""
    written, made = 0, set[Path]()
    try:
        for name, archive in opened.items():
            for entry in found.entries[name]:
                if entry.is_folder:
                    (folder / entry.name).mkdir(parents=True, exist_ok=True)
            for entry, pieces in archive.contents(found.entries[name]):
                target = folder / entry.name
                if target.parent not in made:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    made.add(target.parent)
                size = 0
                for size in _copied(pieces, target):
                    if progress is not None:
                        progress(written + size, found.num_bytes)
                if size != entry.size:
                    raise ArchiveError(
                        f"{name}: the entry {entry.name!r} has {size:,} bytes, expected "
                        f"{entry.size:,}; it is cut off, fetch it again."
                    )
                written += size
    except FileExistsError as error:
        raise ArchiveError(
            f"{Path(str(error.filename)).relative_to(folder)} would be unpacked twice; nothing was "
            "kept. Unpack the archives into folders of their own."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{folder} could not be written ({error.strerror or error}); nothing was kept."
        ) from error


def _copied(pieces: Iterator[bytes], target: Path) -> Iterator[int]:
    """Write one file, and tell the bytes written so far; an empty one tells nothing."""
    size = 0
    with target.open("xb") as file:  # never over another
        for piece in pieces:
            size += file.write(piece)
            yield size
