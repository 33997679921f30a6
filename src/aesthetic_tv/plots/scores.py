"""How scores are spread."""

import os
from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import MaxNLocator

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import CURVES, INK, new_figure, plain, save, shortened

BINS = 20


def score_histograms(scores: Mapping[str, np.ndarray], path: str | os.PathLike[str]) -> None:
    """Draw the distribution of each scorer's scores, one above the other on one axis of scores,
    with the median marked.

    Args:
        scores: name of a scorer, such as `personal` or `generic`, to its scores of n photos (n,).
        path: the PNG file to write or replace.

    Raises:
        SettingError: no scorers, or scores that are missing, not finite or not in one row.
        OutputError: the file could not be written; it is as it was.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    if not arrays:
        raise SettingError("histograms need the scores of one scorer or more; found none.")
    for name, values in arrays.items():
        if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
            raise SettingError(
                f"the scores of {name!r} are one finite number for each photo; found shape "
                f"{values.shape}."
            )
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins=BINS)
    figure = new_figure(7, 0.9 + 1.5 * len(arrays))
    panels = figure.subplots(len(arrays), 1, sharex=True, squeeze=False)[:, 0]
    for number, (axes, (name, values)) in enumerate(zip(panels, arrays.items(), strict=True)):
        color = CURVES[number % len(CURVES)][0]
        axes.hist(values, bins=edges, color=color, edgecolor="white", linewidth=0.6)
        median = float(np.median(values))
        axes.axvline(median, color=INK, linestyle="--", linewidth=1)
        title = f"{shortened(name)}: {len(values)} photos, median {median:.2f} (dashed)"
        axes.set_title(title, size=10, loc="left", color=INK, parse_math=False)
        axes.set_ylabel("photos", color=INK)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        plain(axes)
    panels[-1].set_xlabel("score", color=INK)
    figure.align_ylabels()
    save(figure, path)
