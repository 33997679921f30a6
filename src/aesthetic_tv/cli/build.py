"""`aesthetic-tv bank build`: from a recipe to a bank, its figures and its cards."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.outcome import (
    SKIPPED,
    Bars,
    next_step,
    quiet_transformers,
    reports_errors,
    warn,
)

if TYPE_CHECKING:
    from aesthetic_tv.building.outcome import Outcome
    from aesthetic_tv.building.recipe import Recipe
    from aesthetic_tv.building.work import BuildSettings

GOES_ON = "What is done stays; go on with the same command."


def names(values: list[str] | None) -> tuple[str, ...]:
    """Names given one by one, or parted by commas or spaces."""
    return tuple(name for value in values or () for name in value.replace(",", " ").split())


@reports_errors(GOES_ON)
def build(
    recipe: Annotated[
        str, typer.Argument(help="b16, l14, siglip2-b16, lite, tiny-example; or a .yaml file.")
    ],
    more: Annotated[
        list[str] | None, typer.Argument(help="More names for --only.", hidden=True)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the build; the bank is in its `bank/`.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Databases to train on: koniq spaq, or koniq,spaq.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Databases to leave out; or population, or evaluation."),
    ] = None,
    tower: Annotated[
        str | None, typer.Option(help="Another tower than the recipe's: folder or Hub id.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where databases lie and are fetched to (default: OUT/data)."),
    ] = None,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep what was fetched after unpacking it.")
    ] = False,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="Agree to the terms that makers ask to agree to.")
    ] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="That train at once (default: one a GPU).")
    ] = None,
    push_to_hub: Annotated[str | None, typer.Option(help="Also push it: owner/name.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repo private.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what it would do and take; fetch nothing.")
    ] = False,
) -> None:
    """Make a bank by a recipe: fetch, prepare, fine-tune, population, figures, cards.

    It can be stopped at any moment; the same command goes on. On several machines: accelerate
    launch -m aesthetic_tv bank build, and the same after it, with --out on a disk they share.

    Example: aesthetic-tv bank build b16 --out bank-b16 --push-to-hub me/aesthetic-bank-b16
    """
    from dataclasses import replace

    from aesthetic_tv.building.recipe import Tower
    from aesthetic_tv.building.recipe_file import read_recipe
    from aesthetic_tv.building.running import build as run
    from aesthetic_tv.building.work import BuildSettings
    from aesthetic_tv.processes import joined, left

    quiet_transformers()
    found, origin = read_recipe(recipe)
    if tower is not None:
        seed = found.tower.head_seed
        found = replace(found, tower=Tower(checkpoint=tower, head_seed=seed))
    settings = BuildSettings(
        only=(*names(only), *names(more)),
        without=names(without),
        data_dir=data_dir,
        keep_archives=keep_archives,
        accept_terms=accept_terms,
        push_to_hub=push_to_hub,
        private=private,
        processes=processes,
    )
    folder = out or Path(f"bank-{found.name}")
    if dry_run:
        show_plan(found, folder, settings)
        return
    quiet_datasets()
    try:
        with Bars() as bars:
            outcome = run(found, origin, folder, settings, bars)
        if joined().is_main_process:
            _end(outcome)
    finally:
        if joined().num_processes > 1:
            left()


def show_plan(recipe: "Recipe", folder: Path, settings: "BuildSettings") -> None:
    """Print what a build would fetch, train and take."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from aesthetic_tv.building.dry_run import expected

    told = expected(recipe, folder, settings)
    console = Console(highlight=False)
    console.print(Text(f"{recipe.name}: {recipe.title}", style="bold"))
    table = Table("step", "what", "fetch", "state")
    for line in told.lines:
        table.add_row(*(Text(cell) for cell in line))
    console.print(table)
    for title, text in told.notes:
        console.print(Text(f"{title}: {text}"))
    if told.terms:
        console.print(Text("Terms, as the makers of the databases state them:"))
        for name, terms in told.terms:
            console.print(Text(f"  {name}: {terms}"))
    console.print(Text("Nothing was fetched, and nothing written."))


def quiet_datasets() -> None:
    """Keep that library's own bars off the terminal."""
    from datasets.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()


def _end(outcome: "Outcome") -> None:
    """Tell what became of it, and how to go on."""
    from aesthetic_tv.building.outcome import FAILED, LEFT_OUT, WAITING
    from aesthetic_tv.building.plan import BANK, PUSH
    from aesthetic_tv.building.report import REPORT
    from aesthetic_tv.building.work import BANK_FOLDER

    steps = {step.name: step for step in outcome.plan.steps}
    for name in outcome.named(LEFT_OUT):
        if not set(steps[name].needs) & set(outcome.named(LEFT_OUT)):
            warn(f"gone on without {steps[name].subject or name}. {name}: {outcome.reasons[name]}")
    place = outcome.folder / BANK_FOLDER
    made = outcome.state.get(BANK) not in (FAILED, WAITING)
    if made:
        typer.echo(f"The bank is in {place}, what was measured in {outcome.folder / REPORT}.")
    if not outcome.is_whole:
        _tell_failures(outcome)
        raise typer.Exit(SKIPPED)
    if outcome.state.get(PUSH) is not None:
        typer.echo("It is pushed.")
        return
    next_step("share it.", shlex.join(["aesthetic-tv", "push", str(place), "OWNER/NAME"]))


def _tell_failures(outcome: "Outcome") -> None:
    from aesthetic_tv.building.outcome import FAILED, WAITING

    typer.secho("Not all of it could be done; the rest is kept.", fg="yellow", err=True)
    for name in outcome.named(FAILED):
        typer.secho(f"  {name}: {outcome.reasons[name]}", err=True)
    waiting = outcome.named(WAITING)
    if waiting:
        typer.secho(f"  Waiting for that: {', '.join(waiting)}.", err=True)
    lost = [name.split()[1] for name in outcome.named(FAILED) if " " in name]
    command = shlex.join(["aesthetic-tv", *sys.argv[1:]])
    next_step("mend what is named above, and go on.", command)
    if lost:
        next_step("or make the bank of the rest.", f"{command} --without {','.join(lost)}")
