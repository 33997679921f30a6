"""Pictures of a fine-tuning."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import BLUE, FAINT, INK, ORANGE, new_figure, plain, save


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
