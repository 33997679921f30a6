"""Photos read from inside an archive, against unpacking it first.

    python benchmarks/archives.py [--folder EMPTY_FOLDER] [--photos 3000]

A zip of small JPEGs (512 x 384, drawn here, each another), put in as they are and packed again, and
the same as a tar.gz. Each photo is read once, in random order, as training does; times are those of
the processor, which others on the machine do not change. Files were read before, so that all are in
the system's cache. Unpacking is told in seconds of the clock too, since it waits for the disk.
"""

import argparse
import io
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich import box
from rich.table import Table

from aesthetic_tv.databases.archives import unpack
from aesthetic_tv.databases.zip_photos import photos_in_zip
from common import machine, show

SIZE, DIFFERENT, REPEATS = (512, 384), 60, 3
SLOW = 50  # photos, of ways that take milliseconds for each


def draw(count: int) -> dict[str, bytes]:
    """JPEGs by their names; some pictures come again, with other bytes at the end."""
    random = np.random.default_rng(0)
    pictures = []
    for _ in range(DIFFERENT):
        coarse = Image.fromarray(random.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        coarse.resize(SIZE).save(file := io.BytesIO(), "JPEG", quality=90)
        pictures.append(file.getvalue())
    return {f"koniq/{n}.jpg": pictures[n % DIFFERENT] + n.to_bytes(4, "big") for n in range(count)}


def pack(folder: Path, photos: dict[str, bytes]) -> dict[str, Path]:
    paths = {name: folder / name for name in ("stored.zip", "packed.zip", "photos.tgz")}
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("packed.zip", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(paths[name], "w", method) as archive:
            for photo, content in photos.items():
                archive.writestr(photo, content)
    with tarfile.open(paths["photos.tgz"], "w:gz", compresslevel=1) as archive:
        for photo, content in photos.items():
            header = tarfile.TarInfo(photo)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return paths


def each(read: Callable[[str], object], names: list[str]) -> float:
    """Microseconds of the processor for each photo, the best of several rounds."""
    rounds = []
    for _ in range(REPEATS):
        start = time.process_time()
        for name in names:
            read(name)
        rounds.append((time.process_time() - start) / len(names) * 1e6)
    return min(rounds)


def table(header: list[str], rows: list[list[str]]) -> Table:
    made = Table(*header, box=box.MARKDOWN)
    for row in rows:
        made.add_row(*row)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--photos", type=int, default=3000)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=settings.folder) as place:
        folder, photos = Path(place), draw(settings.photos)
        names = list(np.random.default_rng(1).permutation(list(photos)))
        megabytes = sum(map(len, photos.values())) / 1e6
        archives, rows = pack(folder, photos), []
        for name, archive in archives.items():
            start, clock = time.process_time(), time.perf_counter()
            unpack([archive], folder / f"of {name}")
            used, clock = time.process_time() - start, time.perf_counter() - clock
            rows.append([name, f"{used:.1f}", f"{clock:.1f}", f"{megabytes / used:.0f}"])
        show(table(["archive", "unpacking, s of CPU", "of the clock", "MB/s of CPU"], rows), "")
        files = folder / "of stored.zip"
        stored, packed = (photos_in_zip(archives[f"{kind}.zip"]) for kind in ("stored", "packed"))
        library = zipfile.ZipFile(archives["stored.zip"])

        def opened(name: str) -> bytes:
            with zipfile.ZipFile(archives["stored.zip"]) as archive:
                return archive.read(name)

        ways = {
            "files": each(lambda name: (files / name).read_bytes(), names),
            "inside a zip, stored": each(lambda name: stored[name].read(), names),
            "inside a zip, packed again": each(lambda name: packed[name].read(), names),
            "zipfile, kept open": each(library.read, names),
            "zipfile, opened for each": each(opened, names[:SLOW]),
            "(decoding)": each(
                lambda name: Image.open(files / name).convert("RGB").load(), names[:500]
            ),
        }
        told = [[way, f"{value:.0f}"] for way, value in ways.items()]
        show(table(["way to read", "us of CPU a photo"], told), "")
        show(f"{settings.photos} photos, {megabytes:.0f} MB. {machine()}")


if __name__ == "__main__":
    main()
