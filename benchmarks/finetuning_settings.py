"""What each part of the fine-tuning's settings is worth, on one small real task.

    python benchmarks/finetuning_settings.py --data OASIS [--base embedded:lite] [--seeds 2]

The base's tower on photos with mean scores (a folder with a table, such as OASIS' database half):
the whole recipe for a tower of its size, and the same without one part at a time. SROCC and PLCC on
the test part, which nothing was chosen by, mean over seeds of split and training. Averages of
weights and early stop matter more on databases with a hundred times the steps: a part that is worth
nothing here is not shown to be worth nothing there.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from aesthetic_tv.databases import Source, SplitSettings, load
from aesthetic_tv.finetuning.bases import named_base
from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.defaults import defaults_for
from aesthetic_tv.finetuning.from_database import finetune_database


def cases(epochs: int) -> dict[str, FinetuneConfig]:
    """The settings that are compared."""
    whole = replace(
        defaults_for("base"), epochs=epochs, lr=1e-4, batch_size=16, patience=2, workers=0
    )
    return {
        "whole": whole,
        "head stage alone": replace(whole, epochs=0),
        "no head stage": replace(whole, head_epochs=0),
        "one rate for all layers": replace(whole, layer_decay=1.0),
        "no averaged weights": replace(whole, ema=None),
        "no early stop": replace(whole, patience=None),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of photos with a table")
    parser.add_argument("--table", default="database_scores.csv")
    parser.add_argument("--base", default="embedded:lite")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    base = named_base(options.base)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(options.seeds):
        split = SplitSettings("seeded", seed, 0.15, 0.25)
        photos = load("folder", options.data, split=split, source=Source(table=options.table))
        for name, config in cases(options.epochs).items():
            began = time.process_time()
            (trained,) = finetune_database(base, photos, replace(config, seed=seed))
            test = trained.finetuned.test
            assert test is not None
            row = (test.srocc, test.plcc, time.process_time() - began)
            found.setdefault(name, []).append(row)
            print(f"seed {seed}, {name}: SROCC {row[0]:.3f}, PLCC {row[1]:.3f}, {row[2]:.0f} s "
                  f"of work, epoch {trained.finetuned.best_epoch} kept", flush=True)  # fmt: skip
    print(f"\n| settings | SROCC | PLCC | seconds |\n|---|---|---|---|  ({options.seeds} seeds)")
    for name, rows in found.items():
        srocc, plcc, seconds = np.mean(rows, axis=0)
        print(f"| {name} | {srocc:.3f} | {plcc:.3f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
