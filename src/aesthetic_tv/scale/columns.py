"""Batches as engines hand them over: dicts of arrays or lists, Arrow tables, pandas frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aesthetic_tv.errors import SettingError

# Where photos are looked for when nobody says: as data sets, webdataset and engines call them.
PHOTO_COLUMNS = (
    *("image", "photo", "img", "picture", "bytes", "image_bytes", "content"),
    *("jpg", "jpeg", "png", "webp", "path", "file", "filepath", "image_path"),
)


def photo_column(names: Sequence[str], wanted: str | None) -> str:
    """The column that holds the photos.

    Raises:
        SettingError: it is not there; names those that are.
    """
    names = [str(name) for name in names]
    found = [name for name in ([wanted] if wanted else PHOTO_COLUMNS) if name in names]
    if not found:
        expected = f"one called {wanted!r}" if wanted else f"one of {', '.join(PHOTO_COLUMNS)}"
        raise SettingError(
            f"the columns are {', '.join(names) or 'none'}; expected {expected} with the photos. "
            "Name it by column= (--column)."
        )
    return found[0]


def column_names(batch: Any) -> list[str]:
    """Of a batch of any kind.

    Raises:
        SettingError: it is no batch.
    """
    if isinstance(batch, Mapping):
        return list(batch)
    names = getattr(batch, "column_names", None)  # Arrow
    if names is None:
        names = getattr(batch, "columns", None)  # pandas
    if names is None:
        raise SettingError(
            f"a batch is a {type(batch).__name__}; expected a dict of columns, a pyarrow table or "
            "a pandas frame. Of photos alone, use score_photos."
        )
    return [str(name) for name in names]


def photos_of(batch: Any, column: str) -> list[Any]:
    """The photos in a column, one for each row; `None` where there is none."""
    return listed(batch[column])


def listed(values: Any) -> list[Any]:
    """A column as a list of photos, by whatever it is."""
    if hasattr(values, "to_pylist"):  # pyarrow, Daft
        values = values.to_pylist()
    return [_photo(value) for value in values]


def _photo(value: Any) -> Any:
    """What `datasets` keeps as a dict is its bytes, or else its path."""
    if isinstance(value, Mapping) and ("bytes" in value or "path" in value):
        return value.get("bytes") or value.get("path")
    if hasattr(value, "as_py"):
        return _photo(value.as_py())
    if isinstance(value, float) and np.isnan(value):  # pandas' nothing
        return None
    return value


def with_columns(batch: Any, columns: Mapping[str, Any], without: str | None = None) -> Any:
    """The batch, of the kind it came as, with columns added or replaced.

    Args:
        batch: left as it is.
        columns: numpy arrays by name.
        without: a column to leave out.
    """
    if isinstance(batch, Mapping):
        return {name: x for name, x in batch.items() if name != without} | dict(columns)
    if hasattr(batch, "assign"):  # pandas
        kept = batch if without is None else batch.drop(columns=[without])
        return kept.assign(**columns)
    import pyarrow

    if isinstance(batch, pyarrow.RecordBatch):
        batch = pyarrow.Table.from_batches([batch])
    gone = [name for name in (*columns, without) if name in batch.column_names]
    batch = batch.drop_columns(gone)
    for name, values in columns.items():
        batch = batch.append_column(name, pyarrow.array(values))
    return batch
