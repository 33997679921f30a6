"""Tars, plain or compressed: what they hold, and reading it."""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from aesthetic_tv.databases.archive_entries import (
    ArchiveLimits,
    Entry,
    check_count,
    check_size,
    is_clutter,
    refused,
    safe_name,
)
from aesthetic_tv.databases.archive_volumes import Joined
from aesthetic_tv.databases.zip_directory import broken
from aesthetic_tv.errors import ArchiveError

OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
EXTENDED = (*LONG_NAMES, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
LONGEST = 1 << 20  # bytes of a header that says more of the next entry: a name, a date
PIECE = 1 << 20
AHEAD = 1 << 16  # packed bytes to begin with, so that a table at the start may be well packed
DAMAGE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


class _Header(tarfile.TarInfo):
    """A header, refused where it would fill the memory, and which tells the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        if header.type in EXTENDED and header.size > LONGEST:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> "_Header":
        try:
            return super().fromtarfile(tarfile)
        except _END_BLOCK:
            tarfile.whole = True  # type: ignore[attr-defined]
            raise


_END_BLOCK = tarfile.EOFHeaderError  # type: ignore[attr-defined]


class _Counted:
    """What comes out of a compressed file, refused as soon as it grows as no photos do.

    Args:
        file: what is unpacked.
        packed: what it is unpacked from.
        name: for the errors.
        limits: on the growth and the whole.
    """

    def __init__(self, file: IO[bytes], packed: IO[bytes], name: str, limits: ArchiveLimits):
        self._file, self._packed, self._name, self._limits = file, packed, name, limits
        self._count = 0

    def read(self, size: int) -> bytes:
        content = self._file.read(size)
        self._count += len(content)
        check_size(self._count, self._name, self._packed.tell() + AHEAD, self._limits)
        return content

    def drain(self) -> None:
        """Read what is left, so that the checksum at the end is looked at."""
        while self.read(PIECE):
            pass

    def close(self) -> None:
        self._file.close()


class TarArchive:
    """A tar that is open to be read. A compressed one is read through for its contents, and again
    for its files.

    Args:
        paths: its volumes; one for most.
        name: for messages.
        limits: on what it holds.
    """

    def __init__(self, paths: Sequence[Path], name: str, limits: ArchiveLimits):
        self.name, self.limits = name, limits
        self.packed = sum(path.stat().st_size for path in paths)
        self._paths = paths

    def __enter__(self) -> "TarArchive":
        return self

    def __exit__(self, *_: object) -> None: ...

    def entries(self) -> Iterator[Entry]:
        """Files and folders with safe names, without clutter.

        Raises:
            ArchiveError: a link, a device, a name that leads out, too much of anything, or an
                archive that is damaged or cut off.
        """
        for header, _ in self._headers():
            entry = self._entry(header)
            if entry is not None:
                yield entry

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """The files among some entries, each to be read, piece by piece, before the next.

        Raises:
            ArchiveError: damaged, or not what it was when its entries were listed.
        """
        wanted = iter([entry for entry in entries if not entry.is_folder])
        for header, tar in self._headers():
            entry = self._entry(header)
            if entry is None or entry.is_folder:
                continue
            if entry != next(wanted, None):
                raise broken(self.name, "was changed while it was read")
            yield entry, self._pieces(header, tar)

    def _pieces(self, header: tarfile.TarInfo, tar: tarfile.TarFile) -> Iterator[bytes]:
        with self._damage_told():
            content = tar.extractfile(header)
            while content is not None and (piece := content.read(PIECE)):
                yield piece

    def _headers(self) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
        with self._damage_told(), self._opened() as file:
            yield from self._walked(file)

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except ArchiveError:
            raise
        except DAMAGE as error:
            told = str(error) or type(error).__name__
            raise broken(self.name, f"is damaged or cut off ({told})") from error

    def _walked(self, file: Any) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
        start = file.read(6)
        file.seek(0)
        opener = next((OPENERS[magic] for magic in OPENERS if start.startswith(magic)), None)
        stream = None
        if opener is not None:
            stream = _Counted(opener(file), file, self.name, self.limits)
        mode: Any = "r:" if stream is None else "r|"
        source: Any = stream or file
        with tarfile.open(fileobj=source, mode=mode, tarinfo=_Header) as tar:
            count, members = 0, tar.members  # type: ignore[attr-defined]
            while (header := tar.next()) is not None:
                count += 1
                check_count(count, self.name, self.limits)
                yield header, tar
                members.clear()  # it would keep all of them
            if not getattr(tar, "whole", False):
                raise broken(self.name, "is cut off: it has no end")
        if stream is not None:
            stream.drain()

    def _opened(self) -> IO[bytes]:
        if len(self._paths) == 1:
            return self._paths[0].open("rb")
        return io.BufferedReader(Joined(self._paths))

    def _entry(self, header: tarfile.TarInfo) -> Entry | None:
        name = safe_name(header.name, self.name, self.limits)
        plain = header.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
        if not (header.isdir() or (plain and not header.issparse())):
            raise refused(self.name, header.name, "is a link, a device or such")
        if not name or is_clutter(name):
            return None
        return Entry(name, 0 if header.isdir() else header.size, header.isdir())
