"""Scoring for whatever engine hands over batches: Ray Data, Daft, `datasets`, `multiprocessing`."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from aesthetic_tv.errors import SettingError
from aesthetic_tv.scale.columns import column_names, listed, photo_column, photos_of, with_columns
from aesthetic_tv.scale.photo_stream import FittingBatches, Sample, decoded_batches
from aesthetic_tv.scale.pinned import PinnedScorer
from aesthetic_tv.scorer import AestheticScorer, image_processor
from aesthetic_tv.scorer.devices import AUTO


@dataclass(frozen=True)
class ScoredBatch:
    """Consecutive rows that were scored.

    Attributes:
        names: of the n rows.
        scores: float64 (n,), on the scorer's scale; NaN where there is none.
        errors: n reasons; empty where there is a score.
    """

    names: list[str]
    scores: np.ndarray
    errors: list[str]


class ScoreBatch:
    """A callable that scores batches of photos, and can be sent to any worker.

    The scorer is pinned when this is made: a name on the Hub to its commit, a folder to what it
    holds; a worker that finds another one there fails rather than mixes. It is loaded where it is
    first needed, once in each process.

    A photo that cannot be read has the score NaN and its reason beside it. Scores are those of
    `AestheticScorer.score` at the same precision; how an engine cuts its rows into batches can move
    the last digit of a float32, since products are summed in another order.

    Args:
        scorer: a taste or any scorer, as a folder or Hub id; or an `AestheticScorer`, which travels
            with its weights.
        column: with the photos: bytes, paths, PIL images, arrays uint8 (H, W, 3), or `datasets`'
            dicts of bytes and path; found by its name when not given.
        score_column, error_column: that are added, float32 and text.
        bank: of a taste that does not say where its bank is.
        revision: branch, tag or commit on the Hub.
        device: as for `choose_device`: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        dtype: `float32`, `bfloat16` or `float16`; as saved when not given.
        batch_size: photos for each pass; halved, with a warning, where memory does not hold them.
        calibrated: scores on the person's own scale; `False` gives raw scores.
        keep_photos: whether the column of photos is handed on.
        threads: that decode; up to 8 when not given.

    Raises:
        SettingError: a setting that cannot be.
        FormatError: the scorer is neither a folder here nor a Hub id.
        HubError: the Hub refused or failed; see its subclasses.

    Example:
        >>> photos = ray.data.read_parquet("s3://images")
        >>> photos.map_batches(
        ...     ScoreBatch, fn_constructor_kwargs={"scorer": "me/my-taste"}, concurrency=4
        ... )
    """

    def __init__(
        self,
        scorer: "str | os.PathLike[str] | AestheticScorer | PinnedScorer",
        *,
        column: str | None = None,
        score_column: str = "score",
        error_column: str = "error",
        bank: str | os.PathLike[str] | None = None,
        revision: str | None = None,
        device: str = AUTO,
        dtype: str | None = None,
        batch_size: int = 32,
        calibrated: bool = True,
        keep_photos: bool = True,
        threads: int | None = None,
    ):
        for name, value in (("batch_size", batch_size), ("threads", threads)):
            if value is not None and value < 1:
                raise SettingError(f"{name} is {value}; expected 1 or more.")
        if score_column == error_column or column in (score_column, error_column):
            raise SettingError(
                f"columns of photos, scores and errors are {column}, {score_column} and "
                f"{error_column}; expected three names."
            )
        if not isinstance(scorer, PinnedScorer):
            scorer = PinnedScorer.of(
                scorer, bank=bank, revision=revision, device=device, dtype=dtype
            )
        self.pinned = scorer
        self.column, self.score_column, self.error_column = column, score_column, error_column
        self.calibrated, self.keep_photos, self.threads = calibrated, keep_photos, threads
        self.batch_size = batch_size
        self._fitting = FittingBatches(batch_size)

    @property
    def scorer(self) -> AestheticScorer:
        """The scorer; loaded now where it was not."""
        return self.pinned.load()

    @property
    def fitting(self) -> int:
        """Photos of a pass that fits into memory: `batch_size`, or what it was halved to."""
        return self._fitting.largest

    def __call__(self, batch: Any) -> Any:
        """Add scores and errors to a batch.

        Args:
            batch: a dict of arrays or lists, a pyarrow table or record batch, or a pandas frame.

        Returns:
            A batch of the same kind (a table for a record batch), with both columns added.

        Raises:
            SettingError: it is no batch, or lacks the column.
            ScorerError: the scorer cannot be loaded.
        """
        column = photo_column(column_names(batch), self.column)
        scores, errors = self.score_photos(photos_of(batch, column))
        added = {
            self.score_column: scores.astype(np.float32),
            self.error_column: np.array(errors, dtype=object),
        }
        return with_columns(batch, added, without=None if self.keep_photos else column)

    def score_photos(self, photos: Any) -> tuple[np.ndarray, list[str]]:
        """Score a column alone.

        Args:
            photos: a list, an array of objects, an Arrow or Daft column.

        Returns:
            Scores, float64 (n,), NaN where there is none; and n reasons, empty where there is one.
        """
        rows = [Sample(f"photo {i}", photo) for i, photo in enumerate(listed(photos), 1)]
        parts = list(self.score_samples(rows))
        scores = np.concatenate([part.scores for part in parts]) if parts else np.empty(0)
        return scores, [error for part in parts for error in part.errors]

    def score_samples(self, samples: Iterable[Sample]) -> Iterator[ScoredBatch]:
        """Score rows as they come, `batch_size` at a time; never all of them in memory."""
        scorer = self.scorer
        processor = image_processor(scorer.config)
        measure = partial(_raw_scores, scorer)
        for batch in decoded_batches(
            samples, processor, batch_size=self.batch_size, threads=self.threads
        ):
            scores, errors = np.full(len(batch.names), np.nan), batch.errors
            if batch.rows:
                found = self._fitting.run(batch.crops, measure)
                scores[batch.rows] = scorer.calibrate(found) if self.calibrated else found
            for row in batch.rows:
                if not np.isfinite(scores[row]):
                    errors[row] = f"the scorer gave {scores[row]}, which is no score"
                    scores[row] = np.nan
            yield ScoredBatch(batch.names, scores, errors)


def _raw_scores(scorer: AestheticScorer, pixels: Any) -> np.ndarray:
    return scorer.score_pixels(pixels, batch_size=len(pixels))


class ScoreStage:
    """`ScoreBatch` as a stage that an engine sets up in a worker and hands tasks to.

    It follows the documented interface of NeMo Curator's `ProcessingStage` (`name`, `inputs`,
    `outputs`, `setup`, `process`) for tasks whose `data` are objects with `image_data`, an array
    (H, W, 3), or `image_path`; derive from both to put it into a pipeline of theirs.

    Args:
        settings: of `ScoreBatch`.

    Example:
        >>> class PersonalTaste(ScoreStage, ProcessingStage[ImageBatch, ImageBatch]): ...
        >>> pipeline.add_stage(PersonalTaste(scorer="me/my-taste"))
    """

    name = "personal_aesthetic_score"

    def __init__(self, **settings: Any):
        self.score = ScoreBatch(**settings)

    def inputs(self) -> tuple[list[str], list[str]]:
        """What a task and its objects must have."""
        return ["data"], []

    def outputs(self) -> tuple[list[str], list[str]]:
        """What they have afterwards."""
        return ["data"], ["aesthetic_score"]

    def setup(self, worker_metadata: Any = None) -> None:
        """Load the scorer, once in a worker."""
        _ = self.score.scorer

    def process(self, task: Any) -> Any:
        """Give each object its `aesthetic_score`, and in its `metadata` the reason for having
        none.
        """
        photos = [_image_of(item) for item in task.data]
        for item, score, error in zip(task.data, *self.score.score_photos(photos), strict=True):
            item.aesthetic_score = float(score)
            if error:
                item.metadata = {**(getattr(item, "metadata", None) or {}), "score_error": error}
        return task


def _image_of(item: Any) -> Any:
    pixels = getattr(item, "image_data", None)
    return getattr(item, "image_path", None) if pixels is None else pixels
