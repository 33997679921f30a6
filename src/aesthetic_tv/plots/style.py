"""What all pictures have in common: colours, resolution, and how they are written."""

import os
from typing import Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aesthetic_tv.files import atomic_path

DPI = 100
INK, FAINT, GRID, RISEN, FALLEN = "#1a1a1a", "#6b6b6b", "#dddddd", "#1a7f37", "#b3261e"
BLUE, ORANGE = "#0072B2", "#D55E00"  # of Okabe & Ito's palette, told apart by all


def new_figure(width: float, height: float, *, constrained: bool = True) -> Figure:
    """An empty figure, in inches. On white, to be read on any page, light or dark."""
    layout: Literal["constrained"] | None = "constrained" if constrained else None
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a PNG atomically.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png", metadata={"Software": "aesthetic_tv"})
