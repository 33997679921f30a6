"""`aesthetic-tv score-people`: many photos for many people in one pass."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from aesthetic_tv.cli.options import Device, gathered
from aesthetic_tv.cli.outcome import Bars, quiet_transformers, reports_errors
from aesthetic_tv.cli.shards import SHARD_OPTIONS, end_of_run, given

RUN = ("engine", "workers", "config", "split")  # the other options are of how people are scored


@gathered("sharding", SHARD_OPTIONS)
@reports_errors("Shards that are done are kept; the same command goes on from there.")
def score_people(
    photos: Annotated[
        list[str],
        typer.Argument(
            help="Parquet, tars or folders of photos, with braces and globs, or "
            "hf://datasets/OWNER/NAME."
        ),
    ],
    bank: Annotated[str, typer.Option(help="The bank of all tastes: a folder or a Hub id.")],
    people: Annotated[Path, typer.Option(help="Folder with one saved taste in each folder.")],
    out: Annotated[Path, typer.Option(help="Folder of the outputs.")],
    top: Annotated[int, typer.Option(min=1, help="Photos that are kept of each person.")] = 100,
    table: Annotated[
        str | None, typer.Option(help="float16 or float32: every score of every person instead.")
    ] = None,
    slopes: Annotated[str, typer.Option(help="float16 or float32: of the features.")] = "float16",
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bfloat16: inside the tower.")
    ] = "auto",
    check: Annotated[
        int, typer.Option(min=0, help="Photos that three people's merged scorers score too.")
    ] = 50,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos for each pass.")] = 32,
    device: Device = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs of another run.")
    ] = False,
    sharding: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Score photos for many people in one pass, within the linear model of their bank.

    Example: aesthetic-tv score-people photos.parquet --bank me/bank --people tastes --out scores
    """
    from aesthetic_tv.scale import score_people_shards
    from aesthetic_tv.scale.people_job import PeopleSettings

    quiet_transformers()
    told = given(sharding)
    run = {name: told.pop(name) for name in RUN if name in told}
    settings = PeopleSettings(
        top=top,
        table=table,
        slopes=slopes,
        precision=precision,
        batch_size=batch_size,
        device=device,
        **told,
    )
    with Bars() as bars:
        report = score_people_shards(
            photos,
            bank,
            people,
            out,
            settings=settings,
            check=check,
            overwrite=overwrite,
            progress=lambda done, total: bars("shards", done, total),
            **run,
        )
    typer.echo(f"{len(report.people)} people, by the linear model of the bank.")
    _tell_check(report.manifest["check"])
    end_of_run(report, report.refused)


def _tell_check(check: Mapping[str, Any] | None) -> None:
    if not check or not check["people"]:
        return
    largest = max(person["largest"] for person in check["people"].values())
    ranks = [x["srocc"] for x in check["people"].values() if x["srocc"] is not None]
    least = f", rank correlation {min(ranks):.3f} or more" if ranks else ""
    typer.echo(
        f"Against merged scorers of {len(check['people'])} people on {check['photos']} photos: at "
        f"most {largest:.3f} apart{least}; float16 costs {check['float16_loss']:.5f}."
    )
