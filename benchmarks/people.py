"""Real people: does a personal scorer beat the generic one on photos its owner has not rated?

    python benchmarks/people.py --data OASIS_FOLDER --out FOLDER

The bank: `embedded:lite`, plus its tower fine-tuned on mean beauty, valence and arousal of the
database half of OASIS and on the web pages. The population is that of `embedded:lite`, learned from
the first 300 people's ratings of the database half; it gives the four vectors no weight.
Personalized and tested on the other 300 people and the people half, which shares no theme with the
database half and trains nothing: no person and no photo is on both sides.

OASIS: Kurdi, Lozano & Banaji (2017); beauty ratings: Brielmann & Pelli (2019). Web pages: Reinecke
& Gajos (2014), in `webpages_lab_in_the_wild` beside OASIS. Neither is part of this project.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.databases import Source, load
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.finetuning import FinetuneConfig, finetune, load_crops
from aesthetic_tv.personalization import srocc
from aesthetic_tv.processes import joined
from aesthetic_tv.task_vectors import Population, TaskVector, TaskVectorBank
from common import show
from evaluation import FAST, add_options, compare

LEARNED_FROM = 300  # people of the sorted list; the others are tested
BEAUTY_SCALE = (1.0, 7.0)
WEB_PAGE_SCALE = (1.0, 9.0)
HELD_OUT = 0.2
CONFIG = FinetuneConfig(head_epochs=40, epochs=2, lr=5e-5, layer_decay=1.0, flip=True)


def oasis_people(data: Path) -> People:
    """The people who are tested, with their ratings of the people half."""
    source = Source("people_ratings.csv", score_range=BEAUTY_SCALE, id="OASIS beauty, people half")
    people = People.of(load("folder", data, source=source))
    return people.select(sorted(person.name for person in people.persons)[LEARNED_FROM:])


def oasis_bank(data: Path, name: str, folder: Path) -> TaskVectorBank:
    """An embedded bank and four vectors more; made once."""
    if not folder.exists():
        extended_bank(TaskVectorBank.from_pretrained(name), data).save_pretrained(folder)
    return TaskVectorBank.from_pretrained(str(folder))


def known_population(embedded: TaskVectorBank, tasks: int) -> Population | None:
    """The embedded bank's population for `tasks` vectors more, of which it knows nothing: weights
    of the new ones are 0, since they were trained on photos that it was learned from.
    """
    population = embedded.population
    if population is None or population.factor is None:
        return None
    layout, factor = embedded.layout, population.factor
    rows = factor.new_zeros(tasks, factor.shape[1])
    return replace(
        population,
        centre=torch.cat([population.centre, torch.zeros(layout.layers, tasks)], dim=1),
        factor=torch.cat([factor[: layout.tasks], rows, factor[layout.tasks :]]),
    )


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
    return TaskVectorBank(
        embedded.base,
        [*embedded.vectors, *vectors],
        directions=embedded.directions,
        population=known_population(embedded, len(vectors)),
    )


def held_out(table: pd.DataFrame) -> np.ndarray:
    """Which rows of the database half no vector is trained on: a fifth of the themes."""
    themes = table["theme"].to_numpy()
    names = np.random.default_rng(0).permutation(np.unique(themes))
    return np.isin(themes, names[: int(HELD_OUT * len(names))])


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
    told = scorer.score_pixels(scorer.normalize(crops[~train]))
    error = 1 / np.sqrt((~train).sum() - 1)
    show(
        f"task vector {name!r}: {train.sum()} photos; held-out SROCC "
        f"{srocc(told, scores[~train]):.3f} (n = {(~train).sum()}, standard error {error:.3f})"
    )
    return TaskVector.from_scorers(bank.base, scorer, name=name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, people=LEARNED_FROM, trials=10, methods=(*FAST, "population"))
    parser.add_argument("--bank", default=DEFAULT_BANK)
    options = parser.parse_args()
    people = oasis_people(options.data)
    with joined().main_process_first():
        bank = oasis_bank(options.data, options.bank, options.out.with_name("oasis-bank"))
    compare(bank, people, options)


if __name__ == "__main__":
    main()
