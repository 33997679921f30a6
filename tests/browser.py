"""A real browser for tests of the app: found, started, and watched."""

import os
import shutil
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


class Watch:
    """What a page did that it should not: errors of any kind, and requests to other hosts."""

    def __init__(self, page, home: str):
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self._home = home
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"page: {error}"))
        page.on("requestfailed", self._failed)
        page.context.on("request", self._request)
        page.on("response", self._response)

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
