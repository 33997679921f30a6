"""Photos by their address on the web, fetched only where the caller asks for it.

An address may come from a table that somebody else wrote, so it must not reach what only this
machine can: no file, no host of the own network, no more than a photo's worth of bytes. Each
connection goes to an address that was looked at first, so that a name which changes between the
look and the connection gains nothing; redirects are looked at again. Proxies are not used.
"""

import http.client
import ipaddress
import socket
import ssl
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.version import __version__

SCHEMES = ("http://", "https://")
LARGEST = 64 << 20  # bytes
SECONDS = 30.0  # for all of a photo
CHUNK = 1 << 16


def is_url(photo: Any) -> bool:
    """Whether a photo is named by an address on the web."""
    return isinstance(photo, str) and photo.lower().startswith(SCHEMES)


def fetch_photo(url: str) -> bytes:
    """What stands at an address; not yet looked at whether it is a photo.

    Args:
        url: `http://` or `https://`, of a host on the public internet.

    Raises:
        PhotoError: another address, a host that is not public, an answer that is none or too large.
    """
    if not is_url(url):
        raise PhotoError(f"{_shown(url)}: is no address that begins with http:// or https://.")
    asked = urllib.request.Request(url, headers={"User-Agent": f"aesthetic_tv/{__version__}"})
    # Nothing but these: no proxies, no files, no ftp.
    opener = urllib.request.OpenerDirector()
    for handler in (
        _Http(),
        _Https(context=ssl.create_default_context()),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    try:
        with opener.open(asked, timeout=SECONDS / 2) as answer:
            return _read(answer)
    except PhotoError as error:
        raise PhotoError(f"{_shown(url)}: {error}") from None
    except urllib.error.HTTPError as error:
        raise PhotoError(f"{_shown(url)}: the server answered {error.code}.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, PhotoError):
            raise PhotoError(f"{_shown(url)}: {cause}") from None
        raise PhotoError(f"{_shown(url)}: cannot be fetched ({cause}).") from None


def _shown(url: Any) -> str:
    """Without what may be a secret in it."""
    try:
        parts = urlsplit(str(url))
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:200]
    except ValueError:
        return "the address"


def _read(answer: Any) -> bytes:
    until, parts, size = time.monotonic() + SECONDS, list[bytes](), 0
    while part := answer.read(CHUNK):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise PhotoError(f"more than {LARGEST >> 20} MB; save it and name the file instead.")
        if time.monotonic() > until:
            raise PhotoError(f"took more than {SECONDS:.0f} s; save it and name the file instead.")
    return b"".join(parts)


def _public(host: str, port: int) -> tuple[Any, ...]:
    """Family and address of a host, all of whose addresses are public."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
        if not ip.is_global or ip.is_multicast or (mapped is not None and not mapped.is_global):
            raise PhotoError("is not on the public internet, and is not asked for photos.")
    return found[0][0], found[0][4]


def _connected(connection: Any) -> socket.socket:
    family, address = _public(connection.host, connection.port)
    made = socket.socket(family, socket.SOCK_STREAM)
    made.settimeout(connection.timeout)
    try:
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made


class _PublicHttp(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _connected(self)


class _PublicHttps(http.client.HTTPSConnection):
    def connect(self) -> None:
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]
        self.sock = context.wrap_socket(_connected(self), server_hostname=self.host)


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: Any) -> Any:
        return self.do_open(_PublicHttp, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: Any) -> Any:
        return self.do_open(_PublicHttps, req, context=self._context)  # type: ignore[attr-defined]
