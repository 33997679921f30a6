"""Which files are one photo: a camera that writes RAW and JPEG presses its shutter once."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aesthetic_tv.scorer.photo_files import RAW


@dataclass(frozen=True)
class Shot:
    """One photo and the files it comes in.

    Args:
        photo: the file that is looked at.
        raws: the RAW files of the same press of the shutter, where `photo` is none of them.
    """

    photo: Path
    raws: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, the one that is looked at first."""
        return (self.photo, *self.raws)


def shots(photos: Iterable[Path]) -> list[Shot]:
    """Join RAW files to the photo of the same name beside them, as `DSC_1.NEF` to `DSC_1.JPG`.

    A name is compared without suffix and without regard to capitals. Where two photos that are no
    RAW have one name (`DSC_1.jpg` and `DSC_1.png`), the RAW belongs to a JPEG or HEIC as cameras
    write them, that is to the first by suffix among those, and the others are photos of their own.

    Args:
        photos: files of any folders.

    Returns:
        One for each photo, in the order given; RAW files without such a photo are their own.
    """
    photos = list(photos)
    raws = dict[tuple[Path, str], list[Path]]()
    for photo in photos:
        if _is_raw(photo):
            raws.setdefault(_name(photo), []).append(photo)
    taken = dict[tuple[Path, str], Path]()
    for photo in photos:
        name = _name(photo)
        if name in raws and not _is_raw(photo):
            taken[name] = min(photo, taken.get(name, photo), key=likeness)
    found = []
    for photo in photos:
        name = _name(photo)
        if _is_raw(photo):
            if name not in taken:
                found.append(Shot(photo))
        else:
            found.append(Shot(photo, tuple(raws[name]) if taken.get(name) == photo else ()))
    return found


# Cameras write these beside RAW, from the most usual on.
_BESIDE_RAW = (".jpg", ".jpeg", ".heic", ".heif", ".hif", ".tif", ".tiff")


def likeness(photo: Path) -> tuple[int, str]:
    """How likely a camera wrote a file beside RAW: the least is the likeliest."""
    suffix = photo.suffix.lower()
    place = _BESIDE_RAW.index(suffix) if suffix in _BESIDE_RAW else len(_BESIDE_RAW)
    return place, photo.name


def _is_raw(photo: Path) -> bool:
    return photo.suffix.lower() in RAW


def _name(photo: Path) -> tuple[Path, str]:
    return photo.parent, photo.stem.lower()
