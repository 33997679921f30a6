"""A small Hub on the loopback: what the real client asks for, and faults on demand.

Two spaces, one for the API and one for "CDN" downloads on another origin, as on the real Hub.
"""

import base64
import contextlib
import hashlib
import itertools
import json
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
# What the real Hub puts into a Space that is made.
SPACE_README = (
    b"---\ntitle: New\nemoji: x\nsdk: gradio\nsdk_version: 9.9.9\napp_file: app.py\n---\n"
)
LFS_SUFFIXES = (".safetensors", ".png", ".zip", ".tar", ".tgz", ".parquet")
DATE = "2026-01-01T00:00:00.000Z"
PIECE = 1 << 20


class RefusedError(Exception):
    """An answer other than success, with the headers that the client reads."""

    def __init__(self, status: int, code: str | None = None, message: str = "", **headers: str):
        self.status = status
        self.headers = {"X-Error-Message": message or f"refused with {status}"}
        self.headers |= {"X-Error-Code": code} if code else {}
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Fault:
    """Something to go wrong with requests whose `METHOD /path` matches `pattern`.

    `kind`: a `RefusedError`, `drop` (the connection closes in mid-body), `truncate` (the object is
    shorter than announced by the repo), `flip` (one bit differs) or `etag` (of another file).
    """

    pattern: str
    kind: RefusedError | str
    times: int | None = None


@dataclass(frozen=True)
class Blob:
    """A file's content, on disk under its SHA-256, which is taken once: it may be large."""

    path: Path
    size: int

    @property
    def sha256(self) -> str:
        return self.path.name

    @cached_property
    def git_hash(self) -> str:
        data = self.read()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def read(self) -> bytes:
        return self.path.read_bytes()


class Store:
    """All blobs, in a folder that goes with it."""

    def __init__(self, folder: Path | None = None):
        self._temporary = tempfile.TemporaryDirectory(prefix="hub-server-", dir=folder)
        self._numbers = itertools.count()

    def add(self, pieces: Iterable[bytes]) -> Blob:
        digest, size = hashlib.sha256(), 0
        arriving = Path(self._temporary.name) / f"arriving-{next(self._numbers)}"
        with arriving.open("wb") as file:
            for piece in pieces:
                digest.update(piece)
                size += file.write(piece)
        return Blob(arriving.rename(arriving.with_name(digest.hexdigest())), size)

    def clear(self) -> None:
        for path in Path(self._temporary.name).iterdir():
            path.unlink()

    def close(self) -> None:
        self._temporary.cleanup()


@dataclass
class Answer:
    body: bytes | Blob = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(content: Any, status: int = 200, **headers: str) -> Answer:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(content).encode(), status, headers)


def is_lfs(path: str) -> bool:
    return path.endswith(LFS_SUFFIXES)


def _listing(tree: dict[str, "Blob"], folder: str, whole: bool) -> list[dict]:
    """The files below a folder; its own level alone where not `whole`, with the folders there."""
    start = f"{folder}/" if folder else ""
    below = {path.removeprefix(start): path for path in sorted(tree) if path.startswith(start)}
    if folder and not below:
        raise RefusedError(404, "EntryNotFound", f"no {folder} here")
    inner = {path.split("/")[0] for path in below if "/" in path}
    folders = [
        {"type": "directory", "path": start + name, "oid": "0" * 40, "size": 0} for name in inner
    ]
    files = [entry(path, tree[path]) for name, path in below.items() if whole or "/" not in name]
    return files if whole else [*folders, *files]


def entry(path: str, blob: Blob) -> dict[str, Any]:
    """A file as the API lists it."""
    listed: dict[str, Any] = {"type": "file", "path": path, "size": blob.size}
    if not is_lfs(path):
        return listed | {"oid": blob.git_hash}
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{blob.sha256}\n".encode()
    pointer += f"size {blob.size}\n".encode()
    listed["oid"] = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
    listed["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": len(pointer)}
    return listed


class Repo:
    """Commits, branches and tags of one repo; each commit holds all of its files."""

    _numbers = itertools.count(1)

    def __init__(self, repo_id: str, private: bool, store: Store, kind: str = "model"):
        self.id, self.private, self.gated = repo_id, private, False
        self.address = repo_id if kind == "model" else f"{kind}s/{repo_id}"
        self.store = store
        self.commits: dict[str, dict[str, Blob]] = {}
        self.history: list[str] = []
        self.tags: dict[str, str] = {}
        self.pull_requests: dict[str, str] = {}
        self.variables: dict[str, str] = {}  # of a Space
        first = {"README.md": SPACE_README} if kind == "space" else {}
        self.branches = {"main": self.commit({".gitattributes": b"", **first})}

    def commit(self, tree: dict[str, bytes | Blob]) -> str:
        sha = hashlib.sha1(f"{self.id} {next(self._numbers)}".encode()).hexdigest()
        self.commits[sha] = {
            path: data if isinstance(data, Blob) else self.store.add([data])
            for path, data in tree.items()
        }
        self.history.append(sha)
        return sha

    def resolve(self, revision: str) -> str:
        known = self.branches | self.tags | self.pull_requests | {sha: sha for sha in self.commits}
        if revision not in known:
            raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return known[revision]

    def tree(self, revision: str) -> dict[str, Blob]:
        return self.commits[self.resolve(revision)]

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return {path: blob.read() for path, blob in self.tree(revision).items()}

    def edit(self, **files: bytes) -> str:
        """A commit by someone else; `__` stands for `.` in names."""
        edited = {name.replace("__", "."): data for name, data in files.items()}
        tree: dict[str, bytes | Blob] = {**self.tree("main"), **edited}
        self.branches["main"] = self.commit(tree)
        return self.branches["main"]


class HubServer:
    """The server in a thread of its own; `url` is for HF_ENDPOINT, and tokens name their users.

    What is pushed lies in a temporary folder, inside `folder` where that is given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.store = Store(folder)
        self.tokens = {"hf_alice_secret": "alice", "hf_bob_secret": "bob"}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, Blob] = {}
        self.faults: list[Fault] = []
        self.log: list[str] = []
        self.lock = threading.RLock()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.url, self.cdn = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.store.close()

    def clear(self) -> None:
        for part in (self.repos, self.objects, self.faults, self.log):
            part.clear()
        self.store.clear()

    def model(self, repo_id: str) -> Repo:
        return self.repos["model", repo_id]

    def dataset(self, repo_id: str) -> Repo:
        return self.repos["dataset", repo_id]

    def space(self, repo_id: str) -> Repo:
        return self.repos["space", repo_id]

    def fault(self, pattern: str, kind: RefusedError | str, times: int | None = None) -> None:
        self.faults.append(Fault(pattern, kind, times))

    def take_fault(self, line: str) -> RefusedError | str | None:
        with self.lock:
            for fault in self.faults:
                if re.search(fault.pattern, line) and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault.kind
        return None

    # What each request is answered with.

    def answer(
        self, method: str, parts: list[str], query: dict, user: Any, body: bytes | Blob
    ) -> Answer:
        if parts[0] == "_lfs":
            return self._object(parts[1], body)
        assert isinstance(body, bytes)
        if parts[:2] == ["api", "whoami-v2"]:
            return json_answer({"type": "user", "name": user(required=True), "orgs": []})
        if parts[:2] == ["api", "validate-yaml"]:
            return json_answer({"errors": [], "warnings": []})
        if parts[:2] == ["api", "repos"]:
            return self._create(user(required=True), json.loads(body))
        if parts[0] == "api" and parts[1] in KINDS:
            return self._api(method, KINDS[parts[1]], parts[2:], query, user, body)
        kind = "model"
        if parts[0] in KINDS:
            kind, parts = KINDS[parts[0]], parts[1:]
        if parts[2:] == ["info", "lfs", "objects", "batch"]:
            self._repo(kind, f"{parts[0]}/{parts[1].removesuffix('.git')}", user, write=True)
            return json_answer({"transfer": "basic", "objects": self._batch(json.loads(body))})
        if len(parts) > 4 and parts[2] == "resolve":
            repo = self._repo(kind, f"{parts[0]}/{parts[1]}", user)
            return self._resolve(repo, parts[3], "/".join(parts[4:]))
        raise RefusedError(404, None, f"no route for {method} /{'/'.join(parts)}")

    def _object(self, oid: str, body: bytes | Blob) -> Answer:
        if isinstance(body, Blob):
            if body.sha256 != oid:
                raise RefusedError(400, None, "sha256 mismatch")
            self.objects[oid] = body
            return Answer()
        return Answer(self.objects[oid], headers={"ETag": f'"{oid}"'})

    def _create(self, user: str, asked: dict) -> Answer:
        kind = asked.get("type") or "model"
        repo_id = f"{asked.get('organization') or user}/{asked['name']}"
        url = f"{self.url}/{'' if kind == 'model' else kind + 's/'}{repo_id}"
        with self.lock:
            if (kind, repo_id) in self.repos:
                return json_answer({"error": "You already created this repo", "url": url}, 409)
            if repo_id.split("/")[0] != user:
                raise RefusedError(403, None, "no rights to create a repo under this namespace")
            if kind == "space" and asked.get("sdk") not in ("gradio", "docker", "static"):
                raise RefusedError(400, None, "a Space needs an sdk")
            private = asked.get("visibility") == "private" or bool(asked.get("private"))
            self.repos[kind, repo_id] = Repo(repo_id, private, self.store, kind)
        return json_answer({"url": url, "name": repo_id})

    def _repo(self, kind: str, repo_id: str, user: Any, write: bool = False) -> Repo:
        name, repo = user(required=write), self.repos.get((kind, repo_id))
        owns = name == repo_id.split("/")[0]
        if repo is None or (repo.private and not owns):
            if name is None:  # the real Hub does not tell strangers what there is
                raise RefusedError(401, "RepoNotFound", "Invalid username or password.")
            raise RefusedError(404, "RepoNotFound", "Repository not found")
        if repo.gated and not owns:
            raise RefusedError(403, "GatedRepo", "Access to this model is restricted")
        if write and not owns:
            raise RefusedError(403, None, "you do not have write access")
        return repo

    def _batch(self, asked: dict) -> list[dict]:
        def upload(oid: str) -> dict:
            here = {"href": f"{self.url}/_lfs/{oid}", "header": {}}
            return {} if oid in self.objects else {"actions": {"upload": here}}

        return [
            {"oid": o["oid"], "size": o["size"], "authenticated": True, **upload(o["oid"])}
            for o in asked["objects"]
        ]

    def _api(self, method, kind, parts, query, user, body) -> Answer:
        operation = parts[2] if len(parts) > 2 else "revision"
        writes = operation in ("commit", "preupload", "branch", "tag", "variables")
        repo = self._repo(kind, f"{parts[0]}/{parts[1]}", user, write=writes)
        named = parts[3] if len(parts) > 3 else "main"
        if operation == "revision":
            return self._info(repo, repo.resolve(named))
        if operation == "refs":
            return json_answer(
                {
                    "branches": _refs("heads", repo.branches),
                    "tags": _refs("tags", repo.tags),
                    "converts": [],
                }
            )
        if operation == "tree":
            whole = "recursive" not in query or query["recursive"] in (["True"], ["true"])
            return json_answer(
                _listing(repo.tree(named), "/".join(parts[4:]), whole),
                X_Repo_Commit=repo.resolve(named),
            )
        asked = body.decode()
        if operation == "paths-info":
            tree, paths = repo.tree(named), parse_qs(asked)["paths"]
            return json_answer([entry(path, tree[path]) for path in paths if path in tree])
        if operation == "preupload":
            files = _upload_modes(json.loads(asked)["files"], repo.tree(named))
            return json_answer({"files": files})
        if operation == "variables":
            return self._variables(repo, method, json.loads(asked or "{}"))
        if operation in ("branch", "tag"):
            return self._ref(repo, operation, named, json.loads(asked))
        if operation == "commit":
            return self._commit(repo, named, query, asked)
        raise RefusedError(404, None, f"no route for {operation}")

    def _info(self, repo: Repo, sha: str) -> Answer:
        tree = repo.commits[sha]
        card = {}
        readme = tree["README.md"].read().decode() if "README.md" in tree else ""
        parts = readme.split("---", 2)
        if len(parts) == 3:
            with contextlib.suppress(yaml.YAMLError):  # pushed by git, the Hub only warns of it
                card = yaml.safe_load(parts[1]) or {}
        return json_answer(
            {
                "_id": repo.id, "id": repo.id, "modelId": repo.id, "sha": sha,
                "author": repo.id.split("/")[0], "private": repo.private, "gated": repo.gated,
                "lastModified": DATE, "createdAt": DATE, "tags": [], "downloads": 0, "likes": 0,
                "siblings": [{"rfilename": path} for path in sorted(tree)], "cardData": card,
                "library_name": card.get("library_name"),
                "pipeline_tag": card.get("pipeline_tag"),
            },
            X_Repo_Commit=sha,
        )  # fmt: skip

    def _variables(self, repo: Repo, method: str, asked: dict) -> Answer:
        if method == "POST":
            repo.variables[asked["key"]] = asked["value"]
        return json_answer(
            {key: {"key": key, "value": value} for key, value in repo.variables.items()}
        )

    def _ref(self, repo: Repo, kind: str, named: str, asked: dict) -> Answer:
        refs = repo.branches if kind == "branch" else repo.tags
        name = named if kind == "branch" else asked["tag"]
        start = asked.get("startingPoint", "main") if kind == "branch" else named
        if name in refs:
            raise RefusedError(409, None, f"Reference already exists: {name}")
        refs[name] = repo.resolve(start)
        return Answer(b"OK", 201)

    def _commit(self, repo: Repo, branch: str, query: dict, asked: str) -> Answer:
        lines = [json.loads(line) for line in asked.splitlines() if line.strip()]
        with self.lock:
            if branch not in repo.branches:
                raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
            parent = repo.branches[branch]
            expected = lines[0]["value"].get("parentCommit")
            if expected and expected != parent:
                raise RefusedError(412, None, "A commit has happened since. Please refresh.")
            tree: dict[str, bytes | Blob] = dict(repo.commits[parent])
            for line in lines[1:]:
                value = line["value"]
                if line["key"] == "file":
                    tree[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    if value["oid"] not in self.objects:
                        raise RefusedError(400, None, f"{value['oid']} was never uploaded")
                    tree[value["path"]] = self.objects[value["oid"]]
                elif line["key"] == "deletedFile":
                    del tree[value["path"]]
            sha = repo.commit(tree)
            told = {"success": True, "commitOid": sha, "hookOutput": ""}
            told["commitUrl"] = f"{self.url}/{repo.address}/commit/{sha}"
            if query.get("create_pr") == ["1"]:
                number = len(repo.pull_requests) + 1
                repo.pull_requests[f"refs/pr/{number}"] = sha
                told["pullRequestUrl"] = f"{self.url}/{repo.address}/discussions/{number}"
            else:
                repo.branches[branch] = sha
        return json_answer(told)

    def _resolve(self, repo: Repo, revision: str, path: str) -> Answer:
        sha = repo.resolve(revision)
        if path not in repo.commits[sha]:
            raise RefusedError(404, "EntryNotFound", "Entry not found", X_Repo_Commit=sha)
        blob = repo.commits[sha][path]
        headers = {"X-Repo-Commit": sha}
        if is_lfs(path):
            oid = blob.sha256
            self.objects[oid] = blob
            headers |= {"X-Linked-Size": str(blob.size), "X-Linked-Etag": f'"{oid}"'}
            return Answer(b"", 302, headers | {"Location": f"{self.cdn}/_lfs/{oid}"})
        return Answer(blob, headers=headers | {"ETag": f'"{blob.git_hash}"'})


def _refs(kind: str, refs: dict[str, str]) -> list[dict]:
    return [
        {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": sha}
        for name, sha in refs.items()
    ]


def _upload_modes(files: list[dict], tree: dict[str, Blob]) -> list[dict]:
    def known(path: str) -> dict[str, str]:
        if path not in tree:
            return {}
        return {"oid": tree[path].sha256 if is_lfs(path) else tree[path].git_hash}

    return [
        {
            "path": file["path"],
            "uploadMode": "lfs" if is_lfs(file["path"]) else "regular",
            "shouldIgnore": False,
            **known(file["path"]),
        }
        for file in files
    ]


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing: the hub keeps a log of its own."""

    def _user(self, required: bool = False) -> str | None:
        given = self.headers.get("Authorization")
        user = self.hub.tokens.get((given or "").removeprefix("Bearer ").strip())
        if user is None and (given or required):
            wrong = "Invalid credentials in Authorization header"
            raise RefusedError(401, None, wrong if given else "Invalid username or password.")
        return user

    def _pieces(self) -> Iterator[bytes]:
        """The body as it comes in."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            left = int(self.headers.get("Content-Length") or 0)
            while piece := self.rfile.read(min(left, PIECE)):
                left -= len(piece)
                yield piece
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _handle(self) -> None:
        address = urlsplit(self.path)
        body: bytes | Blob
        # Only objects are put, and they may be too large for the memory.
        if self.command == "PUT":
            body = self.hub.store.add(self._pieces())
        else:
            body = b"".join(self._pieces())
        line = f"{self.command} {self.path}"
        # Unquoted after the split: a branch with a slash is quoted as one part.
        parts = [unquote(part) for part in address.path.strip("/").split("/")]
        fault = self.hub.take_fault(line)
        try:
            if isinstance(fault, RefusedError):
                raise fault
            query = parse_qs(address.query)
            answer = self.hub.answer(self.command, parts, query, self._user, body)
        except RefusedError as refused:
            answer = json_answer({"error": refused.headers["X-Error-Message"]}, refused.status)
            answer.headers |= refused.headers
            fault = None
        part = self.headers.get("Range")
        self.hub.log.append(f"{line} {answer.status}" + (f" {part}" if part else ""))
        self._send(answer, fault)

    def _send(self, answer: Answer, fault: Any) -> None:
        data, status, headers = answer.body, answer.status, dict(answer.headers)
        if isinstance(data, Blob) and fault:
            data = data.read()
        if fault == "truncate":
            data = data[: len(data) // 2]
        elif fault == "flip" and data:
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        elif fault == "etag":
            for name in ("ETag", "X-Linked-Etag"):
                if name in headers:
                    headers[name] = '"' + "0" * (len(headers[name]) - 2) + '"'
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start, size = 0, data.size if isinstance(data, Blob) else len(data)
        if asked and status == 200:
            start, status = int(asked[1]), 206
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(size - start)}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(data, Blob):
            with data.path.open("rb") as file:
                self.connection.sendfile(file, start)
            return
        data = data[start:]
        if fault == "drop":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815
