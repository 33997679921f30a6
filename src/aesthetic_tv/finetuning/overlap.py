"""No photo may be trained on and tested on, under whatever name."""

import hashlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesthetic_tv.errors import OverlapError

if TYPE_CHECKING:
    from aesthetic_tv.databases import Database

READERS = 8
SHOWN = 20


def check_splits(database: "Database") -> None:
    """Raise `OverlapError`, with the list, where one photo's bytes are in two splits."""
    from datasets import Image

    table = database.table.select_columns(["image", "photo", "split"])
    table = table.cast_column("image", Image(decode=False))
    with ThreadPoolExecutor(READERS) as pool:
        hashes = list(pool.map(lambda row: _sha256(table[row]["image"]), range(len(table))))
    places = defaultdict[str, list[tuple[str, str]]](list)
    for digest, photo, split in zip(hashes, table["photo"], table["split"], strict=True):
        places[digest].append((split, photo))
    shared = [rows for rows in places.values() if len({split for split, _ in rows}) > 1]
    if shared:
        told = [", ".join(f"{photo} ({split})" for split, photo in rows) for rows in shared]
        more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        raise OverlapError(
            f"{database.entry.id}: {len(told)} photos are in more than one split: "
            f"{'; '.join(told[:SHOWN])}{more}. Keep each in one of them."
        )


def _sha256(stored: dict[str, Any]) -> str:
    if stored["bytes"] is not None:
        return hashlib.sha256(stored["bytes"]).hexdigest()
    with Path(stored["path"]).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
