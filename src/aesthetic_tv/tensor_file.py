"""A safetensors file that is read one tensor at a time, and never held whole; and the hash of what
such a file holds.
"""

import hashlib
import json
import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open

from aesthetic_tv.errors import FormatError

DTYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "U8": torch.uint8,
}
# The one key of a header's metadata, with JSON: the order of several is not stable.
ABOUT = "aesthetic_tv"
HASH = "content_sha256"  # the key of the hash in it
PIECE = 2**20  # bytes read at once where the system cannot read straight into a tensor


class Source(Protocol):
    """Where stored tensors come from."""

    def read(self, name: str) -> torch.Tensor:
        """One tensor as it is stored."""

    def read_into(self, name: str, out: torch.Tensor) -> torch.Tensor:
        """As `read`, into a contiguous tensor of the same dtype and shape; returns it."""


class TensorsInMemory(dict[str, torch.Tensor]):
    """Stored tensors that are at hand."""

    def read(self, name: str) -> torch.Tensor:
        """One tensor as it is stored."""
        return self[name]

    def read_into(self, name: str, out: torch.Tensor) -> torch.Tensor:
        """As `read`, copied."""
        return out.copy_(self[name])


@dataclass(frozen=True)
class TensorEntry:
    """One line of the header.

    Args:
        dtype: of the tensor.
        shape: of the tensor.
        offset: of its first byte in the file.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int


class TensorFile:
    """An open safetensors file.

    Read, not memory-mapped: a page that was mapped counts as memory of the process until the
    system wants it back, and a file that is cut short under a mapping kills the process. The system
    keeps what was read recently in its own cache either way. The file stays open, so that it may be
    replaced or deleted meanwhile.

    Attributes:
        path: of the file.
        entries: what the header says, by tensor name.
        metadata: strings by key.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Read the header and check it against the size of the file; no tensor is read.

        Raises:
            FormatError: not there, cut off, damaged, or with a dtype that this library never uses.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise FormatError(f"{self.path} is missing.")
        try:
            # Checks that dtypes, shapes and offsets agree, and fill the file without gaps.
            with safe_open(self.path, framework="pt") as file:
                self.metadata: dict[str, str] = file.metadata() or {}
            self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            weakref.finalize(self, os.close, self._descriptor)
            self._lock = threading.Lock()
            length = int.from_bytes(self._read_bytes(8, 0), "little")
            header = json.loads(self._read_bytes(length, 8))
        except (SafetensorError, OSError, ValueError) as error:
            raise FormatError(
                f"{self.path} is not a whole safetensors file ({error}); fetch or make it again."
            ) from error
        header.pop("__metadata__", None)
        self.entries = {name: self._entry(name, line, 8 + length) for name, line in header.items()}

    def _entry(self, name: str, line: dict, begin: int) -> TensorEntry:
        if line["dtype"] not in DTYPES:
            raise FormatError(
                f"{self.path}: tensor {name} has dtype {line['dtype']}; expected one of "
                f"{', '.join(DTYPES)}."
            )
        offset = begin + line["data_offsets"][0]
        return TensorEntry(DTYPES[line["dtype"]], tuple(line["shape"]), offset)

    def read(self, name: str) -> torch.Tensor:
        """One tensor, in memory of its own.

        Raises:
            FormatError: the file was cut short since it was opened.
        """
        entry = self.entries[name]
        return self.read_into(name, torch.empty(entry.shape, dtype=entry.dtype))

    def read_into(self, name: str, out: torch.Tensor) -> torch.Tensor:
        """As `read`, into a contiguous tensor of the same dtype and shape; returns it."""
        view = out.reshape(-1).view(torch.uint8).numpy().data
        try:
            self._fill(view, self.entries[name].offset)
        except OSError as error:
            raise FormatError(f"{self.path}: tensor {name} cannot be read ({error}).") from error
        return out

    def _read_bytes(self, size: int, offset: int) -> bytes:
        content = bytearray(size)
        self._fill(memoryview(content), offset)
        return bytes(content)

    def _fill(self, view: memoryview, offset: int) -> None:
        done = 0
        while done < len(view):
            count = self._read_some(view[done:], offset + done)
            if count == 0:
                raise OSError(f"it ends {len(view) - done} bytes too early")
            done += count

    def _read_some(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._descriptor, [view], offset)
        with self._lock:  # Windows: the position in the file is shared between threads
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            content = os.read(self._descriptor, min(len(view), PIECE))
        view[: len(content)] = content
        return len(content)


def described(
    tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]
) -> tuple[dict[str, str], str]:
    """The metadata of a file that holds tensors, with the hash of its content; and the hash."""
    plain = json.loads(json.dumps(dict(about)))
    found = _sha256(tensors, plain)
    return {ABOUT: json.dumps({**plain, HASH: found}, separators=(",", ":"))}, found


def tensors_sha256(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> tuple[str | None, dict[str, Any], str]:
    """What the metadata of a file says of its hash, `None` for nothing; what else it says; and the
    hash of what the file holds.

    Raises:
        ValueError: it cannot be understood.
    """
    try:
        about = json.loads(metadata.get(ABOUT, "{}"))
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(about, dict):
        raise ValueError(f"{ABOUT} is {about!r}; expected an object")
    told = str(about.pop(HASH)) if HASH in about else None
    return told, about, _sha256(tensors, about)


def _sha256(tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> str:
    """SHA-256 over sorted (name, dtype, shape, bytes) as they are stored, and what stands beside
    them: unlike a `fingerprint`, which is one of values whatever their dtype.
    """
    state = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        state.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        state.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
