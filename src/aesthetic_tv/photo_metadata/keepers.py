"""Which photos of an album are kept, one of each burst, and their files in a folder or a zip.

Sub-folders of the album are kept, so that photos of one name stay apart and sidecars beside their
photos. What is in the folder already is never overwritten, and never copied twice.
"""

import csv
import errno
import filecmp
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath

from aesthetic_tv.errors import OutputError, SettingError
from aesthetic_tv.files import atomic_path, write_csv
from aesthetic_tv.names import written
from aesthetic_tv.photo_metadata.best import RankedBurst
from aesthetic_tv.photo_metadata.shots import Shot
from aesthetic_tv.photo_metadata.sidecars import Sidecars

TABLE = "keepers.csv"
COLUMNS = ("photo", "original", "score", "group", "of", "sure")
FULL = (errno.ENOSPC, errno.EDQUOT)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Keeper:
    """One photo that is kept.

    Args:
        photo: position in the album.
        score: of the scorer, on its own scale.
        group: number of its burst, from 1, in the order of the groups.
        of: how many photos that burst has.
        sure: the chance that the person would choose this one of them, in [0, 1].
    """

    photo: int
    score: float
    group: int
    of: int
    sure: float


def choose(
    bursts: Sequence[RankedBurst],
    order: Sequence[int],
    scores: Mapping[int, float] | Sequence[float],
    *,
    best: int | None = None,
    per_burst: int = 1,
) -> list[Keeper]:
    """The best photos of an album, so many from each burst at most.

    Args:
        bursts: all photos, each in one.
        order: all photos, best first.
        scores: of each photo, to be told.
        best: how many are kept; all that are the best of their burst when not given.
        per_burst: how many of one burst.

    Returns:
        The kept ones, best first.

    Raises:
        SettingError: `best` or `per_burst` below 1.
    """
    if per_burst < 1 or (best is not None and best < 1):
        raise SettingError(f"best is {best}, per_burst {per_burst}; expected 1 or more of each.")
    kept = dict[int, Keeper]()
    for number, burst in enumerate(bursts, 1):
        for photo, chance in list(zip(burst.photos, burst.chances, strict=True))[:per_burst]:
            score = float(scores[photo])
            kept[photo] = Keeper(photo, score, number, len(burst.photos), chance)
    return [kept[photo] for photo in order if photo in kept][:best]


@dataclass(frozen=True)
class KeptFiles:
    """A kept photo and the files that come along: its RAW and sidecars.

    Args:
        keeper: why it is kept; `None` of a photo that the person chose.
        files: sources, the photo first.
        names: where each goes, below the folder or inside the zip.
    """

    keeper: Keeper | None
    files: tuple[Path, ...]
    names: tuple[PurePosixPath, ...]


@dataclass(frozen=True)
class KeepersPlan:
    """What is copied where, before any of it is.

    Args:
        album: the folder that the photos are below.
        photos: best first.
    """

    album: Path
    photos: tuple[KeptFiles, ...]

    @classmethod
    def of(
        cls,
        album: str | os.PathLike[str],
        files: Sequence[Sequence[Path]],
        keepers: Sequence[Keeper | None] | None = None,
    ) -> "KeepersPlan":
        """Plan for photos of an album.

        Args:
            album: folder.
            files: of each photo all that comes along, the photo first, as by `kept_files`.
            keepers: why each is kept, where that is known.
        """
        album = Path(album)
        told = [None] * len(files) if keepers is None else keepers
        return cls(
            album,
            tuple(
                KeptFiles(keeper, tuple(group), tuple(_below(album, file) for file in group))
                for keeper, group in zip(told, files, strict=True)
            ),
        )

    def check(self, to: str | os.PathLike[str]) -> None:
        """Refuse a folder before anything is written.

        Raises:
            OutputError: it is a file, lies in the album or holds it, or has a table of that name
                which is none of ours.
        """
        to = Path(to)
        check_folder(self.album, to)
        table = to / TABLE
        if table.exists() and not _is_ours(table):
            raise OutputError(f"{table} exists and is no table of keepers; name another folder.")

    def copy(
        self,
        to: str | os.PathLike[str],
        *,
        link: bool = False,
        progress: Progress | None = None,
    ) -> "Copied":
        """Copy the files, or link them, and write the table of them.

        Each file appears whole or not at all. One that is there already, with the same content, is
        left; where another one has the name, ` (2)` is put to it, and to what comes along.

        Args:
            to: folder, made where it is missing.
            link: hard links where the disk can, else symbolic ones; an edit of the one is then an
                edit of the other.
            progress: called with (photos done, photos in all).

        Raises:
            OutputError: as `check`; or the table cannot be written.
        """
        to = Path(to)
        self.check(to)
        done = Copied(to)
        for place, kept in enumerate(self.photos, 1):
            _copy(kept, self.album.resolve(), done, link)
            if progress is not None:
                progress(place, len(self.photos))
        self._write_table(done)
        return done

    def _write_table(self, done: "Copied") -> None:
        rows = [
            _row(kept, _below(self.album, kept.files[0]), done.places[kept.files[0]])
            for kept in self.photos
            if kept.files[0] in done.places
        ]
        if rows:
            write_csv(done.to / TABLE, [COLUMNS, *rows])


@dataclass
class Copied:
    """What a copy did.

    Attributes:
        to: the folder.
        places: where the photos and what came along are now, below it, by their source.
        new: the sources that were copied or linked now; the others were there before.
        kept: files of that name in the folder that were left, though they are not the same.
        failed: sources that could not be copied, and why.
        full: whether the disk is full, so that nothing more was tried.
    """

    to: Path
    places: dict[Path, PurePosixPath] = field(default_factory=dict)
    new: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    full: bool = False


def kept_files(shot: Shot, sidecars: Sidecars) -> tuple[Path, ...]:
    """A photo, its RAW files, and the sidecars of any of them.

    Args:
        shot: of the album.
        sidecars: of the album.
    """
    return (*shot.files, *sidecars.beside[shot.photo])


def check_folder(album: Path, to: Path) -> None:
    """Refuse a folder of keepers in the album, whose next look would find each photo twice.

    Raises:
        OutputError: it is a file, lies in the album, or holds the album.
    """
    source, target = album.resolve(), to.resolve()
    if target.is_relative_to(source):
        raise OutputError(f"{to} lies in the album {album}; name a folder beside it.")
    if source.is_relative_to(target):
        raise OutputError(f"{to} holds the album {album}; name a folder beside it.")
    if to.exists() and not to.is_dir():
        raise OutputError(f"{to} is a file; name a folder.")


def _copy(kept: KeptFiles, album: Path, done: Copied, link: bool) -> None:
    """Copy one photo and what comes along, all by the same number where the name is taken."""
    pairs = list(zip(kept.files, kept.names, strict=True))
    if done.full:
        done.failed |= {source: "the disk is full" for source, _ in pairs}
        return
    photo, name = pairs[0]
    if (done.to / name).parent.resolve().is_relative_to(album):
        done.failed |= {source: "a link in the folder leads into the album" for source, _ in pairs}
        return
    try:
        number = next(n for n in count(1) if _free_or_same(photo, done.to / _numbered(name, n)))
    except OSError as error:
        done.failed |= {source: error.strerror or str(error) for source, _ in pairs}
        return
    for source, wanted in pairs:
        place = _numbered(wanted, number)
        target = done.to / place
        try:
            if not _is_there(target):
                _put(source, target, link)
                done.new.append(source)
            elif not _same(source, target):
                done.kept.append(target)
            done.places[source] = place
        except OSError as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            done.failed[source] = cause.strerror or str(cause)
            done.full = done.full or cause.errno in FULL
            if source == photo:
                done.failed |= {other: f"{photo.name} failed" for other, _ in pairs[1:]}
                return


def _put(source: Path, target: Path, link: bool) -> None:
    source = source.resolve()
    if not link:
        with atomic_path(target) as temporary:
            shutil.copy2(source, temporary)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:  # another disk, or one without such links
        target.symlink_to(source)


def _numbered(name: PurePosixPath, number: int) -> PurePosixPath:
    """`a (2).jpg`, and `a (2).jpg.xmp` beside it."""
    if number == 1:
        return name
    stem, dot, rest = name.name.partition(".")
    return name.with_name(f"{stem} ({number}){dot}{rest}")


def _free_or_same(source: Path, target: Path) -> bool:
    return not _is_there(target) or _same(source, target)


def _is_there(target: Path) -> bool:
    return target.exists() or target.is_symlink()


def _same(source: Path, target: Path) -> bool:
    """Whether both are one file, or hold the same."""
    if not target.is_file():
        return False
    return source.samefile(target) or filecmp.cmp(source, target, shallow=False)


def _below(album: Path, file: Path) -> PurePosixPath:
    """The name below the album; of a file from elsewhere, its name alone."""
    if file.is_relative_to(album) and ".." not in file.relative_to(album).parts:
        return PurePosixPath(file.relative_to(album).as_posix())
    return PurePosixPath(file.name)


def _row(kept: KeptFiles, original: PurePosixPath, place: PurePosixPath) -> tuple[object, ...]:
    names, why = (written(place), written(original)), kept.keeper
    if why is None:
        return (*names, "", "", "", "")
    return (*names, round(why.score, 6), why.group, why.of, round(why.sure, 3))


def _is_ours(table: Path) -> bool:
    try:
        with table.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), None) == list(COLUMNS)
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
