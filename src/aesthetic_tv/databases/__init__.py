"""Databases of scored photos, each read as its makers ship it into one schema."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from aesthetic_tv.databases.registry import DatabaseEntry as DatabaseEntry
    from aesthetic_tv.databases.schema import FEATURES as FEATURES
    from aesthetic_tv.databases.schema import SPLITS as SPLITS
    from aesthetic_tv.databases.schema import Database as Database

# Lazy: the registry and the command line's --help do not wait for datasets and pandas.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "registry": ["DatabaseEntry"],
        "schema": ["FEATURES", "SPLITS", "Database"],
    },
)
