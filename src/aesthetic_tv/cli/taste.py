"""`aesthetic-tv taste`: look at what was learned of a person."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.outcome import quiet_transformers, reports_errors
from aesthetic_tv.cli.pull import Revision

if TYPE_CHECKING:
    from aesthetic_tv import Personalization

app = typer.Typer(no_args_is_help=True, help="Look at a taste that was learned.")


@app.callback()
def _root() -> None:
    """Keep `info` a command of its own, though there is only one."""


@app.command()
@reports_errors("Nothing was lost; run the same command again.")
def info(
    taste: Annotated[str, typer.Argument(help="A taste: a folder or a Hub id.")],
    revision: Revision = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also draw every coefficient to this PNG file.")
    ] = None,
) -> None:
    """Tell what a taste is made of, and how well it knows the person.

    Example: aesthetic-tv taste info my-taste --picture taste.png
    """
    from aesthetic_tv import Personalization
    from aesthetic_tv.cli.personalize import print_figures

    quiet_transformers()
    mine = Personalization.from_pretrained(taste, revision=revision)
    reference = mine.bank_reference
    at = f"@{reference.revision}" if reference.revision else ""
    typer.echo(f"bank: {f'{reference.repo_id}{at}' if reference.repo_id else 'not on the Hub'}")
    print_weights(mine)
    if mine.figures is None:
        typer.echo("No cross-validation was made, so nothing is known of its worth.")
    else:
        print_figures(mine, mine.figures.num_photos)
    if picture is not None:
        from aesthetic_tv.plots import coefficient_map

        coefficient_map(mine.layers, mine.tasks, mine.coefficients.numpy(), picture)
        typer.echo(f"Drawn in {picture}.")


def print_weights(mine: "Personalization") -> None:
    """Weight of each task over the layers: mean, lowest and highest."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title="What it is made of: coefficients by task", title_style="")
    table.add_column("task")
    for name in ("mean", "lowest", "highest"):
        table.add_column(name, justify="right")
    lowest, highest = mine.coefficients.amin(0).tolist(), mine.coefficients.amax(0).tolist()
    for row in zip(mine.task_weights().items(), lowest, highest, strict=True):
        (task, mean), low, high = row
        table.add_row(Text(task), f"{mean:+.3f}", f"{low:+.3f}", f"{high:+.3f}")
    table.caption = f"{len(mine.layers)} layers"
    Console().print(table)
