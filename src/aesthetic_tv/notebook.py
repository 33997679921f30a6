"""How objects show themselves in a notebook: HTML that needs nothing from elsewhere, no script and
no link, with everything from outside escaped.
"""

import base64
import io
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from aesthetic_tv.scorer.decoding import load_photo, photo_name
from aesthetic_tv.scorer.errors import PhotoError

SIDE = 96  # pixels of a thumbnail's longer side
SHOWN = 24  # photos of a contact sheet
LARGEST = 64 << 20  # bytes of a file that is opened for a thumbnail
BARS = 24
# Colours that can be read on a light page and on a dark one.
UP, DOWN, FAINT = "#3a86c8", "#c8643a", "#888"


def card(title: str, *parts: str) -> str:
    """A heading and what belongs to it.

    Args:
        title: text.
        parts: HTML; empty ones are left out.
    """
    body = "".join(f"<div style='margin:4px 0'>{part}</div>" for part in parts if part)
    return f"<div style='font-family:sans-serif'><b>{escape(title)}</b>{body}</div>"


def said(text: str) -> str:
    """Text as HTML."""
    return escape(text)


def bars(values: Mapping[str, float]) -> str:
    """A bar for each value, from a middle line to the right, or to the left below 0; the largest
    first, the others counted.
    """
    ordered = sorted(values.items(), key=lambda item: -abs(item[1]))
    most = max((abs(value) for value in values.values()), default=0.0) or 1.0
    rows = [_bar(name, value, abs(value) / most) for name, value in ordered[:BARS]]
    more = len(ordered) - len(rows)
    note = f"<tr><td colspan=3 style='color:{FAINT}'>and {more} more</td></tr>" if more else ""
    return f"<table style='font-size:12px;border-collapse:collapse'>{''.join(rows)}{note}</table>"


def _bar(name: str, value: float, share: float) -> str:
    left, colour = (50.0, UP) if value >= 0 else (50 - 50 * share, DOWN)
    strip = (
        "<div style='position:relative;width:160px;height:10px'>"
        f"<div style='position:absolute;left:{left:.1f}%;width:{50 * share:.1f}%;height:10px;"
        f"background:{colour}'></div>"
        f"<div style='position:absolute;left:50%;width:1px;height:10px;background:{FAINT}'></div>"
        "</div>"
    )
    return (
        f"<tr><td style='text-align:right;padding:1px 6px'>{escape(name)}</td><td>{strip}</td>"
        f"<td style='padding:1px 6px'>{value:+.2f}</td></tr>"
    )


def contact_sheet(photos: Sequence[Any], captions: Sequence[str], limit: int = SHOWN) -> str:
    """Thumbnails with captions, the first ones; a frame with the name where a photo is not at hand.

    Args:
        photos: paths, or images in memory.
        captions: one for each.
        limit: how many are shown.
    """
    cells = [
        _cell(photo, caption) for photo, caption in zip(photos[:limit], captions, strict=False)
    ]
    more = len(photos) - len(cells)
    note = f"<div style='color:{FAINT};font-size:12px'>and {more:,} more</div>" if more > 0 else ""
    return f"<div>{''.join(cells)}</div>{note}" if cells else ""


def _cell(photo: Any, caption: str) -> str:
    name, link = Path(photo_name(photo)).name, thumbnail(photo)
    box = f"width:{SIDE}px;height:{SIDE}px"
    picture = (
        f"<img src='{link}' alt='{escape(name)}' style='{box};object-fit:contain'>"
        if link
        else f"<div style='{box};overflow:hidden;border:1px solid {FAINT};font-size:10px'>"
        f"{escape(name)}</div>"
    )
    return (
        f"<div style='display:inline-block;margin:2px;width:{SIDE}px;vertical-align:top;"
        f"font-size:11px;text-align:center' title='{escape(name)}'>{picture}"
        f"{escape(caption)}</div>"
    )


def thumbnail(photo: Any) -> str | None:
    """A data URI of a small JPEG; `None` where the photo is not there or cannot be read."""
    if isinstance(photo, str | os.PathLike):
        try:
            if not 0 < Path(photo).stat().st_size <= LARGEST or not Path(photo).is_file():
                return None
        except (OSError, ValueError):
            return None
    try:
        image = load_photo(photo, short_side=SIDE)
    except PhotoError:
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    room = io.BytesIO()
    image.save(room, "JPEG", quality=70)
    return "data:image/jpeg;base64," + base64.b64encode(room.getvalue()).decode("ascii")
