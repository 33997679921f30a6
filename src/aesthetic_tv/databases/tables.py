"""Label tables of any format as data frames of text, before any value is judged."""

import codecs
import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from aesthetic_tv.errors import DatabaseError

TEXT = (".csv", ".tsv", ".txt")
FORMATS = (*TEXT, ".xlsx", ".parquet", ".jsonl", ".json")
SEPARATORS = ",;\t="
_DECIMAL_COMMA = re.compile(r"^\s*([+-]?\d+),(\d+)\s*$")


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
        DatabaseError: another format, damaged, or not UTF-8 (UTF-16 with its mark is read too).
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".xlsx":
            frame = pd.read_excel(path, dtype=object)
        elif suffix == ".parquet":
            frame = pd.read_parquet(path)
        elif suffix in (".json", ".jsonl"):
            frame = _json_table(path, lines=suffix == ".jsonl")
        elif suffix in TEXT:
            frame = _text_table(path, separator, names)
        else:
            raise DatabaseError(f"{path}: expected a table ending in {', '.join(FORMATS)}.")
    except ImportError as error:
        raise DatabaseError(
            f"{path}: {error} Install it with `pip install aesthetic-tv[databases]`."
        ) from None
    except DatabaseError:
        raise
    except (ValueError, KeyError, OSError, csv.Error, ArithmeticError) as error:
        reason = str(error).strip().splitlines()[0] if str(error) else repr(error)
        raise DatabaseError(f"{path} is not a whole {suffix} table ({reason}).") from None
    except Exception as error:  # a damaged .xlsx raises whatever its zip or XML does
        raise DatabaseError(f"{path} cannot be read ({error!r}).") from None
    frame.columns = [str(name).strip() for name in frame.columns]
    twice = sorted({name for name in frame.columns if list(frame.columns).count(name) > 1})
    if twice:
        raise DatabaseError(f"{path} has two columns called {twice[0]!r}; rename one.")
    return frame


def column(frame: pd.DataFrame, names: Sequence[str], path: Path) -> str:
    """The first of `names` that the table has, in any case.

    Raises:
        DatabaseError: it has none of them.
    """
    found = find_column(frame, names)
    if found is None:
        raise DatabaseError(
            f"{path} has the columns {', '.join(map(repr, frame.columns))}; expected one called "
            f"{' or '.join(map(repr, names))}."
        )
    return found


def find_column(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The first of `names` that the table has, in any case; `None` where it has none."""
    lowered = {str(name).lower(): name for name in reversed(frame.columns)}
    return next((lowered[name.lower()] for name in names if name.lower() in lowered), None)


def texts(values: pd.Series) -> pd.Series:
    """Values as text: whole numbers without a point, missing ones as empty."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype(object).where(values.notna(), "").map(str).str.strip()


def _text_table(path: Path, separator: str | None, names: Sequence[str] | None) -> pd.DataFrame:
    text = _decoded(path)
    if not text.strip():
        raise DatabaseError(f"{path} is empty.")
    separator = separator or _separator(text, path)
    frame = pd.read_csv(
        io.StringIO(text),
        sep=r"\s+" if separator == " " else separator,
        names=None if names is None else list(names),
        header="infer" if names is None else None,
        index_col=False,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
        skip_blank_lines=True,
    )
    if separator != ",":
        frame = frame.replace(_DECIMAL_COMMA, r"\1.\2", regex=True)
    return frame


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatabaseError(
            f"{path}: line {line} is not text in UTF-8; save the file anew in UTF-8."
        ) from None


def _separator(text: str, path: Path) -> str:
    first = next(line for line in text.splitlines() if line.strip())
    if path.suffix.lower() == ".tsv":
        return "\t"
    counts = {sign: first.count(sign) for sign in SEPARATORS}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else (" " if path.suffix.lower() == ".txt" else ",")


def _json_table(path: Path, *, lines: bool) -> pd.DataFrame:
    text = _decoded(path)
    if lines:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    else:
        rows = json.loads(text)
    if (
        isinstance(rows, dict)
        and rows
        and not any(isinstance(v, dict | list) for v in rows.values())
    ):
        rows = [{"photo": photo, "score": score} for photo, score in rows.items()]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DatabaseError(
            f'{path}: expected [{{"photo": "cat.jpg", "score": 5}}, ...] or {{"cat.jpg": 5, ...}}.'
        )
    return pd.DataFrame(rows)
