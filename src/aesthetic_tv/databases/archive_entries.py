"""What an archive may hold: names that stay in their folder, and limits on size and count."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from aesthetic_tv.errors import ArchiveError, SettingError

PART, WHOLE = 255, 1000  # bytes of a part of a name, which file systems allow, and of all of it
# What a Mac or a file manager adds beside the photos.
_CLUTTER = re.compile(r"(^|/)(__MACOSX(/|$)|\._[^/]*$|\.DS_Store$|Thumbs\.db$)")
_DRIVE = re.compile(r"[A-Za-z]:")
SHOWN = 60  # characters of a name in a message


@dataclass(frozen=True)
class ArchiveLimits:
    """What is refused before anything is written.

    Args:
        max_bytes: of all files together when unpacked.
        max_entries: files and folders. AVA, the largest database here, has 255,530 photos.
        max_ratio: unpacked bytes for each byte of the archive. Photos do not shrink; tables by ten.
        max_depth: folders within folders.
        same_but_for_case: whether names that differ only by capitals may stand together, which not
            every file system can hold apart.
    """

    max_bytes: int = 200 << 30
    max_entries: int = 500_000
    max_ratio: float = 100.0
    max_depth: int = 32
    same_but_for_case: bool = False

    def __post_init__(self):
        if min(self.max_bytes, self.max_entries, self.max_ratio, self.max_depth) <= 0:
            raise SettingError(f"limits of an archive must be over 0, got {self!r}.")


@dataclass(frozen=True)
class Entry:
    """A file or folder of an archive.

    Attributes:
        name: below the folder that it is unpacked to, parts separated by `/`.
        size: bytes when unpacked.
        is_folder: whether it is one.
        place: where the archive has it, for the reader.
    """

    name: str
    size: int = 0
    is_folder: bool = False
    place: object = None


def is_clutter(name: str) -> bool:
    """Whether an entry is none of the database's, but what a Mac or a file manager left there."""
    return _CLUTTER.search(name) is not None


def safe_name(name: str, archive: str, limits: ArchiveLimits) -> str:
    """The name of an entry, without `.` and empty parts; "" for the folder itself.

    Raises:
        ArchiveError: it is absolute, leads out of its folder, or no file system can hold it.
    """
    given = name.replace("\\", "/")  # as programs on Windows write it
    if given.startswith("/") or _DRIVE.match(given):
        raise refused(archive, name, "has an absolute path")
    parts = [part for part in given.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refused(archive, name, "leads out of its folder")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in given):
        raise refused(archive, name, "has a name with control characters")
    lengths = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
    if lengths and (max(lengths) > PART or sum(lengths) + len(lengths) > WHOLE):
        raise refused(archive, name, "has a name that is too long")
    if len(parts) > limits.max_depth:
        raise refused(archive, name, f"lies more than {limits.max_depth} folders deep")
    return "/".join(parts)


def check_entries(
    entries: Iterable[Entry], archive: str, packed: int, limits: ArchiveLimits
) -> None:
    """Refuse entries that are too many, too large, or in each other's way.

    Args:
        entries: with safe names.
        archive: its name, for the errors.
        packed: bytes of the archive.
        limits: on them.

    Raises:
        ArchiveError: what was found; the message says what to do.
    """
    kinds, spelled, count, total = dict[str, bool](), dict[str, str](), 0, 0
    for entry in entries:
        count, total = count + 1, total + entry.size
        check_count(count, archive, limits)
        check_size(total, archive, packed, limits)
        if entry.name in kinds and not (entry.is_folder and kinds[entry.name]):
            raise refused(archive, entry.name, "is there twice")
        kinds[entry.name] = entry.is_folder
        for name in _upwards(entry.name):
            first = spelled.setdefault(_folded(name), name)
            if first != name and not limits.same_but_for_case:
                told = f"differs from {first!r} only by capitals"
                raise refused(archive, name, told)
    for name in kinds:
        for above in list(_upwards(name))[1:]:
            if kinds.get(above, True) is False:
                raise refused(archive, name, "lies in a folder that is a file as well")


def check_count(count: int, archive: str, limits: ArchiveLimits) -> None:
    """Refuse too many entries.

    Raises:
        ArchiveError: there are.
    """
    if count > limits.max_entries:
        raise ArchiveError(
            f"{archive} holds more than {limits.max_entries:,} entries; refused, nothing was "
            "unpacked. Where it is what it should be, raise max_entries."
        )


def check_size(total: int, archive: str, packed: int, limits: ArchiveLimits) -> None:
    """Refuse what is too large, or grows as no photos do.

    Raises:
        ArchiveError: it does.
    """
    if total > limits.max_bytes:
        raise ArchiveError(
            f"{archive} unpacks to more than {limits.max_bytes:,} bytes; refused, nothing was "
            "unpacked. Where it is what it should be, raise max_bytes."
        )
    if total > max(limits.max_ratio * packed, 1 << 20):
        raise ArchiveError(
            f"{archive} unpacks to over {limits.max_ratio:g} times its bytes, as no archive of "
            "photos does; refused, nothing was unpacked. Fetch it anew from its makers."
        )


def _upwards(name: str) -> Iterable[str]:
    """The name, and those of all folders it lies in."""
    while name:
        yield name
        name = name.rpartition("/")[0]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def refused(archive: str, name: str, why: str) -> ArchiveError:
    """What to say of an entry that may not be unpacked."""
    shown = name if len(name) <= SHOWN else f"{name[:SHOWN]}..."
    return ArchiveError(
        f"{archive}: the entry {shown!r} {why}; refused, nothing was unpacked. Fetch the archive "
        "anew from its makers, or unpack it by hand and look."
    )
