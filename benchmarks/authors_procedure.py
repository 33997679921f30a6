"""The authors' personalization as published: the opponent of the other solvers.

    python benchmarks/authors_procedure.py --data OASIS_FOLDER --out authors.jsonl

Yun & Choo (ECCV 2024) and their script, written anew: adaptive initialization by K models; then 500
steps of AdamW on alpha, each with a float32 merge of K vectors, a batch of 32 photos of which B/2
pairs are used, and the head's dropout on. The last iterate counts. Left out on purpose: the random
mirroring of test photos and the best test score over checkpoints.

Run as a script, it fits real people and raters of known taste, one line a fit, and goes on where it
stopped.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.func import functional_call
from torch.nn.functional import softplus

from aesthetic_tv.evaluation.people import Person
from aesthetic_tv.finetuning import load_crops
from aesthetic_tv.personalization import Preferences, srocc
from aesthetic_tv.personalization.solver import initial_coefficients
from aesthetic_tv.task_vectors import TaskVectorBank
from common import Album, machine, run_all, show, split
from known_taste import known_taste
from people import extended_bank, oasis_people

STEPS, LR, BATCH = 500, 1e-2, 32


@dataclass(frozen=True)
class AuthorsProcedure:
    """Fits alpha (L, K) to one person's ratings.

    Args:
        bank: the task vectors.
        merge_well: one contraction over the stacked vectors for each layer, with its gradient,
            instead of K scaled copies of every layer that are added up one by one.
        steps: of AdamW.
        seed: of batches and dropout.
    """

    bank: TaskVectorBank
    merge_well: bool = True
    steps: int = STEPS
    seed: int = 0

    def initialize(self, pixel_values: torch.Tensor, preferences: Preferences) -> torch.Tensor:
        """alpha by the scores of K models, one after the other (paper eq. 4)."""
        scores = self.bank.score_pixels(pixel_values)
        return initial_coefficients("adaptive", scores, preferences, len(self.bank.layers))

    def fit(
        self,
        pixel_values: torch.Tensor,
        preferences: Preferences,
        after_step: Callable[[int], None] = lambda _: None,
    ) -> torch.Tensor:
        """The coefficients after the last step; `after_step` is told the number of each."""
        assert preferences.ratings is not None  # the procedure knows no comparisons
        ratings = torch.from_numpy(preferences.ratings)
        random = np.random.default_rng(self.seed)
        batches: list[np.ndarray] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            alpha = self.initialize(pixel_values, preferences).requires_grad_()
            optimizer = torch.optim.AdamW([alpha], lr=LR, weight_decay=0.0)
            model = self.bank.merge(alpha.detach()).requires_grad_(False)
            model.head.train()
            for step in range(1, self.steps + 1):
                if not batches:
                    order = random.permutation(len(ratings))
                    batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
                rows = batches.pop()
                if len(rows) < 2:
                    continue
                scores = functional_call(model, self._merged(alpha), (pixel_values[rows],)).scores
                loss = half_pairs_loss(scores, ratings[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                after_step(step)
        return alpha.detach()

    def _merged(self, alpha: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.merge_well:
            return self.bank.merged_layers(alpha)
        layers = {}
        for row, (name, start) in zip(alpha, self.bank.start.items(), strict=True):
            tau = self.bank.stacked[name]
            layers[name] = start + sum(a * t for a, t in zip(row, tau, strict=True))
        return layers


def half_pairs_loss(scores: torch.Tensor, ratings: torch.Tensor) -> torch.Tensor:
    """Mean softplus over the B/2 pairs that the two halves of a batch make; ties say nothing.

    Args:
        scores, ratings: (B,).
    """
    half = len(scores) // 2
    gap = scores[:half] - scores[half : 2 * half]
    order = (ratings[:half] - ratings[half : 2 * half]).sign()
    told = order.abs().sum().clamp_min(1)
    return (softplus(-gap * order) * order.abs()).sum() / told


def fit_and_score(
    banks: dict[str, TaskVectorBank],
    albums: dict[str, Album],
    kind: str,
    rater: Person,
    shots: int,
    draw: int,
) -> dict:
    """One line: query SROCC of the procedure for one rater, size and draw."""
    bank, album = banks[kind], albums[kind]
    support, query = split(rater, shots, draw)
    rows, unseen = rater.rows[support], rater.rows[query]
    preferences = Preferences.from_ratings(
        dict(zip(rows.tolist(), rater.ratings[support].tolist(), strict=True))
    )
    began = time.perf_counter()
    alpha = AuthorsProcedure(bank, seed=draw).fit(album.pixel_values[rows], preferences)
    seconds = time.perf_counter() - began
    scores = bank.merge(alpha).score_pixels(album.pixel_values[unseen])
    found = srocc(scores, rater.ratings[query])
    return {"kind": kind, "name": rater.name, "shots": shots, "draw": draw, "srocc": found,
            "seconds": round(seconds, 2)}  # fmt: skip


def append_line(path: Path, line: dict) -> None:
    """Add one line of JSON to a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def lines_of(path: Path) -> list[dict]:
    """The lines of such a file; none where there is no file yet."""
    return [json.loads(x) for x in path.read_text("utf-8").splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with images/")
    parser.add_argument("--out", type=Path, required=True, help="one line a fit; goes on with it")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--draws", type=int, default=2, help="of the people")
    parser.add_argument("--raters", type=int, default=60, help="of known taste, one draw")
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    told = machine()
    embedded = TaskVectorBank.from_pretrained("embedded:tiny")
    banks = {"people": extended_bank(embedded, options.data), "known taste": embedded}
    people = oasis_people(options.data).sample(options.people, 0)
    raters = known_taste(options.data / "images", options.raters)
    pixels = {
        kind: embedded.base.normalize(load_crops(known.photos, embedded.base.config))
        for kind, known in (("people", people), ("known taste", raters))
    }
    jobs = [
        ("people", person, shots, draw)
        for draw in range(options.draws)
        for person in people.persons
        for shots in options.shots
    ]
    jobs += [("known taste", x, shots, 0) for x in raters.persons for shots in options.shots]
    done = {(x["kind"], x["name"], x["shots"], x["draw"]) for x in lines_of(options.out)}
    left = [job for job in jobs if (job[0], job[1].name, *job[2:]) not in done]
    albums = {kind: Album(x, np.empty(0)) for kind, x in pixels.items()}
    write = partial(append_line, options.out)
    run_all(fit_and_score, (banks, albums), left, options.workers, write)
    show(f"{len(jobs)} fits, {len(left)} of them now; {told}")


if __name__ == "__main__":
    main()
