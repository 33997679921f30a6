"""AVA: `AVA.txt`, without a header, and the official list of test photos; or the rows of its mirror
on the Hub, as `fetch` lays them out.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file, search_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.row_photos import file_column, label_tables, part_of
from aesthetic_tv.databases.tables import column, read_table, texts

VALUES = tuple(float(step) for step in range(1, 11))
VOTES = [f"votes_{step}" for step in range(1, 11)]
COLUMNS = ["index", "image_id", *VOTES, "tag_1", "tag_2", "challenge"]


def read(folder: Path) -> Labels:
    """Rows of `1 953619 0 1 5 17 38 36 15 6 5 1 1 22 1396`: index, id, votes for 1 to 10, ..."""
    if search_file(folder, ["AVA.txt"]) is None and any(folder.rglob("labels/*.parquet")):
        return _mirrored(folder)
    table = read_table(find_file(folder, ["AVA.txt"], entry("ava")), separator=" ", names=COLUMNS)
    votes = table[VOTES].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    rows = _scored(table["image_id"] + ".jpg", votes)
    test = search_file(folder, ["aesthetics_image_lists/generic_test.jpgl"])
    if test is not None:
        ids = set(test.read_text("utf-8").split())
        rows["split"] = np.where(table["image_id"].isin(ids), "test", "train")
    return Labels(rows, VALUES)


def _mirrored(folder: Path) -> Labels:
    """Rows of `image_id, mean_score, total_votes, rating_counts`, in the mirror's own parts."""
    parts = []
    for path in label_tables(folder, entry("ava")):
        table = read_table(path)
        counts = table[column(table, ["rating_counts"], path)]
        votes = np.array([_ten(given) for given in counts], dtype=np.float64).reshape(-1, 10)
        names = texts(table[column(table, [file_column("image")], path)])
        parts.append(_scored(names, votes).assign(split=part_of(path)))
    return Labels(pd.concat(parts, ignore_index=True), VALUES)


def _ten(votes: object) -> list[float]:
    """The votes of a row; not numbers where they are not ten, so that the row is left out."""
    given = list(votes) if isinstance(votes, list | tuple | np.ndarray) else []
    return given if len(given) == len(VALUES) else [np.nan] * len(VALUES)


def _scored(photos: pd.Series, votes: np.ndarray) -> pd.DataFrame:
    with np.errstate(invalid="ignore"):
        score = votes @ np.asarray(VALUES) / votes.sum(axis=1)
    return pd.DataFrame({"photo": photos, "score": score, "distribution": list(votes)})
