"""PaQ-2-PiQ: `labels_image.csv` of whole pictures, and `labels640.csv` of the test pictures; or
IQA-PyTorch's table of pictures and patches.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.databases.labels import Labels, makers_file, search_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, find_column, read_table, texts

METAINFO = "meta_info_FLIVEDataset.csv"
PARTS = {"0": "train", "1": "validation", "2": "test"}


def read(folder: Path) -> Labels:
    """Rows of `name,mos`, names with their sub-folder, scores from 0 to 100.

    The makers test on the pictures that are larger than 640 pixels, which stand in a table of their
    own; without it the split is seeded.
    """
    path = makers_file(folder, ["labels_image.csv"], [METAINFO], entry("paq-2-piq"))
    if path.name.casefold() == METAINFO.casefold():
        return _metainfo(path)
    table = read_table(path)
    photo = texts(table[column(table, ["name"], path)])
    rows = pd.DataFrame({"photo": photo, "score": table[column(table, ["mos"], path)]})
    test = search_file(folder, ["labels640.csv"])
    if test is not None:
        listed = read_table(test)
        names = set(texts(listed[column(listed, ["name_image"], test)]))
        rows["split"] = np.where(photo.isin(names), "test", "train")
    return Labels(rows)


def _metainfo(path: Path) -> Labels:
    """Rows of `img_name/patch_name,mos,split`, split 0, 1 or 2; those of patches are left out."""
    table = read_table(path)
    photo = texts(table[column(table, ["img_name/patch_name", "img_name"], path)])
    rows = pd.DataFrame({"photo": photo, "score": table[column(table, ["mos"], path)]})
    parts = find_column(table, ["official_split", "split"])
    if parts is not None:
        rows["split"] = texts(table[parts]).replace(PARTS)
    patches = photo.str.contains("patches/", regex=False) | photo.str.contains(r"_patch_\d")
    return Labels(rows[~patches].reset_index(drop=True))
