"""A run over shards: what is there is kept, the rest is done here or by Ray, and all is told in
`manifest.json`.
"""

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow
import torch

from aesthetic_tv.errors import AestheticTVError, OutputError, SettingError
from aesthetic_tv.files import atomic_path, write_json
from aesthetic_tv.scale.outputs import ShardReport, ShardWriter, kept_report
from aesthetic_tv.scale.shards import OUTPUT, Shard
from aesthetic_tv.version import __version__

MANIFEST = "manifest.json"
ENGINES = ("process", "ray")
MOST_BLOCKS = 10_000  # that Ray keeps count of; beyond, one holds several shards
Progress = Callable[[int, int], None]


class Job(Protocol):
    """What is done with each shard; travels to workers."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that an output depends on besides its shard, as JSON."""

    @property
    def schema(self) -> pyarrow.Schema:
        """Of the outputs."""

    def write(self, shard: Shard, writer: ShardWriter, report: ShardReport) -> None:
        """Write the rows of a shard, and count them."""


@dataclass(frozen=True)
class RunReport:
    """What a run did.

    Attributes:
        out: the folder.
        shards: a report for each, in the order of their outputs.
        manifest: what `manifest.json` says.
    """

    out: Path
    shards: list[ShardReport]
    manifest: Mapping[str, Any]

    @property
    def problems(self) -> dict[str, str]:
        """Why shards have no output, by their places."""
        return {report.shard: report.problem for report in self.shards if report.problem}

    @property
    def failures(self) -> dict[str, str]:
        """Why photos have no score: the first few of each shard."""
        return {
            f"{report.shard}: {name}": reason
            for report in self.shards
            for name, reason in report.failures.items()
        }

    @property
    def num_kept(self) -> int:
        """Shards whose output an earlier run had made."""
        return sum(report.kept for report in self.shards)


def versions() -> dict[str, str]:
    """Of what scores depend on."""
    return {
        "aesthetic_tv": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "pyarrow": pyarrow.__version__,
    }


def run_shards(
    job: Job,
    shards: Sequence[Shard],
    out: Path,
    *,
    engine: str = "process",
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[ShardReport]:
    """Do a job on every shard that has no output of it yet.

    Args:
        job: what to do.
        shards: as from `find_shards`.
        out: folder of the outputs.
        engine: `process`, this one; or `ray`, a cluster that is running, or one of this machine.
        workers: of Ray; one for each GPU, or for each core where there is none, when not given.
        overwrite: replace outputs of other settings.
        progress: called with (shards done, shards in all).

    Returns:
        One report for each, in their order.

    Raises:
        SettingError: no such engine, or Ray is not installed.
        OutputError: an output is there that may not be replaced, or one cannot be written; what is
            written stays.
    """
    if engine not in ENGINES:
        raise SettingError(f"engine is {engine!r}; expected one of {', '.join(ENGINES)}.")
    told, open_shards = dict[str, ShardReport](), list[Shard]()
    settings = json.loads(json.dumps(dict(job.settings)))
    for shard in shards:
        if shard.problem:
            told[shard.place] = ShardReport(shard.place, problem=shard.problem)
        elif kept := kept_report(out, shard, settings, overwrite=overwrite):
            kept.shard = shard.place
            told[shard.place] = kept
        else:
            open_shards.append(shard)
    done = _by_ray if engine == "ray" and open_shards else _here
    if progress is not None:
        progress(len(told), len(shards))
    for report in done(job, open_shards, out, workers):
        told[report.shard] = report
        if progress is not None:
            progress(len(told), len(shards))
    lost = [shard.place for shard in shards if shard.place not in told]
    for place in lost:
        told[place] = ShardReport(place, problem="the engine lost it; run the command again")
    return [told[shard.place] for shard in shards]


def do_shard(job: Job, shard: Shard, out: Path) -> ShardReport:
    """One shard: its output whole, or none and the reason.

    Raises:
        OutputError: it cannot be written.
    """
    report = ShardReport(shard.place, shard.stem + OUTPUT, shard.identity)
    try:
        with atomic_path(out / report.output) as temporary:
            writer = ShardWriter(temporary, job.schema)
            try:
                job.write(shard, writer, report)
                settings = json.loads(json.dumps(dict(job.settings)))
                writer.close(
                    {
                        "settings": settings,
                        "versions": versions(),
                        "report": report.told() | {"shard": shard.stem},
                        "rows_written": writer.rows,
                    }
                )
            except BaseException:
                writer.abort()
                raise
    except OutputError:
        raise
    except AestheticTVError as error:
        if isinstance(error, job_errors()):
            raise
        told = str(error).removeprefix(f"{shard.place}: ")
        return ShardReport(shard.place, identity=shard.identity, problem=told)
    return report


def job_errors() -> tuple[type[AestheticTVError], ...]:
    """Errors that are not of one shard: all others would meet them too."""
    from aesthetic_tv.errors import BaseMismatchError, ScorerError

    return (ScorerError, BaseMismatchError)


def _here(job: Job, shards: Iterable[Shard], out: Path, _: int | None) -> Iterator[ShardReport]:
    for shard in shards:
        yield do_shard(job, shard, out)


class ShardWorker:
    """What Ray makes one of in each worker: does the shards it is handed, one after the other.

    Args:
        job: what to do.
        out: folder of the outputs, on a disk that all machines share.
    """

    def __init__(self, job: Job, out: str):
        self.job, self.out = job, Path(out)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Shards as JSON to reports as JSON. One that a worker finished before it was lost is
        kept, so that none is done twice.
        """
        told = []
        for text in batch["shard"]:
            shard = shard_from(json.loads(str(text)))
            settings = json.loads(json.dumps(dict(self.job.settings)))
            report = kept_report(self.out, shard, settings, overwrite=True)
            report = report or do_shard(self.job, shard, self.out)
            told.append(json.dumps(report.told() | {"shard": shard.place}))
        return {"report": told}


def shard_from(told: dict[str, Any]) -> Shard:
    """A shard that was sent as JSON."""
    from aesthetic_tv.scale.hub_shards import HubShard

    hub = told.pop("hub")
    return Shard(**told, hub=None if hub is None else HubShard(**hub))


def _by_ray(
    job: Job, shards: Sequence[Shard], out: Path, workers: int | None
) -> Iterator[ShardReport]:
    """Ray Data hands the shards to workers, tries again those of a worker that was lost, and keeps
    all of them busy.
    """
    try:
        import ray
    except ImportError:
        raise SettingError(
            "engine is 'ray', which is not installed here; `pip install 'aesthetic-tv[ray]'`, or "
            "leave the engine out."
        ) from None
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    most = workers or gpus or max(1, int(resources.get("CPU", 1)))
    rows = [{"shard": json.dumps(asdict(shard))} for shard in shards]
    data = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS))
    done = data.map_batches(
        ShardWorker,
        fn_constructor_kwargs={"job": job, "out": str(out.resolve())},
        batch_size=1,
        concurrency=(1, min(most, len(rows))),
        num_gpus=1 if gpus else 0,
    )
    for row in done.iter_rows():
        yield ShardReport(**json.loads(row["report"]))


def write_manifest(
    out: Path, kind: str, job: Job, reports: Sequence[ShardReport], more: Mapping[str, Any]
) -> dict[str, Any]:
    """Tell of all shards in `manifest.json`; the same run tells the same, however often it was
    interrupted.
    """
    done = [report for report in reports if not report.problem]
    manifest = {
        "kind": kind,
        "settings": dict(job.settings),
        "versions": versions(),
        "num_shards": len(reports),
        "num_shards_done": len(done),
        "num_photos": sum(report.rows for report in done),
        "num_scored": sum(report.scored for report in done),
        "num_failed": sum(report.failed for report in done),
        **more,
        "shards": [report.told() for report in reports],
    }
    write_json(out / MANIFEST, manifest, indent=1)
    return manifest
