"""`aesthetic-tv report`: the figures of an evaluation as a page to read."""

from pathlib import Path
from typing import Annotated

import typer

from aesthetic_tv.cli import columns
from aesthetic_tv.cli.outcome import reports_errors


@reports_errors("Run the same command again.")
@columns.of_table("table", "score_column", "user_column")
def report(
    folder: Annotated[Path, typer.Argument(help="Of an evaluation, whole or still running.")],
    people: Annotated[
        str | None,
        typer.Option(
            help="DATABASE:FOLDER it was made of, to show photos of the best and the worst served "
            "person; without it the report holds no photos."
        ),
    ] = None,
    of_table: columns.Given = columns.NONE,
    out: Annotated[Path | None, typer.Option(help="Folder to write to, if another.")] = None,
) -> None:
    """Write report.html, which needs nothing beside it, and report.md with plots.

    Example: aesthetic-tv report report
    """
    import tempfile

    from aesthetic_tv.cli.evaluate import load_ratings
    from aesthetic_tv.evaluation.figures import contact_sheets
    from aesthetic_tv.evaluation.people import People
    from aesthetic_tv.evaluation.report import TABLES, write_report
    from aesthetic_tv.evaluation.results import Results

    results = Results.load(folder)
    with tempfile.TemporaryDirectory() as drawn:
        sheets = None
        if people is not None:
            known = People.of(load_ratings(people, of_table))
            sheets = contact_sheets(results, known, Path(drawn))
        page = write_report(results, out or folder, contact_sheets=sheets)
    typer.echo(f"Wrote {page} and {page.with_suffix('.md')}.")
    typer.echo(f"Each table as csv and LaTeX is in {page.parent / TABLES}.")
    if sheets:
        typer.echo("The report shows people's photos; share it only where they may be shown.")
