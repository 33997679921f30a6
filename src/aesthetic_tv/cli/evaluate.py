"""`aesthetic-tv evaluate`: how well each way to score ranks what people have not rated yet."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.cli import columns
from aesthetic_tv.cli.options import Device, gathered, given, options_of
from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    quiet_transformers,
    reports_errors,
    run_in_processes,
)
from aesthetic_tv.evaluation.protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd

    from aesthetic_tv.databases import Database
    from aesthetic_tv.evaluation.people import People
    from aesthetic_tv.evaluation.results import Results


@reports_errors("What is done is kept; go on with the same command.")
@columns.of_table("table", "photo_column", "score_column", "user_column", "score_range")
@gathered("settings", options_of(Protocol))
def evaluate(
    people: Annotated[
        str,
        typer.Option(
            help="DATABASE:FOLDER of single persons' ratings, such as para:/data/PARA, "
            "pamela:bethgelab/PAMELA of the Hub, or folder:ALBUM with a table of photo, user and "
            "rating."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the evaluation; gone on with if there.")],
    more_shots: Annotated[list[int] | None, typer.Argument(hidden=True)] = None,
    bank: Annotated[str, typer.Option(help="A bank: folder, Hub id or embedded:lite.")] = (
        DEFAULT_BANK
    ),
    protocol: Annotated[
        str | None,
        typer.Option(
            help="flickr-aes, ryu-yanaka or pamela: people, photos and draws as others have them, "
            "to compare with; the bank and the methods are free."
        ),
    ] = None,
    shots: Annotated[
        str | None, typer.Option(help="Photos to learn from, such as 10 50 (default 10 100).")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="By commas: generic, mean, uniform, population, single, best-fit, adaptive, "
            "newton, instant, ridge, paper, fine-tuning, lora, others; an unknown name tells all "
            "(default generic,newton)."
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test or all; of photos or people, as official (default all)."
        ),
    ] = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
    splits: Annotated[
        Path | None, typer.Option(help="Splits of an earlier evaluation, instead of drawn ones.")
    ] = None,
    trained_on: Annotated[
        list[str] | None,
        typer.Option(
            help="DATABASE:FOLDER that a vector was trained on; refused if it shares a photo."
        ),
    ] = None,
    of_table: columns.Given = columns.NONE,
    device: Device = "auto",
) -> None:
    """Evaluate methods by a leak-free protocol: fit on a few photos of each person, test on others.

    In several processes: torchrun --nproc_per_node 2 -m aesthetic_tv.evaluation, and the same after
    it; on GPUs also by accelerate launch.

    Example: aesthetic-tv evaluate --people folder:photos --shots 10 100 --methods generic,newton
    --out report
    """
    from aesthetic_tv import TaskVectorBank
    from aesthetic_tv.errors import SettingError
    from aesthetic_tv.evaluation.people import People, people_of
    from aesthetic_tv.evaluation.protocol import protocol_named
    from aesthetic_tv.evaluation.running import evaluate as run
    from aesthetic_tv.evaluation.splits import Splits
    from aesthetic_tv.processes import joined

    quiet_transformers()
    process = joined(device)
    named = None if protocol is None else protocol_named(protocol)
    told: dict[str, Any] = given(Protocol, settings)
    if shots is not None or more_shots:
        told["shots"] = (*sizes(shots or ""), *(more_shots or ()))
    if methods is not None:
        told["methods"] = tuple(name.strip() for name in methods.split(",") if name.strip())
    if named is not None:
        named.check_database(database_and_folder(people)[0])
        named.check(told if part is None else told | {"part": part})
        if splits is not None:
            raise SettingError(
                f"the protocol {named.id} draws its splits; leave --splits out, or name no "
                "protocol."
            )
    loaded = load_ratings(people, of_table)
    if named is not None:
        known = people_of(named, loaded)
    else:
        known = People.of(loaded if part in (None, "all") else loaded.split(part))
    known = replace(known, data=data_name(people))
    for database in trained_on or ():
        refuse_shared(known, database)
    with Bars() as bars:
        results = run(
            TaskVectorBank.from_pretrained(bank).to(process.device),
            known,
            Protocol(**told) if named is None else Protocol.named(named.id, **told),
            out,
            splits=None if splits is None else Splits.load(splits),
            progress=bars if process.is_main_process else lambda stage, done, total: None,
        )
    if process.is_main_process:
        show(results)
        next_step("make the report.", shlex.join(["aesthetic-tv", "report", str(out)]))
        end_with_skipped(dict(known.problems), "the others were used")


def load_ratings(named: str, options: Mapping[str, Any]) -> "Database":
    """Single persons' ratings of DATABASE:FOLDER.

    Args:
        named: of that form.
        options: those of `columns`, by their names.

    Raises:
        SettingError: not of that form.
        DatabaseError: as `databases.load`.
    """
    from aesthetic_tv.databases import load

    name, folder = database_and_folder(named)
    own_format = name not in columns.ANY_TABLE
    return load(name, folder, per_person=own_format, source=columns.source_of(name, options))


def database_and_folder(named: str) -> tuple[str, str]:
    """DATABASE:FOLDER in two parts.

    Raises:
        SettingError: not of that form.
    """
    from aesthetic_tv.errors import SettingError

    name, colon, folder = named.partition(":")
    if not (name and colon and folder):
        raise SettingError(
            f"{named!r} is not of the form DATABASE:FOLDER, such as folder:my_album or "
            "para:/data/PARA; `aesthetic-tv database list` names the databases."
        )
    return name, folder


def data_name(named: str) -> str:
    """What DATABASE:FOLDER is called in a title: a folder's own name, a repo's, or nothing where
    the database has a name.
    """
    name, folder = database_and_folder(named)
    if name not in columns.ANY_TABLE:
        return ""
    return Path(folder).resolve().name if name == "folder" else folder


def refuse_shared(people: "People", named: str) -> None:
    """Refuse people whose photos, or near duplicates of them, are in a database.

    Raises:
        OverlapError: names them.
        DatabaseError, SettingError: as `load_people`.
    """
    from aesthetic_tv.databases import load
    from aesthetic_tv.evaluation.people import photos_of
    from aesthetic_tv.evaluation.splits import refuse_trained_on

    names, photos, _ = photos_of(load(*database_and_folder(named)))
    refuse_trained_on(people, names, photos)


def show(results: "Results") -> None:
    """One table for each number of shots, of each group of people and metric: the methods, best
    first; and what others published by the same protocol.
    """
    from aesthetic_tv.evaluation.protocol import protocol_of

    named = protocol_of(results.config)
    if named is not None:
        typer.echo(f"Protocol {named.id}: {named.title}.\n  {named.source}")
    for group, fits in results.fits_of_groups.items():
        for metric in ("srocc",) if named is None else named.metrics:
            _show_group(fits, metric, f", {group} people" if group else "")
    if named is not None:
        _show_published(named.id, results.config["database"])


def _show_group(fits: "pd.DataFrame", metric: str, whose: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from aesthetic_tv.evaluation.report import NAMES
    from aesthetic_tv.evaluation.statistics import summary

    heads = ("method", NAMES[metric], "95 % over people", "sd over draws", "people x draws",
             "seconds a fit")  # fmt: skip
    for shots, part in summary(fits, metric).groupby("shots"):
        title = f"{shots} rated photos{whose}"
        table = Table(*heads, title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for row in part.itertuples():
            table.add_row(
                Text(str(row.method)),
                f"{row.mean:.3f}",
                f"{row.low:.3f} to {row.high:.3f}",
                "" if row.draws < 2 else f"{row.sd_draws:.3f}",
                f"{row.people} x {row.draws}",
                f"{row.seconds:.3g}",
            )
        Console().print(table)


def _show_published(protocol: str, database: str) -> None:
    from aesthetic_tv.evaluation.published import published

    found = published(protocol, database)
    if not found:
        typer.echo("Published figures by this protocol: not at hand.")
    for source in dict.fromkeys(figure.source for figure in found):
        told = [f"{x.method}, {x.shots}: {x.shown}" for x in found if x.source == source]
        typer.echo(f"Published SROCC ({source}): {'; '.join(told)}.")


def sizes(text: str) -> tuple[int, ...]:
    """Numbers parted by commas or spaces.

    Raises:
        SettingError: something else.
    """
    from aesthetic_tv.errors import SettingError

    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise SettingError(f"shots are {text!r}; expected numbers such as 10,100.") from None


def main() -> None:
    """Entry point of `python -m aesthetic_tv.evaluation`."""
    run_in_processes(evaluate)
