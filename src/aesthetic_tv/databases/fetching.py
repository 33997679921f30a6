"""Fetching a database from where it is published: once, whole, checked, and unpacked.

Files come into `<data folder>/.fetching/<database>`, not into the Hub's cache: they are archives
that nobody else reads, and are deleted once they are unpacked. A fetch that was stopped goes on at
the same commit, in the middle of a file (`file_fetching`). The database's folder appears when all
of it is there, with `.source.json` in it, which says what was fetched from where; a folder that has
none is the user's own, and is taken as it is.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock
from huggingface_hub import constants

from aesthetic_tv.databases.archives import ArchiveLimits, is_archive
from aesthetic_tv.databases.fetch_progress import Counter, Progress
from aesthetic_tv.databases.file_fetching import fetch_file
from aesthetic_tv.databases.labels import missing
from aesthetic_tv.databases.placing import check_disk, free_bytes, place
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.source_listing import (
    ListedFile,
    Needed,
    grown,
    listing,
    needed,
    told,
)
from aesthetic_tv.databases.source_marker import Fetched, FetchedFile, here
from aesthetic_tv.databases.sources import DatabaseSource, source_of
from aesthetic_tv.errors import FormatError, OutputError, SourceError
from aesthetic_tv.files import FORMAT_VERSION, read_config, write_json

ARRIVING, KEPT = ".fetching", "archives"  # below the data folder
PLAN = "plan.json"
AT_ONCE = 4  # files


def needed_bytes(
    source: str | DatabaseSource,
    *,
    token: str | bool | None = None,
    offline: bool | None = None,
) -> Needed:
    """How much fetching a database takes, without fetching anything.

    Args:
        source: of `SOURCES`, or its name.
        token: of the user; the one that is logged in when not given.
        offline: take the sizes that are known instead of asking the Hub; as `HF_HUB_OFFLINE` says
            when not given.

    Raises:
        SourceError: to be had by hand alone; the Hub refuses or fails; or, offline, a size is not
            known.
    """
    source = _source(source)
    if source.by_hand is not None:
        raise _by_hand(source)
    if not _is_offline(offline):
        return needed(source, listing(source, token))
    if source.bytes is None:
        raise SourceError(
            f"{source.name}: how large it is on {source.repo_id} is not known without asking the "
            "Hub; turn the network on."
        )
    packed = [file for file in source.files if is_archive(file.path) or file.photos]
    archives = sum(file.size or 0 for file in packed)
    return Needed(source.bytes, source.unpacked or grown(archives), False)


def fetched(source: str | DatabaseSource, data_dir: str | os.PathLike[str]) -> Fetched | None:
    """What is here of a database already, without any network; `None` where nothing is.

    Raises:
        SourceError: what says where it is from is damaged.
    """
    source = _source(source)
    return here(source, Path(data_dir) / source.name)


def fetch(
    source: str | DatabaseSource,
    data_dir: str | os.PathLike[str],
    *,
    keep_archives: bool = False,
    unpack_all: bool = False,
    token: str | bool | None = None,
    offline: bool | None = None,
    limits: ArchiveLimits | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Have a database here: fetch it where it is not, and do nothing where it is.

    Several processes may ask for the same one: one fetches, the others wait.

    Args:
        source: of `SOURCES`, or its name.
        data_dir: the database comes to `<data_dir>/<name>`.
        keep_archives: move them to `<data_dir>/archives/<name>` when they are unpacked.
        unpack_all: also zips of photos that are as fast to read from inside, and otherwise stay as
            they are in the database's folder.
        token: of the user; the one that is logged in when not given.
        offline: never use the network; as `HF_HUB_OFFLINE` says when not given.
        limits: on what archives may hold.
        progress: called with ("fetching" or "unpacking", bytes done, bytes in all).

    Raises:
        SourceError: to be had by hand alone, missing, gated, changed, damaged, or larger than the
            disk; it names the database, where it is, and what to do. What arrived whole is kept
            for the next attempt.
        OutputError: the folder cannot be written.

    Example:
        >>> folder = fetch("koniq-10k", "/big").folder  # doctest: +SKIP
        >>> database = load("koniq-10k", folder)  # doctest: +SKIP
    """
    source, data_dir = _source(source), Path(data_dir)
    folder, arriving = data_dir / source.name, data_dir / ARRIVING / source.name
    if (found := here(source, folder)) is not None:
        return found
    if source.by_hand is not None:
        raise _by_hand(source, folder)
    if _is_offline(offline):
        raise SourceError(
            f"{source.name} is not in {folder}, and the network is turned off (HF_HUB_OFFLINE). "
            f"Fetch it once from {source.repo_id} with the network on."
        )
    try:
        arriving.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{data_dir} cannot be written ({error.strerror}).") from error
    with FileLock(arriving.with_name(f"{source.name}.lock")):
        # Another process may have fetched it meanwhile.
        if (found := here(source, folder)) is not None:
            return found
        listed = _planned(source, arriving, token)
        free = free_bytes(folder) + _arrived(arriving)
        check_disk(source, folder, needed(source, listed).disk, free)
        files = _download(source, listed, arriving, token, progress)
        paths = {file: arriving / file.repo_id / file.path for file in listed}
        place(source, folder, paths, files, unpack_all=unpack_all, limits=limits, progress=progress)
        if keep_archives:
            _keep(paths, data_dir / KEPT / source.name)
        shutil.rmtree(arriving, ignore_errors=True)
    found = here(source, folder)
    assert found is not None
    return found


def _source(source: str | DatabaseSource) -> DatabaseSource:
    return source_of(source) if isinstance(source, str) else source


def _is_offline(offline: bool | None) -> bool:
    return constants.HF_HUB_OFFLINE if offline is None else offline


def _by_hand(source: DatabaseSource, folder: Path | None = None) -> SourceError:
    told = f"{source.name} is to be had by hand alone. {source.by_hand} Terms: {source.terms}."
    if folder is not None:
        known = entry(source.name)
        told += f" {missing(folder, [known.layout[0]], known)}"
    return SourceError(told)


def _planned(source: DatabaseSource, arriving: Path, token: str | bool | None) -> list[ListedFile]:
    """What there is to fetch; where a fetch was stopped, at the commits it was at."""
    pinned = dict[str, str]()
    if (arriving / PLAN).is_file():
        try:
            pinned = dict(read_config(arriving, PLAN)["revisions"])
        except (FormatError, LookupError, TypeError, ValueError):
            pinned = {}  # a plan that says nothing any more
    listed = listing(source, token, pinned)
    revisions = {file.repo_id: file.revision for file in listed}
    write_json(arriving / PLAN, {"format_version": FORMAT_VERSION, "revisions": revisions})
    return listed


def _arrived(arriving: Path) -> int:
    """Bytes that an earlier attempt has on the disk already."""
    return sum(path.stat().st_size for path in arriving.rglob("*") if path.is_file())


def _download(
    source: DatabaseSource,
    listed: Sequence[ListedFile],
    arriving: Path,
    token: str | bool | None,
    progress: Progress | None,
) -> tuple[FetchedFile, ...]:
    for orphan in arriving.rglob("*.incomplete"):  # of a client that was killed, and of no use
        orphan.unlink()
    counter = Counter("fetching", sum(file.size for file in listed), progress)

    def one(file: ListedFile) -> FetchedFile:
        with told(source, file.repo_id, file.path), counter.whole(file.size) as bar:
            folder = arriving / file.repo_id
            return fetch_file(source.name, file, folder, token, bar)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(one, listed))


def _keep(paths: Mapping[ListedFile, Path], folder: Path) -> None:
    for file, path in paths.items():
        if file.is_archive or file.photos:
            folder.mkdir(parents=True, exist_ok=True)
            path.replace(folder / path.name)
