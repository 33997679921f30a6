"""From a photo, whatever it comes as, to upright 8-bit sRGB."""

import hashlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from .colour import profile_of, to_srgb
from .errors import PhotoError
from .photo_files import HEIF, RAW, heif_ready, raw_ready, way_out
from .raw import ORIENTATION, open_raw

# A path, an image in memory, what a photo's file holds, or uint8 of shape (H, W), (H, W, 3) or
# (H, W, 4). Where photos come in, torch tensors (3, H, W) do too, floats in [0, 1] or uint8.
Photo: TypeAlias = str | os.PathLike[str] | Image.Image | bytes | np.ndarray

DECODING = 2  # raised whenever a photo's pixels come out otherwise
# Pillow's own limit, above which it takes a picture for a decompression bomb.
PIXEL_LIMIT = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)
WHITE = (255, 255, 255)
LONGEST_NAME, LONGEST_REASON = 1000, 300  # characters in a message; a path is no longer
PATHS, BYTES = (str, os.PathLike), (bytes, bytearray, memoryview)
ENOUGH = 4  # times the short side that is asked for; colours are changed of no more pixels

HEADER = 64  # bytes that tell a kind
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
HEIF_BRANDS |= {b"mif1", b"msf1"}
# How files begin that are RAW whatever their name; most others are told by their tags.
RAW_MAGIC = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
TIFF_MAGIC = (b"II*\0", b"MM\0*")
NEW_SUBFILE_TYPE, DNG_VERSION = 254, 50706  # tags of TIFF


def load_photo(
    photo: Photo, *, short_side: int | None = None, name: str | None = None
) -> Image.Image:
    """Decode a photo to upright 8-bit sRGB.

    EXIF orientation is applied, colours are taken from the photo's profile to sRGB, transparency
    is laid on white, 16-bit is scaled to 8, and of an animation the first frame is taken. HEIC
    needs pillow-heif, RAW needs rawpy (the extras `heic` and `raw`).

    Args:
        photo: path, PIL image, the bytes of a file, or an array uint8 (H, W, 3).
        short_side: what the short side will be resized to; lets a large JPEG be decoded at half,
            a quarter or an eighth of its size, never below twice this.
        name: of the photo in messages; its path when not given.

    Raises:
        PhotoError: missing, unreadable, not an image, cut off, or more than `PIXEL_LIMIT` pixels.
    """
    with _opened(photo, name or photo_name(photo), short_side) as image:
        if short_side is not None and image.format == "JPEG" and not isinstance(photo, Image.Image):
            scale = 2 * short_side / min(image.size)
            image.draft("RGB", (ceil(scale * image.width), ceil(scale * image.height)))
        return _upright_srgb(image, short_side)


def open_photo(photo: Photo, *, name: str | None = None) -> Image.Image:
    """A photo as a PIL image whose pixels are decoded when they are asked for.

    Raises:
        PhotoError: missing, not an image, or of a kind that cannot be read here.
    """
    with _told(photo, name or photo_name(photo)):
        return _open(photo, None)


def photo_name(photo: Any, place: int | None = None, total: int | None = None) -> str:
    """What messages call a photo: its path, or its place among those that were given.

    Args:
        photo: any photo, or what was taken for one; its content is never told.
        place: from 0.
        total: how many there are.
    """
    named = getattr(photo, "filename", "") if isinstance(photo, Image.Image) else photo
    if isinstance(named, PATHS) and (text := os.fsdecode(named)):
        long = len(text) > LONGEST_NAME
        return f"{text[:50]}... ({len(text):,} characters)" if long else text
    return "the image" if place is None else f"image {place + 1} of {total}"


def photo_names(photos: Sequence[Any]) -> list[str]:
    """`photo_name` of each."""
    return [photo_name(photo, place, len(photos)) for place, photo in enumerate(photos)]


def as_photos(photos: Any) -> list[Photo]:
    """One photo or several as a list; an array (n, H, W, 3) or a tensor (n, 3, H, W) is n photos.

    Raises:
        PhotoError: what is no photo, by its type.
    """
    if isinstance(photos, (*PATHS, Image.Image, *BYTES)):
        found: list[Any] = [photos]
    elif is_tensor(photos) and photos.ndim == 3:
        found = [of_tensor(photos)]
    elif isinstance(photos, np.ndarray) and photos.ndim in (2, 3):
        found = [photos]
    else:
        try:
            found = [of_tensor(photo) for photo in photos]
        except TypeError:
            raise PhotoError(_no_photo(photos)) from None
    for place, photo in enumerate(found):
        if not isinstance(photo, (*PATHS, Image.Image, *BYTES, np.ndarray)):
            raise PhotoError(f"{photo_name(None, place, len(found))}: {_no_photo(photo)}")
    return found


def is_tensor(photo: Any) -> bool:
    """Whether it is a torch tensor; torch is not imported for it."""
    return type(photo).__module__.partition(".")[0] == "torch" and hasattr(photo, "detach")


def of_tensor(photo: Any) -> Any:
    """A torch tensor (3, H, W) as an array uint8 (H, W, 3), rounded; anything else as it is.

    Raises:
        PhotoError: a tensor of another shape, or of floats outside [0, 1].
    """
    if not is_tensor(photo):
        return photo
    values = photo.detach().cpu()
    shape, kind = tuple(values.shape), str(values.dtype).removeprefix("torch.")
    wanted = "expected (3, H, W), channels first, uint8 or floats in [0, 1]"
    if len(shape) != 3 or shape[0] not in (1, 3) or 0 in shape:
        raise PhotoError(f"is a tensor of {kind} {shape}; {wanted}.")
    if values.is_floating_point():
        levels = values.float().numpy() * 255
        if not (levels.min() >= -1 and levels.max() <= 256):
            low, high = levels.min() / 255, levels.max() / 255
            raise PhotoError(f"is a tensor with values from {low:.4g} to {high:.4g}; {wanted}.")
        array = levels.round().clip(0, 255).astype(np.uint8)
    elif kind == "uint8":
        array = values.numpy()
    else:
        raise PhotoError(f"is a tensor of {kind} {shape}; {wanted}.")
    return np.ascontiguousarray(np.moveaxis(array, 0, -1))


def memory_digest(photo: Photo) -> str:
    """SHA-256 of what decides how an image in memory is seen; of bytes, as of a file of them.

    Raises:
        PhotoError: it is none, or cannot be decoded.
    """
    if isinstance(photo, BYTES):
        return hashlib.sha256(photo).hexdigest()
    with _opened(photo, photo_name(photo), None) as image:
        told = f"{image.mode} {image.size} ".encode()
        digest = hashlib.sha256(told + image.tobytes())
        digest.update(profile_of(image))
        if image.palette is not None:
            digest.update(image.palette.tobytes())
        if (clear := image.info.get("transparency")) is not None:
            digest.update(repr(clear).encode())
        if (turned := image.getexif().get(ORIENTATION, 1)) != 1:
            digest.update(f"{turned}".encode())
        return digest.hexdigest()


def _no_photo(found: Any) -> str:
    return (
        f"{type(found).__name__} is no photo; expected a path, a PIL image, the bytes of a file, "
        "an array uint8 (H, W, 3), or a tensor (3, H, W) in [0, 1]."
    )


@contextmanager
def _opened(photo: Photo, name: str, short_side: int | None) -> Iterator[Image.Image]:
    """The image, closed afterwards where it was opened here; every error by the photo's name."""
    with _told(photo, name):
        image = _open(photo, short_side)
        try:
            yield image
        finally:
            if image is not photo:
                image.close()


@contextmanager
def _told(photo: Photo, name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", module="PIL")  # of damaged EXIF
            yield
    except PhotoError as error:
        raise PhotoError(f"{name}: {error}") from None
    except Image.DecompressionBombError:
        raise PhotoError(
            f"{name}: more than {PIXEL_LIMIT:,} pixels, which is refused as a decompression bomb; "
            "scale the picture down first."
        ) from None
    except UnidentifiedImageError:
        advice = way_out(_suffix(photo))
        how = f"; {advice}" if advice else ""
        raise PhotoError(f"{name}: is not an image Pillow can read{how}.") from None
    except FileNotFoundError:
        raise PhotoError(f"{name}: there is no such file.") from None
    except Exception as error:  # decoders raise many kinds on damaged files
        raise PhotoError(f"{name}: cannot be decoded ({_reason(error)}).") from error


def _reason(error: Exception) -> str:
    """What an error says, without what it was about."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    parts = [x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in error.args]
    return (", ".join(parts) or type(error).__name__)[:LONGEST_REASON]


def _suffix(photo: Photo) -> str:
    return PurePath(photo).suffix.lower() if isinstance(photo, PATHS) else ""


def _open(photo: Photo, short_side: int | None) -> Image.Image:
    if isinstance(photo, Image.Image):
        return photo
    if is_tensor(photo):
        photo = of_tensor(photo)
    if isinstance(photo, np.ndarray):
        return _of_array(photo)
    if isinstance(photo, BYTES):
        header = bytes(photo[:HEADER])
    elif isinstance(photo, PATHS):
        with Path(photo).open("rb") as file:
            header = file.read(HEADER)
    else:
        raise PhotoError(_no_photo(photo))
    if not header:
        raise PhotoError("is empty.")
    kind = _kind(header, _suffix(photo))
    if header.startswith(TIFF_MAGIC) and _is_raw(_source(photo)):
        kind = "RAW"
    if kind == "HEIC" and not heif_ready():
        raise PhotoError(f"is HEIC, which needs pillow-heif; {way_out(HEIF[0])}.")
    if kind == "RAW":
        return _open_raw(photo, short_side)
    return Image.open(_source(photo))


def _source(photo: Any) -> Any:
    return io.BytesIO(photo) if isinstance(photo, BYTES) else photo


def _open_raw(photo: Photo, short_side: int | None) -> Image.Image:
    if not raw_ready():
        raise PhotoError(f"is RAW, which needs rawpy; {way_out(RAW[0])}.")
    source = _source(photo)
    return open_raw(source if isinstance(source, io.BytesIO) else os.fspath(source), short_side)


def _kind(header: bytes, suffix: str) -> str:
    """HEIC or RAW; empty for what Pillow reads or refuses by itself."""
    if header[4:8] == b"ftyp":
        size = min(int.from_bytes(header[:4], "big"), len(header))
        brands = {header[8:12], *(header[i : i + 4] for i in range(16, size - 3, 4))}
        if b"crx " in brands:
            return "RAW"
        if brands & {b"avif", b"avis"}:
            return ""
        return "HEIC" if brands & HEIF_BRANDS else ""
    if header.startswith(RAW_MAGIC) or header[8:10] == b"CR":
        return "RAW"
    if header.startswith(b"\xff\xd8\xff"):  # a JPEG, whatever its name
        return ""
    return "RAW" if suffix in RAW else ""


def _is_raw(source: Any) -> bool:
    """Whether a TIFF is a camera's: a DNG, or one whose first picture is a small one."""
    try:
        with source if isinstance(source, io.BytesIO) else Path(source).open("rb") as file:
            tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(tags.next)
            tags.load(file)
        return DNG_VERSION in tags or bool(int(tags.get(NEW_SUBFILE_TYPE, 0)) & 1)
    except Exception:  # as many kinds as there are ways to damage tags; Pillow tells
        return False


def _of_array(values: np.ndarray) -> Image.Image:
    right = values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (1, 3, 4))
    if values.dtype != np.uint8 or not right or not values.size:
        raise PhotoError(
            f"is an array of {values.dtype} {values.shape}; expected uint8 (H, W, 3), as of "
            "`numpy.asarray(image)`."
        )
    flat = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    return Image.fromarray(np.ascontiguousarray(flat))


def _upright_srgb(image: Image.Image, short_side: int | None) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        profile = image.info.get("icc_profile")
        image = _eight_bit(image)
        if profile:
            image.info["icc_profile"] = profile
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if profile_of(image):
            clear = image.getchannel("A")
            image = to_srgb(image.convert("RGB")).convert("RGBA")
            image.putalpha(clear)
        canvas = Image.new("RGBA", image.size, WHITE)
        image = Image.alpha_composite(canvas, image)
    elif profile_of(image):
        image = to_srgb(_smaller(image, short_side))
    image = image.convert("RGB")
    image.info.pop("icc_profile", None)  # it has done its work, or is none
    return image


def _smaller(image: Image.Image, short_side: int | None) -> Image.Image:
    """Averaged down to so many pixels that nothing is lost, since colours take time."""
    factor = min(image.size) // (ENOUGH * short_side) if short_side else 1
    return image.reduce(factor) if factor > 1 and image.mode in ("L", "RGB", "CMYK") else image


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey with 16 or 32 bits or floats to 8 bits; `convert("L")` alone would clip at 255."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    top = 65535.0 if image.mode != "F" and values.max(initial=0.0) > 255 else 255.0
    if image.mode == "F" and values.max(initial=0.0) <= 1.0:
        top = 1.0
    return Image.fromarray((np.clip(values / top, 0, 1) * 255).round().astype(np.uint8))
