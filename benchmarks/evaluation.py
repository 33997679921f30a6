"""The methods of `aesthetic-tv evaluate` on real people, and on raters of known taste.

    python benchmarks/evaluation.py people --data OASIS_FOLDER --out FOLDER
    python benchmarks/evaluation.py known-taste --data OASIS_FOLDER --out FOLDER

Real people: 200 of OASIS on a bank of ten (the embedded six; beauty, valence, arousal of the
database half; web pages). The population's centre is learned from mean scores of photos in the
database half that no vector was trained on, its spread from 100 other people. Raters of known
taste: 60, on edited photos, on the embedded bank, with no population. Both go on where they
stopped, and take `torchrun --nproc_per_node`.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from aesthetic_tv.databases import Source, load
from aesthetic_tv.evaluation.people import People, Person
from aesthetic_tv.evaluation.running import Protocol, evaluate
from aesthetic_tv.finetuning import load_crops, normalize
from aesthetic_tv.personalization.linear_model import linearize
from aesthetic_tv.personalization.population import fit_population, learn_spread
from aesthetic_tv.processes import joined
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show
from known_taste import known_taste
from people import extended_bank, held_out_photos

FAST = ("generic", "uniform", "population", "single", "best-fit", "adaptive", "newton", "instant",
        "ridge", "others")  # fmt: skip
SCALE = (1.0, 7.0)  # of the OASIS ratings
TESTED, OTHERS = 200, 100


def oasis_people(data: Path) -> People:
    """All people of OASIS."""
    source = Source("people_ratings.csv", score_range=SCALE, id="OASIS beauty, people half")
    return People.of(load("folder", data, source=source))


def oasis_bank(data: Path, people: People, folder: Path) -> TaskVectorBank:
    """The bank of ten with its population, made once."""
    if not folder.exists():
        pages = data.parent / "webpages_lab_in_the_wild"
        bank = extended_bank(TaskVectorBank.from_pretrained("embedded:tiny"), data, pages)
        tower = bank.base.config.tower
        photos, scores = held_out_photos(data)
        population = fit_population(bank, normalize(load_crops(photos, tower)), scores)
        pixels = normalize(load_crops(people.photos, tower))
        centre = linearize(bank, pixels, population.centre.double().numpy(), torch.float32)
        others = people.sample(TESTED + OTHERS, 0).persons[TESTED:]
        prior = learn_spread(centre, {x.name: (x.rows, x.ratings) for x in others})
        bank.population = replace(population, layer_variance=prior.layer, task_variance=prior.task)
        bank.save_pretrained(folder)
    return TaskVectorBank.from_pretrained(str(folder))


def simulated(data: Path, count: int) -> People:
    """Raters of known taste as people."""
    photos, raters = known_taste(data / "images", count)
    names = tuple(f"edited {i:03d}" for i in range(len(photos)))
    persons = tuple(Person(rater.name, rater.rows, rater.ratings) for rater in raters)
    return People(tuple(photos), names, persons, (1.0, 5.0), "raters of known taste")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", choices=("people", "known-taste"))
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with images/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=list(FAST))
    parser.add_argument("--people", type=int, default=TESTED)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--slow-people", type=int, default=20)
    parser.add_argument("--slow-trials", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    process = joined()
    methods = list(options.methods)
    with process.main_process_first():
        if options.world == "people":
            people = oasis_people(options.data)
            bank = oasis_bank(options.data, people, options.out.with_name("oasis-bank"))
        else:
            people = simulated(options.data, 60)
            bank = TaskVectorBank.from_pretrained("embedded:tiny")
            methods = [name for name in methods if name != "population"]
    protocol = Protocol(
        tuple(options.shots),
        options.trials,
        tuple(methods),
        min(options.people, len(people)),
        options.slow_people,
        options.slow_trials,
    )
    began, told = time.perf_counter(), machine()
    results = evaluate(bank, people, protocol, options.out, facts={"machine": told})
    if process.is_main_process:
        known = results.fits[results.fits["method"].isin(methods)]
        show(f"{len(known)} fits; {told}; {(time.perf_counter() - began) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
