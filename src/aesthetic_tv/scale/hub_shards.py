"""Data sets on the Hub, streamed part by part; `datasets` is imported only where there is one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from huggingface_hub import HfApi

from aesthetic_tv.errors import SettingError
from aesthetic_tv.hub.failures import told_clearly
from aesthetic_tv.scale.columns import PHOTO_COLUMNS, photo_column
from aesthetic_tv.scale.photo_stream import Sample

HUB = "hf://datasets/"
ROWS = 64  # that are fetched at once
_NAME = re.compile(r"hf://datasets/([\w][\w.-]*/[\w][\w.-]*?)(?:@([\w./-]+))?/?")


@dataclass(frozen=True)
class HubShard:
    """One part of a split, as the repo has its files.

    Args:
        repo: `owner/name`.
        commit: 40-hex.
        config: of the data set.
        split: of the config.
        number, total: of the parts of the split.
    """

    repo: str
    commit: str
    config: str | None
    split: str
    number: int
    total: int

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{HUB}{self.repo}: {self.split} {self.number + 1} of {self.total}"

    @property
    def stem(self) -> str:
        """Of its output."""
        return f"{self.split}-{self.number:05d}-of-{self.total:05d}"

    @property
    def identity(self) -> str:
        """What it holds."""
        return f"{self.repo}@{self.commit} {self.config or 'default'} {self.stem}"


def hub_shards(name: str, config: str | None, split: str | None) -> list[HubShard]:
    """The parts of a data set, at the commit that its revision stands for now.

    Args:
        name: `hf://datasets/OWNER/NAME`, with `@REVISION` or without.
        config, split: of it; all splits when not given.

    Raises:
        SettingError: no such name, or no such split.
        HubError: the Hub refused or failed; see its subclasses.
    """
    from datasets import load_dataset

    found = _NAME.fullmatch(name)
    if found is None:
        raise SettingError(f"{name}: expected {HUB}OWNER/NAME, or with @REVISION after it.")
    repo, revision = found.groups()
    with told_clearly(repo, revision):
        commit = str(HfApi().dataset_info(repo, revision=revision).sha)
        parts = load_dataset(repo, config, revision=commit, streaming=True)
    wanted = [part for part in parts if split in (None, part)]
    if not wanted:
        raise SettingError(f"{name} has the splits {', '.join(parts)}; expected {split!r}.")
    return [
        HubShard(repo, commit, config, part, number, parts[part].num_shards)
        for part in wanted
        for number in range(parts[part].num_shards)
    ]


def hub_samples(shard: HubShard, column: str | None) -> Iterator[Sample]:
    """The rows of one part; their photos as the bytes that the repo holds.

    Raises:
        SettingError: there is no such column.
        HubError: the Hub refused or failed; see its subclasses.
    """
    from datasets import Image, load_dataset
    from datasets.distributed import split_dataset_by_node

    with told_clearly(shard.repo, shard.commit):
        whole: Any = load_dataset(
            shard.repo, shard.config, split=shard.split, revision=shard.commit, streaming=True
        )
        rows = split_dataset_by_node(whole, rank=shard.number, world_size=shard.total)
        features = rows.features or rows._resolve_features().features
        images = [name for name, kind in features.items() if isinstance(kind, Image)]
        if column is None and images and not {*PHOTO_COLUMNS} & {*features}:
            column = images[0]
        column = photo_column(list(features), column)
        for name in images:
            rows = rows.cast_column(name, Image(decode=False))
        for place, row in enumerate(rows.select_columns([column])):
            yield _sample(place, row[column])


def _sample(place: int, value: Any) -> Sample:
    """A row's photo: never a path, which is one of somebody else's disk."""
    content = value.get("bytes") if isinstance(value, dict) else value
    name = (value.get("path") if isinstance(value, dict) else None) or f"row {place}"
    if not isinstance(content, bytes):
        return Sample(name, None, "holds no bytes of a photo")
    return Sample(name, content)
