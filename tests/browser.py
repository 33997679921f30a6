"""A real browser for tests of the app: found, started, and watched; and the app to look at."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ARTIFACTS = Path(__file__).parent.parent / "test-artifacts"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()


def find_browser() -> str:
    """Path of a Chromium; without one the tests that need it are skipped, or fail where CI is set.

    `make test` installs Debian's where it can.
    """
    named = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for name in named if name and (path := shutil.which(name))), None)
    if found is None:
        told = "no Chromium on PATH: install one (apt-get install chromium) or set CHROMIUM to it"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return found


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serve(settings, port: int = 0) -> Iterator[str]:
    """The app in this process, and its address."""
    import uvicorn

    from aesthetic_tv.app import build

    port = port or free_port()
    app = build(settings, loopback=True)
    options = {"log_level": "warning", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        app.state.visits.close()


class Watch:
    """What a page did that it should not: errors of any kind, and requests to other hosts."""

    def __init__(self, page, home: str):
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.expected: list[str] = []  # parts of errors that a test brings about itself
        self._home = home
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"page: {error}"))
        page.on("requestfailed", self._failed)
        page.context.on("request", self._request)
        page.on("response", self._response)

    def wrong(self) -> list[str]:
        """What nobody expected."""
        found = [*self.errors, *self.elsewhere]
        return [line for line in found if not any(part in line for part in self.expected)]

    def _console(self, message) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text}")

    def _failed(self, request) -> None:
        # A page that is left drops what it still waited for.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"{request.url}: {request.failure}")

    def _request(self, request) -> None:
        if not request.url.startswith((self._home, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _response(self, response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.url}: {response.status}")
