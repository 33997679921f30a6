"""A small Immich on the loopback that answers as the API of version 3 is documented: what the
library asks for, and faults on demand.
"""

import base64
import hashlib
import io
import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

KEY = "k3y-of-alice_0123456789-never-shown"
ALICE, BOB = (str(uuid.UUID(int=n, version=4)) for n in (1, 2))
EVERYTHING = frozenset(
    "user.read asset.read asset.view asset.download asset.update album.read album.create "
    "album.delete albumAsset.create albumAsset.delete".split()
)


class RefusedError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, **more: Any):
        self.status, self.body = status, {"message": message, **more}


@dataclass
class Fault:
    """Something to go wrong with requests whose `METHOD /path` matches `pattern`.

    `kind`: a status with `headers` and `body`, or `drop` (the connection closes in mid-body).
    """

    pattern: str
    kind: int | str
    times: int = 1 << 30
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


@dataclass
class Photo:
    """What the server keeps of a photo; `preview` is `None` where none was made yet."""

    id: str
    name: str
    original: bytes
    preview: bytes | None
    rating: int | None = None
    favourite: bool = False
    trashed: bool = False
    owner: str = ALICE
    visibility: str = "timeline"
    taken: str = "2024-05-01T10:00:00.000Z"

    @property
    def checksum(self) -> str:
        return base64.b64encode(hashlib.sha1(self.original).digest()).decode()

    def told(self, exif: bool) -> dict[str, Any]:
        told = {
            "id": self.id,
            "ownerId": self.owner,
            "originalFileName": self.name,
            "checksum": self.checksum,
            "type": "IMAGE",
            "isFavorite": self.favourite,
            "isTrashed": self.trashed,
            "localDateTime": self.taken,
        }
        return told | ({"exifInfo": {"rating": self.rating, "make": None}} if exif else {})


def jpeg(seed: int) -> bytes:
    image = Image.effect_noise((40, 30), 20 + 5 * seed).convert("RGB")
    image.save(buffer := io.BytesIO(), "JPEG")
    return buffer.getvalue()


class ImmichServer:
    """The server in a thread of its own."""

    def __init__(self, version: tuple[int, int, int] = (3, 2, 0)) -> None:
        self.version, self.permissions = version, set(EVERYTHING)
        self.photos: dict[str, Photo] = {}
        self.albums: dict[str, dict[str, Any]] = {}
        self.faults: list[Fault] = []
        self.log: list[str] = []  # `METHOD /path`
        self.keys: list[str | None] = []  # that came with each
        self.bodies: list[Any] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        server.immich = self  # type: ignore[attr-defined]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str, content: bytes | None = None, **more: Any) -> Photo:
        number = len(self.photos) + 16
        content = content or jpeg(number)
        photo = Photo(
            str(uuid.UUID(int=number << 96 | number, version=4)), name, content, content, **more
        )
        self.photos[photo.id] = photo
        return photo

    def count(self, pattern: str) -> int:
        return sum(re.search(pattern, line) is not None for line in self.log)

    def ratings(self) -> list[int | None]:
        return [photo.rating for photo in self.photos.values()]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, key: str | None):
        if (method, path) == ("GET", "server/version"):
            return dict(zip(("major", "minor", "patch"), self.version, strict=True))
        if key is None:
            raise RefusedError(401, "Authentication required")
        if key != KEY:
            raise RefusedError(401, "Invalid API key")
        for wanted, pattern, permission, act in ROUTES:
            found = re.fullmatch(pattern, path)
            if method == wanted and found:
                if permission not in self.permissions:
                    raise RefusedError(403, f"Missing required permission: {permission}")
                return act(self, *found.groups(), query if method == "GET" else body)
        raise RefusedError(404, f"Cannot {method} /api/{path}")

    def me(self, _):
        return {"id": ALICE, "name": "Alice", "email": "alice@example.org"}

    def search(self, body):
        if not 1 <= body.get("size", 250) <= 1000 or body.get("page", 1) < 1:
            raise RefusedError(400, "Validation failed", errors=[{"path": ["size"]}])
        found = [p for p in self.photos.values() if not p.trashed and body["type"] == "IMAGE"]
        if "visibility" in body:
            found = [p for p in found if p.visibility == body["visibility"]]
        if body.get("isFavorite"):
            found = [p for p in found if p.favourite]
        if "albumIds" in body:
            within = {x for album in body["albumIds"] for x in self.albums[album]["assets"]}
            found = [p for p in found if p.id in within]
        page, size = body.get("page", 1), body.get("size", 250)
        items = found[(page - 1) * size : page * size]
        more = str(page + 1) if page * size < len(found) else None
        assets = {"count": len(items), "items": [p.told(body.get("withExif")) for p in items]}
        return {"assets": assets | {"total": len(items), "facets": [], "nextPage": more}}

    def _owned(self, ids, permission):
        if not {*ids} <= {p.id for p in self.photos.values() if p.owner == ALICE}:
            raise RefusedError(400, f"Not found or no {permission} access")

    def photo(self, asset, _):
        self._owned([asset], "asset.read")
        return self.photos[asset].told(True)

    def thumbnail(self, asset, query):
        self._owned([asset], "asset.view")
        content = self.photos[asset].preview
        if content is None or query.get("size") != "preview":
            raise RefusedError(404, "Asset media not found")
        return content

    def original(self, asset, _):
        self._owned([asset], "asset.download")
        return self.photos[asset].original

    def update(self, body):
        if body["rating"] not in (None, -1, 1, 2, 3, 4, 5):
            errors = [{"path": ["rating"], "message": "Must be -1, 1 to 5, or null"}]
            raise RefusedError(400, "Validation failed", errors=errors)
        self._owned(body["ids"], "asset.update")
        for asset in body["ids"]:
            self.photos[asset].rating = body["rating"]

    def _album(self, album):
        told = self.albums[album]
        owner = {"role": "owner", "user": {"id": told["owner"]}}
        return {"id": album, "albumName": told["name"], "assetCount": len(told["assets"]),
                "albumUsers": [owner]}  # fmt: skip

    def make_album(self, name, assets=(), owner=ALICE):
        album = str(uuid.uuid4())
        self.albums[album] = {"name": name, "assets": list(assets), "owner": owner}
        return album

    def list_albums(self, _):
        return [self._album(album) for album in self.albums]

    def create_album(self, body):
        return self._album(self.make_album(body["albumName"]))

    def _found(self, album, permission):
        if album not in self.albums:
            raise RefusedError(400, f"Not found or no {permission} access")
        return self.albums[album]

    def one_album(self, album, _):
        self._found(album, "album.read")
        return self._album(album)

    def delete_album(self, album, _):
        self._found(album, "album.delete")
        del self.albums[album]

    def add_to_album(self, album, body):
        within, answers = self._found(album, "albumAsset.create")["assets"], []
        for asset in body["ids"]:
            error = "duplicate" if asset in within else None
            error = "no_permission" if asset not in self.photos else error
            if error is None:
                within.append(asset)
            answers.append({"id": asset, "success": error is None} | ({"error": error} if error else {}))  # fmt: skip  # noqa: E501
        return answers

    def remove_from_album(self, album, body):
        within, answers = self._found(album, "albumAsset.delete")["assets"], []
        for asset in body["ids"]:
            known = asset in within
            if known:
                within.remove(asset)
            answers.append({"id": asset, "success": known} | ({} if known else {"error": "not_found"}))  # fmt: skip  # noqa: E501
        return answers


ROUTES = (
    ("GET", "users/me", "user.read", ImmichServer.me),
    ("POST", "search/metadata", "asset.read", ImmichServer.search),
    ("PUT", "assets", "asset.update", ImmichServer.update),
    ("GET", r"assets/([^/]+)", "asset.read", ImmichServer.photo),
    ("GET", r"assets/([^/]+)/thumbnail", "asset.view", ImmichServer.thumbnail),
    ("GET", r"assets/([^/]+)/original", "asset.download", ImmichServer.original),
    ("GET", "albums", "album.read", ImmichServer.list_albums),
    ("POST", "albums", "album.create", ImmichServer.create_album),
    ("GET", r"albums/([^/]+)", "album.read", ImmichServer.one_album),
    ("DELETE", r"albums/([^/]+)", "album.delete", ImmichServer.delete_album),
    ("PUT", r"albums/([^/]+)/assets", "albumAsset.create", ImmichServer.add_to_album),
    ("DELETE", r"albums/([^/]+)/assets", "albumAsset.delete", ImmichServer.remove_from_album),
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one: else each answer waits for the other side
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        pass

    def _handle(self) -> None:
        immich: ImmichServer = self.server.immich  # type: ignore[attr-defined]
        address = urlsplit(self.path)
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(data) if data else None
        line, key = f"{self.command} {self.path}", self.headers.get("x-api-key")
        immich.log.append(line)
        immich.keys.append(key)
        immich.bodies.append(body)
        fault = next((f for f in immich.faults if f.times and re.search(f.pattern, line)), None)
        if fault is not None:
            fault.times -= 1
        if fault is not None and isinstance(fault.kind, int):
            self._send(fault.kind, fault.body, {"Content-Type": "application/json"} | fault.headers)
            return
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        try:
            path = address.path.removeprefix("/api/")
            answer, status = immich.answer(self.command, path, query, body, key), 200
        except RefusedError as refused:
            answer, status = refused.body, refused.status
        kind = "image/jpeg" if isinstance(answer, bytes) else "application/json"
        if answer is None:
            answer, status = b"", 204
        elif not isinstance(answer, bytes):
            answer = json.dumps(answer).encode()
        self._send(status, answer, {"Content-Type": kind}, drop=fault is not None)

    def _send(self, status: int, body: bytes, headers: dict[str, str], drop: bool = False) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if drop else body)
        if drop:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815
