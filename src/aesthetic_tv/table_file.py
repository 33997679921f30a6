"""Tables that people and programs write, of any usual format, as rows with their line numbers.

Nothing is judged here but the shape: ratings and databases read what they need of the rows.
"""

import codecs
import csv
import io
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aesthetic_tv.errors import TableError

TEXT = (".csv", ".tsv", ".txt")
FORMATS = (*TEXT, ".xlsx", ".parquet", ".jsonl", ".json")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "=": "equals sign", "|": "bar"}
BLANKS = " "  # any run of them; a separator of .txt alone
SHOWN = 10  # problems named one by one

# What people and programs call the columns, in any spelling that `folded` makes one of; where a
# table has several, the first counts.
SOURCE_FILE = "SourceFile"  # the first column of exiftool's tables
PHOTO_COLUMNS = (
    *("photo", "image", SOURCE_FILE, "file", "filename", "image_name", "image_id", "path"),
    *("file_path", "image_path", "photo_name", "photo_path", "photo_file", "image_file"),
    *("image_filename", "photo_filename", "full_path", "picture", "img", "img_name", "name"),
)
SCORE_COLUMNS = (
    *("score", "rating", "mos", "mean_score", "mean", "stars", "aesthetic_score", "aesthetic"),
    *("mean_rating", "average_rating", "avg_rating", "average_score", "avg_score"),
    *("star_rating", "user_rating", "my_rating", "xmp:Rating", "xmp-xmp:Rating"),
)
RATING_COLUMNS = ("rating", *(name for name in SCORE_COLUMNS if name != "rating"))

_SEP = re.compile(r'\s*"?sep=(.)"?[\s,;]*(?:\r\n|\r|\n)', re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"\s*([+-]?\d+),(\d+)\s*", re.ASCII)
_END = "\x1a"  # as DOS ended its texts
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Table:
    """The rows of a table, before any value is judged.

    Attributes:
        path: of the file.
        columns: their names, stripped; empty where a column has none.
        rows: values by column, all of one length; text is stripped, what is missing is `None` or
            empty. Blank rows are left out.
        numbers: where each row starts, counted from 1.
        unit: what is counted: "line" of a text, "row" of a sheet, "entry" of others.
        problems: (number, reason) of rows that have no such shape.
        header: where the names of the columns stand.
        thousands: whether `1,234` may be a thousand, since commas separate the values.
        guessed: the encoding that a text which is not Unicode was taken for, empty else.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[list[Any]] = field(repr=False)
    numbers: list[int] = field(repr=False)
    unit: str = "line"
    problems: tuple[tuple[int, str], ...] = ()
    header: str = "line 1"
    thousands: bool = True
    guessed: str = ""

    def find(self, names: Sequence[str]) -> int | None:
        """Place of the first of some columns that there is: spelled so, or else as `folded`.

        Raises:
            TableError: there are two of this name.
        """
        place = find_column(self.columns, names)
        if place is not None and self.columns.count(self.columns[place]) > 1:
            raise TableError(
                f"{self.path} has two columns called {self.columns[place]!r}; rename one."
            )
        return place

    def where(self, number: int) -> str:
        """`line 4` and such."""
        return f"{self.unit} {number}"

    def decimal_point(self, value: Any) -> Any:
        """`3,5` as `3.5`; `1,234` stays where it may be a thousand, as do all other values."""
        match = _DECIMAL_COMMA.fullmatch(value) if isinstance(value, str) else None
        if match is None or (self.thousands and len(match[2]) == 3):
            return value
        return f"{match[1]}.{match[2]}"


def read_table(
    path: Path, *, separator: str | None = None, names: Sequence[str] | None = None
) -> Table:
    """Read a table of any of `FORMATS`, as spreadsheets, exiftool or people write them.

    Text may be in UTF-8, UTF-16 or else Windows-1252, and begin with Excel's line `sep=;`.

    Args:
        path: of the file.
        separator: of a text; `BLANKS` is any run of blanks. Told from the first line when not
            given: the sign with which photos and scores have a column, or else the most columns.
        names: of the columns of a text without a header.

    Raises:
        TableError: not there, of another format, damaged, or without a header.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise TableError(f"{path}: expected a table ending in {', '.join(FORMATS)}.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror}).") from None
    if content.startswith(_OLD_EXCEL):
        raise TableError(f"{path} is in Excel's old format; save it as .xlsx or `CSV UTF-8`.")
    if suffix == ".xlsx" or content.startswith(_ZIP):  # Excel's, by whatever name
        return _sheet(path, content)
    if suffix == ".parquet":
        return _parquet(path, content)
    text, guessed = _decoded(path, content)
    if suffix in (".json", ".jsonl"):
        return _json(path, text, lines=suffix == ".jsonl")
    return _text(path, text, guessed, separator, names)


def folded(name: str) -> str:
    """A column's name without capitals, blanks and signs: `File Name` is `filename`."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def find_column(columns: Sequence[str], names: Sequence[str]) -> int | None:
    """Place of the first of `names` among the columns: spelled so, or else as `folded` spells it;
    `None` where there is none of them.
    """
    for spelled in (str, folded):
        there = [spelled(column) for column in columns]
        for name in names:
            if spelled(name) in there:
                return there.index(spelled(name))
    return None


def some_of(names: Sequence[str]) -> str:
    """The first names of columns, for a message."""
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def text_of(value: Any) -> str:
    """A value as text: whole numbers without a point, a missing one as empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def unrated(value: Any, photo_column: str) -> bool:
    """Whether a table gives no rating: it is missing, or `-`, which `exiftool -f` writes; or 0 in
    exiftool's tables, where the XMP specification has it so.

    Args:
        value: in the column of ratings.
        photo_column: name of the column of photos, by which exiftool's tables are told.
    """
    text = value if isinstance(value, str) else None
    if value is None or text in ("", "-"):
        return True
    return folded(photo_column) == folded(SOURCE_FILE) and text_of(value) == "0"


def report(path: Path, problems: Sequence[str]) -> str:
    """Lines that cannot be used: the first ten one by one, then a count."""
    count = "1 line" if len(problems) == 1 else f"{len(problems)} lines"
    lines = [f"{path}: {count} cannot be used:", *(f"  {problem}" for problem in problems[:SHOWN])]
    if len(problems) > SHOWN:
        lines.append(f"  and {len(problems) - SHOWN} more.")
    return "\n".join(lines)


# Text


def _decoded(path: Path, content: bytes) -> tuple[str, str]:
    """The text, and the encoding where it had to be guessed."""
    encoding = _encoding(content)
    guessed = ""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise TableError(
                f"{path} is not a whole text in {encoding} ({error.reason})."
            ) from None
        # The spreadsheets of Windows, where nobody chose UTF-8; Latin-1 is the same but for signs.
        guessed = "Windows-1252"
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TableError(f"{path}: line {line} is not text; save the table anew as `CSV UTF-8`.")
    return text, guessed


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"  # a spreadsheet's "Unicode text"
    start = content[:1000]  # of UTF-16 without its mark, every other byte is mostly zero
    if start[1::2].count(0) > len(start) // 4:
        return "utf-16-le"
    return "utf-16-be" if start[::2].count(0) > len(start) // 4 else "utf-8-sig"


def _text(
    path: Path, text: str, guessed: str, separator: str | None, names: Sequence[str] | None
) -> Table:
    before = 0
    if (told := _SEP.match(text)) is not None:  # Excel's own way to tell
        separator, before = separator or told[1], text.count("\n", 0, told.end()) or 1
        text = text[told.end() :]
    separator = separator or _separator(path, text)
    rows, numbers, problems = list[list[Any]](), list[int](), list[tuple[int, str]]()
    columns, header = tuple(names or ()), ""
    try:
        for line, row in _rows(text, separator):
            number = line + before
            if not columns:
                columns, header = tuple(row), f"line {number}"
            elif row[-1].endswith(_END):
                problems.append((number, _unclosed(row[-1])))
            elif len(row) > len(columns) and any(row[len(columns) :]):
                problems.append((number, _too_many(row, columns, separator)))
            else:
                rows.append([*row[: len(columns)], *[""] * (len(columns) - len(row))])
                numbers.append(number)
    except csv.Error as error:
        raise TableError(f"{path} is not a table that can be read ({error}).") from None
    if not columns:
        raise TableError(f"{path} is empty; write `photo,rating` as its first line.")
    return Table(
        *(path, columns, rows, numbers, "line", tuple(problems), header),
        thousands=separator == ",",
        guessed=guessed,
    )


def _separator(path: Path, text: str) -> str:
    start = text.lstrip()[:50_000]
    best, most = ",", (False, 1)
    for separator in (*SEPARATORS, BLANKS):
        if separator == BLANKS and (path.suffix.lower() != ".txt" or most > (False, 1)):
            continue
        try:
            header = next(_rows(start, separator), (1, []))[1]
        except csv.Error:
            continue
        known = (find_column(header, names) for names in (PHOTO_COLUMNS, SCORE_COLUMNS))
        if (found := (None not in known, len(header))) > most:
            best, most = separator, found
    return best


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, stripped of spaces, with the line each starts on; the last ends
    with `_END` where a quotation mark is left open.
    """
    stripped = _Stripped()
    if separator == BLANKS:
        lines = enumerate(io.StringIO(text, newline=None), 1)
        yield from ((line, row) for line, found in lines if (row := found.split()))
        return
    ended = io.StringIO(f"{text}\n{_END}", newline="")
    reader = csv.reader(ended, delimiter=separator, skipinitialspace=True)
    line = 1
    for row in reader:
        cells = [stripped[cell] for cell in row]
        if cells != [_END] and any(cells):
            yield line, cells
        line = reader.line_num + 1


class _Stripped(dict[str, str]):
    """Text by itself without the blanks around it, each kept once: many rows say the same."""

    def __missing__(self, cell: str) -> str:
        self[cell] = found = cell.strip()
        return found


def _too_many(row: Sequence[str], columns: Sequence[str], separator: str) -> str:
    return (
        f"{len(row)} values where the header has {len(columns)}; put a name that holds a "
        f'{SEPARATORS.get(separator, repr(separator))} in double quotes ("a, b.jpg")'
        + (", and write 3.5 for 3,5." if separator == "," else ".")
    )


def _unclosed(cell: str) -> str:
    start = cell.removesuffix(_END).split("\n", 1)[0].strip()
    return f"the quotation mark that opens before {start!r} is never closed; close it."


# Sheets, records and columns


def _sheet(path: Path, content: bytes) -> Table:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise TableError(
            f"{path}: reading .xlsx needs openpyxl; `pip install openpyxl`, or save the sheet as "
            "`CSV UTF-8`."
        ) from None
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        for sheet in book.worksheets:  # the first that is not empty
            sheet.reset_dimensions()  # some programs write wrong ones
            all_rows = enumerate(sheet.iter_rows(values_only=True), 1)
            found = [(number, list(map(_cell, row))) for number, row in all_rows if _some(row)]
            if found:
                break
        else:
            raise TableError(f"{path} is empty; write `photo,rating` into its first row.")
    except TableError:
        raise
    except Exception as error:  # a damaged .xlsx raises whatever its zip or XML does
        raise TableError(f"{path} is not a whole .xlsx table ({error!r}).") from None
    number, names = found[0]
    while names and names[-1] is None:
        names.pop()
    rows, numbers, problems = list[list[Any]](), list[int](), list[tuple[int, str]]()
    for place, row in found[1:]:
        if _some(row[len(names) :]):
            problems.append((place, f"{len(row)} values where the header has {len(names)}."))
            continue
        rows.append([*row[: len(names)], *[None] * (len(names) - len(row))])
        numbers.append(place)
    columns = tuple(map(text_of, names))
    return Table(path, columns, rows, numbers, "row", tuple(problems), f"row {number}")


def _some(row: Sequence[Any]) -> bool:
    return any(text_of(cell) for cell in row)


def _cell(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _parquet(path: Path, content: bytes) -> Table:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(content))
    except (pyarrow.ArrowException, OSError) as error:
        raise TableError(f"{path} is not a whole parquet file ({error}).") from None
    columns = [column.to_pylist() for column in table.columns]
    rows = list(map(list, zip(*columns, strict=True)))
    names = tuple(name.strip() for name in table.column_names)
    return Table(path, names, rows, list(range(1, len(rows) + 1)), "entry", header="the table")


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its (key, value) pairs, since a dict would keep the last of two ratings."""


_ROW = '{"photo": "cat.jpg", "rating": 5}'


def _json(path: Path, text: str, *, lines: bool) -> Table:
    found, unit = list[tuple[int, Any]](), "line" if lines else "entry"
    try:
        if lines:
            for number, line in enumerate(text.split("\n"), 1):
                if line.strip():
                    found.append((number, _parsed(line)))
        else:
            content = _parsed(text)
            if isinstance(content, _Pairs) and not any(isinstance(v, list) for _, v in content):
                rows = [[photo.strip(), _cell(score)] for photo, score in content]
                numbers = list(range(1, len(rows) + 1))
                return Table(path, ("photo", "score"), rows, numbers, unit, header="the table")
            if isinstance(content, _Pairs) or not isinstance(content, list):
                raise TableError(f'{path}: expected {{"cat.jpg": 5, ...}} or [{_ROW}, ...].')
            found = list(enumerate(content, 1))
    except (json.JSONDecodeError, RecursionError) as error:
        place = f"line {number}" if lines else "it"
        raise TableError(f"{path}: {place} is not valid JSON ({error}).") from None
    entries = [(number, dict(row)) for number, row in found if isinstance(row, _Pairs)]
    problems = [
        (number, f"expected a row such as {_ROW}.")
        for number, row in found
        if not isinstance(row, _Pairs)
    ]
    names = list(dict.fromkeys(name for _, row in entries for name in row))
    rows = [[_cell(row.get(name)) for name in names] for _, row in entries]
    header = f"{unit} {entries[0][0]}" if entries else "the table"
    numbers = [number for number, _ in entries]
    columns = tuple(name.strip() for name in names)
    return Table(path, columns, rows, numbers, unit, tuple(problems), header)


_parsed: Callable[[str], Any] = json.JSONDecoder(object_pairs_hook=_Pairs).decode
