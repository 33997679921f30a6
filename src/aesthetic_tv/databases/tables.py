"""Label tables of any format as data frames, before any value is judged."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from aesthetic_tv import table_file
from aesthetic_tv.errors import DatabaseError, TableError
from aesthetic_tv.table_file import FORMATS as FORMATS
from aesthetic_tv.table_file import report, text_of

SHOWN = 6  # names of a column in a message
PLACES = "places"  # where each row stands in the file, in a frame's `attrs`
PLACE = "place"  # the column of these beside the scores, for what is said of a row


def read_table(
    path: Path, *, separator: str | None = None, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table; a missing value is an empty text, and column names are stripped of spaces.

    Args:
        path: of one of `FORMATS`.
        separator: of a text table; told from its first line when not given. " " is any run of
            blanks.
        names: of the columns of a text table without a header.

    Raises:
        DatabaseError: another format, damaged, or with rows of another shape, which it names.
    """
    try:
        table = table_file.read_table(path, separator=separator, names=names)
    except TableError as error:
        raise DatabaseError(str(error)) from None
    if table.problems:
        problems = [f"{table.where(number)}: {reason}" for number, reason in table.problems]
        raise DatabaseError(report(path, problems))
    columns = [name or f"column {place}" for place, name in enumerate(table.columns, 1)]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DatabaseError(f"{path} has two columns called {twice[0]!r}; rename one.")
    frame = pd.DataFrame({name: _column(table, place) for place, name in enumerate(columns)})
    frame.attrs[PLACES] = [table.where(number) for number in table.numbers]
    return frame


def _column(table: table_file.Table, place: int) -> pd.Series:
    """A column's values; of a column of numbers with decimal commas, with points."""
    values = ["" if row[place] is None else row[place] for row in table.rows]
    if any(isinstance(value, str) and "," in value for value in values):
        points = [table.decimal_point(value) for value in values]
        # One name or list of votes with a comma, and none of them are numbers.
        if not any(isinstance(value, str) and "," in value for value in points):
            values = points
    return pd.Series(values, dtype=object)


def column(frame: pd.DataFrame, names: Sequence[str], path: Path) -> str:
    """The first of `names` that the table has, in any case.

    Raises:
        DatabaseError: it has none of them.
    """
    found = find_column(frame, names)
    if found is None:
        shown = " or ".join(map(repr, names[:SHOWN])) + (" and such" if names[SHOWN:] else "")
        raise DatabaseError(
            f"{path} has the columns {', '.join(map(repr, frame.columns))}; expected one called "
            f"{shown}."
        )
    return found


def find_column(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The first of `names` that the table has, in any case, with blanks and signs or without;
    `None` where it has none.
    """
    columns = list(map(str, frame.columns))
    place = table_file.find_column(columns, names)
    return None if place is None else columns[place]


def texts(values: pd.Series) -> pd.Series:
    """Values as text: whole numbers without a point, missing ones as empty."""
    return values.astype(object).where(values.notna(), None).map(text_of)
