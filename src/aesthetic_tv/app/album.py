"""The photos of a visit: those that everyone here sees, and those that the visitor brought."""

import hashlib
import os
import shutil
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.errors import PhotoError
from aesthetic_tv.names import written
from aesthetic_tv.scorer.decoding import load_photo, open_photo
from aesthetic_tv.scorer.photo_files import RAW, SUFFIXES, way_out

THUMBNAIL, LARGE = 320, 1100  # pixels of the long side
QUALITY = 85  # of the scaled copies


class Views:
    """Scaled copies of photos, without what a camera wrote into them, made when first shown.

    Args:
        folder: to write them to; whoever knows the name of a file in it can see that photo, so its
            own name must be one that nobody can guess.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._broken = set[str]()

    def thumbnail(self, photo: str) -> str | None:
        """Path of a small copy; `None` of a photo that cannot be read."""
        return self._copy(photo, THUMBNAIL)

    def large(self, photo: str) -> str | None:
        """Path of a copy that fills a page; `None` of a photo that cannot be read."""
        return self._copy(photo, LARGE)

    def _copy(self, photo: str, side: int) -> str | None:
        name = hashlib.sha256(photo.encode("utf-8", "surrogateescape")).hexdigest()[:20]
        path = self.folder / f"{name}-{side}.jpg"
        if path.exists():
            return str(path)
        with self._lock:
            if not path.exists() and not self._make(photo, side, path):
                return None
        return str(path)

    def _make(self, photo: str, side: int, path: Path) -> bool:
        if photo in self._broken:
            return False
        try:
            image = load_photo(photo, short_side=side)
        except PhotoError:
            self._broken.add(photo)
            return False
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        whole = path.with_suffix(".part")
        image.save(whole, "JPEG", quality=QUALITY)
        whole.replace(path)
        return True


@dataclass(frozen=True)
class Album:
    """Photos by names of their own.

    Args:
        paths: of each photo by its name.
        views: their scaled copies.
        left_out: the note on photos of kinds that cannot be read here.
    """

    paths: Mapping[str, str]
    views: Views
    left_out: str = ""

    @classmethod
    def of_folder(
        cls, folder: Path, photos: Sequence[Path], views: Views, left_out: str = ""
    ) -> "Album":
        """Photos below a folder, named by their paths in it."""
        paths = dict[str, str]()
        for photo in photos:
            name = written(photo.relative_to(folder).as_posix())
            paths[name if name not in paths else _free(name, {*paths})] = str(photo)
        return cls(paths, views, left_out)


@dataclass
class Uploads:
    """Photos that one visitor brought, in a folder of their own.

    Args:
        folder: for the files, which nobody is served.
        views: their scaled copies, for the visitor to see.
        settings: the limits.
        paths: of each photo by its name.
    """

    folder: Path
    views: Views
    settings: AppSettings
    paths: dict[str, str] = field(default_factory=dict)

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
        self.folder.mkdir(parents=True, exist_ok=True)
        added, refused = [], []
        for file in map(Path, files):
            name = _shown(file.name)
            try:
                if len(self.paths) >= self.settings.max_photos:
                    raise PhotoError(f"there are {self.settings.max_photos} already, the limit.")
                check_photo(file, self.settings)
                target = self.folder / f"{len(self.paths):05d}{file.suffix.lower()}"
                shutil.move(file, target)
            except PhotoError as error:
                refused.append(f"{name}: {str(error).removeprefix(f'{file}: ')}")
                file.unlink(missing_ok=True)
                continue
            name = _free(name, {*self.paths, *taken})
            self.paths[name] = str(target)
            added.append(name)
        return added, refused


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
    return name.strip().lstrip("=+-@")[-120:] or "photo"


def _free(name: str, taken: set[str]) -> str:
    """The name, or the name with the first number that makes it a new one."""
    stem, dot, suffix = name.rpartition(".")
    number, free = 2, name
    while free in taken:
        free = f"{stem} ({number}){dot}{suffix}" if dot else f"{name} ({number})"
        number += 1
    return free
