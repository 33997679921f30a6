"""What all pictures have in common: colours, resolution, and how they are written."""

import functools
import os
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aesthetic_tv.files import atomic_path

DPI = 100
INK, FAINT, GRID, RISEN, FALLEN = "#1a1a1a", "#6b6b6b", "#dddddd", "#1a7f37", "#b3261e"
# Of Okabe & Ito's palette, told apart by all; never by colour alone.
BLUE, ORANGE, GREEN, PINK, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
CURVES = (
    (BLUE, "-", "o"),
    (ORANGE, "--", "s"),
    (GREEN, "-.", "^"),
    (PINK, ":", "D"),
    (SKY, "-", "v"),
    (INK, "--", "x"),
)  # colour, line, marker of the first, second, ... curve
# Behind a label that may stand on bars or lines.
ON_BARS = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
LONGEST = 28  # characters of a name


# Settings of matplotlib that concern the machine or the session, and not what a picture looks like.
THEIRS = ("backend", "interactive", "toolbar", "timezone", "datapath", "webagg.", "tk.", "macosx.",
          "docstring.", "figure.hooks", "keymap.", "animation.")  # fmt: skip

Draws = TypeVar("Draws", bound=Callable[..., None])


def drawn_alike(draw: Draws) -> Draws:
    """Draw the same picture whatever style a notebook or a person's matplotlibrc has set: LaTeX
    that is not installed, numbers of a locale, a dark background.
    """

    @functools.wraps(draw)
    def plainly(*args: Any, **kwargs: Any) -> None:
        default, now = matplotlib.rcParamsDefault, matplotlib.rcParams
        set_here = {
            name: value
            for name, value in default.items()
            if not name.startswith(THEIRS) and now[name] != value
        }
        if not set_here:  # nothing global is touched, not even for a moment
            draw(*args, **kwargs)
            return
        with matplotlib.rc_context(set_here):
            draw(*args, **kwargs)

    return plainly  # type: ignore[return-value]


def new_figure(width: float, height: float, *, constrained: bool = True) -> Figure:
    """An empty figure, in inches. On white, to be read on any page, light or dark."""
    layout: Literal["constrained"] | None = "constrained" if constrained else None
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def plain(axes: Any, grid: Literal["x", "y", "both"] = "both") -> None:
    """A faint grid, no frame, dark numbers."""
    axes.grid(color=GRID, linewidth=0.6, axis=grid)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)
    axes.spines[["top", "right"]].set_visible(False)


def shortened(name: str) -> str:
    """A name that fits: the middle of a long one is left out."""
    half = LONGEST // 2
    return literal(name if len(name) <= LONGEST else f"{name[: half - 1]}…{name[-half:]}")


def literal(name: str) -> str:
    """A name as it is: it comes from outside, and matplotlib must not read formulas in it."""
    return name.replace("$", r"\$")


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a PNG atomically.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png", metadata={"Software": "aesthetic_tv"})
