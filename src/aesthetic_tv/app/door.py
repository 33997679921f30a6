"""What the server lets in and out: its own pages alone, nothing from other sites, and no request to
another host, neither from the page nor, on its behalf, from the server.
"""

import ipaddress
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self' 'unsafe-inline'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# All that is served. Whatever else gradio's server has (uploads of any size, files by their paths,
# a proxy, its description of itself) would be a way around what is checked here.
PATHS = {"/", "/favicon.ico"}
BELOW = ("/web/", "/api/", "/view/", "/files/")
STARTING = "/gradio_api/startup-events"  # which gradio asks itself for, once
LOG_IN, LOG_IN_PATHS = "/oauth/huggingface/", {"/login", "/logout"}
OURS = {None, "same-origin", "none"}  # who asks, as browsers tell it


class Door:
    """Middleware around the whole app.

    Args:
        app: behind it.
        loopback: whether the app is reached from this machine alone; then a name that is not one
            of this machine is refused, which another site may have given to this address.
        log_in: whether visitors log in to the Hub here.
    """

    def __init__(self, app: ASGIApp, loopback: bool = False, log_in: bool = False):
        self.app = app
        self.loopback = loopback
        self.paths = PATHS | (LOG_IN_PATHS if log_in else set())
        self.below = (*BELOW, *([LOG_IN] if log_in else []))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        refused = self._refused(scope)
        await (refused or self.app)(scope, receive, with_policy)

    def _refused(self, scope: Scope) -> Response | None:
        path, headers = scope["path"], Headers(scope=scope)
        if self.loopback and not is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname):
            return _no(403, "This app answers to this machine alone, by its own name.")
        if not (path in self.paths or path.startswith(self.below) or path == STARTING):
            return _no(404, "There is nothing here.")
        if path.startswith("/api/") and headers.get("sec-fetch-site") not in OURS:
            return _no(403, "Other sites cannot use this app.")
        if path.startswith(LOG_IN) and not _stays(scope, headers.get("host", "")):
            return _no(403, "After the log-in the page goes on here, and nowhere else.")
        return None


def is_loopback(host: str | None) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _stays(scope: Scope, host: str) -> bool:
    """Whether a log-in leads back to this app."""
    for target in parse_qs(scope.get("query_string", b"").decode("latin-1")).get("_target_url", []):
        # Browsers take a backslash for a slash, and pass by control characters.
        plain = target.replace("\\", "/")
        parts = urlsplit(plain)
        here = parts.scheme in ("http", "https") and parts.netloc == host
        if not target.isprintable() or not (here or plain[:1] == "/" != plain[1:2]):
            return False
    return True


def _no(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
