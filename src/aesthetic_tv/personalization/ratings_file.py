"""A person's ratings in a table (csv, tsv, json, parquet), read with every bad line named."""

import csv
import difflib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from aesthetic_tv.errors import PreferenceError, RatingsFileError
from aesthetic_tv.files import atomic_path
from aesthetic_tv.names import one_spelling, written
from aesthetic_tv.personalization.ratings_table import DECIMAL_COMMA, Entry, read_entries
from aesthetic_tv.scorer.folder import find_photos

SHOWN = 10  # bad lines named one by one

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def read_ratings(
    path: str | os.PathLike[str], photos: str | os.PathLike[str] | None = None
) -> dict[str, float]:
    """Read a person's ratings of photos below a folder.

    Columns are found by name, in any case and order: photo (or image, file, filename, path) and
    rating (or score, stars). A csv file is separated by commas, semicolons or tabs. A json file
    holds `{photo: rating}` or a list of rows. A photo is named by its path relative to the folder,
    or by its bare file name where only one photo below the folder has it.

    Args:
        path: .csv, .tsv, .json or .parquet.
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
    path = Path(path)
    names = None
    if photos is not None:
        names = _Names(Path(photos), find_photos(Path(photos), every_kind=True))
    ratings: dict[str, float] = {}
    rated_at: dict[str, Entry] = {}
    problems = []
    for entry in read_entries(path):
        try:
            photo, rating = _checked(entry, names)
        except ValueError as problem:
            problems.append(f"{entry.where}: {problem}")
            continue
        if photo in rated_at:
            first = rated_at[photo]
            problems.append(
                f"{entry.where}: {entry.photo!r} is rated {entry.rating} here and {first.rating} "
                f"at {first.where}; keep one of the two."
            )
            continue
        rated_at[photo], ratings[photo] = entry, rating
    if problems:
        raise RatingsFileError(_report(path, problems))
    if not ratings:
        raise RatingsFileError(
            f"{path} holds no ratings; write one line for each photo, such as `cat.jpg,5`."
        )
    return ratings


def write_ratings(path: str | os.PathLike[str], ratings: Mapping[str, float]) -> None:
    """Write ratings as a csv file with the columns photo and rating, atomically.

    Args:
        path: the file to write or replace.
        ratings: rating by photo; write names relative to the folder of photos to move both about.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["photo", "rating"])
        for photo, rating in ratings.items():
            writer.writerow([written(photo), f"{float(rating)!r}".removesuffix(".0")])


def bare_names(ratings: Mapping[Any, float]) -> dict[str, float]:
    """Ratings by file name alone, so that they can be shared without telling of any folder.

    Args:
        ratings: rating by path.

    Raises:
        PreferenceError: a photo that is no path, or two of one name.
    """
    named: dict[str, Any] = {}
    for photo in ratings:
        # Windows' way to read a path knows both separators, wherever this runs.
        name = PureWindowsPath(photo).name if isinstance(photo, str | os.PathLike) else ""
        if not name:
            raise PreferenceError(
                f"{photo!r} has no file name to share its rating by; rate photos by their paths."
            )
        if name in named:
            raise PreferenceError(
                f"{named[name]} and {photo} are both called {name}, and ratings are shared by "
                "file name alone; rename one of them."
            )
        named[name] = photo
    return {name: float(ratings[photo]) for name, photo in named.items()}


def _report(path: Path, problems: Sequence[str]) -> str:
    lines = "1 line" if len(problems) == 1 else f"{len(problems)} lines"
    report = [f"{path}: {lines} cannot be used:", *(f"  {problem}" for problem in problems[:SHOWN])]
    if len(problems) > SHOWN:
        report.append(f"  and {len(problems) - SHOWN} more.")
    return "\n".join(report)


def _checked(entry: Entry, names: "_Names | None") -> tuple[str, float]:
    """The photo's path and its rating; a ValueError says what to write instead."""
    if entry.problem:
        raise ValueError(entry.problem)
    key = _name(entry.photo)
    photo = key if names is None else names.find(entry.photo, key)
    return photo, _number(entry.rating)


def _number(value: Any) -> float:
    value = value.strip() if isinstance(value, str) else value
    if value is None or value == "":
        raise ValueError("the rating is empty; write a number such as 4, or take the line out.")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if (is_number or _NUMBER.fullmatch(str(value))) and math.isfinite(float(value)):
        return float(value)
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    if str(shown).lower().lstrip("+-") in ("nan", "inf", "infinity", "na", "n/a", "null", "none"):
        raise ValueError(f"the rating is {shown}; write a number, or take the line out.")
    advice = "write a number such as 4 or 3.5"
    if isinstance(value, str) and (match := DECIMAL_COMMA.fullmatch(value)):
        advice = f"write {match[1]}.{match[2]}"
    raise ValueError(f"the rating is {shown!r}, which is not a number; {advice}.")


class _Names:
    """Finds photos below a folder by what people write for them."""

    def __init__(self, folder: Path, photos: Iterable[Path]):
        self.folder = folder
        self.by_path: dict[str, str] = {}
        self.by_name: dict[str, list[str]] = {}
        for photo in photos:
            relative = one_spelling(photo.relative_to(folder).as_posix())
            self.by_path[relative] = str(photo)
            self.by_name.setdefault(relative.rsplit("/", 1)[-1], []).append(relative)

    def find(self, name: str, key: str) -> str:
        # People also write the path from where they stand, or from the root.
        whole = self.folder.resolve()
        for start in (self.folder.as_posix(), whole.as_posix(), whole.name):
            if key not in self.by_path:
                key = key.removeprefix(one_spelling(start) + "/")
        if key in self.by_path:
            return self.by_path[key]
        same_name = self.by_name.get(key, [])
        if len(same_name) == 1:
            return self.by_path[same_name[0]]
        if same_name:
            listed = ", ".join(same_name[:3])
            raise ValueError(
                f"{len(same_name)} photos are called {name!r} ({listed}); write the path of one."
            )
        raise ValueError(self._unknown(name, key))

    def _unknown(self, name: str, key: str) -> str:
        unknown = f"there is no photo {name!r} below {self.folder}"
        # Capital letters count in file names, but not in how close two names are.
        known = {candidate.casefold(): candidate for candidate in [*self.by_path, *self.by_name]}
        stems = {candidate.rsplit(".", 1)[0]: known[candidate] for candidate in reversed(known)}
        folded = key.casefold()
        closest = difflib.get_close_matches(folded, known, n=1)
        suggestion = stems.get(folded) or (known[closest[0]] if closest else None)
        if suggestion is None:
            return f"{unknown}; write a name relative to that folder, or take the line out."
        return f"{unknown}; did you mean {suggestion!r}?"


def _name(name: Any) -> str:
    """The photo's name in its one spelling, where it can be a name at all."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError("the photo's name is empty; write it, or take the line out.")
    if "\n" in name:
        start = name.split("\n", 1)[0]
        raise ValueError(
            f"the quotation mark that opens before {start!r} is never closed; close it."
        )
    return one_spelling(name)
