"""What the page is told: the photos, the state of the answers, and the ranking, as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from operator import is_not
from pathlib import Path
from typing import Any, Literal

from aesthetic_tv.app import words
from aesthetic_tv.app.album import photo_id
from aesthetic_tv.app.answers import HIGHEST, LOWEST, PICK, REJECT, Answers
from aesthetic_tv.app.asking import Asking
from aesthetic_tv.app.facts import Fact, Facts
from aesthetic_tv.app.session import Scope, Session
from aesthetic_tv.app.stacks import ranked_stacks
from aesthetic_tv.personalization.honesty import Figures
from aesthetic_tv.photo_metadata.stars import Stars
from aesthetic_tv.scorer.photo_files import RAW

Mode = Literal["stars", "pairs"]


class Told:
    """What the pages of one visit are told, and by which version.

    Args:
        session: of the visit.
        facts: of the album.
    """

    def __init__(self, session: Session, facts: Facts):
        self.session = session
        self.facts = facts
        self.asking = Asking(session)
        self.figures: Figures | None = None  # the newest that were made
        # Whether something is to come by itself, is made, or is waited for.
        self.waiting = self.working = self.wanted = False
        self.problem = ""  # why the exact scorer could not be made of the newest answers
        self._found: tuple[tuple[object, object], Answers] = ((None, None), Answers())
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
        order: words.Order = "quick" if session.polished is None else "too large"
        if taste is not None and taste.exact is not None:
            order = "exact"
        done, total = session.progress
        looking = done < total and not session.error
        if mode == "pairs":
            ahead = [list(map(photo_id, pair)) for pair in self.asking.pairs(scope)]
        else:
            ahead = [[photo_id(name)] for name in self.asking.photos(scope)]
        sureness = None if taste is None else taste.sureness()
        figures = None if taste is None else self.figures  # of answers that were taken back
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
                "level": words.level(session, figures),
                "text": words.standing(session, figures),
                "bar": round(words.bar(session, figures), 3),
                "verdict": words.verdict(figures),
                "details": words.details(session, sureness, order),
            },
            "looking": {
                "done": done,
                "total": total,
                "text": words.looking(session),
                "working": looking or self.facts.looking or self.waiting or self.working,
            },
            "broken": _by_id(session.broken, here),
            "unsaved": words.unsaved(session),
            "ranking": self.ranking_version(scope),
            "can_undo": session.can_undo,
            "facts": self.facts.version,
            "found_stars": self.found_stars(),
        }

    def ranking_version(self, scope: Scope) -> int:
        """Grows whenever a new ranking is to be had; 0 while there is none."""
        session = self.session
        fit, features, polished = session.fit(), session.features, session.polished
        if features is None:
            return 0
        made_of = (fit, features, polished, self.facts.stacks)
        if not self._ranking[0] or any(map(is_not, self._ranking[0], made_of)):
            self._ranking = (made_of, self._ranking[1] + 1)
        return self._ranking[1]

    def ranking(self, scope: Scope) -> dict[str, Any]:
        """The photos that were looked at, in the person's order beside the generic one."""
        session = self.session
        with session.lock:
            version, taste = self.ranking_version(scope), session.taste(scope)
            generic, answers = session.generic_ranking(scope), session.answers
        place = {name: rank for rank, name in enumerate(generic, 1)}
        rows = [] if taste is None else taste.ranking()
        names = [row.name for row in rows] or generic
        stacks = list[list[str]]()
        if taste is not None:
            stacks = ranked_stacks(self.facts.stacks, taste.names, taste.scores, answers)
        return {
            "version": version,
            "ids": list(map(photo_id, names)),
            "stars": [round(row.stars, 2) for row in rows],
            "sure": [round(max(row.upper, 1 - row.upper), 3) for row in rows],
            "generic": [place[name] for name in names],
            "order_known": taste is not None,
            "stacks": [list(map(photo_id, stack)) for stack in stacks],
        }

    def found_stars(self) -> dict[str, Any] | None:
        """Stars in photos and sidecars that could be taken as ratings, where there are any."""
        made_of = (self.session.answers, self.facts.stars)
        if any(map(is_not, self._found[0], made_of)):
            self._found = (made_of, found_answers(self.session, self.facts.stars))
        new = self._found[1]
        if not len(new) and not new.flags:
            return None
        return {"count": len(new.ratings), "text": words.found_stars(new)}

    def photos(self) -> list[dict[str, Any]]:
        """All photos of the visit."""
        session = self.session
        own = session.uploads.paths
        return [
            {
                "id": photo_id(name),
                "name": name,
                "view": session.views(name).address(path),
                **asdict(self.facts.of.get(name, Fact())),
                "raw": _has_raw(session, name, path),
                "own": name in own,
            }
            for name, path in session.paths.items()
        ]


def found_answers(session: Session, stars: Stars | None) -> Answers:
    """What stars in photos and sidecars say that the person has not said here."""
    if stars is None:
        return Answers()
    named = {path: name for name, path in session.album.paths.items()}
    said = session.answers
    ratings = {
        named[photo]: found
        for photo, found in stars.ratings.items()
        if photo in named and named[photo] not in said.ratings and LOWEST <= found <= HIGHEST
    }
    rejected = (named[photo] for photo in stars.rejected if photo in named)
    return Answers(ratings, flags={x: REJECT for x in rejected if x not in said.flags})


def _has_raw(session: Session, name: str, path: str) -> bool:
    shot = session.album.shots.get(name)
    files = (Path(path),) if shot is None or name in session.uploads.paths else shot.files
    return any(file.suffix.lower() in RAW for file in files)


def _by_id(named: Mapping[str, Any], here: Any) -> dict[str, Any]:
    """By what the page calls the photos, of those that are here."""
    return {photo_id(name): value for name, value in named.items() if name in here}
