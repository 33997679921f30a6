"""No request to another host: neither from the page nor, on its behalf, from the server."""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class NoOtherHosts:
    """Middleware that says so to the browser, and refuses to fetch for it."""

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
