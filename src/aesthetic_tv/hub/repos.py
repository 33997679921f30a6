"""Fetching from the Hub and pushing to it; but for `spaces`, the only module that talks to it."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from huggingface_hub import CommitInfo, HfApi, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
)

from aesthetic_tv.errors import (
    BaseMismatchError,
    FormatError,
    HubConflictError,
    HubError,
    ScorerError,
    SettingError,
)
from aesthetic_tv.hub.failures import told_clearly
from aesthetic_tv.version import __version__

CONFIGS = ("*.json",)
DATA = ("*.json", "*.safetensors")  # all that any repo of ours is loaded from; never a pickle
EVERYTHING = (*DATA, "*.md", "*.png", "*.py")
RATINGS = "ratings.csv"  # a person's own: goes along only where that person asks for it
HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
CHUNK = 1 << 20


@dataclass(frozen=True)
class Access:
    """How the Hub is reached.

    Args:
        cache_dir: where fetched files are kept; the client's own cache when not given.
        token: of the user; the one that is logged in when not given, none at all when `False`.
        local_files_only: never use the network, only the cache.
    """

    cache_dir: str | os.PathLike[str] | None = None
    token: str | bool | None = field(default=None, repr=False)
    local_files_only: bool = False


class PushSettings(TypedDict, total=False):
    """What each `push_to_hub` takes beside the repo, as `push` explains it."""

    private: bool | None
    branch: str | None
    tag: str | None
    create_pr: bool
    token: str | bool | None
    commit_message: str
    keep_readme: bool
    parent_commit: str | None


@dataclass(frozen=True)
class Snapshot:
    """A folder with the files of a repo at one commit, or of no repo.

    Attributes:
        folder: where the files are.
        repo_id: `None` for a local folder.
        revision: the 40-hex commit; `None` for a local folder.
    """

    folder: Path
    repo_id: str | None = None
    revision: str | None = None

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let errors inside the block name repo and revision instead of a folder in the cache."""
        try:
            yield
        except (FormatError, BaseMismatchError, ScorerError) as error:
            if self.repo_id is None or self.repo_id in str(error):
                raise
            told = str(error).replace(f"{self.folder}/", "").replace(str(self.folder), "it")
            raise type(error)(f"{self.repo_id}@{self.revision}: {told}") from error


def resolve(
    name_or_folder: str | os.PathLike[str],
    *,
    revision: str | None = None,
    access: Access | None = None,
    patterns: Sequence[str] = DATA,
    marker: str | None = None,
) -> Snapshot:
    """The folder behind a name: a local folder where there is one, otherwise fetched.

    A branch or tag is resolved to its commit once, and all files are of that commit. What is in
    the cache whole is not fetched again; what arrives is checked against the repo's own hashes.

    Args:
        name_or_folder: a folder, or a Hub id `owner/name`.
        revision: branch, tag or commit; the newest of `main` when not given.
        access: cache, token, network.
        patterns: of the files that are needed.
        marker: a config that the repo must have, looked for before anything large is fetched.

    Raises:
        FormatError: neither a folder here nor a Hub id, or a repo without the marker.
        HubError: see its subclasses; nothing half-written is left in the cache.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        return Snapshot(folder)
    repo_id = str(name_or_folder)
    if folder.is_absolute() or not HUB_ID.fullmatch(repo_id):
        raise FormatError(f"{repo_id} is no folder here and no Hub id (`owner/name`).")
    access = access or Access()
    api = client(access.token)
    with told_clearly(repo_id, revision):
        commit = api.resolve_revision(
            repo_id,
            revision=revision,
            cache_dir=_cache(access),
            local_files_only=access.local_files_only,
        ).resolved
    with told_clearly(repo_id, commit):
        if marker is not None:
            configs = _fetch(api, repo_id, commit, access, CONFIGS)
            if not (configs / marker).is_file():
                found = ", ".join(sorted(path.name for path in configs.glob("*.json"))) or "none"
                raise FormatError(
                    f"{repo_id}@{commit} holds no {marker}; its configs: {found}. It is a repo of "
                    "another kind."
                )
        return Snapshot(_fetch(api, repo_id, commit, access, patterns), repo_id, commit)


def hub_id(repo_id: str, where: object) -> str:
    """A Hub id that a config names, as it is.

    Raises:
        FormatError: something else, such as a path: a repo may not point into someone's disk.
    """
    if not HUB_ID.fullmatch(repo_id):
        raise FormatError(f"{where} names {repo_id!r}, which is no Hub id (`owner/name`); refused.")
    return repo_id


def _fetch(api: HfApi, repo_id: str, commit: str, access: Access, patterns: Sequence[str]) -> Path:
    asked: dict[str, Any] = {
        "revision": commit,
        "cache_dir": _cache(access),
        "allow_patterns": list(patterns),
        "token": access.token,
    }
    before = set[str]()
    try:
        folder = Path(snapshot_download(repo_id, local_files_only=True, **asked))
        if access.local_files_only or _listing(repo_id, commit, access):
            return folder
    except IncompleteSnapshotError as error:
        before = _files(Path(error.snapshot_path))
        if access.local_files_only:
            raise
    except LocalEntryNotFoundError:
        if access.local_files_only:
            raise
    # One request that is not retried: without a network it fails at once, the listing in 20 s.
    api.repo_info(repo_id, revision=commit)
    folder = Path(snapshot_download(repo_id, **asked))
    _verify(folder, _files(folder) - before, _listing(repo_id, commit, access), repo_id, commit)
    return folder


def _listing(repo_id: str, commit: str, access: Access) -> dict[str, str]:
    """The git hash of each file by path, as the Hub told it; empty where it was never fetched."""
    try:
        files = get_cached_repo_tree(repo_id, revision=commit, cache_dir=_cache(access))
    except CachedRepoTreeNotFoundError:
        return {}
    return {file.path: file.blob_id for file in files}


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _verify(
    folder: Path, fetched: set[str], listing: dict[str, str], repo_id: str, commit: str
) -> None:
    """Remove what does not have the hash that the repo lists: the client compares only sizes."""
    damaged = sorted(name for name in fetched if not _is_blob(folder / name, listing.get(name)))
    for name in damaged:
        (folder / name).resolve().unlink(missing_ok=True)
        (folder / name).unlink(missing_ok=True)
    if damaged:
        raise HubError(
            f"{repo_id}@{commit}: {', '.join(damaged[:3])} arrived damaged (its hash is not the "
            "one the repo lists), and is not kept. Try again."
        )


def _is_blob(path: Path, expected: str | None) -> bool:
    """Whether a file is the git object `expected`, by itself or by the LFS pointer to it."""
    size, sha256, blob = file_hashes(path)
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    ).encode()
    lfs = hashlib.sha1(f"blob {len(pointer)}\0".encode() + pointer)
    return expected in (blob, lfs.hexdigest())


def file_hashes(path: Path, *, as_blob: bool = True) -> tuple[int, str, str]:
    """What the Hub lists of a file: its size, its SHA-256, and its id as an object of git.

    Args:
        path: of the file.
        as_blob: whether the last is wanted; it is empty otherwise.
    """
    size = path.stat().st_size
    content, blob = hashlib.sha256(), hashlib.sha1(f"blob {size}\0".encode())
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            content.update(chunk)
            if as_blob:
                blob.update(chunk)
    return size, content.hexdigest(), blob.hexdigest() if as_blob else ""


def _cache(access: Access) -> str | None:
    return None if access.cache_dir is None else str(access.cache_dir)


def client(token: str | bool | None) -> HfApi:
    """The Hub's client, which tells who asks."""
    return HfApi(token=token, library_name="aesthetic_tv", library_version=__version__)


def push(
    folder: str | os.PathLike[str],
    repo_id: str,
    *,
    private: bool | None = None,
    branch: str | None = None,
    tag: str | None = None,
    create_pr: bool = False,
    token: str | bool | None = None,
    commit_message: str = "Upload with aesthetic_tv",
    keep_readme: bool = True,
    parent_commit: str | None = None,
    repo_type: str = "model",
    delete_patterns: Sequence[str] = (),
) -> CommitInfo:
    """Push a folder in one commit: all of it, or nothing.

    Args:
        folder: what to push.
        repo_id: `owner/name`, or `name` for the token's own; made where it does not exist.
        private: for a repo that is made; the owner's default when not given.
        branch: made from `main` where it does not exist.
        tag: put on the commit.
        create_pr: propose the commit as a pull request instead of pushing to the branch.
        token: of the user; the one that is logged in when not given.
        commit_message: first line of the commit.
        keep_readme: leave a README.md that the repo has already.
        parent_commit: refuse unless the branch is still at this commit; where it stands when the
            push begins, when not given.
        repo_type: `model`, `dataset` or `space` (of gradio).
        delete_patterns: of files that leave the repo where the folder does not hold them.

    Returns:
        The client's `CommitInfo`: `commit_url`, `oid`, and `pr_url` of a pull request.

    Raises:
        SettingError: a tag for a pull request.
        HubError: see its subclasses; the branch is as it was.
    """
    if tag is not None and create_pr:
        raise SettingError("a pull request is not tagged; give tag= or create_pr=True, not both.")
    api = client(token)
    kind: dict[str, Any] = {"repo_type": repo_type}
    with told_clearly(repo_id, branch, pushing=True):
        sdk = "gradio" if repo_type == "space" else None
        url = api.create_repo(repo_id, private=private, exist_ok=True, space_sdk=sdk, **kind)
        repo_id = url.repo_id
        refs = api.list_repo_refs(repo_id, **kind)
        if tag is not None and tag in {ref.name for ref in refs.tags}:
            raise HubConflictError(
                f"{repo_id} has a tag {tag} already, and a tag stays where it is. Name another. "
                "Nothing was pushed."
            )
        if branch is not None and branch not in {ref.name for ref in refs.branches}:
            api.create_branch(repo_id, branch=branch, **kind)
        head: Any = api.repo_info(repo_id, revision=branch, **kind)
        has_readme = "README.md" in {file.rfilename for file in head.siblings or ()}
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=Path(folder),
            revision=branch,
            create_pr=create_pr,
            commit_message=commit_message,
            parent_commit=parent_commit or head.sha,
            ignore_patterns=["README.md"] if keep_readme and has_readme else None,
            delete_patterns=list(delete_patterns) or None,
            **kind,
        )
    if tag is not None:
        # Apart from the block above: by now something was pushed.
        with told_clearly(repo_id, tag):
            api.create_tag(repo_id, tag=tag, revision=commit.oid, **kind)
    return commit
