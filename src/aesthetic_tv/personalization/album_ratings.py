"""What a person has said of an album, wherever it stands: tables, what the app keeps, stars.

Without a table being named, the ratings that the app keeps of the album count; where there are none
the stars in its photos. Stars that were written for the person are none of theirs.
"""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from aesthetic_tv.errors import PhotoError, RatingsFileError, SettingError
from aesthetic_tv.names import one_spelling, written
from aesthetic_tv.personalization.ratings_file import read_rated
from aesthetic_tv.personalization.stars import HIGHEST, LOWEST, stars_by_calibration
from aesthetic_tv.photo_metadata.beside_album import album_places
from aesthetic_tv.photo_metadata.stars import Stars, read_stars
from aesthetic_tv.photo_metadata.stars_undo import written_stars
from aesthetic_tv.photo_names import PhotoNames, folder_in_common
from aesthetic_tv.scorer.photo_files import find_photos
from aesthetic_tv.table_file import report

ENDING = ".ratings.csv"  # after the album's name
COMPARED = ["better", "worse"]
IN_PHOTOS = "xmp"  # in place of a table's name: the stars in the photos

Pair = tuple[str, str]


@dataclass(frozen=True)
class AlbumRatings:
    """What was found.

    Args:
        ratings: by the photos' paths.
        pairs: (better, worse) photos that were compared.
        scale: lowest and highest rating there can be; `None` where it is not known.
        source: where it was found and how much, in a sentence.
        notes: what else to tell.
        problems: why files say nothing, by file.
        table: the table that was read, if one was.
        unrated: how many of its lines have no rating.
    """

    ratings: dict[str, float] = field(repr=False)
    pairs: tuple[Pair, ...] = field(default=(), repr=False)
    scale: tuple[float, float] | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    table: Path | None = None
    unrated: int = 0

    @property
    def known(self) -> frozenset[str]:
        """The photos that were rated or compared."""
        return frozenset(self.ratings).union(*self.pairs)


def find_ratings(
    album: str | os.PathLike[str],
    named: str | os.PathLike[str] | None = None,
    *,
    rejected: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AlbumRatings:
    """Find what a person has said of the photos of an album.

    Args:
        album: the folder of photos.
        named: a table of ratings, with which comparisons that lie beside it are read too; a file
            of comparisons; `xmp` or the album itself for the stars in the photos; or `None` for
            what the app keeps of this album, and else the stars.
        rejected: what a rejected photo counts as; left out when not given.
        progress: called with (photos done, photos in all) while stars are read.

    Raises:
        RatingsFileError: nothing was found, or a table has lines that cannot be used.
        SettingError: a folder that is not the album.
        PhotoError: the album is missing or holds no photo.
    """
    folder = Path(album)
    if named is None:
        kept = kept_ratings(folder)
        if not kept:
            return _of_stars(folder, rejected, progress)
        found = _of_files(kept, folder)
        note = f"Stars in the photos were not looked at; --ratings {IN_PHOTOS} takes them."
        return replace(found, notes=(note,))
    path = Path(named)
    if str(path) == IN_PHOTOS:
        return _of_stars(folder, rejected, progress, asked=True)
    if path.is_dir():
        if path.resolve() != folder.resolve():
            raise SettingError(
                f"{path} is a folder, and not {folder}; name a table of ratings, or the folder of "
                "photos itself for the stars in them."
            )
        return _of_stars(folder, rejected, progress, asked=True)
    return _of_files([path], folder)


def kept_ratings(album: str | os.PathLike[str]) -> list[Path]:
    """The files of ratings that the app keeps of an album, the newest last; each may be missing
    where there are comparisons beside it.
    """
    times = dict[Path, float]()
    for path in album_places(album, ENDING):
        there = [file for file in (path, comparisons_beside(path)) if file.exists()]
        if there:
            times[path] = max(file.stat().st_mtime for file in there)
    return sorted(times, key=lambda path: times[path])


def kept_stars(album: str | os.PathLike[str]) -> dict[str, int]:
    """The ratings that the app keeps of an album as whole stars, by the photos' paths; none where
    they are on another scale.

    Raises:
        RatingsFileError: a file has lines that cannot be used.
    """
    files = kept_ratings(album)
    ratings = _of_files(files, Path(album)).ratings if files else {}
    if not ratings or min(ratings.values()) < LOWEST or max(ratings.values()) > HIGHEST:
        return {}
    rounded = stars_by_calibration(np.array(list(ratings.values())))
    return dict(zip(ratings, map(int, rounded), strict=True))


def comparisons_beside(ratings: Path) -> Path:
    """`album.comparisons.csv` beside `album.ratings.csv`."""
    stem = ratings.stem
    name = stem.removesuffix("ratings") if stem.endswith("ratings") else f"{stem}."
    return ratings.with_name(f"{name}comparisons.csv")


def rows_below(path: Path, header: list[str]) -> list[list[str]] | None:
    """The rows of a csv file from its second line on; `None` where its first is not this header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.reader(text))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return rows[1:] if rows and rows[0] == header else None


def read_comparisons(
    file: str | os.PathLike[str], photos: str | os.PathLike[str] | None = None
) -> tuple[Pair, ...] | None:
    """Read comparisons, one a line as `better,worse`; of two of the same photos the last counts.

    Args:
        file: csv with these columns.
        photos: folder that the names refer to; without one, names stay as the file has them.

    Returns:
        (better, worse) by path; `None` where it is no such file.

    Raises:
        RatingsFileError: names every line that cannot be used.
    """
    path = Path(file)
    rows = rows_below(path, COMPARED)
    if rows is None:
        return None
    names = None
    if photos is not None:
        names = PhotoNames.below(Path(photos), find_photos(Path(photos), every_kind=True))
    whence = folder_in_common(name for row in rows for name in row)
    pairs, problems = dict[frozenset[str], Pair](), list[str]()
    for number, row in enumerate(rows, 2):
        if not any(row):
            continue
        try:
            better, worse = _pair(row, names, whence)
        except ValueError as problem:
            problems.append(f"line {number} {problem}")
            continue
        pairs.pop(frozenset((better, worse)), None)
        pairs[frozenset((better, worse))] = (better, worse)
    if problems:
        raise RatingsFileError(report(path, problems))
    return tuple(pairs.values())


def _pair(row: list[str], names: PhotoNames | None, whence: str) -> Pair:
    if len(row) != 2 or row[0] == row[1] or not all(row):
        raise ValueError(f"is no pair `better,worse`: {row!r}.")
    found = []
    for name in row:
        try:
            place = one_spelling(name) if names is None else names.find(name, whence)
        except PhotoError as error:
            raise ValueError(f"names {name!r}: {error}") from None
        if place is None:
            raise ValueError(f"names {name!r}, and there is no such photo; take the line out.")
        found.append(place)
    if found[0] == found[1]:
        raise ValueError(f"names {found[0]!r} twice; take the line out.")
    return found[0], found[1]


def _of_files(files: list[Path], album: Path) -> AlbumRatings:
    """Of tables, and the comparisons beside them; where they differ the last counts."""
    ratings, pairs = dict[str, float](), dict[frozenset[str], Pair]()
    told, unrated = list[str](), 0
    for path in files:
        alone = read_comparisons(path, album)
        if alone is None and (path.exists() or not comparisons_beside(path).exists()):
            rated = read_rated(path, album)
            ratings |= rated.ratings
            unrated += rated.unrated
            told.append(f"{_count(len(rated.ratings), 'rating')} in {written(path)}")
        beside = comparisons_beside(path)
        compared = alone if alone is not None else read_comparisons(beside, album)
        if compared:
            pairs |= {frozenset(pair): pair for pair in compared}
            file = path if alone is not None else beside
            told.append(f"{_count(len(compared), 'comparison')} in {written(file)}")
    if not told:
        raise RatingsFileError(f"{files[-1]} holds no comparisons; compare some photos first.")
    source = f"{' and '.join(told)}."
    table = files[-1]
    return AlbumRatings(ratings, tuple(pairs.values()), None, source, table=table, unrated=unrated)


def _of_stars(
    album: Path,
    rejected: float | None,
    progress: Callable[[int, int], None] | None,
    *,
    asked: bool = False,
) -> AlbumRatings:
    found = read_stars(album, progress=progress)
    ratings, notes = found.ratings, list[str]()
    written_for = written_stars(album)
    ours = [photo for photo, stars in ratings.items() if written_for.get(photo) == stars]
    for photo in ours:
        del ratings[photo]
    if ours:
        notes.append(f"{_count(len(ours), 'photo')} with stars that `apply` wrote: left out.")
    if found.rejected:
        what = "left out." if rejected is None else f"counted as {rejected:g}."
        notes.append(f"{_count(len(found.rejected), 'rejected photo')}: {what}")
        ratings |= dict.fromkeys(found.rejected, rejected) if rejected is not None else {}
    if parts := sum(stars != int(stars) for stars in ratings.values()):
        notes.append(f"{_count(parts, 'photo')} with parts of stars: taken as they are.")
    notes += found.conflicts.values()
    if not ratings:
        raise RatingsFileError(_nothing(album, found, len(ours), asked))
    scale = min(LOWEST, *ratings.values()), max(HIGHEST, *ratings.values())
    return AlbumRatings(ratings, (), scale, found.summary(), tuple(notes), problems=found.problems)


def _nothing(album: Path, found: Stars, ours: int, asked: bool) -> str:
    where = "" if asked else f" no {written(album_places(album, ENDING)[0].name)} beside it, and"
    told = f", {_count(len(found.rejected), 'is', 'are')} rejected" if found.rejected else ""
    told += f", {ours} have stars that `apply` wrote" if ours else ""
    broken = "".join(
        f"\n  {written(file)}: {reason}" for file, reason in list(found.problems.items())[:10]
    )
    return (
        f"{album}:{where} none of {len(found.photos)} photos has stars{told}. Rate some with "
        f"`aesthetic-tv rate {written(album)}`, or name a table with --ratings.{broken}"
    )


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number} {what}" if number == 1 else f"{number} {several or what + 's'}"
