"""How agreement with a person grows with their ratings."""

import os
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.ticker import MaxNLocator

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import CURVES, INK, new_figure, plain, save

METRICS = {
    "srocc": "agreement with you\n(rank correlation, -1 to 1)",
    "pair_accuracy": "agreement with you\n(share of pairs in your order, 0 to 1)",
}


def ratings_curve(
    counts: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    path: str | os.PathLike[str],
    *,
    metric: Literal["srocc", "pair_accuracy"] = "srocc",
) -> None:
    """Draw agreement by number of ratings, a curve for each scorer.

    Args:
        counts: of ratings, rising.
        curves: name of a scorer, such as `personal` or `generic`, to its agreement at each count;
            1 to 6 of them.
        path: the PNG file to write or replace.
        metric: what agreement was measured by.

    Raises:
        SettingError: no counts or curves or too many, counts that do not rise, a curve of another
            length, values that are not finite, or an unknown metric.
        OutputError: the file could not be written; it is as it was.
    """
    if metric not in METRICS:
        raise SettingError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}.")
    if not 0 < len(curves) <= len(CURVES):
        raise SettingError(f"a ratings curve shows 1 to {len(CURVES)} scorers; got {len(curves)}.")
    if len(counts) == 0 or not (np.diff(counts) > 0).all() or counts[0] < 0:
        raise SettingError(f"counts of ratings rise from 0 or more; got {list(counts)}.")
    for name, values in curves.items():
        if len(values) != len(counts) or not np.isfinite(values).all():
            raise SettingError(
                f"the curve {name!r} has a finite agreement for each of {len(counts)} counts of "
                f"ratings; found {list(values)}."
            )
    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    axes.axhline({"srocc": 0.0, "pair_accuracy": 0.5}[metric], color=INK, lw=0.8, ls=":")
    for (name, values), (color, line, marker) in zip(curves.items(), CURVES, strict=False):
        axes.plot(counts, values, line, color=color, marker=marker, markersize=5, label=name)
    axes.set_xlim(counts[0] - 1, counts[-1] + 1)
    axes.set_xlabel("ratings (photos)", color=INK)
    axes.set_ylabel(METRICS[metric], color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, labelcolor=INK)
    plain(axes)
    save(figure, path)
