"""What a person keeps: files of ratings, comparisons and scores, and the taste, also on the Hub."""

import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path

from huggingface_hub import get_token

from aesthetic_tv.app.answers_on_disk import write_comparisons
from aesthetic_tv.app.session import Session
from aesthetic_tv.errors import SettingError
from aesthetic_tv.files import atomic_path, write_csv
from aesthetic_tv.hub.repos import HUB_ID
from aesthetic_tv.personalization import Personalization
from aesthetic_tv.personalization.ratings_file import write_ratings

RATINGS, COMPARISONS, SCORES, TASTE = "ratings.csv", "comparisons.csv", "scores.csv", "my-taste.zip"
SCORED = ["photo", "score", "rank", "generic_score", "generic_rank", "rating"]


def write_files(session: Session, folder: Path) -> list[Path]:
    """Write all that there is to take home so far.

    Args:
        session: of the person.
        folder: to write to; files of the same names are replaced.

    Returns:
        The files: ratings and comparisons where there are any, scores once there is a taste, and
        the taste once it was polished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    answers = session.answers
    if answers.ratings:
        write_ratings(folder / RATINGS, answers.ratings)
        written.append(folder / RATINGS)
    if answers.pairs:
        write_comparisons(folder / COMPARISONS, answers.pairs)
        written.append(folder / COMPARISONS)
    if (taste := session.taste()) is not None:
        rows = [
            [
                *(row.name, f"{row.score:.6g}", row.rank, f"{row.generic:.6g}", row.generic_rank),
                "" if row.stars is None else f"{row.stars:g}",
            ]
            for row in taste.ranking()
        ]
        write_csv(folder / SCORES, [SCORED, *rows])
        written.append(folder / SCORES)
    if (polished := session.polished) is not None:
        write_taste(polished.personalization, folder / TASTE)
        written.append(folder / TASTE)
    return written


def write_taste(mine: Personalization, path: Path) -> None:
    """Write a personalization as a zip file of the folder `my-taste`; no photos, no ratings."""
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        folder = Path(temporary) / "my-taste"
        mine.save_pretrained(folder)
        with atomic_path(path) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
            for part in sorted(folder.iterdir()):
                file.write(part, f"my-taste/{part.name}")


def emptied(folder: Path) -> Path:
    """A folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        commit = mine.push_to_hub(repo, private=private or None, token=token)
    notes = [f"> {note.message}" for note in caught if note.category is UserWarning]
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
