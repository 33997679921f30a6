"""Zips, whole or in volumes: what they hold, and reading it."""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from aesthetic_tv.databases.archive_entries import (
    ArchiveLimits,
    Entry,
    is_clutter,
    refused,
    safe_name,
)
from aesthetic_tv.databases.archive_volumes import Joined
from aesthetic_tv.databases.zip_directory import (
    broken,
    count_entries,
    find_directory,
    joined_directory,
)
from aesthetic_tv.errors import ArchiveError

METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
PIECE = 1 << 20
LOCAL = 30  # bytes before an entry's name and content
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


class ZipArchive:
    """A zip that is open to be read.

    Args:
        paths: its volumes; one for most.
        name: for messages.
        limits: on what it holds.

    Raises:
        ArchiveError: cut off, damaged, or with too many entries.
    """

    def __init__(self, paths: Sequence[Path], name: str, limits: ArchiveLimits):
        self.name, self.limits = name, limits
        self.packed = sum(path.stat().st_size for path in paths)
        file = _opened(paths, name)
        try:
            directory = find_directory(file, name)
            # Where it stands, which is later than told where something was put before the zip.
            start = directory.end - directory.size
            if start < 0:
                raise broken(name, "is cut off at its start")
            count_entries(file, start, directory.size, name, limits)
            self._zip = zipfile.ZipFile(file)
        except DAMAGE as error:
            file.close()
            if isinstance(error, OSError) and not isinstance(error, EOFError):
                raise broken(name, f"cannot be read ({error.strerror or error})") from error
            raise broken(name, f"is damaged ({error})") from error
        except ArchiveError:
            file.close()
            raise

    def __enter__(self) -> "ZipArchive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def entries(self) -> Iterator[Entry]:
        """Files and folders with safe names, without clutter.

        Raises:
            ArchiveError: a link, a device, a name that leads out, an entry that cannot be read, or
                entries that share their bytes.
        """
        infos = self._zip.infolist()
        self._check_apart(infos)
        for info in infos:
            name = safe_name(info.filename, self.name, self.limits)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise refused(self.name, info.filename, "is a link or a device")
            if info.flag_bits & 0x1:
                raise refused(self.name, info.filename, "is locked by a password")
            if info.compress_type not in METHODS:
                raise refused(
                    self.name, info.filename, "is packed in a way that cannot be read here"
                )
            if name and not is_clutter(name):
                yield Entry(name, 0 if info.is_dir() else info.file_size, info.is_dir(), info)

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """The files among some entries, each to be read, piece by piece, before the next.

        Raises:
            ArchiveError: while reading a damaged one.
        """
        for entry in entries:
            if not entry.is_folder:
                yield entry, self._pieces(entry)

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        assert isinstance(entry.place, zipfile.ZipInfo)
        try:
            with self._zip.open(entry.place) as content:
                while piece := content.read(PIECE):
                    yield piece
        except DAMAGE as error:
            raise broken(self.name, f"is damaged at the entry {entry.name!r} ({error})") from error

    def _check_apart(self, infos: Sequence[zipfile.ZipInfo]) -> None:
        """Refuse entries that share bytes, which lets a small zip unpack to anything."""
        end, last = 0, ""
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise refused(self.name, info.filename, f"shares its bytes with {last!r}")
            end, last = info.header_offset + LOCAL + info.compress_size, info.filename


def _opened(paths: Sequence[Path], name: str) -> IO[bytes]:
    """The zip as one file."""
    if len(paths) == 1:
        return paths[0].open("rb")
    whole = Joined(paths)
    if paths[-1].suffix.lower() == ".zip":
        table = joined_directory(io.BufferedReader(whole), whole.starts, name)
        whole.close()
        whole = Joined([*paths, table])
    return io.BufferedReader(whole)
