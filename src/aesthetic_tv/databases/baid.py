"""BAID: `dataset/{train,val,test}_set.csv`, the official split."""

from pathlib import Path

from aesthetic_tv.databases.labels import Labels, split_tables

FILES = {
    "train": ["dataset/train_set.csv"],
    "validation": ["dataset/val_set.csv"],
    "test": ["dataset/test_set.csv"],
}


def read(folder: Path) -> Labels:
    """Rows of `image,score`."""
    return Labels(split_tables(folder, FILES, "baid", photo="image", score="score"))
