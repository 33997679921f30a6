"""Quantiles and histogram of scores in any number of files: exact, and in constant memory.

A float32 is one of 2^32 values, whose order is that of integers. One pass counts them by their
upper 16 bits; a second one counts, within the few of those that hold a wanted rank, by the lower
16. Counts of parts add up to counts of the whole, in any order; so do the sums that the mean is
made of, which are of integers.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
BINS = 50
HALF = 1 << 16
DIGITS, LEAST = 24, 150  # bits of a float32, and the least exponent below 0, as `frexp` has them
EXPONENTS = LEAST + 130


def ordered(values: np.ndarray) -> np.ndarray:
    """float32 (n,) to uint32 (n,) that are in the same order; -0 counts as 0."""
    bits = (np.asarray(values, dtype=np.float32) + np.float32(0)).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint32)


def unordered(keys: np.ndarray) -> np.ndarray:
    """The float32 values of `ordered` integers."""
    keys = np.asarray(keys, dtype=np.uint32)
    bits = np.where(keys >> 31, keys & np.uint32(0x7FFFFFFF), ~keys).astype(np.uint32)
    return bits.view(np.float32)


@dataclass
class Counts:
    """How many values share their upper 16 bits: what two parts have adds up.

    Attributes:
        upper: int64 (65536,).
        sums: of the values of each exponent, as multiples of its last digit, int64.
    """

    upper: np.ndarray = field(default_factory=lambda: np.zeros(HALF, dtype=np.int64))
    sums: np.ndarray = field(default_factory=lambda: np.zeros(EXPONENTS, dtype=np.int64))

    def add(self, values: np.ndarray) -> None:
        """Count float32 values; those that are no numbers are left out."""
        values = np.asarray(values, dtype=np.float32)
        values = values[np.isfinite(values)]
        self.upper += np.bincount(ordered(values) >> 16, minlength=HALF)
        digits, exponents = np.frexp(values.astype(np.float64))
        np.add.at(self.sums, exponents + LEAST, (digits * 2.0**DIGITS).astype(np.int64))

    def merge(self, other: "Counts") -> "Counts":
        """Of both together."""
        return Counts(self.upper + other.upper, self.sums + other.sums)

    @property
    def mean(self) -> float:
        """The exact mean, rounded once."""
        powers = (Fraction(2) ** (place - LEAST - DIGITS) for place in range(EXPONENTS))
        total = sum((int(n) * p for n, p in zip(self.sums, powers, strict=True) if n), Fraction())
        return float(total / self.count)

    @property
    def count(self) -> int:
        """Values in all."""
        return int(self.upper.sum())


def summarize(parts: Callable[[], Iterable[np.ndarray]]) -> dict[str, Any]:
    """Count, mean, quantiles and histogram of all scores.

    Args:
        parts: gives the scores, float32, part by part; called three times.

    Returns:
        `count`, `mean`, `quantiles` (by their share, each a score that some photo has: the lowest
        that at least this share of the photos does not exceed), and `histogram` with `edges`
        (51,) and `counts` (50,). Only `count` where there is no score.
    """
    counts = Counts()
    for values in parts():
        counts.add(values)
    if not counts.count:
        return {"count": 0}
    ranks = {q: max(0, math.ceil(q * counts.count) - 1) for q in QUANTILES}
    ends = np.cumsum(counts.upper)
    buckets = {q: int(np.searchsorted(ends, rank, side="right")) for q, rank in ranks.items()}
    lower = {bucket: np.zeros(HALF, dtype=np.int64) for bucket in set(buckets.values())}
    for values in parts():
        for bucket, found in _within(values, lower):
            lower[bucket] += found
    quantiles = {}
    for q, bucket in buckets.items():
        before = int(ends[bucket] - counts.upper[bucket])
        place = int(np.searchsorted(np.cumsum(lower[bucket]), ranks[q] - before, side="right"))
        quantiles[q] = float(unordered(np.array([bucket << 16 | place], dtype=np.uint32))[0])
    edges = np.linspace(quantiles[0.0], quantiles[1.0], BINS + 1)
    histogram = np.zeros(BINS, dtype=np.int64)
    if edges[0] < edges[-1]:
        for values in parts():
            histogram += np.histogram(values[np.isfinite(values)], bins=edges)[0]
    else:
        histogram[0] = counts.count
    return {
        "count": counts.count,
        "mean": counts.mean,
        "quantiles": {f"{q:g}": quantiles[q] for q in QUANTILES},
        "histogram": {"edges": edges.tolist(), "counts": histogram.tolist()},
    }


def _within(values: np.ndarray, wanted: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    keys = ordered(values[np.isfinite(values)])
    for bucket in wanted:
        inside = keys[keys >> 16 == bucket] & np.uint32(HALF - 1)
        yield bucket, np.bincount(inside, minlength=HALF)
