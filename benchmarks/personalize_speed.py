"""Seconds and memory of a fit: ours beside the authors' procedure, on the same bank and photos.

    python benchmarks/personalize_speed.py [--folder EMPTY_FOLDER]

A bank shaped like ViT-B/16 with random weights, K = 6, and random photos. Each figure is taken in a
process of its own, with the bank loaded before the clock starts. The authors' 500 steps are
extrapolated from the median of a few timed ones; their initialization is timed whole. Ours is timed
whole: initialization, cross-validated figures, all rounds (no early stop) and calibration.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.table import Table

from aesthetic_tv.personalization import NewtonSolver, Personalizer, Preferences
from aesthetic_tv.personalization.instant import InstantFit
from aesthetic_tv.personalization.jacobian import jacobian
from aesthetic_tv.task_vectors import TaskVectorBank
from authors_procedure import STEPS, AuthorsProcedure
from common import machine, random_features, show
from hub import TASKS, build

ROUNDS = 3
STRENGTH = 0.03  # so weak that every round moves: random photos would soon stop the solver
ALBUM = 10_000


def problem(options) -> tuple[torch.Tensor, Preferences]:
    """Random photos, and ratings of 1 to 5."""
    generator = torch.Generator().manual_seed(0)
    photos = torch.randn(options.photos, 3, 224, 224, generator=generator)
    ratings = np.arange(options.photos) % 5 + 1
    return photos, Preferences.from_ratings(dict(enumerate(ratings.tolist())))


def authors(folder: Path, options, *, merge_well: bool) -> dict[str, float]:
    """Initialization, and a few of the 500 steps."""
    bank = TaskVectorBank.from_pretrained(folder / "float32", in_memory=True)
    photos, preferences = problem(options)
    forget_peak()
    procedure = AuthorsProcedure(bank, merge_well=merge_well, steps=options.steps + 1)
    began = time.perf_counter()
    procedure.initialize(photos, preferences)
    initialization = time.perf_counter() - began
    ends = list[float]()
    procedure.fit(photos, preferences, lambda _: ends.append(time.perf_counter()))
    step = statistics.median(np.diff(ends).tolist())  # between ends, so without the first
    return {"seconds": initialization + STEPS * step, "initialization": initialization,
            "step": step, "memory": peak()}  # fmt: skip


def published(folder: Path, options) -> dict[str, float]:
    """The authors' procedure with K scaled copies of each layer added up."""
    return authors(folder, options, merge_well=False)


def merged_well(folder: Path, options) -> dict[str, float]:
    """The same with one contraction for each layer."""
    return authors(folder, options, merge_well=True)


def newton(folder: Path, options) -> dict[str, float]:
    """The whole fit, in the precision given."""
    bank = TaskVectorBank.from_pretrained(folder / "float32")
    photos, preferences = problem(options)
    solver = NewtonSolver(
        strength=STRENGTH, rounds=ROUNDS, tolerance=0.0, precision=options.precision
    )
    forget_peak()
    began = time.perf_counter()
    Personalizer(bank, solver).fit_pixels(photos, preferences)
    return {"seconds": time.perf_counter() - began, "memory": peak()}


def passes(folder: Path, options) -> dict[str, float]:
    """J against one ordinary training step of the same photos, float32."""
    bank = TaskVectorBank.from_pretrained(folder / "float32", in_memory=True)
    photos, _ = problem(options)
    scorer = bank.generic_scorer()
    times: dict[str, list[float]] = {"step": [], "jacobian": [], "jacobian, bfloat16": []}
    for _ in range(options.repeats):
        began = time.perf_counter()
        scorer(photos).scores.sum().backward()
        times["step"].append(time.perf_counter() - began)
        scorer.zero_grad(set_to_none=True)
        for name, dtype in (("jacobian", torch.float32), ("jacobian, bfloat16", torch.bfloat16)):
            began = time.perf_counter()
            jacobian(scorer, photos, bank.stacked, dtype=dtype)
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def instant(folder: Path, options) -> dict[str, float]:
    """Re-fit and re-rank 10,000 cached photos after one more rating."""
    bank = TaskVectorBank.from_pretrained(folder / "float32")
    album = random_features(bank, ALBUM)
    random = np.random.default_rng(0)
    ratings = dict(zip(album.photos, random.integers(1, 6, options.photos).tolist(), strict=False))
    InstantFit.of(album, dict(list(ratings.items())[:-1]))  # opens the features
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        fit = InstantFit.of(album, ratings)
        np.argsort(-fit.scores)
        seconds.append(time.perf_counter() - began)
    began = time.perf_counter()
    fit.ranking()
    surest = time.perf_counter() - began
    began = time.perf_counter()
    fit.suggest_next(5)
    return {"seconds": statistics.median(seconds), "with deviations": surest,
            "suggest": time.perf_counter() - began}  # fmt: skip


def forget_peak() -> None:
    """Let the peak memory of this process begin anew; loading a bank has one of its own (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Peak memory of this process since then, bank and libraries included, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(x for x in lines if x.startswith("VmHWM")).split()[1])


MEASUREMENTS: dict[str, Callable] = {
    function.__name__: function for function in (published, merged_well, newton, passes, instant)
}


def measure(name: str, folder: Path, **settings) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(folder), "--measure", name]
    for key, value in settings.items():
        command += [f"--{key}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} {settings} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(folder: Path, options) -> None:
    """All tables."""
    build(folder, "float32", options)
    for photos in options.sizes:
        rows = {
            f"authors' procedure, {options.steps} steps timed": measure(
                "published", folder, photos=photos, steps=options.steps
            ),
            "the same, merged well": measure(
                "merged_well", folder, photos=photos, steps=options.steps
            ),
            "newton, float32": measure("newton", folder, photos=photos, precision="float32"),
            "newton, bfloat16": measure("newton", folder, photos=photos, precision="bfloat16"),
        }
        theirs = rows["the same, merged well"]
        table = Table("fit", "seconds", "initialization", "a step", "times faster than merged well",
                      "peak memory, GB", box=box.MARKDOWN)  # fmt: skip
        for name, row in rows.items():
            shown = [f"{row[key]:.1f}" if key in row else "" for key in ("initialization", "step")]
            table.add_row(name, f"{row['seconds']:.1f}", *shown,
                          f"{theirs['seconds'] / row['seconds']:.0f}",
                          f"{row['memory'] / 1e9:.2f}")  # fmt: skip
        show(f"\nViT-B/16 shape, K = {TASKS}, {photos} photos, {ROUNDS} rounds\n", table)
    found = measure("passes", folder, photos=16, repeats=3)
    show(f"\nJ of 16 photos: {found['jacobian']:.1f} s, {found['jacobian'] / found['step']:.2f} of "
         f"a training step ({found['step']:.1f} s); in bfloat16 {found['jacobian, bfloat16']:.1f} "
         "s")  # fmt: skip
    for photos in (10, 50, 100):
        found = measure("instant", folder, photos=photos)
        show(f"{photos} ratings, {ALBUM} cached photos: re-fit and re-rank "
             f"{found['seconds'] * 1e3:.0f} ms, with how sure each score is "
             f"{found['with deviations'] * 1e3:.0f} ms more, five suggestions "
             f"{found['suggest'] * 1e3:.0f} ms")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="kept; a temporary one when not given")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100], help="numbers of photos")
    parser.add_argument("--steps", type=int, default=5, help="of the authors' that are timed")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--measure", choices=MEASUREMENTS, help="used by the script itself")
    parser.add_argument("--photos", type=int, default=10, help="used by the script itself")
    parser.add_argument("--precision", default="auto", help="used by the script itself")
    parser.add_argument("--repeats", type=int, default=3, help="used by the script itself")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(MEASUREMENTS[options.measure](options.folder, options)))
        return
    began, told = time.perf_counter(), machine()
    with tempfile.TemporaryDirectory() as name:
        compare(options.folder or Path(name), options)
    show(f"\n{told}; {(time.perf_counter() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
