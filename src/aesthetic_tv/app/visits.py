"""All visits of a running app: what they share, and the folder and session of each."""

import hashlib
import os
import secrets
import shutil
import tempfile
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aesthetic_tv.app.album import Album, Uploads, Views
from aesthetic_tv.app.features import GrowingFeatures, Workshop
from aesthetic_tv.app.said import Said
from aesthetic_tv.app.session import Session
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.assets.variants import write_samples
from aesthetic_tv.scorer.photo_files import PhotoFiles

SAMPLES = "samples"
SHOWN_FIRST = 300  # photos whose small copies are made when the app starts


@dataclass(eq=False)
class Visit:
    """One visitor.

    Args:
        token: known to the visitor's browser alone.
        session: of the visitor.
        folder: for files that nobody is served.
        served: for files that the visitor may see; its name cannot be guessed.
        pages: that are open, by the server's name for each.
        listed: names of the photos that each gallery shows.
        verdict: the newest word on whether the person's order is better.
        settled: whether the page was told of all photos that were looked at.
    """

    token: str
    session: Session
    folder: Path
    served: Path
    pages: set[str] = field(default_factory=set)
    listed: dict[str, list[str]] = field(default_factory=dict)
    verdict: str = ""
    settled: bool = False

    def __deepcopy__(self, _: Any) -> "Visit":
        return self


class Visits:
    """The visits of an app, and all its files, in one temporary folder.

    Args:
        settings: of the app.
    """

    def __init__(self, settings: AppSettings):
        self.settings = settings
        self.root = Path(tempfile.mkdtemp(prefix="aesthetic-tv-")).resolve()
        self.received = self.root / "received"  # where the server puts uploads
        self.served = self.root / "served"
        for folder in (self.received, self.served):
            folder.mkdir()
        self.workshop = Workshop(settings.bank)
        self.album = self._album()
        self.features = GrowingFeatures(
            self.workshop, list(self.album.paths.values()), settings.cache
        )
        threading.Thread(target=self._show_first, daemon=True).start()
        self.album_key = SAMPLES
        if settings.album is not None:
            place = os.fsencode(Path(settings.album).resolve())
            self.album_key = hashlib.sha256(place).hexdigest()[:16]
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def _album(self) -> Album:
        views = Views(self.served / secrets.token_urlsafe(24))
        if self.settings.album is not None:
            folder = Path(self.settings.album)
            files = PhotoFiles.below(folder)
            if files.note:
                warnings.warn(files.note, stacklevel=2)
            return Album.of_folder(folder, files.photos, views, files.note)
        samples = self.root / SAMPLES
        return Album.of_folder(samples, write_samples(samples), views)

    def _show_first(self) -> None:
        """Make small copies before anyone looks, so that the first page need not wait for them."""
        with suppress(OSError):  # the app ended meanwhile
            for photo in list(self.album.paths.values())[:SHOWN_FIRST]:
                self.album.views.thumbnail(photo)

    def enter(self, page: str, kept: Any = None) -> Visit:
        """The visit that a page belongs to: one that was left a moment ago, or a new one.

        Args:
            page: the server's name for the page that opens.
            kept: what the browser has kept, as `kept` made it; anything else is passed over.
        """
        kept = kept if isinstance(kept, dict) and kept.get("album") == self.album_key else {}
        with self._lock:
            visit = self._visits.get(str(kept.get("token")))
            if visit is None:
                visit = self._new()
                visit.session.restore(Said.of_kept(kept.get("said")))
            visit.pages.add(page)
        return visit

    def present(self, visit: Visit, page: str) -> bool:
        """Take notice of a page that does something; whether its visit had not ended meanwhile.

        A visit that had ended, as that of a phone that was put aside for long, begins anew: its
        uploads are gone, and what was said is still there.
        """
        with self._lock:
            visit.pages.add(page)
            there = visit.token in self._visits
            if not there:
                said, new = visit.session.said, self._new()
                self._visits.pop(new.token)
                visit.session, visit.folder, visit.served = new.session, new.folder, new.served
                visit.session.restore(said)
                self._visits[visit.token] = visit
        return there

    def _new(self) -> Visit:
        token = secrets.token_urlsafe(32)
        served = self.served / secrets.token_urlsafe(24)
        folder = Path(tempfile.mkdtemp(prefix="visit-", dir=self.root))
        uploads = Uploads(folder / "photos", Views(served), self.settings)
        own = GrowingFeatures(self.workshop)
        session = Session(self.album, self.features, uploads, own)
        self._visits[token] = Visit(token, session, folder, served)
        return self._visits[token]

    def kept(self, visit: Visit) -> dict[str, Any]:
        """What the browser shall keep of a visit."""
        said = visit.session.said.kept()
        return {"album": self.album_key, "token": visit.token, "said": said}

    def leave(self, page: str) -> None:
        """A page was closed; its visit ends after the grace, unless another page takes it up."""
        with self._lock:
            left = [visit for visit in self._visits.values() if page in visit.pages]
            for visit in left:
                visit.pages.discard(page)
        for visit in left:
            timer = threading.Timer(self.settings.grace, self.end, [visit])
            timer.daemon = True
            timer.start()

    def end(self, visit: Visit | None) -> None:
        """Delete all of a visit, if there is one and no page of it is open."""
        with self._lock:
            if visit is None or visit.pages:
                return
            self._visits.pop(visit.token, None)
        visit.session.close()
        for folder in (visit.folder, visit.served):
            shutil.rmtree(folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._visits)

    def close(self) -> None:
        """Delete everything."""
        self.workshop.close()
        shutil.rmtree(self.root, ignore_errors=True)
