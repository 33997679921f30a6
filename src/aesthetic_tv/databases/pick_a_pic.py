"""Pick-a-Pic: which of two generated images a person liked better, and who it was.

The makers ship parquet whose rows hold both images; `fetch` puts them into `images/` once each and
leaves the rows without them in `labels/`. What is in such a row is known from the data set's card:
`jpg_0`, `jpg_1`, `image_0_uid`, `image_1_uid`, `label_0`, `label_1` (1 and 0, or 0.5 each for a
tie), `has_label`, `user_id`, `caption`.

Scores are win rates: of the pairs in which an image was shown, the share in which it was liked
better, a tie counting half; for one person, of the pairs that person saw. An image was mostly seen
in few pairs, so that one person's win rates are mostly 0, 1/2 or 1. `comparisons` has the pairs
themselves, for whatever learns from pairs.
"""

from pathlib import Path

import pandas as pd

from aesthetic_tv.databases.labels import Labels
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.row_photos import file_column, label_tables, part_of
from aesthetic_tv.databases.schema import SPLITS
from aesthetic_tv.databases.tables import column, read_table, texts


def read(folder: Path) -> Labels:
    """Win rate of each image over everyone; an image that is in several parts counts as the
    strictest of them.
    """
    return Labels(_win_rates(_sides(folder), []))


def read_people(folder: Path) -> Labels:
    """One row for each person and image: its win rate among the pairs that this person saw."""
    return Labels(_win_rates(_sides(folder), ["user"]))


def comparisons(folder: Path) -> pd.DataFrame:
    """All pairs, as they were judged.

    Returns:
        The columns user, better and worse (names of photos, below the image folder), is_tie, split.

    Raises:
        DatabaseError: its tables are not there, or lack a column.
    """
    pairs = _pairs(folder)
    second = pairs["share"] < 0.5
    return pd.DataFrame(
        {
            "user": pairs["user"],
            "better": pairs["photo_0"].mask(second, pairs["photo_1"]),
            "worse": pairs["photo_1"].mask(second, pairs["photo_0"]),
            "is_tie": pairs["share"] == 0.5,
            "split": pairs["split"],
        }
    )


def _pairs(folder: Path) -> pd.DataFrame:
    """user, photo_0, photo_1, share (of the first: 1, 0.5 or 0) and split of each judged pair."""
    parts = []
    for path in label_tables(folder, entry("pick-a-pic")):
        table = read_table(path)
        named = {side: column(table, [file_column(f"jpg_{side}")], path) for side in (0, 1)}
        labels = [
            pd.to_numeric(table[column(table, [f"label_{side}"], path)], errors="coerce")
            for side in (0, 1)
        ]
        part = pd.DataFrame(
            {
                "user": texts(table[column(table, ["user_id"], path)]),
                "photo_0": texts(table[named[0]]),
                "photo_1": texts(table[named[1]]),
                "share": labels[0],
                "split": part_of(path),
            }
        )
        judged = table[column(table, ["has_label"], path)].map(bool)
        good = judged & (labels[0] + labels[1] == 1) & labels[0].isin([0, 0.5, 1])
        parts.append(part[good & (part["photo_0"] != "") & (part["photo_1"] != "")])
    return pd.concat(parts, ignore_index=True)


def _sides(folder: Path) -> pd.DataFrame:
    """Each pair twice, once for each of its images."""
    pairs = _pairs(folder)
    sides = [
        pd.DataFrame(
            {
                "photo": pairs[f"photo_{side}"],
                "user": pairs["user"],
                "score": pairs["share"] if side == 0 else 1 - pairs["share"],
                "split": pairs["split"].map(SPLITS.index),  # train < validation < test
            }
        )
        for side in (0, 1)
    ]
    return pd.concat(sides, ignore_index=True)


def _win_rates(sides: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    strictest = sides.groupby("photo")["split"].max()
    rates = sides.groupby([*by, "photo"], sort=False, as_index=False)["score"].mean()
    return rates.assign(split=rates["photo"].map(strictest).map(dict(enumerate(SPLITS))))
