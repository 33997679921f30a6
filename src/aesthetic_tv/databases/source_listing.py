"""What the Hub lists of a database's files, at one commit, before any of them is fetched."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from huggingface_hub.hf_api import RepoFile

from aesthetic_tv.databases.archives import is_archive
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.sources import DatabaseSource, SourceFile
from aesthetic_tv.errors import HubError, HubNotFoundError, SourceError
from aesthetic_tv.hub.failures import told_clearly
from aesthetic_tv.hub.repos import client

GROWTH = 1.1  # unpacked photos to their archive: they do not shrink, tables do
NEVER = (".gitattributes", "README.md")  # by a pattern
SHOWN = 8  # files in a message


@dataclass(frozen=True)
class ListedFile:
    """A file as the Hub lists it.

    Attributes:
        repo_id, repo_type, revision: where it is; a 40-hex commit.
        path: in the repo.
        size: bytes.
        blob_id: git's hash of it, or of the pointer to it.
        sha256: of its content, where the Hub tells.
        into: the folder of the database's that it belongs in.
        photos: columns of photos and of their names, of parquet whose rows hold them.
        is_xet: whether it is in Xet storage.
    """

    repo_id: str
    repo_type: str
    revision: str
    path: str
    size: int
    blob_id: str
    sha256: str | None
    into: str
    photos: tuple[tuple[str, str], ...]
    is_xet: bool = False

    @property
    def is_archive(self) -> bool:
        """Whether it is to be unpacked."""
        return is_archive(Path(self.path).name)


@dataclass(frozen=True)
class Needed:
    """Bytes that fetching a database takes.

    Attributes:
        download: of its files.
        unpacked: of what archives hold, an estimate until they are here.
        is_exact: whether the Hub was asked for the sizes of the files.
    """

    download: int
    unpacked: int
    is_exact: bool

    @property
    def disk(self) -> int:
        """At most, while archives and what they hold lie side by side."""
        return self.download + self.unpacked


def needed(source: DatabaseSource, listed: Sequence[ListedFile]) -> Needed:
    """Bytes that listed files take."""
    download = sum(file.size for file in listed)
    archives = sum(file.size for file in listed if file.is_archive or file.photos)
    return Needed(download, source.unpacked or grown(archives), True)


def grown(archives: int) -> int:
    """What archives take when unpacked, for all that is known before they are here."""
    return int(archives * GROWTH)


def listing(
    source: DatabaseSource, token: str | bool | None, pinned: Mapping[str, str] | None = None
) -> list[ListedFile]:
    """The files of a source, each at one commit of its repo.

    Args:
        source: of a database.
        token: of the user.
        pinned: commits of repos that a fetch was at when it was stopped.

    Raises:
        SourceError: a repo or file is not there, may not be read, or was changed; or the Hub fails.
    """
    listed = list[ListedFile]()
    for repo_id in dict.fromkeys(file.repo_id or source.repo_id for file in source.files):
        own = repo_id == source.repo_id
        kind = source.repo_type if own else "dataset"
        commit, there = _tree(source, repo_id, kind, token, (pinned or {}).get(repo_id))
        for file in source.files:
            if (file.repo_id or source.repo_id) != repo_id:
                continue
            found = _matching(file, there)
            if not found:
                shown = ", ".join(sorted(other.path for other in there)[:SHOWN]) or "nothing"
                raise SourceError(
                    f"{source.name}: {repo_id}@{commit} holds no {file.path}; it holds {shown}. "
                    "Name a revision that has it, or get the database from its makers: "
                    f"{entry(source.name).homepage}"
                )
            listed += [_listed(source, file, other, repo_id, kind, commit) for other in found]
    return listed


def _tree(
    source: DatabaseSource,
    repo_id: str,
    kind: Any,
    token: str | bool | None,
    pinned: str | None,
) -> tuple[str, list[RepoFile]]:
    revision = source.revision if repo_id == source.repo_id else None
    api = client(token)
    if pinned is not None and revision is None:
        try:
            return pinned, _files(source, api, repo_id, kind, pinned)
        except SourceError as error:  # the repo was made anew meanwhile
            if not isinstance(error.__cause__, HubNotFoundError):
                raise
    with told(source, repo_id):
        commit = api.repo_info(repo_id, revision=revision, repo_type=kind).sha
    assert commit is not None
    return commit, _files(source, api, repo_id, kind, commit)


def _files(
    source: DatabaseSource, api: Any, repo_id: str, kind: str, commit: str
) -> list[RepoFile]:
    with told(source, repo_id):
        tree = api.list_repo_tree(repo_id, revision=commit, repo_type=kind, recursive=True)
        return [file for file in tree if isinstance(file, RepoFile)]


def _matching(file: SourceFile, there: Iterable[RepoFile]) -> list[RepoFile]:
    if "*" not in file.path:
        return [other for other in there if other.path == file.path]
    return [
        other for other in there if fnmatchcase(other.path, file.path) and other.path not in NEVER
    ]


def _listed(
    source: DatabaseSource,
    file: SourceFile,
    other: RepoFile,
    repo_id: str,
    kind: str,
    commit: str,
) -> ListedFile:
    sha256 = other.lfs.sha256 if other.lfs is not None else None
    if file.sha256 is not None and sha256 not in (None, file.sha256):
        raise SourceError(
            f"{source.name}: {other.path} of {repo_id} was changed: its SHA-256 is {sha256}, "
            f"expected {file.sha256}. Name the revision that you want, or leave the hash out to "
            "take what is there now."
        )
    return ListedFile(
        *(repo_id, kind, commit, other.path, other.size, other.blob_id),
        *(sha256 or file.sha256, file.into, file.photos, other.xet_hash is not None),
    )


@contextmanager
def told(source: DatabaseSource, repo_id: str, file: str = "") -> Iterator[None]:
    """Turn what fails on the Hub inside the block into an error that names the database.

    Args:
        source: of the database.
        repo_id: that is asked.
        file: of it, where one is fetched.
    """
    try:
        with told_clearly(repo_id, None):
            yield
    except HubError as error:
        what = f"{source.name}, {file}" if file else source.name
        raise SourceError(f"{what}: {error} Its makers: {entry(source.name).homepage}") from error
