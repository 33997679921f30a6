"""Pictures of one person's taste: its coefficients, what it does to ranks and scores, and how its
agreement with the person grows with their ratings.
"""

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

import numpy as np
from matplotlib.ticker import MaxNLocator

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import (
    BLUE,
    CURVES,
    FAINT,
    INK,
    ORANGE,
    drawn_alike,
    new_figure,
    plain,
    save,
    shortened,
)
from aesthetic_tv.scorer.towers import part_of

# Inches of the map of coefficients itself; the layers of a ViT-L/14 need the widest.
WIDTH, WIDEST = 9.0, 13.0
LINE = 0.22  # inches that a photo's name beside its rank needs
TALLEST = 9.0  # inches of the slopes of all ranks, so that all of it fits a screen
BINS = 20  # of the scores
METRICS = {
    "srocc": "agreement with you\n(rank correlation, -1 to 1)",
    "pair_accuracy": "agreement with you\n(share of pairs in your order, 0 to 1)",
}


@drawn_alike
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


@drawn_alike
def rank_change(
    names: Sequence[str],
    personal: Sequence[float],
    generic: Sequence[float],
    path: str | os.PathLike[str],
) -> None:
    """Draw each photo's way from its generic rank, left, to its personal one, right: blue and
    solid when it rises, orange and dashed when it falls. Where there is no room to name all
    photos, those are named that move most.

    Args:
        names: of n photos, 1 or more.
        personal: (n,) personal scores, the best the highest.
        generic: (n,) generic scores.
        path: the PNG file to write or replace.

    Raises:
        SettingError: no photos, another number of scores, or scores that are not finite.
        OutputError: the file could not be written; it is as it was.
    """
    count = len(names)
    fits = 0 < count == len(personal) == len(generic)
    if not fits or not np.isfinite([*personal, *generic]).all():
        raise SettingError(
            f"a change of ranks needs photos and two finite scores for each; found {count} "
            f"photos, {len(personal)} personal and {len(generic)} generic scores."
        )
    before, after = ranks(generic), ranks(personal)
    height = min(TALLEST, max(4 * LINE, count * LINE))
    named = set(movers(before, after, apart=LINE * (count - 1) / height))
    figure = new_figure(8.5, height + 1)
    axes = figure.add_subplot()
    for photo in np.argsort(np.abs(after - before), kind="stable"):
        old, new = int(before[photo]), int(after[photo])
        color, style = (BLUE, "-") if new < old else (ORANGE, "--") if new > old else (FAINT, ":")
        strong = photo in named
        axes.plot(
            [0, 1],
            [old, new],
            style,
            color=color,
            marker="o",
            markersize=4 if strong else 2,
            linewidth=1.6 if strong else 0.7,
            alpha=1 if strong else 0.5,
        )
        if strong:
            name = shortened(names[photo])
            change = f"▲ {old - new}" if new < old else f"▼ {new - old}" if new > old else "="
            text: dict[str, Any] = {"va": "center", "size": 9, "color": INK, "parse_math": False}
            axes.text(-0.03, old, f"{name}  {old}", ha="right", **text)
            axes.text(1.03, new, f"{new}  {name}  {change}", ha="left", **text)
    axes.set_xlim(-0.85, 1.95)
    axes.set_ylim(count + 0.6, 0.4)
    axes.set_xticks([0, 1], ["generic rank", "personal rank"], color=INK, weight="bold")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    note = "" if len(named) == count else f"; {len(named)} are named, the biggest moves first"
    axes.set_xlabel(f"photos: {count}; 1 is the best{note}", color=INK)
    save(figure, path)


def ranks(scores: Sequence[float]) -> np.ndarray:
    """Place of each photo, 1 for the highest score; equal scores stay in the order given."""
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    return np.argsort(order) + 1


def movers(before: np.ndarray, after: np.ndarray, apart: float) -> list[int]:
    """Photos to name, those that move most first, no two closer than `apart` ranks on a side."""
    places = np.stack([before, after], axis=1)  # (n, 2)
    named: list[int] = []
    for photo in np.argsort(-np.abs(after - before), kind="stable").tolist():
        if (np.abs(places[named] - places[photo]) >= apart).all():
            named.append(photo)
    return named


@drawn_alike
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


@drawn_alike
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
