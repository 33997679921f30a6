"""Scaled copies of photos for the page, made when they are first shown, at addresses that nobody
can guess.
"""

import hashlib
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.scorer.decoding import load_photo

# Pixels of the long side, by the name in an address; `full` is all there are.
SIDES: Mapping[str, int | None] = {"320": 320, "1600": 1600, "full": None}
SMALL, LARGE, FULL = SIDES
QUALITY = {SMALL: 82, LARGE: 88, FULL: 92}
FULL_ONES = 12  # kept at a time: each has some megabytes
ADDRESS = "/view"


class Views:
    """Copies of some photos, without what a camera wrote into them.

    Args:
        folder: to write them to.

    Attributes:
        secret: part of every address; whoever has it can see these photos.
        broken: why photos cannot be shown, by path.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.secret = secrets.token_urlsafe(24)
        self.broken: dict[str, str] = {}
        self._photos: dict[str, str] = {}  # by the name in the address
        self._making: dict[str, threading.Lock] = {}
        self._full: list[Path] = []
        self._lock = threading.Lock()

    def address(self, photo: str) -> str:
        """Where the page finds the copies of a photo, below which `SIDE.jpg` is one."""
        key = _key(photo)
        self._photos[key] = photo
        return f"{ADDRESS}/{self.secret}/{key}"

    def at(self, key: str, side: str) -> Path | None:
        """The copy at an address; `None` where there is none, or the photo cannot be read."""
        photo = self._photos.get(key)
        return None if photo is None or side not in SIDES else self.copy(photo, side)

    def copy(self, photo: str, side: str = SMALL) -> Path | None:
        """A copy of a photo; `None` of one that cannot be read."""
        path = self.folder / f"{_key(photo)}-{side}.jpg"
        if path.exists():
            return path
        with self._lock:
            one_at_a_time = self._making.setdefault(path.name, threading.Lock())
        try:
            with one_at_a_time:
                return path if path.exists() or self._make(photo, side, path) else None
        finally:
            with self._lock:
                self._making.pop(path.name, None)

    def _make(self, photo: str, side: str, path: Path) -> bool:
        if photo in self.broken:
            return False
        pixels = SIDES[side]
        try:
            image = load_photo(photo, short_side=pixels)
        except PhotoError as error:
            self.broken[photo] = str(error).removeprefix(f"{photo}: ")
            return False
        if pixels is not None:
            image.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
        whole = path.with_suffix(".part")
        image.save(whole, "JPEG", quality=QUALITY[side])
        whole.replace(path)
        if side == FULL:
            self._keep_few(path)
        return True

    def _keep_few(self, newest: Path) -> None:
        with self._lock:
            self._full.append(newest)
            gone, self._full = self._full[:-FULL_ONES], self._full[-FULL_ONES:]
        for path in gone:
            path.unlink(missing_ok=True)


def _key(photo: str) -> str:
    return hashlib.sha256(photo.encode("utf-8", "surrogateescape")).hexdigest()[:20]
