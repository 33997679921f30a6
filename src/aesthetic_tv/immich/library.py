"""From an Immich library to a local album: photos, the person's stars and hearts."""

import base64
import hashlib
import io
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path, PurePosixPath

from aesthetic_tv.errors import ImmichRefusedError, OutputError, PhotoError, SettingError
from aesthetic_tv.files import atomic_path, inside, write_csv
from aesthetic_tv.names import written
from aesthetic_tv.personalization.ratings_file import write_ratings
from aesthetic_tv.scorer.decoding import load_photo
from aesthetic_tv.scorer.photo_files import is_photo

from .client import REJECTED, Album, Asset, Immich
from .manifest import MANIFEST, Entry, Manifest

RATINGS_NAME, PICKS_NAME = "ratings.csv", "picks.csv"
PICK, REJECT = 1, -1
SUFFIXES = {"image/jpeg": ".jpg", "image/webp": ".webp", "image/png": ".png"}  # of previews
LONGEST_NAME = 80  # bytes of a file's name before the id

_UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]')

Progress = Callable[[int, int], None]


@dataclass
class Pulled:
    """What `pull` did.

    Attributes:
        photos: of the album that are asked for now, as many as there are files.
        fetched: how many of them came over the network this time.
        skipped: photos without a file, and why.
        rated: photos with stars of the person's own.
        favourites: photos with a heart.
        rejected: photos that the person rejected.
        beside: tables that the person changed since, and where the new one was written instead.
    """

    photos: int = 0
    fetched: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    rated: int = 0
    favourites: int = 0
    rejected: int = 0
    beside: dict[str, Path] = field(default_factory=dict)


def pull(
    immich: Immich,
    out: str | os.PathLike[str],
    *,
    album: str | None = None,
    favourites: bool = False,
    limit: int | None = None,
    originals: bool = False,
    progress: Progress | None = None,
) -> Pulled:
    """Fetch photos, and write `immich.json`, `ratings.csv` (1 to 5 stars) and `picks.csv` (1 for
    photos with a heart, -1 for rejected ones) beside them.

    A file that is there is never fetched again, whether the run before ended or not; none appears
    before it is whole. Photos that went from the server since stay here. A rating that `push` gave
    is not the person's, and is in no table.

    Args:
        immich: the server, as one user.
        out: a new folder, or one that was pulled before from the same library.
        album: name or id of one of its albums; the timeline when not given.
        favourites: only photos with a heart.
        limit: that many photos at most, the newest.
        originals: the files as they were uploaded instead of previews.
        progress: called with (photos done, photos in all).

    Raises:
        OutputError: `out` holds something else, or another user's photos; or cannot be written.
        SettingError: there is no such album, or several.
        ImmichError: see its subclasses. What arrived is kept.
    """
    out = Path(out)
    manifest = _manifest(out, immich)
    album_id = None if album is None else find_album(immich.albums(), album).id
    found = list(islice(immich.photos(album=album_id, favourites=favourites), limit))
    done = Pulled()
    manifest.save(out)  # so that the folder is known again, wherever this ends
    try:
        _fetch_all(immich, out, manifest, found, originals, done, progress)
    except BaseException:
        with suppress(OutputError):
            manifest.save(out)
        raise
    _write_tables(out, manifest, done)
    manifest.save(out)
    return done


def _manifest(out: Path, immich: Immich) -> Manifest:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return Manifest(immich.url, immich.account.id)
    if not (out / MANIFEST).is_file():
        raise OutputError(
            f"{out} exists and holds no {MANIFEST}, so it was not pulled from Immich; it is left "
            "alone. Name a new folder."
        )
    manifest = Manifest.load(out)
    if manifest.user != immich.account.id:
        raise OutputError(
            f"{out} holds the photos of another user, pulled from {manifest.server}; name another "
            "folder, or use that user's key."
        )
    manifest.server = immich.url
    return manifest


def find_album(albums: Sequence[Album], wanted: str) -> Album:
    """The album of this name or id.

    Raises:
        SettingError: there is none, or there are several of this name.
    """
    found = [album for album in albums if wanted in (album.id, album.name)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(album.id for album in found)
        raise SettingError(f"{len(found)} albums are called {wanted!r}; name one by its id: {ids}.")
    close = get_close_matches(wanted, [album.name for album in albums])
    meant = f"; did you mean {close[0]!r}?" if close else f"; there are {len(albums)} albums."
    raise SettingError(f"there is no album {wanted!r}{meant}")


def _fetch_all(
    immich: Immich,
    out: Path,
    manifest: Manifest,
    assets: Sequence[Asset],
    originals: bool,
    done: Pulled,
    progress: Progress | None,
) -> None:
    kind = "original" if originals else "preview"
    names = {entry.asset: name for name, entry in manifest.photos.items()}
    for number, asset in enumerate(assets, 1):
        shown = written(asset.name)
        shown = f"{shown} ({asset.id})" if shown in done.skipped else shown
        try:
            name, fetched = _kept_or_fetched(immich, out, manifest, names, asset, kind)
        except ImmichRefusedError as error:
            done.skipped[shown] = f"Immich has no {kind} of it now ({error.reason})."
        except PhotoError as error:
            done.skipped[shown] = str(error)
        else:
            entry = manifest.photos.setdefault(name, Entry(asset.id, asset.checksum, kind))
            entry.checksum, entry.kind, entry.favourite = asset.checksum, kind, asset.favourite
            entry.note(asset.rating)
            done.photos += 1
            done.fetched += fetched
        if progress is not None:
            progress(number, len(assets))


def _kept_or_fetched(
    immich: Immich,
    out: Path,
    manifest: Manifest,
    names: Mapping[str, str],
    asset: Asset,
    kind: str,
) -> tuple[str, bool]:
    """The name of a photo's file, and whether it had to be fetched."""
    known = names.get(asset.id)
    if known is not None:
        entry = manifest.photos[known]
        if (entry.checksum, entry.kind) == (asset.checksum, kind) and (out / known).is_file():
            return known, False
    suffix = PurePosixPath(asset.name).suffix
    if kind == "original" and not is_photo(f"x{suffix}"):
        raise PhotoError(f"is no photo of a kind that is known here ({suffix or 'no suffix'}).")
    for likely in (suffix,) if kind == "original" else SUFFIXES.values():
        name = file_name(asset, kind, likely)
        # Left by a run that was killed; it appeared when it was whole.
        if known is None and inside(out, name).is_file():
            return name, False
    name = (_original if kind == "original" else _preview)(immich, out, asset)
    if known not in (None, name):
        manifest.photos[name] = manifest.photos.pop(known)
        with suppress(OSError):
            inside(out, known).unlink()
    return name, True


def _preview(immich: Immich, out: Path, asset: Asset) -> str:
    content = io.BytesIO()
    media = immich.preview(asset.id, content)
    if media not in SUFFIXES:
        raise PhotoError(f"has a preview of a kind that is not known here ({media}).")
    # Where nothing tells the length, an answer that breaks off looks whole; kept, it would stay so.
    load_photo(content.getvalue(), name="its preview")
    name = file_name(asset, "preview", SUFFIXES[media])
    with atomic_path(inside(out, name)) as temporary:
        temporary.write_bytes(content.getvalue())
    return name


def _original(immich: Immich, out: Path, asset: Asset) -> str:
    name = file_name(asset, "original", PurePosixPath(asset.name).suffix)
    with atomic_path(inside(out, name)) as temporary, temporary.open("w+b") as file:
        immich.original(asset.id, file)
        file.seek(0)
        digest = hashlib.sha1(usedforsecurity=False)
        while piece := file.read(1 << 20):
            digest.update(piece)
        if base64.b64encode(digest.digest()).decode() != asset.checksum:
            raise PhotoError("arrived damaged (its SHA-1 is not the one that Immich lists).")
    return name


def file_name(asset: Asset, kind: str, suffix: str) -> str:
    """Path of a photo from the album's folder: month, and name with the end of the id, which tells
    photos of one name apart. Whatever the server calls it, it stays in the folder.

    Args:
        asset: the photo.
        kind: `preview` or `original`.
        suffix: of the file.
    """
    name = unicodedata.normalize("NFC", asset.name).replace("\\", "/").rsplit("/", 1)[-1]
    stem = _UNFIT.sub("", PurePosixPath(name).stem).strip(" .")
    stem = stem.encode("utf-8", "ignore")[:LONGEST_NAME].decode("utf-8", "ignore").strip(" .")
    mark = asset.id.rsplit("-", 1)[-1]  # random in all kinds of ids; some begin with the time
    tail = "" if kind == "preview" else "_original"
    return f"{asset.month or 'undated'}/{stem or 'photo'}_{mark}{tail}{suffix.lower()}"


def _write_tables(out: Path, manifest: Manifest, done: Pulled) -> None:
    photos = {n: entry for n, entry in manifest.photos.items() if (out / n).is_file()}
    rejected = [name for name, entry in photos.items() if entry.rating == REJECTED]
    hearts = [name for name, entry in photos.items() if entry.favourite]
    stars = {name: float(entry.rating) for name, entry in photos.items() if entry.rating}
    stars = {name: rating for name, rating in stars.items() if rating != REJECTED}
    done.rated, done.favourites, done.rejected = len(stars), len(hearts), len(rejected)
    picks = {**dict.fromkeys(hearts, PICK), **dict.fromkeys(rejected, REJECT)}
    _write(out, RATINGS_NAME, manifest, done, lambda place: write_ratings(place, stars))
    rows = [("photo", "pick"), *picks.items()]
    _write(out, PICKS_NAME, manifest, done, lambda place: write_csv(place, rows))


def _write(
    out: Path, name: str, manifest: Manifest, done: Pulled, write: Callable[[Path], None]
) -> None:
    """Write a table, beside one of the same name that the person made or changed."""
    place = out / name
    if place.exists() and _hash(place) != manifest.tables.get(name):
        done.beside[name] = place = out / f"immich-{name}"
        write(place)
        return
    write(place)
    manifest.tables[name] = _hash(place)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
