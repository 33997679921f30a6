"""Photos that are the same or nearly so, so that no photo is learned from and tested on at once."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.personalization.photo_features import content_digest
from aesthetic_tv.photo_metadata.likeness import BITS, SIDE, distances, perceptual_hash
from aesthetic_tv.scorer.decoding import Photo, load_photo, photo_names

# Measured on the 807 OASIS photos (325,221 pairs) and 398 web pages (79,003 pairs): the one pair
# within it is a photo and its crop; unrelated ones are 44 apart and more, web pages 38. Of 807
# versions each, missed: JPEG quality 30, resized to a third, a half or twice, 2% cut off each
# side, brightness +-20%, contrast +30%, grey: none; 4% cut off each side 8%, 8% off one side 51%.
MAX_DISTANCE = 36
BLOCK = 1024  # rows whose distances to all others are held at once


@dataclass(frozen=True, eq=False)
class PhotoHashes:
    """What tells n photos apart.

    Attributes:
        digests: SHA-256 of each one's content; `None` where the file cannot be read at all.
        bits: (n, 144) perceptual hash, one bool a bit.
        hashed: (n,) whether the hash tells anything: not of a photo that cannot be decoded, nor of
            one without structure, such as a blank page; those are known by their content alone.
        failures: of the photos that cannot be decoded, by position.
    """

    digests: tuple[str | None, ...]
    bits: np.ndarray
    hashed: np.ndarray
    failures: dict[int, PhotoError] = field(default_factory=dict)

    @classmethod
    def of(cls, photos: Sequence[Photo], *, workers: int | None = None) -> "PhotoHashes":
        """Hash photos, in threads; a bad one is named in `failures` and stops nothing.

        Args:
            photos: n paths or images in memory.
            workers: threads; up to 8 when not given.
        """
        with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
            found = list(pool.map(_hash, photos, photo_names(photos)))
        empty = np.zeros(BITS, dtype=bool)
        return cls(
            tuple(digest for digest, _ in found),
            np.array(
                [b if isinstance(b, np.ndarray) else empty for _, b in found], dtype=bool
            ).reshape(len(found), BITS),
            np.array([isinstance(b, np.ndarray) for _, b in found], dtype=bool),
            {i: error for i, (_, error) in enumerate(found) if isinstance(error, PhotoError)},
        )

    def pairs(self, max_distance: int = MAX_DISTANCE) -> np.ndarray:
        """(p, 2) positions, the lower one first, of every two photos with the same content or with
        hashes of up to `max_distance` different bits.
        """
        return np.unique(np.concatenate([self._same(), self._near(max_distance)]), axis=0)

    def groups(self, max_distance: int = MAX_DISTANCE) -> np.ndarray:
        """(n,) number of the group of each photo, counted from 0 in the order given.

        Photos share a group when they are a pair, or when a chain of pairs links them.
        """
        count = len(self.digests)
        first, second = self.pairs(max_distance).T
        links = csr_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
        return connected_components(links, directed=False)[1]

    def _same(self) -> np.ndarray:
        first: dict[str, int] = {}
        pairs = [
            (first.setdefault(digest, i), i) for i, digest in enumerate(self.digests) if digest
        ]
        return np.array([pair for pair in pairs if pair[0] != pair[1]], dtype=int).reshape(-1, 2)

    def _near(self, max_distance: int) -> np.ndarray:
        places = np.flatnonzero(self.hashed)
        bits, found = self.bits[places], [np.empty((0, 2), dtype=int)]
        for start in range(0, len(places), BLOCK):
            apart = distances(bits[start : start + BLOCK], bits[start:])  # (block, m - start)
            row, column = np.nonzero(apart <= max_distance)
            kept = row < column
            found.append(places[np.stack([row[kept], column[kept]], axis=1) + start])
        return np.concatenate(found)


def _hash(photo: Photo, name: str) -> tuple[str | None, np.ndarray | PhotoError | None]:
    """Digest, and perceptual hash (144,), or `None` without structure, or why there is none."""
    digest = None
    try:
        with suppress(PhotoError):  # an image in memory that cannot be decoded; reported below
            digest = content_digest(photo)
        image = load_photo(photo, short_side=8 * SIDE, name=name)
    except PhotoError as error:
        return digest, error
    except OSError as error:
        return None, PhotoError(f"{name}: cannot be read ({error.strerror or error}).")
    return digest, perceptual_hash(image)
