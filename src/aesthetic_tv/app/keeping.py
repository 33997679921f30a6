"""What a person keeps: files of ratings, comparisons and scores, and the taste, also on the Hub."""

import shutil
import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import get_token

from aesthetic_tv.app.answers_on_disk import write_comparisons, write_picks
from aesthetic_tv.app.session import Session
from aesthetic_tv.errors import SettingError
from aesthetic_tv.files import atomic_path, write_csv
from aesthetic_tv.hub.repos import HUB_ID
from aesthetic_tv.personalization import Personalization
from aesthetic_tv.personalization.ratings_file import write_ratings

RATINGS, COMPARISONS, PICKS = "ratings.csv", "comparisons.csv", "picks.csv"
SCORES, TASTE = "scores.csv", "my-taste.zip"
WHAT = {  # each of these is, in words
    RATINGS: "your stars, to go on with here or on the command line",
    COMPARISONS: "the better one of each two that you compared",
    PICKS: "your picks (1) and rejects (-1)",
    SCORES: "every photo in your order, with the stars that you would give",
    TASTE: "your taste: a few kilobytes that score any photo",
}
SCORED = ["photo", "score", "rank", "generic_score", "generic_rank", "rating"]


README = """\
Your taste in photos
====================

The folder my-taste holds your taste, as weights: a few kilobytes, no photos and no ratings. With
Python 3.10 or newer:

    pip install aesthetic-tv

Put a folder of photos into your order, and write it to a table:

    aesthetic-tv score PHOTOS --scorer my-taste --out scores.csv

Write it as stars, where Lightroom, darktable or digiKam look for them (a dry run first):

    aesthetic-tv apply PHOTOS --scorer my-taste

Score photos in a program of your own:

    from aesthetic_tv import AestheticScorer
    scorer = AestheticScorer.from_pretrained("my-taste")
    print(scorer.score(["photo.jpg"]))

Go on rating: `aesthetic-tv rate PHOTOS`. The folder's own README.md tells how it was made, and how
far it can be trusted.
"""


def write_files(session: Session, folder: Path) -> list[Path]:
    """Write all that there is to take home so far.

    Args:
        session: of the person.
        folder: to write to; files of the same names are replaced.

    Returns:
        The files: ratings, comparisons and picks where there are any, scores once there is a
        taste, and the taste once it was polished.
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
    if answers.flags:
        write_picks(folder / PICKS, answers.flags)
        written.append(folder / PICKS)
    if (taste := session.taste()) is not None:
        rows = [
            [
                *(row.name, f"{row.stars:.6g}", row.rank, f"{row.generic:.6g}", row.generic_rank),
                "" if row.rating is None else f"{row.rating:g}",
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
    """Write a personalization as a zip file of the folder `my-taste`, and what to do with it; no
    photos, no ratings.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        folder = Path(temporary) / "my-taste"
        mine.save_pretrained(folder)
        with atomic_path(path) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("README.txt", README)
            for part in sorted(folder.iterdir()):
                file.write(part, f"my-taste/{part.name}")


def emptied(folder: Path) -> Path:
    """A folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@dataclass(frozen=True)
class Pushed:
    """A taste on the Hub.

    Args:
        repo: its name there.
        url: of the commit.
        code: the lines that load it.
        notes: what should be known of it.
    """

    repo: str
    url: str
    code: str
    notes: tuple[str, ...] = ()


def push_taste(
    mine: Personalization, repo: str, *, private: bool, token: str | None, on_page: bool
) -> Pushed:
    """Push a personalization, and tell how to load it.

    Args:
        mine: kilobytes; no photos, no ratings.
        repo: `owner/name`.
        private: make a new repo private.
        token: of the visitor who logged in on the page.
        on_page: whether visitors log in on the page; otherwise whoever is logged in here.

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
        raise SettingError("Sign in with Hugging Face first.")
    if token is None and get_token() is None:
        raise SettingError(
            "Nobody is logged in to the Hub on this machine. Run `hf auth login` in a terminal, "
            "then push again."
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        commit = mine.push_to_hub(repo, private=private or None, token=token)
    notes = tuple(str(note.message) for note in caught if note.category is UserWarning)
    pushed = commit.repo_url.repo_id
    return Pushed(pushed, str(commit.commit_url), loading_code(pushed, commit.oid), notes)


def loading_code(repo: str, revision: str) -> str:
    """The lines that load a taste."""
    return (
        "from aesthetic_tv import AestheticScorer\n"
        f'scorer = AestheticScorer.from_pretrained("{repo}", revision="{revision}")\n'
        'print(scorer.score(["photo.jpg"]))\n'
    )
