"""Finding a database's photos on disk, and looking whether they can be read."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePath
from typing import Literal

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.names import with_slashes
from aesthetic_tv.scorer import photo_files
from aesthetic_tv.scorer.decoding import load_photo, open_photo, photo_name

Verify = Literal["exists", "header", "full"]
Progress = Callable[[int, int], None]  # done, total
CHUNK = 512
_DRIVE = re.compile(r"^[A-Za-z]:")


def is_photo(name: str) -> bool:
    """Whether a file's name is that of a photo, or has no suffix to tell."""
    return not name.startswith(".") and (not PurePath(name).suffix or photo_files.is_photo(name))


class PhotoIndex:
    """The photos below some folders, found by the names that tables give them.

    A name is looked for as it stands, then without regard to case, blanks around it and its suffix,
    then as a bare file name in any sub-folder. Only files that a walk through the folders has seen
    can be found, so that no name leads out of them.

    Args:
        folders: searched in this order, as `scorer.photo_files.walk` does.
    """

    def __init__(self, folders: Sequence[Path]):
        self._sizes: dict[str, int] = {}  # by whole path
        self._roots: list[dict[str, str]] = []  # by relative path, one for each folder
        for folder in folders:
            root = {}
            for path, size in photo_files.walk(folder):
                if is_photo(Path(path).name.strip()):
                    root[with_slashes(Path(path).relative_to(folder).as_posix())] = path
                    self._sizes[path] = size
            self._roots.append(root)

    def __len__(self) -> int:
        return len(self._sizes)

    def find(self, name: str, *others: str) -> Path:
        """The photo of this name, or of the first of `others` that is there.

        Raises:
            PhotoError: there is none, more than one, or an empty one; or the name leads elsewhere.
        """
        for candidate in (name, *others):
            path = self._find(candidate)
            if path is not None:
                if not self._sizes[path]:
                    raise PhotoError("the file is empty.")
                return Path(path)
        raise PhotoError("there is no such file.")

    def _find(self, name: str) -> str | None:
        name = with_slashes(name)
        if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
            raise PhotoError("the name leads out of the database's folder; refused.")
        for root in self._roots:
            if name in root:
                return root[name]
        if not name.strip():
            raise PhotoError("the name is empty.")
        key = _key(name)
        for by_key in self._by_key:
            paths = by_key.get(key) or by_key.get(_stem(key))
            if paths:
                if len(paths) > 1:
                    raise PhotoError(f"{len(paths)} files have this name, such as {paths[0]}.")
                return paths[0]
        return None

    @cached_property
    def _by_key(self) -> list[dict[str, list[str]]]:
        # Made when a name is first missed: a quarter of a million photos are usually all hits.
        tables = []
        for root in self._roots:
            whole: dict[str, list[str]] = {}
            bare: dict[str, list[str]] = {}
            for relative, path in root.items():
                key = _key(relative)
                for table, name in ((whole, key), (bare, key.rsplit("/", 1)[-1])):
                    table.setdefault(name, []).append(path)
                    if _stem(name) != name:
                        table.setdefault(_stem(name), []).append(path)
            tables += [whole, bare]
        return tables


def _key(name: str) -> str:
    parts = unicodedata.normalize("NFC", name).casefold().split("/")
    return "/".join(part.strip() for part in parts)


def _stem(key: str) -> str:
    """The name without its suffix, where that is a photo's: `a.b` stays, `a.b.jpg` is `a.b`."""
    suffix = PurePath(key).suffix
    return key.removesuffix(suffix) if suffix in photo_files.SUFFIXES else key


def unreadable(
    paths: Sequence[Path | bytes],
    verify: Verify = "header",
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[int, str]:
    """Why photos cannot be read, by position; those that can be are not listed.

    Args:
        paths: the photos, as files or as the bytes of files.
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


def _header(photo: Path | bytes) -> str:
    try:
        with open_photo(photo):
            return ""
    except PhotoError as error:
        return _reason(error, photo)


def _whole(photo: Path | bytes) -> str:
    try:
        load_photo(photo)
    except PhotoError as error:
        return _reason(error, photo)
    return ""


def _reason(error: PhotoError, photo: Path | bytes) -> str:
    """Why, without the name, which the database gives."""
    return str(error).removeprefix(f"{photo_name(photo)}: ")


def find_all(
    index: PhotoIndex, names: Iterable[Sequence[str]]
) -> tuple[list[Path | None], dict[int, str]]:
    """The files of photos, each by the first of its names that is there.

    Returns:
        A path for each photo, `None` where it is not found, and the reasons by position.
    """
    paths: list[Path | None] = []
    problems = {}
    for position, given in enumerate(names):
        try:
            paths.append(index.find(*given))
        except PhotoError as error:
            paths.append(None)
            problems[position] = str(error)
    return paths, problems
