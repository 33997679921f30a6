"""From a photo to pixel values: decoding any picture rightly, then the scorer's image processor."""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import PhotoError
from .processors import Processor, crops_centre, normalization, resized_side, unscaled

Photo: TypeAlias = str | os.PathLike[str] | Image.Image

# Pillow's own limit, above which it takes a picture for a decompression bomb.
PIXEL_LIMIT = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)
# The centre crop sees no more than a square: a strip this long has all it needs, and a 20000 x 1
# panorama would otherwise be blown up to 256 x 5 million pixels.
MAX_ASPECT = 8
WHITE = (255, 255, 255)


def load_photo(photo: Photo, *, short_side: int | None = None) -> Image.Image:
    """Decode a photo to upright 8-bit RGB.

    EXIF orientation is applied, transparency is laid on white, 16-bit is scaled to 8, and of an
    animation the first frame is taken.

    Args:
        photo: path or an open PIL image.
        short_side: what the short side will be resized to; lets a large JPEG be decoded at half,
            a quarter or an eighth of its size, never below twice this.

    Raises:
        PhotoError: missing, unreadable, not an image, cut off, or more than `PIXEL_LIMIT` pixels.
    """
    if isinstance(photo, Image.Image):
        return _upright_rgb(photo)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(photo) as image:
                if short_side is not None and image.format == "JPEG":
                    scale = 2 * short_side / min(image.size)
                    image.draft("RGB", (ceil(scale * image.width), ceil(scale * image.height)))
                return _upright_rgb(image)
    except Image.DecompressionBombError:
        raise PhotoError(
            f"{photo}: more than {PIXEL_LIMIT:,} pixels, which is refused as a decompression bomb; "
            "scale the picture down first."
        ) from None
    except UnidentifiedImageError:
        empty = Path(photo).stat().st_size == 0
        reason = "is empty" if empty else "is not an image Pillow can read"
        raise PhotoError(f"{photo}: {reason}.") from None
    except FileNotFoundError:
        raise PhotoError(f"{photo}: there is no such file.") from None
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise PhotoError(f"{photo}: cannot be decoded ({error}).") from error


def _upright_rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _eight_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, WHITE)
        image = Image.alpha_composite(canvas, image)
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey with 16 or 32 bits or floats to 8 bits; `convert("L")` alone would clip at 255."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    top = 65535.0 if image.mode != "F" and values.max(initial=0.0) > 255 else 255.0
    if image.mode == "F" and values.max(initial=0.0) <= 1.0:
        top = 1.0
    return Image.fromarray((np.clip(values / top, 0, 1) * 255).round().astype(np.uint8))


def pixel_values(photo: Photo, processor: Processor) -> torch.Tensor:
    """One photo as the tower wants it: float32 (3, H, W).

    Raises:
        PhotoError: as `load_photo`.
    """
    return processor(images=_central(photo, processor), return_tensors="pt")["pixel_values"][0]


def crop(photo: Photo, processor: Processor) -> np.ndarray:
    """One photo as the tower sees it, before rescaling and normalization: uint8 (3, H, W).

    Raises:
        PhotoError: as `load_photo`.
    """
    image = _central(photo, processor)
    values = processor(images=image, **unscaled(processor))["pixel_values"][0]
    return np.asarray(values, dtype=np.uint8)


def normalize(crops: np.ndarray | torch.Tensor, processor: Processor) -> torch.Tensor:
    """What `crop` gives, uint8 (n, 3, H, W), to pixel values: float32 of the same shape, on the
    same device.
    """
    if isinstance(crops, np.ndarray):
        crops = torch.from_numpy(np.ascontiguousarray(crops))
    mean, deviation = (part.to(crops.device) for part in normalization(processor))
    return crops.float().div_(255).sub_(mean).div_(deviation)


def _central(photo: Photo, processor: Processor) -> Image.Image:
    """The decoded photo less the ends of a strip that a centre crop would cut off anyway."""
    image = load_photo(photo, short_side=resized_side(processor))
    width, height = image.size
    longest = MAX_ASPECT * min(width, height)
    if crops_centre(processor) and max(width, height) > longest:
        left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
        image = image.crop((left, top, left + min(width, longest), top + min(height, longest)))
    return image


@dataclass
class Batch:
    """Consecutive photos: those that could be read, stacked, and why the others could not.

    `indices` are positions in the sequence given to `load_batches`; `pixel_values` has one row for
    each of them, shape (len(indices), 3, H, W).
    """

    indices: list[int]
    pixel_values: torch.Tensor
    failures: dict[int, PhotoError]


def load_batches(
    photos: Sequence[Photo],
    processor: Processor,
    *,
    batch_size: int = 32,
    workers: int | None = None,
) -> Iterator[Batch]:
    """Read photos in threads, a batch ahead of the tower; a bad photo never stops the others.

    A batch holds `batch_size` consecutive photos less its failures, so that batches do not depend
    on what other batches held: a resumed run sees the same ones.
    """
    workers = workers or min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        starts = range(0, len(photos), batch_size)
        ahead = [_submit(pool, photos, start, batch_size, processor) for start in starts[:2]]
        for turn, start in enumerate(starts):
            results = [future.result() for future in ahead[turn]]
            ahead[turn] = []  # the tensors go with the batch, not with the whole run
            if turn + 2 < len(starts):
                ahead.append(_submit(pool, photos, starts[turn + 2], batch_size, processor))
            yield _collect(start, results)


def _submit(pool, photos, start, batch_size, processor):
    return [pool.submit(_attempt, photo, processor) for photo in photos[start : start + batch_size]]


def _attempt(photo: Photo, processor: Processor) -> torch.Tensor | PhotoError:
    try:
        return pixel_values(photo, processor)
    except PhotoError as error:
        return error


def _collect(start: int, results: list[torch.Tensor | PhotoError]) -> Batch:
    good = {start + i: x for i, x in enumerate(results) if isinstance(x, torch.Tensor)}
    failures = {start + i: x for i, x in enumerate(results) if isinstance(x, PhotoError)}
    values = torch.stack(list(good.values())) if good else torch.empty(0)
    return Batch(list(good), values, failures)
