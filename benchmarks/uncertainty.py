"""Is the scorer as sure as it says, and does asking for the telling photos pay?

    python benchmarks/uncertainty.py --data OASIS_FOLDER --bank FOLDER

Pairs of photos that the person has not rated: the probability that the instant fit states for the
order, against how often it was right. And the rank correlation by the number of ratings, when the
photos to rate are asked for by `suggest_next`, or drawn at random. Banks, people and raters are
those of `people.py` and `known_taste.py`.
"""

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from rich import box
from rich.table import Table
from scipy import stats

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.evaluation.people import People, Person
from aesthetic_tv.personalization import Preferences, srocc
from aesthetic_tv.personalization.instant import InstantFit
from aesthetic_tv.personalization.photo_features import PhotoFeatures
from aesthetic_tv.personalization.posterior import pair_probability
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, run_all, show, split
from known_taste import known_taste
from people import LEARNED_FROM, oasis_bank, oasis_people

BINS = np.array([0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0])
COUNTS = (5, 10, 15, 20, 25, 30)
TRIALS = 4  # random orders that are averaged


def as_files(people: People, folder: Path) -> list[str]:
    """Paths of the photos; images in memory are written to the folder."""
    folder.mkdir()
    paths = []
    for number, photo in enumerate(people.photos):
        path = str(photo)
        if isinstance(photo, Image.Image):
            path = str(folder / f"{number:03d}.png")
            photo.save(path)
        paths.append(path)
    return paths


def stated_and_right(
    albums: dict[str, PhotoFeatures], kind: str, rater: Person, shots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Stated probability of the likelier order of each query pair, and whether it was right."""
    album = albums[kind]
    support, query = split(rater, shots, 0)
    fit = InstantFit.of(album, {album.photos[rater.rows[i]]: rater.ratings[i] for i in support})
    rows = rater.rows[query]
    slopes = album.model.slopes[rows]
    covariance = fit.posterior.covariance(slopes, slopes)
    truth = Preferences.from_ratings(dict(enumerate(rater.ratings[query].tolist())))
    i, j = truth.better, truth.worse
    variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
    likely = pair_probability(fit.scores[rows[i]] - fit.scores[rows[j]], np.maximum(variance, 0))
    return np.maximum(likely, 1 - likely), likely > 0.5


def learning_curves(
    albums: dict[str, PhotoFeatures], kind: str, rater: Person
) -> dict[str, list[float]]:
    """SROCC on a fixed half of the rater's photos, after each number of ratings of the other."""
    album = albums[kind]
    pool, test = split(rater, len(rater.rows) // 2, 0)
    of = {str(album.photos[rater.rows[i]]): rater.ratings[i] for i in pool}
    part = PhotoFeatures(album.bank, tuple(of), album.scores[rater.rows[pool]],
                         album.slopes[rater.rows[pool]])  # fmt: skip
    rows, truth = rater.rows[test], rater.ratings[test]

    def quality(asked: list[str]) -> float:
        ratings = {name: of[name] for name in asked}
        if len(set(ratings.values())) < 2:
            return srocc(album.scores[rows], truth)
        fit = InstantFit.of(album, ratings)
        return srocc(fit.scores[rows], truth)

    asked = [str(name) for name in part.suggest_first(COUNTS[0])]
    active = [quality(asked)]
    for count in COUNTS[1:]:
        while len(asked) < count:
            ratings = {name: of[name] for name in asked}
            if len(set(ratings.values())) < 2:
                asked = [str(name) for name in part.suggest_first(len(asked) + 1)]
            else:
                asked += map(str, InstantFit.of(part, ratings).suggest_next())
        active.append(quality(asked))
    random = np.random.default_rng(len(rater.name))
    orders = [random.permutation(list(of)).tolist() for _ in range(TRIALS)]
    drawn = [float(np.mean([quality(order[:count]) for order in orders])) for count in COUNTS]
    return {"suggest_next": active, "random": drawn}


def calibration_table(results: list[tuple[np.ndarray, np.ndarray]]) -> Table:
    """Stated against observed, in bins of what was stated; intervals over raters."""
    table = Table("stated", "mean stated", "observed (95 % over raters)", "pairs", box=box.MARKDOWN)
    for low, high in pairwise(BINS):
        shares, said, pairs = list[float](), list[float](), 0
        for stated, right in results:
            here = (stated >= low) & (stated <= high if high == 1 else stated < high)
            if here.any():
                shares.append(float(right[here].mean()))
                said.append(float(stated[here].mean()))
                pairs += int(here.sum())
        if len(shares) < 2:
            continue
        half = stats.t.ppf(0.975, len(shares) - 1) * stats.sem(shares)
        table.add_row(f"{low:.2f} to {high:.2f}", f"{np.mean(said):.2f}",
                      f"{np.mean(shares):.2f} ± {half:.2f}", f"{pairs:,}")  # fmt: skip
    return table


def curve_table(curves: list[dict[str, list[float]]]) -> Table:
    """Mean SROCC by number of ratings, and the difference with its interval."""
    table = Table("photos asked for by", *map(str, COUNTS), box=box.MARKDOWN)
    found = {name: np.array([curve[name] for curve in curves]) for name in curves[0]}
    for name, values in found.items():
        table.add_row(name, *(f"{x:.3f}" for x in values.mean(0)))
    gap = found["suggest_next"] - found["random"]
    half = stats.t.ppf(0.975, len(gap) - 1) * stats.sem(gap)
    cells = zip(gap.mean(0), half, strict=True)
    table.add_row("difference (95 %)", *(f"{x:+.3f} ± {h:.3f}" for x, h in cells))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with images/")
    parser.add_argument("--bank", type=Path, required=True, help="the bank of ten, made if missing")
    parser.add_argument("--people", type=int, default=LEARNED_FROM)
    parser.add_argument("--raters", type=int, default=60, help="of known taste")
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    began, told = time.perf_counter(), machine()
    people = oasis_people(options.data)
    raters = known_taste(options.data / "images", options.raters)
    banks = {
        "people": oasis_bank(options.data, DEFAULT_BANK, options.bank),
        "known taste": TaskVectorBank.from_pretrained(DEFAULT_BANK),
    }
    everyone = {"people": people.sample(options.people, 0), "known taste": raters}
    with tempfile.TemporaryDirectory() as folder:  # photos travel to processes as files
        albums = {
            kind: PhotoFeatures.compute(banks[kind], as_files(known, Path(folder) / kind))
            for kind, known in everyone.items()
        }
    for kind, known in everyone.items():
        persons = known.persons
        for shots in options.shots:
            jobs = [(kind, person, shots) for person in persons]
            results = run_all(stated_and_right, (albums,), jobs, options.workers)
            show(f"\n**{kind}, n = {shots}**, {len(persons)} raters\n", calibration_table(results))
        jobs = [(kind, person) for person in persons[:60]]
        curves = run_all(learning_curves, (albums,), jobs, options.workers)
        show(f"\n**{kind}**, {len(curves)} raters, SROCC by number of ratings\n",
             curve_table(curves))  # fmt: skip
    show(f"\n{told}; {(time.perf_counter() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
