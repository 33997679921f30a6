"""From something that can be saved to a repo: files and card in a temporary folder, one commit."""

import importlib
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo

from aesthetic_tv.hub.repos import push


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
