"""One visitor's session: the album, the answers about it, the taste fitted to them, and how its
agreement grew with the number of ratings. It knows nothing of the page.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from aesthetic_tv.app.album import Album, Uploads, Views
from aesthetic_tv.app.answers import Answers, Pair
from aesthetic_tv.app.features import GrowingFeatures
from aesthetic_tv.app.taste import Polished, Taste, polish
from aesthetic_tv.errors import AestheticTVError, PreferenceError
from aesthetic_tv.personalization import InstantFit, PhotoFeatures
from aesthetic_tv.personalization.honesty import Figures
from aesthetic_tv.personalization.solver import Progress

if TYPE_CHECKING:
    from aesthetic_tv.app.answers_on_disk import AnswersOnDisk

ANSWERS = 3  # before the album is put into the person's order
OPENING = 60  # photos whose order is settled before anything is known

POINTS = 6  # of the curve of agreement
FEWEST = 5  # ratings at its first point

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
        self.scope: Scope = "all"
        self.broken = set[str]()  # photos that could not be shown
        self.answers = Answers()
        # Why the newest answers are not on disk, or will not be.
        self.unsaved = "" if disk is None else disk.problem
        self.lock = threading.RLock()
        self._disk = disk
        self._saved = Answers()  # what of it is saved on disk
        self._parts = (shared, own)
        self._before: list[Answers] = []
        self._joined: tuple[tuple[PhotoFeatures | None, ...], PhotoFeatures | None] = ((), None)
        self._fit: tuple[Answers, PhotoFeatures, InstantFit | None] | None = None
        self._figures: tuple[InstantFit, Figures | None] | None = None
        self._opening: tuple[PhotoFeatures, list[str]] | None = None
        self._polished: tuple[Answers, Polished] | None = None

    # What the visitor does.

    def rate(self, name: str, stars: float) -> None:
        """Give a photo its stars."""
        self._here(name)
        self._say(lambda answers: answers.rated(name, stars))

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

    def restore(self, answers: Answers, saved: Answers | None = None) -> None:
        """Begin with what is known of the visitor already; there is nothing to undo then.

        Args:
            said: all of it.
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
        with self.lock:
            added, refused = self.uploads.add(files, list(self.album.paths))
        self._parts[1].add([self.uploads.paths[name] for name in added])
        return added, refused

    def _say(self, change: Callable[[Answers], Answers]) -> None:
        # What was said is read in the lock too: another thread may be saying something.
        with self.lock:
            answers = change(self.answers)
            self._before.append(self.answers)
            self.answers = answers
            self._save()

    def _save(self) -> None:
        answers, saved = self.answers, self._saved
        if self._disk is None or (answers.ratings, answers.pairs) == (saved.ratings, saved.pairs):
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

    @property
    def names(self) -> list[str]:
        """The photos in scope: those that are ranked and asked for."""
        own = self.scope == "own" and self.uploads.paths
        return list(self.uploads.paths if own else self.paths)

    def thumbnail(self, name: str) -> str | None:
        """Path of a small copy; `None` of a photo that cannot be read."""
        return self._noted(name, self._views(name).thumbnail(self.paths[name]))

    def large(self, name: str) -> str | None:
        """Path of a copy that fills a page; `None` of a photo that cannot be read."""
        return self._noted(name, self._views(name).large(self.paths[name]))

    def _noted(self, name: str, view: str | None) -> str | None:
        if view is None:
            self.broken.add(name)
        return view

    def _views(self, name: str) -> Views:
        return self.uploads.views if name in self.uploads.paths else self.album.views

    @property
    def progress(self) -> tuple[int, int]:
        """Photos that were looked at, and all."""
        return sum(part.done for part in self._parts), sum(part.total for part in self._parts)

    @property
    def skipped(self) -> dict[str, str]:
        """Photos that cannot be ranked, by name, and why."""
        reasons = {path: why for part in self._parts for path, why in part.skipped.items()}
        return {name: reasons[path] for name, path in self.paths.items() if path in reasons}

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
        return Answers() if features is None else self.answers.among(self._named(features))

    # What follows.

    def taste(self) -> Taste | None:
        """The person's taste so far; `None` while there is too little to learn from."""
        with self.lock:
            fit = self.fit()
            if fit is None:
                return None
            names = self._named(fit.album)
            scope = self._in_scope(names)
            exact = None
            if (polished := self.polished) is not None:
                scores = [polished.scores.get(str(photo)) for photo in fit.album.photos]
                exact = None if None in scores else np.array(scores)
            return Taste(fit, names, scope, self.answers.ratings, exact)

    def fit(self) -> InstantFit | None:
        """The fit to what counts so far; `None` while there is too little to learn from."""
        with self.lock:
            answers, features = self.answers, self.features
            if features is None:
                return None
            if self._fit is None or self._fit[0] is not answers or self._fit[1] is not features:
                counted = self.counted
                preferences = counted.at(self.paths).preferences()
                made = None
                if preferences is not None and len(counted) >= ANSWERS:
                    made = InstantFit.of_preferences(features, preferences)
                self._fit = (answers, features, made)
            return self._fit[2]

    def next_photo(self) -> str | None:
        """The photo whose rating would teach most; `None` when all in scope were answered."""
        answers = self.answers
        answered = answers.passed.union(answers.ratings, self.broken)
        taste = self.taste()
        found = None if taste is None else taste.next_photo(answered)
        return found or next((name for name in self._opening_order() if name not in answered), None)

    def next_pair(self) -> Pair | None:
        """The pair whose comparison would teach most; `None` when there is none left."""
        answers = self.answers
        known = {frozenset(pair) for pair in answers.pairs} | answers.passed_pairs
        left_out = answers.passed | self.broken
        taste = self.taste()
        if taste is not None and (pair := taste.next_pair(known, left_out)) is not None:
            return pair
        order = [name for name in self._opening_order() if name not in left_out]
        fresh = [name for name in order if name not in answers.known]
        for first in fresh + order:
            for second in fresh + order:
                if first != second and frozenset((first, second)) not in known:
                    return first, second
        return None

    def generic_ranking(self) -> list[str]:
        """Names of the photos in scope in the generic order, as far as they were looked at."""
        features = self.features
        if features is None:
            return []
        names = self._named(features)
        rows = self._in_scope(names)
        return [names[row] for row in rows[np.argsort(-features.scores[rows], kind="stable")]]

    def figures(self) -> Figures | None:
        """Personal against generic, cross-validated; `None` while there is too little to say."""
        with self.lock:
            fit = self.fit()
            if fit is None:
                return None
            if self._figures is None or self._figures[0] is not fit:
                self._figures = (fit, fit.figures())
            return self._figures[1]

    @property
    def polished(self) -> Polished | None:
        """The exact scorer, unless something was said since it was made."""
        made = self._polished
        return made[1] if made is not None and made[0] is self.answers else None

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

    def _named(self, features: PhotoFeatures) -> list[str]:
        named = {path: name for name, path in self.paths.items()}
        return [named[str(photo)] for photo in features.photos]

    def _in_scope(self, names: Sequence[str]) -> np.ndarray:
        wanted = set(self.names)
        return np.array([row for row, name in enumerate(names) if name in wanted], dtype=int)

    def _opening_order(self) -> list[str]:
        """The photos in scope, those that tell most of anybody first."""
        features, names = self.features, self.names
        if features is None:
            return names
        if self._opening is None or self._opening[0] is not features:
            named = dict(zip(map(str, features.photos), self._named(features), strict=True))
            first = features.suggest_first(min(OPENING, len(features)))
            self._opening = (features, [named[str(photo)] for photo in first])
        wanted, first_names = set(names), set(self._opening[1])
        opening = [name for name in self._opening[1] if name in wanted]
        return opening + [name for name in names if name not in first_names]


def agreement_by_count(session: Session) -> tuple[list[int], dict[str, list[float]]]:
    """Cross-validated SROCC of the person's scorer and of the generic one, after the first m
    ratings, for a few m.

    Returns:
        The counts m, and a curve of each; empty with too few ratings.
    """
    features, counted = session.features, session.counted.at(session.paths)
    ratings = list(counted.ratings.items())
    if features is None or len(ratings) < 2 * FEWEST:
        return [], {}
    last = len(ratings)
    wanted = sorted({FEWEST + round(i * (last - FEWEST) / (POINTS - 1)) for i in range(POINTS)})
    counts, personal, generic = list[int](), list[float](), list[float]()
    for count in wanted:
        preferences = Answers(dict(ratings[:count])).preferences()
        if preferences is None:
            continue
        found = InstantFit.of_preferences(features, preferences).figures()
        if found is not None:
            counts.append(count)
            personal.append(found.personal)
            generic.append(found.generic)
    return counts, {"personal": personal, "generic": generic}
