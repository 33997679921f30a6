"""How long an album takes with the default bank: scoring a folder, and features for the app.

    python benchmarks/album_speed.py --photos FOLDER

Folder scoring is compared with a bare loop of Pillow, the image processor and the tower, in turns
of one run; features are those that `aesthetic-tv rate` takes in the background.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from rich import box
from rich.table import Table

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.personalization import PhotoFeatures
from aesthetic_tv.scorer import AestheticScorer, image_processor
from aesthetic_tv.scorer.folder import score_folder
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show

BATCH = 32


@torch.inference_mode()
def bare_loop(scorer: AestheticScorer, photos: list[Path], *, channels_last: bool) -> None:
    """What a script of a few lines would do."""
    processor = image_processor(scorer.config)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for start in range(0, len(photos), BATCH):
        images = [Image.open(photo).convert("RGB") for photo in photos[start : start + BATCH]]
        pixels = processor(images=images, return_tensors="pt")["pixel_values"]
        scorer.head(scorer.vision(pixels.contiguous(memory_format=layout)).pooler_output)


def timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", default=DEFAULT_BANK)
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG files")
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--laps", type=int, default=3)
    options = parser.parse_args()
    photos = sorted(options.photos.glob("*.jpg"))[: options.count]
    bank = TaskVectorBank.from_pretrained(options.bank)
    scorer = bank.generic_scorer()
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "scores.csv"
        ways = {
            "`score_folder`": lambda: score_folder(scorer, photos, out, overwrite=True),
            "bare loop, channels last": lambda: bare_loop(scorer, photos, channels_last=True),
            "bare loop": lambda: bare_loop(scorer, photos, channels_last=False),
            "features (J)": lambda: PhotoFeatures.compute(bank, photos),
        }
        times = {name: [] for name in ways}
        for _ in range(options.laps):
            for name, work in ways.items():
                times[name].append(timed(work))
    table = Table("what", "seconds", "photos a second", "of the bare loop", box=box.MARKDOWN)
    bare = np.array(times["bare loop, channels last"])
    for name, found in times.items():
        share = median((bare / np.array(found)).tolist())
        table.add_row(name, f"{median(found):.1f}", f"{len(photos) / median(found):.1f}",
                      f"{share:.2f}")  # fmt: skip
    threads = torch.get_num_threads()
    show(f"{options.bank}, {len(photos)} photos, {threads} threads; {machine()}", table)


if __name__ == "__main__":
    main()
