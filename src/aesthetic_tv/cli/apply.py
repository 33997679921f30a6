"""`aesthetic-tv apply`: a scorer's opinion as stars, where other programs read them."""

import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aesthetic_tv.cli.album import below, tell_some
from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    note,
    quiet_transformers,
    reports_errors,
    warn,
)
from aesthetic_tv.cli.score import load_scorer
from aesthetic_tv.errors import SettingError
from aesthetic_tv.names import written

if TYPE_CHECKING:
    from aesthetic_tv.photo_metadata.stars_plan import StarsPlan
    from aesthetic_tv.photo_metadata.stars_writing import StarsRow

SHOWN = 20  # photos of the table


@reports_errors("What was written is whole, and named in the undo file beside the album.")
def apply(
    photos: Annotated[Path | None, typer.Argument(help="Folder of photos.")] = None,
    scorer: Annotated[
        str | None, typer.Option(help="A saved taste, or any scorer: a folder or a Hub id.")
    ] = None,
    xmp: Annotated[
        bool, typer.Option("--xmp", help="Write stars to XMP sidecars; photos stay as they are.")
    ] = False,
    embed: Annotated[
        bool,
        typer.Option(
            "--embed",
            help="Write into JPEG, PNG, WebP and TIFF themselves, where they have no sidecar; "
            "needs the extra xmp.",
        ),
    ] = False,
    stars: Annotated[
        str | None,
        typer.Option(
            help="Percent of the photos with 1, 2, 3, 4 and 5 stars, as 10,20,40,20,10; when not "
            "given, as you give stars yourself, where your taste knows."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace stars that you gave, too.")
    ] = False,
    sidecar: Annotated[
        Literal["lightroom", "darktable"] | None,
        typer.Option(
            help="Name of new sidecars: photo.xmp, or photo.jpg.xmp as digiKam has it too; as most "
            "are there when not given, and without any photo.xmp beside RAW alone."
        ),
    ] = None,
    sidecars_to: Annotated[
        Path | None, typer.Option(help="Another folder for the sidecars, for a read-only album.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Write without asking; without a terminal, write at all."),
    ] = False,
    undo: Annotated[
        Path | None, typer.Option(help="Take back what an earlier run wrote: its undo file.")
    ] = None,
    undo_to: Annotated[
        Path | None,
        typer.Option(help="Undo file to write; ALBUM.stars-undo.json beside it when not given."),
    ] = None,
    bank: Annotated[
        str | None, typer.Option(help="The bank of the taste, where it cannot be found by name.")
    ] = None,
) -> None:
    """Write stars by your taste to where photo programs read them: XMP sidecars.

    What would change is shown first. Stars that are there already are kept, photos that you rated
    in the app get your own, and an undo file takes all of it back.

    Example: aesthetic-tv apply album --scorer my-taste --xmp
    """
    if undo is not None:
        _undo(undo, photos)
        return
    if photos is None or scorer is None:
        raise SettingError("Name the folder of photos and a --scorer; or an undo file with --undo.")
    if not (xmp or embed):
        raise SettingError("Say where stars go: --xmp to sidecars, --embed into the photos.")
    if embed and sidecars_to is not None:
        raise SettingError("--embed writes into the photos, --sidecars-to elsewhere; choose one.")
    if undo_to is not None and undo_to.exists():
        raise SettingError(f"{undo_to} exists; name another file with --undo-to.")
    from aesthetic_tv.personalization.stars import parse_shares
    from aesthetic_tv.photo_metadata.embedding import check_embedding
    from aesthetic_tv.photo_metadata.stars import read_stars
    from aesthetic_tv.photo_metadata.stars_plan import plan_stars
    from aesthetic_tv.photo_metadata.stars_undo import written_stars

    quiet_transformers()
    shares = None if stars is None else parse_shares(stars)
    if embed:
        check_embedding()
    with Bars() as bars:
        found = read_stars(photos, progress=lambda done, total: bars("stars", done, total))
    given, skipped, left_out = _stars_by_scorer(photos, scorer, bank, shares)
    plan = plan_stars(
        found,
        given | _rated_by_person(photos, given),
        album=photos,
        overwrite=overwrite,
        naming=sidecar,
        sidecars_to=sidecars_to,
        embed=embed,
        written=written_stars(photos),
    )
    _print(plan)
    tell_some(tuple(found.conflicts.values()))
    skipped |= below(photos, plan.failed)
    if plan.changed and not dry_run:
        plan.check_writable()
    if plan.changed and (dry_run or not _agreed(plan, yes)):
        typer.echo("Nothing was written.")
        if not dry_run and not _on_terminal():
            note("There is no terminal to ask; add --yes to write.")
    elif plan.changed:
        skipped |= _write(plan, undo_to)
    end_with_skipped(skipped, "the others were looked at", left_out)


def _stars_by_scorer(
    photos: Path, scorer: str, bank: str | None, shares: tuple[float, ...] | None
) -> tuple[dict[str, int], dict[str, str], str]:
    """Stars by path, why photos have none, and the note on kinds that cannot be read here."""
    import numpy as np

    from aesthetic_tv.personalization.stars import stars_of_scores
    from aesthetic_tv.photo_metadata.shots import shots
    from aesthetic_tv.scorer.photo_files import PhotoFiles, find_photos

    readable = PhotoFiles.below(photos)
    known = set(readable.photos)
    album = shots(find_photos(photos, every_kind=True))
    paths = [shot.photo for shot in album if shot.photo in known]
    loaded = load_scorer(scorer, bank)
    with Bars() as bars:
        raw, failures = loaded.score_readable(
            paths, calibrated=False, progress=lambda done, total: bars("scoring", done, total)
        )
    skipped = below(photos, {str(paths[i]): str(error) for i, error in failures.items()})
    usable = np.flatnonzero(np.isfinite(raw))
    for place in set(range(len(paths))) - set(usable.tolist()) - set(failures):
        skipped[written(paths[place].name)] = f"the scorer gave {raw[place]}, which is no score."
    numbers, how = stars_of_scores(
        raw[usable], loaded.calibrate, loaded.config.calibration_ratings, shares
    )
    typer.echo(f"Stars for {len(usable)} photos, {how}.")
    given = {str(paths[i]): int(n) for i, n in zip(usable, numbers, strict=True)}
    return given, skipped, readable.note


def _rated_by_person(photos: Path, given: dict[str, int]) -> dict[str, int]:
    """What the person said of these photos in the app, which counts before any scorer."""
    from aesthetic_tv.errors import RatingsFileError
    from aesthetic_tv.personalization.album_ratings import kept_stars

    try:
        own = {photo: stars for photo, stars in kept_stars(photos).items() if photo in given}
    except RatingsFileError as error:
        warn(f"stars are by the scorer alone, since your ratings cannot be read: {error}")
        return {}
    if own:
        typer.echo(f"{len(own)} of them as you rated them in the app.")
    return own


def _print(plan: "StarsPlan") -> None:
    """What would change: the first photos one by one, and all of them counted."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    changed, console = plan.changed, Console()
    if changed:
        table = Table("photo", "now", "new", "file", title="What would change", title_style="")
        for row in changed[:SHOWN]:
            table.add_row(*map(Text, _cells(plan, row)))
        if len(changed) > SHOWN:
            table.add_row("...", "", "", f"and {len(changed) - SHOWN} more photos")
        console.print(table)
    counts = Counter(row.after for row in changed)
    told = ", ".join(f"{counts[number]} with {number}" for number in range(5, 0, -1))
    typer.echo(f"{len(changed)} of {len(plan.rows)} photos would get stars: {told}.")
    for reason, count in plan.kept.items():
        typer.echo(f"{count} kept as {'it is' if count == 1 else 'they are'}: {reason}.")


def _cells(plan: "StarsPlan", row: "StarsRow") -> tuple[str, str, str, str]:
    files = ", ".join(
        written(change.path.name)
        + (" (new)" if change.before is None else " (the photo)" if change.content is None else "")
        for change in row.changes
    )
    now = "" if row.before is None else "rejected" if row.before < 0 else f"{row.before:g}"
    return written(row.photo.relative_to(plan.album)), now, str(row.after), files


def _agreed(plan: "StarsPlan", yes: bool) -> bool:
    """Whether to write: `--yes`, or what is answered on a terminal; without one, no."""
    if yes:
        return True
    if not _on_terminal():
        return False
    count = sum(len(row.changes) for row in plan.changed)
    return typer.confirm(f"Write {count} {'file' if count == 1 else 'files'}?", default=False)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _write(plan: "StarsPlan", undo_to: Path | None) -> dict[str, str]:
    """Write, and tell how to take it back; files that were not written, and why."""
    with Bars() as bars:
        done = plan.write(undo_to, progress=lambda k, n: bars("writing", k, n))
    typer.echo(f"{len(done.files)} files were written.")
    if done.undo is not None:
        command = shlex.join(["aesthetic-tv", "apply", "--undo", written(done.undo)])
        next_step("look at them in your photo program; this takes them back.", command)
    return below(plan.album, done.failed)


def _undo(undo: Path, album: Path | None) -> None:
    from aesthetic_tv.photo_metadata.stars_undo import undo_stars

    done = undo_stars(undo, album)
    count = len(done.files)
    typer.echo(f"{count} {'file is as it was' if count == 1 else 'files are as they were'}.")
    end_with_skipped(done.failed, "the undo file still names them")
