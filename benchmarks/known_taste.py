"""Raters of known taste on real photos: a method that cannot personalize shows here.

    python benchmarks/known_taste.py --data OASIS_FOLDER --out FOLDER

Each photo gets edits of known kind and strength. A simulated rater likes or dislikes each kind by a
weight of its own; the score is the weighted sum of the strengths with noise, rounded to 1..5. The
bank is an embedded one, whose population is left out.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.assets.edits import EDITS, apply_edit
from aesthetic_tv.evaluation.people import People, Person
from aesthetic_tv.task_vectors import TaskVectorBank
from evaluation import add_options, compare

KINDS = ("crop", "exposure", "contrast", "saturation", "warmth", "blur", "noise")
EDIT_SHARE = 0.4  # each kind of edit touches this share of the photos
SCALE = (1.0, 5.0)
TESTED, PHOTOS = 60, 300
NOISE = 0.3  # standard deviation of a rater's noise, in standard deviations of the weighted sum


def edited_photos(folder: Path, count: int) -> tuple[list[Image.Image], np.ndarray]:
    """`count` photos with random edits, and the strength of each kind in each: (count, kinds)."""
    random = np.random.default_rng(0)
    paths = sorted(folder.glob("*.jpg"))
    photos, strengths = [], np.zeros((count, len(KINDS)))
    for i, at in enumerate(tqdm(random.permutation(len(paths))[:count], desc="editing")):
        image = Image.open(paths[at]).convert("RGB")
        for k, kind in enumerate(KINDS):
            if random.random() < EDIT_SHARE:
                strengths[i, k] = random.uniform(EDITS[kind].low, EDITS[kind].high)
                image = apply_edit(image, kind, strengths[i, k], seed=i)
        photos.append(image)
    return photos, strengths


def simulated_rater(seed: int, strengths: np.ndarray) -> Person:
    """A rater with random weights, each edit liked or disliked independently."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=len(KINDS))
    liking = strengths / strengths.std(0) @ weights
    liking = (liking - liking.mean()) / liking.std()
    liking += NOISE * random.normal(size=len(liking))
    ratings = np.clip(np.round(3 + 1.2 * liking), *SCALE)
    return Person(f"rater {seed}", np.arange(len(strengths)), ratings)


def known_taste(folder: Path, raters: int) -> People:
    """The raters, and the edited photos that they judge."""
    photos, strengths = edited_photos(folder, PHOTOS)
    return People(
        tuple(photos),
        tuple(f"edited {i:03d}" for i in range(PHOTOS)),
        tuple(simulated_rater(seed, strengths) for seed in range(raters)),
        SCALE,
        "raters of known taste",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, people=TESTED, trials=1)
    parser.add_argument("--bank", default=DEFAULT_BANK)
    options = parser.parse_args()
    bank = TaskVectorBank.from_pretrained(options.bank)
    bank.population = None
    compare(bank, known_taste(options.data / "images", options.people), options)


if __name__ == "__main__":
    main()
