"""Taking back stars that were written: each file as it was, byte by byte.

An undo file is JSON with a hash of itself. For each sidecar it has the hashes of what was there
before and of what was written, and the few bytes that differ; it is written before the first of
them. So whatever ends the writing, a full disk or a kill, each sidecar can be told to be the old or
the new one, and one that somebody changed since is left alone.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from aesthetic_tv.errors import AestheticTVError, FormatError, MetadataError
from aesthetic_tv.files import FORMAT_VERSION, atomic_path, config_value, reading, write_json
from aesthetic_tv.names import written
from aesthetic_tv.photo_metadata.beside_album import album_places, can_write
from aesthetic_tv.photo_metadata.sidecars import SUFFIX
from aesthetic_tv.photo_metadata.stars import read_sidecar
from aesthetic_tv.photo_metadata.xmp_edit import Splice, reversed_splices, spliced

ENDING = ".stars-undo"  # after the album's name, before a number and .json
KIND = "stars"
CHANGED = "was changed since"


@dataclass(frozen=True)
class Entry:
    """One file with stars that were written.

    Args:
        file: path from the folder that all of them are below, with `/`.
        photo: path of its photo from the album.
        stars: that were written, 1 to 5.
        before: SHA-256 of what was there; `None` where there was no file.
        after: SHA-256 of what was written; empty for a photo where the writing was cut off.
        splices: what was replaced; of a new file none.
        embedded: for stars inside of a photo, its former rating, which may be empty, by the names
            that exiv2 has for the tags; `None` for a sidecar.
    """

    file: str
    photo: str
    stars: int
    before: str | None
    after: str
    splices: tuple[Splice, ...] = ()
    embedded: Mapping[str, str] | None = None


@dataclass(frozen=True)
class UndoFile:
    """What was written at one time.

    Args:
        path: of the file.
        root: the folder that all files are below.
        album: that of the photos.
        entries: the files.
    """

    path: Path
    root: Path
    album: Path
    entries: tuple[Entry, ...] = field(repr=False)

    def save(self, entries: Iterable[Entry]) -> None:
        """Write it, with these entries; without any it is deleted.

        Raises:
            OutputError: it could not be written.
        """
        listed = [_described(entry) for entry in entries]
        if not listed:
            self.path.unlink(missing_ok=True)
            return
        content = {
            "format_version": FORMAT_VERSION,
            "kind": KIND,
            "root": str(self.root),
            "album": str(self.album),
            "files": listed,
        }
        write_json(self.path, content, indent=1)

    @classmethod
    def load(cls, path: Path) -> "UndoFile":
        """Read it.

        Raises:
            FormatError: it is none, or damaged.
        """
        with reading(path.parent, path.name) as config:
            if config.get("kind") != KIND:
                raise FormatError(f"{path} is no undo file of stars.")
            return cls(
                path,
                Path(config_value(config, "root", str, path)),
                Path(config_value(config, "album", str, path)),
                tuple(_entry(x) for x in config_value(config, "files", list, path)),
            )


@dataclass(frozen=True)
class Undone:
    """What was taken back.

    Args:
        files: those that are as they were.
        failed: those that were left alone, and why.
    """

    files: list[Path] = field(repr=False)
    failed: dict[str, str] = field(default_factory=dict)


def undo_stars(path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Undone:
    """Put back what was there before stars were written; the undo file keeps what could not be.

    Args:
        path: of the undo file; it is deleted when nothing is left to undo.
        root: the album, where it lies elsewhere by now.

    Raises:
        FormatError: it is no undo file, or damaged.
    """
    undo = UndoFile.load(Path(path))
    place = undo.root if root is None else Path(root)
    done, failed, left = list[Path](), dict[str, str](), list[Entry]()
    later = {
        (other.root / entry.file): other.path.name
        for other in undo_files(undo.album)
        for entry in other.entries
        if other.path.resolve() != undo.path.resolve() and entry.before
    }
    for entry in reversed(undo.entries):
        file = place / entry.file
        try:
            _put_back(file, entry)
            done.append(file)
        except (AestheticTVError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            if (last := later.get(undo.root / entry.file)) is not None:
                reason += f" Perhaps by the run of {last}; take that back first."
            failed[str(file)] = reason
            left.insert(0, entry)
    if done:
        undo.save(left)
    return Undone(done, failed)


def undo_place(album: str | os.PathLike[str]) -> Path:
    """Where to write the undo file of an album: beside it, or where that cannot be written in the
    person's own folder; with a number where there is one already.
    """
    beside, own = album_places(album, ENDING)
    place = beside if can_write(beside.parent) else own
    taken = [number for number, _ in _numbered(place)]
    number = max(taken, default=0) + 1
    return place.with_name(f"{place.name}{f'-{number}' if number > 1 else ''}.json")


def undo_files(album: str | os.PathLike[str]) -> list[UndoFile]:
    """What was written to the sidecars of an album and not taken back, in the order of writing;
    without files that are damaged.
    """
    found = []
    for place in album_places(album, ENDING):
        for _, path in _numbered(place):
            with suppress(FormatError):
                undo = UndoFile.load(path)
                if undo.album == Path(album).resolve():
                    found.append(undo)
    return found


def written_stars(album: str | os.PathLike[str]) -> dict[str, int]:
    """Stars that were written and not taken back, by the paths of photos: so that nobody takes them
    for a person's own.
    """
    return {
        str(Path(album) / entry.photo): entry.stars
        for undo in undo_files(album)
        for entry in undo.entries
    }


def _numbered(place: Path) -> list[tuple[int, Path]]:
    """The undo files there are at a place, by their numbers."""
    known, found = re.compile(rf"{re.escape(place.name)}(?:-(\d+))?\.json"), []
    for path in place.parent.iterdir() if place.parent.is_dir() else ():
        if name := known.fullmatch(path.name):
            found.append((int(name[1] or 1), path))
    return sorted(found)


def digest(content: bytes | None) -> str | None:
    """SHA-256 of a file's content; `None` where there is no file."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def content_of(file: Path) -> bytes | None:
    """What a sidecar holds by now; `None` where there is none.

    Raises:
        MetadataError: it cannot be read.
    """
    return read_sidecar(file) if file.is_symlink() or file.exists() else None


def replace_content(file: Path, content: bytes, *, sweep: bool = True) -> None:
    """Write a sidecar atomically, with the permissions it has; a link keeps leading to it.

    Raises:
        OutputError: it could not be written; it is as it was.
    """
    target = file.resolve() if file.is_symlink() else file
    mode = target.stat().st_mode & 0o777 if target.exists() else None
    with atomic_path(target, sweep=sweep, mode=mode) as temporary:
        temporary.write_bytes(content)


def _put_back(file: Path, entry: Entry) -> None:
    if entry.embedded is not None:
        from aesthetic_tv.photo_metadata.embedding import put_back_embedded

        put_back_embedded(file, entry.embedded, entry.before, entry.after, entry.stars)
        return
    now = content_of(file)
    if digest(now) == entry.before:  # never written, or put back before
        return
    if now is None or digest(now) != entry.after:
        raise MetadataError(f"{CHANGED}; left as it is.")
    if entry.before is None:
        file.unlink()
        return
    former = spliced(now, reversed_splices(entry.splices))
    if digest(former) != entry.before:
        raise MetadataError("cannot be put back byte by byte; left as it is.")
    replace_content(file, former)


def _described(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": entry.file,
        "photo": entry.photo,
        "stars": entry.stars,
        "before": entry.before,
        "after": entry.after,
    }
    if entry.embedded is not None:
        return told | {"embedded": dict(entry.embedded)}
    pieces = [[x.at, x.old.decode("latin-1"), x.new.decode("latin-1")] for x in entry.splices]
    return told | {"splices": pieces}


def _entry(told: Mapping[str, Any]) -> Entry:
    splices: Sequence[Any] = told.get("splices", ())
    embedded = told.get("embedded")
    file = _below(told["file"], embedded is None)
    return Entry(
        file,
        _below(told["photo"], False),
        int(told["stars"]),
        told["before"],
        str(told["after"]),
        tuple(Splice(int(at), o.encode("latin-1"), n.encode("latin-1")) for at, o, n in splices),
        None if embedded is None else {str(k): str(v) for k, v in embedded.items()},
    )


def _below(name: str, sidecar: bool) -> str:
    """A path that leads nowhere but below its folder, and for a sidecar to nothing else."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise FormatError(f"the undo file names {written(name)!r}, which lies elsewhere; refused.")
    if sidecar and path.suffix.lower() != SUFFIX:
        raise FormatError(f"the undo file names {written(name)!r}, which is no sidecar; refused.")
    return name
