"""`aesthetic-tv demo`: the main job on shipped photos and ratings, with no network."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aesthetic_tv.cli.options import Device
from aesthetic_tv.cli.outcome import Bars, end_with_skipped, next_step, reports_errors

if TYPE_CHECKING:
    from aesthetic_tv.scorer.folder import ScoreReport

BANK = "embedded:tiny"  # the invented people judge light and colour alone, which it sees best
BEST_SHOWN, WORST_SHOWN = 12, 8  # rows of the printed ranking

Taste = Literal["golden-hour", "quiet-grey"]  # aesthetic_tv.assets.TASTES, for --help


@reports_errors("Run the demo again to start over.")
def demo(
    taste: Annotated[Taste, typer.Option(help="Whose ratings to learn from.")] = "quiet-grey",
    out: Annotated[Path, typer.Option(help="Folder for all that the demo writes.")] = Path(
        "demo-output"
    ),
    device: Device = "auto",
) -> None:
    """Learn an invented person's taste from shipped photos, and rank the photos by it."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when the libraries are imported, below
    from aesthetic_tv import Personalizer, TaskVectorBank
    from aesthetic_tv.assets import sample_ratings
    from aesthetic_tv.assets.variants import write_samples
    from aesthetic_tv.cli.outcome import quiet_transformers
    from aesthetic_tv.cli.personalize import check_folder, print_figures
    from aesthetic_tv.personalization.ratings_file import read_ratings
    from aesthetic_tv.plots import contact_sheet
    from aesthetic_tv.scorer.devices import choose_device
    from aesthetic_tv.scorer.folder import score_folder

    quiet_transformers()
    start = time.perf_counter()
    check_folder(out / "my-taste", overwrite=True)
    photos = write_samples(out / "photos")
    rated = read_ratings(sample_ratings(taste), out / "photos")
    typer.echo(
        f"{len(photos)} pictures in {out / 'photos'}, {len(rated)} of them rated by {taste} "
        "(an invented person).\nLearning that taste ..."
    )
    bank = TaskVectorBank.from_pretrained(BANK).to(choose_device(device))
    with Bars() as bars:
        mine = Personalizer(bank).fit(rated, progress=bars)
        mine.save_pretrained(out / "my-taste")
        report = score_folder(
            mine.merge(),
            photos,
            out / "scores.csv",
            overwrite=True,
            progress=lambda done, total: bars("scoring", done, total),
        )
    personal = {row.photo: row.score for row in report.ranking if row.score is not None}
    shown = [out / "photos" / name for name in personal]
    generic = dict(zip(personal, bank.generic_score(shown).tolist(), strict=True))
    print_rankings(report, generic, {Path(photo).name: value for photo, value in rated.items()})
    print_figures(mine, len(rated))
    contact_sheet(
        shown,
        list(personal.values()),
        list(generic.values()),
        out / "contact-sheet.png",
        ratings={Path(photo): rating for photo, rating in rated.items()},
    )
    typer.echo(f"{time.perf_counter() - start:.0f} s. Look at {out / 'contact-sheet.png'}.")
    next_step("rate 10 to 100 photos of your own in the browser.", "aesthetic-tv rate PHOTOS")
    end_with_skipped(report.skipped, "the rest was ranked")


def print_rankings(
    report: "ScoreReport", generic: dict[str, float], ratings: dict[str, float]
) -> None:
    """The personal ranking with each photo's place in the generic one; the middle is left out."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    by_generic = sorted(generic, key=lambda name: -generic[name])
    places = {name: place for place, name in enumerate(by_generic, 1)}
    table = Table(title="Your ranking beside the generic one", title_style="")
    table.add_column("yours", justify="right")
    table.add_column("generic", justify="right")
    table.add_column("photo", no_wrap=True)
    table.add_column("your score", justify="right")
    table.add_column("rated", justify="right")
    rows = [
        (
            str(row.rank),
            str(places[row.photo]),
            Text(Path(row.photo).stem),
            f"{row.score:.2f}",
            f"{ratings[row.photo]:g}" if row.photo in ratings else "",
        )
        for row in report.ranking
    ]
    hidden = len(rows) - BEST_SHOWN - WORST_SHOWN
    for row in rows[:BEST_SHOWN]:
        table.add_row(*row)
    if hidden > 0:
        table.add_row("", "", f"... {hidden} more in scores.csv", "", "")
    for row in rows[max(BEST_SHOWN, len(rows) - WORST_SHOWN) :]:
        table.add_row(*row)
    Console().print(table)
