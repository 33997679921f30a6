"""`aesthetic-tv suggest`: which photos to rate next."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.cli.album import below, ratings_of
from aesthetic_tv.cli.options import Device
from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    quiet_transformers,
    reports_errors,
)
from aesthetic_tv.names import written

if TYPE_CHECKING:
    from aesthetic_tv.personalization import InstantFit


@reports_errors("What the cache has is kept; run the same command again to go on.")
def suggest(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")],
    ratings: Annotated[
        Path | None,
        typer.Option(
            help="Your ratings so far: a table, or xmp for the stars in the photos; without, where "
            "to begin."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many to suggest.")] = 5,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Pairs to choose the better of, instead of photos.")
    ] = False,
    bank: Annotated[str, typer.Option(help="Task vectors to weigh: a name or a folder.")] = (
        DEFAULT_BANK
    ),
    cache: Annotated[
        Path | None,
        typer.Option(help="File that keeps the album's features, so that each photo is seen once."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Tell which photos to rate next: those that would tell most about your taste.

    Example: aesthetic-tv suggest album --ratings ratings.csv --cache album.features.safetensors
    """
    from aesthetic_tv.errors import SettingError
    from aesthetic_tv.scorer.photo_files import PhotoFiles

    if pairs and ratings is None:
        raise SettingError("--pairs needs --ratings: without any, begin with single photos.")
    with Bars() as bars:
        files = PhotoFiles.below(photos, bars.counting("photos found"))
    told = None if ratings is None else ratings_of(photos, ratings, err=True)
    from aesthetic_tv import PhotoFeatures, TaskVectorBank
    from aesthetic_tv.personalization import InstantFit
    from aesthetic_tv.scorer.devices import choose_device

    quiet_transformers()
    # Of a rated photo that cannot be read here, it is told why.
    paths = list(dict.fromkeys([*map(str, files.photos), *(told.known if told else ())]))
    with Bars() as bars:
        album = PhotoFeatures.compute(
            TaskVectorBank.from_pretrained(bank).to(choose_device(device)),
            paths,
            cache=cache,
            progress=lambda done, total: bars("photos", done, total),
        )
    if told is None:
        for photo in album.suggest_first(count):
            typer.echo(written(str(photo)))
    else:
        known = {photo: x for photo, x in told.ratings.items() if photo not in album.skipped}
        compared = [pair for pair in told.pairs if not album.skipped.keys() & set(pair)]
        mine = InstantFit.of(album, known or None, pairs=compared or None, scale=told.scale)
        if pairs:
            for pair in mine.suggest_pairs(count):
                typer.echo("\t".join(written(str(photo)) for photo in pair))
        else:
            _print(mine, photos, count)
    _tell_next(photos, ratings)
    skipped = {**album.skipped, **(below(photos, told.problems) if told else {})}
    end_with_skipped(skipped, "the others were looked at", files.note)


def _tell_next(photos: Path, ratings: Path | None) -> None:
    """Rate them: in the browser, or in the file that there is."""
    given = [] if ratings is None else ["--ratings", str(ratings)]
    if ratings is None or ratings.suffix.lower() == ".csv":  # which the page goes on with
        next_step("rate them.", shlex.join(["aesthetic-tv", "rate", str(photos), *given]), err=True)
        return
    command = ["aesthetic-tv", "suggest", str(photos), *given]
    where = "as stars" if str(ratings) == "xmp" else f"in {ratings}"
    next_step(f"rate them {where}, and ask again.", shlex.join(command), err=True)


def _print(mine: "InstantFit", folder: Path, count: int) -> None:
    """The photos with what is expected of them."""
    import numpy as np
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    places = {row.photo: (place, row) for place, row in enumerate(mine.ranking(), 1)}
    middle = float(np.median(mine.scores))
    table = Table("rate next", "rank so far", "chance to be in your better half")
    for photo in mine.suggest_next(count):
        place, row = places[photo]
        gap, variance = np.array(row.score - middle), np.array(row.deviation**2)
        chance = mine.posterior.pair_probability(gap, variance)
        name = written(Path(str(photo)).relative_to(folder))
        table.add_row(Text(name), f"{place} of {len(places)}", f"{float(chance):.0%}")
    Console().print(table)
