"""A person's answers in three csv files, of ratings, of comparisons and of picks: how they are read
and written, and those of an album, saved as answers are given and read at the next start.
"""

import csv
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aesthetic_tv.app.answers import HIGHEST, LOWEST, PICK, REJECT, Answers, Pair
from aesthetic_tv.errors import AestheticTVError, OutputError, RatingsFileError
from aesthetic_tv.files import write_csv
from aesthetic_tv.personalization.album_ratings import (
    COMPARED,
    comparisons_beside,
    read_comparisons,
    rows_below,
)
from aesthetic_tv.personalization.album_ratings import ENDING as SUFFIX
from aesthetic_tv.personalization.ratings_file import read_ratings, write_ratings
from aesthetic_tv.photo_metadata.beside_album import album_places

PICKED = ["photo", "pick"]  # 1 of a pick, -1 of a reject

Content = TypeVar("Content")


def read_files(files: Sequence[str | os.PathLike[str]]) -> Answers:
    """What ratings and comparisons files say, by the photos' names as the files have them.

    Args:
        files: as the app wrote them, or ratings in any format of `read_ratings`; deleted.

    Raises:
        RatingsFileError: a file that cannot be used, and why, by its bare name.
    """
    answers = Answers()
    for file in map(Path, files):
        try:
            answers = answers.joined(read_answers(file))
        except AestheticTVError as error:
            message = str(error).replace(str(file), file.name)
            raise RatingsFileError(message) from None
        finally:
            file.unlink(missing_ok=True)
    return answers


def read_answers(file: Path) -> Answers:
    """What one file says, of ratings, comparisons or picks, by the photos' names as it has them.

    Raises:
        RatingsFileError: it cannot be used, and why.
    """
    compared = read_comparisons(file)
    if compared is not None:
        return Answers(pairs=compared)
    picked = _read_picks(file)
    if picked is not None:
        return Answers(flags=picked)
    ratings = read_ratings(file)
    outside = [name for name, stars in ratings.items() if not LOWEST <= stars <= HIGHEST]
    if outside:
        raise RatingsFileError(
            f"{file}: {outside[0]} is rated {ratings[outside[0]]:g}; stars go from {LOWEST} to "
            f"{HIGHEST} here ({len(outside)} such ratings)."
        )
    return Answers(ratings)


def _read_picks(file: Path) -> dict[str, int] | None:
    """Flags by name; `None` where the file is not one of picks."""
    rows = rows_below(file, PICKED)
    if rows is None:
        return None
    flags = dict[str, int]()
    for number, row in enumerate(rows, 2):
        if not any(row):
            continue
        if len(row) != 2 or not row[0] or row[1].strip() not in (str(PICK), str(REJECT)):
            raise RatingsFileError(
                f"{file}: line {number} is no `photo,pick` with 1 (pick) or -1 (reject): {row!r}."
            )
        flags[row[0]] = int(row[1])
    return flags


def write_comparisons(path: Path, pairs: Sequence[Pair]) -> None:
    """Write comparisons as a csv file with the columns better and worse, atomically.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    write_csv(path, [COMPARED, *pairs])


def write_picks(path: Path, flags: Mapping[str, int]) -> None:
    """Write picks and rejects as a csv file with the columns photo and pick, atomically.

    Raises:
        OutputError: the file could not be written; it is as it was.
    """
    write_csv(path, [PICKED, *flags.items()])


@dataclass(frozen=True)
class RatingsPlace:
    """Where the ratings of an album are saved.

    Args:
        path: of the file.
        others: files of an earlier start that are read too.
        reason: why it is not the usual place; empty where it is.
        writable: whether ratings can be saved there.
    """

    path: Path
    others: tuple[Path, ...] = ()
    reason: str = ""
    writable: bool = True


def ratings_place(album: str | os.PathLike[str]) -> RatingsPlace:
    """Beside the album; in the person's own folder where that cannot be written."""
    beside, own = usual_places(album)
    for path, other in ((beside, own), (own, beside)):
        if _can_write(path):
            reason = "" if path == beside else f"{beside} cannot be written to."
            return RatingsPlace(path, (other,) if _begun(other) else (), reason)
    reason = f"Neither {beside} nor {own} can be written to; only the browser keeps the ratings."
    return RatingsPlace(beside, (own,) if _begun(own) else (), reason, writable=False)


def usual_places(album: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The file beside the album, and the one in the person's own folder."""
    return album_places(album, SUFFIX)


def check_place(path: Path) -> None:
    """Refuse a file that ratings cannot be saved to.

    Raises:
        OutputError: it is no csv file, or cannot be written.
    """
    if path.suffix.lower() != ".csv":
        raise OutputError(f"{path}: ratings are saved as csv; name a file that ends in .csv.")
    if path.is_dir() or not _can_write(path):
        raise OutputError(f"{path} cannot be written; name another file for the ratings.")


def _can_write(path: Path) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            return not path.exists() or os.access(path, os.W_OK)
    except OSError:
        return False


def picks_beside(ratings: Path) -> Path:
    """`album.picks.csv` beside `album.ratings.csv`."""
    name = comparisons_beside(ratings).name.removesuffix("comparisons.csv")
    return ratings.with_name(f"{name}picks.csv")


def _all_beside(ratings: Path) -> tuple[Path, ...]:
    return (ratings, comparisons_beside(ratings), picks_beside(ratings))


class AnswersOnDisk:
    """The three files of one album, for all visits of an app and for what others write there.

    What changed in a visit is done to what the files hold by then, so that neither another visit,
    nor another app on the same album, nor lines on photos that are elsewhere are lost.

    Args:
        path: of the ratings, as `read_ratings` and `aesthetic-tv personalize` read it;
            comparisons and picks are beside it.
        names: of the album's photos.
        others: files of ratings that are read at the start too, from an earlier place.

    Raises:
        RatingsFileError: a file has lines, columns or stars that cannot be used; it is as it was.
    """

    def __init__(self, path: Path, names: Iterable[str], others: Sequence[Path] = ()):
        self.path = path
        self.problem = "" if _can_write(path) else f"{path} cannot be written to."
        self._names = tuple(names)
        self._lock = threading.Lock()
        self._state: tuple[object, ...] = ()
        self._content = Answers()
        # The newest last, which settles where they differ.
        for file in sorted(filter(_begun, (*others, path)), key=_changed_at):
            self._content = self._content.joined(self._read_all(file))
        self._state = self._on_disk()
        if others:
            with suppress(OutputError):  # told when the first answer is saved
                self._write(self._content, Answers())

    @property
    def begun(self) -> bool:
        """Whether there is a file."""
        return _begun(self.path)

    def read(self) -> Answers:
        """What the files say by now, by the album's names.

        Raises:
            RatingsFileError: a file cannot be used.
        """
        with self._lock:
            return self._newest()

    def save(self, before: Answers, now: Answers) -> None:
        """Do to the files what differs between two states of one visit.

        Raises:
            RatingsFileError: a file was changed by hand to something that cannot be read.
            OutputError: a file cannot be written; it is as it was.
        """
        with self._lock:
            old = self._newest()
            self._write(old.changed(before, now), old)

    def _newest(self) -> Answers:
        if self._state != self._on_disk():
            self._content = self._read_all(self.path)
            self._state = self._on_disk()
        return self._content

    def _write(self, new: Answers, old: Answers) -> None:
        """The files that change; one that would be empty is not there."""
        ratings, comparisons, picks = _all_beside(self.path)
        _put(ratings, new.ratings, old.ratings, write_ratings)
        _put(comparisons, new.pairs, old.pairs, write_comparisons)
        _put(picks, new.flags, old.flags, write_picks)
        self._content, self._state = new, self._on_disk()

    def _on_disk(self) -> tuple[object, ...]:
        return tuple(map(_state, _all_beside(self.path)))

    def _read_all(self, ratings: Path) -> Answers:
        answers = Answers()
        for file in _all_beside(ratings):
            if file.exists() and not _blank(file):
                answers = answers.joined(read_answers(file))
        return answers.named_as(self._names)


def _put(path: Path, new: Content, old: Content, write: Callable[[Path, Content], None]) -> None:
    if new == old:
        return
    if new:
        write(path, new)
    else:
        _delete(path)


def _blank(file: Path) -> bool:
    """Whether a csv file holds no line but its header.

    Raises:
        RatingsFileError: it has columns that would be lost when it is written anew.
    """
    try:
        text = file.read_text("utf-8-sig", errors="replace")
    except OSError as error:
        raise RatingsFileError(f"{file} cannot be read ({error.strerror}).") from error
    lines = [line for line in text.splitlines() if line.strip()]
    columns = max(len(next(csv.reader(lines[:1], delimiter=sign), [])) for sign in ",;\t")
    if columns > 2:
        raise RatingsFileError(
            f"{file} has {columns} columns, of which saving would keep two. Name a new file for "
            "the ratings, and load this one on the page under `Take home`."
        )
    return len(lines) < 2


def _delete(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{file} cannot be written ({error.strerror}).") from error


def _begun(ratings: Path) -> bool:
    return any(file.exists() for file in _all_beside(ratings))


def _state(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _changed_at(ratings: Path) -> float:
    return max(file.stat().st_mtime for file in _all_beside(ratings) if file.exists())
