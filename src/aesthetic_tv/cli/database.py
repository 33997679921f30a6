"""`aesthetic-tv database`: which databases there are, and what is in one on disk."""

import json
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli import columns
from aesthetic_tv.cli.outcome import Bars, end_with_skipped, reports_errors

if TYPE_CHECKING:
    from aesthetic_tv.databases.summary import Summary

app = typer.Typer(no_args_is_help=True, help="Databases of scored photos: list them, look at one.")

BAR = 40  # characters of the longest bar of the histogram

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


class _Verify(str, Enum):
    EXISTS = "exists"
    HEADER = "header"
    FULL = "full"


@app.command("list")
@reports_errors("Nothing was written.")
def list_databases(as_json: AsJson = False) -> None:
    """List the databases that can be read, with scale, licence and where to get them.

    Example: aesthetic-tv database list
    """
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from aesthetic_tv.databases import REGISTRY

    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in REGISTRY.values()], indent=1))
        return
    table = Table("id", "what", "photos", "scale", "people", "licence")
    for entry in REGISTRY.values():
        scale = entry.score_range or entry.people_score_range
        table.add_row(
            entry.id,
            entry.title,
            f"{entry.num_photos:,}" if entry.num_photos else "",
            f"{scale[0]:g} to {scale[1]:g}" if scale else "",
            "yes" if entry.has_people else "",
            entry.license,
        )
    Console().print(table)


@app.command()
@reports_errors("Nothing was written.")
@columns.of_table()
def info(
    name: Annotated[str, typer.Argument(help="A database's id, `folder` or `hub`.")],
    data: Annotated[
        str, typer.Option(help="Folder it is unpacked in; for `hub` the repo, OWNER/NAME.")
    ],
    people: Annotated[
        bool, typer.Option("--people", help="Single persons' scores instead of means.")
    ] = False,
    split: Annotated[str, typer.Option(help="auto, official or seeded.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of a split that is drawn.")] = 0,
    validation: Annotated[
        float | None, typer.Option(help="Share of the photos for validation.")
    ] = None,
    test: Annotated[float, typer.Option(help="Share of the photos for the test.")] = 0.1,
    verify: Annotated[
        _Verify, typer.Option(help="How closely to look at each photo.")
    ] = _Verify.HEADER,
    of_table: columns.Given = columns.NONE,
    as_json: AsJson = False,
) -> None:
    """Tell what is in a database: splits, scores, users, and what is missing on disk.

    Exits with 3 where rows were left out; they are named.

    Example: aesthetic-tv database info para --data /data/PARA
    """
    source = columns.source_of(name, of_table)
    from aesthetic_tv.databases import SplitSettings, load
    from aesthetic_tv.databases.summary import summarize

    _quiet_datasets()
    with Bars() as bars:
        database = load(
            name,
            data,
            per_person=people,
            split=SplitSettings(source=split, seed=seed, validation=validation, test=test),  # type: ignore[arg-type]
            verify=verify.value,
            source=source,
            progress=lambda done, total: bars("photos", done, total),
        )
    summary = summarize(database)
    if as_json:
        typer.echo(json.dumps(summary.to_dict(), indent=1, ensure_ascii=False))
    else:
        _print(summary)
    _end(database.problems)


def _end(problems: tuple[tuple[str, str], ...]) -> None:
    """Name a few of the rows left out, by reason, and exit with the code for that."""
    shown: dict[str, str] = {}
    for photo, reason in problems[:10]:
        shown[photo] = f"{shown[photo]} {reason}" if photo in shown else reason
    if len(problems) > 10:
        shown[f"and {len(problems) - 10} more"] = "see `problems` of `databases.load`."
    end_with_skipped(shown, f"{len(problems)} rows or photos were left out in all")


def _print(summary: "Summary") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    entry = summary.entry
    console.print(Text(entry.title, style="bold"))
    facts = Table.grid(padding=(0, 2))
    expected = f" of {entry.num_photos:,} by the makers' count" if entry.num_photos else ""
    facts.add_row("photos", f"{summary.num_photos:,}{expected}")
    if summary.num_users:
        facts.add_row("users", f"{summary.num_users:,}, {summary.rows_per_user} scores each")
    facts.add_row("scale", "{:g} to {:g}, higher is better".format(*summary.score_range))
    if summary.distribution_values:
        low, high = summary.distribution_values[0], summary.distribution_values[-1]
        steps = len(summary.distribution_values)
        facts.add_row("votes", f"shares of {steps} steps, {low:g} to {high:g}")
    facts.add_row("split", summary.split_source)
    facts.add_row("left out", f"{summary.num_problems:,}")
    for reason, count in summary.problems.items():
        facts.add_row("", Text(f"{count:,}: {reason}"))
    facts.add_row("licence", Text(entry.license))
    for label, text in (("citation", entry.citation), ("from", entry.homepage)):
        if text:
            facts.add_row(label, Text(text))
    console.print(facts)
    splits = Table("split", "rows", "photos", "mean", "sd", "lowest", "highest")
    for name, part in summary.splits.items():
        numbers = (part.mean, part.sd, part.lowest, part.highest)
        splits.add_row(
            name, f"{part.rows:,}", f"{part.photos:,}", *(f"{number:.2f}" for number in numbers)
        )
    console.print(splits)
    top = max(summary.counts) or 1
    histogram = Table.grid(padding=(0, 1))
    for low, high, count in zip(summary.edges, summary.edges[1:], summary.counts, strict=False):
        bar = "█" * round(BAR * count / top) or ("▏" if count else "")
        histogram.add_row(f"{low:.4g} to {high:.4g}", f"{count:,}", bar)
    histogram.columns[1].justify = "right"
    console.print(histogram)


def _quiet_datasets() -> None:
    """Keep the library's own bars off the terminal."""
    from datasets.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()
