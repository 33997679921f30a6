"""Ratings of an album on the command line, and what is told of where they were found."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.outcome import Bars, note, tell_unrated
from aesthetic_tv.names import written

if TYPE_CHECKING:
    from aesthetic_tv.personalization.album_ratings import AlbumRatings

SHOWN = 10  # notes of one kind
Rejected = Annotated[
    float | None,
    typer.Option(
        help="What a photo that you rejected counts as, such as 1; left out when not given."
    ),
]


def ratings_of(
    photos: Path, named: Path | None, rejected: float | None = None, *, err: bool = False
) -> "AlbumRatings":
    """Find the ratings of an album, and tell where they were and how many.

    Args:
        photos: the album.
        named: what --ratings names.
        rejected: what rejected photos count as.
        err: tell on stderr, where what is printed is for other programs.

    Raises:
        RatingsFileError, SettingError, PhotoError: as by `find_ratings`.
    """
    from aesthetic_tv.personalization.album_ratings import find_ratings

    with Bars() as bars:
        found = find_ratings(
            photos,
            named,
            rejected=rejected,
            progress=lambda done, total: bars("stars", done, total),
        )
    typer.echo(f"Your ratings: {found.source}", err=err)
    tell_some(found.notes)
    if found.table is not None:
        tell_unrated(found.unrated, found.table)
    return found


def tell_some(notes: tuple[str, ...]) -> None:
    """Tell the first few of many notes, and how many more there are."""
    for text in notes[:SHOWN]:
        note(written(text))
    if len(notes) > SHOWN:
        note(f"and {len(notes) - SHOWN} more.")


def below(album: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Reasons by paths from the album instead of from here, as far as they are below it."""
    named = {}
    for file, reason in files.items():
        path = Path(file)
        name = path.relative_to(album).as_posix() if path.is_relative_to(album) else file
        named[written(name)] = reason
    return named
