"""A person's taste on the Hub, from the page."""

import warnings

from huggingface_hub import get_token

from aesthetic_tv.errors import SettingError
from aesthetic_tv.hub.repos import HUB_ID
from aesthetic_tv.personalization import Personalization


def push_taste(
    mine: Personalization, repo: str, *, private: bool, token: str | None, on_page: bool
) -> str:
    """Push a personalization, and tell how to load it.

    Args:
        mine: kilobytes; no photos, no ratings.
        repo: `owner/name`.
        private: make a new repo private.
        token: of the visitor who logged in on the page.
        on_page: whether visitors log in on the page; otherwise whoever is logged in here.

    Returns:
        Markdown.

    Raises:
        SettingError: no name, or nobody is logged in.
        HubError: see its subclasses; the repo is as it was.
    """
    repo = repo.strip()
    if not HUB_ID.fullmatch(repo):
        raise SettingError(
            f"{repo or 'Nothing'} is no name of a repo; write it as your-name/my-taste."
        )
    if token is None and on_page:
        raise SettingError("Sign in with Hugging Face first, with the button above.")
    if token is None and get_token() is None:
        raise SettingError(
            "Nobody is logged in to the Hub on this machine. Run `hf auth login` in a terminal, "
            "then push again."
        )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        commit = mine.push_to_hub(repo, private=private or None, token=token)
    notes = [f"> {note.message}" for note in told if note.category is UserWarning]
    code = loading_code(commit.repo_url.repo_id, commit.oid)
    return "\n\n".join(
        [f"Pushed: [{commit.repo_url.repo_id}]({commit.commit_url}). To load it:", code, *notes]
    )


def loading_code(repo: str, revision: str) -> str:
    """The lines that load a taste, as Markdown."""
    return (
        "```python\n"
        "from aesthetic_tv import AestheticScorer\n"
        f'scorer = AestheticScorer.from_pretrained("{repo}", revision="{revision}")\n'
        'print(scorer.score(["photo.jpg"]))\n'
        "```"
    )
