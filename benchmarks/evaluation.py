"""How `people.py` and `known_taste.py` compare methods: by `aesthetic_tv.evaluation`.

Both go on where they stopped, take further methods later, and share the people out under
`torchrun --nproc_per_node`. `aesthetic-tv report FOLDER` makes the report.
"""

import argparse
import time
from pathlib import Path

import torch

from aesthetic_tv.evaluation.people import People
from aesthetic_tv.evaluation.running import Protocol, evaluate
from aesthetic_tv.processes import joined
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show

FAST = ("generic", "uniform", "single", "best-fit", "adaptive", "newton", "instant", "ridge",
        "others")  # fmt: skip


def add_options(
    parser: argparse.ArgumentParser, *, people: int, trials: int, methods: tuple[str, ...] = FAST
) -> None:
    """The options of both."""
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with images/")
    parser.add_argument("--out", type=Path, required=True, help="goes on with what is there")
    parser.add_argument("--methods", nargs="+", default=methods)
    parser.add_argument("--people", type=int, default=people)
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--trials", type=int, default=trials)
    parser.add_argument("--slow-people", type=int, default=20, help="for methods of seconds a fit")
    parser.add_argument("--slow-trials", type=int, default=2)


def compare(bank: TaskVectorBank, people: People, options: argparse.Namespace) -> None:
    """Fit all of the people by all of the methods, and say how long it took."""
    torch.set_num_threads(1)
    protocol = Protocol(
        tuple(options.shots),
        options.trials,
        tuple(options.methods),
        options.people,
        options.slow_people,
        options.slow_trials,
    )
    began, told = time.perf_counter(), machine()  # the commit it starts from
    results = evaluate(bank, people, protocol, options.out, facts={"machine": told})
    fits = results.fits["method"].isin(options.methods).sum()
    if joined().is_main_process:
        show(f"{fits} fits; {told}; {(time.perf_counter() - began) / 60:.1f} minutes")
