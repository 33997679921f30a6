"""Scoring a folder of photos into one table, which an interruption costs no more than a batch."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aesthetic_tv.errors import SettingError
from aesthetic_tv.names import written

from .images import load_batches
from .journal import BatchResult, Journal, header
from .modeling_aesthetic_scorer import AestheticScorer
from .photo_files import SUFFIXES as SUFFIXES
from .photo_files import PhotoFiles, Source
from .photo_files import find_photos as find_photos
from .processors import image_processor
from .score_table import FORMATS as FORMATS
from .score_table import ScoredPhoto as ScoredPhoto
from .score_table import check_output as check_output
from .score_table import ranked, write_scores

DIGITS = 6  # of a score in the table; float32 holds no more


@dataclass(frozen=True)
class ScoreReport:
    """What `score_folder` did.

    Attributes:
        out: the table that was written.
        rows: one for each photo, sorted by path.
        num_resumed: photos whose result was taken from an interrupted run.
        left_out: photos of kinds that cannot be read here and folders that cannot be opened, in a
            sentence; empty when there are none.
    """

    out: Path
    rows: list[ScoredPhoto] = field(repr=False)
    num_resumed: int = 0
    left_out: str = ""

    @property
    def skipped(self) -> dict[str, str]:
        """Why each skipped photo has no score."""
        return {row.photo: row.skipped for row in self.rows if row.skipped}

    @property
    def ranking(self) -> list[ScoredPhoto]:
        """The scored photos from best to worst."""
        return ranked(self.rows)


def score_folder(
    scorer: AestheticScorer,
    photos: Source,
    out: str | os.PathLike[str],
    *,
    batch_size: int = 32,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreReport:
    """Score photos into a table with the columns photo, score, rank and skipped.

    Photos that cannot be read are skipped and named; those of a kind that cannot be read here have
    no row and are counted in `left_out`. The table appears whole or not at all; until
    then a journal beside it, `.NAME.progress.jsonl`, keeps every finished batch. A resumed run
    scores the same batches as an uninterrupted one and writes the same bytes.

    Args:
        scorer: in evaluation mode afterwards; runs on the device it is on.
        photos: a folder, or files.
        out: .csv, .parquet or .json.
        batch_size: photos for each pass through the tower.
        resume: go on from the journal where there is one; else start anew.
        overwrite: whether an existing `out` may be replaced; it stays until the new one is whole.
        progress: called with (photos done, photos in all) at the start and after every batch.

    Raises:
        PhotoError: the folder is missing or holds no photos.
        OutputError: `out` exists, cannot be written, has another suffix, or the journal belongs
            to another run.
        SettingError: `batch_size` below 1.
    """
    if batch_size < 1:
        raise SettingError(f"batch_size is {batch_size}; expected 1 or more.")
    out = Path(out)
    check_output(out, overwrite)
    files = None if not isinstance(photos, str | os.PathLike) else PhotoFiles.below(photos)
    paths = find_photos(photos) if files is None else files.photos
    names = _names(paths, photos)
    scorer.eval()
    journal = Journal(out, header(scorer, names, paths, batch_size))
    results = journal.open(resume=resume)
    num_resumed = sum(len(result) for result in results)
    with journal:
        if progress is not None:
            progress(num_resumed, len(paths))
        processor = image_processor(scorer.config)
        for batch in load_batches(paths[num_resumed:], processor, batch_size=batch_size):
            skipped = {
                num_resumed + index: str(failure).removeprefix(f"{paths[num_resumed + index]}: ")
                for index, failure in batch.failures.items()
            }
            raw = (
                scorer.score_pixels(batch.crops, batch_size=batch_size)
                if batch.indices
                else np.empty(0)
            )
            indices = [num_resumed + index for index in batch.indices]
            results.append(BatchResult(dict(zip(indices, raw.tolist(), strict=True)), skipped))
            journal.add(results[-1])
            if progress is not None:
                progress(num_resumed + _done(batch), len(paths))
    rows = _rows(scorer, names, results)
    write_scores(out, rows)
    journal.remove()
    return ScoreReport(out, rows, num_resumed, "" if files is None else files.note)


def score_photos(
    scorer: AestheticScorer,
    photos: Sequence[Path],
    *,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> list[ScoredPhoto]:
    """As `score_folder`, of files and without a table: one row for each, by its path as given.

    Args:
        scorer: in evaluation mode afterwards; runs on the device it is on.
        photos: paths.
        batch_size: photos for each pass.
        progress: called with (photos done, photos in all).
    """
    raw, failures = scorer.score_readable(
        photos, batch_size=batch_size, calibrated=False, progress=progress
    )
    skipped = {i: str(error).removeprefix(f"{photos[i]}: ") for i, error in failures.items()}
    found = {i: float(score) for i, score in enumerate(raw) if i not in skipped}
    names = [written(str(path)) for path in photos]
    return _rows(scorer, names, [BatchResult(found, skipped)])


def _names(paths: list[Path], photos: Source) -> list[str]:
    """Paths relative to the folder, or to the folder that all files share."""
    if isinstance(photos, str | os.PathLike):
        root = Path(photos)
    else:
        root = Path(os.path.commonpath([path.absolute().parent for path in paths]))
        paths = [path.absolute() for path in paths]
    return [written(path.relative_to(root).as_posix()) for path in paths]


def _done(batch) -> int:
    return 1 + max([*batch.indices, *batch.failures])


def _rows(
    scorer: AestheticScorer, names: list[str], results: list[BatchResult]
) -> list[ScoredPhoto]:
    raw = {index: score for result in results for index, score in result.scores.items()}
    skipped = {index: reason for result in results for index, reason in result.skipped.items()}
    for index in [index for index, score in raw.items() if not np.isfinite(score)]:
        skipped[index] = f"the scorer gave {raw.pop(index)}, which is no score."
    # By raw score: calibration is flat beyond its last knots, where the best photos would all tie.
    order = sorted(raw, key=lambda index: (-raw[index], names[index]))
    ranks = {index: rank for rank, index in enumerate(order, 1)}
    calibrated = scorer.calibrate(np.array([raw[index] for index in order], dtype=np.float64))
    scores = {i: round(float(score), DIGITS) for i, score in zip(order, calibrated, strict=True)}
    return [
        ScoredPhoto(name, scores.get(index), ranks.get(index), skipped.get(index, ""))
        for index, name in enumerate(names)
    ]
