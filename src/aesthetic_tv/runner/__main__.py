"""`python -m aesthetic_tv.runner my-taste.onnx PHOTOS`: rank photos by an export."""

import argparse
import csv
import io
import sys
from pathlib import Path

import numpy as np

from aesthetic_tv.errors import AestheticTVError
from aesthetic_tv.runner.exported_scorer import ExportedScorer
from aesthetic_tv.scorer.photo_files import PhotoFiles

FAILED, SKIPPED = 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Print a table of rank, score and photo, best first; the exit code is 3 where a photo was
    skipped, and 2 where nothing could be done.
    """
    parser = argparse.ArgumentParser(
        prog="python -m aesthetic_tv.runner",
        description="Rank photos by an exported taste; prints csv, best first.",
    )
    parser.add_argument("export", type=Path, help="my-taste.onnx, or my-taste.xml")
    parser.add_argument("photos", type=Path, nargs="+", help="photos, or folders of them")
    parser.add_argument("--threads", type=int, help="of the processor; all when not given")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # names that the terminal's encoding lacks
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        scorer = ExportedScorer(options.export, threads=options.threads)
        photos, notes = _photos(options.photos)
        scores, failures = scorer.score_readable(photos)
    except AestheticTVError as error:
        print(f"Error: {error}", file=sys.stderr)
        return FAILED
    _print(photos, scores)
    for line in (*notes, *map(str, failures.values())):
        print(line, file=sys.stderr)
    return SKIPPED if failures or notes else 0


def _photos(given: list[Path]) -> tuple[list[Path], list[str]]:
    """The photos named and those below folders, and what was left out."""
    photos, notes = list[Path](), list[str]()
    for path in given:
        if not path.is_dir():
            photos.append(path)
            continue
        files = PhotoFiles.below(path)
        photos += files.photos
        notes += [files.note] if files.note else []
    return photos, notes


def _print(photos: list[Path], scores: np.ndarray) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["rank", "score", "photo"])
    order = np.argsort(-scores, kind="stable")  # those without a score last
    for rank, place in enumerate(order, 1):
        if np.isfinite(scores[place]):
            table.writerow([rank, f"{scores[place]:.6f}", str(photos[place])])


if __name__ == "__main__":
    raise SystemExit(main())
