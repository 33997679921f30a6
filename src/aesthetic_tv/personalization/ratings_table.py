"""The lines of a ratings file in each of its formats, before any of them is judged."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aesthetic_tv.errors import RatingsFileError

PHOTO_COLUMNS = ("photo", "image", "file", "filename", "path")
RATING_COLUMNS = ("rating", "score", "stars")
FORMATS = (".csv", ".tsv", ".json", ".parquet")
DELIMITERS = ",;\t"
DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d+)", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """One line of a ratings file, before anything is checked but its shape.

    Attributes:
        where: how a person finds it again: "line 4" (csv, tsv) or "entry 4" (json, parquet).
        photo: what stands in the photo column.
        rating: what stands in the rating column; `None` where the line ends before it.
        problem: why the line cannot be used at all, empty where it can.
    """

    where: str
    photo: Any
    rating: Any
    problem: str = ""


def read_entries(path: Path) -> Iterator[Entry]:
    """The lines of a ratings file, whatever its format; blank ones are left out.

    Raises:
        RatingsFileError: not there, of another format, damaged, or without the two columns.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise RatingsFileError(f"{path}: expected a file ending in {', '.join(FORMATS)}.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RatingsFileError(f"{path}: there is no such ratings file.") from None
    except OSError as error:
        raise RatingsFileError(f"{path} cannot be read ({error.strerror}).") from error
    if suffix == ".parquet":
        return _parquet_entries(path, content)
    text = _decoded(path, content)
    return _json_entries(path, text) if suffix == ".json" else _csv_entries(path, text)


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"  # a spreadsheet's "Unicode text"
    else:
        encoding = "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RatingsFileError(
            f"{path}: line {line} is not text in UTF-8; save the file anew as `CSV UTF-8`."
        ) from None


def _csv_entries(path: Path, text: str) -> Iterator[Entry]:
    delimiter, photo_column, rating_column = _header(path, text)
    rows = _csv_rows(text, delimiter)
    try:
        _, header = next(rows)
        for line, row in rows:
            where = f"line {line}"
            if len(row) > len(header) and any(row[len(header) :]):
                yield Entry(where, None, None, _too_many(row, header, delimiter))
                continue
            cells = [*row, *[""] * (len(header) - len(row))]
            photo, rating = cells[photo_column], cells[rating_column]
            if delimiter != "," and DECIMAL_COMMA.fullmatch(rating):
                rating = rating.replace(",", ".")
            yield Entry(where, photo, rating)
    except csv.Error as error:
        raise RatingsFileError(f"{path} is not a table that can be read ({error}).") from error


def _too_many(row: list[str], header: list[str], delimiter: str) -> str:
    sign = {",": "comma", ";": "semicolon", "\t": "tab"}[delimiter]
    return (
        f"{len(row)} values where the header has {len(header)}; put a name that holds a {sign} in "
        'double quotes ("a, b.jpg")' + (", and write 3.5 for 3,5." if delimiter == "," else ".")
    )


def _csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, stripped of spaces, with the line each starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    line = 1
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield line, cells
        line = reader.line_num + 1


def _header(path: Path, text: str) -> tuple[str, int, int]:
    """The delimiter that makes sense of the first line, and the two columns."""
    headers = {}
    for delimiter in DELIMITERS:
        try:
            headers[delimiter] = next(_csv_rows(text, delimiter), (1, []))[1]
        except csv.Error as error:
            raise RatingsFileError(f"{path} is not a table that can be read ({error}).") from error
    for delimiter, header in headers.items():
        photo, rating = _column(header, PHOTO_COLUMNS), _column(header, RATING_COLUMNS)
        if photo is not None and rating is not None:
            return delimiter, photo, rating
    raise RatingsFileError(_no_columns(path, max(headers.values(), key=len), "line 1"))


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    lowered = [str(name).strip().lower() for name in header]
    return next((lowered.index(name) for name in names if name in lowered), None)


def _no_columns(path: Path, header: Sequence[str], where: str) -> str:
    found = ", ".join(repr(str(name)) for name in header) or "nothing"
    wanted = []
    if _column(header, PHOTO_COLUMNS) is None:
        wanted.append(f"one of the photos ({', '.join(PHOTO_COLUMNS)})")
    if _column(header, RATING_COLUMNS) is None:
        wanted.append(f"one of the ratings ({', '.join(RATING_COLUMNS)})")
    return (
        f"{path}: {where} names the columns {found}; missing is {' and '.join(wanted)}. "
        "Write `photo,rating` as the first line."
    )


def _json_entries(path: Path, text: str) -> Iterator[Entry]:
    try:
        # Pairs, since a dict would keep only the last of two ratings of one photo.
        content = json.loads(text, object_pairs_hook=_Pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        raise RatingsFileError(f"{path} is not valid JSON ({error}).") from None
    if isinstance(content, _Pairs):
        for number, (photo, rating) in enumerate(content, 1):
            yield Entry(f"entry {number}", photo, rating)
    elif isinstance(content, list):
        yield from _row_entries(path, content)
    else:
        raise RatingsFileError(
            f'{path}: expected {{"cat.jpg": 5, ...}} or [{{"photo": "cat.jpg", "rating": 5}}, ...].'
        )


class _Pairs(list):
    """A JSON object as its (key, value) pairs."""


def _row_entries(path: Path, rows: list[Any]) -> Iterator[Entry]:
    for number, row in enumerate(rows, 1):
        where = f"entry {number}"
        if not isinstance(row, _Pairs):
            problem = 'expected a row such as {"photo": "cat.jpg", "rating": 5}.'
            yield Entry(where, None, None, problem)
            continue
        header = [key for key, _ in row]
        photo, rating = _column(header, PHOTO_COLUMNS), _column(header, RATING_COLUMNS)
        if photo is None or rating is None:
            raise RatingsFileError(_no_columns(path, header, where))
        yield Entry(where, row[photo][1], row[rating][1])


def _parquet_entries(path: Path, content: bytes) -> Iterator[Entry]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise RatingsFileError(
            f"{path}: reading .parquet needs pyarrow; `pip install pyarrow`, or save it as .csv."
        ) from None
    try:
        table = parquet.read_table(io.BytesIO(content))
    except (pyarrow.ArrowException, OSError) as error:
        raise RatingsFileError(f"{path} is not a whole parquet file ({error}).") from error
    header = table.column_names
    photo, rating = _column(header, PHOTO_COLUMNS), _column(header, RATING_COLUMNS)
    if photo is None or rating is None:
        raise RatingsFileError(_no_columns(path, header, "the table"))
    columns = (table.column(photo).to_pylist(), table.column(rating).to_pylist())
    for number, (name, value) in enumerate(zip(*columns, strict=True), 1):
        yield Entry(f"entry {number}", name, value)
