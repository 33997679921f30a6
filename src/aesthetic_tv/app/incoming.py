"""What requests hold, read within limits: JSON, and files that are uploaded."""

import json
import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.errors import AestheticTVError

LONGEST_JSON = 8_000_000  # bytes; a browser keeps 5 MB
MOST_FILES = 10  # of one request
BLOCK = 1 << 20
OVERHEAD = 100_000  # bytes of names and borders


class RequestError(AestheticTVError, ValueError):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: a sentence for the page to show.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


async def read_json(request: Request) -> dict[str, Any]:
    """The object that a request holds.

    Raises:
        RequestError: it is too large, or something else.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # which no other site can send without asking first
        raise RequestError(415, "Expected JSON, by its content type.")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LONGEST_JSON:
            raise RequestError(413, f"Above the limit of {LONGEST_JSON // 1_000_000} MB of JSON.")
        parts.append(part)
    try:
        found = json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        raise RequestError(400, "This is no JSON.") from None
    if not isinstance(found, dict):
        raise RequestError(400, "Expected a JSON object.")
    return found


@asynccontextmanager
async def read_files(
    request: Request, folder: Path, settings: AppSettings
) -> AsyncIterator[list[Path]]:
    """The files that a request uploads, in a new folder that is deleted afterwards.

    Args:
        request: a form with the files.
        folder: to make the new one in.
        settings: how large a file may be; what is beyond that is cut off one byte later, so that
            whoever looks at the file sees that it is too large.

    Raises:
        RequestError: too much at once, or no such form.
    """
    limit = int(settings.max_megabytes * 1e6) + 1
    received = folder / secrets.token_hex(8)
    received.mkdir()
    try:
        form = await _form(request, MOST_FILES * limit + OVERHEAD)
        try:
            files = [item for _, item in form.multi_items() if isinstance(item, UploadFile)]
            yield [
                await run_in_threadpool(_store, file, received / str(number), limit)
                for number, file in enumerate(files)
            ]
        finally:
            await form.close()
    except OSError as error:
        raise RequestError(507, f"There is no room for that here ({error.strerror}).") from error
    finally:
        await run_in_threadpool(shutil.rmtree, received, ignore_errors=True)


async def _form(request: Request, limit: int) -> Any:
    async def within() -> AsyncGenerator[bytes, None]:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise RequestError(413, "Too much at once; send fewer files at a time.")
            yield part

    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise RequestError(415, "Expected a form with files.")
    try:
        parser = MultiPartParser(request.headers, within(), max_files=MOST_FILES, max_fields=20)
        return await parser.parse()
    except MultiPartException as error:
        raise RequestError(400, f"This is no form with files: {error.message}") from None


def _store(file: UploadFile, folder: Path, limit: int) -> Path:
    """Under its bare name, in a folder of its own."""
    folder.mkdir()
    bare = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    stem, dot, suffix = bare.replace("\0", "").rpartition(".")
    name = f"{stem[:50]}{dot}{suffix[:8]}".strip()
    path = folder / (name if name.strip(".") else "photo")
    with path.open("wb") as stored:
        left = limit
        while left > 0 and (block := file.file.read(min(BLOCK, left))):
            left -= stored.write(block)
    return path
