"""From a photo to what the tower sees, by Pillow and numpy: the scorer's image processor without
transformers.
"""

import numpy as np
from PIL import Image

from aesthetic_tv.runner.description import PixelSettings
from aesthetic_tv.scorer.decoding import Photo, load_photo

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def photo_levels(photo: Photo, settings: PixelSettings | None) -> np.ndarray:
    """A photo as decoded: uint8 (H, W, 3), upright, sRGB.

    Args:
        photo: as for `aesthetic_tv.scorer.decoding.load_photo`.
        settings: a large JPEG is decoded at no more than these need.

    Raises:
        PhotoError: it cannot be read.
    """
    short_side = None if settings is None else settings.short_side
    return np.asarray(load_photo(photo, short_side=short_side))


def photo_pixels(photo: Photo, settings: PixelSettings) -> np.ndarray:
    """A photo as the tower wants it: float32 (3, h, w).

    Args:
        photo: as for `photo_levels`.
        settings: of the export.

    Raises:
        PhotoError: it cannot be read.
    """
    image = load_photo(photo, short_side=settings.short_side)
    image = _without_ends(image, settings.longest)
    if settings.resize is not None and settings.resample is not None:
        height, width = _resized(settings.resize, image.height, image.width)
        image = image.resize((width, height), RESAMPLING[settings.resample])
    levels = np.asarray(_middle(image, *settings.size), dtype=np.float32)
    mean, deviation = (np.asarray(x, np.float32) for x in (settings.mean, settings.deviation))
    return np.ascontiguousarray(((levels / 255 - mean) / deviation).transpose(2, 0, 1))


def _without_ends(image: Image.Image, longest: int | None) -> Image.Image:
    width, height = image.size
    most = (longest or max(image.size)) * min(image.size)
    left, top = max(0, width - most) // 2, max(0, height - most) // 2
    return image.crop((left, top, left + min(width, most), top + min(height, most)))


def _resized(resize: tuple[int, ...], height: int, width: int) -> tuple[int, int]:
    if len(resize) == 2:
        return resize[0], resize[1]
    side, short = resize[0], min(height, width)
    longer = int(side * max(height, width) / short)
    return (side, longer) if height < width else (longer, side)


def _middle(image: Image.Image, height: int, width: int) -> Image.Image:
    """The middle of a photo; black around one that is smaller."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
