"""One Immich server: its address, the key that goes there and nowhere else, and every failure in
words that tell the way out.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import httpx2

from aesthetic_tv.errors import (
    FormatError,
    ImmichAccessError,
    ImmichError,
    ImmichRefusedError,
    ImmichUnreachableError,
    SettingError,
)
from aesthetic_tv.files import config_value
from aesthetic_tv.names import written
from aesthetic_tv.version import __version__

TIMEOUT = httpx2.Timeout(60.0, connect=10.0)  # seconds; a page of a large library takes some
ATTEMPTS = 4
BUSY = (429, 502, 503, 504)  # of a server that starts, or that has too much to do
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds before another attempt
MOST_JSON = 1 << 26  # bytes; a page of 500 assets has about one million
SHOWN = 200  # characters of what a server says
EXAMPLE = "http://192.168.1.5:2283"
NEW_KEY = "make one in Immich, under Account settings, API keys"

_PERMISSION = re.compile(r"permission:? ([\w.]+)|no ([\w.]+) access")

T = TypeVar("T")


def checked_url(url: str) -> str:
    """The address of a server without `/api` and without a last slash.

    Raises:
        SettingError: no address, or one with a password, which would be shown and kept.
    """
    try:
        parts = urlsplit(url.strip())
        port = "" if parts.port is None else f":{parts.port}"
        host = parts.hostname or ""
        httpx2.URL(url.strip())
    except (ValueError, httpx2.InvalidURL):
        raise SettingError(f"this is no address of a server; write it as in {EXAMPLE}.") from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise SettingError(
            f"the address holds more than a place (a name, a password or a query); write it as in "
            f"{EXAMPLE}."
        )
    if parts.scheme not in ("http", "https") or not host:
        raise SettingError(
            f"{url.strip()!r} is no address of a server; write it with http:// or https://, as in "
            f"{EXAMPLE}."
        )
    host = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix("/api").rstrip("/")
    return f"{parts.scheme}://{host}{port}{path}"


def server_in(told: dict[str, Any], place: Path) -> str:
    """The address of the server in a file of ours.

    Args:
        told: what the file says.
        place: of the file.

    Raises:
        FormatError: there is none, or it is no address of a server.
    """
    try:
        return checked_url(config_value(told, "server", str, place))
    except SettingError as error:
        raise FormatError(f"{place}: {error}") from None


def checked_key(key: str) -> str:
    """A key without the blanks around it.

    Raises:
        SettingError: empty, or with signs that no key has; it is not shown.
    """
    key = key.strip()
    if not key:
        raise SettingError(f"the key is empty; {NEW_KEY}.")
    if not re.fullmatch(r"[!-~]+", key):
        raise SettingError(f"the key has signs that no key has; copy it again, or {NEW_KEY}.")
    return key


class Connection:
    """Requests to one server.

    Redirects are never followed, so that the key goes to the address that was named alone. What
    may be sent twice is tried again where the server is busy or the answer breaks off; any other
    request only where nothing was sent yet. The library's own transport tries connecting again and
    nothing else, and takes no proxy from the environment then, so it is done here.

    Args:
        url: as people open it in a browser, with or without `/api`.
        key: of the user; sent in a header, shown nowhere.
        pause: waits for so many seconds.
    """

    def __init__(self, url: str, key: str, *, pause: Callable[[float], None] = time.sleep):
        self.url = checked_url(url)
        self._key = checked_key(key)
        self._pause = pause
        self._http = httpx2.Client(
            timeout=TIMEOUT,
            follow_redirects=False,
            headers={"User-Agent": f"aesthetic-tv/{__version__}"},
        )

    def __repr__(self) -> str:
        return f"Connection({self.url!r})"

    def close(self) -> None:
        """Let go of the server."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        twice: bool = True,
        keyless: bool = False,
    ) -> Any:
        """What the server answers, from JSON; `None` for nothing.

        Args:
            method: of HTTP.
            path: below `/api/`.
            body: to send as JSON.
            twice: whether it does no harm to send this twice.
            keyless: whether to ask without the key.

        Raises:
            ImmichError: see its subclasses.
        """
        content = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"}
        headers |= {} if body is None else {"Content-Type": "application/json"}
        request = self._request(method, path, keyless, headers=headers, content=content)
        return self._tried(request, self._json, twice)

    def fetch(
        self,
        path: str,
        params: Mapping[str, str],
        file: IO[bytes],
        *,
        kinds: tuple[str, ...],
        most: int,
    ) -> str:
        """Write what the server sends to a file, from its beginning.

        Args:
            path: below `/api/`.
            params: of the query.
            file: open for writing; emptied where an answer breaks off and is asked for again.
            kinds: beginnings of media types that are expected.
            most: bytes that are taken.

        Returns:
            The media type, as in `image/jpeg`.

        Raises:
            ImmichError: see its subclasses.
        """

        def read(response: httpx2.Response) -> str:
            kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
            if not kind.startswith(kinds):
                raise self._something_between(kind)
            file.seek(0)
            file.truncate()
            for piece in response.iter_bytes():
                if file.tell() + len(piece) > most:
                    raise ImmichError(f"{self.url} sends more than {most >> 20} MiB for a photo.")
                file.write(piece)
            return kind

        request = self._request("GET", path, False, params=params)
        return self._tried(request, read, twice=True)

    def _request(self, method: str, path: str, keyless: bool, **rest: Any) -> httpx2.Request:
        headers = rest.pop("headers", {}) | ({} if keyless else {"x-api-key": self._key})
        return self._http.build_request(method, f"{self.url}/api/{path}", headers=headers, **rest)

    def _tried(
        self, request: httpx2.Request, read: Callable[[httpx2.Response], T], twice: bool
    ) -> T:
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                with closing(self._http.send(request, stream=True)) as response:
                    if last or not twice or response.status_code not in BUSY:
                        self._check(response)
                        return read(response)
                    wait = _asked_to_wait(response)
            except httpx2.RequestError as error:
                unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                if last or not (twice or unsent) or "CERTIFICATE" in str(error):
                    raise self._unreachable(error) from None
                wait = None
            self._pause(FIRST_PAUSE * 2**attempt if wait is None else wait)
        raise AssertionError("the last attempt returns or raises")

    def _json(self, response: httpx2.Response) -> Any:
        content = b""
        for piece in response.iter_bytes():
            content += piece
            if len(content) > MOST_JSON:
                raise ImmichError(f"{self.url}: an answer of more than {MOST_JSON >> 20} MiB.")
        if not content:
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "").split(";")[0]
            raise self._something_between(kind) from None

    def _something_between(self, kind: str) -> ImmichError:
        return ImmichError(
            f"{self.url} answers with {self._shown(kind) or 'something unnamed'}, which is not "
            "what an Immich sends here; it is none, or a page to log in stands before it. Name an "
            "address where the API is reached directly."
        )

    def _check(self, response: httpx2.Response) -> None:
        """Raise what a status other than success means."""
        status = response.status_code
        if status < 300:
            return
        if status < 400:
            raise self._sent_elsewhere(response)
        said = self._said(response)
        if status == 401:
            raise ImmichAccessError(
                f"{self.url} does not know this key ({said}). Copy it again, or {NEW_KEY}."
            )
        if status == 403:
            raise self._not_permitted(said)
        if status == 429:
            raise ImmichError(f"{self.url}: too many requests ({said}). Try again later.")
        if status >= 500:
            raise ImmichError(f"{self.url} itself fails ({status}, {said}). Try again later.")
        raise ImmichRefusedError(f"{self.url} refused (status {status}): {said}.", said)

    def _sent_elsewhere(self, response: httpx2.Response) -> ImmichError:
        try:
            place = urlsplit(response.headers.get("Location", ""))
            other = f"{place.scheme}://{place.netloc.rpartition('@')[2]}" if place.netloc else ""
        except ValueError:
            other = ""
        to = f"to {self._shown(other)}" if other else "elsewhere"
        return ImmichError(
            f"{self.url} sends on {to}, and the key goes to the address you name alone. Where that "
            "is your Immich, name that address."
        )

    def _not_permitted(self, said: str) -> ImmichAccessError:
        found = _PERMISSION.search(said)
        if found is None:
            return ImmichAccessError(f"{self.url}: this key may not do that ({said}); {NEW_KEY}.")
        return ImmichAccessError(
            f"{self.url}: this key lacks the permission {found[1] or found[2]}. Tick it in Immich, "
            "under Account settings, API keys, or make a key with it."
        )

    def _unreachable(self, error: httpx2.RequestError) -> ImmichUnreachableError:
        said = self._shown(str(error)) or type(error).__name__
        if "CERTIFICATE" in said:
            return ImmichUnreachableError(
                f"{self.url}: its certificate cannot be verified ({said}). Where it is of your own "
                "authority, name that authority's file in SSL_CERT_FILE."
            )
        return ImmichUnreachableError(
            f"{self.url} cannot be reached, or broke off ({said}). Check the address and whether "
            "Immich runs; what is there already is kept, and the same command goes on."
        )

    def _said(self, response: httpx2.Response) -> str:
        """What the server says of a refusal, in a line."""
        content = b""
        for piece in response.iter_bytes():
            content += piece
            if len(content) > 1 << 16:
                break
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            return f"status {response.status_code}"
        told = [answer.get("message"), *(answer.get("errors") or ())]
        told = [x.get("message") if isinstance(x, dict) else x for x in told]
        told = [", ".join(map(str, x)) if isinstance(x, list) else x for x in told]
        return self._shown("; ".join(str(x) for x in told if x)) or f"status {response.status_code}"

    def _shown(self, text: str) -> str:
        """Of what others say: on a line, short, and without the key, should they repeat it."""
        text = written(text.replace(self._key, "(the key)")).strip().rstrip(".")
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _asked_to_wait(response: httpx2.Response) -> float | None:
    """Seconds that a busy server asks for; `None` where it does not say."""
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE) if seconds == seconds else None
