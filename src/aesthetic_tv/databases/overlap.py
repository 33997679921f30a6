"""Photos that are in two sets which must share none, told by their content."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset, Image

from aesthetic_tv.databases.schema import Database
from aesthetic_tv.databases.zip_photos import ZippedPhoto
from aesthetic_tv.errors import OverlapError
from aesthetic_tv.scorer.hashing import sha256  # without torch

SHOWN = 10  # pairs named in the message


@dataclass(frozen=True)
class Overlap:
    """One content in both sets: the names there, and the SHA-256 of the file's bytes."""

    first: str
    second: str
    sha256: str


def check_overlap(first: Database | Dataset, second: Database | Dataset) -> None:
    """Refuse two sets of photos that share any.

    Args:
        first: such as the training photos.
        second: such as the test photos.

    Raises:
        OverlapError: names each pair (the first ten, then a count); all stand in its `overlaps`.

    Example:
        >>> check_overlap(database.split("train"), database.split("test"))  # doctest: +SKIP
    """
    shared = overlaps(first, second)
    if shared:
        raise OverlapError(_report(shared), shared)


def overlaps(first: Database | Dataset, second: Database | Dataset) -> tuple[Overlap, ...]:
    """Every photo of the second set whose bytes are in the first too, in the second's order.

    Files are read once each, in threads; only files of equal size are.
    """
    one, two = _photos(first), _photos(second)
    sizes = {size for _, _, size in one} & {size for _, _, size in two}
    one, two = ([p for p in photos if p[2] in sizes] for photos in (one, two))
    contents = {content for _, content, _ in [*one, *two]}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        hashes = dict(zip(contents, pool.map(_digest, contents), strict=True))
    known: dict[str, str] = {}
    for name, content, _ in one:
        known.setdefault(hashes[content], name)
    return tuple(
        Overlap(known[hashes[content]], name, hashes[content])
        for name, content, _ in two
        if hashes[content] in known
    )


def _photos(photos: Database | Dataset) -> list[tuple[str, str | bytes, int]]:
    """Name, content (its path, or its bytes) and size of each different photo."""
    table = photos.table if isinstance(photos, Database) else photos
    stored = table.select_columns(["photo", "image"]).cast_column("image", Image(decode=False))
    unique: dict[str | bytes, str] = {}
    for batch in stored.iter(batch_size=1000):
        for name, image in zip(batch["photo"], batch["image"], strict=True):
            content = image["bytes"] if image["bytes"] is not None else image["path"]
            unique.setdefault(content, name)
    return [(name, content, _size(content)) for content, name in unique.items()]


def _size(content: str | bytes) -> int:
    if isinstance(content, bytes):
        return len(content)
    zipped = ZippedPhoto.of(content)
    return Path(content).stat().st_size if zipped is None else zipped.size


def _digest(content: str | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    zipped = ZippedPhoto.of(content)
    return sha256(Path(content)) if zipped is None else hashlib.sha256(zipped.read()).hexdigest()


def _report(shared: Sequence[Overlap]) -> str:
    count = "1 photo is" if len(shared) == 1 else f"{len(shared)} photos are"
    lines: Iterable[str] = (
        f"  {pair.first} = {pair.second} (SHA-256 {pair.sha256[:12]})" for pair in shared[:SHOWN]
    )
    more = f"\n  and {len(shared) - SHOWN} more." if len(shared) > SHOWN else ""
    return (
        f"{count} in both sets, which must share none; take them out of one:\n"
        + "\n".join(lines)
        + more
    )
