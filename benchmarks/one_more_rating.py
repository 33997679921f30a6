"""What one more rating costs, with the features of an album cached.

    python benchmarks/one_more_rating.py [--photos 10000] [--ratings 50]

Features are random numbers of the default bank's layout: what they say does not change the time.
"""

import argparse
import time
from statistics import median

import numpy as np
from rich import box
from rich.table import Table

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.personalization import InstantFit
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, random_features, show


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", default=DEFAULT_BANK)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--ratings", type=int, default=50)
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    bank, random = TaskVectorBank.from_pretrained(options.bank), np.random.default_rng(0)
    album = random_features(bank, options.photos)
    stars = random.integers(1, 6, options.ratings).tolist()
    ratings = dict(zip(album.photos, stars, strict=False))
    taken: dict[str, list[float]] = {"fit and rank": [], "how sure": [], "what to ask next": []}
    for _ in range(options.times):
        marks = [time.perf_counter()]
        mine = InstantFit.of(album, ratings, scale=(1, 5))
        np.argsort(-mine.scores)
        marks.append(time.perf_counter())
        _ = mine.deviations
        marks.append(time.perf_counter())
        mine.suggest_next(1)
        marks.append(time.perf_counter())
        for seconds, part in zip(np.diff(marks), taken.values(), strict=True):
            part.append(1000 * float(seconds))
    table = Table("one more rating", "ms, median", "ms, worst", box=box.MARKDOWN)
    for name, part in taken.items():
        table.add_row(name, f"{median(part):.0f}", f"{max(part):.0f}")
    show(f"{options.photos} photos, {options.ratings} ratings; {machine()}", table)


if __name__ == "__main__":
    main()
