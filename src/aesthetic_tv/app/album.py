"""The photos of a visit: those that everyone here sees, and those that the visitor brought."""

import hashlib
import os
import shutil
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.views import Views
from aesthetic_tv.errors import PhotoError
from aesthetic_tv.names import written
from aesthetic_tv.photo_metadata.shots import Shot
from aesthetic_tv.scorer.decoding import load_photo, open_photo
from aesthetic_tv.scorer.photo_files import RAW, SUFFIXES, way_out

LONGEST = 120  # characters of an uploaded photo's name


@dataclass(frozen=True)
class Album:
    """Photos by names of their own.

    Args:
        shots: each photo by its name, with the RAW files that belong to it.
        views: their scaled copies.
        left_out: the note on photos of kinds that cannot be read here.
    """

    shots: Mapping[str, Shot]
    views: Views
    left_out: str = ""

    @classmethod
    def of_folder(
        cls, folder: Path, shots: Sequence[Shot], views: Views, left_out: str = ""
    ) -> "Album":
        """Photos below a folder, named by their paths in it."""
        named = dict[str, Shot]()
        for shot in shots:
            name = written(shot.photo.relative_to(folder).as_posix())
            named[name if name not in named else _free(name, {*named})] = shot
        return cls(named, views, left_out)

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """Path of each photo by its name."""
        return {name: str(shot.photo) for name, shot in self.shots.items()}

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Name of each photo by what the page calls it."""
        return {photo_id(name): name for name in self.shots}


@dataclass
class Uploads:
    """Photos that one visitor brought, in a folder of their own.

    Args:
        folder: for the files, which nobody is served.
        views: their scaled copies, for the visitor to see.
        settings: the limits.
        paths: of each photo by its name; replaced, never changed, when photos come.
    """

    folder: Path
    views: Views
    settings: AppSettings
    paths: Mapping[str, str] = field(default_factory=dict)
    _adding: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(
        self, files: Sequence[str | os.PathLike[str]], taken: Sequence[str] = ()
    ) -> tuple[list[str], list[str]]:
        """Move uploaded files here, as far as they are photos and within the limits.

        Args:
            files: where the server has put them; none of them is left there.
            taken: names that other photos have.

        Returns:
            Names of the photos that were added, and a sentence for each that was not.
        """
        added, refused = [], []
        with self._adding:
            self.folder.mkdir(parents=True, exist_ok=True)
            for file in map(Path, files):
                try:
                    added.append(self._add(file, taken))
                except PhotoError as error:
                    reason = str(error).removeprefix(f"{file}: ")
                    refused.append(f"{_shown(file.name)}: {reason}")
                    file.unlink(missing_ok=True)
        return added, refused

    def _add(self, file: Path, taken: Sequence[str]) -> str:
        if len(self.paths) >= self.settings.max_photos:
            raise PhotoError(f"there are {self.settings.max_photos} already, the limit.")
        check_photo(file, self.settings)
        target = self.folder / f"{len(self.paths):05d}{file.suffix.lower()}"
        shutil.move(file, target)
        name = _free(_shown(file.name), {*self.paths, *taken})
        self.paths = {**self.paths, name: str(target)}
        return name


def photo_id(name: str) -> str:
    """What the page calls a photo: the same at every start, and free of signs that mean anything
    in an address.
    """
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def check_photo(file: Path, settings: AppSettings) -> None:
    """Whether an uploaded file is a photo that can be decoded, within the limits.

    Raises:
        PhotoError: says what is wrong.
    """
    if file.suffix.lower() not in SUFFIXES:
        kinds = ", ".join(SUFFIXES[:8])
        raise PhotoError(f"{file}: is no photo by its name; expected one of {kinds}, ...")
    if advice := way_out(file.suffix):
        raise PhotoError(f"{file}: photos of this kind cannot be read here; {advice}.")
    if not file.is_file():
        raise PhotoError(f"{file}: did not arrive; send it again.")
    megabytes = file.stat().st_size / 1e6
    if megabytes > settings.max_megabytes:
        raise PhotoError(
            f"{file}: has {megabytes:.1f} MB, above the limit of {settings.max_megabytes:g} MB."
        )
    megapixels = 0.0
    if file.suffix.lower() not in RAW:  # of which the small picture is taken
        with open_photo(file) as image:
            megapixels = image.width * image.height / 1e6
    if megapixels > settings.max_megapixels:
        raise PhotoError(
            f"{file}: has {megapixels:.0f} megapixels, above the limit of "
            f"{settings.max_megapixels:g}."
        )
    load_photo(file, short_side=256)


def _shown(name: str) -> str:
    """A file's name in one spelling, without what a page or a csv file could take amiss."""
    name = unicodedata.normalize("NFC", name)
    name = "".join(c for c in name if c.isprintable() and c not in '<>"&\\/')
    return name.strip().lstrip("=+-@")[-LONGEST:] or "photo"


def _free(name: str, taken: set[str]) -> str:
    """The name, or the name with the first number that makes it a new one."""
    stem, dot, suffix = name.rpartition(".")
    number, free = 2, name
    while free in taken:
        free = f"{stem} ({number}){dot}{suffix}" if dot else f"{name} ({number})"
        number += 1
    return free
