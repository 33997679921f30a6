"""The evaluation: people x shots x draws x methods; what was done before is not done again."""

import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from aesthetic_tv.errors import OutputError, ResumeError, SettingError
from aesthetic_tv.evaluation.case import Answer, Case
from aesthetic_tv.evaluation.methods import Method, methods_named
from aesthetic_tv.evaluation.metrics import calibration_error, measure
from aesthetic_tv.evaluation.people import People, Person, enough
from aesthetic_tv.evaluation.photo_pool import DecodedPeople, PhotoPool, Progress
from aesthetic_tv.evaluation.protocol import Protocol as Protocol
from aesthetic_tv.evaluation.results import (
    CONFIG,
    PersonFile,
    Results,
    read_evaluation,
    write_config,
)
from aesthetic_tv.evaluation.splits import FILE as SPLITS_FILE
from aesthetic_tv.evaluation.splits import Split, Splits, case_seed
from aesthetic_tv.files import replaceable
from aesthetic_tv.personalization.calibration import fit_calibration
from aesthetic_tv.processes import joined
from aesthetic_tv.task_vectors import TaskVectorBank
from aesthetic_tv.version import __version__

SAVED_EVERY = 10.0  # seconds of work that a kill may lose
LIBRARIES = ("torch", "transformers", "numpy", "scipy")
# What may differ when an evaluation is gone on with.
CIRCUMSTANCES = (
    *("format_version", "kind", "methods", "slow_people", "slow_trials"),
    *("machine", "num_processes", "versions", "facts", "data"),
)


def evaluate(
    bank: TaskVectorBank,
    people: People | DecodedPeople,
    protocol: Protocol,
    folder: Path,
    *,
    splits: Splits | None = None,
    facts: Mapping[str, Any] | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Results:
    """Evaluate methods on people, and keep all of it in a folder.

    A folder that holds the same evaluation is gone on with: fits that are there are not made again,
    methods may be added. Under `accelerate launch` or `torchrun` the people are shared out among
    the processes.

    Args:
        bank: the task vectors.
        people: their photos are decoded where they are not yet; those that cannot be are left out.
        protocol: who, how much, how often, how.
        folder: to write to.
        splits: of a file, instead of drawn ones; their shots, trials and people count.
        facts: what else to note down in the config.
        progress: called with (stage, done, total).

    Raises:
        SettingError: an unknown method; or splits of a file beside a named protocol, which has
            them drawn.
        DatabaseError: too few people, or too few ratings.
        OverlapError: splits that leak.
        FormatError: splits of other photos or people.
        ResumeError: the folder holds another evaluation; the differences are listed.
        OutputError: the folder holds something else.
        PhotoError: no photo can be decoded.
    """
    process = joined()
    if splits is not None and protocol.protocol is not None:
        raise SettingError(
            f"the protocol {protocol.protocol} draws its splits; leave those of the file out, or "
            "name no protocol."
        )
    methods = methods_named(protocol.methods, bank)
    if isinstance(people, People):
        progress("photos", 0, 1)
        people = DecodedPeople.of(people, bank.base.config)
    known = people.people
    if splits is None:
        chosen = enough(known, protocol).sample(protocol.people, protocol.seed)
        splits = Splits.draw(chosen, people.sha256, people.groups, shots=protocol.shots,
                             trials=protocol.trials, seed=protocol.seed, query=protocol.query,
                             least_query=protocol.least_query)  # fmt: skip
    splits.check(known, people.sha256, people.groups)
    config = _config(bank, known, protocol, splits, methods) | {"facts": dict(facts or {})}
    if process.is_main_process:
        _open(folder, config)
        splits.save(folder / SPLITS_FILE)
    with process.main_process_first():
        pool = PhotoPool.of(bank, people, folder=folder, progress=progress)
    work = _Work(pool, known, splits, methods, protocol, folder)
    mine = list(splits.of_person)[process.process_index :: process.num_processes]
    for number, name in enumerate(mine):
        progress("people", number, len(mine))
        work.person(name)
    progress("people", len(mine), len(mine))
    process.wait_for_everyone()
    return Results.load(folder)


@dataclass(frozen=True, eq=False)
class _Work:
    """All that is the same for everyone."""

    pool: PhotoPool
    people: People
    splits: Splits
    methods: Mapping[str, Method]
    protocol: Protocol
    folder: Path
    others: Mapping[str, np.ndarray] = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "others", self.people.means_of_others())

    def person(self, name: str) -> None:
        """All fits of one person that are not there yet."""
        person = next(person for person in self.people.persons if person.name == name)
        found = PersonFile.load(self.folder, name)
        done, saved, added = found.done, time.monotonic(), False
        for shots, draw, split in self.splits.cases(name):
            case = self._case(person, shots, draw, split)
            for method in self._wanted(name, draw):
                if (shots, draw, method.name) in done:
                    continue
                self._fit(found, person, case, method, shots, draw)
                added = True
                if time.monotonic() - saved > SAVED_EVERY:
                    found.save(self.folder)
                    saved = time.monotonic()
        if added:
            found.save(self.folder)

    def _wanted(self, name: str, draw: int) -> Iterator[Method]:
        first = list(self.splits.of_person)[: self.protocol.slow_people]
        trials = self.protocol.slow_trials
        slow = name in first and (trials is None or draw < trials)
        return (method for method in self.methods.values() if slow or not method.slow)

    def _case(self, person: Person, shots: int, draw: int, split: Split) -> Case:
        return Case(
            self.pool,
            split,
            _ratings(person, split.support),
            self.people.scale,
            self.others[person.name],
            case_seed(self.protocol.seed, person.name, shots, draw),
        )

    def _fit(
        self, found: PersonFile, person: Person, case: Case, method: Method, shots: int, draw: int
    ) -> None:
        began = time.perf_counter()
        answer = method.answer(case)
        seconds = time.perf_counter() - began
        figures = _figures(answer, case, _ratings(person, case.split.query))
        fit = {"shots": shots, "draw": draw, "method": method.name, "seconds": round(seconds, 5)}
        found.fits.append(fit | figures)
        if draw == 0:
            rounded = [float(f"{score:.6g}") for score in answer.query]
            found.scores.setdefault(str(shots), {})[method.name] = rounded
        if answer.coefficients is not None:
            layout = case.pool.bank.layout
            weights = layout.split(answer.coefficients.reshape(-1))[0].mean(axis=0)
            of_shots = found.weights.setdefault(method.name, {}).setdefault(str(shots), [])
            of_shots.append([round(float(weight), 6) for weight in weights])


def _figures(answer: Answer, case: Case, truth: np.ndarray) -> dict[str, float | None]:
    """All metrics; `None` for a calibration that nothing can be calibrated by."""
    figures: dict[str, float | None] = {**measure(answer.query, truth)}
    calibration = fit_calibration(answer.support, case.ratings, case.scale)
    figures["calibration_error"] = None
    if calibration is not None:
        error = calibration_error(calibration(answer.query), truth, case.scale)
        figures["calibration_error"] = error
    return {name: None if x is None else round(float(x), 6) for name, x in figures.items()}


def _ratings(person: Person, rows: np.ndarray) -> np.ndarray:
    """The person's ratings of some of the photos, which are among those rated."""
    order = np.argsort(person.rows)
    return person.ratings[order[np.searchsorted(person.rows, rows, sorter=order)]]


def _config(
    bank: TaskVectorBank,
    people: People,
    protocol: Protocol,
    splits: Splits,
    methods: Mapping[str, Method],
) -> dict[str, Any]:
    population = bank.population
    return {
        **asdict(protocol),
        "shots": list(protocol.shots),
        "methods": list(methods),
        "database": people.database,
        "data": people.data,
        "kind": _kind(bank, people.database),
        "scale": list(people.scale),
        "num_photos": len(people.photos),
        "num_people": len(splits.of_person),
        "left_out": {"people": len(splits.left_out), "photos": len(people.problems)},
        "splits_sha256": splits.digest,
        "bank": asdict(bank.reference),
        "population": None if population is None else dict(population.learned_from),
        "num_processes": joined().num_processes,
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": {"aesthetic_tv": __version__, "python": platform.python_version()}
        | {name: version(name) for name in LIBRARIES},
    }


def _kind(bank: TaskVectorBank, database: str) -> str:
    """Whether a vector of the bank was learned from the people's own database."""
    known = [vector.database.get("id") for vector in bank.vectors]
    if database in known:
        return "intra-database"
    return "cross-database" if all(known) else "unknown: a vector does not say its database"


def _open(folder: Path, config: dict[str, Any]) -> None:
    """Begin a folder, or go on with the same evaluation.

    Raises:
        OutputError: it holds something else.
        ResumeError: it holds another evaluation.
    """
    if folder.exists() and not replaceable(folder, CONFIG):
        raise OutputError(
            f"{folder} exists and holds no {CONFIG}; it is left alone. Name another folder."
        )
    if (folder / CONFIG).exists():
        before = read_evaluation(folder)
        changed = [
            f"  {key}: {before.get(key)!r} there, {value!r} now"
            for key, value in config.items()
            if key not in CIRCUMSTANCES and before.get(key) != value
        ]
        if changed:
            raise ResumeError(
                f"{folder} holds another evaluation; name another folder, or go on with the same "
                "settings:\n" + "\n".join(changed)
            )
        config["methods"] = list(dict.fromkeys([*before["methods"], *config["methods"]]))
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, config)
