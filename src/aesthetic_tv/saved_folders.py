"""From a saved folder of any kind to the Hub."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo

from aesthetic_tv.errors import SettingError
from aesthetic_tv.files import read_config, write_json
from aesthetic_tv.hub.pushing import copy_files, write_card
from aesthetic_tv.hub.repos import RATINGS, push
from aesthetic_tv.kinds import kind_of
from aesthetic_tv.personalization.ratings_file import bare_names, write_ratings
from aesthetic_tv.scorer.checkpoint import complete


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
    kind = kind_of(folder, str(folder))
    thing = kind.load(folder)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "repo"
        copy_files(folder, copy)
        if include_ratings:
            _add_ratings(thing, copy)
        elif kind.name == "Personalization":
            _forget_ratings(copy / kind.marker)
            settings = {**settings, "delete_patterns": [RATINGS]}
        if kind.name == "AestheticScorer":
            complete(copy, remote_code=True)
        if replace_card or not (copy / "README.md").is_file():
            write_card(thing.card, copy, repo_id)
        return push(copy, repo_id, **{"commit_message": f"Upload {kind.name}"} | dict(settings))


def _add_ratings(thing: Any, copy: Path) -> None:
    """Written anew instead of copied: somebody may have edited paths into the file."""
    ratings = getattr(thing, "ratings", None)
    if ratings is None:
        raise SettingError(
            "There are no ratings to include: only a personalization that was saved with "
            "include_ratings=True has them. Leave the option out."
        )
    write_ratings(copy / RATINGS, bare_names(ratings))


def _forget_ratings(path: Path) -> None:
    """Take the mention of ratings, which were not copied, out of the config."""
    config = read_config(path.parent, path.name)
    config.pop("ratings_sha256", None)
    if config.pop("ratings", None) is not None:
        write_json(path, config)
