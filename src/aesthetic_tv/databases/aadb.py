"""AADB: `imgList*Regression_score.txt` of `name score` lines, or `AADBinfo.mat` in their place."""

import re
from pathlib import Path

import pandas as pd

from aesthetic_tv.databases.labels import Labels, find_file, missing, search_file, split_of
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.tables import find_column, read_table, texts
from aesthetic_tv.errors import DatabaseError

FILES = {
    "train": ["imgListFiles_label/imgListTrainRegression_score.txt"],
    "validation": ["imgListFiles_label/imgListValidationRegression_score.txt"],
    "test": ["imgListFiles_label/imgListTestNewRegression_score.txt"],
}
PEOPLE = ["result_csv.csv", "AADB_workers.csv", "workers.csv"]
_TAG = re.compile(r"<[^>]+>")
_FLICKR = re.compile(r"https?://(farm\d+)\.[^/]+/(?:.*/)?([^/]+)/([^/]+)$")


def read(folder: Path) -> Labels:
    """Mean scores from 0 to 1, with the official split."""
    lists = {split: search_file(folder, names) for split, names in FILES.items()}
    parts = []
    for split, path in lists.items():
        if path is not None:
            part = read_table(path, separator=" ", names=["photo", "score"])
            parts.append(part.assign(split=split))
    if lists["train"] is None or lists["test"] is None:
        parts = _from_mat(folder)
    rows = pd.concat(parts, ignore_index=True)
    # The test photos are shipped with their score before the name: 0.500_farm1_..._b.jpg.
    score = pd.to_numeric(rows["score"], errors="coerce")
    rows["other_file"] = score.map("{:.3f}_".format) + rows["photo"]
    return Labels(rows)


def read_people(folder: Path) -> Labels:
    """One row for each worker and photo, scores 1 to 5.

    From the Mechanical Turk results (ten photos to a line, by their Flickr address), or from a
    table of the columns worker, image and score, as others have made of them.
    """
    path = find_file(folder, PEOPLE, entry("aadb"))
    table = read_table(path)
    user = find_column(table, ["WorkerId", "worker"])
    photo, score = find_column(table, ["image", "imagePair"]), find_column(table, ["score"])
    if user is not None and photo is not None and score is not None:
        rows = pd.DataFrame({"photo": texts(table[photo]), "score": table[score]})
        rows["user"] = texts(table[user])
    elif user is not None and "Input.image_url1" in table:
        rows = _from_turk(table, user)
    else:
        raise DatabaseError(
            f"{path} has the columns {', '.join(table.columns[:8])}; expected worker, image and "
            "score, or those of Mechanical Turk (WorkerId, Input.image_url1, "
            "Answer.overallScore1, ...)."
        )
    means = read(folder).rows
    rows = rows.merge(means[["photo", "other_file"]], on="photo", how="left")
    return Labels(split_of(rows, means))


def _from_turk(table: pd.DataFrame, user: str) -> pd.DataFrame:
    parts = []
    for place in range(1, 11):
        url, answer = f"Input.image_url{place}", f"Answer.overallScore{place}"
        if url in table and answer in table:
            part = pd.DataFrame({"photo": table[url].map(_name), "user": texts(table[user])})
            part["score"] = table[answer].str.replace(_TAG, "", regex=True)
            parts.append(part[part["photo"] != ""])
    return pd.concat(parts, ignore_index=True)


def _name(url: str) -> str:
    """farm1_333_19_b.jpg, the file of the address https://farm1.staticflickr.com/333/19_b.jpg."""
    match = _FLICKR.search(url.strip())
    return "_".join(match.groups()) if match else url.strip()


def _from_mat(folder: Path) -> list[pd.DataFrame]:
    path = search_file(folder, ["AADBinfo.mat"])
    if path is None:
        raise missing(folder, [*FILES["train"], "AADBinfo.mat"], entry("aadb"))
    from scipy.io import loadmat

    try:
        content = loadmat(path, squeeze_me=True, verify_compressed_data_integrity=True)
        return [
            pd.DataFrame(
                {
                    "photo": [str(name) for name in content[f"{split}NameList"]],
                    "score": content[f"{split}Score"],
                    "split": split,
                }
            )
            for split in ("train", "test")
        ]
    except (KeyError, ValueError, TypeError, NotImplementedError, OSError) as error:
        raise DatabaseError(f"{path} is not AADB's table of scores ({error!r}).") from None
