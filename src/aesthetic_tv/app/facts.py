"""What is found out about an album beside its features, in the background: when photos were taken
and how large they are, the stars they have already, which are near duplicates, and small copies.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from aesthetic_tv.app.album import Album
from aesthetic_tv.errors import AestheticTVError
from aesthetic_tv.photo_metadata.bursts import bursts
from aesthetic_tv.photo_metadata.capture import Capture, captures
from aesthetic_tv.photo_metadata.frame_traits import traits_of
from aesthetic_tv.photo_metadata.likeness import Looks
from aesthetic_tv.photo_metadata.stars import Stars, read_stars
from aesthetic_tv.photo_metadata.stars_undo import written_stars
from aesthetic_tv.scorer.decoding import open_photo

MOST_COPIES = 5000  # small copies that are made before anyone looks, and compared
AT_ONCE = 200  # photos between two times that the page may learn of
TURNED = (5, 6, 7, 8)  # orientations that lie on their side
ORIENTATION = 0x0112

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fact:
    """What is known of one photo.

    Args:
        time: when it was taken, in seconds since 1970 by the camera's own clock.
        width, height: in pixels, upright; `None` where that takes decoding.
    """

    time: float | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, eq=False)
class Stacks:
    """Near duplicates.

    Args:
        groups: names of the photos of each group of two or more.
        traits: of each of those photos, by name, as `frame_traits` measures them.
    """

    groups: tuple[tuple[str, ...], ...] = ()
    traits: dict[str, np.ndarray] | None = None


class Facts:
    """What was found out so far; `version` grows with it.

    Args:
        album: of the photos.
        stars: the album's folder, where to look for stars in photos and sidecars.
        ended: whether nobody wants to know any more.
    """

    def __init__(self, album: Album, stars: Path | None, ended: threading.Event):
        self.album = album
        self.version = 0
        self.of: dict[str, Fact] = {}
        self.stars: Stars | None = None
        self.stacks = Stacks()
        self.looking = True
        self._ended = ended
        self._folder = stars
        threading.Thread(target=self._find_out, daemon=True).start()

    def _find_out(self) -> None:
        try:
            taken = self._captures()
            self._stars()
            self._copies()
            self._stacks(taken)
        except Exception:
            if threading.main_thread().is_alive() and not self._ended.is_set():
                log.exception("not all could be found out about the photos")
        self.looking = False

    def _captures(self) -> list[Capture]:
        names, found = list(self.album.paths), list[Capture]()
        for begin in range(0, len(names), AT_ONCE):
            if self._ended.is_set():
                return found
            some = names[begin : begin + AT_ONCE]
            paths = [self.album.paths[name] for name in some]
            new = captures(paths)
            sizes = map(size_of, paths)
            self.of = self.of | {
                name: Fact(shot.local, *size)
                for name, shot, size in zip(some, new, sizes, strict=True)
            }
            found += new
            self.version += 1
        return found

    def _stars(self) -> None:
        if self._folder is None or self._ended.is_set():
            return
        files = [file for shot in self.album.shots.values() for file in shot.files]

        def go_on(done: int, total: int) -> None:
            if self._ended.is_set():
                raise InterruptedError

        try:
            found, ours = read_stars(files, progress=go_on), written_stars(self._folder)
            # What was written from here is nobody's own word.
            own = {p: x for p, x in found.photos.items() if p not in ours or x.stars != ours[p]}
            self.stars = replace(found, photos=own)
        except InterruptedError:
            return
        except AestheticTVError as error:
            log.warning("the stars of the photos could not be read: %s", error)
        self.version += 1

    def _copies(self) -> None:
        for path in islice(self.album.paths.values(), MOST_COPIES):
            if self._ended.is_set():
                return
            try:
                self.album.views.copy(path)
            except OSError:  # the disk is full, perhaps
                return

    def _stacks(self, taken: Sequence[Capture]) -> None:
        named = list(islice(self.album.paths.items(), MOST_COPIES))
        copies = [self.album.views.copy(path) for _, path in named]
        seen = [i for i, copy in enumerate(copies) if copy is not None]
        if self._ended.is_set() or len(seen) < 2:
            return
        names = [named[i][0] for i in seen]
        small = [str(copies[i]) for i in seen]
        groups = bursts(
            names,
            times=[taken[i].local for i in seen],
            looks=Looks.of(small, workers=1),
            cameras=[taken[i].camera for i in seen],
        )
        several = [group for group in groups if len(group) > 1]
        among = [place for group in several for place in group]
        traits = traits_of(small, among=among, workers=1)
        self.stacks = Stacks(
            tuple(tuple(names[place] for place in group) for group in several),
            {names[place]: traits[place] for place in among},
        )
        self.version += 1


def size_of(path: str) -> tuple[int, int] | tuple[None, None]:
    """Width and height of a photo that is opened without decoding; upright."""
    try:
        with open_photo(path) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION) in TURNED
    except Exception:  # decoders raise many kinds on damaged files; whoever shows it names it
        return None, None
    return (height, width) if turned else (width, height)
