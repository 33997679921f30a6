"""LAPIS: `annotation/LAPIS_GIAA_{Train,Val,Test}split.csv`, and `LAPIS_PIAA.csv` of people."""

from pathlib import Path

import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file, split_of, split_tables
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, read_table, texts

FILES = {
    "train": ["annotation/LAPIS_GIAA_Trainsplit.csv"],
    "validation": ["annotation/LAPIS_GIAA_Valsplit.csv"],
    "test": ["annotation/LAPIS_GIAA_Testsplit.csv"],
}


def read(folder: Path) -> Labels:
    """Mean responses from 0 to 100, with the official split of the photos."""
    rows = split_tables(folder, FILES, "lapis", photo="image_filename", score="mean_response")
    return Labels(rows)


def read_people(folder: Path) -> Labels:
    """One row for each person and photo; a photo is in the same split for everyone."""
    path = find_file(folder, ["annotation/LAPIS_PIAA.csv"], entry("lapis"))
    table = read_table(path)
    rows = pd.DataFrame(
        {
            "photo": texts(table[column(table, ["image_filename"], path)]),
            "user": texts(table[column(table, ["participant_id"], path)]),
            "score": table[column(table, ["rating"], path)],
        }
    )
    return Labels(split_of(rows, read(folder).rows))
