"""The stars inside of a photo's file: its XMP packet, and EXIF's rating; no pixel is decoded.

JPEG, TIFF, WebP and AVIF by Pillow, HEIC by pillow-heif; PNG, JPEG 2000, JPEG XL and Canon's CR3 by
their boxes; RAW that is TIFF inside (DNG, NEF, CR2, ARW, PEF, ORF, RW2 and others) by its tags, and
Fuji's RAF by the JPEG in it. Not reached: other RAW (CRW, MRW, X3F), XMP that JPEG XL compresses,
and the second packet of JPEGs with more than 64 KiB of XMP, where no program puts stars.
"""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, TiffImagePlugin

from aesthetic_tv.errors import MetadataError
from aesthetic_tv.photo_metadata.xmp import (
    MOST_BYTES,
    NOTHING,
    Told,
    told_by_packet,
    told_by_percent,
    told_by_rating,
)
from aesthetic_tv.scorer.photo_files import HEIF, RAW, heif_ready

RATING, RATING_PERCENT, XMP_TAG = 0x4746, 0x4749, 700  # tags of EXIF and TIFF
PNG = b"\x89PNG\r\n\x1a\n"
JPEG_2000, JPEG_XL = b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL "
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
TIFF = (b"II*\0", b"MM\0*")
# TIFF but for its first letters: Olympus' and Panasonic's.
LIKE_TIFF = {b"IIRO": TIFF[0], b"IIRS": TIFF[0], b"IIU\0": TIFF[0], b"MMOR": TIFF[1]}
FUJI, FUJI_JPEG = b"FUJIFILMCCD-RAW", 84  # where its place and length stand
FUJI_START = 2**19  # bytes of the JPEG within which its metadata lie


@dataclass(frozen=True)
class Embedded:
    """What a photo's file says.

    Args:
        xmp: by its packet.
        exif: by its tags.
        reached: whether files of this kind are read here.
    """

    xmp: Told = NOTHING
    exif: Told = NOTHING
    reached: bool = True


@dataclass(frozen=True)
class _Parts:
    """What was found in a file: the packet, and the tags or all of EXIF."""

    packet: bytes = b""
    exif: bytes = b""
    tags: tuple[object, object] = (None, None)  # rating and percentage


def read_embedded(photo: Path) -> Embedded:
    """The stars in a photo's own file, by the file's first bytes whatever its name.

    Raises:
        MetadataError: the file, or the packet in it, is damaged.
    """
    try:
        with warnings.catch_warnings(), photo.open("rb") as file:
            warnings.simplefilter("ignore")  # Pillow's, of sizes and damaged tags
            parts = _parts(file, photo.suffix.lower())
            if parts is None:
                return Embedded(reached=False)
            tags = _exif_tags(parts.exif) if parts.exif else parts.tags
    except Exception as error:  # as many kinds as there are ways to damage a file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MetadataError(f"cannot be read ({reason[:200]}).") from None
    exif = told_by_rating(tags[0])
    if not exif.speaks:
        exif = told_by_percent(tags[1])
    try:
        return Embedded(told_by_packet(parts.packet) if parts.packet else NOTHING, exif)
    except MetadataError as error:
        raise MetadataError(f"the XMP in it {error}") from None


def _parts(file: BinaryIO, suffix: str) -> _Parts | None:
    """`None` where this kind is not read."""
    header = file.read(32)
    file.seek(0)
    if header[:4] in (*TIFF, *LIKE_TIFF):
        return _of_tiff(file)
    if header.startswith(PNG):
        return _of_png(file)
    if header.startswith((JPEG_2000, JPEG_XL)) or header[4:12] == b"ftypcrx ":
        return _of_boxes(file)
    if header.startswith(FUJI):
        return _of_fuji(file)
    if header[4:8] == b"ftyp" and not heif_ready() and b"avi" not in header:
        return None
    if header[:2] == b"\xff\xd8" or header[8:12] == b"WEBP" or header[4:8] == b"ftyp":
        with Image.open(file) as image:
            return _Parts(_bytes(image.info.get("xmp")), _bytes(image.info.get("exif")))
    return None if suffix in (*RAW, *HEIF) else _Parts()


def _of_tiff(file: BinaryIO) -> _Parts:
    header = file.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(
        LIKE_TIFF.get(header[:4], header[:4]) + header[4:8]
    )
    file.seek(tags.next)
    tags.load(file)
    return _Parts(_bytes(tags.get(XMP_TAG)), tags=(tags.get(RATING), tags.get(RATING_PERCENT)))


def _of_png(file: BinaryIO) -> _Parts:
    """By its chunks: some programs put metadata behind the pixels, where Pillow reads them only
    with these.
    """
    file.seek(len(PNG))
    packet = exif = b""
    while len(head := file.read(8)) == 8:
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind not in (b"iTXt", b"eXIf") or size > MOST_BYTES:
            file.seek(size + 4, io.SEEK_CUR)
            continue
        content = file.read(size)
        file.seek(4, io.SEEK_CUR)
        if kind == b"eXIf":
            exif = content
        elif content.startswith(b"XML:com.adobe.xmp\0\0"):  # not compressed, as XMP has it
            packet = content.split(b"\0", 5)[5]
    return _Parts(packet, exif)


def _of_boxes(file: BinaryIO) -> _Parts:
    packet = b""
    for kind, size in _boxes(file):
        start = file.read(16) if kind == b"uuid" else b""
        if (kind == b"xml " or start == XMP_UUID) and size - len(start) <= MOST_BYTES:
            packet = packet or file.read(size - len(start))
    return _Parts(packet)


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and size of what is in each box of a file, which stands there while it is told."""
    end = file.seek(0, io.SEEK_END)
    place = 0
    while place + 8 <= end:
        file.seek(place)
        head = file.read(16)
        size, kind, length = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, length = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:  # to the end
            size = end - place
        if size < length:
            return
        file.seek(place + length)
        yield kind, min(size, end - place) - length
        place += size


def _of_fuji(file: BinaryIO) -> _Parts:
    file.seek(FUJI_JPEG)
    place, length = (int.from_bytes(file.read(4), "big") for _ in range(2))
    file.seek(place)
    with Image.open(io.BytesIO(file.read(min(length, FUJI_START)))) as image:
        return _Parts(_bytes(image.info.get("xmp")), _bytes(image.info.get("exif")))


def _exif_tags(content: bytes) -> tuple[object, object]:
    exif = Image.Exif()
    exif.load(content)
    return exif.get(RATING), exif.get(RATING_PERCENT)


def _bytes(value: object) -> bytes:
    if isinstance(value, tuple):  # of TIFF, as single bytes
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if isinstance(value, bytes | bytearray) else b""
