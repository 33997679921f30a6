"""What an interrupted run had already scored: one line of JSON for each finished batch, each with a
hash of what it says. From a line that is damaged on, the batches are scored again.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from aesthetic_tv.errors import OutputError
from aesthetic_tv.files import HASH, note_older, sealed, unsealed
from aesthetic_tv.version import __version__

from .decoding import DECODING
from .modeling_aesthetic_scorer import AestheticScorer

# How a person calls the fields of the header, in the order in which they are compared.
FIELDS = {
    "library_version": "the version of aesthetic_tv",
    "torch_version": "the version of torch",
    "device": "the device",
    "decoding": "how photos are read",
    "scorer": "the scorer",
    "batch_size": "the batch size",
}
WAY_OUT = "Run again as before, or without `resume` (--resume) to start anew."


@dataclass(frozen=True)
class BatchResult:
    """Raw scores, and reasons for having none, by position in the list of photos."""

    scores: dict[int, float]
    skipped: dict[int, str]

    def __len__(self) -> int:
        return len(self.scores) + len(self.skipped)


def header(
    scorer: AestheticScorer, names: list[str], paths: list[Path], batch_size: int
) -> dict[str, Any]:
    """Everything that a score depends on; two runs with equal headers give equal batches."""
    return {
        "library_version": __version__,
        "torch_version": torch.__version__,
        "device": scorer.device.type,
        "decoding": DECODING,
        "scorer": scorer_fingerprint(scorer),
        "batch_size": batch_size,
        "photos": {name: _state(path) for name, path in zip(names, paths, strict=True)},
    }


def scorer_fingerprint(scorer: AestheticScorer) -> str:
    """SHA-256 of weights and config, less what only says where they came from."""
    config = scorer.config.to_dict()
    for key in ("_name_or_path", "transformers_version", "_commit_hash"):
        config.pop(key, None)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(scorer.state_dict().items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _state(path: Path) -> str:
    """Size and time of change of a photo, in a few digits."""
    try:
        stat = path.stat()
    except OSError:
        return "unreadable"
    return hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]


class Journal:
    """The file `.NAME.progress.jsonl` beside the output NAME; a context manager that closes it.

    Args:
        out: the output that the journal stands in for until it is whole.
        header: as from `header`.
    """

    def __init__(self, out: Path, header: dict[str, Any]):
        self.path = out.with_name(f".{out.name}.progress.jsonl")
        self.header = header
        self._file: IO[str] | None = None

    def open(self, *, resume: bool) -> list[BatchResult]:
        """Open for writing; the batches that are already done when `resume`.

        Raises:
            OutputError: it cannot be written, or is of a run with other photos or another scorer.
        """
        try:
            content = self.path.read_bytes() if resume and self.path.exists() else b""
            results, valid = self._done(content)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Appending mode, since the torn last line is cut off rather than written over.
            self._file = self.path.open("a", encoding="utf-8")
            self._file.truncate(valid)
            if not valid:
                self._write(self.header)
        except OSError as error:
            raise self._unwritable(error) from error
        return results

    def add(self, result: BatchResult) -> None:
        """Keep a finished batch.

        Raises:
            OutputError: the line cannot be written; the lines before it stay good.
        """
        try:
            self._write({"scores": result.scores, "skipped": result.skipped})
        except OSError as error:
            raise self._unwritable(error) from error

    def remove(self) -> None:
        """Delete the file, once the output is whole."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            # Closing flushes what a full disk refused; that was already reported.
            try:
                self._file.close()
            except OSError:
                os.close(self._file.fileno())

    def _write(self, line: dict[str, Any]) -> None:
        assert self._file is not None
        plain = json.loads(json.dumps(line))  # as it will be read again
        self._file.write(json.dumps(sealed(plain)) + "\n")
        self._file.flush()

    def _done(self, content: bytes) -> tuple[list[BatchResult], int]:
        """The finished batches, and up to which byte the journal is good."""
        lines = content.split(b"\n")[:-1]  # what follows the last line end was torn off
        if not lines or (found := _parsed(lines[0])) is None:
            return [], 0
        self._check(found)
        hashed = HASH in json.loads(lines[0])
        if not hashed:
            note_older(self.path)
        results, valid, position = [], len(lines[0]) + 1, 0
        for line in lines[1:]:
            result = _batch_result(_parsed(line, hashed=hashed), position)
            if result is None:
                break
            results.append(result)
            position += len(result)
            valid += len(line) + 1
        return results, valid

    def _check(self, found: dict[str, Any]) -> None:
        changes = [
            f"{words} ({found.get(key)} then, {self.header[key]} now)"
            if key != "scorer"
            else f"{words} (other weights or settings)"
            for key, words in FIELDS.items()
            if found.get(key) != self.header[key]
        ]
        photos = found.get("photos")
        changes += _photo_changes(photos if isinstance(photos, dict) else {}, self.header["photos"])
        if changes:
            raise OutputError(
                f"{self.path} is of a run that does not fit this one; what changed: "
                f"{'; '.join(changes)}. {WAY_OUT}"
            )

    def _unwritable(self, error: OSError) -> OSError:
        if isinstance(error, OutputError):
            return error
        return OutputError(
            f"{self.path} cannot be written ({error.strerror or error}). Make room or choose "
            "another place; what is done so far is kept for `resume` (--resume)."
        )


def _parsed(line: bytes, *, hashed: bool = False) -> dict[str, Any] | None:
    """What a line says; `None` for one that is damaged, or lacks a hash where it must have one."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    found, expected = unsealed(content)
    return content if found == expected or (found is None and not hashed) else None


def _batch_result(line: dict[str, Any] | None, position: int) -> BatchResult | None:
    """A batch that follows on `position` photos; `None` for a line that is damaged."""
    try:
        scores = {int(index): float(score) for index, score in (line or {})["scores"].items()}
        skipped = {int(index): str(reason) for index, reason in (line or {})["skipped"].items()}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None
    result = BatchResult(scores, skipped)
    if not len(result) or {*scores, *skipped} != set(range(position, position + len(result))):
        return None
    return result


def _photo_changes(then: dict[str, str], now: dict[str, str]) -> list[str]:
    kinds = {
        "new": [name for name in now if name not in then],
        "gone": [name for name in then if name not in now],
        "changed": [name for name in now if name in then and then[name] != now[name]],
    }
    return [
        f"{len(names)} {'photo' if len(names) == 1 else 'photos'} {kind} ({_first(names)})"
        for kind, names in kinds.items()
        if names
    ]


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
