"""SPAQ: an Excel table of mean opinion scores; the makers give no split."""

from pathlib import Path

import pandas as pd

from aesthetic_tv.databases.labels import Labels, makers_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, read_table, texts

FILES = [
    "Annotations/MOS and Image attribute scores.xlsx",
    "Annotations/MOS and Image attribute scores.csv",
]
METAINFO = ["meta_info_SPAQDataset.csv"]  # of IQA-PyTorch


def read(folder: Path) -> Labels:
    """Rows of `Image name, MOS, Brightness, ...`, scores up to 100."""
    path = makers_file(folder, FILES, METAINFO, entry("spaq"))
    table = read_table(path)
    photo = texts(table[column(table, ["Image name", "img_name"], path)])
    return Labels(pd.DataFrame({"photo": photo, "score": table[column(table, ["MOS"], path)]}))
