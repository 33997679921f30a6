"""EVA: `data/votes_filtered.csv`, separated by `=`; means are taken here, the split is seeded."""

from pathlib import Path

import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file, mean_votes
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, read_table, texts

VALUES = tuple(float(step) for step in range(11))


def read(folder: Path) -> Labels:
    """Mean score of each photo, and the shares of its votes for 0 to 10."""
    return Labels(mean_votes(read_people(folder).rows, VALUES), VALUES)


def read_people(folder: Path) -> Labels:
    """One row for each vote."""
    path = find_file(folder, ["data/votes_filtered.csv"], entry("eva"))
    table = read_table(path, separator="=")
    rows = pd.DataFrame(
        {
            "photo": texts(table[column(table, ["image_id"], path)]) + ".jpg",
            "user": texts(table[column(table, ["user_id"], path)]),
            "score": table[column(table, ["score"], path)],
        }
    )
    return Labels(rows)
