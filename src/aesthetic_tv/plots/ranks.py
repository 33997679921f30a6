"""How a personal order differs from the generic one."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import BLUE, FAINT, INK, ORANGE, new_figure, save, shortened

LINE = 0.22  # inches that a label needs
TALLEST = 9.0  # inches of the slopes, so that all of it fits a screen


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
    told = "" if len(named) == count else f"; {len(named)} are named, the biggest moves first"
    axes.set_xlabel(f"photos: {count}; 1 is the best{told}", color=INK)
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
