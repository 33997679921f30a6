"""`aesthetic-tv bank population`: give a bank the taste that people have in common."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from aesthetic_tv.cli import columns
from aesthetic_tv.cli.options import Device
from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    quiet_transformers,
    reports_errors,
)


@reports_errors("Nothing was written; run the same command again to start over.")
@columns.of_table()
def population(
    bank: Annotated[str, typer.Argument(help="A bank: a folder, a Hub id or embedded:lite.")],
    database: Annotated[
        str, typer.Argument(help="A database's id (`aesthetic-tv database list`), folder or hub.")
    ],
    data: Annotated[str, typer.Option(help="Folder it is in; for `hub` the repo, OWNER/NAME.")],
    out: Annotated[Path, typer.Option(help="Folder to save the bank to.")],
    people: Annotated[
        bool,
        typer.Option("--people", help="Single persons' scores: learn also how far people stray."),
    ] = False,
    split: Annotated[
        str, typer.Option(help="train, validation, test or all: of photos no vector was trained on")
    ] = "test",
    most: Annotated[int, typer.Option(min=2, help="Photos to take at most.")] = 500,
    directions: Annotated[
        int,
        typer.Option(
            min=0, help="Head directions to weigh besides the task vectors; 0 leaves them out."
        ),
    ] = 192,
    of_table: columns.Given = columns.NONE,
    device: Device = "auto",
) -> None:
    """Learn the taste that people have in common, and save the bank with it.

    Whoever learns a taste with that bank starts from there instead of from equal weights. Unless
    the bank has head directions, it is given some: additional task vectors in the head along what
    these photos differ in most, as the tower sees them.

    Example: aesthetic-tv bank population my-bank para --data /data/PARA --people --out my-bank-2
    """
    source = columns.source_of(database, of_table)
    from aesthetic_tv import TaskVectorBank
    from aesthetic_tv.databases import load
    from aesthetic_tv.finetuning.database_population import population_of
    from aesthetic_tv.scorer.devices import choose_device

    quiet_transformers()
    loaded = TaskVectorBank.from_pretrained(bank).to(choose_device(device))
    told = load(database, data, per_person=people, source=source)
    part = told if split == "all" else told.split(split)
    with Bars() as bars:
        found, skipped = population_of(
            loaded,
            part,
            most=most,
            directions=directions,
            progress=lambda done, total: bars("population", done, total),
        )
    whence = {**found.learned_from, "database": told.entry.id, "split": split}
    loaded.population = replace(found, learned_from=whence)
    loaded.save_pretrained(out)
    typer.echo(f"Learned from {whence['num_photos']} photos, {whence['kind']}; saved in {out}.")
    next_step(
        "learn a taste that starts from there.",
        f"aesthetic-tv personalize PHOTOS --ratings ratings.csv --bank {out} --out my-taste",
    )
    end_with_skipped(skipped, "the others were learned from")
