"""How well the vectors and the bank rank photos that none of them was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aesthetic_tv.building.data import apart_from, cut, spread_rows
from aesthetic_tv.building.journal import digest_of
from aesthetic_tv.building.recipe import EvaluationPart
from aesthetic_tv.building.work import EVALUATION_FOLDER, Work
from aesthetic_tv.databases import Database
from aesthetic_tv.errors import DatabaseError
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.evaluation.protocol import Protocol
from aesthetic_tv.evaluation.results import card_figures
from aesthetic_tv.evaluation.running import evaluate
from aesthetic_tv.files import FORMAT_VERSION, read_config, write_json
from aesthetic_tv.finetuning.photos import DECODERS, DecodedCrops
from aesthetic_tv.finetuning.validation import Agreement
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.devices import choose_device
from aesthetic_tv.task_vectors import TaskVectorBank

HELD_OUT, PEOPLE = "held_out.json", "people.json"
EVALUATIONS = f"{EVALUATION_FOLDER}/{PEOPLE}"
ALL = "bank"  # the name of the generic scorer of the whole bank
BATCH = 64
FOLDER_KEY = 12  # digits of what a people's evaluation belongs to


def held_out(work: Work, bank: TaskVectorBank, part: EvaluationPart) -> dict[str, Any]:
    """SROCC and PLCC of each single model and of the bank on each database's test part.

    Returns:
        By database, by model: `srocc`, `plcc`, `n`.
    """
    crops: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in work.trained():
        if not work.recipe.of(name).pictures:
            found = _test_photos(work.database(name), bank, part.most)
            if found is not None:
                crops[name] = found
    told: dict[str, dict[str, Any]] = {name: {} for name in crops}
    models = (*bank.names, ALL)
    for number, model in enumerate(models):
        work.tell("held-out photos", number, len(models))
        scorer: Any = bank.generic_scorer() if model == ALL else bank.task_scorer(model)
        scorer.to(choose_device())
        for name, (pixels, truth) in crops.items():
            agreement = Agreement.of(_scores(scorer, pixels), truth)
            told[name][model] = {k: round(x, 4) for k, x in vars(agreement).items()}
    work.tell("held-out photos", len(models), len(models))
    return told


def _test_photos(
    database: Database, bank: TaskVectorBank, most: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Crops and scores of at most so many test photos; `None` where there are fewer than two."""
    try:
        test = database.split("test")
    except DatabaseError:
        return None
    rows = spread_rows(len(test), most)
    crops, failed = DecodedCrops(test.table, bank.base.config).attempt(rows, DECODERS)
    good = np.setdiff1d(np.arange(len(rows)), list(failed))
    return (crops[good], test.scores[rows[good]]) if len(good) > 1 else None


def _scores(scorer: AestheticScorer, crops: np.ndarray) -> np.ndarray:
    parts = [
        scorer.score_pixels(scorer.normalize(crops[start : start + BATCH]))
        for start in range(0, len(crops), BATCH)
    ]
    return np.concatenate(parts)


@dataclass(frozen=True)
class PeopleFigures:
    """What was found of people.

    Attributes:
        figures: as `TaskVectorBank.evaluations` has them.
        skipped: why there are none of a database.
    """

    figures: list[dict[str, Any]]
    skipped: dict[str, str]


def people_figures(
    work: Work, bank: TaskVectorBank, part: EvaluationPart, names: list[str], key: str
) -> PeopleFigures:
    """What `aesthetic-tv evaluate` finds of people whose single scores are there.

    Args:
        work: the build.
        bank: that is evaluated.
        part: how much.
        names: of databases; one with too few people or ratings is skipped.
        key: of the step; an evaluation of another bank is not gone on with.
    """
    found = PeopleFigures([], {})
    trained = [work.database(n) for n in work.trained() if not work.recipe.of(n).pictures]
    for name in names:
        folder = work.folder / EVALUATION_FOLDER / f"{name}-{key[:FOLDER_KEY]}"
        try:
            whole = cut(work.database(name, people=True), part.split)
            people = People.of(apart_from(whole, trained)[0])
            protocol = Protocol(
                shots=part.shots,
                trials=part.trials,
                methods=part.methods,
                people=min(part.limit, len(people)),
            )
            results = evaluate(bank, people, protocol, folder, progress=work.tell)
        except DatabaseError as error:  # too few people, or too few ratings of them
            found.skipped[name] = str(error)
            continue
        found.figures.extend(card_figures(results, bank))
    return found


def save_figures(
    work: Work, told: Mapping[str, Any], figures: list[dict[str, Any]]
) -> dict[str, str]:
    """Write both; returns their digests."""
    folder = work.folder / EVALUATION_FOLDER
    version = {"format_version": FORMAT_VERSION}
    write_json(folder / HELD_OUT, version | {"databases": dict(told)})
    write_json(folder / PEOPLE, version | {"figures": figures})
    paths = [f"{EVALUATION_FOLDER}/{name}" for name in (HELD_OUT, PEOPLE)]
    return {path: digest_of(work.folder / path) or "" for path in paths}


def people_figures_of(path: Path) -> list[dict[str, Any]]:
    """The figures of people that `save_figures` wrote."""
    return list(read_config(path.parent, path.name)["figures"])
