"""FLICKR-AES: `name score` lines, and the table of what each worker said.

The paper (Ren et al., ICCV 2017, section 3) keeps 37 of the 210 workers for testing, those who
labelled between 105 and 171 photos, and trains on the photos that none of them labelled. The
makers publish no list of them, so they are told by their counts, and only where exactly 37 workers
have such a count; a list of ids (`test_workers_ID.csv`, column ID), where there is one, goes first.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file, search_file
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import column, read_table, texts

TEST_WORKERS = 37
LABELLED = (105, 171)  # photos by each test worker
VOTES = ["FLICKR-AES_image_labeled_by_each_worker.csv", "image_labeled_by_each_worker.csv"]


def read(folder: Path) -> Labels:
    """Weighted mean scores from 0 to 1; photos of the test workers are the test split."""
    path = find_file(folder, ["FLICKR-AES_image_score.txt"], entry("flickr-aes"))
    rows = read_table(path, separator=" ", names=["photo", "score"])
    if search_file(folder, VOTES) is not None:
        votes = _votes(folder)
        workers = test_workers(votes, folder)
        if workers is not None:
            theirs = set(votes.loc[votes["user"].isin(workers), "photo"])
            rows["split"] = np.where(rows["photo"].isin(theirs), "test", "train")
    return Labels(rows)


def read_people(folder: Path) -> Labels:
    """One row for each worker and photo, scores 1 to 5.

    Test workers are the test split, and the other workers on the other photos the training split;
    what those others said of the test photos is in neither, as in the paper.
    """
    votes = _votes(folder)
    workers = test_workers(votes, folder)
    if workers is None:
        return Labels(votes)
    test = votes["user"].isin(workers)
    leaks = ~test & votes["photo"].isin(set(votes.loc[test, "photo"]))
    votes["split"] = np.where(test, "test", "train")
    return Labels(votes[~leaks].reset_index(drop=True))


def test_workers(votes: pd.DataFrame, folder: Path) -> frozenset[str] | None:
    """The workers kept for testing; `None` where they cannot be told.

    Args:
        votes: the columns user and photo, one row for each label.
        folder: where a list of them may be.
    """
    listed = search_file(folder, ["test_workers_ID.csv"])
    if listed is not None:
        table = read_table(listed)
        return frozenset(texts(table[column(table, ["ID", "worker"], listed)]))
    counts = votes.groupby("user")["photo"].nunique()
    among = counts.index[counts.between(*LABELLED)]
    return frozenset(among) if len(among) == TEST_WORKERS else None


def _votes(folder: Path) -> pd.DataFrame:
    path = find_file(folder, VOTES, entry("flickr-aes"))
    table = read_table(path)
    return pd.DataFrame(
        {
            "photo": texts(table[column(table, ["imagePair"], path)]),
            "user": texts(table[column(table, ["worker"], path)]),
            "score": table[column(table, ["score"], path)],
        }
    )
