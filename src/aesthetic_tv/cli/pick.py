"""`aesthetic-tv pick`: the best photos of an album, one of each burst, into a folder."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.options import Device
from aesthetic_tv.cli.outcome import (
    Bars,
    end_with_skipped,
    next_step,
    quiet_transformers,
    reports_errors,
    tell_unrated,
    warn,
)
from aesthetic_tv.cli.score import load_scorer
from aesthetic_tv.errors import OutputError
from aesthetic_tv.names import written

if TYPE_CHECKING:
    import numpy as np

    from aesthetic_tv import AestheticScorer
    from aesthetic_tv.photo_metadata.best import RankedBurst
    from aesthetic_tv.photo_metadata.keepers import Copied, KeepersPlan
    from aesthetic_tv.photo_metadata.shots import Shot
    from aesthetic_tv.scorer.photo_files import PhotoFiles

SHOWN = 20  # photos of the table


@reports_errors("What is scored and copied so far is kept; run the same command again to go on.")
def pick(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")],
    scorer: Annotated[
        str, typer.Option(help="A saved taste, or any scorer: a folder or a Hub id.")
    ],
    to: Annotated[Path, typer.Option(help="Folder for the keepers, outside of the album.")],
    best: Annotated[int, typer.Option(min=1, help="How many photos to keep.")] = 50,
    bursts: Annotated[
        bool, typer.Option("--bursts/--no-bursts", help="Keep the best of each burst alone.")
    ] = True,
    per_burst: Annotated[int, typer.Option(min=1, help="How many to keep of one burst.")] = 1,
    seconds: Annotated[
        float, typer.Option(min=0, help="At most between two frames of a burst.")
    ] = 3.0,
    ratings: Annotated[
        Path | None,
        typer.Option(
            help="Your ratings: those of frames in one burst tell which you like best, there and, "
            "as far as frames differ alike, in other bursts."
        ),
    ] = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link",
            help="Link instead of copying: no space is used, and an edit of the one is an edit of "
            "the other.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be kept, and copy nothing.")
    ] = False,
    bank: Annotated[
        str | None, typer.Option(help="The bank of the taste, where it cannot be found by name.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos for each pass.")] = 32,
    device: Device = "auto",
) -> None:
    """Copy the best photos of an album to a folder: one of each burst, with RAW and sidecars.

    Sub-folders stay. Nothing in the album or in the folder is changed; keepers.csv there tells
    score, burst, and how sure it is that the best of the burst was found.

    Example: aesthetic-tv pick album --scorer my-taste --best 50 --to keepers
    """
    from aesthetic_tv.photo_metadata.keepers import KeepersPlan, choose, kept_files
    from aesthetic_tv.photo_metadata.sidecars import Sidecars
    from aesthetic_tv.scorer.photo_files import PhotoFiles

    KeepersPlan(photos, ()).check(to)
    with Bars() as bars:
        files = PhotoFiles.below(photos, bars.counting("photos found"))
    album = _shots(files)
    sidecars = Sidecars.of(album)
    rated = {} if ratings is None else _rated(ratings, photos)
    quiet_transformers()
    with Bars() as bars:
        found = _scored(album, load_scorer(scorer, bank, device), _scores_of(to), batch_size, bars)
        album = [album[place] for place in found.places]
        ranked, chosen = _ranked(album, found.raw, rated, seconds if bursts else None, bars)
    order = sorted(range(len(album)), key=lambda place: (-found.raw[place], place))
    keepers = choose(ranked, order, found.scores.tolist(), best=best, per_burst=per_burst)
    kept = [album[keeper.photo] for keeper in keepers]
    plan = KeepersPlan.of(photos, [kept_files(shot, sidecars) for shot in kept], keepers)
    _print(plan)
    _tell_bursts(ranked, chosen)
    failed = dict[str, str]()
    if dry_run:
        typer.echo("Nothing was copied.")
    else:
        with Bars() as bars:
            done = plan.copy(to, link=link, progress=lambda k, n: bars("copying", k, n))
        failed = _tell_copied(done, link)
    if failed:
        raise OutputError(_not_copied(to, failed))
    end_with_skipped(found.skipped_below(photos), "the others were looked at", _note(files, album))


def _shots(files: "PhotoFiles") -> "list[Shot]":
    """Photos that can be read, each with its RAW files, whether those can be read or not."""
    from aesthetic_tv.photo_metadata.shots import shots

    readable = set(files.photos)
    beside = [path for paths in files.left_out.values() for path in paths]
    return [shot for shot in shots([*files.photos, *beside]) if shot.photo in readable]


def _note(files: "PhotoFiles", album: "list[Shot]") -> str:
    """On what was left out, less the RAW files that came along with a photo."""
    along = {raw for shot in album for raw in shot.raws}
    left = {
        suffix: [path for path in paths if path not in along]
        for suffix, paths in files.left_out.items()
    }
    return replace(files, left_out={suffix: paths for suffix, paths in left.items() if paths}).note


def _rated(ratings: Path, photos: Path) -> dict[str, float]:
    from aesthetic_tv.personalization.ratings_file import read_rated

    told = read_rated(ratings, photos)
    tell_unrated(told.unrated, ratings)
    return told.ratings


def _scores_of(to: Path) -> Path:
    """Where scores are kept: beside the folder, so that a dry run keeps them too."""
    return to.resolve().with_name(f".{to.resolve().name}.scores.json")


@dataclass(frozen=True)
class _Scored:
    """The photos that have a score, by their place, and why others have none."""

    places: list[int]
    raw: "np.ndarray"
    scores: "np.ndarray"
    skipped: dict[Path, str]

    def skipped_below(self, album: Path) -> dict[str, str]:
        """Reasons by name."""
        return {
            written(path.relative_to(album).as_posix()): reason.removeprefix(f"{path}: ")
            for path, reason in self.skipped.items()
        }


def _scored(
    album: "list[Shot]", scorer: "AestheticScorer", kept: Path, batch_size: int, bars: Bars
) -> _Scored:
    import numpy as np

    from aesthetic_tv.scorer.kept_scores import score_and_keep

    raw, failures = score_and_keep(
        scorer,
        [shot.photo for shot in album],
        kept,
        batch_size=batch_size,
        progress=lambda done, total: bars("scoring", done, total),
    )
    skipped = {album[place].photo: str(error) for place, error in failures.items()}
    for place in np.flatnonzero(~np.isfinite(raw)):
        skipped.setdefault(album[place].photo, f"the scorer gave {raw[place]}, which is no score.")
    places = np.flatnonzero(np.isfinite(raw)).tolist()
    return _Scored(places, raw[places], scorer.calibrate(raw[places]), skipped)


def _ranked(
    album: "list[Shot]",
    raw: "np.ndarray",
    rated: dict[str, float],
    seconds: float | None,
    bars: Bars,
) -> "tuple[list[RankedBurst], bool]":
    """Each burst, best first, and whether ratings chose inside any; every photo is a burst of its
    own without `seconds`.
    """
    from aesthetic_tv.personalization.burst_taste import BurstTaste, pairs_of_ratings
    from aesthetic_tv.photo_metadata.best import best_of
    from aesthetic_tv.photo_metadata.bursts import bursts_of
    from aesthetic_tv.photo_metadata.frame_traits import traits_of

    photos = [shot.photo for shot in album]
    if seconds is None:
        return best_of([[place] for place in range(len(album))], raw), False
    groups = bursts_of(
        photos, seconds=seconds, progress=lambda done, total: bars("bursts", done, total)
    )
    by_place = {i: rated[str(photo)] for i, photo in enumerate(photos) if str(photo) in rated}
    pairs = pairs_of_ratings(groups, by_place)
    # Without any choice inside a burst the traits weigh nothing, and need not be measured.
    among = [place for group in groups if pairs and len(group) > 1 for place in group]
    traits = traits_of(
        photos, among=among, progress=lambda done, total: bars("frames", done, total)
    )
    return BurstTaste.fit(groups, raw, traits, pairs).best_of(), bool(pairs)


def _print(plan: "KeepersPlan") -> None:
    """The first of the keepers, best first."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "score", "photo", "of a burst of", "sure")
    for rank, kept in enumerate(plan.photos[:SHOWN], 1):
        if (why := kept.keeper) is not None:
            several = (str(why.of), f"{why.sure:.0%}") if why.of > 1 else ("", "")
            table.add_row(str(rank), f"{why.score:.2f}", Text(written(kept.names[0])), *several)
    if len(plan.photos) > SHOWN:
        table.add_row("...", "", f"and {len(plan.photos) - SHOWN} more", "", "")
    if plan.photos:
        Console().print(table)


def _tell_bursts(ranked: "list[RankedBurst]", chosen: bool) -> None:
    """How many bursts there are, and what to do so that their best frames are found."""
    several = [burst for burst in ranked if len(burst.photos) > 1]
    if not several:
        return
    frames = sum(len(burst.photos) for burst in several)
    count = "1 burst" if len(several) == 1 else f"{len(several)} bursts or sets of twins"
    typer.echo(f"{frames} photos are frames of {count}; the best of each counts.")
    if not chosen:
        typer.echo(
            "Which frame is best is little more than chance so far: rate two or more frames of "
            "some bursts, and name the file by --ratings."
        )


def _tell_copied(done: "Copied", link: bool) -> dict[str, str]:
    """What is in the folder now; sources that failed, and why."""
    files = "1 file was" if len(done.new) == 1 else f"{len(done.new)} files were"
    typer.echo(f"{files} {'linked' if link else 'copied'} to {done.to}.")
    if there := len(done.places) - len(done.new):
        typer.echo(f"{there} {'was' if there == 1 else 'were'} there already.")
    for path in done.kept:
        warn(f"{written(path)} is another one than in the album, and was left as it is.")
    if not done.failed:
        next_step("look at them; the table beside them says why each was kept.", str(done.to))
    return {written(path): reason for path, reason in done.failed.items()}


def _not_copied(to: Path, failed: dict[str, str]) -> str:
    named = "\n".join(f"  {path}: {reason}" for path, reason in failed.items())
    count = "1 file was" if len(failed) == 1 else f"{len(failed)} files were"
    return f"{count} not copied; what is in {to} is whole, and the same command goes on:\n{named}"
