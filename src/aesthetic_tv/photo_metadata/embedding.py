"""Stars inside of photos, by exiv2: for programs that read no sidecars, and only when asked for.

The new file is made beside the photo and takes its place when its pixels have turned out the same.
pyexiv2 is under the GPL, so that it comes with the extra `xmp` and is imported here alone.
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from aesthetic_tv.errors import MetadataError, SettingError
from aesthetic_tv.files import atomic_path
from aesthetic_tv.scorer.hashing import sha256

# Kinds that exiv2 writes and that pixels can be compared of; RAW files are never written to.
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff")
XMP_RATING, EXIF_RATING = "Xmp.xmp.Rating", "Exif.Image.Rating"


def check_embedding() -> None:
    """Refuse where pyexiv2 is not installed.

    Raises:
        SettingError: says how to install it.
    """
    try:
        import pyexiv2
    except (ImportError, OSError) as error:  # its library may miss one of the system's
        raise SettingError(
            f"Stars go into photos by pyexiv2, which is not to be had here ({error}); "
            "`pip install 'aesthetic-tv[xmp]'`, or write sidecars."
        ) from None
    pyexiv2.set_log_level(4)  # errors come as exceptions


def former_rating(photo: Path) -> dict[str, str]:
    """The ratings in a photo by exiv2's names, without those that it does not have.

    Raises:
        MetadataError: exiv2 cannot read it.
    """
    import pyexiv2

    try:
        image = pyexiv2.Image(str(photo))
        try:
            xmp, exif = image.read_xmp(), image.read_exif()
        finally:
            image.close()
    except (RuntimeError, UnicodeError) as error:
        raise MetadataError(f"cannot be read by exiv2 ({error}).") from None
    found = {XMP_RATING: xmp.get(XMP_RATING), EXIF_RATING: exif.get(EXIF_RATING)}
    return {name: str(value) for name, value in found.items() if value is not None}


def embed_stars(photo: Path, stars: int, before: str | None) -> str:
    """Write stars into a photo, as `xmp:Rating`; as EXIF's where it has one, so that they agree.

    Args:
        photo: the file; its pixels stay as they are.
        stars: 1 to 5.
        before: SHA-256 that the file has to have.

    Returns:
        SHA-256 of the new file.

    Raises:
        MetadataError: the file is another one by now, exiv2 cannot write it, or pixels would have
            changed; it is as it was.
        OutputError: it could not be written; it is as it was.
    """
    if file_digest(photo) != before:
        raise MetadataError("was changed since the table was made; skipped.")
    values = {XMP_RATING: str(stars)}
    if EXIF_RATING in former_rating(photo):
        values[EXIF_RATING] = str(stars)
    _rewrite(photo, values)
    return file_digest(photo)


def put_back_embedded(
    photo: Path, former: Mapping[str, str], before: str | None, after: str, stars: int
) -> None:
    """Give a photo its former rating again.

    Args:
        photo: the file.
        former: what `former_rating` found.
        before: SHA-256 of the file before stars were written.
        after: that of the file with them; empty where the writing was cut off.
        stars: that were written.

    Raises:
        MetadataError: the file was changed since.
    """
    check_embedding()
    now = file_digest(photo)
    if now == before:
        return
    ours = former_rating(photo).get(XMP_RATING) == str(stars) if not after else now == after
    if not ours:
        raise MetadataError("was changed since; left as it is.")
    values = {XMP_RATING: former.get(XMP_RATING), EXIF_RATING: former.get(EXIF_RATING)}
    there = former_rating(photo)
    _rewrite(photo, {name: x for name, x in values.items() if x is not None or name in there})


def file_digest(file: Path) -> str:
    """SHA-256 of all of a file.

    Raises:
        MetadataError: it cannot be read.
    """
    try:
        return sha256(file)
    except OSError as error:
        raise MetadataError(f"cannot be read ({error.strerror}).") from None


def _rewrite(photo: Path, values: Mapping[str, str | None]) -> None:
    """Set ratings, or take them out."""
    target = photo.resolve()
    pixels = _pixels(target)
    with atomic_path(target, sweep=False, mode=target.stat().st_mode & 0o777) as temporary:
        shutil.copyfile(target, temporary)
        _set(temporary, values)
        # exiv2 never takes the last XMP out of WebP; no stars are as good as none.
        there = former_rating(temporary)
        kept = {name: "0" for name, value in values.items() if value is None and name in there}
        if kept:
            _set(temporary, kept)
            there = former_rating(temporary)
        if any(there.get(name) != value for name, value in {**values, **kept}.items()):
            raise MetadataError("would not have had the stars; it is as it was.")
        if _pixels(temporary) != pixels:
            raise MetadataError("would have had other pixels; it is as it was.")


def _set(photo: Path, values: Mapping[str, str | None]) -> None:
    import pyexiv2

    try:
        image = pyexiv2.Image(str(photo))
        try:
            if XMP_RATING in values:
                image.modify_xmp({XMP_RATING: values[XMP_RATING]})
            if EXIF_RATING in values:
                image.modify_exif({EXIF_RATING: values[EXIF_RATING]})
        finally:
            image.close()
    except (RuntimeError, UnicodeError) as error:
        raise MetadataError(f"cannot be written by exiv2 ({error}).") from None


def _pixels(photo: Path) -> tuple[Any, ...]:
    """What is seen of a photo: size, mode, frames, and a hash of the first one's pixels."""
    try:
        with Image.open(photo) as image:
            pixels = hashlib.sha256(image.tobytes()).hexdigest()
            return image.size, image.mode, getattr(image, "n_frames", 1), pixels
    except Exception as error:  # as many kinds as there are ways to damage a photo
        raise MetadataError(f"cannot be decoded ({error}).") from None
