"""Logging in to the Hub on the page, where a Space offers it."""

import warnings
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from huggingface_hub import attach_huggingface_oauth, parse_huggingface_oauth
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

LOG_IN, LOG_OUT = "/oauth/huggingface/login", "/oauth/huggingface/logout"


def attach(app: FastAPI) -> None:
    """Let visitors log in: `/login` and `/logout`, and what these lead to.

    Raises:
        ValueError: a Space that offers no log-in.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an interface that may change; our versions are bound
        attach_huggingface_oauth(app)

    async def log_in(request: Request) -> Response:
        return RedirectResponse(f"{LOG_IN}?_target_url=/", 302)

    async def log_out(request: Request) -> Response:
        return RedirectResponse(f"{LOG_OUT}?_target_url=/", 302)

    app.add_route("/login", log_in, methods=["GET"])
    app.add_route("/logout", log_out, methods=["GET"])


def _found(request: Request) -> Any:
    """Who is logged in; `None` for nobody, or for longer than the log-in holds."""
    if "session" not in request.scope:  # no log-in here
        return None
    try:
        found = parse_huggingface_oauth(request)
    except (KeyError, TypeError, ValueError, AttributeError):  # a cookie of another version
        return None
    if found is None or found.access_token_expires_at <= datetime.now():
        return None
    return found


def name_of(request: Request) -> str | None:
    """Who has logged in on the page."""
    found = _found(request)
    return None if found is None else found.user_info.preferred_username


def token_of(request: Request) -> str | None:
    """The token of who has logged in on the page; it goes to the Hub and nowhere else."""
    found = _found(request)
    return None if found is None else found.access_token
