"""The stars that photos have already: in their sidecars, in their XMP, in EXIF.

Which one counts: a sidecar before the XMP in the photo, that before EXIF's rating. No stars (0) in
a sidecar are the person's word; in a photo cameras write them of themselves, so that EXIF is asked
then. Of two sidecars that differ the one changed last counts, and it is told.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from aesthetic_tv.errors import MetadataError
from aesthetic_tv.photo_metadata.embedded import read_embedded
from aesthetic_tv.photo_metadata.shots import Shot, shots
from aesthetic_tv.photo_metadata.sidecars import Sidecars
from aesthetic_tv.photo_metadata.xmp import MOST_BYTES, Told, told_by_packet
from aesthetic_tv.scorer.photo_files import find_photos

Origin = Literal["sidecar", "xmp", "exif"]
ORIGINS: dict[Origin, str] = {"sidecar": "sidecars", "xmp": "XMP in the photo", "exif": "EXIF"}


@dataclass(frozen=True)
class PhotoStars:
    """What one photo's files say.

    Args:
        shot: the photo, and the RAW files that belong to it.
        stars: 1 to 5; `None` for none.
        rejected: whether the person rejected it.
        label: such as Red; empty for none.
        origin: where stars or the rejection stand; `None` for neither.
        file: in which file.
        sidecars: all that there are, whole or not.
        conflict: what contradicts what; empty for nothing.
        problems: why files of it say nothing, by file: broken ones, stars out of range.
        unreached: its own files of kinds whose stars are not read here.
    """

    shot: Shot
    stars: float | None = None
    rejected: bool = False
    label: str = ""
    origin: Origin | None = None
    file: Path | None = None
    sidecars: tuple[Path, ...] = ()
    conflict: str = ""
    problems: Mapping[Path, str] = field(default_factory=dict)
    unreached: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Stars:
    """The stars of many photos.

    Args:
        photos: each photo, by its path, in the order of their paths.
        sidecars: where theirs are, and how new ones are called.
    """

    photos: Mapping[str, PhotoStars] = field(repr=False)
    sidecars: Sidecars = field(repr=False)

    @property
    def ratings(self) -> dict[str, float]:
        """Stars by path, 1 to 5, of the photos that have any and were not rejected."""
        return {
            photo: found.stars
            for photo, found in self.photos.items()
            if found.stars is not None and not found.rejected
        }

    @property
    def rejected(self) -> list[str]:
        """The photos that the person rejected."""
        return [photo for photo, found in self.photos.items() if found.rejected]

    @property
    def labels(self) -> dict[str, str]:
        """Label by path, where there is one."""
        return {photo: found.label for photo, found in self.photos.items() if found.label}

    @property
    def origins(self) -> dict[Origin, int]:
        """How many stars and rejections come from where; the first counts most."""
        counts = Counter(found.origin for found in self.photos.values() if found.origin)
        return {origin: counts[origin] for origin in ORIGINS if counts[origin]}

    @property
    def unrated(self) -> int:
        """How many photos have neither stars nor a rejection."""
        return len(self.photos) - sum(found.origin is not None for found in self.photos.values())

    @property
    def conflicts(self) -> dict[str, str]:
        """What contradicts what, by photo."""
        return {photo: found.conflict for photo, found in self.photos.items() if found.conflict}

    @property
    def problems(self) -> dict[str, str]:
        """Why files say nothing, by file."""
        return {
            str(file): reason
            for found in self.photos.values()
            for file, reason in found.problems.items()
        }

    @property
    def unreached(self) -> dict[str, int]:
        """How many files are of kinds whose own stars are not read here, by suffix."""
        files = (file for found in self.photos.values() for file in found.unreached)
        return dict(Counter(file.suffix.lower() for file in files))

    def summary(self) -> str:
        """How many were found where, in a sentence or two."""
        rated, rejected = len(self.ratings), len(self.rejected)
        where = ", ".join(f"{count} in {ORIGINS[origin]}" for origin, count in self.origins.items())
        text = f"{rated} of {len(self.photos)} photos have stars"
        text += f", {rejected} rejected" if rejected else ""
        text += f" ({where})." if where else "."
        if self.unreached:
            kinds = ", ".join(f"{count} {suffix}" for suffix, count in self.unreached.items())
            text += f" Only sidecars were read of {kinds}."
        return text


def read_stars(
    photos: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Stars:
    """Read the stars of photos: of each what its sidecars, its XMP or EXIF say, in this order.

    RAW and JPEG of one press of the shutter are one photo, with the sidecars of both. Only the
    beginnings of files are read. Nothing that is broken ends it; it is named in `problems`.

    Args:
        photos: a folder, looked through as `find_photos` does, or all files of an album.
        progress: called with (photos done, photos in all).

    Raises:
        PhotoError: the folder is missing or holds no photo.

    Example:
        >>> read_stars("album").ratings  # doctest: +SKIP
        {'album/cat.jpg': 5.0, 'album/2023/dog.jpg': 2.0}
    """
    album = shots(find_photos(photos, every_kind=True))
    sidecars = Sidecars.of(album)
    found = dict[str, PhotoStars]()
    for done, shot in enumerate(album, 1):
        found[str(shot.photo)] = _of_shot(shot, sidecars.beside[shot.photo])
        if progress is not None:
            progress(done, len(album))
    return Stars(found, sidecars)


def read_sidecar(file: Path) -> bytes:
    """What a sidecar holds.

    Raises:
        MetadataError: it cannot be opened, or has more than `MOST_BYTES`.
    """
    try:
        if not file.is_file():  # a pipe would wait for ever
            raise MetadataError("is no file that can be read.")
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise MetadataError(f"cannot be read ({error.strerror}).") from None
    if len(content) > MOST_BYTES:
        raise MetadataError(f"has more than {MOST_BYTES:,} bytes; it is no sidecar.")
    return content


def _of_shot(shot: Shot, sidecars: tuple[Path, ...]) -> PhotoStars:
    problems = dict[Path, str]()
    said = list[tuple[Origin, Path, Told]]()
    for file in sidecars:
        try:
            said.append(("sidecar", file, told_by_packet(read_sidecar(file))))
        except MetadataError as error:
            problems[file] = str(error)
    unreached = list[Path]()
    for file in shot.files:
        try:
            inside = read_embedded(file)
        except MetadataError as error:
            problems[file] = str(error)
            continue
        unreached += [] if inside.reached else [file]
        said += [("xmp", file, inside.xmp), ("exif", file, inside.exif)]
    for _, file, told in said:
        if told.problem:
            problems[file] = told.problem
    found = PhotoStars(shot, sidecars=sidecars, problems=problems, unreached=tuple(unreached))
    label = next((told.label for _, _, told in said if told.label), "")
    chosen, conflict = _chosen(said)
    if chosen is None:
        return replace(found, label=label, conflict=conflict)
    origin, file, told = chosen
    return replace(
        found,
        stars=told.stars or None,
        rejected=told.rejected,
        label=label,
        origin=origin,
        file=file,
        conflict=conflict,
    )


def _chosen(
    said: list[tuple[Origin, Path, Told]],
) -> tuple[tuple[Origin, Path, Told] | None, str]:
    """Which one counts, `None` for a photo without stars; and what contradicts what."""
    beside = [x for x in said if x[0] == "sidecar" and x[2].speaks and not x[2].problem]
    inside = [x for x in said if x[0] != "sidecar" and (x[2].stars or x[2].rejected)]
    conflict = ""
    if len({_word(told) for _, _, told in beside}) > 1:
        # The first of several that were changed at one time.
        beside.sort(key=lambda x: -_changed(x[1]))
        words = ", ".join(f"{file.name} {_word(told)}" for _, file, told in beside)
        conflict = f"{words}: the one changed last counts."
    chosen = next(iter(beside or inside), None)
    if chosen is None or not (chosen[2].stars or chosen[2].rejected):
        return None, conflict
    return chosen, conflict


def _word(told: Told) -> str:
    return "rejected" if told.rejected else f"{told.stars or 0:g}"


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
