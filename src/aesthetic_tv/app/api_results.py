"""What the page asks for to look at and to take home: why, figures, files, the Hub.

| request | answer |
|---|---|
| `GET /api/why?scope=` | the traits of the taste, with photos that have most and least of each |
| `GET /api/figures?scope=` | whether the own order is better, with numbers and pictures |
| `GET /api/files` | what there is to take home; the taste is made when it is asked for |
| `POST /api/push {repo, private}` | where the taste is on the Hub, and the lines that load it |
| `GET /files/SECRET/NAME` | one file of a visit |
| `GET /files/SECRET/best.zip?count=&what=` | the best photos, or the picks, as a zip |
"""

import secrets
import threading
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from aesthetic_tv.app import figures, keeping, words
from aesthetic_tv.app.api import Route, scope_of, visit_of
from aesthetic_tv.app.incoming import RequestError, read_json
from aesthetic_tv.app.keepers import best_files, count_of, what_of, zipped
from aesthetic_tv.app.log_in import token_of
from aesthetic_tv.app.quiet import Quiet
from aesthetic_tv.app.session import Scope
from aesthetic_tv.app.visits import Visit, Visits
from aesthetic_tv.app.why import NOTE, traits
from aesthetic_tv.errors import SettingError

PICTURES = "pictures"


class Results:
    """The requests of the other parts of the page.

    Args:
        visits: of the app.
        quiet: makes the taste exact.
    """

    def __init__(self, visits: Visits, quiet: Quiet):
        self.visits = visits
        self.quiet = quiet
        self._drawing = threading.Lock()  # pictures take long, and memory

    @property
    def routes(self) -> list[tuple[str, str, Route]]:
        """Method, path and handler of each."""
        return [
            ("GET", "/api/why", self.why),
            ("GET", "/api/figures", self.figures),
            ("GET", "/api/files", self.files),
            ("POST", "/api/push", self.push),
            ("GET", "/files/{secret}/best.zip", self.best),
            ("GET", "/files/{secret}/{name}", self.file),
            ("GET", f"/files/{{secret}}/{PICTURES}/{{name}}", self.picture),
        ]

    async def why(self, request: Request) -> Response:
        """What the taste is made of."""
        visit, scope = visit_of(self.visits, request), scope_of(request.query_params.get("scope"))
        return JSONResponse(await run_in_threadpool(self._why, visit, scope))

    def _why(self, visit: Visit, scope: Scope) -> dict[str, Any]:
        taste = visit.session.taste(scope)
        if taste is None or len(taste.scope) < 2:
            note = "Rate a few photos first; then it is shown here what you like."
            return {"ready": False, "traits": [], "note": note, "heat_map": None}
        found = traits(taste)
        with self._drawing:
            figures.draw_heat_map(taste, visit.served / PICTURES / "weights.png")
        return {
            "ready": True,
            "traits": found,
            "note": NOTE,
            "heat_map": self._url(visit, "weights.png"),
        }

    async def figures(self, request: Request) -> Response:
        """Whether the own order is better."""
        visit, scope = visit_of(self.visits, request), scope_of(request.query_params.get("scope"))
        return JSONResponse(await run_in_threadpool(self._figures, visit, scope))

    def _figures(self, visit: Visit, scope: Scope) -> dict[str, Any]:
        session = visit.session
        found = session.figures()
        visit.told.figures = found
        with self._drawing:
            pictures = figures.draw(session, scope, visit.served / PICTURES)
        text = (
            "Nothing can be told yet: rate at least 4 photos, not all the same. From about 10 on "
            "the figures mean something."
        )
        return {
            "ready": found is not None,
            "verdict": words.verdict(found),
            "text": text if found is None else found.verdict,
            "rows": [] if found is None else figures.rows(found, session.answers),
            "pictures": [{"url": self._url(visit, name), "text": text} for name, text in pictures],
        }

    def _url(self, visit: Visit, name: str) -> str:
        """Of a picture; another one each time, since it was drawn anew."""
        return f"/files/{visit.secret}/{PICTURES}/{name}?v={secrets.token_hex(4)}"

    async def files(self, request: Request) -> Response:
        """What there is to take home."""
        visit = visit_of(self.visits, request)
        return JSONResponse(await run_in_threadpool(self._files, visit))

    def _files(self, visit: Visit) -> dict[str, Any]:
        session = visit.session
        written = keeping.write_files(session, visit.served / "files")
        problem = visit.told.problem
        making = session.fit() is not None and session.polished is None and not problem
        if making:
            self.quiet.at_once(visit)
        text = "Rate a few photos first." if not written else f"{words.how_many(session.answers)}."
        if making:
            text += " Your taste is being made; a moment."
        elif problem and session.polished is None:
            text += f" Your taste could not be made: {problem}"
        return {
            "text": text,
            "files": [
                {
                    "name": path.name,
                    "url": f"/files/{visit.secret}/{path.name}",
                    "what": keeping.WHAT[path.name],
                }
                for path in written
            ],
            "making": making,
        }

    async def file(self, request: Request) -> Response:
        """One file to take home."""
        name = request.path_params["name"]
        visit = self._of_secret(request)
        path = visit.served / "files" / name
        if name not in keeping.WHAT or not path.is_file():
            raise RequestError(404, "There is no such file (any more).")
        return FileResponse(path, filename=name, headers={"cache-control": "no-store"})

    async def picture(self, request: Request) -> Response:
        """One picture."""
        name = request.path_params["name"]
        path = self._of_secret(request).served / PICTURES / name
        if name not in ("ranks.png", "scores.png", "curve.png", "weights.png") or not path.exists():
            raise RequestError(404, "There is no such picture (any more).")
        return FileResponse(path, media_type="image/png", headers={"cache-control": "no-store"})

    async def best(self, request: Request) -> Response:
        """The best photos as a zip, which is sent while it is made."""
        visit, query = self._of_secret(request), request.query_params
        what, count = what_of(query.get("what")), count_of(query.get("count"))
        settings = self.visits.settings
        found = await run_in_threadpool(best_files, visit, what, count, settings.local)
        if not found:
            raise SettingError(words.NOTHING_TO_KEEP[what])
        headers = {"content-disposition": f'attachment; filename="{what}.zip"'}
        return StreamingResponse(zipped(found), media_type="application/zip", headers=headers)

    def _of_secret(self, request: Request) -> Visit:
        visit = self.visits.of_secret(request.path_params["secret"])
        if visit is None:
            raise RequestError(404, "There is no such file (any more).")
        return visit

    async def push(self, request: Request) -> Response:
        """Push the taste to the Hub."""
        visit = visit_of(self.visits, request)
        sent = await read_json(request)
        repo, private = sent.get("repo"), sent.get("private", True)
        if not isinstance(repo, str) or not isinstance(private, bool):
            raise RequestError(400, "Expected the name of a repo, and whether it is private.")
        on_page, token = self.visits.settings.hub, token_of(request)
        mine = await self.visits.workshop.result(visit.session.polish)

        def push() -> dict[str, Any]:
            pushed = keeping.push_taste(
                mine.personalization, repo, private=private, token=token, on_page=on_page
            )
            return asdict(pushed)

        return JSONResponse(await run_in_threadpool(push))
