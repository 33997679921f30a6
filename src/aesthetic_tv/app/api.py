"""What the page asks for while photos are rated: JSON, thin around `Session` and `Told`.

| request | answer |
|---|---|
| `GET /api/album` | the key under which browsers keep what they know of the album |
| `POST /api/enter {kept}` | the page's token, the album, settings, photos, the first state |
| `POST /api/answers {mode, scope, answers}` | the state after them, what could not be done, what the browser keeps |
| `GET /api/state?mode=&scope=&since=` | the state; 204 where it is that version still |
| `GET /api/ranking?scope=` | the photos that were looked at, best first |
| `GET /api/photos` | all photos, with what is known of them by now |
| `POST /api/leave` | the page is closed |

All but `album` and `enter` carry the page's token in the header `X-Visit`: a token is known to our
page alone, and a header of one's own is sent by no other site. A page is told 410 where its visit has ended; then it
enters again with what the browser has kept, and sends once more what was not answered.
"""  # noqa: E501

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aesthetic_tv.app import batches, words
from aesthetic_tv.app.incoming import RequestError, read_json
from aesthetic_tv.app.log_in import name_of
from aesthetic_tv.app.quiet import Quiet
from aesthetic_tv.app.session import Scope
from aesthetic_tv.app.state import Mode
from aesthetic_tv.app.visits import Page, Visit, Visits
from aesthetic_tv.names import written

TOKEN = "x-visit"
MODES, SCOPES = ("stars", "pairs"), ("all", "own")
MOST_ANSWERS = 1000  # of one request
GONE = "This page was put aside for long, or the app was started anew."

Route = Callable[[Request], Awaitable[Response]]


class Rating:
    """The requests of a page on which photos are rated.

    Args:
        visits: of the app.
        quiet: is told of new answers.
    """

    def __init__(self, visits: Visits, quiet: Quiet):
        self.visits = visits
        self.quiet = quiet

    @property
    def routes(self) -> list[tuple[str, str, Route]]:
        """Method, path and handler of each."""
        return [
            ("GET", "/api/album", self.album),
            ("POST", "/api/enter", self.enter),
            ("POST", "/api/leave", self.leave),
            ("POST", "/api/answers", self.answers),
            ("GET", "/api/state", self.state),
            ("GET", "/api/ranking", self.ranking),
            ("GET", "/api/photos", self.photos),
        ]

    async def album(self, request: Request) -> Response:
        """Asked before a page enters, with what was kept of this very album."""
        return JSONResponse({"storage_key": self.visits.storage_key})

    async def enter(self, request: Request) -> Response:
        """A page was opened."""
        kept = (await read_json(request)).get("kept")
        return JSONResponse(await run_in_threadpool(self._enter, kept, name_of(request)))

    def _enter(self, kept: Any, name: str | None) -> dict[str, Any]:
        visits, settings = self.visits, self.visits.settings
        page = secrets.token_urlsafe(24)
        visit = visits.enter(page, kept)
        session = visit.session
        if len(session.answers):
            self.quiet.answered(visit)
        state = visit.told.state("stars", "all")
        return {
            "token": page,
            "album": {
                "key": visits.album_key,
                "name": words.album(settings),
                "samples": settings.album is None,
                "total": len(session.paths),
                "ratings_file": written(settings.ratings) if settings.ratings else None,
                "note": session.album.left_out,
                "storage_key": visits.storage_key,
            },
            "settings": {
                "uploads": settings.uploads and settings.album is None,
                "limits": settings.limits,
                "max_photos": settings.max_photos,
                "hub": settings.hub,
                "signed_in": name,
                "local": settings.local,
            },
            "downloads": f"/files/{visit.secret}",
            "found_stars": state["found_stars"],
            "photos": visit.told.photos(),
            "state": {**state, "done_seq": 0},
            "kept": visits.kept(visit),
        }

    async def leave(self, request: Request) -> Response:
        """The page was closed."""
        visit_of(self.visits, request)
        self.visits.leave(request.headers[TOKEN])
        return Response(status_code=204)

    async def answers(self, request: Request) -> Response:
        """Answers were given."""
        visit = visit_of(self.visits, request)
        sent = await read_json(request)
        mode, scope = mode_of(sent.get("mode")), scope_of(sent.get("scope"))
        answers = sent.get("answers")
        if not isinstance(answers, list) or len(answers) > MOST_ANSWERS:
            raise RequestError(400, f"Expected a list of at most {MOST_ANSWERS} answers.")
        page = page_of(visit, request)

        def give() -> Response:
            try:
                refused = batches.give(visit.session, page, answers)
            except batches.GapError as error:
                return JSONResponse({"error": str(error), "done_seq": page.done}, 409)
            if answers:
                self.quiet.answered(visit)
            state = visit.told.state(mode, scope)
            found = {**state, "done_seq": page.done, "refused": refused}
            return JSONResponse({**found, "kept": self.visits.kept(visit)})

        return await run_in_threadpool(give)

    async def state(self, request: Request) -> Response:
        """How things are."""
        visit, query = visit_of(self.visits, request), request.query_params
        mode, scope = mode_of(query.get("mode")), scope_of(query.get("scope"))
        page = page_of(visit, request)
        found = await run_in_threadpool(visit.told.state, mode, scope)
        if query.get("since") == str(found["version"]):
            return Response(status_code=204)
        return JSONResponse({**found, "done_seq": page.done})

    async def ranking(self, request: Request) -> Response:
        """The photos in the person's order."""
        visit, scope = visit_of(self.visits, request), scope_of(request.query_params.get("scope"))
        return JSONResponse(await run_in_threadpool(visit.told.ranking, scope))

    async def photos(self, request: Request) -> Response:
        """What is known of the photos."""
        visit = visit_of(self.visits, request)
        return JSONResponse({"photos": await run_in_threadpool(visit.told.photos)})


def visit_of(visits: Visits, request: Request) -> Visit:
    """The visit of the page that asks.

    Raises:
        RequestError: it has ended, or there was none.
    """
    visit = visits.of_page(request.headers.get(TOKEN, ""))
    if visit is None:
        raise RequestError(410, GONE)
    return visit


def page_of(visit: Visit, request: Request) -> Page:
    """The page that asks.

    Raises:
        RequestError: it was closed this moment.
    """
    page = visit.pages.get(request.headers.get(TOKEN, ""))
    if page is None:
        raise RequestError(410, GONE)
    return page


def mode_of(value: Any) -> Mode:
    """Stars where nothing is said.

    Raises:
        RequestError: something else is said.
    """
    return cast(Mode, _one_of(MODES, "mode", value))


def scope_of(value: Any) -> Scope:
    """All photos where nothing is said.

    Raises:
        RequestError: something else is said.
    """
    return cast(Scope, _one_of(SCOPES, "scope", value))


def _one_of(known: tuple[str, ...], what: str, value: Any) -> str:
    if value in (None, ""):
        return known[0]
    if value not in known:
        raise RequestError(400, f"{what} is {str(value)[:40]!r}; expected {' or '.join(known)}.")
    return str(value)
