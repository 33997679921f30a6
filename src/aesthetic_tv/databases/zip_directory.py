"""The table of contents at the end of a zip: counted before it is read, since it may be made to
fill the memory, and put in order where the zip comes in volumes.

The layout is that of PKWARE's APPNOTE, sections 4.3.12 to 4.3.16 and 4.5.3.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from aesthetic_tv.databases.archive_entries import ArchiveLimits, check_count
from aesthetic_tv.errors import ArchiveError

END, END64, LOCATOR64, ENTRY = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2"
_END = struct.Struct("<4s4H2LH")  # signature, disk, directory's disk, here, in all, bytes, at, text
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
COMMENT = 1 << 16  # the longest text at the end of a zip
MOST_BYTES = 256 << 20  # of a directory
NONE16, NONE32 = 0xFFFF, 0xFFFFFFFF  # "see the extra field"


@dataclass(frozen=True)
class Directory:
    """Where the table of contents is.

    Attributes:
        disk: the volume it starts on, from 0.
        offset: where in that volume.
        size: bytes.
        last_disk: the volume it ends on.
        end: where it ends in the whole.
    """

    disk: int
    offset: int
    size: int
    last_disk: int
    end: int


def find_directory(file: IO[bytes], name: str) -> Directory:
    """The table of contents of a zip.

    Args:
        file: the zip, or all its volumes as one.
        name: for the error.

    Raises:
        ArchiveError: there is none, as at the end of a file that was cut off.
    """
    size = file.seek(0, 2)
    start = max(0, size - COMMENT - _END.size - _LOCATOR64.size - _END64.size)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < _END.size:
        raise broken(name, "has no table of contents at its end: it is cut off, or no zip")
    _, disk, first, _, _, length, offset, _ = _END.unpack_from(tail, at)
    # Of a large zip, the same in 64 bits: right before its locator, which is right before the end.
    locator = at - _LOCATOR64.size
    at64 = locator - _END64.size
    if at64 >= 0 and tail.startswith(LOCATOR64, locator) and tail.startswith(END64, at64):
        _, _, _, _, disk, first, _, _, length, offset = _END64.unpack_from(tail, at64)
        at = at64
    return Directory(first, offset, length, disk, start + at)


def count_entries(file: IO[bytes], start: int, size: int, name: str, limits: ArchiveLimits) -> int:
    """Entries of a table of contents, whatever the zip itself says.

    Args:
        file: the zip.
        start: where the table starts in it.
        size: of the table in bytes.
        name: for the errors.
        limits: on their number.

    Raises:
        ArchiveError: too many, or damaged.
    """
    if size > MOST_BYTES:
        raise broken(name, f"has a table of contents of {size:,} bytes, as no database needs")
    file.seek(start)
    table = file.read(size)
    count = 0
    for count, _ in enumerate(_entries(table, name), 1):
        check_count(count, name, limits)
    return count


def joined_directory(file: IO[bytes], starts: Sequence[int], name: str) -> bytes:
    """A table of contents, and the end of a zip, for volumes that are read as one file: to be laid
    behind them, where it is found before their own.

    Args:
        file: the volumes as one.
        starts: where each volume starts in it, and the end of all.
        name: for the errors.

    Raises:
        ArchiveError: damaged, or a volume is missing.
    """
    known = find_directory(file, name)
    if known.last_disk != len(starts) - 2:
        raise broken(
            name, f"has {known.last_disk + 1} volumes, of which {len(starts) - 1} are here"
        )
    if known.size > MOST_BYTES or known.disk > known.last_disk:
        raise broken(name, "has a damaged table of contents")
    file.seek(starts[known.disk] + known.offset)
    parts = [_moved(entry, starts, name) for entry in _entries(file.read(known.size), name)]
    table, count, at = b"".join(parts), len(parts), starts[-1]
    end64 = _END64.pack(END64, 44, 45, 45, 0, 0, count, count, len(table), at)
    locator = _LOCATOR64.pack(LOCATOR64, 0, at + len(table), 1)
    end = _END.pack(END, 0, 0, NONE16, NONE16, NONE32, NONE32, 0)
    return table + end64 + locator + end


def _entries(table: bytes, name: str) -> Iterator[bytes]:
    at = 0
    while at < len(table):
        if not table.startswith(ENTRY, at) or at + _ENTRY.size > len(table):
            raise broken(name, "has a damaged table of contents")
        lengths = struct.unpack_from("<3H", table, at + 28)  # of name, extra field and comment
        end = at + _ENTRY.size + sum(lengths)
        yield table[at:end]
        at = end


def _moved(entry: bytes, starts: Sequence[int], name: str) -> bytes:
    """An entry whose place counts from the first volume's start, in an extra field of 64 bits."""
    packed, size = struct.unpack_from("<2L", entry, 20)
    length, extra_length = struct.unpack_from("<2H", entry, 28)
    (disk,) = struct.unpack_from("<H", entry, 34)
    (offset,) = struct.unpack_from("<L", entry, 42)
    names = entry[_ENTRY.size :][:length]
    extra = entry[_ENTRY.size + length :][:extra_length]
    long, others = _extra(extra)
    values = list(struct.unpack(f"<{len(long) // 8}Q", long[: len(long) // 8 * 8]))
    try:
        size = values.pop(0) if size == NONE32 else size
        packed = values.pop(0) if packed == NONE32 else packed
        offset = values.pop(0) if offset == NONE32 else offset
        disk = struct.unpack("<L", long[-4:])[0] if disk == NONE16 else disk
        offset += starts[disk]
    except (IndexError, struct.error):
        raise broken(name, "has a damaged table of contents, or a volume is missing") from None
    extra = struct.pack("<2H3Q", 1, 24, size, packed, offset) + others
    head = bytearray(entry[: _ENTRY.size])
    struct.pack_into("<2L", head, 20, NONE32, NONE32)
    struct.pack_into("<3HH", head, 28, length, len(extra), 0, 0)
    struct.pack_into("<L", head, 42, NONE32)
    return bytes(head) + names + extra


def _extra(field: bytes) -> tuple[bytes, bytes]:
    """The part of an extra field that holds 64-bit numbers, and the others."""
    long, others, at = b"", b"", 0
    while at + 4 <= len(field):
        kind, length = struct.unpack_from("<2H", field, at)
        part = field[at : at + 4 + length]
        long, others = (part[4:], others) if kind == 1 else (long, others + part)
        at += 4 + length
    return long, others


def broken(name: str, why: str) -> ArchiveError:
    """What to say of an archive that is not whole."""
    return ArchiveError(f"{name} {why}; nothing was unpacked. Fetch it again.")
