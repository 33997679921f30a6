"""Pictures of task vectors: how one was fine-tuned, and how alike several are."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import BLUE, FAINT, INK, ORANGE, drawn_alike, new_figure, plain, save


@drawn_alike
def learning_curve(
    lines: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    *,
    title: str,
    best_epoch: int | None = None,
) -> None:
    """Draw a fine-tuning: training loss above, agreement with the validation part below, the head
    stage on the left and the second stage on the right.

    Args:
        lines: of the log, with `stage` (`head` or `all`), `epoch`, `step`, `loss`,
            `validation_srocc` and `validation_plcc`; what is `None` is not drawn.
        path: the PNG file to write or replace.
        title: above all of it.
        best_epoch: of the second stage, marked.

    Raises:
        SettingError: there are no lines.
        OutputError: the file could not be written; it is as it was.
    """
    if not lines:
        raise SettingError("a learning curve needs lines of a log; found none.")
    figure = new_figure(9, 6)
    figure.suptitle(title, size=14, weight="bold", color=INK)
    panels = figure.subplots(2, 2, sharex="col", sharey="row")
    for column, (stage, name) in enumerate({"head": "Head alone", "all": "All layers"}.items()):
        part = [line for line in lines if line["stage"] == stage]
        loss, agreement = panels[:, column]
        loss.set_title(name, size=11, color=INK)
        _curve(loss, part, "loss", "training loss", BLUE, "-")
        _curve(agreement, part, "validation_srocc", "SROCC", BLUE, "-o")
        _curve(agreement, part, "validation_plcc", "PLCC", ORANGE, "--s")
        marked = [line["step"] for line in part if line["epoch"] == best_epoch]
        if stage == "all" and marked:
            for axes in (loss, agreement):
                axes.axvline(max(marked), color=FAINT, linestyle=":", label="weights that are kept")
        agreement.set_xlabel("optimizer steps", color=INK)
        if agreement.get_legend_handles_labels()[0]:
            agreement.legend(frameon=False, labelcolor=INK)
        for axes in (loss, agreement):
            plain(axes)
    panels[0, 0].set_ylabel("mean training loss", color=INK)
    panels[1, 0].set_ylabel("validation correlation, -1 to 1", color=INK)
    save(figure, path)


def _curve(axes: Any, lines: Sequence[Mapping[str, Any]], key: str, label: str, color, style):
    points = [(line["step"], line[key]) for line in lines if line[key] is not None]
    if points:
        axes.plot(*zip(*points, strict=True), style, color=color, markersize=4, label=label)


@drawn_alike
def similarity_matrix(
    names: Sequence[str], matrix: np.ndarray, path: str | os.PathLike[str]
) -> None:
    """Draw how alike task vectors are: red for the same direction, blue for opposite ones.

    Args:
        names: of the K tasks.
        matrix: (K, K) cosine similarities in [-1, 1].
        path: the PNG file to write or replace.

    Raises:
        SettingError: the matrix is not (K, K), or not finite.
        OutputError: the file could not be written; it is as it was.
    """
    count = len(names)
    if matrix.shape != (count, count) or not np.isfinite(matrix).all():
        raise SettingError(
            f"the similarities of {count} tasks are a finite ({count}, {count}) matrix; found "
            f"shape {matrix.shape}."
        )
    side = 2.4 + 0.55 * count
    figure = new_figure(side + 0.6, side)
    axes = figure.add_subplot()
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(count), names, rotation=45, ha="right", color=INK)
    axes.set_yticks(range(count), names, color=INK)
    axes.spines[:].set_visible(False)
    for row, column in np.ndindex(count, count):
        value = matrix[row, column]
        color = "white" if abs(value) > 0.6 else INK
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", size=8.5, color=color)
    figure.colorbar(image, ax=axes, shrink=0.8, label="cosine similarity")
    save(figure, path)
