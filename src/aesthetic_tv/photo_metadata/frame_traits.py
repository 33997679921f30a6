"""What frames of one burst differ in: sharpness, grain, light and colour, measured from pixels.

A tower sees a photo at 224 pixels and was trained to tell subjects apart; how frames of one subject
differ it hardly sees. These few numbers say nothing of how good a photo is, only how two frames of
the same subject differ.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.scorer.decoding import Photo, load_photo, photo_names

TRAITS = (
    *("finest detail", "fine detail", "coarse detail", "grain"),
    *("lightness", "contrast", "colour", "warmth", "blown out", "blacked out"),
)
SIDE = 256  # pixels of the long side at which frames are measured
DETAIL = (0.5, 1.0, 2.0)  # pixels; detail between each and twice it
LUMA = (0.299, 0.587, 0.114)
BLOWN, BLACK = 0.97, 0.03  # grey values, 0 to 1


def frame_traits(image: Image.Image) -> np.ndarray:
    """`TRAITS` of a photo: float (10,); detail and grain as logarithms, the rest 0 to 1.

    Args:
        image: RGB, upright.
    """
    small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    pixels = np.asarray(small, dtype=float) / 255
    grey = pixels @ LUMA
    bands = [gaussian_filter(grey, size) - gaussian_filter(grey, 2 * size) for size in DETAIL]
    return np.array(
        [
            *(np.log((band**2).mean() + 1e-8) for band in bands),
            np.log(np.median(np.abs(bands[0])) + 1e-4),  # of the flat parts, which are most
            grey.mean(),
            grey.std(),
            np.ptp(pixels, axis=2).mean(),
            (pixels[..., 0] - pixels[..., 2]).mean(),
            (grey > BLOWN).mean(),
            (grey < BLACK).mean(),
        ]
    )


def traits_of(
    photos: Sequence[Photo],
    *,
    among: Sequence[int] | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """`frame_traits` of photos, in threads: float (n, 10), NaN where they are not known.

    Args:
        photos: n paths or images in memory.
        among: positions of those that are measured.
        workers: threads; up to 8 when not given.
        progress: called with (photos done, photos that are measured).
    """
    among = range(len(photos)) if among is None else among
    names = photo_names(photos)
    found = np.full((len(photos), len(TRAITS)), np.nan)
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        rows = pool.map(_traits, [photos[at] for at in among], [names[at] for at in among])
        for done, (place, row) in enumerate(zip(among, rows, strict=True), 1):
            found[place] = row
            if progress is not None:
                progress(done, len(among))
    return found


def _traits(photo: Photo, name: str) -> np.ndarray:
    try:
        return frame_traits(load_photo(photo, short_side=SIDE, name=name))
    except PhotoError:
        return np.full(len(TRAITS), np.nan)
