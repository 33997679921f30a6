"""What a device does with photos that are decoded: scoring, a fit, fine-tuning.

    python benchmarks/device_speed.py --device cuda --tower ViT-B/16 ViT-L/14

Towers have random weights; photos are random crops of 8 bits, in memory. Scores in half precision
are compared with those in float32 of the same photos. The share of peak is that of the products
that a pass takes, beside what one large matrix product reaches here in the same precision.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from rich import box
from rich.table import Table
from scipy.stats import spearmanr
from torch.utils.flop_counter import FlopCounterMode

from aesthetic_tv.personalization import NewtonSolver, Personalizer, Preferences
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.devices import choose_device, wait_for
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show
from hub import TASKS, VIT_B_16, VIT_L_14, bank_of, scorer

TOWERS = {"ViT-B/16": VIT_B_16, "ViT-L/14": VIT_L_14}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SQUARE = 8192  # side of the matrices whose product tells the peak


def best_of(run: Callable[[], object], device: torch.device, laps: int) -> float:
    """Seconds of the fastest of some laps, after one that warms up."""
    times = []
    for _ in range(laps + 1):
        wait_for(device)
        began = time.perf_counter()
        run()
        wait_for(device)
        times.append(time.perf_counter() - began)
    return min(times[1:])


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Callable[[], str]]:
    """How to ask for the most memory that was taken since; of a GPU alone."""
    module = torch.get_device_module(device)
    counts = hasattr(module, "reset_peak_memory_stats")
    if counts:
        module.reset_peak_memory_stats(device)
    yield lambda: f"{module.max_memory_allocated(device) / 2**20:,.0f}" if counts else ""


def peak_flops(device: torch.device, dtype: torch.dtype, side: int) -> float:
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / best_of(lambda: left @ right, device, 5)


def flops_of(model: AestheticScorer, pixels: torch.Tensor) -> int:
    """Of the products of a pass with one photo."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(model.pixels_here(pixels[:1]))
    return counter.get_total_flops()


def scoring(tower: dict, options, device: torch.device) -> Table:
    table = Table("precision", "compiled", "batch", "photos/s", "share of peak", "MiB",
                  "apart, in SD", "SROCC", box=box.MARKDOWN)  # fmt: skip
    crops = torch.randint(0, 256, (options.photos, 3, 224, 224), dtype=torch.uint8)
    exact = scorer(tower).to(device).score_pixels(crops, batch_size=options.batch[0])
    for name, compiled in itertools.product(options.precision, options.compile):
        model = scorer(tower).to(device, DTYPES[name])
        flops, peak = flops_of(model, crops), peak_flops(device, DTYPES[name], options.square)
        if compiled:
            model.vision.compile()
        for size in options.batch:
            found: list[np.ndarray] = []
            with torch.inference_mode(), peak_memory(device) as memory:
                run = lambda: found.append(model.score_pixels(crops, batch_size=size))  # noqa: E731,B023
                rate = len(crops) / best_of(run, device, options.laps)
                told = memory()
            table.add_row(
                name, "yes" if compiled else "", str(size), f"{rate:.1f}",
                f"{rate * flops / peak:.0%}", told,
                f"{np.abs(found[-1] - exact).max() / exact.std():.4f}",
                f"{spearmanr(found[-1], exact).statistic:.5f}",
            )  # fmt: skip
    return table


def fit(bank: TaskVectorBank, options, device: torch.device) -> str:
    pixels = torch.randn(options.shots, 3, 224, 224).to(device)
    ratings = Preferences.from_ratings({i: 1 + i % 5 for i in range(options.shots)})
    with peak_memory(device) as memory:
        seconds = best_of(
            lambda: Personalizer(bank, NewtonSolver()).fit_pixels(pixels, ratings), device, 1
        )
        told = memory()
    return f"a fit of {options.shots} photos, K = {TASKS}, with its figures: {seconds:.2f} s {told}"


def fine_tuning(tower: dict, options, device: torch.device) -> str:
    """Steps of AdamW on the whole tower, as the second stage takes them."""
    model, size = scorer(tower).to(device).train(), options.batch[0]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    crops = torch.randint(0, 256, (size, 3, 224, 224), dtype=torch.uint8)
    half = "bfloat16" in options.precision

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = model(model.pixels_here(crops)).scores.float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    flops = 3 * flops_of(model, crops)
    with peak_memory(device) as memory:
        rate = size / best_of(step, device, options.laps)
        told = memory()
    dtype = torch.bfloat16 if half else torch.float32
    share = rate * flops / peak_flops(device, dtype, options.square)
    return f"fine-tuning, batches of {size}: {rate:.1f} photos/s, {share:.0%} of peak {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tower", nargs="+", choices=TOWERS, default=list(TOWERS))
    parser.add_argument("--layers", type=int, help="of a shorter tower")
    parser.add_argument("--precision", nargs="+", choices=DTYPES, default=["float32", "bfloat16"])
    parser.add_argument("--batch", type=int, nargs="+", default=[256])
    parser.add_argument("--photos", type=int, default=1024)
    parser.add_argument("--shots", type=int, default=100)
    parser.add_argument("--laps", type=int, default=3)
    parser.add_argument("--square", type=int, default=SQUARE)
    parser.add_argument("--compile", type=int, nargs="+", choices=(0, 1), default=[0])
    options = parser.parse_args()
    device = choose_device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    show(f"{where}; {machine()}")
    for name in options.tower:
        tower = TOWERS[name] | ({"num_hidden_layers": options.layers} if options.layers else {})
        show(f"\n{name}\n", scoring(tower, options, device))
        show(fine_tuning(tower, options, device))
        show(fit(bank_of(scorer(tower)).to(device), options, device))


if __name__ == "__main__":
    main()
