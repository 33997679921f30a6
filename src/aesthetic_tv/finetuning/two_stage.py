"""Fine-tune a scorer on one database: first the head on the frozen tower, then everything.

Paper section 4.1: the head alone would otherwise drag a random gradient through the tower. Where a
database is split into several tasks (section 5.3), they share the head stage.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration

from aesthetic_tv.databases import SPLITS
from aesthetic_tv.errors import SettingError
from aesthetic_tv.finetuning.checkpoint import RunFolder, Tensors
from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.head_stage import embed, train_head
from aesthetic_tv.finetuning.log import Line
from aesthetic_tv.finetuning.losses import Loss, parse_loss
from aesthetic_tv.finetuning.photos import Examples
from aesthetic_tv.finetuning.progress import Progress, silent
from aesthetic_tv.finetuning.targets import targets
from aesthetic_tv.finetuning.tower_stage import TowerStage
from aesthetic_tv.finetuning.validation import Agreement, validate
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.devices import own_randomness
from aesthetic_tv.task_vectors.task_vector import base_fingerprint, with_layers

PROJECT = "aesthetic-tv"  # of trackers
Grouping: TypeAlias = Callable[[np.ndarray], Sequence[str | None]]  # embeddings (n, D) to labels


@dataclass(frozen=True)
class Finetuned:
    """What came out of fine-tuning on one task.

    Attributes:
        scorer: in evaluation mode; its scores are on the scale of the bins.
        name: of the task; empty where the database is one task.
        lines: of the log, both stages.
        best_epoch: of the second stage, whose weights these are; 0 is the head stage alone.
        steps: optimizer steps of the second stage.
        validation, test: agreement on those parts, where there are such.
        num_photos: by split.
        num_processes, mixed_precision, seconds: of the run.
    """

    scorer: AestheticScorer = field(repr=False)
    name: str
    lines: tuple[Line, ...] = field(repr=False)
    best_epoch: int
    steps: int
    validation: Agreement | None
    test: Agreement | None
    num_photos: Mapping[str, int]
    num_processes: int
    mixed_precision: str
    seconds: float


@dataclass(frozen=True)
class Run:
    """How a fine-tuning is run, apart from what comes out of it.

    Args:
        folder: where its state is kept, so that it can be resumed; nowhere when `None`.
        resume: go on from that state where there is one.
        facts: what else decides the result, checked when it is resumed.
        progress: told how far it is, in the main process.
        log_with: trackers, as for `accelerate.Accelerator`.
    """

    folder: RunFolder | None = None
    resume: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = silent
    log_with: Any = None


def finetune(
    base: AestheticScorer,
    crops: np.ndarray,
    scores: np.ndarray,
    config: FinetuneConfig | None = None,
    *,
    progress: Progress = silent,
) -> AestheticScorer:
    """Fine-tune a copy of the base on scored photos that are in memory; nothing is held out.

    Args:
        base: stays as it is.
        crops: uint8 (n, 3, H, W), as by `load_crops`; may be a memory map.
        scores: (n,) on the database's own scale.
        config: settings.
        progress: called with stage, steps done and steps in all.

    Returns:
        The fine-tuned scorer, in evaluation mode; its scores are on the scale of the bins.

    Raises:
        SettingError: scores that are not n finite numbers within the score range, or all equal.
        DivergedError: the loss is not a finite number any more.
    """
    config = config or FinetuneConfig()
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(crops),):
        raise SettingError(f"expected {len(crops)} scores, one per photo, got {scores.shape}.")
    examples = Examples(crops, targets(scores, config.score_range, base.config.bin_values))
    split = np.full(len(crops), "train")
    loss = parse_loss("mse" if config.loss == "auto" else config.loss)
    (result,) = finetune_examples(base, examples, split, loss, config, Run(progress=progress))
    return result.scorer


def finetune_examples(
    base: AestheticScorer,
    examples: Examples,
    split: np.ndarray,
    loss: Loss,
    config: FinetuneConfig,
    run: Run,
    *,
    grouping: Grouping | None = None,
    unreadable: Callable[[Sequence[int]], None] = lambda rows: None,
) -> list[Finetuned]:
    """Fine-tune copies of the base, one for each task.

    Args:
        base: stays as it is.
        examples: all photos, with their targets.
        split: (n,) `train`, `validation` or `test` for each; another word leaves a photo out.
        loss: what is made small.
        config: settings.
        run: where and how.
        grouping: tells the task of each photo, `None` for none of them, from the base's embeddings;
            without it all are one task.
        unreadable: told the rows of photos that are left out since they cannot be decoded.

    Returns:
        One result for each task, by name.

    Raises:
        SettingError: a task with less than two photos to train on.
        ResumeError: the run to resume has other settings; they are listed.
        DivergedError: a loss is not a finite number any more; what was saved last stays.
        OutputError: a state could not be written; the one before stays.
    """
    with _accelerated(config, run.log_with) as accelerator:
        if not accelerator.is_main_process:
            run = replace(run, progress=silent)
            run = replace(run, folder=run.folder and replace(run.folder, writes=False))
        _open(run, base, config, accelerator)
        scorer = with_layers(base, lambda _, layer: layer).float()
        embeds, broken = _embeddings(scorer, examples, accelerator, config, run)
        unreadable(broken)
        usable = np.isin(split, SPLITS) & ~np.isin(np.arange(len(examples)), broken)
        tasks = _tasks(usable, None if grouping is None else grouping(embeds.numpy()))
        whole = _parts(examples, split, np.flatnonzero(usable), "the database")
        lines = _head_stage(scorer, embeds, whole, loss, config, accelerator, run)
        parts = {name: _parts(examples, split, rows, name) for name, rows in tasks.items()}
        return [
            _one_task(base, scorer, name, part, number, lines, loss, config, accelerator, run)
            for number, (name, part) in enumerate(parts.items())
        ]


@contextmanager
def _accelerated(config: FinetuneConfig, log_with: Any) -> Iterator[Accelerator]:
    """An accelerator of these settings; the process is left as it was, its random state too."""
    was_there = bool(AcceleratorState._shared_state)
    loaders = DataLoaderConfiguration(
        split_batches=True,  # a batch is a batch, on however many processes
        use_seedable_sampler=True,
        data_seed=config.seed,
        non_blocking=True,
    )
    try:
        accelerator = Accelerator(
            gradient_accumulation_steps=config.accumulation,
            mixed_precision=config.mixed_precision,
            dynamo_backend=config.compile,
            dataloader_config=loaders,
            log_with=log_with,
        )
    except ValueError as error:
        raise SettingError(f"accelerate refuses these settings here: {error}") from error
    if log_with is not None:
        accelerator.init_trackers(PROJECT, config=config.that_changes_the_result())
    try:
        with own_randomness(accelerator.device):
            yield accelerator
        # Not `end_training`, which also takes the processes apart.
        for tracker in accelerator.trackers:
            tracker.finish()
    finally:
        accelerator.free_memory()
        if not was_there:
            AcceleratorState._reset_state(reset_partial_state=False)


def _open(run: Run, base: AestheticScorer, config: FinetuneConfig, accelerator) -> None:
    """Begin the run's folder, or check that it can go on from it."""
    if run.folder is None:
        return
    facts = {"config": config.that_changes_the_result(), "base": base_fingerprint(base)}
    facts |= run.facts
    resumes = run.resume and run.folder.exists
    accelerator.wait_for_everyone()  # all have looked before the main process writes
    if resumes:
        run.folder.check(facts)
    else:
        run.folder.begin(facts)
    accelerator.wait_for_everyone()


def _embeddings(
    scorer: AestheticScorer, examples: Examples, accelerator, config: FinetuneConfig, run: Run
) -> tuple[torch.Tensor, list[int]]:
    """The base's embeddings (n, D), and the rows that could not be decoded."""
    saved = run.folder.load("embeddings") if run.folder is not None else None
    if saved is not None:
        return saved[0]["embeddings"], saved[1]["unreadable"]
    embeds, broken = embed(scorer, examples, accelerator, config.workers, run.progress)
    if run.folder is not None:
        run.folder.save("embeddings", {"embeddings": embeds}, {"unreadable": broken})
    return embeds, broken


def _head_stage(
    scorer: AestheticScorer, embeds, parts, loss, config: FinetuneConfig, accelerator, run: Run
) -> list[Line]:
    """Train the scorer's head in place; the lines of the log."""
    saved = run.folder.load("head") if run.folder is not None else None
    if saved is not None:
        scorer.head.load_state_dict(saved[0])
        return [Line(**line) for line in saved[1]["log"]]
    train, validation, _ = parts
    head: Any
    head, lines = train_head(
        scorer, embeds, train, validation, loss, config, accelerator, run.progress
    )
    scorer.head = head
    scorer.cpu()
    if run.folder is not None:
        state = {"log": [line.values() for line in lines]}
        run.folder.save("head", scorer.head.state_dict(), state)
    return lines


def _tasks(usable: np.ndarray, labels: Sequence[str | None] | None) -> dict[str, np.ndarray]:
    """The rows of each task, by name."""
    if labels is None:
        return {"": np.flatnonzero(usable)}
    of_row = np.array(["" if label is None else str(label) for label in labels])
    names = sorted(set(of_row[usable]) - {""})
    if not names:
        raise SettingError("no photo belongs to any task; check the column to split by.")
    return {name: np.flatnonzero(usable & (of_row == name)) for name in names}


def _parts(examples: Examples, split: np.ndarray, rows: np.ndarray, what: str):
    """Examples to train, validate and test on; the latter `None` with less than two photos."""
    parts = [rows[split[rows] == name] for name in SPLITS]
    if len(parts[0]) < 2:
        raise SettingError(
            f"{what or 'the database'} has {len(parts[0])} photos to train on; expected two or "
            "more. Join small tasks, or give fewer clusters."
        )
    train, *held_out = (examples.select(part) if len(part) > 1 else None for part in parts)
    return train, *held_out


def _one_task(
    base, start, name: str, parts, number: int, lines, loss, config, accelerator, run: Run
) -> Finetuned:
    """The second stage of one task, from a start that all tasks share."""
    began = time.perf_counter()
    train, validation, test = parts
    folder = None if run.folder is None else run.folder.part(number)
    scorer = copy.deepcopy(start)
    stage = TowerStage(scorer, train, validation, loss, config, accelerator, folder, run.progress)
    stage.run()
    accelerator.free_memory()
    tuned = _with(base, stage.best.layers)
    tested = None
    if test is not None:
        size = config.batch_size + -config.batch_size % accelerator.num_processes
        device = accelerator.device
        tested = validate(tuned.to(device), test, accelerator, size, config.workers)
    sizes = {key: 0 if part is None else len(part) for key, part in zip(SPLITS, parts, strict=True)}
    return Finetuned(
        scorer=tuned.cpu().eval(),
        name=name,
        lines=(*lines, *stage.lines),
        best_epoch=stage.best.epoch,
        steps=stage.step,
        validation=stage.best.agreement,
        test=tested,
        num_photos=sizes,
        num_processes=accelerator.num_processes,
        mixed_precision=accelerator.mixed_precision,
        seconds=time.perf_counter() - began,
    )


def _with(base: AestheticScorer, layers: Tensors) -> AestheticScorer:
    return with_layers(base, lambda name, _: layers[name])
