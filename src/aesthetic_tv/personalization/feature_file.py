"""The file of an album's photo features: safetensors, one row a photo, keyed by its content."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from aesthetic_tv.errors import FeatureFileError, FormatError
from aesthetic_tv.files import read_hashed, write_hashed
from aesthetic_tv.scorer.decoding import Photo, memory_digest
from aesthetic_tv.scorer.hashing import sha256

VERSION = 2  # raised whenever photos are loaded or features are taken in another way
OLDER = range(1, VERSION)


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Features of m photos.

    Args:
        digests: SHA-256 of each photo's content.
        scores: at the point of linearization, float32 (m,).
        slopes: J there, float16 (m, P); read from a file, a memory map.
    """

    digests: tuple[str, ...]
    scores: torch.Tensor
    slopes: torch.Tensor

    @classmethod
    def none(cls, coefficients: int) -> "FeatureRows":
        """No photos yet."""
        return cls((), torch.empty(0), torch.empty(0, coefficients, dtype=torch.float16))

    def __add__(self, other: "FeatureRows") -> "FeatureRows":
        return FeatureRows(
            self.digests + other.digests,
            torch.cat([self.scores, other.scores]),
            torch.cat([self.slopes, other.slopes]),
        )

    def save(self, path: str | os.PathLike[str], key: str) -> None:
        """Write the file atomically."""
        header = {"version": VERSION, "key": key, "photos": list(self.digests)}
        write_hashed(path, {"scores": self.scores, "slopes": self.slopes}, header)


def load_rows(path: str | os.PathLike[str], key: str, coefficients: int) -> FeatureRows:
    """The rows of a file; none where there is no file, or one of an older version.

    Args:
        path: of the file.
        key: of the bank and the point of linearization.
        coefficients: P of the bank.

    Raises:
        FeatureFileError: not such a file, a damaged one, or one of another bank or a newer version.
    """
    path = Path(path)
    if not path.exists():
        return FeatureRows.none(coefficients)
    advice = "Name another file, or delete this one; it is made again from the photos."
    try:
        stored = read_hashed(path)
    except FormatError as error:
        raise FeatureFileError(f"{path} holds no photo features ({error}) {advice}") from error
    header = stored.about
    if header.get("key") == key and header.get("version") in OLDER:
        return FeatureRows.none(coefficients)
    if header.get("version") != VERSION or header.get("key") != key:
        raise FeatureFileError(
            f"{path} holds photo features of version {header.get('version')} for the bank "
            f"{str(header.get('key'))[:12]}; expected version {VERSION} for {key[:12]}. {advice}"
        )
    photos, scores, slopes = header.get("photos"), *map(stored.tensors.get, ("scores", "slopes"))
    if (
        not (isinstance(photos, list) and all(isinstance(photo, str) for photo in photos))
        or scores is None or scores.dtype != torch.float32
        or slopes is None or slopes.dtype != torch.float16 or slopes.ndim < 2
    ):  # fmt: skip
        raise FeatureFileError(f"{path} holds no photo features. {advice}")
    rows = FeatureRows(tuple(photos), scores, slopes.flatten(1))  # once (m, L, K)
    count = len(rows.digests)
    if rows.scores.shape != (count,) or rows.slopes.shape != (count, coefficients):
        raise FeatureFileError(
            f"{path} names {count} photos but holds {tuple(rows.slopes.shape)} features; expected "
            f"({count}, {coefficients}). {advice}"
        )
    stored.check()
    return rows


def content_digest(photo: Photo) -> str:
    """SHA-256 of a file's bytes, or of the pixels of an image in memory.

    Raises:
        OSError: the file cannot be read.
        PhotoError: the image in memory is none, or cannot be decoded.
    """
    if isinstance(photo, str | os.PathLike):
        return sha256(Path(photo))
    return memory_digest(photo)


def feature_key(fingerprint: str, vectors: Sequence[tuple[str, str]], point: np.ndarray) -> str:
    """What features depend on besides the photo: base, vectors in order, point of linearization."""
    digest = hashlib.sha256(json.dumps([fingerprint, *map(list, vectors)]).encode())
    digest.update(np.ascontiguousarray(point, dtype=np.float32).tobytes())
    return digest.hexdigest()
