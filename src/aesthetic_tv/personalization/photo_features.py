"""Features of an album's photos, computed once; every fit on them takes milliseconds.

Scores are nearly linear in the coefficients, and the point of linearization is the same for
everyone. So J(x) is a feature vector of a photo that does not depend on the person: one pass there
and back for each photo serves any number of people and ratings.

They are kept in a file: safetensors, one row a photo, keyed by the photo's content.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aesthetic_tv import notebook
from aesthetic_tv.errors import FeatureFileError, FormatError, PreferenceError
from aesthetic_tv.files import read_hashed, write_hashed
from aesthetic_tv.frames import data_frame
from aesthetic_tv.personalization.active import photos_to_rate
from aesthetic_tv.personalization.jacobian import coefficient_slopes
from aesthetic_tv.personalization.linear_model import LinearModel
from aesthetic_tv.personalization.posterior import Posterior
from aesthetic_tv.personalization.precision import Precision, check_precision, tower_dtype
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.scorer import image_processor, load_batches
from aesthetic_tv.scorer.decoding import Photo, as_photos, memory_digest, photo_name, photo_names
from aesthetic_tv.scorer.hashing import sha256
from aesthetic_tv.task_vectors import TaskVectorBank

BATCH = 32
SAVED_EVERY = 60.0  # seconds of work that a kill may lose
# Of the file, raised whenever photos are loaded or features are taken in another way.
VERSION = 2
OLDER = range(1, VERSION)


@dataclass(frozen=True, eq=False, repr=False)
class PhotoFeatures:
    """Scores and slopes of an album's photos at the bank's generic coefficients.

    Attributes:
        bank: the task vectors.
        photos: the N photos that could be read, in the order given.
        scores: generic scores (N,), float32.
        slopes: J (N, P), float16, as `TaskVectorBank.layout` has it; from a cache file, a memory
            map.
        skipped: photos that could not be read, and why.

    Example:
        >>> album = PhotoFeatures.compute(bank, photos, cache="album.features.safetensors")
        >>> mine = InstantFit.of(album, {"a.jpg": 5, "b.jpg": 2, "c.jpg": 4})
        >>> mine.ranking()[:10], mine.suggest_next(3)
    """

    bank: TaskVectorBank
    photos: tuple[Photo, ...]
    scores: np.ndarray
    slopes: torch.Tensor
    skipped: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def compute(
        cls,
        bank: TaskVectorBank,
        photos: Sequence[Photo],
        *,
        cache: str | os.PathLike[str] | None = None,
        precision: Precision = "auto",
        progress: Callable[[int, int], None] | None = None,
    ) -> "PhotoFeatures":
        """Features of photos; those that the cache knows by their content cost no pass.

        Args:
            bank: the task vectors.
            photos: paths, PIL images, the bytes of files, or arrays uint8 (H, W, 3).
            cache: file to read from and to add to; other albums' photos stay in it.
            precision: of products inside the tower; `auto` is bfloat16 where that is faster.
            progress: called with (new photos done, new photos).

        Raises:
            FeatureFileError: the cache is damaged, or belongs to another bank.
            PreferenceError: none of the photos can be read.
        """
        check_precision(precision)
        photos = as_photos(photos)
        if not photos:
            raise PreferenceError("No photos were given; name at least one.")
        of_photo = photo_names(photos)
        digests, failures = _digests(photos, of_photo)
        names = [(vector.name, vector.content_sha256) for vector in bank.vectors]
        if bank.directions is not None:
            names.append(("head directions", bank.directions.content_sha256))
        point = bank.generic_point
        key = feature_key(bank.base_reference.fingerprint, names, point.numpy())
        known = FeatureRows.none(len(point))
        if cache is not None:
            known = load_rows(cache, key, len(point))
        there = set(known.digests)
        new = {d: photos[i] for i, d in digests.items() if d not in there}
        saved, broken = time.monotonic(), dict[str, str]()
        for rows, failed in _computed(bank, new, tower_dtype(precision, bank.base)):
            known += rows
            broken |= failed
            if cache is not None and time.monotonic() - saved > SAVED_EVERY:
                known.save(cache, key)
                saved = time.monotonic()
            if progress is not None:
                progress(len(known.digests) - len(there), len(new))
        if cache is not None and len(known.digests) > len(there):
            known.save(cache, key)
        at = {digest: row for row, digest in enumerate(known.digests)}
        kept = [i for i, digest in digests.items() if digest in at]
        # Photos of one content are broken together, and each is named.
        failures |= {i: broken[d] for i, d in digests.items() if d in broken}
        skipped = {of_photo[i]: f"{of_photo[i]}: {failures[i]}" for i in sorted(failures)}
        if not kept:
            raise PreferenceError("No photo could be read: " + "; ".join(skipped.values()))
        rows = torch.tensor([at[digests[i]] for i in kept])
        in_order = len(rows) == len(at) and bool((rows == torch.arange(len(rows))).all())
        slopes = known.slopes if in_order else known.slopes[rows]
        scores = known.scores[rows].numpy()
        return cls(bank, tuple(photos[i] for i in kept), scores, slopes, skipped)

    def __repr__(self) -> str:
        left_out = f", {len(self.skipped):,} left out" if self.skipped else ""
        size = f"{len(self):,} photos x {self.slopes.shape[1]:,} coefficients"
        return f"PhotoFeatures({size}{left_out})"

    def _repr_html_(self) -> str:
        best = np.argsort(-self.scores, kind="stable")[: notebook.SHOWN]
        captions = [f"{self.scores[row]:.2f}" for row in best]
        sheet = notebook.contact_sheet([self.photos[row] for row in best], captions)
        return notebook.card(repr(self), notebook.said("Best first, by the generic score."), sheet)

    def to_frame(self) -> Any:
        """A pandas DataFrame of photos and their generic scores.

        Raises:
            SettingError: pandas is not installed.
        """
        return data_frame({"photo": list(self.photos), "generic": self.scores})

    def __len__(self) -> int:
        return len(self.photos)

    def __add__(self, other: "PhotoFeatures") -> "PhotoFeatures":
        """Both albums as one; the bank must be the same object."""
        if other.bank is not self.bank:
            raise FeatureFileError("photo features of two banks cannot be put together.")
        return PhotoFeatures(
            self.bank,
            self.photos + other.photos,
            np.concatenate([self.scores, other.scores]),
            torch.cat([self.slopes, other.slopes]),
            {**self.skipped, **other.skipped},
        )

    @cached_property
    def model(self) -> LinearModel:
        """The linear model of the album, in float32."""
        point = self.bank.generic_point.numpy()
        return LinearModel(point, self.scores, self.slopes.float().numpy(), self.bank.layout)

    @cached_property
    def middle(self) -> np.ndarray:
        """Mean slopes (P,)."""
        return self.model.slopes.mean(0)

    @cached_property
    def _positions(self) -> dict[object, int]:
        named = enumerate(self.photos)
        return {_name(photo): row for row, photo in named}

    def positions(self, photos: Sequence[Photo]) -> np.ndarray:
        """Where photos stand in the album.

        Raises:
            PreferenceError: names the first that do not.
        """
        found = [self._position(photo) for photo in photos]
        unknown = [photo_name(photos[i], i, len(photos)) for i, x in enumerate(found) if x is None]
        if unknown:
            raise PreferenceError(
                f"{', '.join(unknown[:3])}: not among the {len(self)} photos of these features "
                f"({len(unknown)} such photos). Compute features of the whole album."
            )
        return np.array(found, dtype=int)

    def _position(self, photo: Photo) -> int | None:
        """Of a photo by its path; of an image in memory by itself, or else by its content, since a
        data set gives another object each time.
        """
        found = self._positions.get(_name(photo))
        if found is not None or isinstance(photo, str | os.PathLike):
            return found
        return self._contents.get(content_digest(photo))

    @cached_property
    def _contents(self) -> dict[str, int]:
        in_memory = enumerate(self.photos)
        return {
            content_digest(photo): row
            for row, photo in in_memory
            if not isinstance(photo, str | os.PathLike)
        }

    def score_people(self, coefficients: np.ndarray) -> np.ndarray:
        """Scores of all photos for many people at once, as one matrix product.

        Args:
            coefficients: (U, P), or (U, L, K) for a bank without head directions.

        Returns:
            float32 (U, N).
        """
        model = self.model
        people = np.asarray(coefficients, dtype=np.float32).reshape(len(coefficients), -1)
        return model.scores + (people - model.point) @ model.slopes.T

    def suggest_first(self, count: int = 1) -> list[Photo]:
        """The photos to rate first, before anything is known of a person.

        Args:
            count: how many.
        """
        prior = self.prior()
        posterior = Posterior.before(prior, self.middle)
        rows = photos_to_rate(posterior, self.model.slopes, np.arange(len(self)), count)
        return [self.photos[row] for row in rows]

    def prior(self) -> CoefficientPrior:
        """The population's prior where the bank knows one, otherwise one scaled to the album."""
        if self.bank.population is not None:
            return CoefficientPrior.of_population(self.bank.population, self.bank.layout)
        return CoefficientPrior.scaled_to(
            self.model.point, self.bank.layout, self.model.slopes, task_share=0.5
        )


def _name(photo: Photo) -> object:
    """Paths by their text, images in memory by themselves."""
    return str(photo) if isinstance(photo, str | os.PathLike) else id(photo)


def _digests(
    photos: Sequence[Photo], names: Sequence[str]
) -> tuple[dict[int, str], dict[int, str]]:
    """Content hash of each photo that can be opened, and why others cannot; by position."""
    digests, failures = dict[int, str](), dict[int, str]()
    for i, photo in enumerate(photos):
        try:
            digests[i] = content_digest(photo)
        except OSError as error:
            reason = error.strerror or str(error)
            failures[i] = reason.removeprefix(f"{names[i]}: ").removeprefix("the image: ")
    return digests, failures


def _computed(bank: TaskVectorBank, new: Mapping[str, Photo], dtype: torch.dtype):
    """Feature rows and failures, both by content hash, batch by batch."""
    if not new:
        return
    scorer = bank.generic_scorer()
    digests, photos = list(new), list(new.values())
    processor, names = image_processor(bank.base.config), photo_names(photos)
    for batch in load_batches(photos, processor, batch_size=BATCH, names=names):
        failed = {
            digests[i]: str(error).removeprefix(f"{names[i]}: ")
            for i, error in batch.failures.items()
        }
        rows = FeatureRows.none(bank.layout.size)
        if batch.indices:
            scores, slopes = coefficient_slopes(bank, scorer, batch.crops, dtype=dtype)
            contents = tuple(digests[i] for i in batch.indices)
            rows = FeatureRows(contents, scores.cpu(), slopes.half().cpu())
        yield rows, failed


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Features of m photos, as their file holds them.

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
