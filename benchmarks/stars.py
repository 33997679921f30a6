"""How long the stars of an album take to read, to plan and to write: no pixel is decoded.

    python benchmarks/stars.py --photos 1000

Photos are the shipped ones, copied, a quarter each with XMP inside, EXIF's rating, a sidecar of
Lightroom's size (10 kB) beside them, and nothing. The first run is with the files just written, so
it is the system's cache that is read from, not a disk.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image

from aesthetic_tv.assets import sample_photos
from aesthetic_tv.photo_metadata.stars import read_stars
from aesthetic_tv.photo_metadata.stars_plan import plan_stars
from aesthetic_tv.photo_metadata.stars_undo import undo_stars
from aesthetic_tv.photo_metadata.xmp_edit import new_packet

SETTINGS = "".join(f'\n   crs:Setting{i}="{i / 7:+.3f}"' for i in range(320))
SPACE = '\n    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"'


def make_album(folder: Path, photos: int) -> None:
    shipped = sample_photos()
    long = new_packet(3).replace(b'xmp:Rating="3"', f'xmp:Rating="3"{SPACE}{SETTINGS}'.encode())
    exif = Image.Exif()
    exif[0x4746] = 2
    for i in range(photos):
        target, source = folder / f"IMG_{i:05d}.jpg", shipped[i % len(shipped)]
        if i % 4 == 0:
            _insert(source, target, b"http://ns.adobe.com/xap/1.0/\0" + new_packet(4))
        elif i % 4 == 1:
            _insert(source, target, exif.tobytes())
        else:
            shutil.copyfile(source, target)
        if i % 4 == 2:
            target.with_name(f"{target.name}.xmp").write_bytes(long)


def _insert(source: Path, target: Path, app1: bytes) -> None:
    """A JPEG with a segment more."""
    content = source.read_bytes()
    segment = b"\xff\xe1" + (len(app1) + 2).to_bytes(2, "big") + app1
    target.write_bytes(content[:2] + segment + content[2:])


def timed(what: str, work):
    started, before = time.perf_counter(), time.process_time()
    result = work()
    seconds, busy = time.perf_counter() - started, time.process_time() - before
    print(f"| {what} | {seconds:.2f} | {busy:.2f} |")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    photos = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as folder:
        album = Path(folder) / "album"
        album.mkdir()
        make_album(album, photos)
        print(f"\n| {photos} photos | seconds | of the processor |\n|---|---|---|")
        read_stars([next(album.glob("*.jpg"))])  # imports
        found = timed("read the stars", lambda: read_stars(album))
        stars = dict.fromkeys(found.photos, 5)
        plan = timed("plan", lambda: plan_stars(found, stars, album=album, overwrite=True))
        done = timed(f"write {len(plan.changed)} sidecars", plan.write)
        timed("take them back", lambda: undo_stars(done.undo))
        print(f"\n{found.summary()}")


if __name__ == "__main__":
    main()
