"""AVA: `AVA.txt`, without a header, and the official list of test photos."""

from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file, search_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import read_table

VALUES = tuple(float(step) for step in range(1, 11))
VOTES = [f"votes_{step}" for step in range(1, 11)]
COLUMNS = ["index", "image_id", *VOTES, "tag_1", "tag_2", "challenge"]


def read(folder: Path) -> Labels:
    """Rows of `1 953619 0 1 5 17 38 36 15 6 5 1 1 22 1396`: index, id, votes for 1 to 10, ..."""
    table = read_table(find_file(folder, ["AVA.txt"], entry("ava")), separator=" ", names=COLUMNS)
    votes = table[VOTES].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        score = votes @ np.asarray(VALUES) / votes.sum(axis=1)
    rows = pd.DataFrame(
        {"photo": table["image_id"] + ".jpg", "score": score, "distribution": list(votes)}
    )
    test = search_file(folder, ["aesthetics_image_lists/generic_test.jpgl"])
    if test is not None:
        ids = set(test.read_text("utf-8").split())
        rows["split"] = np.where(table["image_id"].isin(ids), "test", "train")
    return Labels(rows, VALUES)
