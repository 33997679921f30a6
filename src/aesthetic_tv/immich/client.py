"""What is asked of an Immich server, typed.

The API is that of Immich 3: search by metadata with pages (its flat filters and page numbers are
deprecated from 3.2 on in favour of others that 3.0 and 3.1 do not know, and still work there),
ratings of -1, 1 to 5 or null, and albums whose photos are found by searching.
"""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from aesthetic_tv.errors import ImmichError, ImmichRefusedError, SettingError

from .connection import EXAMPLE, Connection

MAJOR = 3  # of the versions whose API this is
PAGE = 500  # assets; the server allows 1,000
MOST_PREVIEW, MOST_ORIGINAL = 1 << 26, 1 << 32  # bytes
REJECTED = -1
RATINGS = (REJECTED, 1, 2, 3, 4, 5)

_MONTH = re.compile(r"(\d{4}-\d\d)-\d\dT")


@dataclass(frozen=True)
class Account:
    """Whose key it is.

    Attributes:
        id: of the user.
        version: of the server, as in `3.2.0`.
    """

    id: str
    version: str


@dataclass(frozen=True)
class Asset:
    """A photo, as the server knows it.

    Attributes:
        id: a UUID.
        owner: id of the user whose it is.
        name: of the file that was uploaded.
        checksum: base64 of the SHA-1 of the original.
        rating: -1 rejected, 1 to 5; `None` for none.
        favourite: whether it has a heart.
        gone: whether it lies in the trash.
        month: in which it was taken, as in `2024-05`; empty where that is not known.
    """

    id: str
    owner: str
    name: str
    checksum: str
    rating: int | None = None
    favourite: bool = False
    gone: bool = False
    month: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Asset":
        """From an answer.

        Raises:
            ValueError, LookupError, TypeError: it is of another shape.
        """
        rating = (told.get("exifInfo") or {}).get("rating")
        month = _MONTH.match(str(told.get("localDateTime") or told.get("fileCreatedAt") or ""))
        return cls(
            id=checked_id(told["id"]),
            owner=checked_id(told["ownerId"]),
            name=str(told["originalFileName"]),
            checksum=str(told["checksum"]),
            rating=int(rating) if rating in RATINGS else None,
            favourite=told.get("isFavorite") is True,
            gone=told.get("isTrashed") is True,
            month="" if month is None else month[1],
        )


@dataclass(frozen=True)
class Album:
    """An album, by id and name, and whether it is of the key's own user."""

    id: str
    name: str
    own: bool


class Immich:
    """An Immich server as one user; a context manager that closes the connection.

    Args:
        connection: to the server.

    Raises:
        ImmichError: no Immich, one of another version than 3, or one that refuses the key.
    """

    def __init__(self, connection: Connection):
        self.connection = connection
        self.url = connection.url
        version = self._version()  # before the key is sent to anything
        me = connection.ask("GET", "users/me")
        with _shape(self.url, "the user"):
            self.account = Account(checked_id(me["id"]), version)

    def __enter__(self) -> "Immich":
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()

    def _version(self) -> str:
        try:
            told = self.connection.ask("GET", "server/version", keyless=True)
            major, minor, patch = (int(told[part]) for part in ("major", "minor", "patch"))
        except (ImmichRefusedError, ValueError, LookupError, TypeError, ArithmeticError):
            raise ImmichError(
                f"there is no Immich at {self.url}. Name the address at which you open it in a "
                f"browser, as in {EXAMPLE}."
            ) from None
        if major < MAJOR:
            raise ImmichError(
                f"{self.url} is Immich {major}.{minor}.{patch}; version {MAJOR} is needed, since "
                "ratings work otherwise before. Upgrade the server."
            )
        if major > MAJOR:
            raise ImmichError(
                f"{self.url} is Immich {major}.{minor}.{patch}, newer than version {MAJOR}, which "
                "this library knows. Upgrade with `pip install -U aesthetic-tv`."
            )
        return f"{major}.{minor}.{patch}"

    def photos(self, *, album: str | None = None, favourites: bool = False) -> Iterator[Asset]:
        """The user's own photos, newest first; those of others have the others' ratings.

        Without an album those of the timeline; in an album the archived ones too.

        Args:
            album: its id.
            favourites: only those with a heart.

        Raises:
            ImmichError: see its subclasses.
        """
        wanted: dict[str, Any] = {"type": "IMAGE", "withExif": True, "size": PAGE}
        wanted |= {"visibility": "timeline"} if album is None else {"albumIds": [album]}
        wanted |= {"isFavorite": True} if favourites else {}
        page, seen = 1, set[str]()
        while page:
            answer = self.connection.ask("POST", "search/metadata", {**wanted, "page": page})
            with _shape(self.url, "a search"):
                found = [Asset.of(item) for item in answer["assets"]["items"]]
                following = int(answer["assets"]["nextPage"] or 0)
            # Photos that arrive meanwhile push others to the next page, where they come again.
            fresh = [asset for asset in found if asset.id not in seen]
            seen |= {asset.id for asset in fresh}
            yield from (x for x in fresh if x.owner == self.account.id and not x.gone)
            if following and following <= page:
                raise ImmichError(f"{self.url}: after page {page} of a search comes {following}.")
            page = following

    def photo(self, asset: str) -> Asset:
        """One photo as it is now.

        Raises:
            ImmichRefusedError: it is not there any more, or another user's.
        """
        answer = self.connection.ask("GET", f"assets/{checked_id(asset)}")
        with _shape(self.url, "a photo"):
            return Asset.of(answer)

    def preview(self, asset: str, file: IO[bytes]) -> str:
        """Write the preview (1440 pixels, unless set otherwise) as edited in Immich to a file; the
        media type is returned.
        """
        params = {"size": "preview", "edited": "true"}
        path = f"assets/{checked_id(asset)}/thumbnail"
        return self.connection.fetch(path, params, file, kinds=("image/",), most=MOST_PREVIEW)

    def original(self, asset: str, file: IO[bytes]) -> str:
        """Write the file as it was uploaded; the media type is returned."""
        path = f"assets/{checked_id(asset)}/original"
        kinds = ("image/", "application/octet-stream")
        return self.connection.fetch(path, {}, file, kinds=kinds, most=MOST_ORIGINAL)

    def rate(self, assets: Sequence[str], rating: int | None) -> None:
        """Give photos one rating: all of them or, where the server refuses one, none.

        Args:
            assets: their ids.
            rating: -1 rejected, 1 to 5; `None` clears. 0 is not sent, since the server refuses it.

        Raises:
            ImmichRefusedError: one of them is not there, or not this user's.
        """
        if rating is not None and rating not in RATINGS:
            raise SettingError(f"the rating is {rating}; Immich takes 1 to 5, -1 and none.")
        ids = [checked_id(asset) for asset in assets]
        self.connection.ask("PUT", "assets", {"ids": ids, "rating": rating})

    def albums(self) -> list[Album]:
        """All albums, shared ones too."""
        answer = self.connection.ask("GET", "albums")
        with _shape(self.url, "albums"):
            return [self._album(told) for told in answer]

    def _album(self, told: Mapping[str, Any]) -> Album:
        owners = {user["user"]["id"] for user in told["albumUsers"] if user["role"] == "owner"}
        return Album(checked_id(told["id"]), str(told["albumName"]), self.account.id in owners)

    def create_album(self, name: str, description: str) -> str:
        """Make an empty album; its id is returned."""
        body = {"albumName": name, "description": description}
        answer = self.connection.ask("POST", "albums", body, twice=False)
        with _shape(self.url, "an album"):
            return checked_id(answer["id"])

    def delete_album(self, album: str) -> None:
        """Delete an album; its photos stay."""
        self.connection.ask("DELETE", f"albums/{checked_id(album)}")

    def size_of_album(self, album: str) -> int:
        """How many photos and films are in an album."""
        answer = self.connection.ask("GET", f"albums/{checked_id(album)}")
        with _shape(self.url, "an album"):
            return int(answer["assetCount"])

    def add(self, album: str, assets: Sequence[str]) -> dict[str, str]:
        """Put photos into an album.

        Returns:
            Of each that was not put there by this, why: `duplicate`, `no_permission`, ...
        """
        return self._told_each("PUT", album, assets)

    def remove(self, album: str, assets: Sequence[str]) -> dict[str, str]:
        """Take photos out of an album; as `add`."""
        return self._told_each("DELETE", album, assets)

    def _told_each(self, method: str, album: str, assets: Sequence[str]) -> dict[str, str]:
        body = {"ids": [checked_id(asset) for asset in assets]}
        answer = self.connection.ask(method, f"albums/{checked_id(album)}/assets", body)
        with _shape(self.url, "an album"):
            return {
                checked_id(told["id"]): str(told.get("error") or "refused")
                for told in answer
                if told["success"] is not True
            }


@contextmanager
def _shape(url: str, what: str) -> Iterator[None]:
    """Turn what an answer of another shape brings about into an error of ours."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ImmichError(
            f"{url} describes {what} otherwise than Immich {MAJOR} does ({type(error).__name__}). "
            "Is it an Immich, and this library up to date?"
        ) from None


def checked_id(given: object) -> str:
    """An id as the API writes it: it becomes part of addresses, so it can be nothing else.

    Raises:
        ValueError: it is no UUID.
    """
    return str(uuid.UUID(str(given)))
