"""What an export loses and how fast it is: ONNX and OpenVINO beside torch, on real photos.

    python benchmarks/export.py --data OASIS_FOLDER --out FOLDER

A taste of `embedded:lite`, fitted to 50 ratings of one person, is exported in every way there is.
300 photos that were not rated: the largest difference of stars from torch's, SROCC with torch's
order, bytes, and photos a second with decoding, one thread of the runtime, in turns with torch's
own on one thread.

OASIS: Kurdi, Lozano & Banaji (2017); beauty ratings: Brielmann & Pelli (2019); not part of this
project.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.table import Table

from aesthetic_tv import AestheticScorer, Personalizer, TaskVectorBank
from aesthetic_tv.export import ExportReport, ExportSettings, export_scorer
from aesthetic_tv.personalization import srocc
from aesthetic_tv.runner import ExportedScorer
from common import machine, show

SHOTS, PHOTOS, CALIBRATION, PERSON = 50, 300, 60, "u301"
LAPS, LAP = 3, 48  # photos of a lap of the clock
WAYS = [
    ExportSettings(takes="photos"),
    ExportSettings(takes="pixels"),
    ExportSettings(takes="photos", precision="float16"),
    ExportSettings(takes="photos", precision="int8"),
    ExportSettings(format="openvino", takes="photos"),
    ExportSettings(format="openvino", takes="photos", precision="float16"),
]


def rated_by(data: Path, person: str) -> dict[str, float]:
    """One person's ratings, by path."""
    with (data / "people_ratings.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["user"] == person]
    return {str(data / "images" / row["image"]): float(row["score"]) for row in rows}


def taste(data: Path, folder: Path) -> tuple[AestheticScorer, list[str], list[str]]:
    """A taste, photos that it was not fitted on, and those that it was."""
    photos = sorted(map(str, (data / "images").iterdir()))
    photos = list(np.random.default_rng(0).permutation(photos))
    ratings = rated_by(data, PERSON)
    rated = [photo for photo in photos if photo in ratings][:SHOTS]
    if not (folder / "config.json").is_file():
        bank = TaskVectorBank.from_pretrained("embedded:lite")
        mine = Personalizer(bank).fit({photo: ratings[photo] for photo in rated})
        mine.merge(bank).save_pretrained(folder)
    rest = [photo for photo in photos if photo not in rated]
    return AestheticScorer.from_pretrained(folder), rest[:PHOTOS], rest[PHOTOS:][:CALIBRATION]


def seconds(scorer, photos: list[str]) -> float:
    """For one lap."""
    start = time.perf_counter()
    scorer.score(photos)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with images/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the exports")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scorer, photos, calibration = taste(options.data, options.out / "taste")
    stars = scorer.score(photos)
    table = Table(
        *("export", "takes", "stored", "MB", "largest difference, stars", "SROCC", "photos/s"),
        "torch beside it",
        box=box.MARKDOWN,
    )
    ways = [*WAYS, ExportSettings(precision="int8", calibration_photos=calibration, tolerance=1.0)]
    for number, way in enumerate(ways):
        out = options.out / f"{number}.{'onnx' if way.format == 'onnx' else 'xml'}"
        start = time.perf_counter()
        report: ExportReport = export_scorer(scorer, out, way, overwrite=True)
        took = time.perf_counter() - start
        exported = ExportedScorer(out, threads=1)
        found = exported.score(photos)
        laps = [
            (seconds(exported, photos[:LAP]), seconds(scorer, photos[:LAP])) for _ in range(LAPS)
        ]
        own, torchs = np.median(laps, axis=0)
        table.add_row(
            *(way.format, way.takes, report.description.precision, f"{report.bytes / 1e6:.1f}"),
            *(f"{np.abs(found - stars).max():.1e}", f"{srocc(found, stars):.5f}"),
            *(f"{LAP / own:.1f}", f"{LAP / torchs:.1f}"),
        )
        print(f"{way.format} {way.takes} {report.description.precision}: {took:.0f} s", flush=True)
    show(table, f"{len(photos)} photos, spread of stars {np.std(stars):.2f}. {machine()}")


if __name__ == "__main__":
    main()
