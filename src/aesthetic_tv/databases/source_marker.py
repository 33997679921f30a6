"""What says that a database was fetched: `.source.json` in its folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aesthetic_tv.databases.sources import DatabaseSource
from aesthetic_tv.errors import FormatError, SourceError
from aesthetic_tv.files import FORMAT_VERSION, config_value, read_config, write_json

MARKER = ".source.json"


@dataclass(frozen=True)
class FetchedFile:
    """A file that was fetched.

    Attributes:
        path: in its repo.
        repo_id: where it is.
        revision: the commit, 40-hex.
        size: bytes.
        sha256: of its content.
    """

    path: str
    repo_id: str
    revision: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Fetched:
    """A database that is here.

    Attributes:
        name: of the database.
        folder: to give to `databases.load`.
        revision: commit of the source's repo, 40-hex; `None` for a folder of the user's own.
        files: what was fetched; empty for a folder of the user's own.
        terms: what its makers say, as it was told then.
    """

    name: str
    folder: Path
    revision: str | None = None
    files: tuple[FetchedFile, ...] = field(default=(), repr=False)
    terms: str = ""

    @property
    def is_own(self) -> bool:
        """Whether the user laid it out."""
        return self.revision is None

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file by its path."""
        return {file.path: file.size for file in self.files}

    @property
    def sha256(self) -> dict[str, str]:
        """Hash of each file by its path."""
        return {file.path: file.sha256 for file in self.files}


def here(source: DatabaseSource, folder: Path) -> Fetched | None:
    """The database where it is there: as it was fetched, or as the user laid it out; `None` where
    it is not, or at another commit than the one asked for.

    Raises:
        SourceError: what says where it is from is damaged.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    if not (folder / MARKER).is_file():
        return Fetched(source.name, folder)
    path = folder / MARKER
    try:
        config = read_config(folder, MARKER)
        revision = config_value(config, "revision", str, path)
        files = tuple(FetchedFile(**file) for file in config_value(config, "files", list, path))
        terms = config_value(config, "terms", str, path)
    except (FormatError, TypeError) as error:
        raise SourceError(
            f"{source.name}: {path} is damaged ({error}). Delete {folder}, so that it is fetched "
            "again."
        ) from error
    wanted = source.revision
    if wanted is not None and len(wanted) == 40 and wanted != revision:
        return None  # a recipe that names another commit means another database
    return Fetched(source.name, folder, revision, files, terms)


def mark(source: DatabaseSource, folder: Path, files: Sequence[FetchedFile]) -> None:
    """Say what a folder was fetched from."""
    marker = {
        "format_version": FORMAT_VERSION,
        "database": source.name,
        "repo_id": source.repo_id,
        "revision": next(file.revision for file in files if file.repo_id == source.repo_id),
        "terms": str(source.terms),
        "files": [vars(file) for file in files],
    }
    write_json(folder / MARKER, marker)
