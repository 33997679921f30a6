"""Scored photos as the training loops take them: crops by row, decoded once where memory allows."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPVisionConfig, PreTrainedConfig

from aesthetic_tv.databases.zip_photos import stored_photo
from aesthetic_tv.errors import PhotoError
from aesthetic_tv.finetuning.losses import Batch
from aesthetic_tv.scorer import image_processor, images
from aesthetic_tv.scorer.decoding import Photo, as_photos, photo_names
from aesthetic_tv.scorer.devices import available_devices
from aesthetic_tv.scorer.images import crop
from aesthetic_tv.scorer.processors import output_size

IN_MEMORY = 2 << 30  # bytes of crops that each process keeps, 14,000 photos at 224 x 224
DECODERS = min(8, os.cpu_count() or 1)


def load_crops(photos: Sequence[Photo], config: PreTrainedConfig) -> np.ndarray:
    """Photos as the tower sees them, before normalization: uint8 (n, 3, H, W).

    Args:
        photos: paths, PIL images, the bytes of files, or arrays uint8 (H, W, 3).
        config: of the scorer; of a tower alone, its family's preprocessing is taken.

    Raises:
        PhotoError: a photo cannot be read.
    """
    processor, photos = image_processor(config), as_photos(photos)
    crops = np.empty((len(photos), 3, *output_size(processor)), dtype=np.uint8)
    for place, (photo, name) in enumerate(zip(photos, photo_names(photos), strict=True)):
        crops[place] = crop(photo, processor, name)
    return crops


def normalize(
    crops: np.ndarray | torch.Tensor, config: PreTrainedConfig | None = None
) -> torch.Tensor:
    """Crops to pixel values.

    Args:
        crops: uint8 (n, 3, H, W), as by `load_crops`.
        config: as there; a CLIP tower's when not given. `AestheticScorer.normalize` knows its own.

    Returns:
        float32 of the same shape, on the same device.
    """
    return images.normalize(crops, image_processor(config or CLIPVisionConfig()))


class Crops(Protocol):
    """Where crops come from: an array or memory map (n, 3, H, W), or photos to decode."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray) -> np.ndarray: ...


class DecodedCrops:
    """Crops of the photos of a table, decoded when they are asked for: the rows of a `datasets`
    table whose column `image` holds `{"path", "bytes"}`.
    """

    def __init__(self, table: Any, config: PreTrainedConfig):
        from datasets import Image as Undecoded

        # The scorer's own loader turns photos upright and lays transparency on white.
        self._images = table.select_columns(["image"]).cast_column("image", Undecoded(decode=False))
        self._names = table["photo"]
        self._processor = image_processor(config)
        self._size = output_size(self._processor)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([self.decode(int(row)) for row in rows])

    def decode(self, row: int) -> np.ndarray:
        """One crop, uint8 (3, H, W).

        Raises:
            PhotoError: the photo cannot be read; named as the database names it.
        """
        photo, name = stored_photo(self._images[row]["image"]), self._names[row]
        if isinstance(photo, str):
            return crop(photo, self._processor)
        return crop(photo, self._processor, name)

    def attempt(self, rows: np.ndarray, threads: int = 1) -> tuple[np.ndarray, dict[int, str]]:
        """Crops (n, 3, H, W), black where one cannot be decoded, and why, by place in `rows`."""
        crops = np.zeros((len(rows), 3, *self._size), dtype=np.uint8)
        failures = dict[int, str]()

        def fill(place: int) -> None:
            try:
                crops[place] = self.decode(int(rows[place]))
            except PhotoError as error:
                failures[place] = str(error)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, range(len(rows))))
        return crops, failures

    @property
    def num_bytes(self) -> int:
        """What all crops take in memory."""
        return 3 * prod(self._size) * len(self)


class Examples(Dataset):
    """n photos with their targets; fetched by whole batches.

    Args:
        crops: of all photos.
        truth: scores (n,) and distributions (n, num_bins), on the scale of the bins.
        names: of the photos, for messages; their rows when not given.
    """

    def __init__(self, crops: Crops, truth: Batch, names: Sequence[str] | None = None):
        self.crops, self.truth = crops, truth
        self.names = names or [f"row {row}" for row in range(len(crops))]
        self.rows = np.arange(len(crops))  # of `crops`, for each example

    def select(self, rows: np.ndarray) -> "Examples":
        """Some of the examples, on the same crops."""
        part = Examples.__new__(type(self))
        part.crops, part.names = self.crops, self.names
        part.truth, part.rows = Batch(*(x[rows] for x in self.truth)), self.rows[rows]
        return part

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, positions: Sequence[int]) -> dict[str, torch.Tensor]:
        """A batch: `crops` uint8 (n, 3, H, W), the targets, and `positions` in this part."""
        at = np.asarray(positions)
        return {
            "crops": torch.from_numpy(np.ascontiguousarray(self._crops(self.rows[at]))),
            "scores": self.truth.scores[at],
            "distribution": self.truth.distribution[at],
            "positions": torch.from_numpy(at),
        }

    def _crops(self, rows: np.ndarray) -> np.ndarray:
        return self.crops[rows]

    def named(self, positions: Sequence[int], most: int = 3) -> str:
        """Some of the photos, for a message."""
        told = ", ".join(str(self.names[self.rows[i]]) for i in positions[:most])
        return told + (", ..." if len(positions) > most else "")


class Augmented(Examples):
    """Examples that are mirrored and cropped anew in each epoch, by a draw of each photo's own: the
    same whatever the number of processes, and after a resumption.
    """

    flip: bool = False
    least: float = 1.0
    seed: int = 0
    epoch: int = 0

    @classmethod
    def of(cls, examples: Examples, *, flip: bool, crop: float, seed: int) -> "Augmented":
        """The same photos; `flip` mirrors half, `crop` is the least share of a side kept."""
        augmented = cls.__new__(cls)
        augmented.__dict__.update(vars(examples))
        augmented.flip, augmented.least, augmented.seed = flip, crop, seed
        return augmented

    def set_epoch(self, epoch: int) -> None:
        """Draw anew."""
        self.epoch = epoch

    def _crops(self, rows: np.ndarray) -> np.ndarray:
        crops = self.crops[rows]
        if not self.flip and self.least == 1:
            return crops
        return np.stack([self._changed(x, int(row)) for x, row in zip(crops, rows, strict=True)])

    def _changed(self, pixels: np.ndarray, row: int) -> np.ndarray:
        """One crop (3, H, W), mirrored and cropped as this epoch has it."""
        random = np.random.default_rng([self.seed, self.epoch, row])
        mirrored, share, *corner = random.random(4)
        if self.least < 1:
            height, width = pixels.shape[1:]
            share = self.least + (1 - self.least) * share
            left, top = (width * (1 - share) * corner[0], height * (1 - share) * corner[1])
            box = (left, top, left + width * share, top + height * share)
            image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
            image = image.resize((width, height), Image.Resampling.BICUBIC, box=box)
            pixels = np.asarray(image).transpose(2, 0, 1)
        return pixels[:, :, ::-1] if self.flip and mirrored < 0.5 else pixels


class Checked(Examples):
    """Examples where a photo that cannot be decoded is black instead of an error, and a batch tells
    so in `readable`, bool (n,).
    """

    @classmethod
    def of(cls, examples: Examples) -> "Checked":
        """The same photos."""
        checked = cls.__new__(cls)
        checked.__dict__.update(vars(examples))
        return checked

    def __getitems__(self, positions: Sequence[int]) -> dict[str, torch.Tensor]:
        """As of all examples, and `readable`."""
        batch = super().__getitems__(positions)
        return batch | {"readable": torch.from_numpy(self._readable)}

    def _crops(self, rows: np.ndarray) -> np.ndarray:
        self._readable = np.ones(len(rows), dtype=bool)
        if not isinstance(self.crops, DecodedCrops):
            return self.crops[rows]
        crops, failures = self.crops.attempt(rows)
        self._readable[list(failures)] = False
        return crops


def loader(
    examples: Examples, batch_size: int, *, shuffle: bool = False, workers: int | None = None
) -> DataLoader:
    """Batches of examples, as a loader that accelerate can prepare.

    Args:
        examples: the photos.
        batch_size: of all processes together.
        shuffle: in another order in each epoch.
        workers: processes that decode; by default none for crops that are in memory.
    """
    if workers is None:
        workers = 0 if isinstance(examples.crops, np.ndarray) else min(4, os.cpu_count() or 1)
    return DataLoader(
        examples,
        batch_size=batch_size,
        shuffle=shuffle,
        num_workers=workers,
        collate_fn=_as_it_is,  # a batch is fetched whole
        pin_memory=available_devices()[0] in ("cuda", "xpu"),
    )


def _as_it_is(batch: Any) -> Any:
    return batch
