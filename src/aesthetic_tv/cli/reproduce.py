"""`aesthetic-tv reproduce`: one table or figure of the paper, measured again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.cli import columns
from aesthetic_tv.cli.options import Device, gathered, given, options_of
from aesthetic_tv.cli.outcome import Bars, end_with_skipped, quiet_transformers, reports_errors
from aesthetic_tv.evaluation.protocol import Protocol

if TYPE_CHECKING:
    from aesthetic_tv import TaskVectorBank
    from aesthetic_tv.evaluation.people import People
    from aesthetic_tv.evaluation.published import Experiment
    from aesthetic_tv.evaluation.results import Results


@reports_errors("What is done is kept; go on with the same command.")
@columns.of_table("table", "score_column", "user_column")
@gathered("protocol", options_of(Protocol))
def reproduce(
    name: Annotated[str, typer.Argument(help="table2 to table7, models, or figure4 to figure7.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the database that people are taken from.")
    ] = None,
    bank: Annotated[str, typer.Option(help="A bank: folder, Hub id or embedded:lite.")] = (
        DEFAULT_BANK
    ),
    database: Annotated[
        str | None, typer.Option(help="Its id (`aesthetic-tv database list`); the paper's.")
    ] = None,
    of_table: columns.Given = columns.NONE,
    out: Annotated[Path | None, typer.Option(help="Folder of the evaluation; by its name.")] = None,
    shots: Annotated[str | None, typer.Option(help="Not the paper's: such as 10,50.")] = None,
    protocol: Mapping[str, Any] = MappingProxyType({}),
    device: Device = "auto",
) -> None:
    """Measure a table or figure of Yun & Choo (ECCV 2024) again, beside the published numbers.

    Example: aesthetic-tv reproduce table4 --data /data/Flickr-AES --bank me/bank-l14
    """
    from aesthetic_tv import TaskVectorBank
    from aesthetic_tv.cli.evaluate import sizes
    from aesthetic_tv.evaluation.published import experiment_named
    from aesthetic_tv.scorer.devices import choose_device

    experiment = experiment_named(name)
    quiet_transformers()
    folder = out or Path(f"reproduce-{name}")
    if not experiment.needs_people:
        _similarity(TaskVectorBank.from_pretrained(bank), folder / f"{name}.png")
        return
    people = _people(experiment, database or experiment.database, data, of_table)
    chosen = Protocol(
        shots=experiment.shots if shots is None else sizes(shots),
        methods=experiment.methods,
        **given(Protocol, protocol),
    )
    with Bars() as bars:
        loaded = TaskVectorBank.from_pretrained(bank).to(choose_device(device))
        _measure(experiment, loaded, people, chosen, folder, bars)
    end_with_skipped(dict(people.problems), "the others were used")


def _people(
    experiment: "Experiment", database: str, data: Path | None, options: Mapping[str, Any]
) -> "People":
    """The people that the paper tests on: the official test part where there is one.

    Raises:
        DatabaseError: the data are not there; says where to get them and where to put them.
    """
    from aesthetic_tv.cli.evaluate import load_ratings
    from aesthetic_tv.databases.registry import entry
    from aesthetic_tv.errors import DatabaseError
    from aesthetic_tv.evaluation.people import People

    known = entry(database)
    if data is None:
        raise DatabaseError(
            f"{experiment.id} is measured on {known.title}. Get it from "
            f"{known.homepage or 'its makers'}, unpack it to a folder that holds "
            f"{', '.join(known.layout) or 'photos and a table of ratings'}, and give the folder as "
            "--data; or measure it on other people with --database."
        )
    loaded = load_ratings(f"{database}:{data}", options)
    official = loaded.split_source.startswith("official")
    return People.of(loaded.split("test") if official else loaded)


def _measure(
    experiment: "Experiment",
    bank: "TaskVectorBank",
    people: "People",
    protocol: "Protocol",
    folder: Path,
    bars: Bars,
) -> None:
    from aesthetic_tv.evaluation.figures import coefficients_figure, gain_figure
    from aesthetic_tv.evaluation.running import evaluate

    if experiment.draws_figure == "vectors":
        _vectors(bank, people, protocol, folder, bars)
        return
    results = evaluate(bank, people, protocol, folder, progress=bars)
    bars.close()
    _table(experiment, results)
    for shots in protocol.shots if experiment.draws_figure else ():
        path = folder / f"{experiment.id}-{shots}.png"
        if experiment.draws_figure == "coefficients":
            coefficients_figure(results, experiment.methods[0], shots, path)
        else:
            method, reference = experiment.methods
            gain_figure(results, method, reference, shots, path)
        typer.echo(f"Drew {path}.")


@dataclass(frozen=True)
class _Row:
    """One line of the table."""

    method: str
    shots: int
    measured: str
    published: str
    source: str


def _table(experiment: "Experiment", results: "Results") -> None:
    """Measured and published numbers beside each other."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = _rows(experiment, results)
    table = Table(
        "method", "ratings", "measured", "published", "seconds a fit", box=box.SIMPLE_HEAD
    )
    seconds = results.fits.groupby(["method", "shots"])["seconds"].median()
    for row in rows:
        took = seconds.get((row.method, row.shots))
        cells = [row.measured, row.published, "" if took is None else f"{took:.3g}"]
        table.add_row(Text(row.method), str(row.shots), *cells)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{experiment.id}: {experiment.title}")
    console.print(table)
    config = results.config
    console.print(
        "SROCC, mean over people and its sd over draws; measured on "
        f"{config['num_people']} people of {config['database']}."
    )
    for source in dict.fromkeys(row.source for row in rows if row.source):
        console.print(f"Published: {source}")


def _rows(experiment: "Experiment", results: "Results") -> Sequence[_Row]:
    """Measured methods first, then published ones that were not measured."""
    from aesthetic_tv.evaluation.published import published
    from aesthetic_tv.evaluation.statistics import summary

    database = results.config["database"]
    known = {(x.method, x.shots): x for x in published(experiment.id, database)}
    rows = []
    for row in summary(results.fits, "srocc").itertuples():
        found = known.pop((row.method, row.shots), None)
        measured = f"{row.mean:.3f}" + ("" if row.draws < 2 else f" ± {row.sd_draws:.3f}")
        told = "not at hand" if found is None else found.shown
        rows.append(_Row(row.method, row.shots, measured, told, found.source if found else ""))
    rows += [_Row(x.method, x.shots, "not measured", x.shown, x.source) for x in known.values()]
    return sorted(rows, key=lambda row: row.shots)


def _similarity(bank: "TaskVectorBank", path: Path) -> None:
    """Figure 4."""
    from aesthetic_tv.cli.vector import print_similarity
    from aesthetic_tv.plots import similarity_matrix

    matrix = bank.similarity()
    print_similarity(list(bank.names), matrix.tolist())
    similarity_matrix(bank.names, matrix, path)
    typer.echo(f"Drew {path}.")


def _vectors(
    bank: "TaskVectorBank", people: "People", protocol: "Protocol", folder: Path, bars: Bars
) -> None:
    """Figure 5."""
    from aesthetic_tv.evaluation.photo_pool import DecodedPeople
    from aesthetic_tv.evaluation.vectors import curves, number_of_vectors
    from aesthetic_tv.plots import number_of_vectors as draw

    decoded = DecodedPeople.of(people, bank.base.config)
    fits = number_of_vectors(bank, decoded, protocol, folder / "parts", progress=bars)
    bars.close()
    counts = range(1, len(bank.vectors) + 1)
    for shots in protocol.shots:
        path = folder / f"figure5-{shots}.png"
        found = curves(fits, shots, protocol.methods)
        draw(list(counts), found, path)
        for method, points in found.items():
            told = ", ".join(f"{mean:.3f}" for mean, *_ in points)
            typer.echo(f"{shots} ratings, {method}, 1 to {len(points)} vectors: {told}")
        typer.echo(f"Drew {path}.")
