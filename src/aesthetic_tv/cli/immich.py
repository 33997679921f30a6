"""`aesthetic-tv immich`: photos and stars from an Immich server, stars and an album back."""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from aesthetic_tv.cli.options import Device
from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    quiet_transformers,
    reports_errors,
    warn,
)
from aesthetic_tv.cli.score import load_scorer

if TYPE_CHECKING:
    from aesthetic_tv import AestheticScorer
    from aesthetic_tv.immich.client import Immich
    from aesthetic_tv.immich.library import Pulled
    from aesthetic_tv.immich.plan import Plan

KEY, ADDRESS = "IMMICH_API_KEY", "IMMICH_URL"
SHOWN = 5  # photos listed of each kind
NEEDS = f"The API key is read from {KEY}, or asked for; it is no option, so that no history has it."

app = typer.Typer(
    no_args_is_help=True,
    help="Immich: your photos and stars in, ratings and an album back. " + NEEDS,
)

Url = Annotated[
    str | None,
    typer.Option(envvar=ADDRESS, help="The server, as you open it: http://192.168.1.5:2283."),
]


@app.command()
@reports_errors("What arrived is kept; run the same command again to go on.")
def pull(
    out: Annotated[Path, typer.Option(help="Folder for the album: new, or pulled before.")],
    url: Url = None,
    album: Annotated[
        str | None, typer.Option(help="Name or id of an album there; all photos when not given.")
    ] = None,
    favourites: Annotated[
        bool, typer.Option("--favourites", "--favorites", help="Only photos with a heart.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="That many photos at most, the newest.")
    ] = None,
    originals: Annotated[
        bool,
        typer.Option("--originals", help="The files as uploaded; previews are enough to score."),
    ] = False,
) -> None:
    """Fetch photos, your stars and hearts into a folder. Nothing is fetched twice.

    The key needs user.read, asset.read and asset.view; album.read for --album, asset.download for
    --originals.

    Example: aesthetic-tv immich pull --url http://192.168.1.5:2283 --out album
    """
    from aesthetic_tv.immich import library

    with connected(url) as immich, Bars() as bars:
        done = library.pull(
            immich,
            out,
            album=album,
            favourites=favourites,
            limit=limit,
            originals=originals,
            progress=lambda done, total: bars("fetching", done, total),
        )
    _tell_pulled(out, done)
    end_with_skipped(done.skipped, "the others are there")


def _tell_pulled(out: Path, done: "Pulled") -> None:
    from aesthetic_tv.immich.library import RATINGS_NAME

    typer.echo(
        f"{done.photos} photos in {out}, {done.fetched} of them fetched now. In the folder: "
        f"{done.rated} with your stars, {done.favourites} with a heart, {done.rejected} rejected."
    )
    for name, place in done.beside.items():
        warn(
            f"{out / name} was changed since and is left as it is; what Immich says is in {place}."
        )
    if done.rated:
        command = ["aesthetic-tv", "personalize", str(out), "--ratings", str(out / RATINGS_NAME)]
        next_step("learn your taste from your stars.", shlex.join([*command, "--out", "my-taste"]))
    elif not done.photos and not done.skipped:
        warn("Immich has no photo of yours there.")
    else:
        next_step("rate some of them.", shlex.join(["aesthetic-tv", "rate", str(out)]))


@app.command()
@reports_errors("What was sent can be undone with the newest immich-undo file in the album.")
def push(
    photos: Annotated[Path, typer.Argument(help="Folder that `immich pull` made.")],
    scorer: Annotated[
        str, typer.Option(help="A saved taste, or any scorer: a folder or a Hub id.")
    ],
    url: Url = None,
    bank: Annotated[
        str | None, typer.Option(help="The bank of the taste, where it cannot be found by name.")
    ] = None,
    stars: Annotated[
        str | None,
        typer.Option(
            help='Shares of 1 to 5 stars in percent, as in "10,20,40,20,10"; none for no ratings. '
            "When not given, your own scale where the taste has one from 1 to 5, else these."
        ),
    ] = None,
    album: Annotated[
        str | None, typer.Option(help="Album for the best (default: Best by my taste).")
    ] = None,
    best: Annotated[int, typer.Option(min=0, help="Photos for it; 0 for no album.")] = 50,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Change ratings that you gave yourself, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = (
        False
    ),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    device: Device = "auto",
) -> None:
    """Show which ratings your taste would give, and write them when you say so.

    Your own ratings stay. The key needs user.read, asset.read and asset.update; album.read,
    album.create and albumAsset.create for the album.

    Example: aesthetic-tv immich push album --scorer my-taste
    """
    from aesthetic_tv.immich import feedback, plan
    from aesthetic_tv.immich.manifest import Manifest
    from aesthetic_tv.personalization.stars import parse_shares

    quiet_transformers()
    rating = stars is None or stars.strip().lower() != "none"
    shares = None if stars is None or not rating else parse_shares(stars)
    with connected(url, named=Manifest.load(photos).server) as immich, Bars() as bars:
        manifest = plan.manifest_of(photos, immich.account.id)
        loaded, scores, skipped = _scored(photos, manifest.photos, scorer, bank, bars, device)
        now = plan.states(
            immich, manifest, [*scores], lambda done, total: bars("asking Immich", done, total)
        )
        bars.close()
        given = _stars(loaded, scores, shares) if rating and scores else {}
        meant = plan.plan_ratings(manifest, given, now, overwrite=overwrite)
        if best:
            chosen = plan.best_photos(scores, now, best)
            meant = plan.with_album(immich, meant, album or plan.ALBUM, chosen)
        print_plan(meant, scores)
        skipped |= {name: why for name, why in now.items() if isinstance(why, str)}
        if meant.empty:
            typer.echo("There is nothing to change.")
        elif dry_run or not (yes or _agreed()):
            typer.echo("Nothing was written." if dry_run else "Nothing was written; --yes writes.")
        else:
            sent = feedback.send(
                immich, photos, manifest, meant, lambda done, total: bars("rating", done, total)
            )
            bars.close()
            typer.echo(f"{sent.rated} ratings written, {sent.in_album} photos put into the album.")
            skipped |= sent.refused
            next_step("take it all back, should you want to.",
                      shlex.join(["aesthetic-tv", "immich", "undo", str(sent.undo)]))  # fmt: skip
    end_with_skipped(skipped, "nothing was changed of them")


def _scored(
    folder: Path,
    photos: Iterable[str],
    scorer: str,
    bank: str | None,
    bars: Bars,
    device: str = "auto",
) -> tuple["AestheticScorer", dict[str, float], dict[str, str]]:
    """The scorer, raw scores of the photos that it can read, and why it has none of others."""
    from aesthetic_tv.errors import OutputError

    found = {name: (folder / name).is_file() for name in photos}
    there = [name for name, here in found.items() if here]
    if not there:
        raise OutputError(f"{folder} holds none of the photos of its immich.json; pull them again.")
    loaded = load_scorer(scorer, bank, device)
    raw, failures = loaded.score_readable(
        [folder / name for name in there],
        calibrated=False,
        progress=lambda done, total: bars("scoring", done, total),
    )
    skipped = {name: "there is no such file any more." for name, here in found.items() if not here}
    for place, name in enumerate(there):
        if place in failures:
            skipped[name] = str(failures[place]).removeprefix(f"{folder / name}: ")
        elif not isfinite(raw[place]):
            skipped[name] = f"the scorer gave {raw[place]}, which is no score."
    scores = {name: float(raw[i]) for i, name in enumerate(there) if name not in skipped}
    return loaded, scores, skipped


def _stars(
    scorer: "AestheticScorer", scores: Mapping[str, float], shares: tuple[float, ...] | None
) -> dict[str, int]:
    import numpy as np

    from aesthetic_tv.personalization.stars import stars_of_scores

    given, how = stars_of_scores(
        np.array(list(scores.values())), scorer.calibrate, scorer.config.calibration_ratings, shares
    )
    typer.echo(f"Stars for {len(scores)} photos, {how}.")
    return dict(zip(scores, given.tolist(), strict=True))


def _agreed() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return typer.confirm("Write this to Immich?", default=False)


def print_plan(plan: "Plan", scores: Mapping[str, float]) -> None:
    """What would change: how many photos get which rating, some of them by name, the album."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(
        *("rating", "photos", "had none", "had another", "among them"),
        title="What would change",
        title_style="",
    )
    for rating in range(5, 0, -1):
        changes = [change for change in plan.changes if change.after == rating]
        first = sorted(changes, key=lambda change: -scores.get(change.photo, 0.0))[:SHOWN]
        unrated = sum(change.before is None for change in changes)
        names = ", ".join(change.photo for change in first)
        names += ", ..." if len(changes) > SHOWN else ""
        table.add_row(
            str(rating), str(len(changes)), str(unrated), str(len(changes) - unrated), Text(names)
        )
    if plan.changes:
        console.print(table)
    notes = [f"{plan.same} photos have their rating already."] if plan.same else []
    if plan.kept:
        notes.append(f"{len(plan.kept)} photos keep the rating that you gave them.")
    if plan.album is not None:
        new = "a new album" if plan.album_id is None else "your album"
        told = f"{len(plan.best)} of the best would be put into {new} {plan.album!r}"
        notes.append(f"{told}; {plan.there} are in it." if plan.there else f"{told}.")
    for note in notes:
        console.print(Text(note))


@app.command()
@reports_errors("Run the same command again; what is undone already stays so.")
def undo(
    file: Annotated[Path, typer.Argument(help="The immich-undo file that `immich push` wrote.")],
    url: Url = None,
) -> None:
    """Take back what a push wrote, but for what you changed since.

    The key needs user.read, asset.read and asset.update; album.read, albumAsset.delete and
    album.delete for the album.

    Example: aesthetic-tv immich undo album/immich-undo-20260501-120000.json
    """
    from aesthetic_tv.immich.feedback import take_back
    from aesthetic_tv.immich.undo import Undo

    meant = Undo.load(file)
    with connected(url, named=meant.server) as immich, Bars() as bars:
        done = take_back(immich, file, lambda done, total: bars("asking Immich", done, total))
    left = len(meant.changes) - done.rated - len(done.refused)
    typer.echo(
        f"{done.rated} ratings taken back, {done.in_album} photos taken out of the album"
        + (f"; {left} ratings left, which were changed since or never written." if left else ".")
    )
    end_with_skipped(done.refused, "all others are as they were")


def connected(url: str | None, named: str | None = None) -> "Immich":
    """The server, as the user whose key is in the environment or typed.

    Args:
        url: of `--url` or the environment.
        named: the address that a file names, which may be anybody's: a key that lies in the
            environment goes there only when the person says so.
    """
    from aesthetic_tv.errors import SettingError
    from aesthetic_tv.immich.client import Immich
    from aesthetic_tv.immich.connection import Connection, checked_url

    key, given = os.environ.get(KEY, ""), bool(url)
    if not given and named is None:
        raise SettingError(f"no server is named; give its address with --url, or in {ADDRESS}.")
    place = checked_url(url or str(named))
    can_ask = sys.stdin.isatty()
    if key and not given:
        question = f"The files name the server {place}. Send your key there?"
        if not (can_ask and typer.confirm(question, default=False)):
            raise SettingError(
                f"the files name the server {place}; say that it is yours with --url {place}, or "
                f"in {ADDRESS}. Your key was not sent."
            )
    if not key:
        if not can_ask:
            raise SettingError(f"there is no key; put one into {KEY}.")
        key = typer.prompt(f"API key for {place} (not shown)", hide_input=True)
    if _is_open(place):
        warn(f"{place} is not encrypted: on the way there your key can be read. Use https.")
    return Immich(Connection(place, key))


def _is_open(place: str) -> bool:
    """Whether an address is reached without encryption over more than one's own network."""
    parts = urlsplit(place)
    host = parts.hostname or ""
    if parts.scheme == "https" or ("." not in host and ":" not in host):
        return False
    try:
        return not ip_address(host).is_private
    except ValueError:
        return not host.endswith((".local", ".lan", ".home", ".internal", ".home.arpa"))
