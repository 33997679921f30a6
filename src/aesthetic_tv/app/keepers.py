"""The best photos of a visit, or its picks: one from each stack, to be copied or sent as a zip."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from aesthetic_tv.app.answers import PICK, REJECT
from aesthetic_tv.app.incoming import RequestError
from aesthetic_tv.app.session import Session
from aesthetic_tv.app.stacks import ranked_stacks
from aesthetic_tv.app.state import Told
from aesthetic_tv.app.views import FULL
from aesthetic_tv.app.visits import Visit
from aesthetic_tv.names import written
from aesthetic_tv.photo_metadata.keepers import kept_files
from aesthetic_tv.photo_metadata.sidecars import Sidecars

What = Literal["best", "picks"]
WHATS = ("best", "picks")
MOST = 100_000
BLOCK = 1 << 18

# What a file is called in the zip, and where it is, or is made when its turn comes.
Files = Sequence[tuple[PurePosixPath, Callable[[], Path | None]]]


def what_of(value: Any) -> What:
    """The best where nothing is said.

    Raises:
        RequestError: something else is said.
    """
    if value in (None, ""):
        return "best"
    if value not in WHATS:
        raise RequestError(400, f"{str(value)[:40]!r} cannot be kept; expected best or picks.")
    return cast(What, value)


def count_of(value: Any) -> int:
    """50 where nothing is said.

    Raises:
        RequestError: no number from 1 on.
    """
    try:
        count = 50 if value in (None, "") else int(value)
    except (TypeError, ValueError):
        count = 0
    if not 1 <= count <= MOST:
        raise RequestError(400, "How many are kept? Expected a number from 1 on.")
    return count


def best_names(told: Told, what: What, count: int) -> list[str]:
    """Names of the photos that are kept, best first: no reject, and of each stack the best one, or
    those that were picked.
    """
    session = told.session
    taste, answers = session.taste(), session.answers
    order = session.generic_ranking() if taste is None else [row.name for row in taste.ranking()]
    if what == "picks":
        left = [name for name in session.paths if name not in order]  # not looked at yet
        return [name for name in [*order, *left] if answers.flags.get(name) == PICK]
    order = [name for name in order if answers.flags.get(name) != REJECT]
    if taste is not None:
        left_out = set[str]()
        for stack in ranked_stacks(told.facts.stacks, taste.names, taste.scores, answers):
            good = [name for name in stack if answers.flags.get(name) != REJECT]
            kept = [name for name in good if answers.flags.get(name) == PICK] or good[:1]
            left_out |= set(stack).difference(kept)
        order = [name for name in order if name not in left_out]
    return order[:count]


def files_of(session: Session, names: Sequence[str]) -> list[tuple[Path, ...]]:
    """All files of each photo: with its RAW and sidecars where it is of the album."""
    album = session.album.shots
    sidecars = Sidecars.of(album.values() if not album.keys().isdisjoint(names) else ())
    return [
        kept_files(album[name], sidecars) if name in album else (Path(session.uploads.paths[name]),)
        for name in names
    ]


def best_files(visit: Visit, what: What, count: int, whole: bool) -> Files:
    """What goes into the zip.

    Args:
        visit: of the person.
        what: the best, or the picks.
        count: of the best.
        whole: whether the album's files are the person's own, with all that a camera wrote into
            them; otherwise copies go.
    """
    session = visit.session
    found = list[tuple[PurePosixPath, Callable[[], Path | None]]]()
    names = best_names(visit.told, what, count)
    own = [name for name in names if whole or name in session.uploads.paths]
    files_by_name = dict(zip(own, files_of(session, own), strict=True))
    for name in names:
        place = PurePosixPath(name)
        if (files := files_by_name.get(name)) is not None:
            found.append((place, partial(Path, files[0])))
            found += [(place.with_name(file.name), partial(Path, file)) for file in files[1:]]
        else:
            if place.suffix.lower() not in (".jpg", ".jpeg"):
                place = place.with_name(f"{place.name}.jpg")
            found.append((place, partial(session.album.views.copy, session.paths[name], FULL)))
    return found


class _Chunks:
    """A file that keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zipped(files: Files) -> Iterator[bytes]:
    """A zip of files, bit by bit: nothing of it is stored. A file that is gone is left out."""
    out, seen = _Chunks(), set[PurePosixPath]()
    # Photos are compressed already.
    with zipfile.ZipFile(cast(Any, out), "w", zipfile.ZIP_STORED, strict_timestamps=False) as made:
        for name, find in files:
            if name in seen or name.is_absolute() or ".." in name.parts:
                continue
            seen.add(name)
            try:
                path = find()
                if path is None:
                    continue
                source = path.open("rb")
                entry = zipfile.ZipInfo.from_file(path, written(name), strict_timestamps=False)
            except OSError:
                continue
            with source, made.open(entry, "w", force_zip64=True) as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield out.taken()
    yield out.taken()
