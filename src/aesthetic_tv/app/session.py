"""One visitor's session: the album, the answers about it, and the taste fitted to them. It knows
nothing of the page.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np

from aesthetic_tv.app.album import Album, Uploads, photo_id
from aesthetic_tv.app.answers import Answers
from aesthetic_tv.app.features import GrowingFeatures
from aesthetic_tv.app.taste import Polished, Taste, polish
from aesthetic_tv.app.views import Views
from aesthetic_tv.errors import AestheticTVError, PreferenceError
from aesthetic_tv.personalization import InstantFit, PhotoFeatures
from aesthetic_tv.personalization.honesty import Figures
from aesthetic_tv.personalization.solver import Progress

if TYPE_CHECKING:
    from aesthetic_tv.app.answers_on_disk import AnswersOnDisk

ANSWERS = 3  # before the album is put into the person's order
UNDONE = 500  # answers that can be taken back; each holds all that was said before it

Scope = Literal["all", "own"]


class Session:
    """What one visitor sees and says. Its methods may be called from several threads.

    Args:
        album: the photos that everyone here sees.
        shared: their features.
        uploads: the visitor's own photos.
        own: their features.
        disk: where answers are saved as they are given; they are not when not given.
    """

    def __init__(
        self,
        album: Album,
        shared: GrowingFeatures,
        uploads: Uploads,
        own: GrowingFeatures,
        disk: "AnswersOnDisk | None" = None,
    ):
        self.album = album
        self.uploads = uploads
        self.answers = Answers()
        # Why the newest answers are not on disk, or will not be.
        self.unsaved = "" if disk is None else disk.problem
        self.lock = threading.RLock()
        self._disk = disk
        self._saved = Answers()  # what of it is saved on disk
        self._parts = (shared, own)
        self._before = deque[Answers](maxlen=UNDONE)
        self._holding = 0  # batches of answers that are saved when they are through
        self._joined: tuple[tuple[PhotoFeatures | None, ...], PhotoFeatures | None] = ((), None)
        self._fit: tuple[Answers, PhotoFeatures, InstantFit | None] | None = None
        self._figures: tuple[InstantFit, Figures | None] | None = None
        self._polished: tuple[Answers, Polished] | None = None

    # What the visitor does.

    def rate(self, name: str, stars: float) -> None:
        """Give a photo its stars."""
        self._here(name)
        self._say(lambda answers: answers.rated(name, stars))

    def clear(self, name: str) -> None:
        """Take a photo's stars away."""
        self._here(name)
        self._say(lambda answers: answers.cleared(name))

    def flag(self, name: str, flag: int) -> None:
        """Pick or reject a photo; 0 for neither."""
        self._here(name)
        self._say(lambda answers: answers.flagged(name, flag))

    def compare(self, better: str, worse: str) -> None:
        """Choose the better of two photos."""
        self._here(better, worse)
        self._say(lambda answers: answers.compared(better, worse))

    def pass_over(self, *names: str) -> None:
        """Rather not say."""
        self._here(*names)
        self._say(lambda answers: answers.passed_over(*names))

    def undo(self) -> bool:
        """Take the last answer back; whether there was one."""
        with self.lock:
            if not self._before:
                return False
            self.answers = self._before.pop()
            self._save()
            return True

    @property
    def can_undo(self) -> bool:
        """Whether there is an answer to take back."""
        return bool(self._before)

    def restore(self, answers: Answers, saved: Answers | None = None) -> None:
        """Begin with what is known of the visitor already; there is nothing to undo then.

        Args:
            answers: all of it.
            saved: what of it is on disk.
        """
        with self.lock:
            self._before.clear()
            self.answers, self._saved = answers, saved or Answers()
            self._save()

    def tell(self, other: Answers) -> None:
        """Add what was said elsewhere; photos that are not here yet count when they are."""
        here = other.named_as(self.paths)
        self._say(lambda answers: answers.joined(here))

    def upload(self, files: Sequence[str]) -> tuple[list[str], list[str]]:
        """Add photos to the album; see `Uploads.add`."""
        added, refused = self.uploads.add(files, list(self.album.paths))
        self._parts[1].add([self.uploads.paths[name] for name in added])
        return added, refused

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Several answers at once, which are saved together."""
        with self.lock:
            self._holding += 1
            try:
                yield
            finally:
                self._holding -= 1
                self._save()

    def _say(self, change: Callable[[Answers], Answers]) -> None:
        # What was said is read in the lock too: another thread may be saying something.
        with self.lock:
            answers = change(self.answers)
            fresh = answers.known - self.answers.known
            self._before.append(self.answers)
            self.answers = answers
            self._save()
        # An answer counts as soon as its photo was looked at.
        if fresh and not all(part.complete for part in self._parts):
            paths = self.paths
            waiting = {paths[name] for name in fresh if name in paths}
            for part in self._parts:
                part.hurry(waiting)

    def _save(self) -> None:
        answers, saved = self.answers, self._saved
        if self._disk is None or self._holding or _of_disk(answers) == _of_disk(saved):
            return
        try:
            self._disk.save(saved, answers)
        except AestheticTVError as error:  # told on the page, and tried again at the next answer
            self.unsaved = str(error)
        else:
            self._saved, self.unsaved = answers, ""

    @property
    def on_disk(self) -> Answers:
        """What of the answers is saved on disk."""
        return self._saved

    @property
    def saved(self) -> bool:
        """Whether all answers are on disk."""
        return self._disk is not None and not self.unsaved

    def _here(self, *names: str) -> None:
        for name in names:
            if name not in self.album.paths and name not in self.uploads.paths:
                raise PreferenceError(f"{name!r} is not in this album; rate one that is.")

    # What there is.

    @property
    def paths(self) -> dict[str, str]:
        """Path of each photo by its name."""
        return {**self.album.paths, **self.uploads.paths}

    def names(self, scope: Scope = "all") -> list[str]:
        """The photos in scope: those that are ranked and asked for."""
        own = scope == "own" and self.uploads.paths
        return list(self.uploads.paths if own else self.paths)

    def named(self, photo: object) -> str:
        """Name of the photo that the page calls so.

        Raises:
            PreferenceError: there is none.
        """
        name = self.album.names.get(photo) if isinstance(photo, str) else None
        if name is None:
            own = {photo_id(name): name for name in self.uploads.paths}
            name = own.get(photo) if isinstance(photo, str) else None
        if name is None:
            raise PreferenceError("This photo is not here (any more); reload the page.")
        return name

    def views(self, name: str) -> Views:
        """The scaled copies that a photo's are among."""
        return self.uploads.views if name in self.uploads.paths else self.album.views

    @property
    def broken(self) -> dict[str, str]:
        """Photos that could not be shown or looked at, by name, and why."""
        reasons = {**self.album.views.broken, **self.uploads.views.broken}
        for part in self._parts:
            reasons |= part.skipped
        if not reasons:
            return {}
        return {name: reasons[path] for name, path in self.paths.items() if path in reasons}

    @property
    def progress(self) -> tuple[int, int]:
        """Photos that were looked at, and all."""
        return sum(part.done for part in self._parts), sum(part.total for part in self._parts)

    @property
    def error(self) -> str:
        """Why photos will not be looked at any more; empty when they will."""
        return next((part.error for part in self._parts if part.error), "")

    @property
    def features(self) -> PhotoFeatures | None:
        """Of all photos that were looked at, as one album."""
        parts = tuple(part.ready for part in self._parts)
        with self.lock:
            if self._joined[0] != parts:
                there = [part for part in parts if part is not None]
                whole = there[0] + there[1] if len(there) == 2 else next(iter(there), None)
                self._joined = (parts, whole)
            return self._joined[1]

    @property
    def counted(self) -> Answers:
        """What was said of photos that were looked at; the rest counts when they are."""
        features = self.features
        return Answers() if features is None else self.answers.among(self.named_in(features))

    # What follows.

    def taste(self, scope: Scope = "all") -> Taste | None:
        """The person's taste so far; `None` while there is too little to learn from."""
        with self.lock:
            fit = self.fit()
            if fit is None:
                return None
            names = self.named_in(fit.album)
            exact = None
            if (polished := self.polished) is not None:
                scores = [polished.scores.get(str(photo)) for photo in fit.album.photos]
                exact = None if None in scores else np.array(scores)
            return Taste(fit, names, self.rows(names, scope), self.answers.ratings, exact)

    def fit(self) -> InstantFit | None:
        """The fit to what counts so far; `None` while there is too little to learn from."""
        with self.lock:
            answers, features = self.answers, self.features
            if features is None:
                return None
            made = self._fit
            if made is None or made[1] is not features or not _alike(made[0], answers):
                made = self._fit = (answers, features, self._new_fit(features))
            return made[2]

    def _new_fit(self, features: PhotoFeatures) -> InstantFit | None:
        counted = self.counted
        preferences = counted.at(self.paths).preferences()
        if preferences is None or len(counted) < ANSWERS:
            return None
        return InstantFit.of_preferences(features, preferences)

    def generic_ranking(self, scope: Scope = "all") -> list[str]:
        """Names of the photos in scope in the generic order, as far as they were looked at."""
        features = self.features
        if features is None:
            return []
        names = self.named_in(features)
        rows = self.rows(names, scope)
        return [names[row] for row in rows[np.argsort(-features.scores[rows], kind="stable")]]

    def figures(self) -> Figures | None:
        """Personal against generic, cross-validated; `None` while there is too little to say."""
        fit, made = self.fit(), self._figures
        if fit is None:
            return None
        if made is None or made[0] is not fit:
            made = self._figures = (fit, fit.figures())  # not in the lock: answers go on
        return made[1]

    @property
    def polished(self) -> Polished | None:
        """The exact scorer, unless something that changes it was said since it was made."""
        made = self._polished
        return made[1] if made is not None and _alike(made[0], self.answers) else None

    def polish(self, progress: Progress | None = None) -> Polished:
        """Make the exact scorer, and score the album with it.

        Args:
            progress: called with (stage, done, total).

        Raises:
            PreferenceError: there is too little to learn from.
        """
        with self.lock:
            answers, fit = self.answers, self.fit()
            made = self.polished
        if made is not None:
            return made
        if fit is None:
            raise PreferenceError(
                f"Give at least {ANSWERS} answers, and not all the same stars, before that."
            )
        polished = polish(fit, progress)
        self._polished = (answers, polished)
        return polished

    def close(self) -> None:
        """Look at no more of the visitor's own photos."""
        self._parts[1].close()

    def named_in(self, features: PhotoFeatures) -> list[str]:
        """Names of the photos of these features, in their order."""
        named = {path: name for name, path in self.paths.items()}
        return [named[str(photo)] for photo in features.photos]

    def rows(self, names: Sequence[str], scope: Scope) -> np.ndarray:
        """Where the photos in scope stand among these."""
        wanted = set(self.names(scope))
        return np.array([row for row, name in enumerate(names) if name in wanted], dtype=int)


def _alike(answers: Answers, others: Answers) -> bool:
    """Whether the same is learned from both."""
    return answers.ratings == others.ratings and answers.pairs == others.pairs


def _of_disk(answers: Answers) -> tuple[object, ...]:
    """What of the answers is saved."""
    return (answers.ratings, answers.pairs, answers.flags)
