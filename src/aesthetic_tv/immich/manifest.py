"""`immich.json` in an album that was pulled: which file is which photo of the server."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aesthetic_tv.files import FORMAT_VERSION, config_value, inside, reading, write_json
from aesthetic_tv.names import written

from .client import RATINGS, checked_id
from .connection import server_in

MANIFEST = "immich.json"
KINDS = ("preview", "original")


@dataclass
class Entry:
    """What is known of one file.

    Attributes:
        asset: the photo's id on the server.
        checksum: base64 of the SHA-1 of the original there.
        kind: of the file: `preview` or `original`.
        rating: the last that the person gave: -1 rejected, 1 to 5; `None` for none.
        favourite: whether it had a heart.
        pushed: ratings that this library gave, or meant to, since the person's; the last one
            last. Never taken for the person's own.
    """

    asset: str
    checksum: str
    kind: str
    rating: int | None = None
    favourite: bool = False
    pushed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.asset = checked_id(self.asset)
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}")
        for rating in (*([] if self.rating is None else [self.rating]), *self.pushed):
            if type(rating) is not int or rating not in RATINGS:
                raise ValueError(f"rating {rating!r}")

    def note(self, found: int | None) -> None:
        """Keep a rating that the server has, unless this library gave it."""
        if found not in self.pushed:
            self.rating, self.pushed = found, []


@dataclass
class Manifest:
    """Which file is which photo.

    Attributes:
        server: its address.
        user: id of the user whose photos these are.
        photos: by path from the album's folder, with `/`.
        tables: SHA-256 of each table as it was last written beside the photos, by its name.
    """

    server: str
    user: str
    photos: dict[str, Entry] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Manifest":
        """Read the manifest of an album.

        Raises:
            FormatError: there is none, it is damaged, or it names a file outside of the folder.
        """
        with reading(folder, MANIFEST) as told:
            place = Path(folder) / MANIFEST
            photos = config_value(told, "photos", dict, place)
            for name in photos:
                inside(folder, name)
            return cls(
                server=server_in(told, place),
                user=checked_id(config_value(told, "user", str, place)),
                photos={name: Entry(**entry) for name, entry in photos.items()},
                tables=dict(config_value(told, "tables", dict, place)),
            )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all; no key is in it."""
        photos = {written(name): asdict(self.photos[name]) for name in sorted(self.photos)}
        content = {"format_version": FORMAT_VERSION, "server": self.server, "user": self.user}
        write_json(
            Path(folder) / MANIFEST, {**content, "tables": self.tables, "photos": photos}, indent=1
        )
