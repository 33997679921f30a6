"""AGIQA-3K: `data.csv`, the quality of generated images, and how well they fit their prompts."""

from pathlib import Path

import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, read_table, texts


def read(folder: Path) -> Labels:
    """Rows of `name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align`.

    The score is the quality, not the alignment. Several models drew each prompt, so that the split
    is drawn by the prompt.
    """
    path = find_file(folder, ["data.csv"], entry("agiqa-3k"))
    table = read_table(path)
    rows = pd.DataFrame(
        {
            "photo": texts(table[column(table, ["name"], path)]),
            "score": table[column(table, ["mos_quality"], path)],
            "group": texts(table[column(table, ["prompt"], path)]),
        }
    )
    return Labels(rows)
