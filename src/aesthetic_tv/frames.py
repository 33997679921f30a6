"""Tables for pandas, which nothing else needs."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from aesthetic_tv.errors import SettingError


def data_frame(columns: Mapping[str, Any], index: Sequence[Any] | None = None) -> Any:
    """A pandas DataFrame.

    Args:
        columns: values by name, equally many of each.
        index: names of the rows; numbers when not given.

    Raises:
        SettingError: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise SettingError(
            "a data frame needs pandas, which is not installed: pip install pandas."
        ) from error
    return pandas.DataFrame(dict(columns), index=index)
