"""Writing stars as planned: each file whole, what to take them back with before the first.

A sidecar that was changed since the plan was made is named and left alone; a full disk costs those
that are not written yet, which are named.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aesthetic_tv.errors import AestheticTVError, MetadataError, OutputError
from aesthetic_tv.photo_metadata.beside_album import can_write
from aesthetic_tv.photo_metadata.embedding import embed_stars
from aesthetic_tv.photo_metadata.stars_undo import (
    CHANGED,
    Entry,
    UndoFile,
    content_of,
    digest,
    replace_content,
    undo_place,
)
from aesthetic_tv.photo_metadata.xmp_edit import Splice


@dataclass(frozen=True)
class FileChange:
    """One file, and what it is to hold.

    Args:
        path: of the sidecar, or of the photo itself where stars go into it.
        content: all of the new sidecar; `None` for stars in the photo.
        before: SHA-256 of what is there; `None` where there is no file.
        splices: how the new content is made of what is there.
        embedded: the former ratings in a photo that stars go into; `None` for a sidecar.
    """

    path: Path
    content: bytes | None = field(repr=False)
    before: str | None = None
    splices: tuple[Splice, ...] = ()
    embedded: Mapping[str, str] | None = None


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
            change.embedded,
        )

    def _write(self, row: StarsRow, change: FileChange, entry: Entry, *, sweep: bool) -> Entry:
        if change.content is None:
            return replace(entry, after=embed_stars(change.path, row.after, change.before))
        if digest(content_of(change.path)) != change.before:
            raise MetadataError(f"{CHANGED} the table was made; skipped.")
        replace_content(change.path, change.content, sweep=sweep)
        return entry


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
