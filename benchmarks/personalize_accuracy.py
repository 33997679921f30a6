"""How well each way to personalize ranks photos that the person has not rated.

    python benchmarks/authors_procedure.py --data OASIS_FOLDER --out authors.jsonl    # slow: hours
    python benchmarks/personalize_accuracy.py --data OASIS_FOLDER --authors authors.jsonl

Real people: 200 of OASIS, five draws each. The population's centre is learned from mean scores of
photos in the database half that no vector was trained on, its spread from 100 other people. Raters
of known taste: 60, on edited photos, with no population known. The authors' procedure, which is
slow, is read from what its own script wrote, and compared on the same people and draws.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich import box
from rich.table import Table
from scipy import stats

from aesthetic_tv.finetuning import load_crops, normalize
from aesthetic_tv.personalization import NewtonSolver, Preferences, Problem, srocc
from aesthetic_tv.personalization.linear_model import LinearModel, linearize
from aesthetic_tv.personalization.population import fit_population, learn_spread
from aesthetic_tv.task_vectors import TaskVectorBank
from common import Rater, append_line, lines_of, machine, run_all, show, split
from known_taste import known_taste
from people import extended_bank, held_out_photos, people

RIDGE = tuple(np.logspace(-3, 3, 13).tolist())
PAIRED = "authors' procedure"


@dataclass
class World:
    """An album, its bank, and what is the same for all of its raters."""

    bank: TaskVectorBank
    pixel_values: torch.Tensor  # (N, 3, H, W)
    embeds: np.ndarray  # of the base tower (N, D)
    fixed: dict[str, np.ndarray]  # scores that know nothing of the person, by name (N,)
    model: LinearModel  # at the bank's generic coefficients
    slopes: torch.Tensor  # those of the model as features keep them, float16 (N, L, K)


def world(bank: TaskVectorBank, pixel_values: torch.Tensor) -> World:
    """All single task models, the generic scorers, and the linear model."""
    tasks = bank.score_pixels(pixel_values)
    fixed = {f"task {name}": column for name, column in zip(bank.names, tasks.T, strict=True)}
    fixed["mean of the bank's models"] = tasks.mean(1)
    uniform = torch.full((len(bank.layers), len(bank.names)), 1 / len(bank.names))
    fixed["uniform merge"] = bank.merge(uniform).score_pixels(pixel_values)
    point = bank.generic_coefficients.double().numpy()
    model = linearize(bank, pixel_values, point, torch.float32)
    if bank.population is not None:
        fixed["population's centre"] = model.scores
    with torch.inference_mode():
        parts = [bank.base.vision(x).image_embeds for x in pixel_values.split(64)]
    slopes = torch.from_numpy(model.slopes).half()
    return World(bank, pixel_values, torch.cat(parts).numpy(), fixed, model, slopes)


def ridge_scores(embeds: np.ndarray, rows: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """Ridge on embeddings, its penalty by leaving one out, in closed form: (N,)."""
    x = embeds - embeds[rows].mean(0)
    gram, y = x[rows] @ x[rows].T, ratings - ratings.mean()
    scale = gram.trace() / len(rows)
    best = (np.inf, y)
    for penalty in RIDGE:
        inverse = np.linalg.inv(gram + penalty * scale * np.eye(len(rows)))
        dual = inverse @ y
        best = min(best, (float(((dual / inverse.diagonal()) ** 2).sum()), dual),
                   key=lambda found: found[0])  # fmt: skip
    return x @ x[rows].T @ best[1]


def judged(worlds: dict[str, World], kind: str, rater: Rater, shots: int, draw: int) -> dict:
    """One line: query SROCC of every method for one rater, size and draw."""
    there = worlds[kind]
    support, query = split(rater, shots, draw)
    rows, unseen, truth = rater.rows[support], rater.rows[query], rater.ratings[query]
    ratings = rater.ratings[support]
    found = {name: srocc(scores[unseen], truth) for name, scores in there.fixed.items()}
    found["ridge on embeddings"] = srocc(ridge_scores(there.embeds, rows, ratings)[unseen], truth)
    preferences = Preferences.from_ratings(dict(zip(rows.tolist(), ratings.tolist(), strict=True)))
    bank, model = there.bank, there.model
    centre, pixels = bank.generic_coefficients, there.pixel_values[rows]
    problem = Problem(bank, pixels, preferences, centre, bank.population, model.subset(rows))
    fit = NewtonSolver().linear_fit(problem, model.subset(rows))
    found["instant"] = srocc(model.at(fit.coefficients)[unseen], truth)
    began = time.perf_counter()
    solution = NewtonSolver().solve(problem)
    seconds = time.perf_counter() - began
    scores = bank.merge(solution.coefficients).score_pixels(there.pixel_values[unseen])
    found["newton"] = srocc(scores, truth)
    return {"kind": kind, "name": rater.name, "shots": shots, "draw": draw, "srocc": found,
            "seconds": round(seconds, 3)}  # fmt: skip


def print_tables(lines: list[dict], authors: list[dict]) -> None:
    """For each kind and number of shots, all methods, and those paired with the authors'."""
    theirs = {(x["kind"], x["name"], x["shots"], x["draw"]): x["srocc"] for x in authors}
    for kind, shots in sorted({(x["kind"], x["shots"]) for x in lines}):
        chosen = [x for x in lines if (x["kind"], x["shots"]) == (kind, shots)]
        frame = pd.DataFrame([{"name": x["name"], "draw": x["draw"], **x["srocc"]} for x in chosen])
        means = frame.drop(columns="draw").groupby("name").mean()
        knowing = {"newton", "instant", "ridge on embeddings"}
        best = means.drop(columns=list(knowing)).mean().idxmax()
        draws = frame["draw"].nunique()
        show(
            f"\n**{kind}, n = {shots}**: {len(means)} raters, {draws} draws each; the best score "
            f"that knows nothing of the person is *{best}*\n",
            against(means, ["newton", best]),
        )
        key = [(kind, x["name"], shots, x["draw"]) for x in chosen]
        both = [i for i, k in enumerate(key) if k in theirs]
        if both:
            part = frame.iloc[both].assign(**{PAIRED: [theirs[key[i]] for i in both]})
            paired = part.drop(columns="draw").groupby("name").mean()
            show(f"\nThe {len(both)} of these fits ({len(paired)} raters) that the authors' "
                 "procedure was run on:\n", against(paired, [PAIRED]))  # fmt: skip


def against(means: pd.DataFrame, references: list[str]) -> Table:
    """Mean over raters, and the difference to each reference with its 95 % interval."""
    table = Table("method", "SROCC", *(f"less {x} (95 %)" for x in references), box=box.MARKDOWN)
    for method in means.columns:
        cells = []
        for reference in references:
            gap = means[method] - means[reference]
            half = stats.t.ppf(0.975, len(gap) - 1) * stats.sem(gap)
            low, high = gap.mean() - half, gap.mean() + half
            cells.append(
                "" if method == reference else f"{gap.mean():+.3f} ({low:+.3f} to {high:+.3f})"
            )
        table.add_row(method, f"{means[method].mean():.3f}", *cells)
    return table


def make_worlds(options) -> tuple[dict[str, World], dict[str, list[Rater]]]:
    """Both worlds and who is tested in them; says what the population was learned from."""
    pages = options.web_pages or options.data.parent / "webpages_lab_in_the_wild"
    embedded = TaskVectorBank.from_pretrained("embedded:tiny")
    tower = embedded.base.config.tower
    edited, raters = known_taste(options.data / "images", options.raters)
    worlds = {"known taste": world(embedded, normalize(load_crops(edited, tower)))}
    bank = extended_bank(embedded, options.data, pages)
    photos, persons = people(options.data, options.people + options.others)
    persons, others = persons[: options.people], persons[options.people :]
    pixels = normalize(load_crops(photos, tower))
    database, scores = held_out_photos(options.data)
    population = fit_population(bank, normalize(load_crops(database, tower)), scores)
    centre = linearize(bank, pixels, population.centre.double().numpy(), torch.float32)
    prior = learn_spread(centre, {x.name: (x.rows, x.ratings) for x in others})
    bank.population = replace(population, layer_variance=prior.layer, task_variance=prior.task)
    show(
        f"population: {len(database)} photos, {len(others)} other people; variances of a layer's "
        f"own deviation {prior.layer:.2g}, of a task's {prior.task:.2g}"
    )
    worlds["people"] = world(bank, pixels)
    return worlds, {"known taste": raters, "people": persons}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `make_worlds`, and of the runs in them."""
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with images/")
    parser.add_argument("--web-pages", type=Path)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--others", type=int, default=100, help="people the spread is learned from")
    parser.add_argument("--raters", type=int, default=60, help="of known taste, one draw")
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--workers", type=int, default=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--draws", type=int, default=5, help="of the people")
    parser.add_argument("--authors", type=Path, help="what authors_procedure.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="one line a fit; goes on with it")
    options = parser.parse_args()
    began, told = time.perf_counter(), machine()
    worlds, raters = make_worlds(options)
    jobs = [("known taste", x, n, 0) for x in raters["known taste"] for n in options.shots]
    draws = range(options.draws)
    jobs += [("people", x, n, draw) for draw in draws for x in raters["people"]
             for n in options.shots]  # fmt: skip
    done = {(x["kind"], x["name"], x["shots"], x["draw"]) for x in lines_of(options.out)}
    left = [job for job in jobs if (job[0], job[1].name, *job[2:]) not in done]
    run_all(judged, (worlds,), left, options.workers, lambda x: append_line(options.out, x))
    authors = [] if options.authors is None else lines_of(options.authors)
    print_tables(lines_of(options.out), authors)
    show(f"\n{told}; {(time.perf_counter() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
