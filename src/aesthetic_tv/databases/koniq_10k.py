"""KonIQ-10k: `koniq10k_distributions_sets.csv`, or the older table without the official sets, or
IQA-PyTorch's table of both.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.databases.labels import Labels, makers_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, find_column, read_table

FILES = ["koniq10k_distributions_sets.csv"]
OTHERS = ["meta_info_KonIQ10kDataset.csv", "koniq10k_scores_and_distributions.csv"]
VALUES = (1.0, 2.0, 3.0, 4.0, 5.0)
SETS = {"training": "train", "validation": "validation", "test": "test"}


def read(folder: Path) -> Labels:
    """Scores are z-scores of the raters scaled to 0..100; the distribution is over votes 1 to 5."""
    path = makers_file(folder, FILES, OTHERS, entry("koniq-10k"))
    table = read_table(path)
    # In the older table MOS is the mean vote, and the scaled z-score stands beside it.
    rows = pd.DataFrame(
        {
            "photo": table[column(table, ["image_name", "img_name"], path)],
            "score": table[column(table, ["MOS_zscore", "MOS"], path)],
        }
    )
    votes = [find_column(table, [f"c{step}"]) for step in range(1, 6)]
    if None not in votes:  # IQA-PyTorch's may lack them
        shares = table[votes].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
        rows["distribution"] = list(shares)
    sets = find_column(table, ["set", "official_split", "split"])
    if sets is not None:
        rows["split"] = table[sets].replace(SETS)
    return Labels(rows, VALUES if "distribution" in rows else None)
