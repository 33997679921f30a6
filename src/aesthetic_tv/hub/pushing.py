"""From something that can be saved to a repo: files and card in a temporary folder, one commit."""

import fnmatch
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from huggingface_hub import CommitInfo

from aesthetic_tv.hub.repos import EVERYTHING, push


class Pushable(Protocol):
    """What can be saved to a folder, and has a card."""

    @property
    def save_pretrained(self) -> Callable[..., Any]:
        """Writes its files to a folder."""

    def card(self, folder: Path, repo_id: str) -> str:
        """The text of README.md; pictures are written to the folder."""


def pushed(
    thing: Pushable, repo_id: str, saving: Mapping[str, Any], settings: Mapping[str, Any]
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
        write_card(thing.card, folder, repo_id)
        message = f"Upload {type(thing).__name__} with aesthetic_tv"
        return push(folder, repo_id, **{"commit_message": message} | dict(settings))


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


def write_card(card: Callable[[Path, str], str], folder: Path, repo_id: str) -> None:
    """Put README.md beside the files; without one when it cannot be made, which is only warned of.

    The upload is worth more than its card.
    """
    try:
        (folder / "README.md").write_text(card(folder, repo_id), "utf-8")
    except Exception as error:
        warnings.warn(
            f"no card could be made for {repo_id} ({type(error).__name__}: {error}); it is pushed "
            "without one. Write its README.md on the Hub.",
            stacklevel=4,
        )
