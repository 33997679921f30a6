"""The entries of a bank's config: base and vectors in its own folder, or elsewhere on the Hub."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from aesthetic_tv.errors import BaseMismatchError, FormatError, SettingError
from aesthetic_tv.files import config_value, inside
from aesthetic_tv.hub.repos import Access, hub_id, resolve
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import task_vector
from aesthetic_tv.task_vectors.bases import load_base
from aesthetic_tv.task_vectors.task_vector import BaseReference, TaskVector

LOADERS = min(4, os.cpu_count() or 1)  # vectors verified at once
FETCHES = 4  # task vectors fetched at once; each fetches its own files side by side


def stored_base(path: Path, entry: dict[str, Any], access: Access) -> AestheticScorer:
    """The base of the bank whose config is at `path`, verified.

    Raises:
        FormatError: the entry is not one of ours, or names a place outside of the folder.
        BaseMismatchError: it is not the base that the bank was made with.
    """
    if "path" not in entry:
        return load_base(_built(BaseReference, entry, path), access, f"the bank in {path.parent}")
    folder = inside(path.parent, config_value(entry, "path", str, path))
    base = AestheticScorer.from_pretrained(folder, dtype=torch.float32)
    expected = config_value(entry, "fingerprint", str, path)
    if BaseReference.of(base).fingerprint != expected:
        raise BaseMismatchError(
            f"{folder} is not the base that {path} was made with: its fingerprint "
            f"differs from {expected[:12]}. Fetch the whole bank again."
        )
    if entry.get("repo_id") is not None and entry.get("head_seed") is None:
        base.origin = (entry["repo_id"], entry.get("revision"))
    return base


def _built(kind: type, values: dict[str, Any], path: Path) -> Any:
    """A dataclass from its JSON."""
    try:
        return kind(**values)
    except TypeError as error:
        raise FormatError(f"{path}: not a {kind.__name__} ({error}).") from error


def reference_entry(vector: TaskVector) -> dict[str, Any]:
    """What a bank's config says of a vector that stays in its own repo.

    Raises:
        SettingError: the vector was not loaded from the Hub.
    """
    if vector.repo_id is None:
        raise SettingError(
            f"task vector {vector.name!r} was not loaded from the Hub, so a bank cannot refer to "
            "it there. Push it and load it from there, or save the bank with by_reference=False."
        )
    return {
        "name": vector.name,
        "repo_id": vector.repo_id,
        "revision": vector.revision,
        "content_sha256": vector.content_sha256,
    }


def stored_vectors(path: Path, entries: list[Any], access: Access) -> list[TaskVector]:
    """The vectors of the bank whose config is at `path`, each verified by its hash.

    Those in repos of their own are fetched side by side, with a progress bar.

    Raises:
        FormatError: damaged, another vector than the one listed, or a place outside of the folder.
        HubError: see its subclasses.
    """
    for entry in entries:
        if not isinstance(entry, dict):
            raise FormatError(f"{path}: an entry of vectors is {entry!r}; expected an object.")
    remote = [entry for entry in entries if "path" not in entry]
    with ThreadPoolExecutor(FETCHES) as pool:
        fetches = pool.map(lambda entry: _fetch(entry, path, access), remote)
        # No bar for a bank that holds its vectors, nor where there is no terminal.
        hidden = True if not remote else None
        for _ in tqdm(fetches, "task vectors", len(remote), leave=False, disable=hidden):
            pass
    # Verifying is most of the loading, and reading and hashing leave other threads alone.
    with ThreadPoolExecutor(LOADERS) as pool:
        return list(pool.map(lambda entry: _load_vector(path, entry, access), entries))


def _fetch(entry: dict[str, Any], path: Path, access: Access) -> None:
    resolve(
        hub_id(config_value(entry, "repo_id", str, path), path),
        revision=config_value(entry, "revision", str, path),
        access=access,
        marker=task_vector.CONFIG_NAME,
    )


def _load_vector(path: Path, entry: dict[str, Any], access: Access) -> TaskVector:
    if "path" in entry:
        place = config_value(entry, "path", str, path)
        vector = TaskVector.from_pretrained(inside(path.parent, place))
    else:
        place = f"{entry['repo_id']}@{entry['revision']}"
        vector = TaskVector.from_pretrained(
            entry["repo_id"],
            revision=entry["revision"],
            **vars(access),
        )
    name = config_value(entry, "name", str, path)
    expected = config_value(entry, "content_sha256", str, path)
    if vector.name != name or vector.content_sha256 != expected:
        raise FormatError(
            f"{path} expects task vector {name!r} ({expected[:12]}) at {place}, but found "
            f"{vector.name!r} ({vector.content_sha256[:12]}). Fetch the whole bank again, or name "
            "the revision that holds this vector."
        )
    return vector


# What each figure of an evaluation is.
FIGURE: Mapping[str, type | tuple[type, ...]] = {
    "database": str,
    "splits_sha256": str,
    "method": str,
    "shots": int,
    "metric": str,
    "mean": (int, float),
    "low": (int, float),
    "high": (int, float),
    "people": int,
    "draws": int,
}


def checked_evaluations(config: Path, entries: Any) -> list[dict[str, Any]]:
    """The figures that a bank's config holds of evaluations.

    Args:
        config: the bank's config file.
        entries: what stands there.

    Raises:
        FormatError: not a list of figures.
    """
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FormatError(f"{config}: evaluations is {entries!r}; expected a list of figures.")
    return [
        {name: config_value(entry, name, kind, config) for name, kind in FIGURE.items()}
        for entry in entries
    ]
