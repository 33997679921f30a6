"""Pictures of an evaluation, as the paper's Figures 5 to 7 are, and of all methods at once."""

import os
from collections.abc import Collection, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import (
    BLUE,
    CURVES,
    FAINT,
    INK,
    ON_BARS,
    ORANGE,
    drawn_alike,
    literal,
    new_figure,
    plain,
    save,
)

Interval = tuple[float, float, float]  # mean, low, high

# How a method is drawn beside others, by what it knows.
DOTS: dict[str, dict[str, Any]] = {
    "personal": {"marker": "o", "color": BLUE},
    "the same for everyone": {"marker": "s", "color": ORANGE, "markerfacecolor": "white"},
    "oracle": {"marker": "D", "color": FAINT},
}


@drawn_alike
def methods_compared(
    panels: Mapping[str, Mapping[str, Interval]],
    path: str | os.PathLike[str],
    *,
    impersonal: Collection[str] = (),
    oracles: Collection[str] = (),
    label: str = "mean SROCC over people",
) -> None:
    """Draw methods below each other, each a dot with its interval, one panel beside the other.

    Args:
        panels: by title, such as `10 shots`: mean, low and high by method. A method may be missing.
        path: the PNG file to write or replace.
        impersonal: methods that are the same for everyone, drawn as hollow squares; a line marks
            the best of them.
        oracles: methods that know what nobody can, drawn as grey diamonds.
        label: of the axis.

    Raises:
        SettingError: nothing to draw, or a value that is not finite.
        OutputError: the file could not be written; it is as it was.
    """
    _check([point for panel in panels.values() for point in panel.values()], "methods")
    order = _best_last(panels)
    figure = new_figure(2.6 + 3.6 * len(panels), 1.3 + 0.3 * len(order))
    columns = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    looks = {
        name: "oracle" if name in oracles else "the same for everyone" if name in impersonal
        else "personal"
        for name in order
    }  # fmt: skip
    for axes, (title, panel) in zip(columns, panels.items(), strict=True):
        bars = [panel[name][0] for name in impersonal if name in panel]
        if bars:
            axes.axvline(max(bars), color=ORANGE, linewidth=1, linestyle=":")
        for place, name in enumerate(order):
            if name in panel:
                mean, low, high = panel[name]
                color = DOTS[looks[name]]["color"]
                axes.plot([low, high], [place, place], color=color, linewidth=1.4, zorder=2)
                axes.plot([mean], [place], linestyle="", zorder=3, **DOTS[looks[name]])
        axes.set_title(title, size=11, color=INK)
        axes.set_xlabel(label, color=INK)
        axes.set_yticks(range(len(order)), [literal(name) for name in order], color=INK)
        axes.set_ylim(-0.6, len(order) - 0.4)
        plain(axes, "x")
    if len(set(looks.values())) > 1:
        for kind in DOTS:
            if kind in looks.values():
                columns[0].plot([], [], linestyle="", label=kind, **DOTS[kind])
        figure.legend(loc="outside lower center", ncols=3, frameon=False, labelcolor=INK)
    save(figure, path)


@drawn_alike
def methods_by_ratings(
    curves: Mapping[str, Mapping[int, Interval]],
    gains: Mapping[str, Mapping[int, Interval]],
    start: tuple[str, Interval] | None,
    path: str | os.PathLike[str],
    *,
    label: str = "mean SROCC over people",
) -> None:
    """Draw what each further rating brings: scores, and gains over the score that is the same for
    everyone, by the number of ratings.

    Args:
        curves: by method and number of ratings: mean, low and high.
        gains: the same, of what each person gains over `start`; their intervals are much narrower.
        start: what there is before any rating: its name, and its score; without it, the scores
            alone are drawn.
        path: the PNG file to write or replace.
        label: of the axis of scores.

    Raises:
        SettingError: nothing to draw, other methods in both, or a value that is not finite.
        OutputError: the file could not be written; it is as it was.
    """
    if curves.keys() != gains.keys():
        raise SettingError(f"curves are of {[*curves]}, gains of {[*gains]}; expected the same.")
    _check([point for curve in (*curves.values(), *gains.values()) for point in curve.values()],
           "curves")  # fmt: skip
    if start is None:
        figure = new_figure(7, 4.6)
        _curves(figure.add_subplot(), curves, label)
        _legend(figure, figure.axes[0])
        save(figure, path)
        return
    name, (mean, low, high) = start
    figure = new_figure(11, 4.6)
    scores, gained = figure.subplots(1, 2)
    scores.axhspan(low, high, color=FAINT, alpha=0.1, linewidth=0)
    scores.axhline(
        mean, color=FAINT, linewidth=1, linestyle=":", label=f"0 ratings: {literal(name)}"
    )
    gained.axhline(0, color=FAINT, linewidth=1, linestyle=":")
    _curves(scores, curves, label)
    _curves(gained, gains, f"gain over {literal(name)}", list(_best_first(curves)))
    highest = max(high for curve in gains.values() for *_, high in curve.values())
    if highest > 0:  # far below is in the other picture
        gained.set_ylim(-1.2 * highest, 1.2 * highest)
    _legend(figure, scores)
    save(figure, path)


def _best_first(curves: Mapping[str, Mapping[int, Interval]]) -> list[str]:
    return sorted(curves, key=lambda method: -curves[method][max(curves[method])][0])


def _curves(
    axes: Any,
    curves: Mapping[str, Mapping[int, Interval]],
    quantity: str,
    order: Sequence[str] | None = None,
) -> None:
    """One curve for each method by the number of ratings, with its interval."""
    for place, method in enumerate(order or _best_first(curves)):
        color, line, marker = CURVES[place % len(CURVES)]
        face = color if place < len(CURVES) else "white"  # the second round is hollow
        points = curves[method]
        middle, lower, upper = np.transpose(list(points.values()))
        axes.fill_between(list(points), lower, upper, color=color, alpha=0.13, linewidth=0)
        axes.plot(list(points), middle, line, color=color, marker=marker, markersize=5,
                  markerfacecolor=face, label=literal(method))  # fmt: skip
    axes.set_xlim(left=0)
    axes.set_xticks([0, *sorted({count for curve in curves.values() for count in curve})])
    axes.set_xlabel("ratings", color=INK)
    axes.set_ylabel(quantity, color=INK)
    plain(axes)


def _legend(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, labelcolor=INK)


@drawn_alike
def number_of_vectors(
    counts: Sequence[int],
    curves: Mapping[str, Sequence[Interval]],
    path: str | os.PathLike[str],
    *,
    label: str = "mean SROCC over people",
) -> None:
    """Draw how well methods do with more and more task vectors (paper Figure 5).

    Args:
        counts: of task vectors.
        curves: by method, mean, low and high for each count.
        path: the PNG file to write or replace.
        label: of the vertical axis.

    Raises:
        SettingError: a curve of another length, nothing to draw, or a value that is not finite.
        OutputError: the file could not be written; it is as it was.
    """
    wrong = [name for name, points in curves.items() if len(points) != len(counts)]
    if wrong:
        raise SettingError(
            f"{wrong[0]} has another number of points than the {len(counts)} counts."
        )
    _check([point for points in curves.values() for point in points], "curves")
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    for (name, points), (color, line, marker) in zip(curves.items(), cycle(CURVES), strict=False):
        mean, low, high = np.transpose(points)
        axes.fill_between(counts, low, high, color=color, alpha=0.13, linewidth=0)
        axes.plot(counts, mean, line, color=color, marker=marker, label=literal(name))
    axes.set_xlabel("number of task vectors", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.set_xticks(counts)
    axes.legend(frameon=False, labelcolor=INK)
    plain(axes)
    save(figure, path)


@drawn_alike
def coefficients_against_srocc(
    names: Sequence[str],
    sroccs: Sequence[float],
    coefficients: Sequence[float],
    path: str | os.PathLike[str],
) -> None:
    """Draw the mean coefficient of each task against its zero-shot SROCC (paper Figure 6).

    Args:
        names: of the K tasks.
        sroccs: (K,) mean SROCC over people of each single task model.
        coefficients: (K,) mean over people and layers.
        path: the PNG file to write or replace.

    Raises:
        SettingError: other numbers of values, or one that is not finite.
        OutputError: the file could not be written; it is as it was.
    """
    if not len(names) == len(sroccs) == len(coefficients):
        raise SettingError(
            f"expected one SROCC and one coefficient for each of {len(names)} tasks; found "
            f"{len(sroccs)} and {len(coefficients)}."
        )
    _check(list(zip(sroccs, coefficients, strict=True)), "tasks")
    figure = new_figure(6, 4.4)
    axes = figure.add_subplot()
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.scatter(sroccs, coefficients, color=BLUE, zorder=3)
    for name, x, y in zip(names, sroccs, coefficients, strict=True):
        axes.annotate(
            literal(name), (x, y), xytext=(5, 4), textcoords="offset points", size=8.5, color=INK
        )
    axes.margins(x=0.16, y=0.12)
    axes.set_xlabel("zero-shot SROCC of the task's own model, mean over people", color=INK)
    axes.set_ylabel("coefficient, mean over people and layers", color=INK)
    plain(axes)
    save(figure, path)


@drawn_alike
def gain_per_person(
    gains: Sequence[float],
    path: str | os.PathLike[str],
    *,
    method: str = "personal",
    reference: str = "generic",
    label: str = "SROCC",
) -> None:
    """Draw what a method gains over a reference for each person, sorted (paper Figure 7).

    Args:
        gains: (n,) one a person.
        path: the PNG file to write or replace.
        method, reference: their names.
        label: what is gained.

    Raises:
        SettingError: nobody, or a value that is not finite.
        OutputError: the file could not be written; it is as it was.
    """
    _check([(gain,) for gain in gains], "people")
    ordered = np.sort(gains)[::-1]
    places = np.arange(1, len(ordered) + 1)
    better = int((ordered > 0).sum())
    figure = new_figure(7, 3.8)
    axes = figure.add_subplot()
    colors = np.where(ordered > 0, BLUE, ORANGE)
    axes.bar(places, ordered, width=1.0, color=colors, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8)
    mean = float(ordered.mean())
    axes.axhline(mean, color=FAINT, linestyle="--", linewidth=1)
    axes.set_xlim(0.3, len(ordered) + 0.7)
    axes.annotate(
        f"mean {mean:+.3f}", (1, mean), (-4, 4), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", size=9, color=INK, bbox=ON_BARS,
    )  # fmt: skip
    axes.set_title(
        f"{literal(method)} is better than {literal(reference)} for {better} of {len(ordered)} "
        f"people ({better / len(ordered):.0%})",
        size=11, color=INK,
    )  # fmt: skip
    axes.set_xlabel("people, by gain", color=INK)
    axes.set_ylabel(f"gain in {label}", color=INK)
    plain(axes, "y")
    save(figure, path)


def _check(points: Sequence[Sequence[float]], what: str) -> None:
    if not points or not np.isfinite(np.asarray(points, dtype=float)).all():
        raise SettingError(f"a picture needs {what} with finite values; found {len(points)}.")


def _best_last(panels: Mapping[str, Mapping[str, Interval]]) -> list[str]:
    """From the bottom up: by mean place among the methods of each panel, worst first."""
    places: dict[str, list[float]] = {}
    for panel in panels.values():
        ordered = sorted(panel, key=lambda name: panel[name][0])
        for place, name in enumerate(ordered):
            places.setdefault(name, []).append(place / max(1, len(ordered) - 1))
    return sorted(places, key=lambda name: (np.mean(places[name]), name))
