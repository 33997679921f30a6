"""How often the 90 % intervals behind a verdict hold the truth, by the kind of evidence.

    python benchmarks/intervals.py

People, photos and scorers are drawn anew in each run; nothing of a bank is needed. Two scorers see
a taste of normal scores through noise of their own, equally well or the one better than the other,
and the person rates 1 to 5 stars, and chooses, with noise (a logistic choice, as steep as one that
takes the better of two photos a star apart in three of four cases). The truth is the mean of the
figure over all runs. Also: how often a scorer that knows nothing is said to be above chance, and
how often it is called better than an equal one.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.table import Table

from aesthetic_tv.personalization import Figures, Preferences
from aesthetic_tv.personalization.honesty import cross_validate
from common import machine, show

STAR = 1.1  # standard deviations of taste a star, and of a person's noise
NOISE = 0.7
STEEP = 1.5  # of choices, by standard deviations of taste


@dataclass(frozen=True)
class Evidence:
    """What a person says.

    Args:
        name: of the row.
        rated: whether all photos are rated.
        pairs: comparisons for each photo; 0.5: each photo stands in one of them.
        single: one comparison, however many photos.
    """

    name: str
    rated: bool = False
    pairs: float = 0.0
    single: bool = False


KINDS = (
    Evidence("ratings", rated=True),
    Evidence("ratings and one comparison", rated=True, single=True),
    Evidence("ratings and n comparisons", rated=True, pairs=1),
    Evidence("ratings and 3 n comparisons", rated=True, pairs=3),
    Evidence("n / 2 comparisons, no photo twice", pairs=0.5),
    Evidence("n comparisons", pairs=1),
    Evidence("3 n comparisons", pairs=3),
)


def said_by(taste: np.ndarray, evidence: Evidence, random: np.random.Generator) -> Preferences:
    """What a person of this taste (n,) says, with noise and ties."""
    count = len(taste)
    ratings = pairs = None
    if evidence.rated:
        heard = taste + NOISE * random.normal(size=count)
        stars = np.clip(np.round(3 + heard / STAR), 1, 5)
        ratings = dict(enumerate(stars.tolist()))
    if evidence.single or evidence.pairs:
        first, second = np.triu_indices(count, 1)
        if evidence.pairs == 0.5:
            order = random.permutation(count)
            first, second = order[0::2][: count // 2], order[1::2][: count // 2]
        wanted = 1 if evidence.single else round(evidence.pairs * count)
        rows = random.permutation(len(first))[:wanted]
        first, second = first[rows], second[rows]
        chance = 1 / (1 + np.exp(-STEEP * (taste[first] - taste[second])))
        won = random.random(len(rows)) < chance
        pairs = zip(np.where(won, first, second), np.where(won, second, first), strict=True)
        pairs = [(int(a), int(b)) for a, b in pairs]
    return Preferences.of(ratings, pairs, scale=(1, 5) if ratings else None)


def seen(taste: np.ndarray, knows: float, random: np.random.Generator) -> np.ndarray:
    """Scores (n,) that are correlated with a taste by `knows`."""
    return knows * taste + np.sqrt(1 - knows**2) * random.normal(size=len(taste))


def figures_of(
    evidence: Evidence, count: int, personal: float, generic: float, runs: int
) -> Iterator[Figures]:
    """The figures of one run after the other; runs in which all ratings are equal are left out.

    Args:
        evidence: what the person says.
        count: n photos.
        personal, generic: what the scorers know.
        runs: how many.
    """
    kind = [item.name for item in KINDS].index(evidence.name)
    for run in range(runs):
        random = np.random.default_rng([count, kind, round(100 * personal), run])
        taste = random.normal(size=count)
        scores = [seen(taste, knows, random) for knows in (personal, generic)]
        try:
            said = said_by(taste, evidence, random)
        except ValueError:  # all ratings are equal
            continue
        mine = scores[0][list(said.photos)]
        found = cross_validate(
            said, scores[1][list(said.photos)], lambda *_, mine=mine: mine, folds=5, seed=run
        )
        if found is not None:
            yield found


def coverage(figures: list[Figures]) -> tuple[float, float]:
    """Share of the intervals, of the difference and of personal, that hold the mean figure."""
    difference = np.mean([found.difference for found in figures])
    personal = np.mean([found.personal for found in figures])
    held = [found.interval[0] <= difference <= found.interval[1] for found in figures]
    known = [x.personal_interval for x in figures if x.personal_interval is not None]
    return float(np.mean(held)), float(np.mean([low <= personal <= high for low, high in known]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, nargs="+", default=[10, 20, 50])
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    began = time.perf_counter()
    for title, personal, generic in (
        ("Equal: both know .5", 0.5, 0.5),
        ("Personal is better: it knows .7, generic .4", 0.7, 0.4),
        ("Both know nothing", 0.0, 0.0),
    ):
        table = Table("evidence", "n", "difference", "covered", "personal", "covered",
                      "called better", "above chance", box=box.MARKDOWN)  # fmt: skip
        for evidence in KINDS:
            for count in options.photos:
                found = list(figures_of(evidence, count, personal, generic, options.runs))
                of_difference, of_personal = coverage(found)
                table.add_row(
                    evidence.name, str(count),
                    f"{np.mean([x.difference for x in found]):+.3f}", f"{of_difference:.3f}",
                    f"{np.mean([x.personal for x in found]):.3f}", f"{of_personal:.3f}",
                    f"{np.mean([x.outcome == 'better' for x in found]):.3f}",
                    f"{np.mean([x.above_chance for x in found]):.3f}",
                )  # fmt: skip
        show(
            f"\n**{title}**, {options.runs} runs each, seeds (n, kind, what is known, run)\n", table
        )
    show(f"\n{machine()}; {(time.perf_counter() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
