"""Real people: does a personal scorer beat the generic one on photos its owner has not rated?

    python benchmarks/people.py --data OASIS_FOLDER --web-pages WEB_PAGES_FOLDER

The bank: the embedded six, plus the embedded tower fine-tuned on mean beauty, valence and arousal
of the database half of OASIS and on the web pages. Personalized and tested on the people half,
which shares no theme with the database half and trains nothing.

OASIS: Kurdi, Lozano & Banaji (2017); beauty ratings: Brielmann & Pelli (2019). Web pages: Reinecke
& Gajos (2014). Neither is part of this project.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.finetuning import FinetuneConfig, finetune, load_crops, normalize
from aesthetic_tv.personalization import srocc
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank
from common import Album, Rater, add_options, compare, machine, show

BEAUTY_SCALE = (1.0, 7.0)
WEB_PAGE_SCALE = (1.0, 9.0)
HELD_OUT = 0.2
CONFIG = FinetuneConfig(head_epochs=30, epochs=6, lr=2e-4, layer_decay=1.0, flip=True)


def extended_bank(embedded: TaskVectorBank, data: Path, web_pages: Path) -> TaskVectorBank:
    """The embedded bank and four vectors more; prints how well each does on held-out photos."""
    table = pd.read_csv(data / "database_scores.csv")
    photos = [data / "images" / name for name in table["image"]]
    train = ~held_out(table)
    crops = load_crops(photos, embedded.base.config.tower)
    vectors = [
        vector(embedded, name, crops, table[column].to_numpy(), train, BEAUTY_SCALE)
        for name, column in (("beauty", "score"), ("valence", "valence"), ("arousal", "arousal"))
    ]
    pages = web_page_table(web_pages)
    crops = load_crops([web_pages / "images" / n for n in pages["image"]],
                       embedded.base.config.tower)  # fmt: skip
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


def people(data: Path, count: int) -> tuple[list[Path], list[Rater]]:
    """The photos of the people half, and `count` random people."""
    photos = [data / "images" / name for name in pd.read_csv(data / "people_images.csv")["image"]]
    at = {photo.name: i for i, photo in enumerate(photos)}
    table = pd.read_csv(data / "people_ratings.csv")
    names = np.random.default_rng(0).permutation(table["user"].unique())[:count]
    return photos, [
        Rater(name, part["image"].map(at).to_numpy(), part["score"].to_numpy(dtype=float))
        for name in names
        for part in [table[table["user"] == name]]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--web-pages", type=Path)
    add_options(parser, raters=12, draws=2)
    options = parser.parse_args()
    began, told = time.perf_counter(), machine()  # the commit it starts from
    pages = options.web_pages or options.data.parent / "webpages_lab_in_the_wild"
    bank = extended_bank(TaskVectorBank.from_pretrained(options.bank), options.data, pages)
    photos, raters = people(options.data, options.raters)
    pixels = normalize(load_crops(photos, bank.base.config.tower))
    album = Album(pixels, bank.score_pixels(pixels))
    compare(bank, album, raters, options)
    show(f"\n{told}; {(time.perf_counter() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
