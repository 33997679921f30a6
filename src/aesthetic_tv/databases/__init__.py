"""Databases of scored photos, each read as its makers ship it into one schema."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from aesthetic_tv.databases.hub import stream as stream
    from aesthetic_tv.databases.loading import load as load
    from aesthetic_tv.databases.loading import people as people
    from aesthetic_tv.databases.overlap import check_overlap as check_overlap
    from aesthetic_tv.databases.registry import REGISTRY as REGISTRY
    from aesthetic_tv.databases.registry import DatabaseEntry as DatabaseEntry
    from aesthetic_tv.databases.schema import FEATURES as FEATURES
    from aesthetic_tv.databases.schema import SPLITS as SPLITS
    from aesthetic_tv.databases.schema import Database as Database
    from aesthetic_tv.databases.source import Source as Source
    from aesthetic_tv.databases.splits import SplitSettings as SplitSettings

# Lazy: the registry and the command line's --help do not wait for datasets and pandas.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "hub": ["stream"],
        "loading": ["load", "people"],
        "overlap": ["check_overlap"],
        "registry": ["REGISTRY", "DatabaseEntry"],
        "schema": ["FEATURES", "SPLITS", "Database"],
        "source": ["Source"],
        "splits": ["SplitSettings"],
    },
)
