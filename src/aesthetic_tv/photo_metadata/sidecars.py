"""Sidecars: the XMP files beside photos, and what they are called.

darktable, digiKam and most others write `photo.jpg.xmp`; Lightroom, Capture One, Bridge and Photo
Mechanic `photo.xmp`, and Lightroom that only beside RAW.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from aesthetic_tv.photo_metadata.shots import Shot, likeness
from aesthetic_tv.scorer.photo_files import RAW

SUFFIX = ".xmp"
# How sidecars are called: as Lightroom has it (`photo.xmp`), or darktable (`photo.jpg.xmp`).
Naming = Literal["lightroom", "darktable"]
NAMINGS: tuple[Naming, ...] = get_args(Naming)


@dataclass(frozen=True)
class Sidecars:
    """The sidecars of photos, found in one look at each folder.

    Args:
        beside: the sidecars of each photo, by its path; those named after a whole file first.
        owners: the photo that a `photo.xmp` belongs to, where photos share their name.
    """

    beside: Mapping[Path, tuple[Path, ...]] = field(repr=False)
    owners: Mapping[tuple[Path, str], Path] = field(repr=False)

    @classmethod
    def of(cls, photos: Iterable[Shot], below: tuple[Path, Path] | None = None) -> "Sidecars":
        """Look for the sidecars of photos, in any capitals.

        Args:
            photos: all of the album, since `photo.xmp` belongs to one of those named so.
            below: an album and the folder that stands for it: look for sidecars there.
        """
        photos = list(photos)
        owners = _owners(photos)
        listed = dict[Path, dict[str, list[Path]]]()
        beside = dict[Path, tuple[Path, ...]]()
        for shot in photos:
            place = moved(shot.photo, below).parent
            if place not in listed:
                listed[place] = _sidecars_in(place)
            there = listed[place]
            found = [x for file in shot.files for x in there.get(file.name.lower() + SUFFIX, ())]
            if owners[_name(shot.photo)] == shot.photo:
                found += there.get(shot.photo.stem.lower() + SUFFIX, ())
            beside[shot.photo] = tuple(dict.fromkeys(found))
        return cls(beside, owners)

    @cached_property
    def usual(self) -> Naming | None:
        """How most sidecars are called here; `None` where there are none."""
        short = sum(
            sidecar.stem.lower() == photo.stem.lower()
            for photo, sidecars in self.beside.items()
            for sidecar in sidecars
        )
        count = sum(map(len, self.beside.values()))
        if not count:
            return None
        return "lightroom" if 2 * short > count else "darktable"

    def new(self, shot: Shot, naming: Naming | None = None) -> tuple[Path, ...]:
        """What sidecars of a photo without any are called.

        Args:
            shot: the photo.
            naming: as most are here when not given; where there are none, beside RAW as Lightroom
                has it, which reads no other, and beside all others as darktable and digiKam do.

        Returns:
            One as Lightroom has it, and one for each file as darktable has it. Of photos that
            share a name, only one can have `photo.xmp`.
        """
        naming = naming or self.usual
        raw = any(file.suffix.lower() in RAW for file in shot.files)
        short = naming == "lightroom" or (naming is None and raw)
        if short and self.owners[_name(shot.photo)] == shot.photo:
            return (shot.photo.with_suffix(SUFFIX),)
        return tuple(file.with_name(file.name + SUFFIX) for file in shot.files)


def moved(path: Path, below: tuple[Path, Path] | None) -> Path:
    """The same place below another folder.

    Args:
        path: below the first.
        below: an album, and what stands for it.
    """
    return path if below is None else below[1] / path.relative_to(below[0])


def _sidecars_in(folder: Path) -> dict[str, list[Path]]:
    """By their names in small letters; empty where the folder cannot be opened."""
    found = dict[str, list[Path]]()
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.name.lower().endswith(SUFFIX))
    except OSError:
        return found
    for name in names:
        if not name.startswith("."):
            found.setdefault(name.lower(), []).append(folder / name)
    return found


def _owners(photos: Iterable[Shot]) -> dict[tuple[Path, str], Path]:
    """Of photos with one name, the one with RAW, or else the likeliest of a camera."""
    best = dict[tuple[Path, str], tuple[bool, tuple[int, str], Path]]()
    for shot in photos:
        raw = any(file.suffix.lower() in RAW for file in shot.files)
        rank = (not raw, likeness(shot.photo), shot.photo)
        name = _name(shot.photo)
        best[name] = min(rank, best.get(name, rank))
    return {name: rank[2] for name, rank in best.items()}


def _name(photo: Path) -> tuple[Path, str]:
    return photo.parent, photo.stem.lower()
