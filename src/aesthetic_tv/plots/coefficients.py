"""What a taste is made of: the weight of every task vector in every layer."""

import os
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import FAINT, INK, new_figure, save, shortened
from aesthetic_tv.scorer.towers import part_of

WIDTH, WIDEST = 9.0, 13.0  # inches of the map itself; the layers of a ViT-L/14 need the widest


def coefficient_map(
    layers: Sequence[str],
    tasks: Sequence[str],
    coefficients: np.ndarray,
    path: str | os.PathLike[str],
) -> None:
    """Draw alpha as a heat map: a row a task with its mean, a column a layer, from the input of
    the tower on the left to the head on the right. Red is above 0, blue with a dot below.

    Args:
        layers: names of the L layers, in the order of the tower.
        tasks: names of the K tasks.
        coefficients: alpha (L, K).
        path: the PNG file to write or replace.

    Raises:
        SettingError: no layers or tasks, or coefficients that are not (L, K) or not finite.
        OutputError: the file could not be written; it is as it was.
    """
    alpha = np.asarray(coefficients, dtype=np.float64)
    shape = (len(layers), len(tasks))
    if 0 in shape or alpha.shape != shape or not np.isfinite(alpha).all():
        raise SettingError(
            f"the coefficients of {shape[0]} layers and {shape[1]} tasks are a finite array of "
            f"this shape, at least (1, 1); found shape {alpha.shape}."
        )
    width = min(WIDEST, max(WIDTH, 0.03 * len(layers)))
    figure = new_figure(width + 3.4, max(2.8, 1.7 + 0.36 * len(tasks)))
    axes = figure.add_subplot()
    limit = np.abs(alpha).max() or 1.0
    image = axes.imshow(
        alpha.T, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
    )
    below = np.argwhere(alpha < 0)
    axes.plot(*below.T, ".", color=INK, markersize=3 if len(layers) < 150 else 1)
    means = alpha.mean(0)
    labels = [f"{shortened(task)}  {mean:+.2f}" for task, mean in zip(tasks, means, strict=True)]
    axes.set_yticks(range(len(tasks)), labels, color=INK, parse_math=False)
    axes.hlines(np.arange(1, len(tasks)) - 0.5, -0.5, len(layers) - 0.5, color="white", lw=1.5)
    parts = [(part, len(list(names))) for part, names in groupby(layers, part_of)]
    ends = np.cumsum([count for _, count in parts])
    centres = ends - np.array([count for _, count in parts]) / 2 - 0.5
    axes.set_xticks(centres, [part for part, _ in parts], color=INK)
    # The words lie above a few layers each: upright, and the last two leaning apart.
    for label, (part, _) in zip(axes.get_xticklabels(), parts, strict=True):
        if not part.isdigit():
            label.set(rotation=90, ha={"output": "right", "head": "left"}.get(part, "center"))
    axes.vlines(ends[:-1] - 0.5, -0.5, len(tasks) - 0.5, color=FAINT, lw=0.8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_ylabel("task and its mean weight", color=INK)
    axes.set_xlabel(
        f"{len(layers)} layers by part of the model (numbers: blocks of the tower)", color=INK
    )
    figure.colorbar(image, ax=axes, pad=0.01, label="coefficient\n(dot: below 0)")
    save(figure, path)
