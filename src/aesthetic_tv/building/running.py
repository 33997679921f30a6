"""Running a plan: each step that is not done, those that do not need a failed one first to last.

Only the main process of a launcher decides and writes; the others join it where vectors are
trained by all of them together.
"""

import logging
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from aesthetic_tv.building import figures, steps
from aesthetic_tv.building.estimates import passes
from aesthetic_tv.building.journal import JOURNAL, Entry, Journal
from aesthetic_tv.building.obtaining import check_terms, obtain
from aesthetic_tv.building.outcome import DONE, FAILED, KEPT, LEFT_OUT, WAITING, Outcome
from aesthetic_tv.building.plan import EVALUATE, KINDS, Plan, Step
from aesthetic_tv.building.recipe import Recipe
from aesthetic_tv.building.report import write_report
from aesthetic_tv.building.training import (
    APART,
    arrange,
    log_file,
    num_devices,
    train_apart,
    train_together,
)
from aesthetic_tv.building.work import RUNS, BuildSettings, Product, Progress, Work
from aesthetic_tv.errors import (
    AestheticTVError,
    DatabaseError,
    DivergedError,
    OutputError,
    SettingError,
)
from aesthetic_tv.files import FORMAT_VERSION, write_json
from aesthetic_tv.processes import joined

RECIPE, LOCK = "recipe.json", ".lock"
DO: Mapping[str, Callable[[Work, Step], Product]] = {"fetch": obtain, **steps.DO}
# What all processes find alike: it leaves none of them waiting for the others.
IN_ALL_PROCESSES = (DatabaseError, DivergedError, SettingError)
PHOTOS_A_SECOND = 500.0  # of a training, about; only how long a start takes beside it matters
Items: TypeAlias = Sequence[tuple[Step, str]]  # steps with their keys


def build(
    recipe: Recipe,
    origin: Path,
    folder: str | os.PathLike[str],
    settings: BuildSettings | None = None,
    tell: Progress = lambda stage, done, total: None,
) -> Outcome:
    """Make a bank, or go on making it: what is done under the same recipe is not done again.

    Args:
        recipe: what to make.
        origin: folder that the recipe's own paths are relative to.
        folder: of the build: `bank/`, `report.html`, `journal.json`, vectors, logs.
        settings: how.
        tell: called with (stage, done, total).

    Returns:
        What became of each step; one that fails leaves those that do not need it alone.

    Raises:
        SettingError: names that the recipe does not have, or terms that are to be agreed to first.
        OutputError: the folder holds something else, or another build is at work in it.
        FormatError: the journal is damaged.
    """
    settings = settings or BuildSettings()
    folder = Path(folder)
    plan = settings.plan(recipe)
    process = joined()
    if not process.is_main_process:
        _follow(plan, folder, origin, settings, tell)
        return Outcome(plan, folder)
    _check_folder(folder)
    journal = Journal(folder)
    journal.accepted = check_terms(plan, journal.accepted, settings.accept_terms)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        stored = {"format_version": FORMAT_VERSION, "recipe": recipe.as_json()}
        write_json(folder / RECIPE, stored)
        journal.save()
        work = Work(plan, folder, origin, journal, settings, tell)
        try:
            return _Running(work).run()
        finally:
            if process.num_processes > 1:
                broadcast_object_list([None])  # the others may go


def _check_folder(folder: Path) -> None:
    if folder.exists() and not (folder / JOURNAL).exists():
        others = [x for x in folder.iterdir() if x.name != LOCK] if folder.is_dir() else [folder]
        if others and not (folder / RECIPE).exists():
            raise OutputError(
                f"{folder} exists and holds no {JOURNAL}; it is left alone. Name another folder."
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder: a second build in it would undo the first."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise OutputError(f"another build is at work in {folder}; wait for it.") from None


class _Running:
    """One run through a plan."""

    def __init__(self, work: Work):
        self.work, self.plan = work, work.plan
        self.outcome = Outcome(work.plan, work.folder)
        self.digests: dict[str, str] = {}
        names = {step.name for step in self.plan.steps}
        failures = work.journal.failures
        work.journal.failures = {k: x for k, x in failures.items() if k in names}

    def run(self) -> Outcome:
        """Go through all steps."""
        for kind in KINDS:
            of_kind = self.plan.of_kind(kind)
            if kind == "finetune":
                self._finetune(of_kind)
                continue
            for step in of_kind:
                self._step(step)
        write_report(self.work, self.outcome)
        with suppress(OSError):
            (self.work.folder / RUNS).rmdir()  # where no training was stopped
        return self.outcome

    def _kept(self, step: Step, key: str) -> bool:
        """Whether a step is done and whole; then it counts."""
        entry = self.work.journal.done(step.name, key)
        if entry is not None:
            self._count(step, entry, KEPT)
        return entry is not None

    def _count(self, step: Step, entry: Entry, state: str) -> None:
        self.digests[step.name] = entry.digest
        self.outcome.state[step.name] = state
        self.work.done.add(step.name)

    def _ready(self, step: Step) -> bool:
        """Whether all that it needs is there; otherwise it waits, or is left out."""
        missing = [name for name in step.needs if name not in self.digests]
        if not missing:
            return True
        out = all(self.outcome.state.get(name) == LEFT_OUT for name in missing)
        self.outcome.state[step.name] = LEFT_OUT if out else WAITING
        self.outcome.reasons[step.name] = f"it needs {', '.join(missing)}."
        return False

    def _step(self, step: Step) -> None:
        if not self._ready(step):
            return
        key = step.key(self.digests)
        if self._kept(step, key):
            return
        self.work.tell(step.name, 0, 1)
        began = time.perf_counter()
        with _logged(self.work.folder, step.name):
            try:
                product = self._do(step, key)
            except Exception as error:
                self._failed(step, error)
                return
        self._note(step, key, product, began)
        self.work.tell(step.name, 1, 1)

    def _do(self, step: Step, key: str) -> Product:
        if step.kind != EVALUATE:
            return DO[step.kind](self.work, step)
        told = figures.held_out(self.work, steps.bank_of(self.work), self.plan.recipe.evaluation)
        if joined().num_processes > 1:
            broadcast_object_list([(step.name, key, sorted(self.work.done))])
        found = _people_figures(self.work, step, key)
        digests = figures.save_figures(self.work, told, found.figures)
        return Product(digests, {"skipped": found.skipped})

    def _note(self, step: Step, key: str, product: Product, began: float) -> None:
        seconds = round(time.perf_counter() - began, 1)
        entry = Entry(key, product.outputs, product.facts, seconds)
        self.work.journal.note(step.name, entry)
        self._count(step, entry, DONE)

    def _failed(self, step: Step, error: Exception | str) -> None:
        """Write down that a step failed; one that is not required is left out."""
        told = str(error)
        if isinstance(error, Exception):
            if not isinstance(error, AestheticTVError | OSError):
                told = f"{type(error).__name__}: {error}"
            with log_file(self.work.folder, step.name).open("a", encoding="utf-8") as log:
                log.write("".join(traceback.format_exception(error)))
        self.outcome.state[step.name] = FAILED if step.required else LEFT_OUT
        self.outcome.reasons[step.name] = told
        self.work.journal.note_failure(step.name, told)

    # Training

    def _finetune(self, all_steps: Sequence[Step]) -> None:
        """All vectors that can be trained, in the way that is faster."""
        ready = list[tuple[Step, str]]()
        for step in all_steps:
            if self._ready(step):
                key = step.key(self.digests)
                if not self._kept(step, key):
                    ready.append((step, key))
        if not ready:
            return
        for step, key in ready:
            steps.forget_runs(self.work, str(step.subject), keep=key)
        (self.work.folder / RUNS).mkdir(exist_ok=True)
        if joined().num_processes > 1:
            self._train_with_others(ready)
            return
        processes = num_devices(self.work.settings.processes)
        if processes == 1:
            for step, key in ready:
                self._train_here(step, key)
            return
        way = arrange([self._load(step) for step, _ in ready], processes)
        if way.way == APART:
            began = time.perf_counter()
            train_apart(
                self.work,
                ready,
                min(processes, len(ready)),
                lambda step, key, reason: self._end_training(step, key, reason, began),
            )
            return
        for step, key in ready:
            began = time.perf_counter()
            reason = train_together(self.work, step, key, processes)
            self._end_training(step, key, reason, began)

    def _load(self, step: Step) -> float:
        """About the seconds that a training takes on one process, of `PHOTOS_A_SECOND`."""
        part = self.work.recipe.of(str(step.subject))
        photos = self.work.facts(f"prepare {step.subject}").get("photos", 1)
        return passes(photos, self.work.recipe.config_of(part)) / PHOTOS_A_SECOND

    def _train_here(self, step: Step, key: str) -> None:
        began = time.perf_counter()
        with _logged(self.work.folder, step.name):
            try:
                steps.finetune(self.work, step, key)
            except Exception as error:
                if joined().num_processes > 1 and not isinstance(error, IN_ALL_PROCESSES):
                    raise  # the others wait for this one: the launcher ends them
                self._failed(step, error)
                return
        self._end_training(step, key, None, began)

    def _end_training(self, step: Step, key: str, reason: str | None, began: float) -> None:
        if reason is not None:
            self._failed(step, reason)
            return
        try:
            product = steps.finetuned(self.work, step, key)
        except AestheticTVError as error:
            self._failed(step, error)
            return
        self._note(step, key, product, began)
        steps.forget_runs(self.work, str(step.subject))

    def _train_with_others(self, ready: Items) -> None:
        """All processes of the launcher train each vector together."""
        for step, key in ready:
            broadcast_object_list([(step.name, key, sorted(self.work.done))])
            self._train_here(step, key)


def _people_figures(work: Work, step: Step, key: str) -> figures.PeopleFigures:
    """The figures of people, by all processes together."""
    names = [name for name in step.part["people"] if f"prepare {name}" in work.done]
    part = work.recipe.evaluation
    return figures.people_figures(work, steps.bank_of(work), part, names, key)


def _follow(
    plan: Plan, folder: Path, origin: Path, settings: BuildSettings, tell: Progress
) -> None:
    """Take part in what the main process names, until it names nothing."""
    known = {step.name: step for step in plan.steps}
    while True:
        told: list[Any] = [None]
        broadcast_object_list(told)
        if told[0] is None:
            return
        name, key, done = told[0]
        journal = Journal(folder, writes=False)
        work = Work(plan, folder, origin, journal, settings, tell, set(done))
        if known[name].kind == EVALUATE:
            _people_figures(work, known[name], key)
            continue
        with suppress(*IN_ALL_PROCESSES):
            steps.finetune(work, known[name], key, is_main=False)


@contextmanager
def _logged(folder: Path, step: str) -> Iterator[None]:
    """What the library says meanwhile goes to the step's log too."""
    path = log_file(folder, step)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("aesthetic_tv")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
