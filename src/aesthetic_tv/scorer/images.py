"""From photos to pixel values, through the scorer's image processor."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from .decoding import PIXEL_LIMIT as PIXEL_LIMIT
from .decoding import Photo as Photo
from .decoding import load_photo as load_photo
from .decoding import photo_names
from .errors import PhotoError
from .processors import Processor, crops_centre, normalization, resized_side, unscaled

# The centre crop sees no more than a square: a strip this long has all it needs, and a 20000 x 1
# panorama would otherwise be blown up to 256 x 5 million pixels.
MAX_ASPECT = 8


def pixel_values(photo: Photo, processor: Processor, name: str | None = None) -> torch.Tensor:
    """One photo as the tower wants it: float32 (3, H, W).

    Args:
        photo: as for `load_photo`.
        processor: of the scorer.
        name: of the photo in messages; its path when not given.

    Raises:
        PhotoError: as `load_photo`.
    """
    image = _central(photo, processor, name)
    return processor(images=image, return_tensors="pt")["pixel_values"][0]


def crop(photo: Photo, processor: Processor, name: str | None = None) -> np.ndarray:
    """One photo as the tower sees it, before rescaling and normalization: uint8 (3, H, W).

    Args:
        photo, processor, name: as for `pixel_values`.

    Raises:
        PhotoError: as `load_photo`.
    """
    image = _central(photo, processor, name)
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


def _central(photo: Photo, processor: Processor, name: str | None) -> Image.Image:
    """The decoded photo less the ends of a strip that a centre crop would cut off anyway."""
    image = load_photo(photo, short_side=resized_side(processor), name=name)
    width, height = image.size
    longest = MAX_ASPECT * min(width, height)
    if crops_centre(processor) and max(width, height) > longest:
        left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
        image = image.crop((left, top, left + min(width, longest), top + min(height, longest)))
    return image


@dataclass
class Batch:
    """Consecutive photos: those that could be read, stacked, and why the others could not.

    `indices` are positions in the sequence given to `load_batches`; `crops`, uint8, as the tower
    sees them before rescaling and normalization, has one row for each of them, shape
    (len(indices), 3, H, W).
    """

    indices: list[int]
    crops: torch.Tensor
    failures: dict[int, PhotoError]
    processor: Processor

    @property
    def pixel_values(self) -> torch.Tensor:
        """The crops as the tower wants them: float32 of the same shape."""
        return normalize(self.crops, self.processor) if self.indices else torch.empty(0)


def load_batches(
    photos: Sequence[Photo],
    processor: Processor,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[Batch]:
    """Read photos in threads, a batch ahead of the tower; a bad photo never stops the others.

    A batch holds `batch_size` consecutive photos less its failures, so that batches do not depend
    on what other batches held: a resumed run sees the same ones.

    Args:
        photos: as for `load_photo`.
        processor: of the scorer.
        batch_size: photos of a batch.
        workers: threads; up to 8 when not given.
        names: of the photos in messages; as by `photo_names` when not given.
    """
    workers = workers or min(8, os.cpu_count() or 1)
    names = photo_names(photos) if names is None else names

    def submit(start: int) -> list[Future]:
        part = range(start, min(start + batch_size, len(photos)))
        return [pool.submit(_attempt, photos[i], processor, names[i]) for i in part]

    with ThreadPoolExecutor(workers) as pool:
        starts = range(0, len(photos), batch_size)
        ahead = [submit(start) for start in starts[:2]]
        for turn, start in enumerate(starts):
            results = [future.result() for future in ahead[turn]]
            ahead[turn] = []  # the pixels go with the batch, not with the whole run
            if turn + 2 < len(starts):
                ahead.append(submit(starts[turn + 2]))
            yield _collect(start, results, processor)


def measured(
    photos: Sequence[Photo],
    processor: Processor,
    measure: Callable[[torch.Tensor], np.ndarray],
    *,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[int, np.ndarray], dict[int, PhotoError]]:
    """What is measured of each photo that can be read, and why others cannot, both by position.

    Args:
        photos, processor, batch_size: as for `load_batches`.
        measure: crops, uint8 (m, 3, H, W), to one row for each.
        progress: called with (photos done, photos in all).
    """
    rows, failures = dict[int, np.ndarray](), dict[int, PhotoError]()
    for batch in load_batches(photos, processor, batch_size=batch_size):
        failures |= batch.failures
        if batch.indices:
            rows |= zip(batch.indices, measure(batch.crops), strict=True)
        if progress is not None:
            progress(len(rows) + len(failures), len(photos))
    return rows, failures


def all_or_none(failures: Mapping[int, PhotoError]) -> None:
    """Raise a `PhotoError` that names every photo that cannot be read."""
    if failures:
        raise PhotoError("\n".join(str(failures[place]) for place in sorted(failures)))


def _attempt(photo: Photo, processor: Processor, name: str) -> np.ndarray | PhotoError:
    try:
        return crop(photo, processor, name)
    except PhotoError as error:
        return error


def _collect(start: int, results: list[np.ndarray | PhotoError], processor: Processor) -> Batch:
    good = {start + i: x for i, x in enumerate(results) if isinstance(x, np.ndarray)}
    failures = {start + i: x for i, x in enumerate(results) if isinstance(x, PhotoError)}
    return Batch(list(good), stacked(good.values()), failures, processor)


def stacked(crops: Iterable[np.ndarray]) -> torch.Tensor:
    """Crops (3, H, W) as one tensor, uint8 (n, 3, H, W); empty where there are none."""
    rows = list(crops)
    return torch.from_numpy(np.stack(rows)) if rows else torch.empty(0, dtype=torch.uint8)
