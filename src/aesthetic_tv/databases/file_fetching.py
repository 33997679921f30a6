"""One file from the Hub, whole and with the hash that its repo lists; begun again where it was
stopped.

The Hub's client begins a file anew each time, so plain downloads go by its `http_get` into a part
file that stays. A file in Xet storage comes by the client's own way where it has that, which is
many times faster, and begins anew.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import (
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers
from tqdm import tqdm

from aesthetic_tv.databases.source_listing import ListedFile
from aesthetic_tv.databases.source_marker import FetchedFile
from aesthetic_tv.errors import SourceError
from aesthetic_tv.files import inside
from aesthetic_tv.hub.repos import file_hashes
from aesthetic_tv.version import __version__

PART = ".part"
SMALL = 64 << 20  # a table that somebody may edit


def fetch_file(
    database: str, file: ListedFile, folder: Path, token: str | bool | None, bar: type[tqdm]
) -> FetchedFile:
    """Fetch a file; one that is there already, or in the Hub's cache, is looked at, and kept where
    it is the same.

    Args:
        database: its name, for the error.
        file: as the Hub lists it.
        folder: for the files of its repo.
        token: of the user; the one that is logged in when not given.
        bar: a class of bars that counts bytes.

    Raises:
        SourceError: what arrived is another file than the repo lists.
        OSError: of the Hub's client, or the disk.
    """
    target = inside(folder, file.path)  # a repo may not write elsewhere
    if target.is_file():
        size, found = _hashes(target, file)
        if size == file.size and found[1] == found[2]:
            return _as_fetched(file, found[0])
        target.unlink()  # of another commit
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name[:200]}.{(file.sha256 or file.blob_id)[:16]}{PART}")
    cached = try_to_load_from_cache(
        file.repo_id, file.path, revision=file.revision, repo_type=file.repo_type
    )
    if isinstance(cached, str):
        linked(Path(cached).resolve(), target, least=SMALL)
    elif file.is_xet and _knows_xet() and not part.exists():
        hf_hub_download(
            file.repo_id,
            file.path,
            repo_type=file.repo_type,
            revision=file.revision,
            local_dir=folder,
            token=token,
            tqdm_class=bar,
        )
    else:
        _continue(file, part, token, bar)
        part.replace(target)
    size, (sha256, found_hash, expected) = _hashes(target, file)
    if size != file.size or found_hash != expected:
        target.unlink()
        raise SourceError(
            f"{database}: {file.path} of {file.repo_id} arrived damaged ({size:,} bytes, hash "
            f"{found_hash[:12]}; expected {file.size:,} bytes, hash {expected[:12]}), and is not "
            "kept. Fetch it again."
        )
    return _as_fetched(file, sha256)


def _continue(file: ListedFile, part: Path, token: str | bool | None, bar: type[tqdm]) -> None:
    """Fetch what is missing of a part file."""
    url = hf_hub_url(file.repo_id, file.path, repo_type=file.repo_type, revision=file.revision)
    headers = build_hf_headers(
        token=token, library_name="aesthetic_tv", library_version=__version__
    )
    place = get_hf_file_metadata(url, headers=headers).location
    if urlsplit(place).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # the token is the Hub's alone
    headers["Accept-Encoding"] = "identity"  # places in the file are counted as it is
    with part.open("ab") as arriving:
        size = arriving.tell()
        if size > file.size:
            arriving.truncate(size := 0)
        http_get(
            place,
            arriving,
            resume_size=size,
            headers=headers,
            expected_size=file.size,
            tqdm_class=bar,
        )


def linked(path: Path, target: Path, *, least: int = 0) -> None:
    """A file at another place, without a second copy of it where the file system knows links.

    Args:
        path: of the file.
        target: where it is wanted.
        least: bytes under which it is copied all the same, so that who edits one edits no other.
    """
    try:
        if path.stat().st_size < least:
            shutil.copyfile(path, target)
        else:
            target.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, target)


def _knows_xet() -> bool:
    return not constants.HF_HUB_DISABLE_XET and find_spec("hf_xet") is not None


def _hashes(path: Path, file: ListedFile) -> tuple[int, tuple[str, str, str]]:
    """Size of a file; its SHA-256, and the hash that is compared, as found and as listed."""
    # A file without a SHA-256 is a small one, that lies in git itself.
    size, sha256, blob = file_hashes(path, as_blob=file.sha256 is None)
    if file.sha256 is None:
        return size, (sha256, blob, file.blob_id)
    return size, (sha256, sha256, file.sha256)


def _as_fetched(file: ListedFile, sha256: str) -> FetchedFile:
    return FetchedFile(file.path, file.repo_id, file.revision, file.size, sha256)
