"""What scores would change in Immich. Nothing here changes anything."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aesthetic_tv.errors import ImmichRefusedError, OutputError, SettingError

from .client import RATINGS, REJECTED, Asset, Immich
from .manifest import Manifest

ALBUM, BEST = "Best by my taste", 50

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Change:
    """A rating to give.

    Attributes:
        photo: path from the album's folder.
        asset: id on the server.
        before: the rating there now; `None` for none.
        after: the rating to give; `None` clears.
        ours: whether `before` was given by this library.
    """

    photo: str
    asset: str
    before: int | None
    after: int | None
    ours: bool = False


@dataclass(frozen=True)
class Plan:
    """What would change.

    Attributes:
        changes: ratings to give.
        same: photos that have the rating already.
        kept: photos that the person rated, which are left so: the rating of each.
        gone: photos that are not there any more, or are not this user's, and why.
        album: name of the album that the best go to; `None` for none.
        album_id: of that album where it is there; `None` where it is to be made.
        best: photos to put there that are not in it, best first: the asset of each.
        there: how many of the best are in it.
    """

    changes: tuple[Change, ...] = ()
    same: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)
    album: str | None = None
    album_id: str | None = None
    best: Mapping[str, str] = field(default_factory=dict)
    there: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not self.changes and not self.best


def manifest_of(folder: str | os.PathLike[str], user: str) -> Manifest:
    """The manifest of an album of this user.

    Raises:
        OutputError: it is of another user, whose photos this key cannot rate.
        FormatError: it is none that was pulled, or damaged.
    """
    manifest = Manifest.load(folder)
    if manifest.user != user:
        raise OutputError(
            f"{folder} holds the photos of another user, pulled from {manifest.server}; use that "
            "user's key. Nothing was written."
        )
    return manifest


def states(
    immich: Immich, manifest: Manifest, photos: Sequence[str], progress: Progress | None = None
) -> dict[str, Asset | str]:
    """Each photo as it is on the server now, or why it is not there."""
    found = dict[str, Asset | str]()
    for number, photo in enumerate(photos, 1):
        try:
            asset = immich.photo(manifest.photos[photo].asset)
        except ImmichRefusedError as error:
            found[photo] = f"is not in Immich any more ({error.reason})."
        else:
            mine = asset.owner == manifest.user
            why = "lies in Immich's trash." if asset.gone else "is another user's."
            found[photo] = asset if mine and not asset.gone else why
        if progress is not None:
            progress(number, len(photos))
    return found


def plan_ratings(
    manifest: Manifest,
    stars: Mapping[str, int],
    now: Mapping[str, Asset | str],
    *,
    overwrite: bool = False,
) -> Plan:
    """Which ratings to give.

    A rating that the person gave stays, unless asked; one that this library gave before is brought
    up to date.

    Args:
        manifest: of the album.
        stars: 1 to 5 of each photo.
        now: as from `states`, of the same photos.
        overwrite: change the person's own ratings too.
    """
    changes, kept, gone, same = list[Change](), dict[str, int](), dict[str, str](), 0
    for photo, after in stars.items():
        if after not in RATINGS or after == REJECTED:
            raise SettingError(f"{photo}: {after} stars; expected 1 to 5.")
        asset, entry = now[photo], manifest.photos[photo]
        if isinstance(asset, str):
            gone[photo] = asset
            continue
        ours = asset.rating in entry.pushed
        if asset.rating == after:
            same += 1
        elif asset.rating is not None and not ours and not overwrite:
            kept[photo] = asset.rating
        else:
            changes.append(Change(photo, asset.id, asset.rating, after, ours))
    return Plan(tuple(changes), same, kept, gone)


def best_photos(
    scores: Mapping[str, float], now: Mapping[str, Asset | str], count: int
) -> dict[str, str]:
    """The photos of the highest scores, best first, less those that the person rejected: the asset
    of each.
    """
    there = {
        photo: asset.id
        for photo, asset in now.items()
        if isinstance(asset, Asset) and asset.rating != REJECTED
    }
    ranked = sorted((p for p in scores if p in there), key=lambda p: (-scores[p], p))
    return {photo: there[photo] for photo in ranked[:count]}


def with_album(immich: Immich, plan: Plan, name: str, best: Mapping[str, str]) -> Plan:
    """The plan, and the best photos to an album of this name, which is made where it is not there.
    Nothing is taken out of one that is.

    Raises:
        SettingError: the user has several albums of this name.
    """
    name = name.strip()
    if not name:
        raise SettingError("the album has no name; write one.")
    found = [album for album in immich.albums() if album.own and album.name == name]
    if len(found) > 1:
        raise SettingError(f"you have {len(found)} albums called {name!r}; name another one.")
    inside = {asset.id for asset in immich.photos(album=found[0].id)} if found else set[str]()
    missing = {photo: asset for photo, asset in best.items() if asset not in inside}
    return replace(
        plan,
        album=name,
        album_id=found[0].id if found else None,
        best=missing,
        there=len(best) - len(missing),
    )
