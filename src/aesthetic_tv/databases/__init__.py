"""Databases of scored photos, each read as its makers ship it into one schema."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from aesthetic_tv.databases.archives import ArchiveLimits as ArchiveLimits
    from aesthetic_tv.databases.archives import unpack as unpack
    from aesthetic_tv.databases.fetching import fetch as fetch
    from aesthetic_tv.databases.fetching import fetched as fetched
    from aesthetic_tv.databases.fetching import needed_bytes as needed_bytes
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
    from aesthetic_tv.databases.source_listing import Needed as Needed
    from aesthetic_tv.databases.source_marker import Fetched as Fetched
    from aesthetic_tv.databases.sources import SOURCES as SOURCES
    from aesthetic_tv.databases.sources import DatabaseSource as DatabaseSource
    from aesthetic_tv.databases.sources import SourceFile as SourceFile
    from aesthetic_tv.databases.sources import Terms as Terms
    from aesthetic_tv.databases.sources import terms_of as terms_of
    from aesthetic_tv.databases.splits import SplitSettings as SplitSettings

# Lazy: the registry and the command line's --help do not wait for datasets and pandas.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "archives": ["ArchiveLimits", "unpack"],
        "fetching": ["fetch", "fetched", "needed_bytes"],
        "hub": ["stream"],
        "loading": ["load", "people"],
        "overlap": ["check_overlap"],
        "registry": ["REGISTRY", "DatabaseEntry"],
        "schema": ["FEATURES", "SPLITS", "Database"],
        "source": ["Source"],
        "source_listing": ["Needed"],
        "source_marker": ["Fetched"],
        "sources": ["SOURCES", "DatabaseSource", "SourceFile", "Terms", "terms_of"],
        "splits": ["SplitSettings"],
    },
)
