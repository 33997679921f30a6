"""Finding a database's photos on disk, and looking whether they can be read."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Literal

from aesthetic_tv.databases.zip_photos import ZippedPhoto, photos_in_zip
from aesthetic_tv.errors import PhotoError
from aesthetic_tv.photo_names import PhotoNames, folder_in_common, leads_out
from aesthetic_tv.scorer import photo_files
from aesthetic_tv.scorer.decoding import load_photo, open_photo, photo_name

Verify = Literal["exists", "header", "full"]
Progress = Callable[[int, int], None]  # done, total
CHUNK = 512


def is_photo(name: str) -> bool:
    """Whether a file's name is that of a photo, or has no suffix to tell."""
    return not name.startswith(".") and (not PurePath(name).suffix or photo_files.is_photo(name))


class PhotoIndex:
    """The photos below some folders, found by the names that tables give them.

    Only files that a walk through the folders has seen can be found, so that no name leads out of
    them.

    Args:
        folders: searched in this order, as `scorer.photo_files.walk` does.
        zips: searched after them; their photos stay where they are.
    """

    def __init__(self, folders: Sequence[Path], zips: Sequence[Path] = ()):
        self._sizes: dict[str, int] = {}  # by whole path
        self._roots = list[PhotoNames]()
        for folder in folders:
            photos = {}
            for path, size in photo_files.walk(folder):
                if is_photo(Path(path).name.strip()):
                    photos[Path(path).relative_to(folder).as_posix()] = path
                    self._sizes[path] = size
            self._roots.append(PhotoNames(folder, photos))
        for archive in zips:
            zipped = photos_in_zip(archive)
            self._sizes |= {str(photo): photo.size for photo in zipped.values()}
            named = {name: str(photo) for name, photo in zipped.items()}
            self._roots.append(PhotoNames(archive.parent, named))

    def __len__(self) -> int:
        return len(self._sizes)

    def find(self, name: str, *others: str, whence: str = "") -> Path | ZippedPhoto:
        """The photo of this name, or of the first of `others` that is there.

        Args:
            name, others: as a table has them.
            whence: the `folder_in_common` of all names there.

        Raises:
            PhotoError: there is none, more than one, or an empty one; or the name leads elsewhere.
        """
        for candidate in (name, *others):
            path = self._find(candidate, whence)
            if path is not None:
                if not self._sizes[path]:
                    raise PhotoError("the file is empty.")
                return ZippedPhoto.of(path) or Path(path)
        if leads_out(name):
            raise PhotoError("the name leads out of the database's folder; refused.")
        raise PhotoError("there is no such file.")

    def _find(self, name: str, whence: str) -> str | None:
        for root in self._roots:
            if (path := root.exactly(name)) is not None:
                return path
        for root in self._roots:
            if (path := root.find(name, whence)) is not None:
                return path
        return None


def unreadable(
    paths: Sequence[Path | ZippedPhoto | bytes],
    verify: Verify = "header",
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[int, str]:
    """Why photos cannot be read, by position; those that can be are not listed.

    Args:
        paths: the photos, as files, in zips, or as the bytes of files.
        verify: "exists" looks at none, "header" at the header of each, "full" decodes each.
        workers: threads; up to eight when not given.
        progress: called with (photos done, photos in all).
    """
    if verify == "exists":
        return {}
    check = _header if verify == "header" else _whole
    problems = {}
    with ThreadPoolExecutor(workers or min(8, (os.cpu_count() or 1) * 2)) as pool:
        for start in range(0, len(paths), CHUNK):
            reasons = pool.map(check, paths[start : start + CHUNK])
            problems.update({start + i: reason for i, reason in enumerate(reasons) if reason})
            if progress is not None:
                progress(min(start + CHUNK, len(paths)), len(paths))
    return problems


def _header(photo: Path | ZippedPhoto | bytes) -> str:
    try:
        with open_photo(photo.header() if isinstance(photo, ZippedPhoto) else photo):
            return ""
    except PhotoError as error:
        return _reason(error, photo)


def _whole(photo: Path | ZippedPhoto | bytes) -> str:
    try:
        load_photo(photo.read() if isinstance(photo, ZippedPhoto) else photo)
    except PhotoError as error:
        return _reason(error, photo)
    return ""


def _reason(error: PhotoError, photo: Path | ZippedPhoto | bytes) -> str:
    """Why, without the name, which the database gives."""
    told = str(error)
    for name in (str(photo), photo_name(b"")) if isinstance(photo, ZippedPhoto) else ():
        told = told.removeprefix(f"{name}: ")
    return told.removeprefix(f"{photo_name(photo)}: ")


def find_all(
    index: PhotoIndex, names: Iterable[Sequence[str]]
) -> tuple[list[Path | ZippedPhoto | None], dict[int, str]]:
    """The files of photos, each by the first of its names that is there.

    Returns:
        A path or place in a zip for each photo, `None` where it is not found, and the reasons by
        position.
    """
    paths: list[Path | ZippedPhoto | None] = []
    problems = {}
    names = list(names)
    whence = folder_in_common(name for given in names for name in given)
    for position, given in enumerate(names):
        try:
            paths.append(index.find(*given, whence=whence))
        except PhotoError as error:
            paths.append(None)
            problems[position] = str(error)
    return paths, problems
