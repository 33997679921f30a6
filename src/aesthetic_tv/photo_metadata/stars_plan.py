"""Stars for photos: what would change, photo by photo; nothing is written before that was seen.

The photos are never touched, unless told otherwise, and neither are stars that a person gave. A
sidecar that is no whole XML is named and left alone.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aesthetic_tv.errors import MetadataError, SettingError
from aesthetic_tv.photo_metadata.embedding import (
    SUFFIXES,
    check_embedding,
    file_digest,
    former_rating,
)
from aesthetic_tv.photo_metadata.sidecars import Naming, Sidecars, moved
from aesthetic_tv.photo_metadata.stars import PhotoStars, Stars, read_sidecar
from aesthetic_tv.photo_metadata.stars_undo import digest
from aesthetic_tv.photo_metadata.stars_writing import FileChange, StarsPlan, StarsRow
from aesthetic_tv.photo_metadata.xmp import HIGHEST, LOWEST, told_by_packet
from aesthetic_tv.photo_metadata.xmp_edit import new_packet, spliced, with_stars


def plan_stars(
    found: Stars,
    stars: Mapping[str, int],
    *,
    album: str | os.PathLike[str],
    overwrite: bool = False,
    naming: Naming | None = None,
    sidecars_to: str | os.PathLike[str] | None = None,
    embed: bool = False,
    written: Mapping[str, int] | None = None,
) -> StarsPlan:
    """What would change, if photos got these stars.

    A photo's sidecars are updated, all that it has; where it has none, new ones are made
    (`Sidecars.new`). In an updated one only `xmp:Rating` changes.

    Args:
        found: what `read_stars` found in the album.
        stars: 1 to 5 by the photos' paths, as `found` has them; others are left as they are.
        album: the folder of photos.
        overwrite: whether stars and rejections that are there already are replaced.
        naming: of new sidecars; as most are there when not given.
        sidecars_to: a folder that sidecars go to, in the album's folders, with the content of
            those beside the photos.
        embed: write into the photos themselves where they are of the kinds in
            `embedding.SUFFIXES` and have no sidecar, which would hide what is in them; else to
            sidecars.
        written: stars that were written earlier, by the photos' paths, as `written_stars` tells:
            where they are still there they are replaced, being nobody's own.

    Raises:
        SettingError: other stars than 1 to 5, a photo that is not in the album, or pyexiv2 is not
            installed.
    """
    for photo, given in stars.items():
        if photo not in found.photos:
            raise SettingError(f"{photo} is none of the photos whose stars were read.")
        if given not in range(LOWEST, HIGHEST + 1):
            raise SettingError(f"{photo}: {given} stars; expected {LOWEST} to {HIGHEST}.")
    if embed:
        check_embedding()
    folder = Path(album)
    below = there = None
    if sidecars_to is not None:
        below = (folder, Path(sidecars_to))
        there = Sidecars.of((x.shot for x in found.photos.values()), below)
    planner = _Planner(found.sidecars, there, below, overwrite, naming, embed, written or {})
    rows = [
        planner.row(now, int(stars[photo])) for photo, now in found.photos.items() if photo in stars
    ]
    return StarsPlan(folder, folder if below is None else below[1], rows)


@dataclass(frozen=True)
class _Planner:
    """What holds for all photos of a plan.

    Args:
        beside: sidecars beside the photos.
        there: those in another folder, where they are to go to one.
        below: the album, and that folder.
        overwrite, naming, embed, written: as for `plan_stars`.
    """

    beside: Sidecars
    there: Sidecars | None
    below: tuple[Path, Path] | None
    overwrite: bool
    naming: Naming | None
    embed: bool
    written: Mapping[str, int]

    def row(self, now: PhotoStars, after: int) -> StarsRow:
        """One photo of the table."""
        photo, before = now.shot.photo, -1.0 if now.rejected else now.stars
        kept = "" if self.overwrite else self._own(now)
        if kept:
            return StarsRow(photo, before, after, kept=kept)
        if now.problems and not self.overwrite:  # what cannot be read may be stars of the person
            file, reason = next(iter(now.problems.items()))
            return StarsRow(photo, before, after, kept=f"{file.name} {reason}", failed=True)
        try:
            changes = tuple(self._changes(now, after))
        except MetadataError as error:
            return StarsRow(photo, before, after, kept=str(error), failed=True)
        return StarsRow(photo, before, after, changes, kept="" if changes else "the same already")

    def _own(self, now: PhotoStars) -> str:
        """Which stars of the person there are; empty for none."""
        if now.rejected:
            return "rejected by you"
        if now.stars is not None and self.written.get(str(now.shot.photo)) == now.stars:
            return ""
        if now.stars is not None:
            return "your own stars"
        there = () if self.there is None else self.there.beside[now.shot.photo]
        return "your own stars" if any(map(_has_stars, there)) else ""

    def _changes(self, now: PhotoStars, stars: int) -> Iterator[FileChange]:
        photo = now.shot.photo
        if self.embed and not now.sidecars and photo.suffix.lower() in SUFFIXES:
            if now.origin == "xmp" and now.stars == stars and not now.rejected:
                return
            with _named(photo):
                former = former_rating(photo)
                yield FileChange(photo, None, file_digest(photo), embedded=former)
            return
        known = () if self.there is None else self.there.beside[photo]
        pairs = [(file, file) for file in known]
        pairs = pairs or [(moved(file, self.below), file) for file in now.sidecars]
        for target, source in pairs:
            with _named(source):
                update = _update(target, source, stars)
            if update is not None:
                yield update
        if not pairs:
            for path in self.beside.new(now.shot, self.naming):
                yield FileChange(moved(path, self.below), new_packet(stars))


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Errors say of which file they are."""
    try:
        yield
    except MetadataError as error:
        raise MetadataError(f"{file.name} {error}") from None


def _update(target: Path, source: Path, stars: int) -> FileChange | None:
    """Of a sidecar, into which the content of another may go; `None` where it says so already."""
    content = read_sidecar(source)
    splices = tuple(with_stars(content, stars))
    new = spliced(content, splices)
    if target != source:
        return FileChange(target, new)
    return None if new == content else FileChange(target, new, digest(content), splices)


def _has_stars(sidecar: Path) -> bool:
    """Of one that was not looked at yet; one that is broken is named later."""
    try:
        told = told_by_packet(read_sidecar(sidecar))
    except MetadataError:
        return False
    return bool(told.stars or told.rejected)
