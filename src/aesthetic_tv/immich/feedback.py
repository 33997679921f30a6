"""Ratings and an album to Immich as a plan says, and back again."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aesthetic_tv.errors import ImmichRefusedError, OutputError

from .client import Immich
from .manifest import MANIFEST, Manifest
from .plan import Change, Plan, Progress, manifest_of
from .undo import Undo, new_name

BATCH = 200  # photos for each request
DESCRIPTION = "The photos that a taste learned with aesthetic-tv likes most."


@dataclass
class Sent:
    """What was done.

    Attributes:
        rated: photos whose rating was changed.
        in_album: photos that were put into the album, or taken out of it.
        refused: photos that the server refused, by their paths, and why.
        undo: file by which it can be undone; `None` where nothing was done.
    """

    rated: int = 0
    in_album: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    undo: Path | None = None


def send(
    immich: Immich,
    folder: str | os.PathLike[str],
    manifest: Manifest,
    plan: Plan,
    progress: Progress | None = None,
) -> Sent:
    """Do what a plan says.

    Before anything is sent, the undo file and the manifest say what is meant to be: a run that is
    interrupted anywhere can be undone, and its ratings are never taken for the person's own.

    Args:
        immich: the server.
        folder: of the album.
        manifest: of the album.
        plan: as from `plan_ratings` and `with_album`.
        progress: called with (photos done, photos in all).

    Raises:
        OutputError: undo file or manifest cannot be written; nothing was sent.
        ImmichError: see its subclasses; the undo file says what was meant.
    """
    sent = Sent()
    if plan.empty:
        return sent
    sent.undo = new_name(folder)
    undo = Undo.of(plan, immich.url, immich.account.id)
    undo.save(sent.undo)
    if plan.changes:
        _send_ratings(immich, folder, manifest, plan.changes, sent, progress)
    if plan.album is not None and plan.best:
        if not undo.album:
            undo.album, undo.made = immich.create_album(plan.album, DESCRIPTION), True
            undo.save(sent.undo)
        _fill_album(immich, undo.album, plan, sent)
    return sent


def _send_ratings(
    immich: Immich,
    folder: str | os.PathLike[str],
    manifest: Manifest,
    changes: Sequence[Change],
    sent: Sent,
    progress: Progress | None,
) -> None:
    entries = {change.asset: manifest.photos[change.photo] for change in changes}
    for change in changes:
        entry = entries[change.asset]
        entry.rating = entry.rating if change.ours else change.before
        entry.pushed = [*entry.pushed, change.after] if change.after is not None else entry.pushed
    manifest.save(folder)
    refused = rate(immich, changes, progress)
    for change in changes:
        entry = entries[change.asset]
        if change.asset in refused:
            sent.refused[change.photo] = refused[change.asset]
            entry.pushed = entry.pushed[:-1]
        else:
            sent.rated += 1
            entry.pushed = entry.pushed[-1:]
    manifest.save(folder)


def rate(
    immich: Immich, changes: Sequence[Change], progress: Progress | None = None
) -> dict[str, str]:
    """Give ratings in batches of one rating each.

    The server refuses a batch whole for one photo that it does not take. Such a batch is halved
    again and again, so that all the others get through.

    Returns:
        Why each asset was refused, by its id.

    Raises:
        ImmichError: the key may not do it, or the server fails; a part may have been sent.
    """
    by_rating = defaultdict[int | None, list[str]](list)
    for change in changes:
        by_rating[change.after].append(change.asset)
    refused, done = dict[str, str](), 0
    for rating, assets in by_rating.items():
        waiting = list(_batches(assets))[::-1]
        while waiting:
            part = waiting.pop()
            try:
                immich.rate(part, rating)
            except ImmichRefusedError as error:
                if len(part) > 1:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                    continue
                refused[part[0]] = f"Immich refused the rating ({error.reason})."
            done += len(part)
            if progress is not None:
                progress(done, len(changes))
    return refused


def _batches(assets: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(assets), BATCH):
        yield list(assets[start : start + BATCH])


def _fill_album(immich: Immich, album: str, plan: Plan, sent: Sent) -> None:
    photos = {asset: photo for photo, asset in plan.best.items()}
    for part in _batches(list(photos)):
        told = immich.add(album, part)
        failed = {asset: why for asset, why in told.items() if why != "duplicate"}
        for asset, why in failed.items():
            sent.refused.setdefault(photos[asset], f"Immich kept it out of the album ({why}).")
        sent.in_album += len(part) - len(failed)


def take_back(
    immich: Immich, path: str | os.PathLike[str], progress: Progress | None = None
) -> Sent:
    """Undo what `send` did: ratings get the ones they had, photos leave the album, and an album
    that was made then and is empty now goes.

    What the person changed since stays. Undoing twice, or what was never sent, does nothing.

    Args:
        immich: the server.
        path: of the undo file.
        progress: called with (photos done, photos in all), of the look at each.

    Raises:
        OutputError: it is of another user.
        FormatError: it is no undo file.
        ImmichError: see its subclasses; it can be undone again.
    """
    undo, sent = Undo.load(path), Sent()
    if undo.user != immich.account.id:
        raise OutputError(f"{path} is of another user; use that user's key. Nothing was undone.")
    back = list[Change]()
    for number, change in enumerate(undo.changes, 1):
        try:
            found = immich.photo(change.asset).rating
        except ImmichRefusedError as error:
            sent.refused[change.photo] = f"is not in Immich any more ({error.reason})."
        else:
            if found == change.after:
                back.append(Change(change.photo, change.asset, found, change.before, change.ours))
        if progress is not None:
            progress(number, len(undo.changes))
    refused = rate(immich, back)
    done = [change for change in back if change.asset not in refused]
    sent.refused |= {x.photo: refused[x.asset] for x in back if x.asset in refused}
    sent.rated = len(done)
    _forget(Path(path).parent, undo.user, done)
    if undo.album:
        sent.in_album = _empty_album(immich, undo)
    return sent


def _forget(folder: Path, user: str, done: Sequence[Change]) -> None:
    """Let the manifest beside the undo file know, where there is one."""
    if not (folder / MANIFEST).is_file():
        return
    manifest = manifest_of(folder, user)
    for change in done:
        entry = manifest.photos.get(change.photo)
        if entry is not None and entry.asset == change.asset:
            entry.pushed = [change.after] if change.ours and change.after is not None else []
    manifest.save(folder)


def _empty_album(immich: Immich, undo: Undo) -> int:
    taken = 0
    try:
        for part in _batches(list(undo.added.values())):
            taken += len(part) - len(immich.remove(undo.album, part))
        if undo.made and not immich.size_of_album(undo.album):
            immich.delete_album(undo.album)
    except ImmichRefusedError:  # the person deleted it
        return taken
    return taken
