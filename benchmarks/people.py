"""Real people: does a personal scorer beat the generic one on photos its owner has not rated?

    python benchmarks/people.py --data OASIS_FOLDER --out FOLDER

The bank: the embedded six, plus the embedded tower fine-tuned on mean beauty, valence and arousal
of the database half of OASIS and on the web pages. Its population's centre is learned from mean
scores of photos in the database half that no vector was trained on, its spread from 100 people who
are not tested. Personalized and tested on the people half, which shares no theme with the database
half and trains nothing.

OASIS: Kurdi, Lozano & Banaji (2017); beauty ratings: Brielmann & Pelli (2019). Web pages: Reinecke
& Gajos (2014), in `webpages_lab_in_the_wild` beside OASIS. Neither is part of this project.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aesthetic_tv.databases import Source, load
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.finetuning import FinetuneConfig, finetune, load_crops, normalize
from aesthetic_tv.personalization import srocc
from aesthetic_tv.personalization.linear_model import linearize
from aesthetic_tv.personalization.population import fit_population, learn_spread
from aesthetic_tv.processes import joined
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank
from common import show
from evaluation import FAST, add_options, compare

TESTED, OTHERS = 200, 100
BEAUTY_SCALE = (1.0, 7.0)
WEB_PAGE_SCALE = (1.0, 9.0)
HELD_OUT = 0.2
CONFIG = FinetuneConfig(head_epochs=30, epochs=6, lr=2e-4, layer_decay=1.0, flip=True)


def oasis_people(data: Path) -> People:
    """All people of OASIS."""
    source = Source("people_ratings.csv", score_range=BEAUTY_SCALE, id="OASIS beauty, people half")
    return People.of(load("folder", data, source=source))


def oasis_bank(data: Path, people: People, folder: Path) -> TaskVectorBank:
    """The bank of ten with its population, made once."""
    if not folder.exists():
        embedded = TaskVectorBank.from_pretrained("embedded:tiny")
        bank = extended_bank(embedded, data)
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


def extended_bank(embedded: TaskVectorBank, data: Path) -> TaskVectorBank:
    """The embedded bank and four vectors more; prints how well each does on held-out photos."""
    web_pages = data.parent / "webpages_lab_in_the_wild"
    table = pd.read_csv(data / "database_scores.csv")
    photos = [data / "images" / name for name in table["image"]]
    train = ~held_out(table)
    crops = load_crops(photos, embedded.base.config)
    vectors = [
        vector(embedded, name, crops, table[column].to_numpy(), train, BEAUTY_SCALE)
        for name, column in (("beauty", "score"), ("valence", "valence"), ("arousal", "arousal"))
    ]
    pages = web_page_table(web_pages)
    crops = load_crops([web_pages / "images" / n for n in pages["image"]],
                       embedded.base.config)  # fmt: skip
    train = (pages["split"] == "train").to_numpy()
    vectors.append(
        vector(embedded, "web pages", crops, pages["score"].to_numpy(), train, WEB_PAGE_SCALE)
    )
    return TaskVectorBank(embedded.base, [*embedded.vectors, *vectors])


def held_out(table: pd.DataFrame) -> np.ndarray:
    """Which rows of the database half no vector is trained on: a fifth of the themes."""
    themes = table["theme"].to_numpy()
    names = np.random.default_rng(0).permutation(np.unique(themes))
    return np.isin(themes, names[: int(HELD_OUT * len(names))])


def held_out_photos(data: Path) -> tuple[list[Path], np.ndarray]:
    """These photos, and their mean beauty."""
    table = pd.read_csv(data / "database_scores.csv")
    table = table[held_out(table)]
    return [data / "images" / name for name in table["image"]], table["score"].to_numpy()


def web_page_table(folder: Path) -> pd.DataFrame:
    """image, score, split of the web pages."""
    return pd.read_csv(folder / "scores.csv")


def vector(
    bank: TaskVectorBank,
    name: str,
    crops: np.ndarray,
    scores: np.ndarray,
    train: np.ndarray,
    scale: tuple[float, float],
) -> TaskVector:
    """A task vector from the photos marked `train`; prints SROCC on the others."""
    config = FinetuneConfig(**vars(CONFIG) | {"score_range": scale})
    scorer = finetune(bank.base, crops[train], scores[train], config)
    told = scorer(normalize(crops[~train])).scores.detach().numpy()
    error = 1 / np.sqrt((~train).sum() - 1)
    show(
        f"task vector {name!r}: {train.sum()} photos; held-out SROCC "
        f"{srocc(told, scores[~train]):.3f} (n = {(~train).sum()}, standard error {error:.3f})"
    )
    return TaskVector.from_scorers(bank.base, scorer, name=name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, people=TESTED, trials=10, methods=(*FAST, "population"))
    options = parser.parse_args()
    people = oasis_people(options.data)
    with joined().main_process_first():
        bank = oasis_bank(options.data, people, options.out.with_name("oasis-bank"))
    compare(bank, people, options)


if __name__ == "__main__":
    main()
