"""Bursts: whether they are found, and whether the best frame of each is.

    python benchmarks/bursts.py --data OASIS_FOLDER --out FOLDER

Bursts are simulated: frames of real photos with slight edits of known kind and strength, as by
`burst_frames`. Two kinds of people choose from them: all of one kind like the frame without edits
best; the others like more or less of light, contrast, colour, warmth and closeness, each by weights
of their own, and all dislike blur, smear, grain and tilt. They rate single photos or choose the
best frame of whole bursts, with noise, and are tested on bursts of other photos.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from rich.table import Table
from tqdm import tqdm

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.personalization import PhotoFeatures
from aesthetic_tv.personalization.burst_taste import BurstTaste
from aesthetic_tv.personalization.instant import InstantFit
from aesthetic_tv.photo_metadata.bursts import bursts, bursts_of
from aesthetic_tv.photo_metadata.capture import captures
from aesthetic_tv.photo_metadata.frame_traits import traits_of
from aesthetic_tv.photo_metadata.likeness import Looks
from aesthetic_tv.task_vectors import TaskVectorBank
from burst_frames import FLAWS, FRAMES, TASTES, Frames, make_frames
from common import machine, show

RATED, TESTED = 60, 80  # photos
SHOTS = (10, 30, 60)
NOISE = 0.3  # standard deviation of a person's noise, in those of what they like
EDITS = 4.0  # how much edits count: a strength of 0.25 as much as photos differ by, usually
SCALE = (1.0, 5.0)


def found(groups: list[list[int]], truth: np.ndarray) -> tuple[float, float]:
    """Precision and recall of the pairs that share a group."""
    number = np.empty(len(truth), dtype=int)
    for k, group in enumerate(groups):
        number[group] = k
    first, second = np.triu_indices(len(truth), 1)
    said, true = number[first] == number[second], truth[first] == truth[second]
    return (said & true).sum() / max(said.sum(), 1), (said & true).sum() / true.sum()


def finding(photos: list[Path], frames: Frames) -> Table:
    """How well bursts and twins are found, and how often different photos are taken for one."""
    table = Table("photos", "times", "precision", "recall", "wrongly joined")
    looks, taken = Looks.of(frames.paths), captures(frames.paths)
    for name, times in (
        ("as taken", [frame.local for frame in taken]),
        ("none", [None] * len(taken)),
    ):
        groups = bursts(frames.paths, times=times, looks=looks)
        precision, recall = found(groups, frames.photo)
        row = (f"{len(looks)} frames of {frames.photo.max() + 1} photos", name)
        table.add_row(*row, f"{precision:.3f}", f"{recall:.3f}", "")
    looks = Looks.of(photos)
    joined = []
    for seed in range(20):
        times = np.random.default_rng(seed).permutation(len(photos)).astype(float)
        groups = bursts(photos, times=times.tolist(), looks=looks)
        joined.append(len(photos) - len(groups))
    several = f"{np.mean(joined):.1f} ({min(joined)} to {max(joined)})"
    table.add_row(f"{len(photos)} different photos", "1 s apart, 20 orders", "", "", several)
    groups = bursts(photos, times=[None] * len(photos), looks=looks)
    table.add_row(f"{len(photos)} different photos", "none", "", "", str(len(photos) - len(groups)))
    return table


class Choosing:
    """People who choose from the bursts, and what methods would choose for them."""

    def __init__(self, album: PhotoFeatures, frames: Frames, beauty: np.ndarray):
        self.album, self.frames, self.beauty = album, frames, beauty
        self.generic = album.model.at(album.prior().centre)
        self.traits = traits_of(frames.paths)
        self.groups = [np.flatnonzero(frames.photo == n) for n in range(RATED + TESTED)]
        self.tested = self.groups[RATED:]
        self.hits: dict[tuple[str, str, int], list[np.ndarray]] = {}
        self.stated: dict[tuple[str, str, int], list[float]] = {}

    def person(self, seed: int, kind: str) -> None:
        """One person: rates, chooses, and is tested."""
        random = np.random.default_rng([seed, len(kind)])
        weights = np.concatenate([-np.ones(len(FLAWS)), random.normal(size=len(TASTES))])
        strengths = self.frames.strengths
        edits = -np.abs(strengths).sum(1) if kind == "unedited" else strengths @ weights
        liking = EDITS * edits + self.beauty[self.frames.photo]
        noise = NOISE * liking.std() * random.normal(size=len(liking))

        def test(method: str, n: int, scores: np.ndarray, stated: np.ndarray | None = None):
            best = [liking[g].argmax() == scores[g].argmax() for g in self.tested]
            self.hits.setdefault((kind, method, n), []).append(np.array(best, dtype=float))
            if stated is not None:
                self.stated.setdefault((kind, method, n), []).append(float(stated.mean()))

        test("chance", 0, random.random(len(liking)))
        test("generic score", 0, self.generic)
        test("finest detail", 0, self.traits[:, 0])
        for n in SHOTS:
            photos = random.choice(RATED, n, replace=False)
            rows = np.array([random.choice(self.groups[photo]) for photo in photos])
            level = (liking + noise)[rows]
            ratings = np.clip(np.round(3 + 1.2 * (level - liking.mean()) / liking.std()), *SCALE)
            names = [self.album.photos[row] for row in rows]
            fit = InstantFit.of(self.album, dict(zip(names, ratings, strict=True)), scale=SCALE)
            stated = [fit.best_of([self.album.photos[i] for i in g])[0][1] for g in self.tested]
            test("n single photos rated", n, fit.scores, np.array(stated))
            pairs = self._pairs(photos, liking + noise)
            within = [(self.album.photos[a], self.album.photos[b]) for a, b in pairs]
            test("n bursts, tower alone", n, InstantFit.of(self.album, pairs=within).scores)
            taste = BurstTaste.fit(self.groups, self.generic, self.traits, pairs)
            sure = np.array([burst.chances[0] for burst in taste.best_of()[RATED:]])
            test("n bursts chosen from", n, taste.features @ taste.weights, sure)

    def _pairs(self, photos: np.ndarray, liking: np.ndarray) -> list[tuple[int, int]]:
        """The best frame of each burst over its others."""
        found = []
        for photo in photos:
            group = self.groups[photo]
            best = group[liking[group].argmax()]
            found += [(int(best), int(other)) for other in group if other != best]
        return found

    def table(self) -> Table:
        """Share of bursts whose best frame is found, with 95 % intervals over people and bursts."""
        table = Table("method", "n", "likes the unedited", "own taste", "stated, own taste")
        for method, n in dict.fromkeys((method, n) for _, method, n in self.hits):
            cells = [share(np.array(self.hits[kind, method, n])) for kind in ("unedited", "own")]
            stated = self.stated.get(("own", method, n))
            sure = "" if stated is None else f"{np.mean(stated):.2f}"
            table.add_row(method, str(n) if n else "", *cells, sure)
        return table


def share(hits: np.ndarray) -> str:
    """Mean of (people, bursts), and its 95 % interval, as both are samples."""
    people, groups = hits.mean(1), hits.mean(0)
    error = np.sqrt(people.var() / len(people) + groups.var() / len(groups))
    return f"{hits.mean():.3f} ± {1.96 * error:.3f}"


def read_beauty(folder: Path) -> dict[str, float]:
    """Standardized mean rating of each photo of the people half."""
    ratings: dict[str, list[float]] = {}
    with (folder / "people_ratings.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            ratings.setdefault(row["image"], []).append(float(row["score"]))
    means = {image: float(np.mean(values)) for image, values in sorted(ratings.items())}
    middle, spread = np.mean(list(means.values())), np.std(list(means.values()))
    return {image: float((mean - middle) / spread) for image, mean in means.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="for frames and their features")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--bank", default=DEFAULT_BANK)
    options = parser.parse_args()
    torch.set_num_threads(1)
    beauty = read_beauty(options.data)
    names = [list(beauty)[i] for i in np.random.default_rng(0).permutation(len(beauty))]
    names = names[: RATED + TESTED]
    frames = make_frames([options.data / "images" / name for name in names], options.out / "frames")
    show(finding(sorted((options.data / "images").glob("*.jpg")), frames))
    groups = bursts_of(frames.paths)
    show(f"{len(groups)} groups of {len(frames.paths)} files, {FRAMES} frames a burst")
    album = PhotoFeatures.compute(
        TaskVectorBank.from_pretrained(options.bank),
        [str(path) for path in frames.paths],
        cache=options.out / "frames.features.safetensors",
        progress=tqdm_progress("features"),
    )
    choosing = Choosing(album, frames, np.array([beauty[name] for name in names]))
    for seed in tqdm(range(options.people), desc="people"):
        for kind in ("unedited", "own"):
            choosing.person(seed, kind)
    show(choosing.table(), machine())


def tqdm_progress(stage: str):
    bar = tqdm(desc=stage)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


if __name__ == "__main__":
    main()
