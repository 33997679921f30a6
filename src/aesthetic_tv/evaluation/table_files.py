"""Each table of a report as csv, to calculate with, and as LaTeX, to put into a paper."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from aesthetic_tv.files import atomic_path, write_csv

INTERVAL = re.compile(r"([+-]?[\d.]+%?) to ([+-]?[\d.]+%?)")
SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


class Shown(Protocol):
    """A table as it is shown: `report.Table`."""

    @property
    def columns(self) -> Sequence[str]:
        """Heads."""

    @property
    def rows(self) -> Sequence[Sequence[str]]:
        """Cells."""


class Part(Protocol):
    """What stands below a heading: `report.Section`."""

    @property
    def title(self) -> str:
        """The heading."""

    @property
    def tables(self) -> Sequence[Shown]:
        """In order."""


def write_tables(sections: Sequence[Part], folder: Path) -> list[Path]:
    """Write every table twice, named by its section and place in it.

    Args:
        sections: of a report.
        folder: to write to.

    Returns:
        The csv files, in order.

    Raises:
        OutputError: a file could not be written.
    """
    written = []
    for section in sections:
        for number, table in enumerate(section.tables, 1):
            words = "-".join(re.findall(r"[a-z0-9]+", section.title.lower()))
            stem = folder / f"{words}-{number}"
            write_csv(stem.with_name(f"{stem.name}.csv"), csv_rows(table))
            with atomic_path(stem.with_name(f"{stem.name}.tex")) as temporary:
                temporary.write_text(latex(table), "utf-8", "backslashreplace")
            written.append(stem.with_name(f"{stem.name}.csv"))
    return written


def csv_rows(table: Shown) -> Iterator[list[str]]:
    """Heads and cells, with an interval as two columns: its low and its high end."""
    spread = [_is_interval(table, place) for place in range(len(table.columns))]
    yield [
        part
        for name, interval in zip(table.columns, spread, strict=True)
        for part in ((f"{name}, low", f"{name}, high") if interval else (name,))
    ]
    for row in table.rows:
        cells = list[str]()
        for cell, interval in zip(row, spread, strict=True):
            found = INTERVAL.fullmatch(cell)
            cells += [cell] if not interval else list(found.groups()) if found else ["", ""]
        yield cells


def _is_interval(table: Shown, place: int) -> bool:
    return any(INTERVAL.fullmatch(row[place]) for row in table.rows)


def latex(table: Shown) -> str:
    """A `tabular` with the rules of booktabs; the first column is text, the others are numbers."""
    kinds = (
        "l" * len(table.columns)
        if len(table.columns) == 2
        else "l" + "r" * (len(table.columns) - 1)
    )
    lines = [
        f"\\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        _line(table.columns),
        r"\midrule",
        *map(_line, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(text: str) -> str:
    """Text as it is: names come from outside."""
    plain = "".join(SIGNS.get(sign, sign) for sign in " ".join(text.split()))
    return re.sub(r"(?<![\w.])-(?=[\d.])", "$-$", plain)  # a minus, where LaTeX has a hyphen
