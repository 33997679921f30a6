"""A person's ratings in a table of any usual format, read with every bad line named."""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from aesthetic_tv.errors import PhotoError, PreferenceError, RatingsFileError, TableError
from aesthetic_tv.files import write_csv
from aesthetic_tv.names import one_spelling, written
from aesthetic_tv.photo_names import PhotoNames, folder_in_common
from aesthetic_tv.scorer.photo_files import find_photos
from aesthetic_tv.table_file import (
    PHOTO_COLUMNS,
    RATING_COLUMNS,
    SHOWN,
    Table,
    read_table,
    report,
    some_of,
    text_of,
    unrated,
)

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Rated:
    """What a ratings file says.

    Attributes:
        ratings: of each photo by its path, in the order of the file.
        unrated: lines that name a photo and no rating.
    """

    ratings: dict[str, float] = field(repr=False)
    unrated: int = 0


def read_ratings(
    path: str | os.PathLike[str], photos: str | os.PathLike[str] | None = None
) -> dict[str, float]:
    """Read a person's ratings of photos below a folder.

    Columns are found by name, in any case and order: photo (or image, SourceFile, file, filename,
    path, name, ...) and rating (or score, stars, mos, ...). Text is separated by commas, semicolons
    or tabs, in UTF-8, UTF-16 or Windows-1252. A json file holds `{photo: rating}` or a list of
    rows. A photo is named by its path, relative to the folder or from the root, or by the end of
    it, such as its bare file name, where only one photo below the folder has it; capitals and the
    suffix may differ. A line without a rating is passed over, and so is the same line again. In
    exiftool's tables (with a column SourceFile) 0 is no rating, as the XMP specification has it.

    Args:
        path: .csv, .tsv, .txt, .xlsx (needs openpyxl), .parquet, .json or .jsonl.
        photos: folder that the names refer to; without one, names stay as the file has them.

    Returns:
        Rating of each photo by its path (the folder's path included), in the order of the file.

    Raises:
        RatingsFileError: names every line that cannot be used (the first ten, then a count).
        PhotoError: the folder is missing or holds no photos.

    Example:
        >>> read_ratings("ratings.csv", "album")  # doctest: +SKIP
        {'album/cat.jpg': 5.0, 'album/2023/dog.jpg': 2.0}
    """
    return read_rated(path, photos).ratings


def read_rated(path: str | os.PathLike[str], photos: str | os.PathLike[str] | None = None) -> Rated:
    """As `read_ratings`, and how many photos the file names without a rating."""
    path = Path(path)
    names = None
    if photos is not None:
        names = PhotoNames.below(Path(photos), find_photos(Path(photos), every_kind=True))
    table, lines, empty = _lines(path)
    ratings, problems, unknown = _checked(table, lines, names)
    if problems:
        for number in sorted(problems)[:SHOWN]:  # the others are only counted
            if number in unknown and names is not None:
                problems[number] = _unknown(table, unknown[number], names)
        reasons = [f"{table.where(n)}: {reason}" for n, reason in sorted(problems.items())]
        raise RatingsFileError(report(path, reasons))
    if not ratings and empty:
        message = "the rating is empty; write a number such as 4, or take the line out."
        raise RatingsFileError(report(path, [f"{table.where(n)}: {message}" for n in empty]))
    if not ratings:
        raise RatingsFileError(
            f"{path} holds no ratings; write one line for each photo, such as `cat.jpg,5`."
        )
    return Rated(ratings, len(empty))


Line = tuple[int, Any, Any]  # its number, the photo and the rating as they stand there


def _lines(path: Path) -> tuple[Table, list[Line], list[int]]:
    """The table, its lines with a rating, and the numbers of those without."""
    if not path.exists():
        raise RatingsFileError(f"{path}: there is no such ratings file.")
    try:
        table = read_table(path)
        photo, rating = table.find(PHOTO_COLUMNS), table.find(RATING_COLUMNS)
    except TableError as error:
        raise RatingsFileError(str(error)) from None
    if not table.columns and table.problems:
        return table, [], []
    if photo is None or rating is None:
        raise RatingsFileError(_no_columns(table))
    rated, empty = list[Line](), list[int]()
    for number, row in zip(table.numbers, table.rows, strict=True):
        if unrated(row[rating], table.columns[photo]):
            empty.append(number)
        else:
            rated.append((number, row[photo], row[rating]))
    return table, rated, empty


def _no_columns(table: Table) -> str:
    found = ", ".join(map(repr, table.columns)) or "nothing"
    wanted = [
        f"one of the {what} ({some_of(names)})"
        for what, names in (("photos", PHOTO_COLUMNS), ("ratings", RATING_COLUMNS))
        if table.find(names) is None
    ]
    return (
        f"{table.path}: {table.header} names the columns {found}; missing is "
        f"{' and '.join(wanted)}. Write `photo,rating` as the first line."
    )


def _checked(
    table: Table, lines: Sequence[Line], names: PhotoNames | None
) -> tuple[dict[str, float], dict[int, str], dict[int, str]]:
    """Ratings by path; what is wrong with lines, by their numbers; and names of no photo."""
    problems, unknown = dict(table.problems), dict[int, str]()
    whence = folder_in_common(text_of(photo) for _, photo, _ in lines)
    ratings: dict[str, float] = {}
    rated_at: dict[str, Line] = {}
    for line in lines:
        number, photo, value = line
        try:
            rating = _number(table.decimal_point(value))
            place = _found(text_of(photo), names, whence)
        except ValueError as problem:
            problems[number] = str(problem)
            continue
        if place is None:
            problems[number], unknown[number] = "there is no such photo.", text_of(photo)
            continue
        if ratings.setdefault(place, rating) != rating:
            first, there, other = rated_at[place]
            also = "" if there == photo else f", as {there!r},"
            problems[number] = (
                f"{photo!r} is rated {value} here and {other}{also} at {table.where(first)}; keep "
                "one of the two."
            )
        rated_at.setdefault(place, line)
    return ratings, problems, unknown


def _found(name: str, names: PhotoNames | None, whence: str) -> str | None:
    """The photo's path, `None` where there is no such photo; its name in one spelling where there
    is no folder to look in.
    """
    if not name:
        raise ValueError("the photo's name is empty; write it, or take the line out.")
    try:
        if names is not None:
            return names.find(name, whence)
        PhotoNames.check(name)
    except PhotoError as error:
        raise ValueError(f"{name!r}: {error}" if "\n" not in name else str(error)) from None
    return one_spelling(name)


def _unknown(table: Table, name: str, names: PhotoNames) -> str:
    message = f"there is no photo {name!r} below {names.folder}"
    if table.guessed and not name.isascii():
        message += f" (the file is not UTF-8, and was read as {table.guessed})"
    if (likely := names.suggest(name)) is not None:
        return f"{message}; did you mean {likely!r}?"
    return f"{message}; write a name relative to that folder, or take the line out."


def _number(value: Any) -> float:
    value = value.strip() if isinstance(value, str) else value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if (is_number or _NUMBER.fullmatch(str(value))) and math.isfinite(float(value)):
        return float(value)
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    if str(shown).lower().lstrip("+-") in ("nan", "inf", "infinity", "na", "n/a", "null", "none"):
        raise ValueError(f"the rating is {shown}; write a number, or take the line out.")
    advice = "write a number such as 4 or 3.5"
    if re.fullmatch(r"[+-]?\d+,\d+", str(shown), re.ASCII):
        advice = "a comma may set off thousands or decimals; write a point, or no comma"
    raise ValueError(f"the rating is {shown!r}, which is not a number; {advice}.")


def write_ratings(path: str | os.PathLike[str], ratings: Mapping[str, float]) -> None:
    """Write ratings as a csv file with the columns photo and rating, atomically.

    Args:
        path: the file to write or replace.
        ratings: rating by photo; write names relative to the folder of photos to move both about.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    lines = (
        (written(photo), f"{float(rating)!r}".removesuffix(".0"))
        for photo, rating in ratings.items()
    )
    write_csv(path, [("photo", "rating"), *lines])


def bare_names(ratings: Mapping[Any, float]) -> dict[str, float]:
    """Ratings by file name, so that they can be shared without naming folders.

    Where photos in different folders have one name, as many of these folders go along as tell them
    apart, and none above: `100CANON/IMG_1.JPG` and `101CANON/IMG_1.JPG`. Photos that lie beside
    rated ones, unrated themselves, count too, so that the names are found among all of them.

    Args:
        ratings: rating by path.

    Raises:
        PreferenceError: a photo that is no path, or two of one path.
    """
    ends: dict[tuple[str, ...], Any] = {}
    for photo in ratings:
        parts = _parts(photo)
        if parts in ends:
            raise PreferenceError(
                f"{ends[parts]} and {photo} are both called {'/'.join(parts)}; rename one of them."
            )
        ends[parts] = photo
    above = _shared_start([parts[:-1] for parts in ends])
    below = {parts[above:]: photo for parts, photo in ends.items()}
    others = {*below, *(parts[above:] for parts in _beside(ends))}
    alike: dict[tuple[str, ...], int] = {}
    for parts in others:
        for start in range(len(parts)):
            alike[parts[start:]] = alike.get(parts[start:], 0) + 1
    named = {}
    for parts, photo in below.items():
        ends_here = (parts[start:] for start in range(len(parts) - 1, -1, -1))
        name = next((end for end in ends_here if alike[end] == 1), parts)
        named["/".join(name)] = float(ratings[photo])
    return named


def _parts(photo: Any) -> tuple[str, ...]:
    """Folders and name of a path, without drive and root."""
    # Windows' way to read a path knows both separators, wherever this runs.
    path = PureWindowsPath(one_spelling(photo) if isinstance(photo, str | os.PathLike) else "")
    parts = tuple(part for part in path.parts if part not in (path.anchor, ".."))
    if not path.name or not parts:
        raise PreferenceError(
            f"{photo!r} has no file name to share its rating by; rate photos by their paths."
        )
    return parts


def _shared_start(folders: Sequence[tuple[str, ...]]) -> int:
    """How many folders all have in common, from the root."""
    first, last = min(folders, default=()), max(folders, default=())
    differ = (i for i, (x, y) in enumerate(zip(first, last, strict=False)) if x != y)
    return next(differ, min(len(first), len(last)))


def _beside(rated: Mapping[tuple[str, ...], Any]) -> set[tuple[str, ...]]:
    """Photos of the names of rated ones, in the folders of others of them."""
    names, found = {parts[-1] for parts in rated}, set[tuple[str, ...]]()
    folders = {parts[:-1]: Path(photo).parent for parts, photo in rated.items()}
    for parts, folder in folders.items() if len(folders) > 1 else ():
        try:
            there = [one_spelling(path.name) for path in folder.iterdir()]
        except OSError:  # the ratings alone are here
            continue
        found |= {(*parts, name) for name in there if name in names}
    return found
