"""What tells whether two photos show the same: a perceptual hash, and the layout of light and dark.

The hash hardly changes with light, colour, sharpness and noise, and tells apart all else. It bears
no shift, so that of frames taken by hand a small layout is kept too, which is moved over another's.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.scorer.decoding import Photo, load_photo, photo_names

SIDE = 12  # of the square of lowest frequencies that a perceptual hash tells the signs of
BITS = SIDE * SIDE
FLAT = 2.0  # standard deviation of the grey values, 0 to 255, below which a photo has no structure
LAYOUT = 32  # cells of a layout's side
MOVED = 4  # cells that a layout may be moved by: an eighth of the photo
COARSE = 5.0  # cells; what is larger is taken out, since skies are bright in all photos
BLOCK = 1024  # photos whose distances to all others are held at once


def perceptual_hash(image: Image.Image) -> np.ndarray | None:
    """The signs of the lowest frequencies of the grey picture against their median: (144,) bool.

    The bits are those of `imagehash.phash(image, 12)`.

    Args:
        image: RGB or grey, upright.

    Returns:
        `None` for a photo without structure, such as a blank page, of which it tells nothing.
    """
    grey = image.convert("L")
    if np.asarray(grey.resize((32, 32), Image.Resampling.BOX), dtype=float).std() < FLAT:
        return None
    small = grey.resize((4 * SIDE, 4 * SIDE), Image.Resampling.LANCZOS)
    lowest = dctn(np.asarray(small, dtype=float))[:SIDE, :SIDE]
    return (lowest > np.median(lowest)).ravel()


def layout(image: Image.Image) -> np.ndarray:
    """Where the photo is lighter and darker than its surroundings: float32 (32, 32)."""
    cells = image.convert("L").resize((LAYOUT, LAYOUT), Image.Resampling.BOX)
    values = np.asarray(cells, dtype=np.float32)
    return values - gaussian_filter(values, COARSE)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """How well the middle of one layout is found in another, wherever it fits best: -1 to 1."""
    inner = LAYOUT - 2 * MOVED
    middle = first[MOVED:-MOVED, MOVED:-MOVED].ravel()
    windows = np.lib.stride_tricks.sliding_window_view(second, (inner, inner))
    places = windows.reshape(-1, inner * inner)  # (81, 576)
    places = places - places.mean(1, keepdims=True)
    middle = middle - middle.mean()
    sizes = np.linalg.norm(places, axis=1) * np.linalg.norm(middle)
    return float((places @ middle / np.maximum(sizes, 1e-6)).max())


@dataclass(frozen=True, eq=False)
class Looks:
    """What tells n photos apart.

    Attributes:
        bits: perceptual hash of each, bool (n, 144).
        layouts: float32 (n, 32, 32).
        known: (n,) whether these tell anything: not of a photo that cannot be decoded, nor of one
            without structure.
        failures: of the photos that cannot be decoded, by position.
    """

    bits: np.ndarray
    layouts: np.ndarray
    known: np.ndarray
    failures: dict[int, PhotoError] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        photos: Sequence[Photo],
        *,
        among: Sequence[int] | None = None,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> "Looks":
        """Look at photos, in threads; a bad one is named in `failures` and stops nothing.

        Args:
            photos: n paths or images in memory; small copies do as well as the photos.
            among: positions of those that are looked at; of the others nothing is known then.
            workers: threads; up to 8 when not given.
            progress: called with (photos done, photos that are looked at).
        """
        among = range(len(photos)) if among is None else among
        names = photo_names(photos)
        bits = np.zeros((len(photos), BITS), dtype=bool)
        layouts = np.zeros((len(photos), LAYOUT, LAYOUT), dtype=np.float32)
        known = np.zeros(len(photos), dtype=bool)
        failures = dict[int, PhotoError]()
        with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
            looks = pool.map(_look, [photos[at] for at in among], [names[at] for at in among])
            for done, (place, look) in enumerate(zip(among, looks, strict=True), 1):
                if isinstance(look, PhotoError):
                    failures[place] = look
                elif look is not None:
                    bits[place], layouts[place], known[place] = *look, True
                if progress is not None:
                    progress(done, len(among))
        return cls(bits, layouts, known, failures)

    def __len__(self) -> int:
        return len(self.bits)

    def distance(self, first: int, second: int) -> int:
        """Different bits of two photos, 0 to 144; 144 where of one nothing is known."""
        if not (self.known[first] and self.known[second]):
            return BITS
        return int(np.count_nonzero(self.bits[first] != self.bits[second]))

    def correlation(self, first: int, second: int) -> float:
        """`correlation` of two photos' layouts; -1 where of one nothing is known."""
        if not (self.known[first] and self.known[second]):
            return -1.0
        return correlation(self.layouts[first], self.layouts[second])


def distances(bits: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Different bits between each of m and each of p hashes: int (m, p)."""
    # The product of two rows of signs is the bits that agree less those that differ.
    signs, other = (rows * np.float32(2) - np.float32(1) for rows in (bits, others))
    return ((BITS - signs @ other.T) / 2).astype(np.int32)


def _look(photo: Photo, name: str) -> tuple[np.ndarray, np.ndarray] | PhotoError | None:
    try:
        image = load_photo(photo, short_side=8 * SIDE, name=name)
    except PhotoError as error:
        return error
    bits = perceptual_hash(image)
    return None if bits is None else (bits, layout(image))
