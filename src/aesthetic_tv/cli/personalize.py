"""`aesthetic-tv personalize`: from rated photos to a personalization."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.cli.album import Rejected, below, ratings_of
from aesthetic_tv.cli.options import Device
from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    quiet_transformers,
    reports_errors,
)

if TYPE_CHECKING:
    from aesthetic_tv.personalization import Personalization


@reports_errors("Nothing was written; run the same command again to start over.")
def personalize(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")],
    out: Annotated[Path, typer.Option(help="Folder to save your taste to.")],
    ratings: Annotated[
        Path | None,
        typer.Option(
            help="Your ratings: .csv, .tsv, .xlsx, .json or .parquet with photo and rating, "
            "comparisons beside it; or xmp for the stars in the photos. When not given, what "
            "`rate` kept of this album, and else the stars."
        ),
    ] = None,
    rejected: Rejected = None,
    bank: Annotated[str, typer.Option(help="Task vectors to weigh: a name or a folder.")] = (
        DEFAULT_BANK
    ),
    solver: Annotated[
        str,
        typer.Option(
            help="What fits the weights: newton or instant in seconds, paper in minutes to hours."
        ),
    ] = "newton",
    initialization: Annotated[
        Literal["population", "uniform", "adaptive", "best-fit"] | None,
        typer.Option(
            help="Where the weights start; when not given, adaptive for the paper's solver, and "
            "else population where the bank knows one, uniform where not."
        ),
    ] = None,
    iterations: Annotated[
        int, typer.Option(min=0, help="Steps, of a solver that is told how many.")
    ] = 500,
    folds: Annotated[
        int, typer.Option(min=0, help="Folds of the cross-validation; 0 leaves it out.")
    ] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of folds and solver.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a taste saved before.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Learn your taste from photos that you rated.

    Example: aesthetic-tv personalize album --ratings ratings.csv --out my-taste

    Example: aesthetic-tv personalize album --ratings xmp --out my-taste
    """

    check_folder(out, overwrite)
    told = ratings_of(photos, ratings, rejected)

    from aesthetic_tv import Personalizer, TaskVectorBank
    from aesthetic_tv.personalization.solvers import solver_named, solver_settings
    from aesthetic_tv.scorer.devices import choose_device

    quiet_transformers()
    steps = {"iterations": iterations} if "iterations" in solver_settings(solver) else {}
    fitting = solver_named(solver, seed=seed, **steps)
    personalizer = Personalizer(
        TaskVectorBank.from_pretrained(bank).to(choose_device(device)),
        solver=fitting,
        initialization=initialization,
        folds=folds,
        seed=seed,
    )
    with Bars() as bars:
        mine = personalizer.fit(
            told.ratings or None, pairs=told.pairs or None, scale=told.scale, progress=bars
        )
    mine.save_pretrained(out)
    print_figures(mine, len(told.known) - len(mine.skipped))
    typer.echo(f"Your taste is saved in {out}.")
    command = ["aesthetic-tv", "score", str(photos), "--scorer", str(out), "--out", "scores.csv"]
    if not bank.startswith("embedded:"):
        command += ["--bank", bank]
    next_step("rank your photos by it.", shlex.join(command))
    skipped = {**mine.skipped, **below(photos, told.problems)}
    end_with_skipped(skipped, "your taste was learned from the others")


def check_folder(out: Path, overwrite: bool) -> None:
    """Refuse before the work, not after it.

    Raises:
        OutputError: `out` is taken.
    """
    from aesthetic_tv.errors import OutputError

    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    from aesthetic_tv.files import replaceable
    from aesthetic_tv.personalization.personalization import CONFIG_NAME

    if not replaceable(out, CONFIG_NAME):
        raise OutputError(f"{out} exists and holds something else; name another folder for --out.")
    if not overwrite:
        raise OutputError(f"{out} exists; name another folder, or replace it with --overwrite.")


def print_figures(mine: "Personalization", num_photos: int) -> None:
    """The honest figures: cross-validated, personal beside generic, and the verdict."""
    from rich.console import Console
    from rich.table import Table

    figures, console = mine.figures, Console()
    if figures is None:
        typer.echo(f"{num_photos} photos; no cross-validation, so nothing is known of its worth.")
        return
    names = {"srocc": "rank correlation with you", "pair_accuracy": "pairs ordered as you do"}
    table = Table(title="How well each agrees with you on photos it had not seen", title_style="")
    table.add_column("scorer")
    table.add_column(names[figures.metric], justify="right")
    table.add_row("personal", f"{figures.personal:.2f}{_between(figures.personal_interval)}")
    table.add_row("generic", f"{figures.generic:.2f}")
    table.add_row("difference", f"{figures.difference:+.2f}{_between(figures.interval)}")
    table.caption = f"{figures.num_photos} photos, {figures.num_pairs} pairs"
    console.print(table)
    console.print(figures.verdict, style="bold", highlight=False)


def _between(interval: "tuple[float, float] | None") -> str:
    return "" if interval is None else " (90 %: {:+.2f} to {:+.2f})".format(*interval)
