"""Imported checkpoints whose head theta_0 nobody knows: what does the choice of one cost?

    python benchmarks/imported_heads.py --photos FOLDER

The six checkpoints of the embedded bank stand in for the authors'. Their heads began as one draw;
to see the other case, heads that were drawn anew are taught what each checkpoint says. Under both,
theta_0 is chosen in each way that `import-authors` knows, and raters of known taste are learned.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.table import Table
from scipy import stats

from aesthetic_tv.evaluation.people import Person
from aesthetic_tv.finetuning import load_crops
from aesthetic_tv.personalization import NewtonSolver, PaperSolver, Preferences, Problem, srocc
from aesthetic_tv.personalization.solver import initial_coefficients
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank
from aesthetic_tv.task_vectors.authors_base import put_head
from aesthetic_tv.task_vectors.authors_layout import HEADS, head_similarity
from common import Album, add_options, machine, run_all, show, split
from known_taste import edited_photos, simulated_rater

STEPS = 1500
STARTS = ("one start", "a start each")
OTHER_SEED = 12345  # than the embedded bank's, as the published head is not the authors'


def taught_anew(scorer: AestheticScorer, pixels: torch.Tensor, seed: int) -> AestheticScorer:
    """The checkpoint with a head of another start that gives the same distributions; is changed."""
    with torch.no_grad():
        embeds = scorer.embed(pixels)  # (N, D)
        target = scorer.head(embeds)
    scorer.reset_head(seed)
    optimizer = torch.optim.AdamW(scorer.head.parameters(), lr=2e-3)
    for _ in range(STEPS):
        loss = (scorer.head(embeds) - target).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return scorer


def imported(
    checkpoints: list[AestheticScorer], names: tuple, kind: str, seed: int
) -> TaskVectorBank:
    """The bank that `import_authors` would make: the embedded tower, and a head of this kind."""
    base = TaskVectorBank.from_pretrained("embedded:tiny").base
    put_head(base, [head_of(scorer) for scorer in checkpoints], kind, seed)
    pairs = zip(names, checkpoints, strict=True)
    return TaskVectorBank(base, [TaskVector.from_scorers(base, s, name=n) for n, s in pairs])


def head_of(scorer: AestheticScorer) -> dict[str, torch.Tensor]:
    return {f"head.{name}": tensor for name, tensor in scorer.head.state_dict().items()}


def evaluate(
    banks: dict[str, TaskVectorBank], album: Album, rater: Person, shots: int, iterations: int
) -> dict[str, float]:
    """Query-set SROCC of each bank and solver for one rater."""
    support, query = split(rater, shots, 0)
    rows, unseen, truth = rater.rows[support], rater.rows[query], rater.ratings[query]
    ratings = dict(zip(rows.tolist(), rater.ratings[support].tolist(), strict=True))
    preferences = Preferences.from_ratings(ratings)
    pixels = album.pixel_values[unseen]
    results = {"generic: mean of the scores": srocc(album.task_scores[unseen].mean(1), truth)}
    for name, bank in banks.items():
        initial = initial_coefficients(
            "uniform", album.task_scores[rows], preferences, len(bank.layers)
        )
        results[f"{name}, uniform merge"] = srocc(bank.merge(initial).score_pixels(pixels), truth)
        problem = Problem(bank, album.pixel_values[rows], preferences, initial)
        for solver in (NewtonSolver(), PaperSolver(iterations)):
            alpha = solver.solve(problem).coefficients
            learned = bank.merge(alpha).score_pixels(pixels)
            results[f"{name}, {solver.name}"] = srocc(learned, truth)
    return results


def summary(results: list[dict[str, float]], reference: str) -> Table:
    """One row a method: mean and standard deviation over raters, of whom each has one result, and
    the mean difference to `reference`, paired by rater, with its 95 % interval.
    """
    table = Table("method", "SROCC, mean", "sd over people", f"less {reference}", "95 % interval",
                  box=box.MARKDOWN)  # fmt: skip
    methods = {method: np.array([result[method] for result in results]) for method in results[0]}
    for method, values in methods.items():
        gap = values - methods[reference]
        cells = ["", ""]
        if method != reference:
            half = stats.t.ppf(0.975, len(gap) - 1) * stats.sem(gap)
            cells = [f"{gap.mean():+.3f}", f"{gap.mean() - half:+.3f} to {gap.mean() + half:+.3f}"]
        table.add_row(method, f"{values.mean():.3f}", f"{values.std(ddof=1):.3f}", *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120, help="photos in the album")
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=STARTS)
    add_options(parser, raters=12, draws=1)
    parser.set_defaults(shots=[20], iterations=60)
    options = parser.parse_args()
    began, told = time.perf_counter(), machine()
    bank = TaskVectorBank.from_pretrained("embedded:tiny")
    photos, strengths = edited_photos(options.photos, 2 * options.count)
    pixels = bank.base.normalize(load_crops(photos, bank.base.config))
    teaching, pixels = pixels[options.count :], pixels[: options.count]
    raters = [simulated_rater(s, strengths[: options.count]) for s in range(options.raters)]
    for start in options.starts:
        checkpoints = [bank.task_scorer(name) for name in bank.names]
        before = np.stack([scorer.score_pixels(pixels) for scorer in checkpoints], 1)
        if start == "a start each":
            for k, scorer in enumerate(checkpoints):
                taught_anew(scorer, teaching, seed=100 + k)
        scores = np.stack([scorer.score_pixels(pixels) for scorer in checkpoints], 1)
        same = [srocc(a, b) for a, b in zip(scores.T, before.T, strict=True)]
        alike = head_similarity([head_of(scorer) for scorer in checkpoints])
        show(
            f"\nHeads of {start}: mean cosine {alike:.2f}; SROCC of each checkpoint with the "
            f"bank's own {min(same):.2f} or more; n = {options.shots[0]} rated photos of "
            f"{options.count}\n"
        )
        banks = {kind: imported(checkpoints, bank.names, kind, OTHER_SEED) for kind in HEADS}
        if start == "one start":  # what the authors could publish, and do not
            true = bank.base.config.head_seed
            banks["true theta_0"] = imported(checkpoints, bank.names, "seeded", true)
        jobs = [(rater, options.shots[0], options.iterations) for rater in raters]
        results = run_all(evaluate, (banks, Album(pixels, scores)), jobs, options.workers)
        show(summary(results, "generic: mean of the scores"))
    show(f"\n{told}; {(time.perf_counter() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
