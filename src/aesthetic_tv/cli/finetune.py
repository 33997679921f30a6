"""`aesthetic-tv finetune`: from a database of scored photos to a task vector."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from aesthetic_tv.finetuning.config import RUNNING, TRAINING, FinetuneConfig

if TYPE_CHECKING:
    from aesthetic_tv.databases import Database
    from aesthetic_tv.finetuning.from_database import TrainedVector
    from aesthetic_tv.finetuning.two_stage import Grouping

RUN_SUFFIX = ".run"
SPLITTING = "Splitting"


def _option(text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


@reports_errors("What was saved last stays; go on with the same command and --resume.")
@columns.of_table()
@gathered("training", options_of(FinetuneConfig))
def finetune(
    database: Annotated[
        str, typer.Argument(help="A database's id (`aesthetic-tv database list`), folder or hub.")
    ],
    data: Annotated[str, typer.Option(help="Folder it is in; for `hub` the repo, OWNER/NAME.")],
    base: Annotated[
        str, typer.Option(help="Any vision model or base scorer: folder, Hub id, embedded:lite.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to save the task vector to.")],
    name: Annotated[
        str | None,
        typer.Option(help="Of the vector; the database's id, for folder and hub that of --out."),
    ] = None,
    license: Annotated[str | None, typer.Option(help="Of the vector; there is no default.")] = None,
    push_to_hub: Annotated[str | None, typer.Option(help="Also push it: owner/name.")] = None,
    of_table: columns.Given = columns.NONE,
    split: Annotated[str, _option("auto, official or seeded.", SPLITTING)] = "auto",
    validation: Annotated[float, _option("Share that chooses the weights.", SPLITTING)] = 0.1,
    test: Annotated[float, _option("Share that is tested on once.", SPLITTING)] = 0.1,
    split_by: Annotated[
        str | None, _option("One vector for each value of a column, or clusters.", SPLITTING)
    ] = None,
    split_table: Annotated[
        Path | None, _option("Table with that column; --scores if not given.", SPLITTING)
    ] = None,
    clusters: Annotated[int, _option("Number of clusters.", SPLITTING)] = 5,
    training: Mapping[str, Any] = MappingProxyType({}),
    head_seed: Annotated[int, _option("Of the random head on a tower.", TRAINING, min=0)] = 0,
    log_with: Annotated[
        list[str] | None, _option("Tracker: tensorboard, wandb, ...", RUNNING)
    ] = None,
    storage: Annotated[
        str | None, _option("Of the vector: float32, float16, int4, ...", RUNNING)
    ] = None,
    resume: Annotated[bool, _option("Go on with a stopped run.", RUNNING, "--resume")] = False,
    overwrite: Annotated[
        bool, _option("Replace a vector or a stopped run.", RUNNING, "--overwrite")
    ] = False,
    device: Device = "auto",
) -> None:
    """Fine-tune a base on scored photos, and save what that changed as a task vector.

    On several GPUs: accelerate launch -m aesthetic_tv.finetuning, and the same after it.

    Example: aesthetic-tv finetune ava --data /data/AVA --base HUB_ID --out vectors/ava
    """
    source = columns.source_of(database, of_table)
    from aesthetic_tv.finetuning.bases import named_base
    from aesthetic_tv.finetuning.checkpoint import RunFolder
    from aesthetic_tv.finetuning.from_database import finetune_database
    from aesthetic_tv.finetuning.two_stage import Run
    from aesthetic_tv.processes import joined

    quiet_transformers()
    config = FinetuneConfig(**given(FinetuneConfig, training))
    process = joined(device)
    folder = RunFolder(out.with_name(out.name + RUN_SUFFIX), process.is_main_process)
    _check_places(out, folder, resume=resume, overwrite=overwrite)
    if of_table.get("streaming") and database == "hub":
        _fetch_share(data, source, process)
    loaded = _load(database, data, source, split, config.seed, validation, test)
    config = replace(config, score_range=loaded.score_range)
    labels = split_table or columns.table_of(data, of_table.get("table"))
    grouping = _grouping(loaded, split_by, labels, clusters, config.seed)
    with Bars() as bars:
        facts = {"split_by": split_by, "clusters": clusters if split_by == "clusters" else None}
        trained = finetune_database(
            named_base(base, head_seed=head_seed),
            loaded,
            config,
            Run(folder, resume, facts, bars, log_with),
            name=name or (out.resolve().name if database in columns.ANY_TABLE else None),
            grouping=grouping,
            license=license,
        )
    if process.is_main_process:
        places = _save(trained, out, storage, split_by is not None)
        folder.remove()
        _report(trained, places)
        _push(places, push_to_hub)
    process.wait_for_everyone()
    if process.is_main_process:
        if push_to_hub is None:
            next_step("look at it.", shlex.join(["aesthetic-tv", "vector", "info", str(places[0])]))
        left_out = dict((*loaded.problems, *trained[0].problems))
        end_with_skipped(left_out, "the vector was learned from the others")


def _check_places(out: Path, folder: Any, *, resume: bool, overwrite: bool) -> None:
    """Refuse before the work, not after it.

    Raises:
        OutputError: `out` is taken, or a stopped run is there.
    """
    from aesthetic_tv.errors import OutputError

    if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists; name another folder, or replace it with --overwrite.")
    if folder.exists and not resume and not overwrite:
        raise OutputError(
            f"{folder.path} holds a run that was stopped; go on with --resume, or start anew with "
            "--overwrite."
        )


def _load(
    database: str, data: str, source: Any, split: str, seed: int, validation: float, test: float
) -> "Database":
    from typing import cast

    from aesthetic_tv.databases import SplitSettings, load

    shares = SplitSettings(cast(Any, split), seed, validation, test)
    return load(database, data, split=shares, source=source)


def _fetch_share(repo: str, source: Any, process: Any) -> None:
    """Stream the data set to this machine's disk, together with its other processes."""
    import os

    from aesthetic_tv.databases.hub import fetch_share

    here = int(os.environ.get("LOCAL_WORLD_SIZE", process.num_processes))
    with Bars() as bars:

        def tell(done: int, total: int) -> None:
            if process.is_main_process:
                bars("shards", done, total)

        fetch_share(repo, source, process.local_process_index, here, tell)
    process.wait_for_everyone()


def _grouping(
    database: "Database",
    split_by: str | None,
    table: Path | None,
    clusters: int,
    seed: int,
) -> "Grouping | None":
    """How to split the database into tasks.

    Raises:
        SettingError: a column without a table that it is in.
    """
    from aesthetic_tv.errors import SettingError
    from aesthetic_tv.finetuning.splitting import by_clusters, by_label, read_labels

    if split_by is None:
        return None
    if split_by == "clusters":
        return by_clusters(clusters, seed)
    if table is None:
        raise SettingError(f"no table to find {split_by!r} in; give it as --split-table.")
    labels = read_labels(table, split_by)
    return by_label(list(database.table["photo"]), labels)


def _save(
    trained: "Sequence[TrainedVector]", out: Path, storage: str | None, several: bool
) -> list[Path]:
    """Each vector's folder: `out`, or one below it for each task."""
    from aesthetic_tv.finetuning.splitting import folder_names

    places = [out]
    if several:
        names = folder_names([vector.finetuned.name for vector in trained])
        places = [out / name for name in names]
    for vector, place in zip(trained, places, strict=True):
        vector.save_pretrained(place, storage=storage)
    return places


def _report(trained: "Sequence[TrainedVector]", places: Sequence[Path]) -> None:
    """One row a vector: photos, and how well it does on those it has not seen."""
    from rich.console import Console
    from rich.table import Table

    table = Table("vector", "photos", "validation SROCC", "test SROCC", "test PLCC", "saved in")
    for vector, place in zip(trained, places, strict=True):
        result = vector.finetuned
        tested = "" if result.test is None else f"{result.test.plcc:.3f}"
        cells = [_told(result.validation), _told(result.test), tested, str(place)]
        table.add_row(vector.vector.name, str(result.num_photos["train"]), *cells)
    table.caption = f"standard error in brackets; processes: {trained[0].finetuned.num_processes}"
    Console().print(table)


def _told(agreement: Any) -> str:
    if agreement is None:
        return ""
    return f"{agreement.srocc:.3f} ({agreement.standard_error:.3f}), n = {agreement.n}"


def _push(places: Sequence[Path], repo: str | None) -> None:
    """Push each vector; those of several tasks to repos of their own."""
    from aesthetic_tv.saved_folders import push_folder

    for place in places if repo is not None else ():
        suffix = f"-{place.name}" if len(places) > 1 else ""
        commit = push_folder(place, f"{repo}{suffix}", {})
        typer.echo(f"Pushed in one commit: {commit.commit_url}")


def main() -> None:
    """Entry point of `python -m aesthetic_tv.finetuning`."""
    run_in_processes(finetune)
