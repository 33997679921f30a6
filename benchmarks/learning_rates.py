"""Which learning rates the baselines that train weights get.

    python benchmarks/learning_rates.py --data OASIS_FOLDER

Fine-tuning and LoRA at several rates, on raters of known taste after those that `known_taste.py`
tests: query-set SROCC, means over these raters, one draw.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from aesthetic_tv.evaluation.case import Case
from aesthetic_tv.evaluation.methods import tuning
from aesthetic_tv.evaluation.photo_pool import DecodedPeople, PhotoPool
from aesthetic_tv.evaluation.rivals import Tuning
from aesthetic_tv.evaluation.splits import Splits, case_seed
from aesthetic_tv.personalization import srocc
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, run_all, show
from known_taste import TESTED, known_taste

RATES = {"all": (1e-5, 1e-4, 5e-4), "lora": (3e-4, 1e-3, 3e-3)}


def quality(cases: list[tuple[Case, np.ndarray]], number: int, settings: Tuning) -> float:
    """SROCC on the query set of one case."""
    case, truth = cases[number]
    return srocc(tuning(case, settings=settings).query, truth)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with images/")
    parser.add_argument("--raters", type=int, default=8)
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--weights", nargs="+", choices=RATES, default=list(RATES))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    began, told = time.perf_counter(), machine()
    bank = TaskVectorBank.from_pretrained("embedded:tiny")
    people = known_taste(options.data / "images", TESTED + options.raters)
    people = people.select([person.name for person in people.persons[TESTED:]])
    decoded = DecodedPeople.of(people, bank.base.config)
    pool = PhotoPool.of(bank, decoded)
    splits = Splits.draw(people, decoded.sha256, decoded.groups, shots=options.shots, trials=1)
    cases = []
    for person in people.persons:
        for shots, draw, split in splits.cases(person.name):
            ratings = person.ratings[split.support]  # of all photos, in their order
            seed = case_seed(0, person.name, shots, draw)
            case = Case(pool, split, ratings, people.scale, np.empty(0), seed)
            cases.append((case, person.ratings[split.query]))
    settings = [Tuning(weights, lr=lr) for weights in options.weights for lr in RATES[weights]]
    jobs = [(number, setting) for number in range(len(cases)) for setting in settings]
    found = run_all(quality, (cases,), jobs, options.workers)
    means = np.reshape(found, (len(people), len(options.shots), len(settings))).mean(0)
    table = Table("weights", "learning rate", *(f"n = {n}" for n in options.shots),
                  box=box.MARKDOWN)  # fmt: skip
    for setting, of_shots in zip(settings, means.T, strict=True):
        table.add_row(setting.weights, f"{setting.lr:g}", *(f"{mean:.3f}" for mean in of_shots))
    show(f"{len(people)} raters\n", table)
    show(f"\n{told}; {(time.perf_counter() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
