"""One scorer over shards: a table of scores for each of them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from aesthetic_tv.scale.outputs import ROWS, ShardReport, ShardWriter
from aesthetic_tv.scale.pinned import PinnedScorer
from aesthetic_tv.scale.reading import samples_of
from aesthetic_tv.scale.running import Progress, RunReport, run_shards, write_manifest
from aesthetic_tv.scale.score_batch import ScoreBatch
from aesthetic_tv.scale.shards import Shard, find_shards
from aesthetic_tv.scale.statistics import summarize
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.decoding import DECODING
from aesthetic_tv.scorer.devices import AUTO
from aesthetic_tv.scorer.journal import scorer_fingerprint

SCHEMA = pa.schema([("photo", pa.string()), ("score", pa.float32()), ("error", pa.string())])


@dataclass
class ScoreJob:
    """Scores the photos of a shard.

    Args:
        score: with the scorer.
        settings: as `Job.settings`.
        column: of parquet and data sets, with the photos.
    """

    score: ScoreBatch
    settings: Mapping[str, Any]
    column: str | None = None
    schema: pa.Schema = field(default=SCHEMA, repr=False)

    @classmethod
    def of(cls, score: ScoreBatch, column: str | None = None) -> "ScoreJob":
        """The job of a scorer, which is loaded to know its fingerprint."""
        scorer, pinned = score.scorer, score.pinned
        settings = {
            "model": "whole",
            "scorer": pinned.name,
            "revision": pinned.revision,
            "fingerprint": scorer_fingerprint(scorer),
            "device": scorer.device.type,
            "dtype": str(scorer.dtype).removeprefix("torch."),
            "batch_size": score.batch_size,
            "decoding": DECODING,
            "column": column,
        }
        return cls(score, settings, column)

    @cached_property
    def _checked(self) -> bool:
        """Whether the scorer of this process is that of the run."""
        found = scorer_fingerprint(self.score.scorer)
        if found != self.settings["fingerprint"]:
            from aesthetic_tv.errors import ScorerError

            raise ScorerError(
                f"the scorer loaded here has the fingerprint {found[:12]}, that of this run is "
                f"{self.settings['fingerprint'][:12]}; scores of two scorers would be mixed. "
                "Start again."
            )
        return True

    def write(self, shard: Shard, writer: ShardWriter, report: ShardReport) -> None:
        """Score the photos of a shard.

        Raises:
            ShardError: it is cut off or damaged.
            SettingError: it lacks the column.
            ScorerError: the scorer cannot be loaded, or is another one.
        """
        assert self._checked
        for part in self.score.score_samples(samples_of(shard, self.column)):
            scores = part.scores.astype(np.float32)
            writer.add({"photo": part.names, "score": scores, "error": part.errors})
            report.count(part.names, part.errors)
        if self.score.fitting < self.score.batch_size:
            report.notes["photos_at_once"] = self.score.fitting

    def __getstate__(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if name != "_checked"}


def score_shards(
    scorer: str | os.PathLike[str] | AestheticScorer,
    shards: str | Sequence[str],
    out: str | os.PathLike[str],
    *,
    engine: str = "process",
    workers: int | None = None,
    column: str | None = None,
    config: str | None = None,
    split: str | None = None,
    bank: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    device: str = AUTO,
    dtype: str | None = None,
    batch_size: int = 32,
    threads: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RunReport:
    """Score shards of photos, each into `out/NAME.parquet` with the columns photo, score (float32,
    NaN where there is none) and error; then `out/manifest.json` with counts, failures, the scorer's
    fingerprint, versions, and quantiles and a histogram of all scores.

    An output appears whole or not at all. Run again after a kill, shards whose output is whole, of
    the same content and the same scorer, are kept; in the end there are the same bytes as without
    the kill, as long as no batch had to be halved. A shard that cannot be read to its end is named
    and has no output; the others go on.

    Args:
        scorer: a taste or any scorer; pinned when this begins.
        shards: webdataset tars, parquet files with the bytes of photos, folders of photos, with
            braces (`{00000..00999}`) and globs; `hf://datasets/OWNER/NAME`, streamed.
        out: the folder of the outputs; for Ray on a disk that its machines share.
        engine: `process` (this one) or `ray`.
        workers: of Ray.
        column: of parquet and data sets, with the photos; found by its name when not given.
        config, split: of data sets on the Hub.
        bank, revision, device, dtype, batch_size, threads: as for `ScoreBatch`.
        overwrite: replace outputs of another scorer.
        progress: called with (shards done, shards in all).

    Raises:
        SettingError: nothing to score, or a setting that cannot be.
        OutputError: `out` holds something else, or cannot be written.
        ScorerError: the scorer cannot be loaded.
        HubError: the Hub refused or failed; see its subclasses.
    """
    out, names = Path(out), [shards] if isinstance(shards, str) else list(shards)
    found = find_shards(names, out, config=config, split=split)
    pinned = PinnedScorer.of(scorer, bank=bank, revision=revision, device=device, dtype=dtype)
    job = ScoreJob.of(ScoreBatch(pinned, batch_size=batch_size, threads=threads), column)
    reports = run_shards(
        job, found, out, engine=engine, workers=workers, overwrite=overwrite, progress=progress
    )

    def parts() -> Iterator[np.ndarray]:
        for report in reports:
            if report.output:
                yield from _scores(out / report.output)

    more = {"scores": summarize(parts)}
    return RunReport(out, reports, write_manifest(out, "scores", job, reports, more))


def _scores(path: Path) -> Iterator[np.ndarray]:
    with parquet.ParquetFile(path) as file:
        for rows in file.iter_batches(ROWS, columns=["score"]):
            yield rows["score"].to_numpy(zero_copy_only=False)
