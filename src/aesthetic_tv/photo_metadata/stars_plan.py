"""Writing stars to sidecars: first what would change, photo by photo, then the change itself.

The photos are never touched. Stars that a person gave stay, unless told otherwise. A sidecar that
is no whole XML, or that was changed between plan and writing, is named and left alone.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aesthetic_tv.errors import AestheticTVError, MetadataError, OutputError, SettingError
from aesthetic_tv.photo_metadata.beside_album import can_write
from aesthetic_tv.photo_metadata.sidecars import Naming, Sidecars, moved
from aesthetic_tv.photo_metadata.stars import PhotoStars, Stars, read_sidecar
from aesthetic_tv.photo_metadata.stars_undo import (
    CHANGED,
    Entry,
    UndoFile,
    content_of,
    digest,
    replace_content,
    undo_place,
)
from aesthetic_tv.photo_metadata.xmp import HIGHEST, LOWEST
from aesthetic_tv.photo_metadata.xmp_edit import Splice, new_packet, spliced, with_stars


@dataclass(frozen=True)
class FileChange:
    """One file, and what it is to hold.

    Args:
        path: of the sidecar, or of the photo itself where stars go into it.
        content: all of the new sidecar; `None` for stars in the photo.
        before: SHA-256 of what is there; `None` where there is no file.
        splices: how the new content is made of what is there.
    """

    path: Path
    content: bytes | None = field(repr=False)
    before: str | None = None
    splices: tuple[Splice, ...] = ()


@dataclass(frozen=True)
class StarsRow:
    """One photo of the table of what would change.

    Args:
        photo: its path.
        before: its stars now, -1 for rejected, `None` for none.
        after: the stars that it would get.
        changes: the files that would be written; none where it is kept.
        kept: why nothing is written; empty where something is.
        failed: whether that is since a file is broken, rather than for the person's own stars.
    """

    photo: Path
    before: float | None
    after: int
    changes: tuple[FileChange, ...] = ()
    kept: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        files: the files.
        failed: files that were not, and why.
        undo: the file to take it back with; `None` where nothing was written.
    """

    files: list[Path] = field(repr=False)
    failed: dict[str, str]
    undo: Path | None


@dataclass(frozen=True)
class StarsPlan:
    """What would change; nothing is written before `write`.

    Args:
        album: the folder of photos.
        root: the folder that sidecars go to; the album, unless told otherwise.
        rows: one for each photo with a score, in the order of their paths.
    """

    album: Path
    root: Path
    rows: list[StarsRow] = field(repr=False)

    @property
    def changed(self) -> list[StarsRow]:
        """The photos whose stars would be written."""
        return [row for row in self.rows if row.changes]

    @property
    def failed(self) -> dict[str, str]:
        """Photos that cannot have stars written for, and why."""
        return {str(row.photo): row.kept for row in self.rows if row.failed}

    @property
    def kept(self) -> Counter[str]:
        """How many photos are left as they are, by the reason."""
        return Counter(row.kept for row in self.rows if row.kept and not row.failed)

    def check_writable(self) -> None:
        """Refuse folders that cannot be written to, before anything is.

        Raises:
            OutputError: names the first, and the way out.
        """
        folders = dict.fromkeys(x.path.parent for row in self.changed for x in row.changes)
        closed = [folder for folder in folders if not can_write(folder)]
        if closed:
            more = f" (and {len(closed) - 1} more folders)" if len(closed) > 1 else ""
            raise OutputError(
                f"{closed[0]}{more} cannot be written to; nothing was. Let the sidecars go to "
                "another folder with --sidecars-to."
            )

    def write(
        self,
        undo: str | os.PathLike[str] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Written:
        """Write the stars, each file atomically; what to take them back with goes first.

        Args:
            undo: the file to take it back with, not there yet; beside the album when not given.
            progress: called with (files done, files in all).

        Raises:
            OutputError: a folder cannot be written to, or the undo file; nothing was written.
        """
        changes = [(row, change) for row in self.changed for change in row.changes]
        if not changes:
            return Written([], {}, None)
        self.check_writable()
        record = self._undo_file(undo_place(self.album) if undo is None else Path(undo))
        entries = [self._entry(row, change) for row, change in changes]
        record.save(entries)
        sweep = _left_behind({change.path.parent for _, change in changes})
        done, failed = list[Entry](), dict[str, str]()
        for number, ((row, change), entry) in enumerate(zip(changes, entries, strict=True), 1):
            try:
                done.append(self._write(row, change, entry, sweep=change.path.parent in sweep))
            except (AestheticTVError, OSError) as error:
                failed[str(change.path)] = _reason(error, change.path)
            if progress is not None:
                progress(number, len(changes))
        if failed or done != entries:
            try:
                record.save(done)
            except OutputError as error:  # of a full disk; what it has besides was never written
                failed.setdefault(str(record.path), _reason(error, record.path))
        files = [self.root / entry.file for entry in done]
        return Written(files, failed, record.path if done else None)

    def _undo_file(self, path: Path) -> UndoFile:
        if path.exists():
            raise OutputError(f"{path} exists; name another file to take the stars back with.")
        return UndoFile(path, self.root.resolve(), self.album.resolve(), ())

    def _entry(self, row: StarsRow, change: FileChange) -> Entry:
        return Entry(
            change.path.relative_to(self.root).as_posix(),
            row.photo.relative_to(self.album).as_posix(),
            row.after,
            change.before,
            digest(change.content) or "",
            change.splices,
        )

    def _write(self, row: StarsRow, change: FileChange, entry: Entry, *, sweep: bool) -> Entry:
        assert change.content is not None
        if digest(content_of(change.path)) != change.before:
            raise MetadataError(f"{CHANGED} the table was made; skipped.")
        replace_content(change.path, change.content, sweep=sweep)
        return entry


def plan_stars(
    found: Stars,
    stars: Mapping[str, int],
    *,
    album: str | os.PathLike[str],
    overwrite: bool = False,
    naming: Naming | None = None,
    sidecars_to: str | os.PathLike[str] | None = None,
) -> StarsPlan:
    """What would change, if photos got these stars.

    A photo's sidecars are updated, all that it has; where it has none, new ones are made
    (`Sidecars.new`). In an updated one only `xmp:Rating` changes.

    Args:
        found: what `read_stars` found in the album.
        stars: 1 to 5 by the photos' paths, as `found` has them; others are left as they are.
        album: the folder of photos.
        overwrite: whether stars and rejections that are there already are replaced.
        naming: of new sidecars; as most are there when not given.
        sidecars_to: a folder that sidecars go to, in the album's folders, with the content of
            those beside the photos.

    Raises:
        SettingError: other stars than 1 to 5, or a photo that is not in the album.
    """
    for photo, given in stars.items():
        if photo not in found.photos:
            raise SettingError(f"{photo} is none of the photos whose stars were read.")
        if given not in range(LOWEST, HIGHEST + 1):
            raise SettingError(f"{photo}: {given} stars; expected {LOWEST} to {HIGHEST}.")
    folder = Path(album)
    root = folder if sidecars_to is None else Path(sidecars_to)
    below = None if sidecars_to is None else (folder, root)
    there = None
    if below is not None:
        there = Sidecars.of((x.shot for x in found.photos.values()), below)
    rows = [
        _row(now, int(stars[photo]), found.sidecars, there, below, overwrite, naming)
        for photo, now in found.photos.items()
        if photo in stars
    ]
    return StarsPlan(folder, root, rows)


def _row(
    now: PhotoStars,
    after: int,
    beside: Sidecars,
    there: Sidecars | None,
    below: tuple[Path, Path] | None,
    overwrite: bool,
    naming: Naming | None,
) -> StarsRow:
    photo = now.shot.photo
    before = -1.0 if now.rejected else now.stars
    if before is not None and not overwrite:
        return StarsRow(photo, before, after, kept="rejected by you" if before < 0 else "your own")
    own = {file: reason for file, reason in now.problems.items() if file not in now.sidecars}
    if own and not overwrite:
        file, reason = next(iter(own.items()))
        return StarsRow(photo, before, after, kept=f"{file.name} {reason}", failed=True)
    if there is None or below is None:
        known, sources = now.sidecars, now.sidecars
    elif known := there.beside[photo]:
        sources = known
    else:
        known, sources = tuple(moved(x, below) for x in now.sidecars), now.sidecars
    changes = []
    for target, source in zip(known, sources, strict=True):
        try:
            change = _update(target, source, after)
        except MetadataError as error:
            kept = f"{source.name} {error}"
            return StarsRow(photo, before, after, kept=kept, failed=True)
        changes += [] if change is None else [change]
    if not known:
        made = beside.new(now.shot, naming)
        changes = [FileChange(moved(path, below), new_packet(after)) for path in made]
    if not changes:
        return StarsRow(photo, before, after, kept="the same already")
    return StarsRow(photo, before, after, tuple(changes))


def _update(target: Path, source: Path, stars: int) -> FileChange | None:
    """Of a sidecar, into which the content of another may go; `None` where it says so already."""
    content = read_sidecar(source)
    splices = tuple(with_stars(content, stars))
    new = spliced(content, splices)
    if target != source:
        return FileChange(target, new)
    return None if new == content else FileChange(target, new, digest(content), splices)


def _reason(error: Exception, path: Path) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.removeprefix(f"{path} ").removeprefix(f"{path}: ")


def _left_behind(folders: set[Path]) -> set[Path]:
    """Folders in which something was left by a process that was killed."""
    found = set()
    for folder in folders:
        try:
            names = [path.name for path in folder.iterdir()]
        except OSError:
            continue
        if any(name.startswith(".") and name.endswith(".tmp") for name in names):
            found.add(folder)
    return found
