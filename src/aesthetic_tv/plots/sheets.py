"""Photos in two orders, side by side."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import (
    DPI,
    FAINT,
    FALLEN,
    INK,
    RISEN,
    drawn_alike,
    literal,
    new_figure,
    save,
)
from aesthetic_tv.scorer.images import load_photo

CELL = (168, 128)  # pixels of a thumbnail's frame, width x height
CAPTION = 40  # pixels of the two lines below it
GAP = 12
TITLE = 74  # pixels above a panel
PANEL_GAP = 48
YOURS = ("Your taste", "Generic taste")


@dataclass(frozen=True)
class _Panel:
    """One order of the photos: title, photos best first, and two caption lines with colours."""

    title: str
    subtitle: str
    order: Sequence[int]
    captions: Sequence[tuple[str, str, str]]  # bold line, second line, its colour; by photo


@drawn_alike
def contact_sheet(
    photos: Sequence[str | os.PathLike[str]],
    personal: Sequence[float],
    generic: Sequence[float],
    path: str | os.PathLike[str],
    *,
    ratings: Mapping[str | os.PathLike[str], float] | None = None,
    columns: int | None = None,
    titles: tuple[str, str] = YOURS,
) -> None:
    """Draw photos from best to worst twice, side by side: in the personal and the generic order.

    Args:
        photos: n paths, 1 or more; made for 4 to 60.
        personal: (n,) personal scores.
        generic: (n,) generic scores.
        path: the PNG file to write or replace.
        ratings: the person's own ratings of some of the photos, shown below them.
        columns: of each panel; chosen by n when not given.
        titles: of the two orders, where they are not those of whoever looks at the sheet.

    Raises:
        SettingError: no photos, another number of scores, or scores that are not finite.
        PhotoError: a photo that cannot be read.
        OutputError: the file could not be written; it is as it was.
    """
    fits = 0 < len(photos) == len(personal) == len(generic)
    if not fits or not np.isfinite([*personal, *generic]).all():
        raise SettingError(
            f"a contact sheet needs photos and two finite scores for each; found {len(photos)} "
            f"photos, {len(personal)} personal and {len(generic)} generic scores."
        )
    if columns is not None and columns < 1:
        raise SettingError(f"columns is {columns}; expected 1 or more.")
    scores = np.array([personal, generic], dtype=np.float64)  # (2, n)
    columns = columns or _columns(len(photos))
    own = {Path(photo): rating for photo, rating in ({} if ratings is None else ratings).items()}
    panels = _panels(scores, [own.get(Path(photo)) for photo in photos], titles)
    figure = _draw([_thumbnail(photo) for photo in photos], panels, columns)
    save(figure, path)


def _columns(count: int) -> int:
    """So many that two panels together are about as wide as a screen."""
    return max(2, min(6, math.ceil(math.sqrt(count))))


def _panels(
    scores: np.ndarray, ratings: Sequence[float | None], titles: tuple[str, str] = YOURS
) -> list[_Panel]:
    here = "yours" if titles == YOURS else "left"
    # Stable sorting: equal scores stay in the order given.
    orders = [np.argsort(-row, kind="stable") for row in scores]
    ranks = [np.argsort(order) + 1 for order in orders]
    personal, generic = [], []
    for photo, (score, other) in enumerate(scores.T):
        mine, theirs = int(ranks[0][photo]), int(ranks[1][photo])
        rated = "" if ratings[photo] is None else f"   rated {ratings[photo]:g}"
        change, color = _change(mine, theirs)
        personal.append((f"{mine}.  {score:.2f}{rated}", change, color))
        generic.append((f"{theirs}.  {other:.2f}", f"{here}: {_ordinal(mine)}", FAINT))
    best = "best first, by rows; "
    return [
        _Panel(
            literal(titles[0]), best + "the arrow: places up or down", orders[0].tolist(), personal
        ),
        _Panel(literal(titles[1]), best + "the same photos", orders[1].tolist(), generic),
    ]


def _change(mine: int, theirs: int) -> tuple[str, str]:
    if mine < theirs:
        return f"▲ {theirs - mine}  (was {_ordinal(theirs)})", RISEN
    if mine > theirs:
        return f"▼ {mine - theirs}  (was {_ordinal(theirs)})", FALLEN
    return f"= {_ordinal(theirs)} too", FAINT


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _thumbnail(photo: str | os.PathLike[str]) -> Image.Image:
    image = load_photo(photo, short_side=max(CELL))
    image.thumbnail(CELL, Image.Resampling.LANCZOS)
    return image


def _draw(thumbnails: list[Image.Image], panels: list[_Panel], columns: int) -> Figure:
    cell_width, cell_height = CELL[0] + GAP, CELL[1] + CAPTION + GAP
    rows = math.ceil(len(thumbnails) / columns)
    panel_width = columns * cell_width - GAP
    width = len(panels) * panel_width + (len(panels) - 1) * PANEL_GAP + 2 * GAP
    height = TITLE + rows * cell_height + GAP
    figure = new_figure(width / DPI, height / DPI, constrained=False)

    def write(x: float, top: float, text: str, **style) -> None:
        figure.text(x / width, 1 - top / height, text, va="top", ha="left", **style)

    for number, panel in enumerate(panels):
        left = GAP + number * (panel_width + PANEL_GAP)
        write(left, 14, panel.title, size=18, weight="bold", color=INK)
        write(left, 46, panel.subtitle, size=10, color=FAINT)
        for place, photo in enumerate(panel.order):
            x = left + place % columns * cell_width
            y = TITLE + place // columns * cell_height
            image = thumbnails[photo]
            # Standing on the caption, so that each line belongs to the photo right above it.
            bottom = height - (y + CELL[1])
            figure.figimage(np.asarray(image), xo=x, yo=bottom, origin="upper")
            title, line, color = panel.captions[photo]
            write(x, y + CELL[1] + 5, title, size=9.5, weight="bold", color=INK)
            write(x, y + CELL[1] + 21, line, size=8.5, color=color)
    return figure
