"""All visits of a running app: what they share, and the folder and session of each."""

import hashlib
import os
import secrets
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aesthetic_tv.app import temporary
from aesthetic_tv.app.album import Album, Uploads
from aesthetic_tv.app.answers import Answers
from aesthetic_tv.app.answers_on_disk import AnswersOnDisk, usual_places
from aesthetic_tv.app.facts import Facts
from aesthetic_tv.app.features import GrowingFeatures, Workshop
from aesthetic_tv.app.session import Session
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.state import Told
from aesthetic_tv.app.views import Views
from aesthetic_tv.assets.variants import write_samples
from aesthetic_tv.errors import AestheticTVError
from aesthetic_tv.photo_metadata.shots import Shot, shots
from aesthetic_tv.scorer.photo_files import PhotoFiles

SAMPLES = "samples"
STORAGE = "aesthetic-tv"  # what browsers keep, by name; once for all albums alike
PATIENCE, LOOKED_EVERY = 300, 15  # seconds without a word of a page that count as its end


@dataclass(eq=False)
class Page:
    """One page that is open in a browser.

    Args:
        heard: when it last asked for something.
        done: number of its last answer that was done.
    """

    heard: float = field(default_factory=time.monotonic)
    done: int = 0


@dataclass(eq=False)
class Visit:
    """One visitor.

    Args:
        token: known to the visitor's browser alone.
        session: of the visitor.
        told: what its pages are told.
        folder: for files that nobody is served.
        served: for files that the visitor may see.
        secret: part of the addresses of those.
        pages: that are open, by their tokens.
        scored: photos that were scored last.
        ending: what ends the visit after the grace, since its last page was closed.
    """

    token: str
    session: Session
    told: Told
    folder: Path
    served: Path
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    pages: dict[str, Page] = field(default_factory=dict)
    scored: Uploads | None = None
    ending: threading.Timer | None = None


class Visits:
    """The visits of an app, and all its files, in one temporary folder.

    Args:
        settings: of the app.

    Raises:
        PhotoError: the album holds no photos.
        RatingsFileError: the file of ratings cannot be used.
    """

    def __init__(self, settings: AppSettings):
        self.settings = settings
        temporary.clean()
        self._temporary = temporary.TemporaryFolder()
        self.root = self._temporary.path
        try:
            self._begin()
        except BaseException:
            self._temporary.remove()
            raise

    def _begin(self) -> None:
        settings = self.settings
        self.received = self.root / "received"  # where the server puts uploads
        self.served = self.root / "served"
        for folder in (self.received, self.served):
            folder.mkdir()
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.album = self._album()
        self.disk: AnswersOnDisk | None = None
        if settings.ratings is not None:
            names = list(self.album.paths)
            self.disk = AnswersOnDisk(settings.ratings, names, settings.ratings_before)
        self.workshop = Workshop(settings.bank, settings.device)
        # Told of what ends, before its folders are deleted.
        self.on_end: Callable[[Visit], None] = lambda visit: None
        self.on_close: Callable[[], None] = lambda: None
        self.features = GrowingFeatures(
            self.workshop, list(self.album.paths.values()), settings.cache
        )
        self.facts = Facts(self.album, settings.album if settings.local else None, self._closed)
        self.album_key = SAMPLES
        if settings.album is not None:
            place = os.fsencode(Path(settings.album).resolve())
            self.album_key = hashlib.sha256(place).hexdigest()[:16]
        # What a browser keeps under: an album's own and, where a file was named, that file's too,
        # so that several people can rate one album here.
        self.storage_key = f"{STORAGE}-{self.album_key}"
        file = settings.ratings
        usual = () if settings.album is None else usual_places(settings.album)
        if file is not None and file not in usual:
            place = os.fsencode(file.resolve())
            self.storage_key += f"-{hashlib.sha256(place).hexdigest()[:16]}"
        threading.Thread(target=self._watch, daemon=True).start()

    def _album(self) -> Album:
        views = Views(self.served / "album")
        if self.settings.album is not None:
            folder = Path(self.settings.album)
            files = PhotoFiles.below(folder)
            if files.note:
                warnings.warn(files.note, stacklevel=2)
            found, note = _shots(files)
            return Album.of_folder(folder, found, views, note)
        samples = self.root / SAMPLES
        return Album.of_folder(samples, shots(write_samples(samples)), views)

    def enter(self, page: str, kept: Any = None) -> Visit:
        """The visit that a page belongs to: one that was left a moment ago, or a new one.

        Args:
            page: token of the page that opens.
            kept: what the browser has kept, as `kept` made it; anything else is passed over.
        """
        kept = kept if self._of_here(kept) else {}
        with self._lock:
            visit = self._visits.get(str(kept.get("token")))
            if visit is None:
                visit = self._new()
                self._restore(visit.session, kept)
            self._stay(visit, page)
        return visit

    def _of_here(self, kept: Any) -> bool:
        """Whether that is what a browser has kept of this album."""
        return isinstance(kept, dict) and kept.get("album") == self.album_key

    def _restore(self, session: Session, kept: dict[str, Any]) -> None:
        """Begin with what is on disk, and with what the browser alone has."""
        answers = Answers.of_kept(kept.get("said"))
        if self.disk is None:
            session.restore(answers)
            return
        try:
            saved = self.disk.read()
        except AestheticTVError:  # changed since the start; told when an answer is saved
            session.restore(answers)
            return
        if kept.get("saved") and self.disk.begun:  # the file has the last word
            answers = replace(answers, ratings={}, pairs=(), flags={})
        newer = kept.get("saved") is False  # answers that could not be saved
        session.restore(saved.joined(answers) if newer else answers.joined(saved), saved)

    def _stay(self, visit: Visit, page: str) -> None:
        visit.pages.setdefault(page, Page()).heard = time.monotonic()
        if visit.ending is not None:
            visit.ending.cancel()
            visit.ending = None

    def of_page(self, page: str) -> Visit | None:
        """The visit of a page that asks for something; `None` where that has ended."""
        with self._lock:
            for visit in self._visits.values():
                if page in visit.pages:
                    self._stay(visit, page)
                    return visit
        return None

    def of_secret(self, secret: str) -> Visit | None:
        """The visit whose files have this secret in their addresses."""
        with self._lock:
            return next((v for v in self._visits.values() if v.secret == secret), None)

    def views(self, secret: str) -> Views | None:
        """The copies of photos that have this secret in their addresses."""
        if secret == self.album.views.secret:
            return self.album.views
        with self._lock:
            there = list(self._visits.values())
        own = [part for visit in there for part in (visit.session.uploads, visit.scored)]
        views = [part.views for part in own if part is not None]
        return next((found for found in views if found.secret == secret), None)

    def _new(self) -> Visit:
        token = secrets.token_urlsafe(32)
        folder = Path(tempfile.mkdtemp(prefix="visit-", dir=self.root))
        served = self.served / folder.name
        uploads = Uploads(folder / "photos", Views(served / "photos"), self.settings)
        own = GrowingFeatures(self.workshop)
        session = Session(self.album, self.features, uploads, own, self.disk)
        told = Told(session, self.facts)
        self._visits[token] = Visit(token, session, told, folder, served)
        return self._visits[token]

    def kept(self, visit: Visit) -> dict[str, Any]:
        """What the browser shall keep of a visit."""
        session = visit.session
        kept = {"album": self.album_key, "token": visit.token, "said": session.answers.kept()}
        return kept if self.disk is None else kept | {"saved": session.saved}

    def leave(self, page: str) -> None:
        """A page was closed; its visit ends after the grace, unless another page takes it up."""
        with self._lock:
            for visit in self._visits.values():
                if visit.pages.pop(page, None) is not None and not visit.pages:
                    self._end_later(visit)

    def _watch(self) -> None:
        """Pages that nothing is heard of any more are closed, as those of a browser that died."""
        while not self._closed.wait(LOOKED_EVERY):
            late = time.monotonic() - PATIENCE
            with self._lock:
                pages = [page for visit in self._visits.values() for page in visit.pages.items()]
            for token, page in pages:
                if page.heard < late:
                    self.leave(token)

    def _end_later(self, visit: Visit) -> None:
        timer = threading.Timer(self.settings.grace, lambda: self._end(visit, timer))
        timer.daemon = True
        visit.ending = timer
        timer.start()

    def _end(self, visit: Visit, timer: threading.Timer) -> None:
        with self._lock:
            if visit.pages or visit.ending is not timer:  # a page of it came, or left later
                return
            visit.ending = None
            self._visits.pop(visit.token, None)
        visit.session.close()
        self.on_end(visit)
        for folder in (visit.folder, visit.served):
            shutil.rmtree(folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._visits)

    def close(self) -> None:
        """Delete everything."""
        self._closed.set()
        self.on_close()
        self.workshop.close()
        with self._lock:
            for visit in self._visits.values():
                if visit.ending is not None:
                    visit.ending.cancel()
        self._temporary.remove()


def _shots(files: PhotoFiles) -> tuple[list[Shot], str]:
    """Photos that can be read, each with its RAW files, whether those can be read or not; and the
    note on what is left out.
    """
    readable = set(files.photos)
    beside = [path for paths in files.left_out.values() for path in paths]
    found = [shot for shot in shots([*files.photos, *beside]) if shot.photo in readable]
    along = {raw for shot in found for raw in shot.raws}
    left = {
        suffix: [path for path in paths if path not in along]
        for suffix, paths in files.left_out.items()
    }
    note = replace(files, left_out={suffix: paths for suffix, paths in left.items() if paths}).note
    return found, note
