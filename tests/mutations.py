"""What happens to files: flipped bits, cuts, insertions, lost blocks, values of another kind."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

OTHER_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 3, 0.5, 1e308, float("nan"), float("inf"), 10**30, "", "x", "9"),
    *("long " * 200, "../..", [], {}, [None], [[]], [1, 2], {"a": 1}, [{"a": None}], "\ud800"),
]
HASHES = ("json_sha256", "content_sha256", "config_sha256", "ratings_sha256")


def flipped(content: bytes, random: np.random.Generator) -> bytes:
    at = int(random.integers(len(content)))
    return content[:at] + bytes([content[at] ^ (1 << int(random.integers(8)))]) + content[at + 1 :]


def cut(content: bytes, random: np.random.Generator) -> bytes:
    return content[: int(random.integers(len(content)))]


def inserted(content: bytes, random: np.random.Generator) -> bytes:
    at = int(random.integers(len(content) + 1))
    return content[:at] + random.bytes(int(random.integers(1, 9))) + content[at:]


def left_out(content: bytes, random: np.random.Generator) -> bytes:
    at = int(random.integers(len(content)))
    return content[:at] + content[at + int(random.integers(1, 9)) :]


def zeroed(content: bytes, random: np.random.Generator) -> bytes:
    """A block that was never written."""
    at, size = int(random.integers(len(content))), int(random.integers(1, 65))
    size = min(size, len(content) - at)
    return content[:at] + bytes(size) + content[at + size :]


BYTES: list[Callable] = [flipped, flipped, flipped, cut, inserted, left_out, zeroed]


def mutated(name: str, content: bytes, random: np.random.Generator) -> bytes:
    """One of the ways in which a file of that name is found changed, drawn at random."""
    ways = list(BYTES)
    if name.endswith(".json"):
        ways += [other_value, other_value, other_value]
    elif name.endswith(".jsonl"):
        ways += [other_line, other_line]
    elif name.endswith(".safetensors"):
        ways += [other_header, other_header]
    return ways[int(random.integers(len(ways)))](content, random)


def other_value(content: bytes, random: np.random.Generator) -> bytes:
    """JSON with one value of another type or size, or without it."""
    return json.dumps(_changed(json.loads(content), random)).encode()


def other_line(content: bytes, random: np.random.Generator) -> bytes:
    lines = content.splitlines()
    at = int(random.integers(len(lines)))
    lines[at] = other_value(lines[at], random)
    return b"\n".join(lines) + b"\n"


def other_header(content: bytes, random: np.random.Generator) -> bytes:
    """A safetensors file whose header says something else."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    return _with_header(_changed(header, random), content[8 + size :])


def older(name: str, content: bytes) -> bytes:
    """The file as versions without hashes wrote it."""
    if name.endswith(".jsonl"):
        return b"\n".join(_stripped(json.loads(x)) for x in content.splitlines()) + b"\n"
    if name.endswith(".json"):
        return _stripped(json.loads(content))
    if not name.endswith(".safetensors"):
        return content
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    told = json.loads(header.get("__metadata__", {}).get("aesthetic_tv", "{}"))
    if told.pop("content_sha256", None) is None:
        return content
    header["__metadata__"] = {"aesthetic_tv": json.dumps(told)}
    return _with_header(header, content[8 + size :])


def _stripped(content: dict) -> bytes:
    """The hash of a vector, or of head directions, stays: older versions wrote it too."""
    kept = {k: v for k, v in content.items() if k not in ("json_sha256", "config_sha256")}
    if "base" not in kept:
        kept = {k: v for k, v in kept.items() if k not in HASHES}
    if isinstance(kept.get("population"), dict):
        kept["population"].pop("content_sha256", None)
    return json.dumps(kept).encode()


def _with_header(header: Any, data: bytes) -> bytes:
    told = json.dumps(header).encode()
    return len(told).to_bytes(8, "little") + told + data


def _changed(content: Any, random: np.random.Generator) -> Any:
    places = list(_places(content))
    holder, key = places[int(random.integers(len(places)))]
    if random.random() < 0.2:
        del holder[key]
    else:
        holder[key] = OTHER_VALUES[int(random.integers(len(OTHER_VALUES)))]
    return content


def _places(content: Any):
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(pairs):
        yield content, key
        if isinstance(value, dict | list):
            yield from _places(value)
