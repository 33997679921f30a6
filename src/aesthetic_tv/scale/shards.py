"""What is to be scored, shard by shard: which kind each is, what it holds now, and what its output
is called.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aesthetic_tv.errors import AestheticTVError, PhotoError, SettingError
from aesthetic_tv.names import written
from aesthetic_tv.scale.hub_shards import HUB, HubShard, hub_shards
from aesthetic_tv.scale.patterns import expand
from aesthetic_tv.scorer.photo_files import PhotoFiles

TARS = (".tar", ".tar.gz", ".tgz")
PARQUETS = (".parquet", ".parq")
OUTPUT = ".parquet"


@dataclass(frozen=True)
class Shard:
    """A part of the photos, which is scored as one.

    Attributes:
        place: path as it was given, or the data set's name on the Hub.
        kind: `tar`, `parquet`, `folder` or `hub`; empty for one that cannot be scored.
        stem: the name of its output, without suffix.
        identity: changes when its content does: size and time of change of a file, paths, sizes and
            times of a folder's photos, commit and number of a data set's part.
        problem: why it cannot be scored; empty where it can.
        hub: of kind `hub`: which part.
    """

    place: str
    kind: str
    stem: str
    identity: str = ""
    problem: str = ""
    hub: HubShard | None = None


def find_shards(
    patterns: Sequence[str], out: Path, *, config: str | None = None, split: str | None = None
) -> list[Shard]:
    """All shards, sorted by the names of their outputs; those that cannot be scored among them.

    Args:
        patterns: files and folders, with braces and globs, or `hf://datasets/OWNER/NAME@REVISION`.
        out: folder of the outputs, which may hold none of the shards.
        config, split: of data sets on the Hub; all splits when not given.

    Raises:
        SettingError: there is no shard at all.
        HubError: the Hub refused or failed; see its subclasses.
    """
    found = dict[str, Shard]()
    for pattern in patterns:
        names = [pattern] if pattern.startswith(HUB) else expand(pattern)
        if not names:
            stem = written(pattern)
            found[pattern] = Shard(pattern, "", stem, problem="no file has such a name")
        for name in names:
            if name.startswith(HUB):
                for part in hub_shards(name, config, split):
                    found[part.name] = Shard(part.name, "hub", part.stem, part.identity, hub=part)
            else:
                path = Path(name)
                found.setdefault(str(path.resolve()), _local(path))
    shards = sorted(found.values(), key=lambda shard: (shard.stem, shard.place))
    if not any(not shard.problem for shard in shards):
        told = "; ".join(f"{shard.place}: {shard.problem}" for shard in shards[:3])
        raise SettingError(f"There is nothing to score: {told or 'no shard was named'}.")
    return _without_collisions(shards, out)


def _local(path: Path) -> Shard:
    name = path.name or path.resolve().name
    kind = _kind(path)
    stem = written(name[: -len(suffix)] if (suffix := _suffix(name)) and kind != "folder" else name)
    shard = Shard(str(path), kind, stem)
    try:
        if kind == "folder":
            return replace(shard, identity=_folder_identity(path))
        if not path.exists():
            return replace(shard, problem="there is no such file")
        if not kind:
            return replace(
                shard,
                problem="is of no kind that is known; expected .tar, .tar.gz, .parquet or a folder",
            )
        stat = path.stat()
        return replace(shard, identity=f"{stat.st_size} bytes, changed {stat.st_mtime_ns}")
    except (AestheticTVError, OSError) as error:
        told = str(error).removeprefix(f"{path}: ").removeprefix(f"{path} ")
        if isinstance(error, PhotoError):
            told = f"{told} Name shards in a folder as {path}/*.tar."
        return replace(shard, problem=told)


def _suffix(name: str) -> str:
    return next((x for x in (*TARS, *PARQUETS) if name.lower().endswith(x)), "")


def _kind(path: Path) -> str:
    if path.is_dir():
        return "folder"
    suffix = _suffix(path.name)
    return "tar" if suffix in TARS else "parquet" if suffix in PARQUETS else ""


def _folder_identity(folder: Path) -> str:
    told = []
    for path in PhotoFiles.below(folder).photos:
        try:
            stat = path.stat()
            told.append((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns))
        except OSError:
            told.append((path.relative_to(folder).as_posix(), 0, 0))
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    return f"{len(told)} photos, {digest[:32]}"


def _without_collisions(shards: Iterable[Shard], out: Path) -> list[Shard]:
    """Name those whose outputs would be one file, and those that an output would replace."""
    shards = list(shards)
    by_output = dict[str, list[Shard]]()
    for shard in shards:
        if not shard.problem:
            by_output.setdefault(shard.stem.casefold(), []).append(shard)
    inputs = {str(Path(shard.place).resolve()) for shard in shards if shard.hub is None}
    checked = []
    for shard in shards:
        rivals = by_output.get(shard.stem.casefold(), []) if not shard.problem else []
        if len(rivals) > 1:
            others = ", ".join(other.place for other in rivals if other is not shard)
            shard = replace(
                shard,
                problem=f"its output {shard.stem}{OUTPUT} would be that of {others} too; rename "
                "one, or score them into two folders",
            )
        elif not shard.problem and str((out / (shard.stem + OUTPUT)).resolve()) in inputs:
            shard = replace(
                shard,
                problem=f"its output would replace the shard {shard.stem}{OUTPUT} itself; name "
                "another folder for the outputs",
            )
        checked.append(shard)
    return checked
