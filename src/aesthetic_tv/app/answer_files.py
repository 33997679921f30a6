"""Answers in csv files: ratings, and comparisons."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from aesthetic_tv.app.answers import HIGHEST, LOWEST, Answers, Pair
from aesthetic_tv.errors import AestheticTVError, RatingsFileError
from aesthetic_tv.files import atomic_path
from aesthetic_tv.personalization.ratings_file import read_ratings

COMPARED = ["better", "worse"]


def read_files(files: Sequence[str | os.PathLike[str]]) -> Answers:
    """What ratings and comparisons files say, by the photos' names as the files have them.

    Args:
        files: as `write_files` wrote them, or ratings in any format of `read_ratings`; deleted.

    Raises:
        RatingsFileError: a file that cannot be used, and why, by its bare name.
    """
    answers = Answers()
    for file in map(Path, files):
        try:
            answers = answers.joined(read_answers(file))
        except AestheticTVError as error:
            told = str(error).replace(str(file), file.name)
            raise RatingsFileError(told) from None
        finally:
            file.unlink(missing_ok=True)
    return answers


def read_answers(file: Path) -> Answers:
    """What one file says, of ratings or of comparisons, by the photos' names as it has them.

    Raises:
        RatingsFileError: it cannot be used, and why.
    """
    compared = _read_comparisons(file)
    if compared is not None:
        return compared
    ratings = read_ratings(file)
    outside = [name for name, stars in ratings.items() if not LOWEST <= stars <= HIGHEST]
    if outside:
        raise RatingsFileError(
            f"{file}: {outside[0]} is rated {ratings[outside[0]]:g}; stars go from {LOWEST} to "
            f"{HIGHEST} here ({len(outside)} such ratings)."
        )
    return Answers(ratings)


def _read_comparisons(file: Path) -> Answers | None:
    """`None` where the file is not one of comparisons."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.reader(text))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    if not rows or rows[0] != COMPARED:
        return None
    pairs = dict[frozenset[str], Pair]()
    for number, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        if len(row) != 2 or row[0] == row[1] or not all(row):
            raise RatingsFileError(f"{file}: line {number} is no pair `better,worse`: {row!r}.")
        pairs[frozenset(row)] = (row[0], row[1])
    return Answers(pairs=tuple(pairs.values()))


def write_comparisons(path: Path, pairs: Sequence[Pair]) -> None:
    """Write comparisons as a csv file with the columns better and worse, atomically.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    write_rows(path, [COMPARED, *map(list, pairs)])


def write_rows(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write a csv file, atomically.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(rows)
