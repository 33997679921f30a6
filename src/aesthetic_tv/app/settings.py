"""What the app is started with."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.errors import SettingError

BANK_VARIABLE = "AESTHETIC_TV_BANK"
ALBUM_VARIABLE = "AESTHETIC_TV_ALBUM"


@dataclass(frozen=True)
class AppSettings:
    """Bank, album and limits of an app.

    Args:
        bank: the task vectors: a name, a folder or a Hub id.
        album: folder of photos to rate; the sample photos when not given.
        uploads: whether visitors may add photos of their own to the album.
        max_photos: uploaded photos of one visitor, at most.
        max_megabytes: of one uploaded file, at most.
        max_megapixels: of one uploaded photo, at most.
        ratings: csv file that ratings are saved to as they are given, and read from at the start,
            comparisons beside it; of one person, so for an app that nobody else reaches. Browsers
            alone keep them when not given.
        ratings_before: files of ratings that are read at the start too.
        cache: file that keeps the album's features from one start to the next.
        hub: whether visitors log in to the Hub on the page, as on a Space, to push their taste;
            otherwise it is pushed as whoever is logged in on this machine.
        local: whether whoever opens the page may have files of this machine written: stars into
            sidecars, copies of the best. For an app that nobody else reaches.
        device: what features and tastes are computed on: `auto`, cpu, cuda, mps or xpu.
        grace: seconds that a visitor's photos and ratings are kept after the page was closed, so
            that a reload finds them again.
    """

    bank: str = DEFAULT_BANK
    album: Path | None = None
    uploads: bool = True
    max_photos: int = 200
    max_megabytes: float = 20
    max_megapixels: float = 60
    ratings: Path | None = None
    ratings_before: tuple[Path, ...] = ()
    cache: Path | None = None
    hub: bool = False
    local: bool = False
    device: str = "auto"
    grace: float = 600

    def __post_init__(self):
        if not self.bank:
            raise SettingError(f"bank is empty; name one, such as {DEFAULT_BANK}.")
        if self.album is not None and not Path(self.album).is_dir():
            raise SettingError(f"album is {self.album}, which is no folder; name one with photos.")
        for name in ("max_photos", "max_megabytes", "max_megapixels"):
            if not getattr(self, name) > 0:
                raise SettingError(f"{name} must be above 0, got {getattr(self, name)}.")
        if not self.grace >= 0:
            raise SettingError(f"grace must be 0 seconds or more, got {self.grace}.")

    @classmethod
    def from_environment(cls, **settings: Any) -> "AppSettings":
        """The bank of `AESTHETIC_TV_BANK` and the album of `AESTHETIC_TV_ALBUM`, where they are
        set; a log-in where a Space offers one.

        Args:
            **settings: those that are said here come first.
        """
        # Elsewhere than on a Space the client would log in everybody as who runs the app.
        found: dict[str, Any] = {"hub": {"OAUTH_CLIENT_ID", "SPACE_ID"} <= os.environ.keys()}
        if bank := os.environ.get(BANK_VARIABLE):
            found["bank"] = bank
        if album := os.environ.get(ALBUM_VARIABLE):
            found["album"] = Path(album)
        return cls(**found | settings)

    @property
    def limits(self) -> str:
        """The limits on uploads in a sentence."""
        return (
            f"Up to {self.max_photos} photos, {self.max_megabytes:g} MB and "
            f"{self.max_megapixels:g} megapixels each."
        )
