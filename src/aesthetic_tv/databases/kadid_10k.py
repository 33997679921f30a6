"""KADID-10k: `dmos.csv`, scores of pictures that were spoilt on purpose.

The makers call the score a DMOS, but it is a mean opinion from 1 (very annoying) to 5
(imperceptible), as their paper's section III and programs that read it have it: higher is better.
"""

from pathlib import Path

import pandas as pd

from aesthetic_tv.databases.labels import Labels, makers_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, read_table, texts

FILES, METAINFO = ["dmos.csv"], ["meta_info_KADID10kDataset.csv"]


def read(folder: Path) -> Labels:
    """Rows of `dist_img,ref_img,dmos,var`, or IQA-PyTorch's `ref_name,dist_name,dmos,std`.

    The split is drawn by the picture that was spoilt, so that none is on both sides.
    """
    path = makers_file(folder, FILES, METAINFO, entry("kadid-10k"))
    table = read_table(path)
    rows = pd.DataFrame(
        {
            "photo": texts(table[column(table, ["dist_img", "dist_name"], path)]),
            "score": table[column(table, ["dmos", "mos"], path)],
            "group": texts(table[column(table, ["ref_img", "ref_name"], path)]),
        }
    )
    return Labels(rows)
