"""TAD66K: `merge/train.csv` and `merge/test.csv`, the official split."""

from pathlib import Path

from aesthetic_tv.databases.labels import Labels, split_tables

FILES = {"train": ["merge/train.csv"], "test": ["merge/test.csv"]}


def read(folder: Path) -> Labels:
    """Rows of `image,score`."""
    return Labels(split_tables(folder, FILES, "tad66k", photo="image", score="score"))
