"""What the page is told: the photos, the state of the answers, and the ranking, as JSON."""

import json
from collections.abc import Mapping
from operator import is_not
from pathlib import Path
from typing import Any, Literal

from aesthetic_tv.app import words
from aesthetic_tv.app.album import photo_id
from aesthetic_tv.app.answers import PICK
from aesthetic_tv.app.asking import Asking
from aesthetic_tv.app.session import Scope, Session
from aesthetic_tv.personalization.honesty import Figures
from aesthetic_tv.scorer.photo_files import RAW

Mode = Literal["stars", "pairs"]


class Told:
    """What the pages of one visit are told, and by which version.

    Args:
        session: of the visit.
    """

    def __init__(self, session: Session):
        self.session = session
        self.asking = Asking(session)
        self.figures: Figures | None = None  # the newest that were made
        self.waiting = self.working = False  # whether something is to come, or is made, by itself
        self._version = 0
        self._last: dict[tuple[Mode, Scope], tuple[int, str]] = {}
        self._ranking: tuple[tuple[object, ...], int] = ((), 0)

    def state(self, mode: Mode, scope: Scope) -> dict[str, Any]:
        """All that changes, with a version that grows whenever some of it did."""
        with self.session.lock:
            content = self._state(mode, scope)
            text = json.dumps(content, sort_keys=True)
            version, before = self._last.get((mode, scope), (0, ""))
            if text != before:
                self._version += 1
                version = self._version
                self._last[mode, scope] = (version, text)
            return {"version": version, **content}

    def _state(self, mode: Mode, scope: Scope) -> dict[str, Any]:
        session = self.session
        answers, here = session.answers, session.paths.keys()
        taste = session.taste(scope)
        exact = taste is not None and taste.exact is not None
        done, total = session.progress
        looking = done < total and not session.error
        if mode == "pairs":
            ahead = [list(map(photo_id, pair)) for pair in self.asking.pairs(scope)]
        else:
            ahead = [[photo_id(name)] for name in self.asking.photos(scope)]
        sureness = None if taste is None else taste.sureness()
        return {
            "ahead": ahead,
            "ratings": _by_id(answers.ratings, here),
            "flags": {
                photo: "pick" if flag == PICK else "reject"
                for photo, flag in _by_id(answers.flags, here).items()
            },
            "passed": sorted(photo_id(name) for name in answers.passed & here),
            "pairs": len(answers.pairs),
            "standing": {
                "level": words.level(session, self.figures),
                "text": words.standing(session, self.figures),
                "bar": round(words.bar(session, self.figures), 3),
                "verdict": words.verdict(self.figures),
                "details": words.details(session, sureness, exact),
            },
            "looking": {
                "done": done,
                "total": total,
                "text": words.looking(session),
                "working": looking or self.waiting or self.working,
            },
            "broken": _by_id(session.broken, here),
            "unsaved": words.unsaved(session),
            "ranking": self.ranking_version(scope),
            "can_undo": session.can_undo,
            "facts": 0,
            "found_stars": None,
        }

    def ranking_version(self, scope: Scope) -> int:
        """Grows whenever a new ranking is to be had; 0 while there is none."""
        session = self.session
        fit, features, polished = session.fit(), session.features, session.polished
        if features is None:
            return 0
        made_of = (fit, features, polished)
        if len(self._ranking[0]) < 3 or any(map(is_not, self._ranking[0], made_of)):
            self._ranking = (made_of, self._ranking[1] + 1)
        return self._ranking[1]

    def ranking(self, scope: Scope) -> dict[str, Any]:
        """The photos that were looked at, in the person's order beside the generic one."""
        session = self.session
        with session.lock:
            version, taste = self.ranking_version(scope), session.taste(scope)
            generic = session.generic_ranking(scope)
        place = {name: rank for rank, name in enumerate(generic, 1)}
        rows = [] if taste is None else taste.ranking()
        names = [row.name for row in rows] or generic
        return {
            "version": version,
            "ids": list(map(photo_id, names)),
            "stars": [round(row.stars, 2) for row in rows],
            "sure": [round(max(row.upper, 1 - row.upper), 3) for row in rows],
            "generic": [place[name] for name in names],
            "order_known": taste is not None,
            "stacks": [],
        }

    def photos(self) -> list[dict[str, Any]]:
        """All photos of the visit."""
        session = self.session
        own = session.uploads.paths
        return [
            {
                "id": photo_id(name),
                "name": name,
                "view": session.views(name).address(path),
                "time": None,
                "width": None,
                "height": None,
                "raw": _has_raw(session, name, path),
                "own": name in own,
            }
            for name, path in session.paths.items()
        ]


def _has_raw(session: Session, name: str, path: str) -> bool:
    shot = session.album.shots.get(name)
    files = (Path(path),) if shot is None or name in session.uploads.paths else shot.files
    return any(file.suffix.lower() in RAW for file in files)


def _by_id(named: Mapping[str, Any], here: Any) -> dict[str, Any]:
    """By what the page calls the photos, of those that are here."""
    return {photo_id(name): value for name, value in named.items() if name in here}
