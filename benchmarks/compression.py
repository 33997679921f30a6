"""Does a personal scorer suffer when its task vectors are stored in few bits?

    python benchmarks/compression.py --data OASIS_FOLDER

Each kind of storage of one bank: bytes of the vectors, what is lost of them, and SROCC on the query
set of personal scorers fitted on it, each person and draw compared with the same on float32. A bank
that is stored in float16 itself is compared with its own values.

OASIS: Kurdi, Lozano & Banaji (2017); beauty ratings: Brielmann & Pelli (2019); not part of this
project.
"""

import argparse
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.table import Table
from scipy import stats

from aesthetic_tv.evaluation.people import Person
from aesthetic_tv.finetuning import load_crops
from aesthetic_tv.personalization import PaperSolver, Preferences, Problem, Solver, srocc
from aesthetic_tv.personalization.solver import initial_coefficients
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors import BaseReference, TaskVector, TaskVectorBank
from common import Album, add_options, machine, run_all, show, split
from people import oasis_people

STORAGES = ("float32", "float16", "bfloat16", "int8", "int4", "int3", "int2")
SMALL = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "projection_dim": 128,
    "image_size": 224,
    "patch_size": 32,
}


def random_bank(tasks: int = 6) -> TaskVectorBank:
    """A bank like the embedded one in shape, of random values: for bytes and a dry run only."""
    torch.manual_seed(0)
    base = AestheticScorer(AestheticScorerConfig(vision_config=SMALL)).eval()
    base.reset_head(0)
    reference = BaseReference.of(base)
    return TaskVectorBank(base, [
        TaskVector({k: 5e-3 * torch.randn(p.shape) for k, p in base.named_parameters()},
                   reference, f"task {k}")
        for k in range(tasks)
    ])  # fmt: skip


def store(bank: TaskVectorBank, folder: Path, storage: str) -> tuple[int, float]:
    """Save the bank in this storage: bytes of its vectors, and the largest relative error."""
    bank.save_pretrained(folder, storage=storage)
    size = sum(path.stat().st_size for path in folder.glob("vectors/*/*.safetensors"))
    pairs = zip(bank.vectors, bank_at(folder).vectors, strict=True)
    return size, max((old - new).norm() / old.norm() for old, new in pairs)


@cache
def bank_at(folder: Path) -> TaskVectorBank:
    """The bank in a folder, loaded once in each process."""
    return TaskVectorBank.from_pretrained(folder)


def fitted(
    folder: Path,
    pixels: np.ndarray,
    task_scores: dict[str, np.ndarray],
    storage: str,
    rater: Person,
    shots: int,
    draw: int,
    solver: Solver,
) -> float:
    """SROCC on the query set of one rater's scorer, all of it done on the bank as stored."""
    bank = bank_at(folder / storage)
    album = Album(torch.from_numpy(pixels), task_scores[storage])
    support, query = split(rater, shots, draw)
    rows, unseen = rater.rows[support], rater.rows[query]
    ratings = dict(zip(rows.tolist(), rater.ratings[support].tolist(), strict=True))
    preferences = Preferences.from_ratings(ratings)
    scores = album.task_scores[rows]
    initial = initial_coefficients("adaptive", scores, preferences, len(bank.layers))
    problem = Problem(bank, album.pixel_values[rows], preferences, initial)
    learned = solver.solve(problem).coefficients
    return srocc(bank.merge(learned).score_pixels(album.pixel_values[unseen]), rater.ratings[query])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--storages", nargs="+", choices=STORAGES, default=list(STORAGES))
    add_options(parser, raters=24, draws=2)
    parser.set_defaults(shots=[50], iterations=60)
    options = parser.parse_args()
    began = time.perf_counter()
    random = options.bank == "random"
    bank = random_bank() if random else TaskVectorBank.from_pretrained(options.bank)
    storages = ["float32", *(kind for kind in options.storages if kind != "float32")]
    people = oasis_people(options.data).sample(options.raters, 0)
    pixels = bank.base.normalize(load_crops(people.photos, bank.base.config))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        versions = {kind: store(bank, folder / kind, kind) for kind in storages}
        scores = {kind: bank_at(folder / kind).score_pixels(pixels) for kind in storages}
        for shots in options.shots:
            jobs = [
                (kind, rater, shots, draw, PaperSolver(options.iterations, seed=draw))
                for rater in people.persons
                for draw in range(options.draws)
                for kind in storages
            ]
            shared = (folder, pixels.numpy(), scores)
            results = np.array(run_all(fitted, shared, jobs, options.workers))
            by_person = results.reshape(len(people), options.draws, len(storages)).mean(1)
            show(
                f"\n{options.bank}, {len(bank.names)} vectors; {len(people)} people, "
                f"{options.draws} draws, n = {shots} rated photos, paper solver with "
                f"{options.iterations} steps\n",
                table(versions, dict(zip(storages, by_person.T, strict=True))),
            )
    show(f"\n{machine()}; {(time.perf_counter() - began) / 60:.0f} minutes")


def table(versions: dict, srocc_of: dict[str, np.ndarray]) -> Table:
    """One row a storage; differences to float32 are paired by person."""
    made = Table("storage", "MB", "of float32", "relative error", "SROCC, mean", "less float32",
                 "95 % interval", box=box.MARKDOWN)  # fmt: skip
    full, reference = versions["float32"][0], srocc_of["float32"]
    for kind, values in srocc_of.items():
        size, error = versions[kind]
        gap, cells = values - reference, ["", ""]
        if kind != "float32":
            half = stats.t.ppf(0.975, len(gap) - 1) * stats.sem(gap)
            cells = [
                f"{gap.mean():+.4f}",
                f"{gap.mean() - half:+.4f} to {gap.mean() + half:+.4f}",
            ]
        made.add_row(kind, f"{size / 1e6:.2f}", f"{size / full:.1%}", f"{error:.2e}",
                     f"{values.mean():.4f}", *cells)  # fmt: skip
    return made


if __name__ == "__main__":
    main()
