"""Photos on the web: fetched from public hosts alone, and never too much of them."""

import http.server
import socket
import threading

import pytest

from aesthetic_tv import photo_urls
from aesthetic_tv.errors import PhotoError
from aesthetic_tv.photo_urls import fetch_photo, is_url


class Handler(http.server.BaseHTTPRequestHandler):
    """A photo, a page that sends elsewhere, one that has no end, and none."""

    def do_GET(self):
        place = {"/away": "http://127.0.0.1:1/x", "/file": "file:///etc/passwd"}.get(self.path)
        if place or self.path == "/again":
            self.send_response(302)
            self.send_header("Location", place or "/photo.jpg")
            self.end_headers()
            return
        self.send_response(404 if self.path.partition("?")[0] == "/gone" else 200)
        self.end_headers()
        self.wfile.write(b"x" * 1000)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    """A server on the loopback that stands for a public host, `photos.test`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    checked = photo_urls._public

    def public(host, port):
        if host == "photos.test":
            return socket.AF_INET, ("127.0.0.1", port)
        return checked(host, port)

    monkeypatch.setattr(photo_urls, "_public", public)
    yield f"http://photos.test:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_photo_is_fetched_also_through_a_redirect(site):
    assert fetch_photo(f"{site}/photo.jpg") == fetch_photo(f"{site}/again") == b"x" * 1000


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[2002:7f00:1::]", "224.0.0.1",
        "2130706433",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_hosts_that_are_not_public_are_not_asked(scheme, host):
    with pytest.raises(PhotoError, match=r"not on the public internet|cannot be fetched"):
        fetch_photo(f"{scheme}://{host}:9/p.jpg?token=secret")


def test_a_redirect_to_this_machine_is_refused(site):
    with pytest.raises(PhotoError, match="not on the public internet"):
        fetch_photo(f"{site}/away")
    with pytest.raises(PhotoError):
        fetch_photo(f"{site}/file")


def test_an_answer_that_is_none_or_too_large_is_refused_without_what_may_be_secret(
    site, monkeypatch
):
    with pytest.raises(PhotoError, match="answered 404") as refused:
        fetch_photo(f"{site}/gone?token=secret")
    assert "secret" not in str(refused.value)
    monkeypatch.setattr(photo_urls, "LARGEST", 500)
    with pytest.raises(PhotoError, match="MB"):
        fetch_photo(f"{site}/photo.jpg")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.org/b", "a.jpg", "data:,x", None])
def test_what_is_no_address_of_the_web_is_none(url):
    assert not is_url(url)
    with pytest.raises(PhotoError, match="begins with http"):
        fetch_photo(url)
