"""The app as a server: gradio's, which a Space runs too, with a page of our own. It tells nobody
that it runs.
"""

import atexit
import logging
import os
import signal
import sys
import threading
import urllib.request
from typing import Any

# Read when gradio is imported, below.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}

import gradio
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aesthetic_tv.app import log_in, words
from aesthetic_tv.app.api import Rating
from aesthetic_tv.app.api_local import Local
from aesthetic_tv.app.api_photos import Sent
from aesthetic_tv.app.api_results import Results
from aesthetic_tv.app.door import Door, is_loopback
from aesthetic_tv.app.incoming import RequestError
from aesthetic_tv.app.pages import Pages
from aesthetic_tv.app.quiet import PAUSE, Quiet
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.visits import Visits
from aesthetic_tv.errors import AestheticTVError

log = logging.getLogger(__name__)

LOOPBACK = ["127.0.0.1", "localhost", "::1"]


def build(settings: AppSettings | None = None, *, loopback: bool = False) -> gradio.Server:
    """The app's page and all that it asks for; `launch` starts it.

    Args:
        settings: of the app; those of the environment when not given.
        loopback: whether it is reached from this machine alone.

    Raises:
        PhotoError: the album holds no photos.
        RatingsFileError: the file of ratings cannot be used.
    """
    return _build(Visits(settings or AppSettings.from_environment()), loopback)


def _build(visits: Visits, loopback: bool) -> gradio.Server:
    atexit.register(visits.close)
    # Where gradio would put what is uploaded to its own routes, if the door let it.
    os.environ["GRADIO_TEMP_DIR"] = str(visits.received)
    server = gradio.Server(
        title=words.TITLE,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(Door, loopback=loopback, log_in=visits.settings.hub)],
        exception_handlers={
            RequestError: _refused,
            AestheticTVError: _told,
            OSError: _no_room,
            HTTPException: _no_such,
            Exception: _wrong,
        },
    )
    quiet = Quiet(visits.workshop, PAUSE)
    visits.on_end, visits.on_close = quiet.forget, quiet.close
    server.state.visits = visits
    if visits.settings.hub:
        log_in.attach(server)
    parts = (
        Pages(visits),
        Rating(visits, quiet),
        Results(visits, quiet),
        Sent(visits, quiet),
        Local(visits, quiet),
    )
    for part in parts:
        for method, path, route in part.routes:
            server.add_route(path, route, methods=[method])
    return server


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return JSONResponse({"error": str(error)}, error.status)


async def _told(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _no_room(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    log.warning("%s: %s", request.url.path, error)
    return JSONResponse({"error": f"This machine cannot do that ({error.strerror})."}, 507)


async def _no_such(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": f"There is nothing here ({error.detail})."}, error.status_code)


async def _wrong(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "Something went wrong; the app's log tells more."}, 500)


def launch(settings: AppSettings | None = None, **launch: Any) -> Any:
    """Build the app and start its server.

    Args:
        settings: of the app; those of the environment when not given.
        **launch: as for `gradio.Server.launch`, such as `server_port` and `inbrowser`.

    Returns:
        What `gradio.Server.launch` returns.

    Raises:
        PhotoError: the album holds no photos.
        RatingsFileError: the file of ratings cannot be used.
        OSError: the server cannot be started, as on a port that is taken.
    """
    settings = settings or AppSettings.from_environment()
    _reach_this_machine_directly()
    _end_well_when_told_to_stop()
    visits = Visits(settings)
    # As gradio decides it: a Space names all addresses in the environment.
    named = launch.get("server_name") or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK[0]
    server = _build(visits, is_loopback(named))
    defaults: dict[str, Any] = {"ssr_mode": False, "mcp_server": False, "share": False}
    try:
        return server.launch(**defaults | launch)
    except BaseException:
        visits.close()
        raise


def _reach_this_machine_directly() -> None:
    """No proxy between this process and its own page, which it looks at when it starts; other
    hosts are reached as before.
    """
    proxies = urllib.request.getproxies()
    if not proxies.keys() - {"no"}:
        return
    bypassed = proxies.get("no", "")
    if "*" in bypassed.split(","):
        return
    # Proxies of the system's settings too: they are not looked at where these variables are set.
    for scheme in proxies.keys() - {"no"}:
        os.environ.setdefault(f"{scheme}_proxy", proxies[scheme])
    direct = ",".join(filter(None, [bypassed, *LOOPBACK]))
    os.environ |= {"no_proxy": direct, "NO_PROXY": direct}


def _end_well_when_told_to_stop() -> None:
    """On SIGTERM, or when the terminal is closed, leave as by Ctrl-C: temporary files go."""
    if threading.current_thread() is not threading.main_thread():
        return

    def stop(number: int, frame: object) -> None:
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has not all
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
