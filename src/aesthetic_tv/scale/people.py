"""People of one bank, side by side: all their coefficients as one matrix."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aesthetic_tv.errors import AestheticTVError, PreferenceError
from aesthetic_tv.names import written
from aesthetic_tv.personalization import Personalization
from aesthetic_tv.personalization.personalization import CONFIG_NAME
from aesthetic_tv.task_vectors import TaskVectorBank


@dataclass(frozen=True, eq=False)
class People:
    """U people whose tastes weigh the same bank.

    Attributes:
        names: of their folders, sorted.
        tastes: what each folder holds.
        coefficients: float32 (U, P), as `TaskVectorBank.layout` has it.
        refused: folders that hold no taste of this bank, and why.
    """

    names: tuple[str, ...]
    tastes: tuple[Personalization, ...]
    coefficients: np.ndarray
    refused: Mapping[str, str]

    @classmethod
    def below(cls, folder: str | os.PathLike[str], bank: TaskVectorBank) -> "People":
        """All tastes in a folder, one folder each.

        Raises:
            PreferenceError: there is none of this bank.
        """
        folder, tastes, refused = Path(folder), dict[str, Personalization](), dict[str, str]()
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in found:
            if not path.is_dir() or path.name.startswith("."):
                continue
            name = written(path.name)
            if not (path / CONFIG_NAME).is_file():
                refused[name] = f"holds no {CONFIG_NAME}; expected a saved taste"
                continue
            try:
                tastes[name] = Personalization.from_pretrained(path, bank=bank)
            except AestheticTVError as error:
                refused[name] = str(error)
        if not tastes:
            told = "; ".join(f"{name}: {why}" for name, why in list(refused.items())[:3])
            raise PreferenceError(
                f"{folder} holds no taste of this bank{f' ({told})' if told else ''}. Name a "
                "folder with one folder for each person, as `aesthetic-tv personalize` writes them."
            )
        rows = [_coefficients(taste, bank) for taste in tastes.values()]
        return cls(tuple(tastes), tuple(tastes.values()), np.stack(rows), refused)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def fingerprint(self) -> str:
        """Changes with any person's name, coefficients or scale."""
        digest = hashlib.sha256(repr(self.names).encode())
        digest.update(np.ascontiguousarray(self.coefficients).tobytes())
        digest.update(repr([taste.calibration for taste in self.tastes]).encode())
        return digest.hexdigest()

    def calibrate(self, scores: np.ndarray) -> np.ndarray:
        """Raw scores (U, n) on each person's own scale; of one without a scale as they are."""
        rows = zip(self.tastes, scores, strict=True)
        return np.stack([x if t.calibration is None else t.calibration(x) for t, x in rows])


def _coefficients(taste: Personalization, bank: TaskVectorBank) -> np.ndarray:
    beta = taste.directions
    if beta is None:
        beta = torch.zeros(bank.layout.directions)
    return torch.cat([taste.coefficients.reshape(-1), beta]).float().numpy()


class BestPhotos:
    """The photos that each person likes best, of any number that pass by.

    Args:
        people: U.
        count: photos that are kept of each.
    """

    def __init__(self, people: int, count: int):
        self.count = count
        self.scores = np.full((people, 0), 0, dtype=np.float32)  # (U, k), best first
        self.places = np.empty((people, 0), dtype=np.int64)
        self.photos = dict[int, str]()  # names of those that somebody likes
        self._seen = 0

    def add(self, names: list[str], scores: np.ndarray) -> None:
        """Let photos pass by.

        Args:
            names: of n photos.
            scores: raw, float32 (U, n).
        """
        places = np.arange(self._seen, self._seen + len(names))
        self._seen += len(names)
        named = dict(zip(places.tolist(), names, strict=True))
        self.take(scores, np.tile(places, (len(scores), 1)), named)

    def take(self, scores: np.ndarray, places: np.ndarray, names: Mapping[int, str]) -> None:
        """As `add`, of photos that are others for each person.

        Args:
            scores: raw, float32 (U, n).
            places: of the photos (U, n), of equal scores the earlier one first.
            names: by place.
        """
        self.photos |= names
        together = np.concatenate([self.scores, scores.astype(np.float32)], axis=1)
        at = np.concatenate([self.places, places], axis=1)
        # Stable: of equal scores the earlier photo is kept.
        order = np.argsort(-together, axis=1, kind="stable")[:, : self.count]
        self.scores = np.take_along_axis(together, order, axis=1)
        self.places = np.take_along_axis(at, order, axis=1)
        if len(self.photos) > 2 * self.places.size + len(names):
            self.forget()

    def forget(self) -> None:
        """Names of photos that nobody likes any more."""
        liked = np.unique(self.places).tolist()
        self.photos = {place: self.photos[place] for place in liked if place in self.photos}
