"""Any data set on the Hub (or in a local folder of parquet or images) with images and scores."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from datasets import Dataset, DatasetDict, Features, Image, IterableDataset, load_dataset
from datasets.exceptions import DatasetNotFoundError

from aesthetic_tv.databases.labels import Labels
from aesthetic_tv.databases.photos import Progress, Verify, unreadable
from aesthetic_tv.databases.preparing import SPLIT_NAMES, prepare
from aesthetic_tv.databases.registry import DatabaseEntry, Range, entry
from aesthetic_tv.databases.schema import FEATURES, Database
from aesthetic_tv.databases.source import Source
from aesthetic_tv.databases.splits import SplitSettings, divide
from aesthetic_tv.databases.streaming import fetch_shards, stored
from aesthetic_tv.databases.tables import column
from aesthetic_tv.errors import DatabaseError
from aesthetic_tv.hub.failures import told_clearly

BATCH = 256  # rows that are judged at once


def load_hub(
    repo: str,
    source: Source,
    split: SplitSettings,
    verify: Verify,
    workers: int | None,
    progress: Progress | None,
) -> Database:
    """Read a data set whole; `load("hub", repo, ...)` is the way to call it.

    Raises:
        DatabaseError: it has no images or no scores under the names told or usual.
        HubError: see its subclasses.
    """
    table, images = read_rows(repo, source)
    labels = source.labels(table, Path(repo), photos=table["__photo"])
    known = source.described(entry("hub"))
    return with_images(labels, images, known, source.score_range, split, verify, workers, progress)


def read_rows(repo: str, source: Source) -> tuple[pd.DataFrame, pa.ChunkedArray]:
    """All rows of a data set: a table, and the images as they are stored, one for each row.

    The table has the column `__photo`, a name for each photo, and the column `split`.

    Raises:
        DatabaseError: it has no images under the name told, or none or several.
        HubError: see its subclasses.
    """
    with told(repo, source):
        if source.streaming:
            parts = stored(fetch_shards(repo, source))
        else:
            found = load_dataset(repo, source.config, revision=source.revision)
            parts = dict(found) if isinstance(found, DatasetDict) else {"train": found}
    features = next(iter(parts.values())).features
    image = _image_column(features, source, repo)
    frames, images = [], []
    for name, part in parts.items():
        undecoded = part.cast_column(image, Image(decode=False))
        frame = _frame(undecoded, image)
        frame["__photo"] = _names(undecoded, frame, image, name, source)
        if len(parts) > 1 and "split" not in frame:
            frame["split"] = name
        frames.append(frame)
        images += pa.chunked_array(undecoded.with_format("arrow")[image][:]).chunks
    return pd.concat(frames, ignore_index=True), pa.chunked_array(images)


def with_images(
    labels: Labels,
    images: pa.ChunkedArray,
    known: DatabaseEntry,
    score_range: Range | None,
    split: SplitSettings,
    verify: Verify,
    workers: int | None,
    progress: Progress | None,
) -> Database:
    """The finished database of rows and their images.

    Args:
        labels: its rows have `__row`, which of the images is theirs, where not one after the other.
        images: as `read_rows` gives them.
        known: what is known of the database.
        score_range: lowest and highest score there can be.
        split, verify, workers, progress: as for `load`.

    Raises:
        DatabaseError: no row can be used.
    """
    rows = labels.rows
    if "__row" not in rows:
        rows = rows.assign(__row=np.arange(len(rows)))
    prepared = prepare(Labels(rows, labels.distribution_values), known, score_range, split)
    kept = images.take(pa.array(prepared.rows["__row"].to_numpy()))
    return prepared.database(kept, _reasons(kept, verify, workers, progress))


def stream(
    repo: str,
    *,
    source: Source | None = None,
    split: SplitSettings | None = None,
) -> IterableDataset:
    """The rows of a data set in the one schema, as they arrive.

    Nothing can be told of the whole, so that rows with a score that is no number or off the scale
    are passed over, and so is, with a warning, a photo that cannot be decoded; two rows of one
    photo are both given. Distributions become shares.

    Args:
        repo: on the Hub, or a local data set.
        source: columns and scale; `score_range` is needed to turn scores where higher is worse.
        split: how rows are divided; by the repo's splits where it has more than one.

    Raises:
        DatabaseError: it has no images or no scores under the names told or usual.
        HubError: see its subclasses.

    Example:
        >>> rows = stream("trojblue/AVA-Huggingface")  # doctest: +SKIP
        >>> next(iter(rows))["score"]  # doctest: +SKIP
        5.64
    """
    source, split = source or Source(), split or SplitSettings()
    if not source.higher_is_better and source.score_range is None:
        raise DatabaseError("scores that are better when lower need `score_range` to be turned.")
    with told(repo, source):
        found = load_dataset(repo, source.config, revision=source.revision, streaming=True)
        features = next(iter(found.values())).features
        if features is None:
            features = next(iter(found.values()))._resolve_features().features
    image = _image_column(features, source, repo)
    # Missing columns are told now, not at the first row.
    empty = pd.DataFrame(columns=list(features), dtype=object)
    source.labels(empty, Path(repo), photos=pd.Series([], dtype=object))

    def rows() -> Iterator[dict[str, Any]]:
        for name, part in found.items():
            stored = part.cast_column(image, Image(decode=False))
            for start, batch in enumerate(stored.iter(batch_size=BATCH)):
                images = batch.pop(image)
                names = [
                    _name(value, f"{name}/{start * BATCH + i:06d}")
                    for i, value in enumerate(images)
                ]
                if len(found) > 1 and "split" not in batch:
                    batch["split"] = [name] * len(images)
                yield from _streamed(batch, images, names, source, split, repo)

    return IterableDataset.from_generator(rows, features=FEATURES)


def _streamed(
    batch: dict[str, list[Any]],
    images: list[dict[str, Any]],
    names: list[str],
    source: Source,
    split: SplitSettings,
    repo: str,
) -> Iterator[dict[str, Any]]:
    """Those rows of a batch whose score can be used, in the one schema."""
    table = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in batch.items()})
    photos = pd.Series(names) if source.photo is None else table[source.photo].astype(str)
    rows = source.labels(table, Path(repo), photos=photos).rows
    rows["score"] = pd.to_numeric(rows["score"], errors="coerce")
    low, high = source.score_range or (-np.inf, np.inf)
    good = np.isfinite(rows["score"]) & rows["score"].between(low, high)
    official = None
    if "split" in rows:
        official = rows["split"].str.lower().map(SPLIT_NAMES)
        good &= official.notna()
    known = source.described(entry("hub"))
    places, _ = divide(rows["photo"], official, split, known.id)
    for i in np.flatnonzero(good):
        row = rows.iloc[i]
        if reason := _unusable(images[i]):
            warnings.warn(f"{repo}: {row['photo']} is left out: {reason}", stacklevel=2)
            continue
        score, shares = float(row["score"]), _shares(row.get("distribution"))
        if not source.higher_is_better:
            score, shares = low + high - score, shares[::-1] if shares else None
        yield {
            "image": images[i],
            "photo": row["photo"],
            "score": score,
            "distribution": shares,
            "user": row.get("user"),
            "database": known.id,
            "split": places.iloc[i],
        }


def _unusable(image: dict[str, Any] | None) -> str:
    """Why an image that streams by cannot be decoded; "" where it can."""
    if image is not None and image.get("bytes") is None and image.get("path"):
        return ""  # elsewhere, and fetched when it is looked at
    content = _content(image)
    return content if isinstance(content, str) else unreadable([content], "full").get(0, "")


def _shares(votes: list[float] | None) -> list[float] | None:
    total = 0.0 if votes is None else sum(votes)
    return [vote / total for vote in votes] if votes and total > 0 else None


def fetch_share(
    repo: str, source: Source, place: int, count: int, progress: Progress | None = None
) -> None:
    """Stream a share of a data set's shards to disk: what the processes of one machine do together
    before each of them calls `load("hub", repo, ...)` with `Source(streaming=True)`.

    Args:
        repo: on the Hub.
        source: configuration and revision.
        place: of this process among those of its machine, from 0.
        count: of these processes.
        progress: called with (shards done, shards) of the share.

    Raises:
        DatabaseError, HubError: as for `load`.
    """
    with told(repo, source):
        fetch_shards(repo, source, (place, count), progress)


@contextmanager
def told(repo: str, source: Source) -> Iterator[None]:
    """Turn what fails of a data set on the Hub into errors of ours."""
    with told_clearly(repo, source.revision):
        try:
            yield
        except DatasetNotFoundError as error:
            # Its cause is the client's own error, where the Hub was asked at all.
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise DatabaseError(
                f"{repo} is no data set on the Hub, nor in a folder here; or it is private. Log in "
                "with `hf auth login`."
            ) from None


def _image_column(features: Features, source: Source, repo: str) -> str:
    images = [name for name, feature in features.items() if isinstance(feature, Image)]
    if source.image is not None:
        if source.image not in images:
            raise DatabaseError(
                f"{repo}: {source.image!r} is no column of images; those are: "
                f"{', '.join(images) or 'none'}."
            )
        return source.image
    if len(images) != 1:
        raise DatabaseError(
            f"{repo} has {len(images)} columns of images ({', '.join(images) or 'none'}) among "
            f"{', '.join(features)}; name the one to use (`image`, --image-column)."
        )
    return images[0]


def _frame(stored: Dataset, image: str) -> pd.DataFrame:
    others = [name for name in stored.column_names if name != image]
    return stored.select_columns(others).with_format("arrow")[:].to_pandas()


def _names(
    stored: Dataset, frame: pd.DataFrame, image: str, split: str, source: Source
) -> list[str]:
    """A name for each photo: its column's, its file's where those are unique, or its number."""
    if source.photo is not None:
        return frame[column(frame, [source.photo], Path(split))].map(str).to_list()
    numbers = [f"{split}/{number:06d}" for number in range(len(stored))]
    images = stored.select_columns([image])
    paths = [value for batch in images.iter(batch_size=BATCH) for value in _paths(batch[image])]
    names = [_name(*pair) for pair in zip(paths, numbers, strict=True)]
    return names if len(set(names)) == len(names) else numbers


def _paths(images: list[dict[str, Any] | None]) -> list[dict[str, Any]]:
    return [{"path": None if image is None else image["path"]} for image in images]


def _name(image: dict[str, Any] | None, number: str) -> str:
    path = (image or {}).get("path")
    return path.replace("\\", "/").rsplit("/", 1)[-1] if path else number


def _reasons(
    images: pa.ChunkedArray, verify: Verify, workers: int | None, progress: Progress | None
) -> np.ndarray:
    """Why each image cannot be used; "" where it can."""
    reasons = np.full(len(images), "", dtype=object)
    for start in range(0, len(images), BATCH):  # the bytes of a few at a time
        contents: dict[int, Path | bytes] = {}
        some = images.slice(start, BATCH).to_pylist()
        for row, image in enumerate(some, start):
            content = _content(image)
            if isinstance(content, str):
                reasons[row] = content
            else:
                contents[row] = content
        rows = list(contents)
        for position, reason in unreadable(
            list(contents.values()), verify, workers=workers
        ).items():
            reasons[rows[position]] = reason
        if progress is not None:
            progress(start + len(some), len(images))
    return reasons


def _content(image: dict[str, Any] | None) -> Path | bytes | str:
    """The bytes of an image, or its file; a text says why there is neither."""
    if image is None or (image["bytes"] is None and not image["path"]):
        return "there is no image."
    if image["bytes"] is not None:
        return image["bytes"] or "the image is empty."
    path = Path(image["path"])
    return path if path.is_file() and path.stat().st_size else "there is no such file."
