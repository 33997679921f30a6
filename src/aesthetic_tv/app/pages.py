"""The page itself, its scripts, and the photos and files that it shows: whatever is no JSON."""

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from aesthetic_tv.app.api import Route
from aesthetic_tv.app.incoming import RequestError
from aesthetic_tv.app.visits import Visits

WEB = Path(__file__).parent / "web"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "private, max-age=31536000, immutable"


class Pages:
    """The requests that a browser makes by itself.

    Args:
        visits: of the app.
    """

    def __init__(self, visits: Visits):
        self.visits = visits
        self._web = {path.name: path for path in WEB.iterdir() if path.suffix in KINDS}

    @property
    def routes(self) -> list[tuple[str, str, Route]]:
        """Method, path and handler of each."""
        return [
            ("GET", "/", self.page),
            ("HEAD", "/", self.page),
            ("GET", "/web/{name}", self.web),
            ("GET", "/view/{secret}/{key}/{side}.jpg", self.view),
            ("GET", "/favicon.ico", self.favicon),
        ]

    async def page(self, request: Request) -> Response:
        """The one page there is."""
        return self._file("index.html")

    async def web(self, request: Request) -> Response:
        """Its scripts and styles."""
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        path = self._web.get(name)
        if path is None:
            raise RequestError(404, "There is no such file.")
        kind = KINDS[path.suffix]
        return FileResponse(path, media_type=kind, headers={"cache-control": "no-cache"})

    async def view(self, request: Request) -> Response:
        """A scaled copy of a photo."""
        asked = request.path_params
        views = self.visits.views(asked["secret"])
        path = None
        if views is not None:
            path = await run_in_threadpool(views.at, asked["key"], asked["side"])
        if path is None:
            raise RequestError(404, "There is no such photo, or it cannot be read.")
        return FileResponse(path, media_type="image/jpeg", headers={"cache-control": FOR_EVER})

    async def favicon(self, request: Request) -> Response:
        """Which browsers ask for where a page names none."""
        return RedirectResponse("/web/icon.svg") if "icon.svg" in self._web else Response(b"", 204)
