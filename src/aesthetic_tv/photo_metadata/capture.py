"""When and with what a photo was taken, as its EXIF tells: no pixel is decoded for it."""

import importlib
import io
import os
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import IO, Any

from PIL import ExifTags, Image

from aesthetic_tv.scorer.photo_files import RAW, heif_ready, raw_ready

TIFF_LIKE = {b"II": b"II*\0", b"MM": b"MM\0*"}  # how RAW begins that is TIFF but for two bytes
RAF, RAF_PICTURE = b"FUJIFILMCCD-RAW", 84  # where it says at what place its JPEG begins
# Time, fraction of the second and zone: when it was taken, or a film was scanned. The third that
# EXIF has, when the file was changed, is when it was edited.
CLOCKS = ((0x9003, 0x9291, 0x9011), (0x9004, 0x9292, 0x9012))
EXPOSURE_BIAS = 0x9204
_TIME = re.compile(r"\s*(\d{4})\D(\d\d)\D(\d\d)[ T](\d\d):(\d\d):(\d\d)")
_ZONE = re.compile(r"\s*([+-])(\d\d):(\d\d)")


@dataclass(frozen=True)
class Capture:
    """What is known of the press of a shutter; nothing of it has to be.

    Args:
        local: by the camera's own clock, in seconds since 1970 as though that showed UTC.
        offset: seconds that the clock was ahead of UTC, where the camera says so.
        camera: its model.
        exposure_bias: stops that the photo was to be brighter than the camera's meter had it.
    """

    local: float | None = None
    offset: float | None = None
    camera: str = ""
    exposure_bias: float | None = None

    @property
    def time(self) -> float | None:
        """Seconds since 1970, UTC; where the zone is not known, as though it was UTC."""
        return None if self.local is None else self.local - (self.offset or 0.0)


def capture(photo: str | os.PathLike[str]) -> Capture:
    """What a photo's EXIF tells; an empty one where there is none, or no photo.

    The time at which the file was written is none of it: copying changes that.

    Args:
        photo: path of a JPEG, HEIC, RAW or any other kind that is read here.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF
            return _capture(Path(photo))
    except Exception:  # decoders raise many kinds on damaged files; whoever decodes it names it
        return Capture()


def captures(
    photos: Sequence[str | os.PathLike[str]], *, workers: int | None = None
) -> list[Capture]:
    """`capture` of each, in threads.

    Args:
        photos: paths.
        workers: threads; up to 8 when not given.
    """
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(capture, photos))


def bracketed(frames: Sequence[Capture]) -> bool:
    """Whether frames of one burst are an exposure bracket: one scene, darker and brighter."""
    biases = {frame.exposure_bias for frame in frames if frame.exposure_bias is not None}
    return len(biases) > 1


def _capture(photo: Path) -> Capture:
    with photo.open("rb") as file:
        exif = _exif(file, photo)
        if exif is not None:
            found = of_exif(exif)
            if found != Capture():
                return found
    if photo.suffix.lower() in RAW and raw_ready():
        return _by_libraw(photo)
    return Capture()


def _exif(file: IO[bytes], photo: Path) -> Image.Exif | None:
    """The tags of a photo, not yet read beyond what says where they are."""
    header = file.read(RAF_PICTURE + 8)
    exif = Image.Exif()
    if header.startswith(RAF):
        file.seek(int.from_bytes(header[RAF_PICTURE : RAF_PICTURE + 4], "big"))
        size = int.from_bytes(header[RAF_PICTURE + 4 : RAF_PICTURE + 8], "big")
        return _of_picture(io.BytesIO(file.read(size)))
    if header[:2] in TIFF_LIKE and (photo.suffix.lower() in RAW or header[2:4] in (b"*\0", b"\0*")):
        exif.load_from_fp(_Tiff(file, TIFF_LIKE[header[:2]]))  # type: ignore[arg-type]
        return exif
    if header[4:8] == b"ftyp":
        heif_ready()
    file.seek(0)
    return _of_picture(file)


def _of_picture(file: IO[bytes]) -> Image.Exif | None:
    """Of what Pillow opens; PNG is asked for no more than it said before its pixels."""
    with Image.open(file) as image:
        told = image.info.get("exif")
        if not told:
            return None
        exif = Image.Exif()
        exif.load(told)
        return exif


class _Tiff:
    """A file whose first four bytes are those of TIFF, as makers change them."""

    def __init__(self, file: IO[bytes], magic: bytes):
        self.file, self.magic = file, magic
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        at = self.file.tell()
        found = self.file.read(size)
        return (self.magic + found[4:]) if at == 0 else found

    def seek(self, place: int, whence: int = 0) -> int:
        return self.file.seek(place, whence)

    def tell(self) -> int:
        return self.file.tell()


def of_exif(exif: Image.Exif) -> Capture:
    """What tags tell.

    Args:
        exif: as Pillow reads it.
    """
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    camera = str(exif.get(ExifTags.Base.Model, "")).strip("\0 ")
    bias = _number(tags.get(EXPOSURE_BIAS))
    for time_tag, fraction, zone in CLOCKS:
        local = _seconds(tags.get(time_tag), tags.get(fraction))
        if local is not None:
            return Capture(local, _offset(tags.get(zone)), camera, bias)
    return Capture(None, None, camera, bias)


def _by_libraw(photo: Path) -> Capture:
    """The time alone, to the second: of makers whose files are no TIFF."""
    with importlib.import_module("rawpy").imread(os.fspath(photo)) as raw:
        taken = raw.other.timestamp
    if taken.year <= 1970:
        return Capture()
    return Capture(taken.replace(tzinfo=timezone.utc).timestamp())


def _seconds(time: Any, fraction: Any) -> float | None:
    """Since 1970, of `2024:05:31 18:04:59` and `123`."""
    found = _TIME.match(str(time or ""))
    if found is None:
        return None
    try:
        taken = datetime(*map(int, found.groups()), tzinfo=timezone.utc)  # type: ignore[misc, arg-type]
    except ValueError:  # the 31st of February, or all zeros
        return None
    digits = re.match(r"\d+", str(fraction or "").strip())
    return taken.timestamp() + (float(f"0.{digits[0]}") if digits else 0.0)


def _offset(zone: Any) -> float | None:
    found = _ZONE.match(str(zone or ""))
    if found is None:
        return None
    seconds = 3600.0 * int(found[2]) + 60.0 * int(found[3])
    return seconds if found[1] == "+" else -seconds


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if isfinite(number) else None
