"""REAL-CUR: personal albums, `images/<worker>/<score>/<file>`, rated by their owners."""

from pathlib import Path

import pandas as pd

from aesthetic_tv.databases.labels import Labels, missing
from aesthetic_tv.databases.photos import is_photo
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import find_column, read_table, texts


def read(folder: Path) -> Labels:
    """One row for each owner and photo; there are no other scores."""
    return read_people(folder)


def read_people(folder: Path) -> Labels:
    """Rows of a table worker, image, score where there is one, otherwise of the folders' names."""
    for path in sorted(folder.glob("*.csv")):
        table = read_table(path)
        names = [find_column(table, [name]) for name in ("worker", "image", "score")]
        names[1] = names[1] or find_column(table, ["imagePair", "image_name"])
        if None not in names:
            user, photo, score = (texts(table[name]) for name in names if name)
            file = user + "/" + score.str.removesuffix(".0") + "/" + photo
            return Labels(
                pd.DataFrame({"photo": photo, "user": user, "score": score, "file": file})
            )
    root = next((p for p in (folder / "images", folder) if p.is_dir()), folder)
    rows = [
        (name, user.name, score.name, f"{user.name}/{score.name}/{name}")
        for user in _folders(root)
        for score in _folders(user)
        for name in sorted(path.name for path in score.iterdir())
        if is_photo(name)
    ]
    if not rows:
        raise missing(folder, ["images/<worker>/<score>/<name>"], entry("real-cur"))
    return Labels(pd.DataFrame(rows, columns=["photo", "user", "score", "file"]))


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
