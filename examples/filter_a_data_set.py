"""Keep the share of a data set of images that a taste likes best.

python examples/filter_a_data_set.py TASTE IMAGES --keep 0.25 --out kept
IMAGES is a folder (imagefolder) or a data set on the Hub with a column `image`.
"""

import argparse
from pathlib import Path

import numpy as np
from datasets import load_dataset

from aesthetic_tv import AestheticScorer


def main() -> None:
    """Score in batches, select, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("taste")
    parser.add_argument("images")
    parser.add_argument("--keep", type=float, default=0.25)
    parser.add_argument("--out", default="kept")
    args = parser.parse_args()
    scorer = AestheticScorer.from_pretrained(args.taste)
    if Path(args.images).is_dir():
        rows = load_dataset("imagefolder", data_dir=args.images, split="train")
    else:
        rows = load_dataset(args.images, split="train")
    rows = rows.map(lambda batch: {"score": scorer.score(batch["image"])}, batched=True)
    least = np.quantile(rows["score"], 1 - args.keep)
    kept = rows.filter(lambda score: score >= least, input_columns="score")
    kept.save_to_disk(args.out)
    print(f"{len(kept)} of {len(rows)} images, from {least:.2f} up")


if __name__ == "__main__":
    main()
