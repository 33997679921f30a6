"""What a person takes home: ratings, comparisons, scores and the taste itself."""

import shutil
import tempfile
import zipfile
from pathlib import Path

from aesthetic_tv.app.answer_files import write_comparisons, write_rows
from aesthetic_tv.app.session import Session
from aesthetic_tv.files import atomic_path
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
        write_rows(folder / SCORES, [SCORED, *rows])
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
