"""Photos that stay in their zip: read from inside as fast as files, where they were put in without
being packed again, as JPEGs mostly are (`benchmarks/archives.py`).

A table names such a photo `zip://<name>::<archive>`, as `datasets` and fsspec do, so that
`table[0]["image"]` opens it too. These read the zip's table of contents anew for each photo, which
takes milliseconds; training and checks read by `stored_photo`. A tar has no table of contents, and
a compressed one can be read from its start alone: tars are unpacked.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from aesthetic_tv.databases.archive_entries import ArchiveLimits
from aesthetic_tv.databases.zip_archive import LOCAL, ZipArchive
from aesthetic_tv.errors import ArchiveError, PhotoError
from aesthetic_tv.scorer.photo_files import is_photo

_URL = re.compile(r"zip://(?P<name>.+?)::(?P<archive>.+)", re.S)
HEADER = 1 << 18  # bytes in which the header of a JPEG or PNG is, with what cameras write before it
WITH_HEADER = (b"\xff\xd8", b"\x89PNG")  # kinds of which the start is enough to know them


@dataclass(frozen=True)
class ZippedPhoto:
    """A photo in a zip.

    Args:
        archive: the zip.
        name: in the zip.
    """

    archive: Path
    name: str

    def __str__(self) -> str:
        return f"zip://{self.name}::{self.archive}"

    @classmethod
    def of(cls, path: str) -> "ZippedPhoto | None":
        """The photo that a table names so; `None` for a path of a file."""
        found = _URL.fullmatch(path)
        return None if found is None else cls(Path(found["archive"]), found["name"])

    @property
    def size(self) -> int:
        """Bytes.

        Raises:
            PhotoError: it is not in the zip, or that is not there.
        """
        return self._place().size

    def read(self) -> bytes:
        """The bytes of its file.

        Raises:
            PhotoError: it is not there, or damaged.
        """
        place = self._place()
        content = self._stored(place, place.packed)
        if place.is_deflated:
            try:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, place.size)
            except zlib.error as error:
                raise self._damaged() from error
        if len(content) != place.size or zlib.crc32(content) != place.crc:
            raise self._damaged()
        return content

    def header(self) -> bytes:
        """Enough of its bytes to open it, without its pixels; all of them for some kinds.

        Raises:
            PhotoError: as by `read`.
        """
        place = self._place()
        if not place.is_deflated and place.size > HEADER:
            start = self._stored(place, HEADER)
            if start.startswith(WITH_HEADER):
                return start
        return self.read()

    def _stored(self, place: "_Place", count: int) -> bytes:
        try:
            with self.archive.open("rb") as file:
                file.seek(place.offset)
                local = file.read(LOCAL)
                # The name and the extra field may be longer here than in the table of contents.
                lengths = (
                    int.from_bytes(local[26:28], "little"),
                    int.from_bytes(local[28:], "little"),
                )
                file.seek(place.offset + LOCAL + sum(lengths))
                return file.read(count)
        except OSError as error:
            raise PhotoError(
                f"{self}: {self.archive} cannot be read ({error.strerror})."
            ) from error

    def _place(self) -> "_Place":
        try:
            state = self.archive.stat()
            places = _places(self.archive, state.st_mtime_ns, state.st_size)
        except OSError as error:
            raise PhotoError(f"{self}: {self.archive} is not there ({error.strerror}).") from error
        except ArchiveError as error:
            raise PhotoError(f"{self}: {error}") from error
        if self.name not in places:
            raise PhotoError(f"{self}: there is no such file in the archive.")
        return places[self.name]

    def _damaged(self) -> PhotoError:
        return PhotoError(f"{self}: the file is damaged; fetch {self.archive.name} again.")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file is in its zip."""

    offset: int
    packed: int
    size: int
    crc: int
    is_deflated: bool


@lru_cache(maxsize=32)
def _places(archive: Path, modified: int, size: int) -> dict[str, _Place]:
    """The photos of a zip, by their names; kept until the file is another one."""
    del modified, size
    places = {}
    with ZipArchive([archive], archive.name, ArchiveLimits()) as opened:
        for entry in opened.entries():
            info = entry.place
            assert isinstance(info, zipfile.ZipInfo)
            readable = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if not entry.is_folder and readable and is_photo(entry.name) and "::" not in entry.name:
                places[entry.name] = _Place(
                    *(info.header_offset, info.compress_size, info.file_size, info.CRC),
                    is_deflated=info.compress_type == zipfile.ZIP_DEFLATED,
                )
    return places


def photos_in_zip(archive: str | os.PathLike[str]) -> dict[str, ZippedPhoto]:
    """The photos of a zip that can be read where they are, by their names.

    Raises:
        ArchiveError: no whole zip, or one that is not safe to read.
    """
    path = Path(archive).absolute()
    try:
        state = path.stat()
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read ({error.strerror}).") from error
    return {
        name: ZippedPhoto(path, name) for name in _places(path, state.st_mtime_ns, state.st_size)
    }


def stays_packed(archive: Path, limits: ArchiveLimits | None = None) -> bool:
    """Whether a zip holds photos alone, none of them packed again, so that unpacking it would win
    nothing.

    Raises:
        ArchiveError: no whole zip, or one that is not safe to read.
    """
    if archive.suffix.lower() != ".zip":
        return False
    with ZipArchive([archive], archive.name, limits or ArchiveLimits()) as opened:
        infos = [entry.place for entry in opened.entries() if not entry.is_folder]
    return bool(infos) and all(
        isinstance(info, zipfile.ZipInfo)
        and info.compress_type == zipfile.ZIP_STORED
        and is_photo(info.filename)
        and "::" not in info.filename
        for info in infos
    )


def stored_photo(stored: Mapping[str, Any]) -> str | bytes:
    """What to decode of a cell of the column `image`: the path of a file, or its bytes.

    Args:
        stored: `{"bytes", "path"}`, as the column has it when it is not decoded.

    Raises:
        PhotoError: a photo in a zip cannot be read.
    """
    if stored["bytes"] is not None:
        return stored["bytes"]
    zipped = ZippedPhoto.of(stored["path"])
    return stored["path"] if zipped is None else zipped.read()
