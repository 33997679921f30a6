"""`aesthetic-tv stars`: the stars that photos have already."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.album import below, tell_some
from aesthetic_tv.cli.outcome import Bars, end_with_skipped, next_step, reports_errors
from aesthetic_tv.names import written

if TYPE_CHECKING:
    from aesthetic_tv.photo_metadata.stars import Stars


@reports_errors("Nothing was written.")
def stars(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Table of ratings to write, .csv, for `personalize`."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing table.")
    ] = False,
) -> None:
    """Tell which stars photos have already: in sidecars, in their XMP, in EXIF.

    Example: aesthetic-tv stars album --out ratings.csv
    """
    from aesthetic_tv.errors import OutputError
    from aesthetic_tv.personalization.ratings_file import write_ratings
    from aesthetic_tv.photo_metadata.stars import read_stars

    if out is not None and out.suffix.lower() != ".csv":
        raise OutputError(f"{out}: stars are saved as csv; name a file that ends in .csv.")
    if out is not None and out.exists() and not overwrite:
        raise OutputError(f"{out} exists; name another file, or replace it with --overwrite.")
    with Bars() as bars:
        found = read_stars(photos, progress=lambda done, total: bars("stars", done, total))
    typer.echo(found.summary())
    _print(found)
    tell_some(tuple(found.conflicts.values()))
    if out is not None:
        rated = found.ratings
        names = {photo: Path(photo).relative_to(photos).as_posix() for photo in rated}
        write_ratings(out, {names[photo]: number for photo, number in rated.items()})
        typer.echo(f"{len(rated)} ratings are in {written(out)}.")
        command = f"aesthetic-tv personalize {photos} --ratings {out} --out my-taste"
        next_step("learn your taste from them.", command)
    end_with_skipped(below(photos, found.problems), "the others were read")


def _print(found: "Stars") -> None:
    """How many photos have how many stars, and which labels."""
    from collections import Counter

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    counts = Counter(found.ratings.values())
    table = Table("stars", "photos")
    for number in sorted(counts, reverse=True):
        table.add_row(f"{number:g}", str(counts[number]))
    for name, count in (("rejected", len(found.rejected)), ("none", found.unrated)):
        table.add_row(name, str(count))
    labels = Counter(found.labels.values())
    for label, count in labels.most_common(8):
        table.add_row(Text(f"label {written(label)}"), str(count))
    Console().print(table)
