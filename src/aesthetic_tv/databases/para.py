"""PARA: `annotation/PARA-Giaa{Train,Test}.csv` of distributions, `PARA-Images.csv` of people."""

from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file, split_of
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, read_table, texts

VALUES = tuple(1 + step / 2 for step in range(9))
FILES = {
    "train": ["annotation/PARA-GiaaTrain.csv"],
    "test": ["annotation/PARA-GiaaTest.csv"],
}


def read(folder: Path) -> Labels:
    """Mean score of each photo, and the shares of its votes for 1, 1.5, ... 5."""
    parts = []
    for split, names in FILES.items():
        path = find_file(folder, names, entry("para"))
        table = read_table(path)
        steps = [column(table, [f"aestheticScore_{value:.1f}"], path) for value in VALUES]
        votes = table[steps].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
        part = _photos(table, path)
        part["score"] = table[column(table, ["aestheticScore_mean"], path)]
        part["distribution"] = list(votes)
        part["split"] = split
        parts.append(part)
    return Labels(pd.concat(parts, ignore_index=True), VALUES)


def read_people(folder: Path) -> Labels:
    """One row for each person and photo; a photo is in the same split for everyone."""
    path = find_file(folder, ["annotation/PARA-Images.csv"], entry("para"))
    table = read_table(path)
    rows = _photos(table, path)
    rows["user"] = texts(table[column(table, ["userId", "user_id"], path)])
    rows["score"] = table[column(table, ["aestheticScore"], path)]
    return Labels(split_of(rows, read(folder).rows))


def _photos(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    photo = texts(table[column(table, ["imageName"], path)])
    session = texts(table[column(table, ["sessionId", "sessionID", "session ID"], path)])
    return pd.DataFrame({"photo": photo, "file": session + "/" + photo})
