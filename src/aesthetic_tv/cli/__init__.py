"""The command line `aesthetic-tv`; whatever takes long to import is imported by the commands."""

from typing import Annotated

import typer

from aesthetic_tv.cli import bank, database, immich, space, taste, vector
from aesthetic_tv.cli.apply import apply
from aesthetic_tv.cli.demo import demo
from aesthetic_tv.cli.evaluate import evaluate
from aesthetic_tv.cli.export import export
from aesthetic_tv.cli.finetune import finetune
from aesthetic_tv.cli.import_authors import import_authors
from aesthetic_tv.cli.import_open_clip import import_open_clip
from aesthetic_tv.cli.outcome import print_in_any_encoding
from aesthetic_tv.cli.personalize import personalize
from aesthetic_tv.cli.pick import pick
from aesthetic_tv.cli.pull import pull
from aesthetic_tv.cli.push import push
from aesthetic_tv.cli.rate import rate
from aesthetic_tv.cli.report import report
from aesthetic_tv.cli.reproduce import reproduce
from aesthetic_tv.cli.score import score
from aesthetic_tv.cli.score_people import score_people
from aesthetic_tv.cli.stars import stars
from aesthetic_tv.cli.suggest import suggest
from aesthetic_tv.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(rate)
app.command()(personalize)
app.command()(score)
app.command()(score_people)
app.command()(pick)
app.command()(apply)
app.command()(stars)
app.command()(suggest)
app.command()(demo)
app.command()(finetune)
app.command()(evaluate)
app.command()(report)
app.command()(reproduce)
app.command()(export)
app.command()(push)
app.command()(pull)
app.command()(import_open_clip)
app.command()(import_authors)
app.add_typer(vector.app, name="vector")
app.add_typer(bank.app, name="bank")
app.add_typer(taste.app, name="taste")
app.add_typer(database.app, name="database")
app.add_typer(immich.app, name="immich")
app.add_typer(space.app, name="space")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aesthetic-tv {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Rate 10 to 100 of your photos, and get a scorer of your own taste."""


def main() -> None:
    """Entry point of the console script."""
    print_in_any_encoding()
    app(prog_name="aesthetic-tv")
