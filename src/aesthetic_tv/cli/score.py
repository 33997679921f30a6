"""`aesthetic-tv score`: rank a folder of photos by a scorer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    quiet_transformers,
    reports_errors,
)

if TYPE_CHECKING:
    from aesthetic_tv import AestheticScorer
    from aesthetic_tv.scorer.folder import ScoreReport

SHOWN = 5  # photos listed from the top and from the bottom


@reports_errors("What is scored so far is kept; add --resume to the same command to go on.")
def score(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")],
    scorer: Annotated[
        str, typer.Option(help="A saved taste, or any scorer: a folder or a Hub id.")
    ],
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .parquet or .json.")],
    bank: Annotated[
        str | None, typer.Option(help="The bank of the taste, where it cannot be found by name.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing table.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos for each pass.")] = 32,
) -> None:
    """Score and rank a folder of photos.

    Example: aesthetic-tv score album --scorer my-taste --out scores.csv
    """
    from aesthetic_tv.scorer.folder import check_output, score_folder
    from aesthetic_tv.scorer.photo_files import PhotoFiles

    quiet_transformers()
    check_output(out, overwrite)
    PhotoFiles.below(photos)
    loaded = load_scorer(scorer, bank)
    with Bars() as bars:
        report = score_folder(
            loaded,
            photos,
            out,
            batch_size=batch_size,
            resume=resume,
            overwrite=overwrite,
            progress=lambda done, total: bars("scoring", done, total),
        )
    if report.num_resumed:
        typer.echo(f"Went on after {report.num_resumed} photos that were scored before.")
    print_ranking(report)
    typer.echo(f"{len(report.ranking)} of {len(report.rows)} photos scored; table in {out}.")
    next_step("open it, best first by the column rank.", str(out))
    end_with_skipped(report.skipped, f"the reasons are also in {out}", report.left_out)


def load_scorer(scorer: str, bank: str | None) -> "AestheticScorer":
    """Load a scorer of any kind.

    Raises:
        ScorerError: nothing of this name, or nothing that is a scorer.
        HubError: the Hub refused or failed; see its subclasses.
    """
    from aesthetic_tv import AestheticScorer
    from aesthetic_tv.errors import FormatError, ScorerError

    try:
        return AestheticScorer.from_pretrained(scorer, bank=bank)
    except (FormatError, ScorerError) as error:
        raise ScorerError(
            f"--scorer {scorer}: {error} Name the folder that `aesthetic-tv personalize` wrote, or "
            "a scorer or taste on the Hub."
        ) from error


def print_ranking(report: "ScoreReport") -> None:
    """The best and the worst photos, as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ranking = report.ranking
    table = Table("rank", "score", "photo")
    for row in ranking[:SHOWN]:
        table.add_row(str(row.rank), f"{row.score:.2f}", Text(row.photo))
    if len(ranking) > 2 * SHOWN:
        table.add_row("...", "", "")
    for row in ranking[max(SHOWN, len(ranking) - SHOWN) :]:
        table.add_row(str(row.rank), f"{row.score:.2f}", Text(row.photo))
    if ranking:
        Console().print(table)
