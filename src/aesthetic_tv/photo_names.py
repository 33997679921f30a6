"""Photos below a folder, found by what tables and people write for them.

A name is looked for as it is spelled, then in the other form that Unicode has for it, then without
regard to capitals, then without its suffix; each time as a path from the folder, then as the end of
one: a bare file name, or some of its folders. What fits several photos is refused.
"""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path
from posixpath import normpath, splitext

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.names import with_slashes
from aesthetic_tv.scorer.photo_files import SUFFIXES

SHOWN = 3  # photos of one name, in a message
LIKELY = 40  # photos that are compared letter by letter with an unknown name
COUNTED = 100_000  # parts that photos share with it, at most
CLOSE = 0.6  # likeness from which on a photo is suggested

_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


class PhotoNames:
    """Finds the photos below a folder.

    Args:
        folder: as people name it; what is written with it, or from the root, is found too. `None`
            where there are names alone.
        photos: path of each photo by its path from the folder.
    """

    def __init__(self, folder: Path | None, photos: Mapping[str, str]):
        self.folder = folder
        self._paths = {with_slashes(name): path for name, path in photos.items()}

    @classmethod
    def below(cls, folder: Path, photos: Iterable[Path]) -> "PhotoNames":
        """Of photos whose paths begin with the folder's."""
        paths = list(map(str, photos))
        start = 0 if folder == Path() else len(str(folder / "_")) - 1
        return cls(folder, {path[start:].replace(os.sep, "/"): path for path in paths})

    def __len__(self) -> int:
        return len(self._paths)

    def exactly(self, name: str) -> str | None:
        """The photo of this path from the folder, spelled so."""
        return self._paths.get(with_slashes(name))

    def find(self, name: str, whence: str = "") -> str | None:
        """The path of the photo of this name; `None` where there is none.

        Args:
            name: as somebody wrote it.
            whence: the `folder_in_common` of the names beside it, on whatever machine.

        Raises:
            PhotoError: several photos fit, or the name is empty.
        """
        self.check(name)
        ways = list(self._ways(_normal(name), whence))
        for path, _ in ways:
            if path in self._paths:
                return self._paths[path]
        for spelled in (str, _nfc, _fold, _stem):
            for path, deep in ways:
                same = self._same(spelled, path, deep)
                if len(same) > 1:
                    raise PhotoError(_several(same))
                if same:
                    return self._paths[same[0]]
        return None

    @staticmethod
    def check(name: str) -> None:
        """Refuse what is no name.

        Raises:
            PhotoError: says what it is instead.
        """
        if not name.strip():
            raise PhotoError("the name is empty.")
        if "\n" in name:
            start = name.split("\n", 1)[0]
            raise PhotoError(
                f"the quotation mark that opens before {start!r} is never closed; close it."
            )

    def _ways(self, name: str, whence: str) -> Iterator[tuple[str, bool]]:
        """Paths from the folder that a name may stand for, and whether from deeper too."""
        parts = name.split("/")
        if not leads_out(name):
            yield name, True
        below = False
        for start in self._starts:
            if len(parts) > len(start) and tuple(map(_fold, parts[: len(start)])) == start:
                below = True
                yield "/".join(parts[len(start) :]), False
        if whence and not below and name.startswith(whence):
            yield name[len(whence) :], True

    @cached_property
    def _starts(self) -> list[tuple[str, ...]]:
        """Beginnings of paths that lead to the folder: from the root, and from above it."""
        starts = list[tuple[str, ...]]()
        if self.folder is None:
            return starts
        for folder in (self.folder, self.folder.absolute(), self.folder.resolve()):
            parts = _fold(_normal(folder.as_posix())).rstrip("/").split("/")
            starts += [tuple(parts[i:]) for i in range(len(parts))]
        return [start for start in dict.fromkeys(starts) if start not in ((".",), ())]

    def _same(self, spelled: Callable[[str], str], name: str, deep: bool) -> list[str]:
        wanted = spelled(name)
        likely = self._by_end.get(_stem(name), ())
        whole = [path for path in likely if spelled(path) == wanted]
        if whole or not deep:
            return whole
        return [path for path in likely if spelled(path).endswith(f"/{wanted}")]

    @cached_property
    def _by_end(self) -> Mapping[str, list[str]]:
        # Made when a name is first missed: a quarter of a million photos are usually all hits.
        found = defaultdict[str, list[str]](list)
        for path in self._paths:
            parts = _stem(path).split("/")
            for start in range(len(parts)):
                found["/".join(parts[start:])].append(path)
        return dict(found)

    def suggest(self, name: str) -> str | None:
        """The photo that is most likely meant by an unknown name, by its path from the folder;
        `None` where none is close.
        """
        wanted = _fold(_normal(name))
        bare = wanted.rsplit("/", 1)[-1]
        shared = Counter[str]()
        # Rare parts first: all names have `.jpg`, few the same number.
        for photos in sorted((self._by_part.get(part, []) for part in _parts(bare)), key=len):
            if shared and shared.total() + len(photos) > COUNTED:
                break
            shared.update(photos)
        best, closest = None, (CLOSE, 0.0)
        for path, _ in shared.most_common(LIKELY):
            like = _likeness(_fold(path).rsplit("/", 1)[-1], bare), _likeness(_fold(path), wanted)
            if like > closest:
                best, closest = path, like
        return best

    @cached_property
    def _by_part(self) -> Mapping[str, list[str]]:
        found = defaultdict[str, list[str]](list)
        for path in self._paths:
            for part in _parts(_fold(path.rsplit("/", 1)[-1])):
                found[part].append(path)
        return dict(found)


def leads_out(name: str) -> bool:
    """Whether a name is no path from a folder: begins at a root, or goes up."""
    name = _normal(name)
    return _ABSOLUTE.match(name) is not None or name.split("/")[0] == ".."


def folder_in_common(names: Iterable[str]) -> str:
    """The folder that all absolute names are below, with its last `/`; empty where none is
    absolute, or they share none. Tables made elsewhere name photos from a root that is not here.
    """
    absolute = [name for name in map(_normal, names) if _ABSOLUTE.match(name)]
    if not absolute:
        return ""
    first, last = (name.split("/")[:-1] for name in (min(absolute), max(absolute)))
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return "".join(f"{part}/" for part in first[:same])


def _normal(name: str) -> str:
    """With `/` between folders, without `./` and `a/../`."""
    return re.sub("^//+", "/", normpath(with_slashes(name.strip())))


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _fold(name: str) -> str:
    """Without regard to capitals, forms of Unicode, and blanks around each part."""
    return "/".join(part.strip() for part in _nfc(_nfc(name).casefold()).split("/"))


def _stem(name: str) -> str:
    """As `_fold`, without a photo's suffix: `a.b` stays, `A.b.JPG` is `a.b`."""
    name = _fold(name)
    start, suffix = splitext(name)
    return start if suffix in SUFFIXES else name


def _several(paths: Sequence[str]) -> str:
    more = f", and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return (
        f"{len(paths)} files have this name ({', '.join(sorted(paths)[:SHOWN])}{more}); write the "
        "path of one."
    )


def _parts(name: str) -> set[str]:
    """Every three signs in a row."""
    return {name[i : i + 3] for i in range(max(1, len(name) - 2))}


def _likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, name, other, autojunk=False).ratio()
