"""What the benchmarks share: a person's split, fits in processes, and tables."""

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from scipy import stats
from tqdm import tqdm

from aesthetic_tv.evaluation.people import Person
from aesthetic_tv.personalization import Preferences


@dataclass
class Album:
    """Photos that are loaded, and what the single task models say of them."""

    pixel_values: torch.Tensor  # (N, 3, H, W)
    task_scores: np.ndarray  # (N, K)


def split(rater: Person, shots: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the rater's own list of the support set and the query set.

    Every rater, size and draw has a seed of its own: one shared seed moves all means at once.
    """
    for attempt in range(100):
        seed = [int.from_bytes(rater.name.encode(), "big") % 2**32, shots, draw, attempt]
        order = np.random.default_rng(seed).permutation(len(rater.rows))
        support, query = order[:shots], order[shots:]
        if np.ptp(rater.ratings[support]) > 0:
            return support, query
    raise SystemExit(f"{rater.name} rated nearly all photos alike; leave this person out.")


def ratings_of(preferences: Preferences) -> np.ndarray:
    """The ratings, which preferences from ratings always have."""
    assert preferences.ratings is not None
    return preferences.ratings


_shared: tuple = ()


def run_all(
    function: Callable,
    shared: tuple,
    jobs: Iterable[tuple],
    workers: int,
    on_result: Callable = lambda _: None,
) -> list:
    """`function(*shared, *job)` for each job, in processes of one thread each: for towers this
    small, two threads in one process mostly wait for each other. `shared` travels once a process.
    `on_result` is given each result as soon as it and all before it are there.
    """
    spawn = multiprocessing.get_context("spawn")
    results = []
    with ProcessPoolExecutor(workers, spawn, _start_worker, (shared,)) as pool:
        futures = [pool.submit(_call, function, job) for job in jobs]
        for future in tqdm(futures, desc="raters", miniters=1):
            results.append(future.result())
            on_result(results[-1])
    return results


def append_line(path: Path, line: dict) -> None:
    """Add one line of JSON to a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def lines_of(path: Path) -> list[dict]:
    """The lines of such a file; none where there is no file yet."""
    return [json.loads(x) for x in path.read_text("utf-8").splitlines()] if path.exists() else []


def _start_worker(shared: tuple) -> None:
    global _shared
    _shared = shared
    torch.set_num_threads(1)


def _call(function: Callable, job: tuple):
    return function(*_shared, *job)


def add_options(parser: argparse.ArgumentParser, *, raters: int, draws: int) -> None:
    """The options of benchmarks that fit raters one by one with the paper's solver."""
    parser.add_argument("--bank", default="embedded:tiny")
    parser.add_argument("--raters", type=int, default=raters)
    parser.add_argument("--draws", type=int, default=draws)
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--iterations", type=int, default=500, help="of the paper solver")
    parser.add_argument("--workers", type=int, default=2)


def summary(results: list[dict[str, float]], people: list[str], reference: str) -> Table:
    """One row a method: mean over people and draws, standard deviation over people of their mean
    over draws, and the mean difference to `reference`, paired by person, with its 95 % interval.
    """
    table = Table("method", "SROCC, mean", "sd over people", f"less {reference}", "95 % interval",
                  box=box.MARKDOWN)  # fmt: skip
    names = sorted(set(people))
    methods = {
        method: np.array(
            [
                np.mean([r[method] for r, who in zip(results, people, strict=True) if who == name])
                for name in names
            ]
        )
        for method in results[0]
    }
    for method, values in methods.items():
        gap = values - methods[reference]
        cells = ["", ""]
        if method != reference:
            half = stats.t.ppf(0.975, len(gap) - 1) * stats.sem(gap)
            cells = [f"{gap.mean():+.3f}", f"{gap.mean() - half:+.3f} to {gap.mean() + half:+.3f}"]
        table.add_row(method, f"{values.mean():.3f}", f"{values.std(ddof=1):.3f}", *cells)
    return table


def show(*parts: Table | str) -> None:
    """Print tables and lines as Markdown."""
    console = Console(width=160)
    for part in parts:
        console.print(part, soft_wrap=True)


def machine() -> str:
    """The machine, the versions and the commit, in a line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    root = Path(__file__).parent
    commit = subprocess.run(
        ["git", "-C", root, "describe", "--always", "--dirty", "--abbrev=10"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    return (
        f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"torch {torch.__version__}; commit {commit or 'unknown'}"
    )
