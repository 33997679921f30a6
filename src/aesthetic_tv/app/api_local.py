"""What the page asks for that writes to this machine: stars into sidecars, copies of the best. Only
where the settings allow it, and a dry run first.

| request | answer |
|---|---|
| `POST /api/use-stars` | the stars found in photos and sidecars are taken as ratings |
| `POST /api/stars {spread, overwrite}` | what would be written, under the name of a plan |
| `POST /api/stars {plan, write: true}` | that plan is written; where to take it back |
| `POST /api/stars/undo {undo}` | what was written is taken back |
| `POST /api/best {count, what, to, link, write}` | what would be copied; or it is |
"""

import secrets
from pathlib import Path
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aesthetic_tv.app import words
from aesthetic_tv.app.answers import REJECT
from aesthetic_tv.app.api import Route, mode_of, scope_of, visit_of
from aesthetic_tv.app.incoming import RequestError, read_json
from aesthetic_tv.app.keepers import best_names, count_of, files_of, what_of
from aesthetic_tv.app.quiet import Quiet
from aesthetic_tv.app.session import Session
from aesthetic_tv.app.state import found_answers
from aesthetic_tv.app.visits import Visit, Visits
from aesthetic_tv.errors import OutputError, SettingError
from aesthetic_tv.names import written
from aesthetic_tv.personalization.stars import parse_shares, stars_by_calibration, stars_by_shares
from aesthetic_tv.photo_metadata.keepers import KeepersPlan
from aesthetic_tv.photo_metadata.stars import read_stars
from aesthetic_tv.photo_metadata.stars_plan import plan_stars
from aesthetic_tv.photo_metadata.stars_undo import undo_files, undo_stars, written_stars
from aesthetic_tv.photo_metadata.stars_writing import StarsPlan

SHOWN = 200  # rows of a plan, and names
PROBLEMS = 20


class Local:
    """The requests that write.

    Args:
        visits: of the app.
        quiet: is told of new answers.
    """

    def __init__(self, visits: Visits, quiet: Quiet):
        self.visits = visits
        self.quiet = quiet
        self._plans: dict[str, tuple[str, StarsPlan]] = {}  # the last of each visit

    @property
    def routes(self) -> list[tuple[str, str, Route]]:
        """Method, path and handler of each."""
        return [
            ("POST", "/api/use-stars", self.use_stars),
            ("POST", "/api/stars", self.stars),
            ("POST", "/api/stars/undo", self.undo_stars),
            ("POST", "/api/best", self.best),
        ]

    def _here(self, request: Request) -> tuple[Visit, Path]:
        """The visit and its album, where files may be written.

        Raises:
            RequestError: they may not.
        """
        visit, settings = visit_of(self.visits, request), self.visits.settings
        if not settings.local:
            raise RequestError(403, "Nothing is written to this machine; take a zip instead.")
        if settings.album is None:
            raise RequestError(403, "These are the sample photos; open an album of your own.")
        return visit, settings.album

    async def use_stars(self, request: Request) -> Response:
        """Take the stars that photos have as ratings; the person's own stay."""
        visit, _ = self._here(request)
        sent = await read_json(request)
        mode, scope = mode_of(sent.get("mode")), scope_of(sent.get("scope"))

        def use() -> dict[str, Any]:
            new = found_answers(visit.session, visit.told.facts.stars)
            if len(new) or new.flags:
                visit.session.tell(new)
            self.quiet.answered(visit)
            state = visit.told.state(mode, scope)
            return {"text": words.used_stars(new), "state": state, "kept": self.visits.kept(visit)}

        return JSONResponse(await run_in_threadpool(use))

    async def stars(self, request: Request) -> Response:
        """Plan to write stars, or write what was planned."""
        visit, album = self._here(request)
        sent = await read_json(request)
        if sent.get("write"):
            return JSONResponse(await run_in_threadpool(self._write, visit, sent.get("plan")))
        spread, overwrite = sent.get("spread", "mine"), sent.get("overwrite", False)
        if not isinstance(spread, str) or not isinstance(overwrite, bool):
            raise RequestError(400, "Expected how stars are spread, and whether to overwrite.")
        return JSONResponse(await run_in_threadpool(self._plan, visit, album, spread, overwrite))

    def _plan(self, visit: Visit, album: Path, spread: str, overwrite: bool) -> dict[str, Any]:
        session = visit.session
        given = stars_to_write(session, spread)
        if not given:
            raise SettingError("There is no order of yours yet; rate a few photos first.")
        found = read_stars(file for shot in session.album.shots.values() for file in shot.files)
        given = {photo: stars for photo, stars in given.items() if photo in found.photos}
        ours = written_stars(album)
        plan = plan_stars(found, given, album=album, overwrite=overwrite, written=ours)
        name = secrets.token_urlsafe(8)
        self._plans[visit.token] = (name, plan)
        named = {path: photo for photo, path in session.album.paths.items()}
        rows = [
            [
                named.get(str(row.photo), _bare(row.photo)),
                row.before,
                row.after,
                ", ".join(_bare(change.path) for change in row.changes),
            ]
            for row in plan.changed
        ]
        problems = [f"{_bare(photo)}: {why}" for photo, why in plan.failed.items()]
        return {
            "plan": name,
            "text": words.stars_planned(len(rows), sum(plan.kept.values())),
            "rows": rows[:SHOWN],
            "changed": len(rows),
            "kept": dict(plan.kept),
            "problems": problems[:PROBLEMS],
        }

    def _write(self, visit: Visit, name: Any) -> dict[str, Any]:
        there, plan = self._plans.pop(visit.token, ("", None))
        if plan is None or name != there:
            raise RequestError(409, "Look at what would change first; it may be another by now.")
        done = plan.write()
        problems = [f"{_bare(file)}: {why}" for file, why in done.failed.items()]
        return {
            "text": words.stars_written(len(done.files), len(done.failed)),
            "undo": None if done.undo is None else written(done.undo),
            "problems": problems[:PROBLEMS],
        }

    async def undo_stars(self, request: Request) -> Response:
        """Take back what was written."""
        _, album = self._here(request)
        wanted = (await read_json(request)).get("undo")

        def undo() -> dict[str, Any]:
            # One of this album's own: a page does not say which files are changed here.
            known = {written(file.path): file.path for file in undo_files(album)}
            if not isinstance(wanted, str) or wanted not in known:
                raise RequestError(404, "There is nothing (any more) to take back by that name.")
            done = undo_stars(known[wanted])
            problems = [f"{_bare(file)}: {why}" for file, why in done.failed.items()]
            text = words.stars_undone(len(done.files), len(done.failed))
            return {"text": text, "problems": problems[:PROBLEMS]}

        return JSONResponse(await run_in_threadpool(undo))

    async def best(self, request: Request) -> Response:
        """Copy the best photos to a folder, or the picks."""
        visit, album = self._here(request)
        sent = await read_json(request)
        what, count, to = what_of(sent.get("what")), count_of(sent.get("count")), sent.get("to")
        if not isinstance(to, str) or not to.strip() or "\0" in to:
            raise RequestError(400, "Name the folder that they are copied to.")
        link, write = sent.get("link") is True, sent.get("write") is True
        folder = Path(to.strip()).expanduser()
        if not folder.is_absolute():  # beside the album, wherever the app was started
            folder = album.resolve().parent / folder

        def copy() -> dict[str, Any]:
            session, names = visit.session, best_names(visit.told, what, count)
            if not names:
                raise SettingError(words.NOTHING_TO_KEEP[what])
            plan = KeepersPlan.of(album, files_of(session, names))
            plan.check(folder)
            files = sum(len(photo.files) for photo in plan.photos)
            if not write:
                text = words.to_copy(len(names), files, folder)
                return {"text": text, "names": names[:SHOWN], "folder": written(folder)}
            done = plan.copy(folder, link=link)
            if done.failed and not done.places:
                raise OutputError(f"{written(folder)}: {next(iter(done.failed.values()))}.")
            problems = [f"{_bare(file)}: {why}" for file, why in done.failed.items()]
            return {
                "text": words.copied(len(done.new), len(done.places) - len(done.new), folder),
                "problems": problems[:PROBLEMS],
                "folder": written(folder),
            }

        return JSONResponse(await run_in_threadpool(copy))


def _bare(file: str | Path) -> str:
    """A file's name, as it can be written."""
    return written(Path(file).name)


def stars_to_write(session: Session, spread: str) -> dict[str, int]:
    """Stars by path for all photos that were looked at: the person's own where there are, else as
    they are shown.

    Args:
        session: of the person.
        spread: `mine`, or the shares of 1 to 5 stars, in percent.

    Raises:
        SettingError: no such shares.
    """
    shares = None if spread == "mine" else parse_shares(spread)
    taste = session.taste()
    if taste is None:
        return {}
    shown = stars_by_calibration(taste.stars)
    if shares is not None:
        shown = stars_by_shares(taste.scores, shares)
    answers, paths = session.answers, session.album.paths
    given = dict(zip(taste.names, shown.tolist(), strict=True))
    if shares is None:
        own = stars_by_calibration(np.array(list(answers.ratings.values())))
        given |= dict(zip(answers.ratings, own.tolist(), strict=True))
    left_out = {name for name, flag in answers.flags.items() if flag == REJECT}
    return {paths[name]: stars for name, stars in given.items() if name in paths.keys() - left_out}
