"""What a person takes home, and brings back: ratings, comparisons, scores and the taste itself."""

import csv
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from aesthetic_tv.app.said import HIGHEST, LOWEST, Pair, Said
from aesthetic_tv.app.session import Session
from aesthetic_tv.errors import AestheticTVError, RatingsFileError
from aesthetic_tv.files import atomic_path
from aesthetic_tv.personalization import Personalization
from aesthetic_tv.personalization.ratings_file import read_ratings, write_ratings

RATINGS, COMPARISONS, SCORES, TASTE = "ratings.csv", "comparisons.csv", "scores.csv", "my-taste.zip"
COMPARED = ["better", "worse"]
SCORED = ["photo", "score", "rank", "generic_score", "generic_rank", "rating"]


def write_files(session: Session, folder: Path) -> list[Path]:
    """Write all that there is to take home so far.

    Args:
        session: of the person.
        folder: to write to; files of the same names are replaced.

    Returns:
        The files: ratings and comparisons where there are any, scores once there is a taste, and
        the taste once it was polished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    said = session.said
    if said.ratings:
        write_ratings(folder / RATINGS, said.ratings)
        written.append(folder / RATINGS)
    if said.pairs:
        write_comparisons(folder / COMPARISONS, said.pairs)
        written.append(folder / COMPARISONS)
    if (taste := session.taste()) is not None:
        rows = [
            [
                *(row.name, f"{row.score:.6g}", row.rank, f"{row.generic:.6g}", row.generic_rank),
                "" if row.stars is None else f"{row.stars:g}",
            ]
            for row in taste.ranking()
        ]
        _write_rows(folder / SCORES, [SCORED, *rows])
        written.append(folder / SCORES)
    if (polished := session.polished) is not None:
        write_taste(polished.personalization, folder / TASTE)
        written.append(folder / TASTE)
    return written


def write_taste(mine: Personalization, path: Path) -> None:
    """Write a personalization as a zip file of the folder `my-taste`; no photos, no ratings."""
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        folder = Path(temporary) / "my-taste"
        mine.save_pretrained(folder)
        with atomic_path(path) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
            for part in sorted(folder.iterdir()):
                file.write(part, f"my-taste/{part.name}")


def read_files(files: Sequence[str | os.PathLike[str]]) -> Said:
    """What ratings and comparisons files say, by the photos' names as the files have them.

    Args:
        files: as `write_files` wrote them, or ratings in any format of `read_ratings`; deleted.

    Raises:
        RatingsFileError: a file that cannot be used, and why, by its bare name.
    """
    said = Said()
    for file in map(Path, files):
        try:
            said = said.joined(read_answers(file))
        except AestheticTVError as error:
            told = str(error).replace(str(file), file.name)
            raise RatingsFileError(told) from None
        finally:
            file.unlink(missing_ok=True)
    return said


def read_answers(file: Path) -> Said:
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
    return Said(ratings)


def _read_comparisons(file: Path) -> Said | None:
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
    return Said(pairs=tuple(pairs.values()))


def write_comparisons(path: Path, pairs: Sequence[Pair]) -> None:
    """Write comparisons as a csv file with the columns better and worse, atomically.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    _write_rows(path, [COMPARED, *map(list, pairs)])


def _write_rows(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(rows)


def emptied(folder: Path) -> Path:
    """A folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
