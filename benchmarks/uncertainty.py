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
from pathlib import Path
from typing import TypeAlias

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
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, run_all, show, split
from known_taste import known_taste
from people import LEARNED_FROM, oasis_bank, oasis_people

BINS = 10  # of as many pairs each
COUNTS = (5, 10, 15, 20, 25, 30)
TRIALS = 4  # random orders that are averaged
Album: TypeAlias = tuple[PhotoFeatures, tuple[float, float]]  # features, and the ratings' scale


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
    albums: dict[str, Album], kind: str, rater: Person, shots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Stated probability of the likelier order of each query pair, and whether it was right."""
    album, scale = albums[kind]
    support, query = split(rater, shots, 0)
    ratings = {album.photos[rater.rows[i]]: rater.ratings[i] for i in support}
    fit = InstantFit.of(album, ratings, scale=scale)
    rows = rater.rows[query]
    truth = Preferences.from_ratings(dict(enumerate(rater.ratings[query].tolist())))
    i, j = truth.better, truth.worse
    variance = fit.posterior.gap_variances(album.model.slopes[rows], i, j)
    gap = fit.scores[rows[i]] - fit.scores[rows[j]]
    likely = fit.posterior.pair_probability(gap, variance)
    return np.maximum(likely, 1 - likely), likely > 0.5


def learning_curves(albums: dict[str, Album], kind: str, rater: Person) -> dict[str, list[float]]:
    """SROCC on a fixed half of the rater's photos, after each number of ratings of the other."""
    album, scale = albums[kind]
    pool, test = split(rater, len(rater.rows) // 2, 0)
    of = {str(album.photos[rater.rows[i]]): rater.ratings[i] for i in pool}
    part = PhotoFeatures(album.bank, tuple(of), album.scores[rater.rows[pool]],
                         album.slopes[rater.rows[pool]])  # fmt: skip
    rows, truth = rater.rows[test], rater.ratings[test]

    def quality(asked: list[str]) -> float:
        ratings = {name: of[name] for name in asked}
        if len(set(ratings.values())) < 2:
            return srocc(album.scores[rows], truth)
        fit = InstantFit.of(album, ratings, scale=scale)
        return srocc(fit.scores[rows], truth)

    asked = [str(name) for name in part.suggest_first(COUNTS[0])]
    active = [quality(asked)]
    for count in COUNTS[1:]:
        while len(asked) < count:
            ratings = {name: of[name] for name in asked}
            if len(set(ratings.values())) < 2:
                asked = [str(name) for name in part.suggest_first(len(asked) + 1)]
            else:
                asked += map(str, InstantFit.of(part, ratings, scale=scale).suggest_next())
        active.append(quality(asked))
    random = np.random.default_rng(len(rater.name))
    orders = [random.permutation(list(of)).tolist() for _ in range(TRIALS)]
    drawn = [float(np.mean([quality(order[:count]) for order in orders])) for count in COUNTS]
    return {"suggest_next": active, "random": drawn}


def calibration_table(results: list[tuple[np.ndarray, np.ndarray]]) -> Table:
    """Stated against observed, in ten bins of as many pairs, and the mean gap between the two;
    intervals over raters.
    """
    table = Table("mean stated", "observed (95 % over raters)", "pairs", box=box.MARKDOWN)
    rater = np.repeat(np.arange(len(results)), [len(stated) for stated, _ in results])
    stated, right = (np.concatenate(parts) for parts in zip(*results, strict=True))
    bins = np.searchsorted(np.quantile(stated, np.linspace(0, 1, BINS + 1)[1:-1]), stated)
    gaps = list[float]()
    for number in range(BINS):
        here = bins == number
        pairs = np.bincount(rater[here], minlength=len(results))
        of_rater = np.bincount(rater[here], right[here], len(results))
        shares = of_rater[pairs > 0] / pairs[pairs > 0]
        half = stats.t.ppf(0.975, len(shares) - 1) * stats.sem(shares)
        gaps.append(abs(float(stated[here].mean() - right[here].mean())))
        table.add_row(f"{stated[here].mean():.3f}", f"{right[here].mean():.3f} ± {half:.3f}",
                      f"{here.sum():,}")  # fmt: skip
    table.add_row("mean gap", f"{np.mean(gaps):.3f}", f"{len(stated):,}")
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
    few, many = found["suggest_next"][:, COUNTS.index(20)], found["random"][:, COUNTS.index(30)]
    half = stats.t.ppf(0.975, len(gap) - 1) * stats.sem(few - many)
    show(f"20 asked for less 30 random: {(few - many).mean():+.3f} ± {half:.3f}")
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
    banks["known taste"].population = None  # it knows how people differ, which these do not
    everyone = {"people": people.sample(options.people, 0), "known taste": raters}
    with tempfile.TemporaryDirectory() as folder:  # photos travel to processes as files
        albums = {
            kind: (
                PhotoFeatures.compute(banks[kind], as_files(known, Path(folder) / kind)),
                known.scale,
            )
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
