"""A photographer's day on a folder of 1,000 mixed files: how long each step takes.

    python benchmarks/photographers_day.py PHOTOS [--files 1000] [--long-side 3000] [--bank ...]

From a folder of photos it makes what comes off a card and out of a few years: JPEG of 6 megapixels,
HEIC, RAW with a preview, RAW beside JPEG, bursts with slight differences, sidecars with stars,
broken files, a NAS's thumbnails, hidden folders, videos and texts. Then `rate` is started and
answered as the page does it, and what follows is timed: the first photo, the first order of one's
own, all photos looked at; then `pick` and `apply --xmp`.
"""

import argparse
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from rich import box
from rich.table import Table

from common import machine, show

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from photo_samples import dng

SIDECAR = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{}"/></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
)
COMMAND = [sys.executable, "-m", "aesthetic_tv"]


def make_album(album: Path, photos: list[Path], files: int, long_side: int) -> dict[str, int]:
    """Write the mixed files; how many of each kind."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    random = np.random.default_rng(0)
    counts = dict.fromkeys(
        ("JPEG", "HEIC", "RAW", "of bursts", "sidecars", "broken", "junk"), 0
    )  # fmt: skip
    written, moment = 0, 1_700_000_000.0
    for folder in ("2023/iceland", "2024", "2024/DCIM/100CANON", ".trash", "@eaDir"):
        (album / folder).mkdir(parents=True)
    folders = [album, *(album / name for name in ("2023/iceland", "2024", "2024/DCIM/100CANON"))]
    sources = [photos[i] for i in random.permutation(len(photos))]
    number = 0
    while written < files:
        source = sources[number % len(sources)]
        number += 1
        moment += float(random.exponential(600))
        image = scaled(source, long_side)
        place = folders[number % len(folders)]
        kind = random.choice(
            ["JPEG", "burst", "HEIC", "RAW", "pair"], p=[0.45, 0.1, 0.2, 0.1, 0.15]
        )
        frames = int(random.integers(3, 7)) if kind == "burst" else 1
        for frame in range(frames):
            shown = image if frame == 0 else shaken(image, random)
            exif = taken_at(moment + 0.3 * frame)
            stem = f"DSC_{number:04d}" + (f"_{frame}" if frames > 1 else "")
            if kind in ("JPEG", "burst", "pair"):
                shown.save(place / f"{stem}.JPG", quality=90, exif=exif)
                counts["JPEG"] += 1
                written += 1
            if kind == "HEIC":
                shown.save(place / f"{stem}.heic", quality=70, exif=exif.tobytes())
                counts["HEIC"] += 1
                written += 1
            if kind in ("RAW", "pair"):
                mosaic = random.integers(0, 4096, (400, 600), dtype=np.uint16)
                (place / f"{stem}.DNG").write_bytes(dng(mosaic, shown))
                counts["RAW"] += 1
                written += 1
            counts["of bursts"] += frames > 1
            if random.random() < 0.2:
                (place / f"{stem}.xmp").write_text(SIDECAR.format(int(random.integers(1, 6))))
                counts["sidecars"] += 1
    for n in range(5):
        whole = io.BytesIO()
        image.save(whole, "JPEG")
        (album / f"broken_{n}.jpg").write_bytes(whole.getvalue()[: 100 + 2000 * n])
        counts["broken"] += 1
    for n in range(30):
        image.resize((160, 120)).save(album / "@eaDir" / f"thumb_{n}.jpg")
        image.resize((160, 120)).save(album / ".trash" / f"old_{n}.jpg")
        (album / f"clip_{n}.mov").write_bytes(b"\0" * 2048)
        counts["junk"] += 3
    (album / "Thumbs.db").write_bytes(b"\0" * 512)
    return counts


def scaled(source: Path, long_side: int) -> Image.Image:
    with Image.open(source) as opened:
        image = opened.convert("RGB")
    scale = long_side / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)))


def shaken(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """The next frame of a burst: moved by a few pixels and a little brighter or darker."""
    x, y = (int(shift) for shift in random.integers(0, 40, 2))
    moved = image.crop((x, y, image.width - 40 + x, image.height - 40 + y))
    light = float(random.uniform(0.95, 1.05))
    return moved.point([min(255, round(value * light)) for value in range(256)] * 3)


def taken_at(moment: float) -> Image.Exif:
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    inner[0x9003] = time.strftime("%Y:%m:%d %H:%M:%S", time.gmtime(moment))
    inner[0x9291] = f"{moment % 1:.2f}"[2:]
    exif[0x0110] = "Made Camera"
    return exif


def rate(album: Path, bank: str, cache: Path) -> Iterator[tuple[str, float]]:
    """Start the app, and answer; what happened, and seconds since the start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--bank", bank, "--cache", str(cache), "--no-browser", "--port", str(port)]
    began = time.perf_counter()
    server = subprocess.Popen([*COMMAND, "rate", str(album), *options], stdout=sys.stderr)
    page = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120)
    try:
        while True:
            try:
                page.get("/").raise_for_status()
                break
            except httpx.TransportError:
                if server.poll() is not None:
                    raise SystemExit("the app did not start") from None
                time.sleep(0.2)
        yield "the page is there", time.perf_counter() - began
        entered = page.post("/api/enter", json={"kept": None}).json()
        yield "the page knows the album", time.perf_counter() - began
        page.headers["X-Visit"] = entered["token"]
        photos = {photo["id"]: photo for photo in entered["photos"]}
        state, random = entered["state"], np.random.default_rng(0)
        view = photos[state["ahead"][0][0]]["view"]
        page.get(f"{view}/1600.jpg").raise_for_status()
        yield "the first photo is shown", time.perf_counter() - began
        for seq in range(1, 21):
            answer = {"seq": seq, "do": "rate", "photo": state["ahead"][0][0]}
            answer["stars"] = int(random.integers(1, 6))
            body = {"mode": "stars", "scope": "all", "answers": [answer]}
            clicked = time.perf_counter()
            state = page.post("/api/answers", json=body).json()
            page.get(f"{photos[state['ahead'][0][0]]['view']}/1600.jpg").raise_for_status()
            if seq == 10:
                yield "the tenth answer, to the next photo", time.perf_counter() - clicked
            ranking = page.get("/api/ranking", params={"scope": "all"}).json()
            if ranking["order_known"]:
                yield "the first order of one's own", time.perf_counter() - began
                break
            time.sleep(1)
        while state["looking"]["done"] < state["looking"]["total"]:
            time.sleep(1)
            answer = page.get("/api/state", params={"mode": "stars", "scope": "all", "since": -1})
            state = answer.json()
        yield "all photos were looked at", time.perf_counter() - began
        began = time.perf_counter()
        ranking = page.get("/api/ranking", params={"scope": "all"}).json()
        stacks = ranking["stacks"]
        yield (
            f"all in order: {len(ranking['ids'])} photos, {len(stacks)} stacks",
            (time.perf_counter() - began),
        )
    finally:
        server.terminate()
        server.wait()


def timed(*arguments: str) -> float:
    began = time.perf_counter()
    done = subprocess.run([*COMMAND, *arguments], stdout=sys.stderr)
    if done.returncode not in (0, 3):  # 3: some photos were skipped, and named
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of JPEG files to make the album from")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--long-side", type=int, default=3000, help="pixels")
    parser.add_argument("--bank", default="embedded:lite")
    parser.add_argument(
        "--keep", type=Path, help="folder to make the album in, once, and to leave it in"
    )
    options = parser.parse_args()
    root = options.keep or Path(tempfile.mkdtemp(prefix="day-"))
    album, taste = root / "album", root / "my-taste"
    try:
        kinds = "an album made before"
        if not album.exists():
            photos = sorted(options.photos.rglob("*.jpg"))
            counts = make_album(album, photos, options.files, options.long_side)
            kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        table = Table("step", "seconds", box=box.MARKDOWN)
        for step, seconds in rate(album, options.bank, root / "features.safetensors"):
            table.add_row(step, f"{seconds:.2f}")
        scorer = ["--scorer", str(taste)]
        for step, command in {
            "personalize, from the sidecars": ["personalize", "--ratings", "xmp", "--out", taste],
            "pick --best 50": ["pick", *scorer, "--best", "50", "--to", root / "keepers"],
            "apply --xmp": ["apply", *scorer, "--xmp", "--yes"],
        }.items():
            name, *rest = map(str, command)
            table.add_row(step, f"{timed(name, str(album), *rest):.2f}")
        show(f"{machine()}; load average {os.getloadavg()[0]:.1f}; {kinds}.", table)
    finally:
        if options.keep is None:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
