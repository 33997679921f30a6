"""One large database to several tasks (paper section 5.3): by what is known of the photos, or by
what the base sees in them.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.cluster.vq import kmeans2

from aesthetic_tv.databases.tables import column, read_table, texts
from aesthetic_tv.errors import PhotoError, SettingError
from aesthetic_tv.finetuning.two_stage import Grouping
from aesthetic_tv.photo_names import PhotoNames, folder_in_common
from aesthetic_tv.table_file import PHOTO_COLUMNS

ATTEMPTS = 10
UNSAFE = re.compile(r"[^\w-]+")


def by_label(names: Sequence[str], labels: Mapping[str, str | None]) -> Grouping:
    """Photos grouped by what a table says of them, such as a theme.

    Args:
        names: of the photos, in the order of the rows.
        labels: by name, as `PhotoNames` finds them; other photos belong to no task.

    Raises:
        SettingError: a label that fits several photos, or two of one photo.
    """
    known, label_of = PhotoNames(None, {name: name for name in names}), dict[str, str]()
    whence = folder_in_common(labels)
    for photo, label in labels.items():
        if label is None:
            continue
        try:
            name = known.find(photo, whence)
        except PhotoError as error:
            raise SettingError(f"{photo!r}, labelled {label!r}: {error}") from None
        if name is not None and label_of.setdefault(name, label) != label:
            raise SettingError(
                f"{name!r} is labelled {label_of[name]!r} and, as {photo!r}, {label!r}; keep one."
            )
    of_row = [label_of.get(name) for name in names]
    return lambda embeddings: of_row


def read_labels(path: Path, label: str) -> dict[str, str]:
    """What a table says of each photo.

    Args:
        path: a table with a column of photos, as for the databases' `folder`.
        label: the column to split by; where it is empty, a photo belongs to no task.

    Raises:
        DatabaseError: the table cannot be read, or has no such columns.
    """
    table = read_table(path)
    photos, labels = (
        texts(table[column(table, PHOTO_COLUMNS, path)]),
        texts(table[column(table, (label,), path)]),
    )
    return {photo: text for photo, text in zip(photos, labels, strict=True) if text}


def by_clusters(count: int, seed: int = 0) -> Grouping:
    """Photos grouped by k-means on the base's embeddings, each of length 1.

    The clusters are called `cluster0` on, the largest first.

    Args:
        count: of clusters, 2 or more.
        seed: of the first centres.

    Raises:
        SettingError: fewer than two clusters; when grouping, more than there are kinds of photos.
    """
    if count < 2:
        raise SettingError(f"clusters is {count}; expected 2 or more.")

    def group(embeddings: np.ndarray) -> list[str]:
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        points = embeddings.astype(np.float64) / np.maximum(lengths, 1e-12)
        found = _k_means(points, count, seed)
        order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
        place = np.argsort(order)
        return [f"cluster{place[cluster]}" for cluster in found]

    return group


def _k_means(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The cluster of each point (n, D), none of them empty; the best of several beginnings."""
    best, found = np.inf, None
    for attempt in range(ATTEMPTS if len(points) >= count else 0):
        random = np.random.default_rng([seed, attempt])
        centres, labels = kmeans2(points, count, minit="++", missing="warn", rng=random)
        spread = float(((points - centres[labels]) ** 2).sum())
        if len(np.unique(labels)) == count and spread < best:
            best, found = spread, labels
    if found is None:
        raise SettingError(
            f"{len(points)} photos do not fall into {count} clusters; give fewer clusters."
        )
    return found


def folder_names(labels: Sequence[str]) -> list[str]:
    """A name for a folder of each label: letters, digits, `_` and `-` only, all different.

    Raises:
        SettingError: two labels differ only in other characters.
    """
    names = [UNSAFE.sub("-", label).strip("-") or "task" for label in labels]
    if len({name.lower() for name in names}) < len(names):
        twice = sorted(
            label
            for label, name in zip(labels, names, strict=True)
            if [other.lower() for other in names].count(name.lower()) > 1
        )
        raise SettingError(
            f"the tasks {', '.join(map(repr, twice[:4]))} cannot be told apart as folder names; "
            "rename them in the table."
        )
    return names
