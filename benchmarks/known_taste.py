"""Raters of known taste on real photos: a method that cannot personalize shows here.

    python benchmarks/known_taste.py --photos FOLDER

Each photo gets edits of known kind and strength. A simulated rater likes or dislikes each kind by a
weight of its own; the score is the weighted sum of the strengths with noise, rounded to 1..5.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from aesthetic_tv.assets.edits import EDITS, apply_edit
from aesthetic_tv.finetuning import load_crops, normalize
from aesthetic_tv.task_vectors import TaskVectorBank
from common import Album, Rater, add_options, compare, machine, show

KINDS = ("crop", "exposure", "contrast", "saturation", "warmth", "blur", "noise")
EDIT_SHARE = 0.4  # each kind of edit touches this share of the photos
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


def simulated_rater(seed: int, strengths: np.ndarray) -> Rater:
    """A rater with random weights, each edit liked or disliked independently."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=len(KINDS))
    liking = strengths / strengths.std(0) @ weights
    liking = (liking - liking.mean()) / liking.std()
    liking += NOISE * random.normal(size=len(liking))
    ratings = np.clip(np.round(3 + 1.2 * liking), 1, 5)
    return Rater(f"rater {seed}", np.arange(len(strengths)), ratings)


def known_taste(
    folder: Path, raters: int, count: int = 300
) -> tuple[list[Image.Image], list[Rater]]:
    """Edited photos and the raters who judge them."""
    photos, strengths = edited_photos(folder, count)
    return photos, [simulated_rater(seed, strengths) for seed in range(raters)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300, help="photos in the album")
    add_options(parser, raters=12, draws=1)
    options = parser.parse_args()
    began, told = time.perf_counter(), machine()  # the commit it starts from
    bank = TaskVectorBank.from_pretrained(options.bank)
    photos, raters = known_taste(options.photos, options.raters, options.count)
    pixels = normalize(load_crops(photos, bank.base.config.tower))
    album = Album(pixels, bank.score_pixels(pixels))
    compare(bank, album, raters, options)
    show(f"\n{told}; {(time.perf_counter() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
