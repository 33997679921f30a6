"""From something that can be saved to a repo: files and card in a temporary folder, one commit."""

import fnmatch
import importlib
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo

from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.files import read_config, write_json
from aesthetic_tv.hub.repos import EVERYTHING, RATINGS, push

# What a folder holds, by the file that marks it. Named, not imported: they push through here.
KINDS = {
    "task_vector_config.json": "TaskVector",
    "bank_config.json": "TaskVectorBank",
    "personalization_config.json": "Personalization",
    "config.json": "AestheticScorer",
}


def pushed(
    thing: Any, repo_id: str, saving: Mapping[str, Any], settings: Mapping[str, Any]
) -> CommitInfo:
    """Save `thing` to a temporary folder with its card, and push the folder in one commit.

    Args:
        thing: a task vector, bank, personalization or scorer.
        repo_id: `owner/name`.
        saving: arguments of its `save_pretrained`.
        settings: arguments of `push`.

    Raises:
        TypeError: a setting that `push` does not know, before anything is saved.
        HubError: see its subclasses; the repo is as it was.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "repo"
        thing.save_pretrained(folder, **saving)
        write_card(thing, folder, repo_id)
        message = f"Upload {type(thing).__name__} with aesthetic_tv"
        return push(folder, repo_id, **{"commit_message": message} | dict(settings))


def push_folder(
    folder: Path,
    repo_id: str,
    settings: Mapping[str, Any],
    *,
    replace_card: bool = False,
    include_ratings: bool = False,
) -> CommitInfo:
    """Push a saved folder as it is, after loading it, so that nothing damaged is published.

    Only files of ours go along; a photo that lies beside them stays where it is.

    Args:
        folder: of a task vector, bank, personalization or scorer.
        repo_id: `owner/name`.
        settings: arguments of `push`.
        replace_card: make a card even where the folder has a README.md.
        include_ratings: also push the ratings that a personalization was saved with.

    Raises:
        SettingError: `include_ratings` of a folder that was saved without them.
        FormatError: the folder holds nothing of ours, or something damaged.
        HubError: see its subclasses; the repo is as it was.
    """
    kind = kind_of(folder)
    if kind is None:
        raise FormatError(
            f"{folder} holds none of {', '.join(KINDS)}; expected the folder of a task vector, "
            "bank, personalization or scorer."
        )
    thing = getattr(importlib.import_module("aesthetic_tv"), kind).from_pretrained(folder)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "repo"
        copy_files(folder, copy)
        if include_ratings:
            _add_ratings(thing, copy)
        elif kind == "Personalization":
            _forget_ratings(copy)
            settings = {**settings, "delete_patterns": [RATINGS]}
        if kind == "AestheticScorer":
            checkpoint = importlib.import_module("aesthetic_tv.scorer.checkpoint")
            checkpoint.complete(copy, remote_code=True)
        if replace_card or not (copy / "README.md").is_file():
            write_card(thing, copy, repo_id)
        return push(copy, repo_id, **{"commit_message": f"Upload {kind}"} | dict(settings))


def _add_ratings(thing: Any, copy: Path) -> None:
    """Written anew instead of copied: somebody may have edited paths into the file."""
    ratings = getattr(thing, "ratings", None)
    if ratings is None:
        raise SettingError(
            "There are no ratings to include: only a personalization that was saved with "
            "include_ratings=True has them. Leave the option out."
        )
    # By name: personalizations push through this module.
    table = importlib.import_module("aesthetic_tv.personalization.ratings_file")
    table.write_ratings(copy / RATINGS, table.bare_names(ratings))


def _forget_ratings(copy: Path) -> None:
    """Take the mention of ratings, which were not copied, out of the config."""
    marker = next(marker for marker, kind in KINDS.items() if kind == "Personalization")
    config = read_config(copy, marker)
    if config.pop("ratings", None) is not None:
        write_json(copy / marker, config)


def kind_of(folder: Path) -> str | None:
    """Name of the class that loads a folder; `None` where it holds nothing of ours."""
    return next((kind for marker, kind in KINDS.items() if (folder / marker).is_file()), None)


def copy_files(source: Path, target: Path, patterns: Sequence[str] = EVERYTHING) -> None:
    """Copy the files of ours out of a folder, or out of the cache, whose files are links."""

    def others(folder: str, names: list[str]) -> set[str]:
        return {
            name
            for name in names
            if not (Path(folder) / name).is_dir()
            and not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
        }

    shutil.copytree(source, target, ignore=others, dirs_exist_ok=True)


def write_card(thing: Any, folder: Path, repo_id: str) -> None:
    """Put README.md beside the files; without one when it cannot be made, which is only warned of.

    The upload is worth more than its card.
    """
    try:
        # By name: the cards know all that can be pushed, and those push through this module.
        importlib.import_module("aesthetic_tv.hub.cards").write(thing, folder, repo_id)
    except Exception as error:
        warnings.warn(
            f"no card could be made for {repo_id} ({type(error).__name__}: {error}); it is pushed "
            "without one. Write its README.md on the Hub.",
            stacklevel=4,
        )
