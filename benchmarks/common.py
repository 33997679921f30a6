"""What the benchmarks share: a person's split, fits in processes, and tables."""

import argparse
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
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from aesthetic_tv.evaluation.people import Person
from aesthetic_tv.personalization import PhotoFeatures
from aesthetic_tv.task_vectors import TaskVectorBank


@dataclass
class Album:
    """Photos that are loaded, and what the single task models say of them."""

    pixel_values: torch.Tensor  # (N, 3, H, W)
    task_scores: np.ndarray  # (N, K)


def random_features(bank: TaskVectorBank, count: int) -> PhotoFeatures:
    """An album's features of random numbers: what they say does not change how long a fit takes."""
    generator = torch.Generator().manual_seed(0)
    slopes = torch.randn(count, bank.layout.size, generator=generator).half()
    scores = torch.randn(count, generator=generator).numpy()
    return PhotoFeatures(bank, tuple(map(str, range(count))), scores, slopes)


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
