"""`aesthetic-tv score`: rank a folder of photos by a scorer, or score shards of any number."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesthetic_tv.cli.options import Device, gathered
from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    quiet_transformers,
    reports_errors,
)
from aesthetic_tv.cli.shards import SCORE_OPTIONS, are_shards, score_many

if TYPE_CHECKING:
    from aesthetic_tv import AestheticScorer
    from aesthetic_tv.scorer.folder import ScoreReport
    from aesthetic_tv.scorer.score_table import ScoredPhoto

SHOWN = 5  # photos listed from the top and from the bottom


@gathered("sharding", SCORE_OPTIONS)
@reports_errors(
    "What is scored so far is kept; add --resume to the same command to go on, or of shards, the "
    "same command alone."
)
def score(
    photos: Annotated[
        list[str],
        typer.Argument(
            help="A folder of photos, or photos; or shards: tars and parquet, with braces and "
            "globs, or hf://datasets/OWNER/NAME."
        ),
    ],
    scorer: Annotated[
        str, typer.Option(help="A saved taste, or any scorer: a folder or a Hub id.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Table to write: .csv, .parquet or .json; without, scores are printed, best "
            "first. Of shards, a folder of tables."
        ),
    ] = None,
    bank: Annotated[
        str | None, typer.Option(help="The bank of the taste, where it cannot be found by name.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing table.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos for each pass.")] = 32,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of lines of photo and score.")
    ] = False,
    device: Device = "auto",
    sharding: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Score and rank a folder of photos, or some photos; or score shards.

    Example: aesthetic-tv score album --scorer my-taste --out scores.csv

    Example: aesthetic-tv score "shards/{00000..00999}.tar" --scorer my-taste --out scores
    """
    if are_shards(photos, sharding):
        run = {**sharding, "batch_size": batch_size, "device": device}
        score_many(photos, scorer, out, bank, overwrite, run)
        return
    places = [Path(photo) for photo in photos]
    _score_album(places, scorer, out, bank, resume, overwrite, batch_size, as_json, device)


def _score_album(
    photos: list[Path],
    scorer: str,
    out: Path | None,
    bank: str | None,
    resume: bool,
    overwrite: bool,
    batch_size: int,
    as_json: bool,
    device: Device,
) -> None:
    from aesthetic_tv.errors import SettingError
    from aesthetic_tv.scorer.score_table import check_output

    if out is None and (resume or overwrite):
        raise SettingError("--resume and --overwrite are for a table; name it with --out.")
    if out is not None:
        if as_json:
            raise SettingError("--json is for what is printed; name the table NAME.json instead.")
        check_output(out, overwrite)
    with Bars() as bars:
        files, note = _photos(photos, bars)

    from aesthetic_tv.scorer.folder import score_folder, score_photos

    quiet_transformers()
    loaded = load_scorer(scorer, bank, device)
    with Bars() as bars:
        tell = partial(bars, "scoring")
        if out is None:
            rows = score_photos(loaded, files, batch_size=batch_size, progress=tell)
        else:
            report = score_folder(
                loaded,
                photos[0] if len(photos) == 1 and photos[0].is_dir() else files,
                out,
                batch_size=batch_size,
                resume=resume,
                overwrite=overwrite,
                progress=tell,
            )
    if out is None:
        _print_scores(rows, as_json)
        skipped = {row.photo: row.skipped for row in rows if row.skipped}
        end_with_skipped(skipped, "the others were scored", note)
        return
    if report.num_resumed:
        typer.echo(f"Went on after {report.num_resumed} photos that were scored before.")
    print_ranking(report)
    typer.echo(f"{len(report.ranking)} of {len(report.rows)} photos scored; table in {out}.")
    next_step("open it, best first by the column rank.", str(out))
    end_with_skipped(report.skipped, f"the reasons are also in {out}", note)


def _photos(given: list[Path], bars: Bars) -> tuple[list[Path], str]:
    """The files named and those below the folders named, and what was left out of those.

    Raises:
        PhotoError: nothing of this name, or a folder without photos.
    """
    from aesthetic_tv.errors import PhotoError
    from aesthetic_tv.scorer.photo_files import PhotoFiles

    files, notes = list[Path](), list[str]()
    for place in given:
        if place.is_dir():
            below = PhotoFiles.below(place, bars.counting("photos found"))
            files += below.photos
            notes.append(below.note)
        elif place.exists():
            files.append(place)
        else:
            raise PhotoError(f"{place}: there is no such photo or folder.")
    return list(dict.fromkeys(files)), " ".join(filter(None, notes))


def _print_scores(rows: "list[ScoredPhoto]", as_json: bool) -> None:
    """On standard output, best first: for another program, so no table with borders."""
    from aesthetic_tv.scorer.score_table import ranked

    if as_json:
        last = [row for row in rows if row.skipped]
        typer.echo(json.dumps([vars(row) for row in (*ranked(rows), *last)], indent=1))
        return
    for row in ranked(rows):
        typer.echo(f"{_in_one_line(row.photo)}\t{row.score:.4f}")


def _in_one_line(name: str) -> str:
    """A tab or the end of a line inside a name would be taken for one of the table."""
    return name.replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")


def load_scorer(scorer: str, bank: str | None, device: str = "auto") -> "AestheticScorer":
    """Load a scorer of any kind, to the device that shall compute.

    Raises:
        ScorerError: nothing of this name, or nothing that is a scorer.
        SettingError: the device is not there.
        HubError: the Hub refused or failed; see its subclasses.
    """
    from aesthetic_tv import AestheticScorer
    from aesthetic_tv.errors import FormatError, ScorerError
    from aesthetic_tv.scorer.devices import choose_device

    place = choose_device(device)
    try:
        loaded = AestheticScorer.from_pretrained(scorer, bank=bank)
    except (FormatError, ScorerError) as error:
        raise ScorerError(
            f"--scorer {scorer}: {error} Name the folder that `aesthetic-tv personalize` wrote, or "
            "a scorer or taste on the Hub."
        ) from error
    return loaded.to(place)  # type: ignore[arg-type]


def print_ranking(report: "ScoreReport") -> None:
    """The best and the worst photos, as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ranking = report.ranking
    table = Table("rank", "score", "photo")
    for row in ranking[:SHOWN]:
        table.add_row(str(row.rank), f"{row.score:.2f}", Text(row.photo))
    if len(ranking) > 2 * SHOWN:
        table.add_row("...", "", "")
    for row in ranking[max(SHOWN, len(ranking) - SHOWN) :]:
        table.add_row(str(row.rank), f"{row.score:.2f}", Text(row.photo))
    if ranking:
        Console().print(table)
