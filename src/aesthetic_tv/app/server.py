"""The app as a server: it tells nobody that it runs, and makes no request to another host, neither
from the page nor, on its behalf, from the server.
"""

import atexit
import os
import signal
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

# Read when gradio is imported, below.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aesthetic_tv.app import words
from aesthetic_tv.app.events import connect
from aesthetic_tv.app.page import lay_out
from aesthetic_tv.app.rating import Rating
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.tabs import Tabs
from aesthetic_tv.app.visits import Visit, Visits

FOLDER = Path(__file__).parent
SWEPT, KEPT = 600, 3600  # seconds between two looks for forgotten uploads, and how old they get
FONTS = ["system-ui", "sans-serif"]
LOOPBACK = ["127.0.0.1", "localhost", "::1"]
MONO = ["ui-monospace", "monospace"]
POLICY = "; ".join(
    [
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
        "connect-src 'self' data: blob: ws: wss:",
        "form-action 'self'",
        "object-src 'none'",
    ]
)
# Routes by which gradio's server would fetch what a visitor names.
FETCHING = ("/proxy=", "/file=http:", "/file=https:")


def build(settings: AppSettings | None = None) -> gr.Blocks:
    """The app's page and handlers; `launch` adds its style and starts it.

    Args:
        settings: of the app; those of the environment when not given.

    Raises:
        PhotoError: the album holds no photos.
    """
    return _build(Visits(settings or AppSettings.from_environment()))


def _build(visits: Visits) -> gr.Blocks:
    atexit.register(visits.close)
    # Where gradio puts what is uploaded, until it is checked and moved to the visitor's own folder.
    os.environ["GRADIO_TEMP_DIR"] = str(visits.received)
    gr.set_static_paths([visits.served])

    # A function, since gradio copies what a bound method belongs to for every page that is opened.
    def forget(visit: Visit | None) -> None:
        visits.end(visit)

    with gr.Blocks(
        title=words.TITLE, analytics_enabled=False, delete_cache=(SWEPT, KEPT), fill_width=True
    ) as blocks:
        page = lay_out(visits.settings, forget, visits.storage_key)
        rating = Rating(page, visits)
        connect(blocks, page, visits, rating, Tabs(page, visits, rating))
    return blocks


def launch(settings: AppSettings | None = None, **launch: Any) -> Any:
    """Build the app and start its server.

    Args:
        settings: of the app; those of the environment when not given.
        **launch: as for `gradio.Blocks.launch`, such as `server_port` and `inbrowser`.

    Returns:
        What `gradio.Blocks.launch` returns.

    Raises:
        PhotoError: the album holds no photos.
        RatingsFileError: the file of ratings cannot be used.
        OSError: the server cannot be started, as on a port that is taken.
    """
    settings = settings or AppSettings.from_environment()
    _reach_this_machine_directly()
    _end_well_when_told_to_stop()
    visits = Visits(settings)
    blocks = _build(visits)
    defaults: dict[str, Any] = {
        "theme": gr.themes.Default(font=FONTS, font_mono=MONO),
        "css": (FOLDER / "style.css").read_text("utf-8"),
        "js": (FOLDER / "answers.js").read_text("utf-8"),
        "footer_links": [],
        "ssr_mode": False,
        "run_history": False,
        "max_file_size": f"{settings.max_megabytes:g}mb",
        "app_kwargs": {"middleware": [NoOtherHosts.as_middleware()]},
        "share": False,
    }
    try:
        return blocks.launch(**defaults | launch)
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


class NoOtherHosts:
    """Middleware that forbids the browser requests to other hosts, and makes none for it."""

    def __init__(self, app: ASGIApp):
        self.app = app

    @classmethod
    def as_middleware(cls) -> Middleware:
        """As FastAPI takes it."""
        return Middleware(cls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if any(route in scope["path"].lower() for route in FETCHING):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"This app fetches nothing."})
            return

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                headers += [
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, with_policy)
