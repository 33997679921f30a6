"""A data set on the Hub streamed once, shard by shard, onto the disk of each machine.

Training goes through its photos many times, each time in another order, and must know all scores
beforehand; a stream can do neither. So each machine streams the data set once, its processes
sharing the shards, and from then on all of them read the rows they need from files that are mapped
into memory. The rows are those of `load("hub", ...)`, in the same order, however many processes
fetched them. Unlike there, no second copy in the repo's own format is kept.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import datasets.config
from datasets import Dataset, Features, Image, IterableDataset, concatenate_datasets, load_dataset
from datasets.arrow_writer import ArrowWriter
from datasets.distributed import split_dataset_by_node
from datasets.table import embed_table_storage
from huggingface_hub import HfApi

from aesthetic_tv.databases.photos import Progress
from aesthetic_tv.databases.source import Source
from aesthetic_tv.errors import DatabaseError, SettingError

ROWS = 64  # that are fetched, and written, at once
_UNSAFE = re.compile(r"[^\w.-]+")


def fetch_shards(
    repo: str, source: Source, share: tuple[int, int] = (0, 1), progress: Progress | None = None
) -> dict[str, list[Path]]:
    """Stream this process's share of the shards to disk; those that are there are not fetched
    again.

    Args:
        repo: on the Hub, OWNER/NAME.
        source: configuration and revision.
        share: this process's place among those of its machine, and how many they are.
        progress: called with (shards done, shards) of the share.

    Returns:
        The files of all shards, in order, by the repo's split; those of other processes may not be
        there yet.

    Raises:
        SettingError: a data set in a folder here, which there is nothing to stream of.
        HubError: the Hub refused or failed; see its subclasses. What was fetched stays.
    """
    if Path(repo).is_dir():
        raise SettingError(
            f"{repo} is a folder here; there is nothing to stream. Load it as it is."
        )
    commit = HfApi().dataset_info(repo, revision=source.revision).sha
    found = load_dataset(repo, source.config, revision=commit, streaming=True)
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "aesthetic-tv"
    folder /= _UNSAFE.sub("--", f"{repo}@{commit}-{source.config or 'default'}")
    files, mine = dict[str, list[Path]](), list[tuple[IterableDataset, int, Path]]()
    for split, part in found.items():
        names = [
            folder / f"{split}-{i:05d}-of-{part.num_shards:05d}" for i in range(part.num_shards)
        ]
        files[split] = [name.with_name(name.name + ".arrow") for name in names]
        mine += [(part, i, file) for i, file in enumerate(files[split])]
    place, processes = share
    mine = mine[place::processes]
    for done, (part, shard, file) in enumerate(mine, 1):
        if not file.is_file():
            _write(split_dataset_by_node(part, rank=shard, world_size=part.num_shards), file)
        if progress is not None:
            progress(done, len(mine))
    return files


def stored(files: dict[str, list[Path]]) -> dict[str, Dataset]:
    """The rows of fetched shards, mapped into memory, by the repo's split.

    Raises:
        DatabaseError: a shard is not there.
    """
    lost = [path for paths in files.values() for path in paths if not path.is_file()]
    if lost:
        raise DatabaseError(
            f"{len(lost)} shards were not fetched, such as {lost[0].name}; run it again to go on."
        )
    return {
        split: concatenate_datasets([Dataset.from_file(str(path)) for path in paths])
        for split, paths in files.items()
    }


def _write(shard: IterableDataset, file: Path) -> None:
    """Write a shard's rows, with the bytes of its images as they are; all of it or nothing."""
    features = shard.features or shard._resolve_features().features
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ArrowWriter(path=str(temporary), features=features) as writer:
            for rows in _undecoded(shard, features):
                writer.write_table(embed_table_storage(rows))
            writer.finalize()
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _undecoded(shard: IterableDataset, features: Features) -> Iterator:
    """Arrow tables of rows, images as bytes or as the place they are to be had from."""
    for name, feature in features.items():
        if isinstance(feature, Image):
            shard = shard.cast_column(name, Image(decode=False))
    for rows in shard.with_format("arrow").iter(ROWS):
        yield rows.cast(features.arrow_schema)
