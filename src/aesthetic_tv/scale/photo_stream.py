"""Photos as they come out of a shard or a batch, decoded in threads ahead of the tower."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from PIL import Image

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.scorer.devices import release_memory
from aesthetic_tv.scorer.images import crop, stacked
from aesthetic_tv.scorer.processors import Processor

AHEAD = 2  # batches that are decoded while the tower is at work
ACCEPTED = (str, os.PathLike, bytes, bytearray, memoryview, np.ndarray, Image.Image)


@dataclass(frozen=True)
class Sample:
    """One row of what is scored.

    Attributes:
        name: of the photo in tables and messages.
        photo: as for `load_photo`; `None` where there is none.
        error: why there is none.
    """

    name: str
    photo: Any
    error: str = ""


@dataclass(frozen=True)
class DecodedBatch:
    """Consecutive rows, and the pixels of those that could be read.

    Attributes:
        names: of the n rows.
        rows: positions of the m photos that could be read.
        crops: of those, uint8 (m, 3, H, W).
        errors: n reasons, empty for a photo that could be read.
    """

    names: list[str]
    rows: list[int]
    crops: torch.Tensor
    errors: list[str]


def decoded_batches(
    samples: Iterable[Sample],
    processor: Processor,
    *,
    batch_size: int,
    threads: int | None = None,
) -> Iterator[DecodedBatch]:
    """Decode rows, `batch_size` consecutive ones at a time less those that cannot be read, so that
    what a batch holds depends on nothing but the rows.

    Args:
        samples: the rows; taken only as fast as they are needed.
        processor: of the scorer.
        batch_size: rows of a batch.
        threads: that decode; up to 8 when not given.
    """
    rows = iter(samples)

    def submit() -> list[tuple[str, "Future[np.ndarray | str]"]]:
        taken = islice(rows, batch_size)
        return [(row.name, pool.submit(_decoded, row, processor)) for row in taken]

    with ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1)) as pool:
        ahead = deque(first for _ in range(AHEAD) if (first := submit()))
        while ahead:
            part = [(name, done.result()) for name, done in ahead.popleft()]
            if more := submit():
                ahead.append(more)
            yield _collected(part)


def _decoded(row: Sample, processor: Processor) -> np.ndarray | str:
    if row.error:
        return row.error
    if not isinstance(row.photo, ACCEPTED):
        found = "nothing" if row.photo is None else f"a {type(row.photo).__name__}"
        return f"holds {found}; expected a path, the bytes of a file, an image or an array."
    photo: Any = row.photo
    try:
        return crop(photo, processor, row.name)
    except PhotoError as error:
        return str(error).removeprefix(f"{row.name}: ")


def _collected(part: list[tuple[str, np.ndarray | str]]) -> DecodedBatch:
    good = {i: x for i, (_, x) in enumerate(part) if isinstance(x, np.ndarray)}
    errors = [x if isinstance(x, str) else "" for _, x in part]
    return DecodedBatch([name for name, _ in part], list(good), stacked(good.values()), errors)


class FittingBatches:
    """Runs batches through a model; one that does not fit into memory is halved, until it does,
    and so are all after it.

    Attributes:
        largest: photos of the largest batch that is tried.
    """

    def __init__(self, largest: int):
        self.largest = largest

    def run(
        self, pixels: torch.Tensor, measure: Callable[[torch.Tensor], np.ndarray]
    ) -> np.ndarray:
        """What `measure` makes of pixels (n, 3, H, W): n rows.

        Raises:
            MemoryError: not even one photo fits (or what torch calls it).
        """
        found, start = list[np.ndarray](), 0
        while start < len(pixels):
            part = pixels[start : start + self.largest]
            try:
                found.append(measure(part))
                start += len(part)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error) or len(part) == 1:
                    raise
                self._halve(len(part))
        return np.concatenate(found)

    def _halve(self, tried: int) -> None:
        self.largest = max(1, min(self.largest, tried) // 2)
        warnings.warn(
            f"{tried} photos at once do not fit into memory; from here on {self.largest} at a "
            f"time. Set batch_size to {self.largest} next time.",
            stacklevel=3,
        )
        release_memory()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is full, of a GPU or of the machine."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator" in told or "out of memory" in told or "not enough memory" in told
    )
