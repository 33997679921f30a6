"""The photos of all people as methods see them; what is the same for everyone is computed once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from aesthetic_tv.errors import FormatError, PhotoError
from aesthetic_tv.evaluation.duplicates import PhotoHashes
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.files import read_hashed, write_hashed
from aesthetic_tv.finetuning.photos import DECODERS
from aesthetic_tv.personalization import PhotoFeatures
from aesthetic_tv.personalization.linear_model import LinearModel
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig, image_processor
from aesthetic_tv.scorer.decoding import DECODING, Photo
from aesthetic_tv.scorer.images import crop
from aesthetic_tv.task_vectors import TaskVectorBank

FEATURES, SCORES = "features.safetensors", f"scores-{DECODING}.safetensors"
BATCH = 32
IN_MEMORY = 1 << 30  # bytes of pixel values that are kept normalized

Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True, eq=False)
class DecodedPeople:
    """People whose photos were looked at once, for any number of evaluations on one kind of tower.

    Args:
        people: with the N photos that can be decoded.
        crops: of them, as the tower takes them, uint8 (N, 3, H, W).
        sha256: of each photo's content.
        groups: (N,) one number for all duplicates of a photo, near ones too.
    """

    people: People
    crops: np.ndarray
    sha256: tuple[str, ...]
    groups: np.ndarray

    @classmethod
    def of(cls, people: People, config: AestheticScorerConfig) -> "DecodedPeople":
        """Decode and hash all photos; those that cannot be decoded are left out and named.

        Raises:
            PhotoError: not a single photo can be decoded.
        """
        processor = image_processor(config)

        def attempt(photo: Photo, name: str) -> np.ndarray | str:
            try:
                return crop(photo, processor, name)
            except PhotoError as error:
                return str(error)

        with ThreadPoolExecutor(DECODERS) as pool:
            found = list(pool.map(attempt, people.photos, people.names))
        failures = {row: reason for row, reason in enumerate(found) if isinstance(reason, str)}
        crops = [pixels for pixels in found if not isinstance(pixels, str)]
        if not crops:
            reasons = "; ".join(list(failures.values())[:3])
            raise PhotoError(f"no photo can be decoded: {reasons}")
        people = people.without(failures)
        hashed = PhotoHashes.of(people.photos)
        digests = tuple(str(digest) for digest in hashed.digests)
        return cls(people, np.stack(crops), digests, hashed.groups())


@dataclass(frozen=True, eq=False)
class PhotoPool:
    """N photos under one bank.

    Args:
        bank: K task vectors with L layers.
        crops: uint8 (N, 3, H, W).
        linear: the linear model of the photos at the bank's generic coefficients.
        task_scores: raw scores of each single task model (N, K).
        uniform_scores: of the merge at 1/K (N,).
        embeds: of the base tower (N, D).
    """

    bank: TaskVectorBank
    crops: np.ndarray
    linear: LinearModel
    task_scores: np.ndarray
    uniform_scores: np.ndarray
    embeds: np.ndarray

    @classmethod
    def of(
        cls,
        bank: TaskVectorBank,
        decoded: DecodedPeople,
        *,
        folder: Path | None = None,
        progress: Progress = lambda stage, done, total: None,
    ) -> "PhotoPool":
        """Pass all photos through the towers, or read from the folder what an earlier call found.

        Args:
            bank: the task vectors.
            decoded: people and their photos.
            folder: where to keep what is found, for this bank and these photos alone.
            progress: called with (stage, done, total).
        """
        features = PhotoFeatures.compute(
            bank,
            decoded.people.photos,
            cache=None if folder is None else folder / FEATURES,
            progress=lambda done, total: progress("features", done, total),
        )
        path = None if folder is None else folder / SCORES
        if path is not None and path.exists():
            scores = _read_scores(path)
        else:
            scores = _scores(bank, decoded.crops, progress)
            if path is not None:
                write_hashed(path, scores)
        parts = {name: values.numpy() for name, values in scores.items()}
        return cls(
            bank, decoded.crops, features.model, parts["tasks"], parts["uniform"], parts["embeds"]
        )

    def __len__(self) -> int:
        return len(self.crops)

    def pixels(self, rows: np.ndarray) -> torch.Tensor:
        """Pixel values of some photos, float32 (n, 3, H, W)."""
        if 4 * self.crops.nbytes <= IN_MEMORY:
            return self._pixels[rows]
        return self.bank.base.normalize(self.crops[rows])

    @cached_property
    def _pixels(self) -> torch.Tensor:
        return self.bank.base.normalize(self.crops)

    @cached_property
    def population_scores(self) -> np.ndarray | None:
        """Scores at the population's centre (N,), where the bank knows one."""
        return None if self.bank.population is None else self.linear.scores


def _read_scores(path: Path) -> dict[str, torch.Tensor]:
    stored = read_hashed(path)
    if stored.tensors.keys() != {"tasks", "uniform", "embeds"}:
        raise FormatError(f"{path} holds no scores of photos; delete it, and they are made again.")
    stored.check()
    return stored.tensors


def _scores(bank: TaskVectorBank, crops: np.ndarray, progress: Progress) -> dict[str, torch.Tensor]:
    """Scores of all task models and of the uniform merge, and the base's embeddings."""
    count, names = len(crops), bank.names
    uniform = bank.merge(torch.full((1, len(names)), 1 / len(names)))
    tasks = torch.empty(count, len(names), dtype=torch.float64)
    for k, name in enumerate(names):
        progress("single task models", k, len(names))
        tasks[:, k] = _scores_of(bank.task_scorer(name), crops)
    progress("single task models", len(names), len(names))
    with torch.inference_mode():
        batches = (pixels.to(bank.device) for pixels in _batches(bank.base, crops))
        parts = [bank.base.embed(pixels).cpu() for pixels in batches]
    return {"tasks": tasks, "uniform": _scores_of(uniform, crops), "embeds": torch.cat(parts)}


def _scores_of(scorer: AestheticScorer, crops: np.ndarray) -> torch.Tensor:
    parts = [torch.from_numpy(scorer.score_pixels(pixels)) for pixels in _batches(scorer, crops)]
    return torch.cat(parts)


def _batches(scorer: AestheticScorer, crops: np.ndarray):
    for start in range(0, len(crops), BATCH):
        yield scorer.normalize(crops[start : start + BATCH])
