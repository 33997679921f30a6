"""All people's scores of the photos of a shard, by one pass of features and a matrix product."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from aesthetic_tv.errors import ScorerError, SettingError
from aesthetic_tv.personalization.jacobian import coefficient_slopes
from aesthetic_tv.personalization.precision import check_precision, tower_dtype
from aesthetic_tv.scale.outputs import ShardReport, ShardWriter
from aesthetic_tv.scale.people import BestPhotos, People
from aesthetic_tv.scale.photo_stream import DecodedBatch, FittingBatches, Sample, decoded_batches
from aesthetic_tv.scale.pinned import Place
from aesthetic_tv.scale.reading import samples_of
from aesthetic_tv.scale.shards import Shard
from aesthetic_tv.scorer import image_processor
from aesthetic_tv.scorer.decoding import DECODING
from aesthetic_tv.scorer.devices import AUTO, choose_device
from aesthetic_tv.task_vectors import TaskVectorBank

TOP = pa.schema(
    [
        ("person", pa.string()),
        ("rank", pa.int32()),
        ("photo", pa.string()),
        ("score", pa.float32()),
        ("raw_score", pa.float32()),
    ]
)
TABLES = {"float16": pa.float16(), "float32": pa.float32()}
SLOPES = ("float16", "float32")


@dataclass(frozen=True)
class PeopleSettings:
    """How people are scored.

    Args:
        top: photos that are kept of each person.
        table: `float16` or `float32`: every score of every person instead, one row a photo.
        slopes: `float16`, as files of features hold them, or `float32`.
        precision: of products inside the tower, as for `PhotoFeatures.compute`.
        batch_size: photos for each pass there and back.
        column: of parquet and data sets, with the photos.
        device: as for `choose_device`.
        threads: that decode.
    """

    top: int = 100
    table: str | None = None
    slopes: str = "float16"
    precision: Any = "auto"
    batch_size: int = 32
    column: str | None = None
    device: str = AUTO
    threads: int | None = None

    def __post_init__(self):
        check_precision(self.precision)
        if self.table not in (None, *TABLES):
            raise SettingError(f"table is {self.table!r}; expected one of {', '.join(TABLES)}.")
        if self.slopes not in SLOPES:
            raise SettingError(f"slopes is {self.slopes!r}; expected one of {', '.join(SLOPES)}.")
        for name in ("top", "batch_size"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} is {getattr(self, name)}; expected 1 or more.")


class LinearPeople:
    """The linear model of a bank, for all people at once.

    Args:
        bank: the task vectors.
        people: of this bank.
        settings: how.
    """

    def __init__(self, bank: TaskVectorBank, people: People, settings: PeopleSettings):
        self.bank, self.people, self.settings = bank, people, settings
        self.scorer = bank.generic_scorer().to(choose_device(settings.device))  # type: ignore[arg-type]
        self.dtype = tower_dtype(settings.precision, self.scorer)
        away = people.coefficients - bank.generic_point.numpy()
        self.away = torch.from_numpy(away).to(self.scorer.device)  # (U, P)
        self.fitting = FittingBatches(settings.batch_size)

    def batches(self, samples: Iterator[Sample]) -> Iterator[tuple[DecodedBatch, np.ndarray]]:
        """Each batch and the raw scores of its m photos: float32 (U, m)."""
        measure = partial(self.scores, slopes=self.settings.slopes)
        for batch in decoded_batches(
            samples,
            image_processor(self.bank.base.config),
            batch_size=self.settings.batch_size,
            threads=self.settings.threads,
        ):
            found = np.empty((len(self.people), 0), dtype=np.float32)
            if batch.rows:
                found = self.fitting.run(batch.crops, measure).T
            yield batch, found

    def scores(self, pixels: torch.Tensor, slopes: str) -> np.ndarray:
        """Raw scores of crops or pixel values (n, 3, H, W): float32 (n, U)."""
        generic, found = coefficient_slopes(self.bank, self.scorer, pixels, dtype=self.dtype)
        if slopes == "float16":
            found = found.half().float()
        return (generic[:, None] + found @ self.away.T).cpu().numpy()


@dataclass
class PeopleJob:
    """Scores the photos of a shard for all people.

    Args:
        bank: where the bank is to be had.
        folder: of the tastes, for the workers.
        how: settings.
        settings: as `Job.settings`.
        people: U.
    """

    bank: Place
    folder: str
    how: PeopleSettings
    settings: Mapping[str, Any]
    people: int
    _model: LinearPeople | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, bank: str | os.PathLike[str], folder: str | os.PathLike[str], how: PeopleSettings
    ) -> "PeopleJob":
        """The job of a bank and a folder of tastes, both as they are now."""
        job = cls(Place.of(bank), str(Path(folder).absolute()), how, {}, 0)
        model = job.model
        about = model.bank.reference
        job.people = len(model.people)
        job.settings = {
            "model": "linear",
            "bank": about.base_fingerprint,
            "vectors": dict(about.vectors),
            "directions": about.directions,
            "bank_revision": job.bank.revision,
            "people": model.people.fingerprint,
            "num_people": len(model.people),
            "top": None if how.table else how.top,
            "table": how.table,
            "slopes": how.slopes,
            "precision": str(model.dtype).removeprefix("torch."),
            "batch_size": how.batch_size,
            "device": model.scorer.device.type,
            "decoding": DECODING,
            "column": how.column,
        }
        return job

    @property
    def schema(self) -> pa.Schema:
        """Of the outputs: the best photos, or one row of U scores for each photo."""
        if self.how.table is None:
            return TOP
        scores = pa.list_(TABLES[self.how.table], self.people)
        return pa.schema([("photo", pa.string()), ("scores", scores), ("error", pa.string())])

    @property
    def model(self) -> LinearPeople:
        """Loaded once in each process.

        Raises:
            ScorerError: bank or tastes are not those of the run.
        """
        if self._model is None:
            self.bank.check()
            bank = TaskVectorBank.from_pretrained(self.bank.name, revision=self.bank.revision)
            people = People.below(self.folder, bank)
            if self.settings and people.fingerprint != self.settings["people"]:
                raise ScorerError(
                    f"the tastes in {self.folder} were changed since this run began. Start again, "
                    "and leave them alone until the end."
                )
            self._model = LinearPeople(bank, people, self.how)
        return self._model

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_model": None}

    def write(self, shard: Shard, writer: ShardWriter, report: ShardReport) -> None:
        """Score the photos of a shard, and write the best or all of them."""
        model = self.model
        best = None if self.how.table else BestPhotos(len(model.people), self.how.top)
        for batch, raw in model.batches(samples_of(shard, self.how.column)):
            self._drop_infinite(batch, raw)
            report.count(batch.names, batch.errors)
            if best is None:
                self._write_all(writer, batch, raw)
            elif batch.rows:
                best.add([batch.names[row] for row in batch.rows], raw)
        if best is not None:
            write_best(writer, model.people, best)
        if model.fitting.largest < self.how.batch_size:
            report.notes["photos_at_once"] = model.fitting.largest

    @staticmethod
    def _drop_infinite(batch: DecodedBatch, raw: np.ndarray) -> None:
        for column, row in enumerate(batch.rows):
            if not np.isfinite(raw[:, column]).all():
                batch.errors[row] = "somebody's score of it is no number"
                raw[:, column] = -np.inf

    def _write_all(self, writer: ShardWriter, batch: DecodedBatch, raw: np.ndarray) -> None:
        assert self.how.table is not None
        kind = np.dtype(self.how.table)
        scores = np.full((len(batch.names), self.people), np.nan, dtype=kind)
        scores[batch.rows] = self.model.people.calibrate(raw).T
        flat = pa.FixedSizeListArray.from_arrays(pa.array(scores.reshape(-1)), self.people)
        writer.add({"photo": batch.names, "scores": flat, "error": batch.errors})


def write_best(writer: ShardWriter, people: People, best: BestPhotos) -> None:
    """One row for each person and photo, person by person, best first."""
    calibrated = people.calibrate(best.scores)
    for person, name in enumerate(people.names):
        good = np.isfinite(best.scores[person])
        raw, places = best.scores[person][good], best.places[person][good]
        writer.add(
            {
                "person": [name] * len(raw),
                "rank": np.arange(1, len(raw) + 1, dtype=np.int32),
                "photo": [best.photos[place] for place in places.tolist()],
                "score": calibrated[person][good].astype(np.float32),
                "raw_score": raw,
            }
        )
