"""Which files are photos, which of them can be read here, and all of them below a folder."""

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TypeAlias

from .errors import PhotoError

# What Pillow reads, as far as people keep photos in it.
PILLOW = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".jps", ".mpo", ".apng", ".dib"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    *(".tga", ".qoi"),
)
AVIF = (".avif", ".avifs")
HEIF = (".heic", ".heif", ".hif", ".heics", ".heifs")
RAW = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq"),
    *(".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".ori", ".pef", ".raf"),
    *(".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
UNREAD = (".jxl", ".jxr", ".wdp", ".hdp", ".bpg", ".flif")  # photos that nothing here reads
SUFFIXES = (*PILLOW, *AVIF, *HEIF, *RAW, *UNREAD)
SHOWN = 3  # names in a message
TOLD_EVERY = 100  # photos

# Folders that no person puts photos into: what systems, servers and cameras keep beside them, and
# what was thrown away. Hidden ones (.thumbnails, .Trash-1000, .AppleDouble, .@__thumb) besides.
JUNK = frozenset(
    {
        *("@eadir", "@tmp", "@sharesnap", "#recycle", "#snapshot"),  # Synology
        *("@recycle", "@__thumb", "@recently-snapshot", "@snapshot", "~snapshot"),  # QNAP, NetApp
        *("__macosx", "network trash folder", "temporary items"),  # macOS
        *("thevolumesettingsfolder", "thefindbycontentfolder"),
        *("$recycle.bin", "recycler", "recycled", "recycle bin", "system volume information"),
        *("lost+found", "lost.dir"),  # Linux, Android
        *("files_trashbin", "files_versions", "_gsdata_"),  # Nextcloud, GoodSync
        "thmbnl",  # stills of videos on Sony's cards
    }
)
JUNK_SUFFIXES = (".lrdata", ".lrcat-data")  # Lightroom's previews, some of them DNG
PHOTOS_LIBRARY, KEPT = ".photoslibrary", ("originals", "masters")  # Apple's; the rest is derived

Source: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def is_photo(name: str) -> bool:
    """Whether a file's name is that of a photo, of a kind that can be read here or not."""
    return not name.startswith(".") and PurePath(name).suffix.lower() in SUFFIXES


def way_out(suffix: str) -> str | None:
    """What to do so that photos of this kind can be read here; `None` where they can.

    Args:
        suffix: `.heic` and such, in any case.
    """
    suffix = suffix.lower()
    if suffix in HEIF and not heif_ready():
        return 'pip install "aesthetic-tv[heic]"'
    if suffix in RAW and not raw_ready():
        return 'pip install "aesthetic-tv[raw]"'
    if suffix in AVIF and not _avif_ready():
        return "pip install -U pillow"
    return "save it as JPEG first" if suffix in UNREAD else None


def heif_ready() -> bool:
    """Whether HEIC can be read: makes Pillow know pillow-heif, where that is installed."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def raw_ready() -> bool:
    """Whether RAW can be read: whether rawpy is installed."""
    try:
        importlib.import_module("rawpy")
    except ImportError:
        return False
    return True


def _avif_ready() -> bool:
    from PIL import Image

    return ".avif" in Image.registered_extensions()


@dataclass(frozen=True)
class PhotoFiles:
    """What is below a folder.

    Attributes:
        folder: the folder.
        photos: those of a kind that can be read here, sorted by path.
        left_out: photos of other kinds, sorted, by suffix as it is first met (`.NEF`).
        unopened: folders and links that could not be looked into, and why.
    """

    folder: Path
    photos: list[Path]
    left_out: dict[str, list[Path]] = field(default_factory=dict)
    unopened: dict[Path, str] = field(default_factory=dict)

    @classmethod
    def below(
        cls, folder: str | os.PathLike[str], progress: Callable[[int], None] | None = None
    ) -> "PhotoFiles":
        """Look through a folder as `walk` does.

        Args:
            folder: to begin with.
            progress: called with the number of photos found so far, now and then.

        Raises:
            PhotoError: there is no such folder, it cannot be opened, or it holds no photo that can
                be read.
        """
        folder = Path(folder)
        if not folder.exists():
            raise PhotoError(f"{folder}: there is no such folder.")
        if not folder.is_dir():
            raise PhotoError(f"{folder} is a file; name the folder that holds the photos.")
        unopened = dict[Path, str]()
        found = _of_every_kind(folder, unopened, progress)
        if folder in unopened:
            raise PhotoError(f"{folder}: cannot be opened ({unopened[folder]}).")
        kinds = {path.suffix.lower() for path in found}
        closed = {suffix for suffix in kinds if way_out(suffix) is not None}
        left_out, shown = dict[str, list[Path]](), dict[str, str]()
        for path in found:
            if (suffix := path.suffix.lower()) in closed:
                left_out.setdefault(shown.setdefault(suffix, path.suffix), []).append(path)
        photos = [path for path in found if path.suffix.lower() not in closed]
        files = cls(folder, photos, left_out, unopened)
        if not photos:
            kinds_read = ", ".join(PILLOW[:8])
            rest = f" {files.note}" if files.note else ""
            raise PhotoError(f"{folder} holds no photos (files ending in {kinds_read}, ...).{rest}")
        return files

    @property
    def note(self) -> str:
        """What was left out and what to do about it, in a sentence or two; empty when nothing."""
        return " ".join([*self._kinds_note(), *self._folders_note()])

    def _kinds_note(self) -> Iterator[str]:
        if not self.left_out:
            return
        count = sum(map(len, self.left_out.values()))
        kinds = [
            f"{len(paths)} {suffix} ({_some(path.name for path in paths)})"
            for suffix, paths in self.left_out.items()
        ]
        verb = "1 file was" if count == 1 else f"{count} files were"
        yield f"{verb} left out, of kinds that cannot be read here: {_and(kinds)}."
        for advice in dict.fromkeys(map(way_out, self.left_out)):
            suffixes = [suffix for suffix in self.left_out if way_out(suffix) == advice]
            yield f"To read {_and(suffixes)}: {advice}."

    def _folders_note(self) -> Iterator[str]:
        if self.unopened:
            told = [
                f"{path.relative_to(self.folder).as_posix()} ({reason})"
                for path, reason in self.unopened.items()
            ]
            yield f"{len(told)} of the folders could not be looked into: {_some(told)}."


def find_photos(folder_or_files: Source, *, every_kind: bool = False) -> list[Path]:
    """The photos below a folder, sorted by path; or the files given, sorted.

    Below a folder a photo is told by its suffix (`SUFFIXES`). A link that leads nowhere is listed,
    so that it is named rather than lost.

    Args:
        folder_or_files: a folder, looked through as `walk` does, or files.
        every_kind: photos of a kind that cannot be read here too, so that they can be named;
            `PhotoFiles.below` tells them apart.

    Raises:
        PhotoError: the folder is missing or is none, or there is no photo.
    """
    if not isinstance(folder_or_files, str | os.PathLike):
        photos = sorted({Path(file) for file in folder_or_files})
        if not photos:
            raise PhotoError("no photos were given; name at least one.")
        return photos
    found = _of_every_kind(folder_or_files, {}) if every_kind else []
    return found or PhotoFiles.below(folder_or_files).photos


def _of_every_kind(
    folder: str | os.PathLike[str],
    unopened: dict[Path, str],
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    found = list[Path]()
    for path, _ in walk(folder, unopened):
        if is_photo(os.path.basename(path)):  # noqa: PTH119
            found.append(Path(path))
            if progress is not None and len(found) % TOLD_EVERY == 1:
                progress(len(found))
    return sorted(found)


def walk(
    folder: str | os.PathLike[str], unopened: dict[Path, str] | None = None
) -> Iterator[tuple[str, int]]:
    """Path and size in bytes of every visible file below a folder; 0 where a link leads nowhere.

    Links are followed, but none that leads back up, and each folder is looked into once, by its
    own path rather than a link's where it has both. Hidden files and folders are passed over, and
    so is what systems keep beside photos (`JUNK`).

    Args:
        folder: to begin with, whatever its name.
        unopened: to put in what could not be looked into, and why.
    """
    unopened = {} if unopened is None else unopened
    top = os.path.realpath(folder)
    seen, links = set[object](), [os.fspath(folder)]
    # Links wait until all that is reached without them was seen.
    while links:
        pending = [links.pop(0)]
        while pending:
            place = pending.pop()
            try:
                identity = _identity(place)
                if identity in seen:
                    continue
                seen.add(identity)
                with os.scandir(place) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                unopened[Path(place)] = error.strerror or str(error)
                continue
            for entry in found:
                if _hidden_or_junk(entry, place):
                    continue
                if not _is_folder(entry):
                    if (size := _size(entry, unopened)) is not None:
                        yield entry.path, size
                elif not entry.is_symlink():
                    pending.append(entry.path)
                elif not _leads_up(entry.path, place, top):
                    links.append(entry.path)


def _identity(place: str) -> object:
    state = os.stat(place)  # noqa: PTH116
    return (state.st_dev, state.st_ino) if state.st_ino else os.path.realpath(place)


def _hidden_or_junk(entry: "os.DirEntry[str]", place: str) -> bool:
    name = entry.name.lower()
    if name.startswith("."):
        return True
    if not (name in JUNK or name.endswith(JUNK_SUFFIXES) or place.lower().endswith(PHOTOS_LIBRARY)):
        return False
    return _is_folder(entry) and (name in JUNK or name not in KEPT)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _size(entry: "os.DirEntry[str]", unopened: dict[Path, str]) -> int | None:
    """Of a file; `None` of what is none: a pipe, a device, or a link without a file's name."""
    try:
        return entry.stat().st_size if entry.is_file() else _dead(entry, unopened)
    except OSError:
        return _dead(entry, unopened)


def _dead(entry: "os.DirEntry[str]", unopened: dict[Path, str]) -> int | None:
    if not entry.is_symlink() or Path(entry.path).exists():
        return None
    if not PurePath(entry.name).suffix:  # as of an album on a disk that is not there
        unopened[Path(entry.path)] = "a link that leads nowhere"
        return None
    return 0


def _leads_up(link: str, place: str, top: str) -> bool:
    """Whether a link in a folder leads to one that holds this folder, or all that is looked at."""
    target = Path(os.path.realpath(link))
    return Path(top).is_relative_to(target) or Path(os.path.realpath(place)).is_relative_to(target)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _and(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
