"""Many people over shards: what each likes best of all photos, and how far to trust it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyarrow import parquet
from scipy.stats import spearmanr

from aesthetic_tv.errors import AestheticTVError, SettingError
from aesthetic_tv.files import atomic_path
from aesthetic_tv.scale.outputs import ROWS, ShardReport, ShardWriter
from aesthetic_tv.scale.people import BestPhotos
from aesthetic_tv.scale.people_job import TOP, LinearPeople, PeopleJob, PeopleSettings, write_best
from aesthetic_tv.scale.photo_stream import decoded_batches
from aesthetic_tv.scale.reading import samples_of
from aesthetic_tv.scale.running import Progress, RunReport, run_shards, versions, write_manifest
from aesthetic_tv.scale.shards import OUTPUT, Shard, find_shards
from aesthetic_tv.scorer import image_processor

BEST = "best_of_all"
CHECKED_PEOPLE = 3


@dataclass(frozen=True)
class PeopleReport(RunReport):
    """What a run for many people did.

    Attributes:
        people: names, in the order of a table's scores.
        refused: folders that hold no taste of this bank, and why.
    """

    people: tuple[str, ...] = ()
    refused: dict[str, str] | None = None


def score_people_shards(
    shards: str | Sequence[str],
    bank: str | os.PathLike[str],
    people: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    settings: PeopleSettings | None = None,
    check: int = 50,
    engine: str = "process",
    workers: int | None = None,
    config: str | None = None,
    split: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PeopleReport:
    """Score N photos for U people in one pass, within the linear model of their bank.

    Each photo's slopes J are taken once and multiplied with all people's coefficients; then they
    are dropped. What is kept of a shard is each person's best photos, `out/NAME.parquet` (person,
    rank, photo, score on the person's scale, raw_score), or with `settings.table` every score
    (photo, scores: U of them in the order of the manifest's `people`, error). In the end
    `out/best_of_all.parquet` has each person's best of all shards, with the shard's name before the
    photo's; and `out/manifest.json` says which model made the scores, and by how much they differ
    from those of merged scorers on a sample.

    Args:
        shards: as for `score_shards`.
        bank: folder, Hub id or `embedded:NAME`; pinned when this begins.
        people: folder with a saved taste in each of its folders; those of another bank are refused
            by name, and the rest go on.
        out: folder of the outputs.
        settings: how; the defaults when not given.
        check: photos that are also scored by the merged scorers of three people; 0 for none.
        engine, workers, config, split, overwrite, progress: as for `score_shards`.

    Raises:
        PreferenceError: there is no taste of this bank.
        SettingError, OutputError, HubError: as `score_shards`.
    """
    if check < 0:
        raise SettingError(f"check is {check}; expected 0 or more photos.")
    out, names = Path(out), [shards] if isinstance(shards, str) else list(shards)
    how = settings or PeopleSettings()
    found = _without_best(find_shards(names, out, config=config, split=split))
    job = PeopleJob.of(bank, people, how)
    reports = run_shards(
        job, found, out, engine=engine, workers=workers, overwrite=overwrite, progress=progress
    )
    model = job.model
    more: dict[str, Any] = {
        "people": list(model.people.names),
        "refused": dict(model.people.refused),
        "check": compared(model, found, how, check) if check else None,
    }
    if how.table is None:
        _merge_best(out, job, reports)
    manifest = write_manifest(out, "people", job, reports, more)
    return PeopleReport(out, reports, manifest, model.people.names, dict(model.people.refused))


def _without_best(shards: list[Shard]) -> list[Shard]:
    from dataclasses import replace

    problem = f"its output would have the name of {BEST}{OUTPUT}; rename it"
    return [replace(x, problem=problem) if x.stem.casefold() == BEST else x for x in shards]


def _merge_best(out: Path, job: PeopleJob, reports: Sequence[ShardReport]) -> None:
    """Each person's best of all shards, of the best of each."""
    people = job.model.people
    row_of = {name: row for row, name in enumerate(people.names)}
    best = BestPhotos(len(people), job.how.top)
    first = 0
    for report in reports:
        if not report.output:
            continue
        names, ranks = list[str](), np.full((len(people), job.how.top), -np.inf, np.float32)
        places = np.zeros(ranks.shape, dtype=np.int64)
        known, stem = dict[str, int](), report.output.removesuffix(OUTPUT)
        with parquet.ParquetFile(out / report.output) as file:
            for rows in file.iter_batches(ROWS):
                told = [rows[name].to_pylist() for name in ("person", "rank", "photo", "raw_score")]
                for person, rank, photo, raw in zip(*told, strict=True):
                    place = known.setdefault(photo, len(known))
                    if place == len(names):
                        names.append(f"{stem}/{photo}")
                    ranks[row_of[person], rank - 1] = raw
                    places[row_of[person], rank - 1] = first + place
        best.take(ranks, places, {first + i: name for i, name in enumerate(names)})
        first += len(names)
    with atomic_path(out / f"{BEST}{OUTPUT}") as temporary:
        writer = ShardWriter(temporary, TOP)
        try:
            write_best(writer, people, best)
            about = {"settings": dict(job.settings), "versions": versions()}
            writer.close(about | {"rows_written": writer.rows})
        except BaseException:
            writer.abort()
            raise


@torch.inference_mode(False)
def compared(
    model: LinearPeople, shards: Sequence[Shard], how: PeopleSettings, count: int
) -> dict[str, Any]:
    """How far the linear model is from merged scorers, on the first photos and a few people.

    Returns:
        `photos` and `people` of the sample; by person `largest` and `mean` difference of raw
        scores, and `srocc`, the rank correlation; `float16_loss`, the largest difference that
        slopes in float16 make against float32.
    """
    pixels = _first_pixels(model, shards, how, count)
    if not len(pixels):
        return {"photos": 0, "people": {}}
    chosen = np.unique(np.linspace(0, len(model.people) - 1, CHECKED_PEOPLE).round().astype(int))
    both = {kind: _linear(model, pixels, kind) for kind in ("float16", "float32")}
    told = dict[str, Any]()
    for row in chosen.tolist():
        merged: Any = model.people.tastes[row].merge(model.bank)
        merged.to(model.scorer.device)
        exact = merged.score_pixels(pixels, batch_size=how.batch_size)
        gap = np.abs(both[how.slopes][row] - exact)
        same = len(exact) < 2 or np.ptp(exact) == 0 or np.ptp(both[how.slopes][row]) == 0
        told[model.people.names[row]] = {
            "largest": float(gap.max()),
            "mean": float(gap.mean()),
            "spread_of_merged": float(exact.std()),
            "srocc": None if same else float(spearmanr(both[how.slopes][row], exact).statistic),
        }
    loss = float(np.abs(both["float16"] - both["float32"]).max())
    return {"photos": len(pixels), "people": told, "float16_loss": loss}


def _linear(model: LinearPeople, pixels: torch.Tensor, kind: str) -> np.ndarray:
    parts = pixels.split(model.fitting.largest)
    return np.concatenate([model.scores(part, kind) for part in parts]).T


def _first_pixels(
    model: LinearPeople, shards: Sequence[Shard], how: PeopleSettings, count: int
) -> torch.Tensor:
    found, have = list[torch.Tensor](), 0
    processor = image_processor(model.bank.base.config)
    for shard in shards:
        if shard.problem or have >= count:
            continue
        try:
            rows = islice(samples_of(shard, how.column), 2 * count)
            for batch in decoded_batches(rows, processor, batch_size=min(how.batch_size, count)):
                found.append(batch.crops[: count - have])
                have += len(found[-1])
                if have >= count:
                    break
        except AestheticTVError:  # told of already
            continue
    return torch.cat([part for part in found if len(part)]) if have else torch.empty(0)
