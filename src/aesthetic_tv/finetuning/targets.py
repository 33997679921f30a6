"""Scores and votes of a database on the scale of the scorer's bins."""

from collections.abc import Sequence

import numpy as np
import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.finetuning.losses import Batch

Range = tuple[float, float]


def targets(
    scores: np.ndarray,
    score_range: Range | None,
    bin_values: Sequence[float],
    *,
    distributions: Sequence[Sequence[float] | None] | None = None,
    distribution_values: Sequence[float] | None = None,
) -> Batch:
    """What a scorer is to say of n photos, on the scale of its bins.

    Args:
        scores: (n,) on the database's own scale.
        score_range: its lowest and highest score, mapped onto the lowest and highest bin; `None`
            takes those found.
        bin_values: (num_bins,) of the scorer.
        distributions: shares of votes for each step of the database's scale, or `None` where a
            photo has none: all of its votes are then taken to be at its score.
        distribution_values: (steps,) the score that each step stands for.

    Returns:
        Scores (n,) and distributions (n, num_bins), float32.

    Raises:
        SettingError: scores that are not finite, out of range, or all equal; votes that are not
            shares of the steps.
    """
    low, high = _checked_range(scores, score_range)
    first, last = bin_values[0], bin_values[-1]

    def on_bins(values: np.ndarray) -> np.ndarray:
        return first + (values - low) / (high - low) * (last - first)

    scaled = on_bins(scores)
    shares = split_linearly(scaled, bin_values)  # (n, num_bins)
    if distributions is not None and distribution_values is not None:
        voted = [row for row, votes in enumerate(distributions) if votes is not None]
        votes = _checked_votes([distributions[row] for row in voted], len(distribution_values))
        steps = on_bins(np.asarray(distribution_values, dtype=np.float64))
        shares[voted] = votes @ split_linearly(steps, bin_values)
    return Batch(torch.from_numpy(scaled).float(), torch.from_numpy(shares).float())


def split_linearly(values: np.ndarray, bin_values: Sequence[float]) -> np.ndarray:
    """Each value as a distribution over bins with that mean: (n,) to (n, num_bins).

    Its two nearest bins share it in proportion to how near they are; what lies beyond the outer
    bins falls to the outer one.
    """
    bins = np.asarray(bin_values, dtype=np.float64)
    inside = np.clip(values, bins[0], bins[-1])
    below = np.clip(np.searchsorted(bins, inside, side="right") - 1, 0, len(bins) - 2)
    upper = (inside - bins[below]) / (bins[below + 1] - bins[below])
    shares = np.zeros((len(inside), len(bins)))
    rows = np.arange(len(inside))
    shares[rows, below], shares[rows, below + 1] = 1 - upper, upper
    return shares


def _checked_range(scores: np.ndarray, score_range: Range | None) -> Range:
    if not len(scores) or not np.isfinite(scores).all():
        broken = np.flatnonzero(~np.isfinite(scores))
        raise SettingError(
            f"found {len(scores)} scores, {len(broken)} of them not finite numbers (first at row "
            f"{broken[0] if len(broken) else 0}); expected finite scores, one per photo."
        )
    low, high = score_range or (float(scores.min()), float(scores.max()))
    if scores.min() == scores.max() or scores.min() < low or scores.max() > high:
        raise SettingError(
            f"scores run from {scores.min():g} to {scores.max():g}; expected different scores "
            f"within the range {low:g} to {high:g}."
        )
    return low, high


def _checked_votes(rows: Sequence[Sequence[float] | None], steps: int) -> np.ndarray:
    lengths = {len(row) for row in rows if row is not None}
    if lengths - {steps}:
        raise SettingError(
            f"distributions have {sorted(lengths)} steps; expected {steps}, one for each score of "
            "distribution_values."
        )
    votes = np.asarray(rows, dtype=np.float64).reshape(len(rows), steps)
    sums = votes.sum(axis=1, keepdims=True)
    if not np.isfinite(votes).all() or (votes < 0).any() or (np.abs(sums - 1) > 1e-3).any():
        raise SettingError("distributions are shares of votes: 0 or more, with a sum of 1.")
    return votes / sums
