"""PaQ-2-PiQ: `labels_image.csv` of whole pictures, and `labels640.csv` of the test pictures."""

from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file, search_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, read_table, texts


def read(folder: Path) -> Labels:
    """Rows of `name,mos`, names with their sub-folder, scores from 0 to 100.

    The makers test on the pictures that are larger than 640 pixels, which stand in a table of their
    own; without it the split is seeded.
    """
    path = find_file(folder, ["labels_image.csv"], entry("paq-2-piq"))
    table = read_table(path)
    photo = texts(table[column(table, ["name"], path)])
    rows = pd.DataFrame({"photo": photo, "score": table[column(table, ["mos"], path)]})
    test = search_file(folder, ["labels640.csv"])
    if test is not None:
        listed = read_table(test)
        names = set(texts(listed[column(listed, ["name_image"], test)]))
        rows["split"] = np.where(photo.isin(names), "test", "train")
    return Labels(rows)
