"""Sharded scoring: photos a second, memory by the number of shards, kills, Ray with a node lost.

    python benchmarks/scale.py --photos 100000 --shards 100 --ray --kills 20

Photos are small ones, drawn here (64 x 48, JPEG), so that the work around the tower is what is
measured. With --ray a test cluster of two nodes, one core each, does the same shards; one of them
is killed in the middle, and the outputs must be those of one process without Ray, byte for byte.
With --kills a run in a process of its own is killed at random moments until it is through.
"""

import argparse
import io
import json
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich import box
from rich.table import Table

from common import machine, show

RUN = """
import json, resource, sys, time
from aesthetic_tv.scale import score_shards
began = time.perf_counter()
report = score_shards(sys.argv[1], sys.argv[2], sys.argv[3], batch_size=int(sys.argv[4]))
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "scored": report.manifest["num_scored"],
    "kept": report.num_kept,
}))
"""


def write_shards(folder: Path, photos: int, shards: int, kinds: int = 100) -> None:
    """Tars of drawn photos; so many different ones, each many times under other names."""
    random, drawn = np.random.default_rng(0), []
    for _ in range(kinds):
        coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((64, 48)).save(file, "JPEG", quality=90)
        drawn.append(file.getvalue())
    folder.mkdir()
    numbers = iter(range(photos))
    for shard in range(shards):
        with tarfile.open(folder / f"{shard:05d}.tar", "w") as tar:
            for number in (next(numbers) for _ in range(photos // shards)):
                header = tarfile.TarInfo(f"{number:08d}.jpg")
                header.size = len(drawn[number % kinds])
                tar.addfile(header, io.BytesIO(drawn[number % kinds]))


def command(scorer: Path, pattern: str, out: Path, batch_size: int) -> list[str]:
    return [sys.executable, "-c", RUN, str(scorer), pattern, str(out), str(batch_size)]


def measured(*run) -> dict:
    done = subprocess.run(command(*run), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout.splitlines()[-1])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def killed(scorer: Path, pattern: str, out: Path, batch_size: int, kills: int, whole: float) -> int:
    """Kill a run again and again; how many kills hit it at work."""
    random, hits = np.random.default_rng(0), 0
    for _ in range(kills):
        process = subprocess.Popen(
            command(scorer, pattern, out, batch_size),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = len(list(out.glob("*.parquet")))
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            if len(list(out.glob("*.parquet"))) > before:
                break
            time.sleep(0.01)
        time.sleep(random.uniform(0, whole / kills))
        process.send_signal(signal.SIGKILL)
        hits += process.wait() == -signal.SIGKILL
    return hits


def with_ray(scorer: Path, pattern: str, out: Path, batch_size: int, lose: bool) -> dict:
    """Two nodes of one core each; the second is killed when a third of the shards are done."""
    import ray
    from ray.cluster_utils import Cluster

    from aesthetic_tv.scale import score_shards

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    lost = threading.Event()

    def lose_one(done: int, total: int) -> None:
        if lose and done * 3 >= total and not lost.is_set():
            lost.set()
            cluster.remove_node(second, allow_graceful=False)

    began = time.perf_counter()
    try:
        report = score_shards(
            scorer, pattern, out, batch_size=batch_size, engine="ray", workers=2, progress=lose_one
        )
    finally:
        ray.shutdown()
        cluster.shutdown()
    return {
        "seconds": time.perf_counter() - began,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "scored": report.manifest["num_scored"],
        "problems": report.problems,
        "lost": lost.is_set(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", default="embedded:tiny")
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--keep-node", action="store_true", help="kill no node of Ray")
    options = parser.parse_args()
    from aesthetic_tv.task_vectors import TaskVectorBank

    table = Table("run", "shards", "photos", "seconds", "photos a second", "MiB", box=box.MARKDOWN)
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_shards(folder / "shards", options.photos, options.shards)
        scorer, size = folder / "scorer", options.batch_size
        TaskVectorBank.from_pretrained(options.bank).generic_scorer().save_pretrained(scorer)
        everything = f"{folder}/shards/*.tar"
        tenth = f"{folder}/shards/{{00000..{max(0, options.shards // 10 - 1):05d}}}.tar"

        def add(name: str, found: dict, shards: int) -> None:
            speed = found["scored"] / found["seconds"]
            table.add_row(name, str(shards), str(found["scored"]), f"{found['seconds']:.1f}",
                          f"{speed:.0f}", f"{found['mebibytes']:.0f}")  # fmt: skip

        add("a tenth", measured(scorer, tenth, folder / "tenth", size), options.shards // 10)
        one = measured(scorer, everything, folder / "one", size)
        add("one process", one, options.shards)
        whole = contents(folder / "one")
        if options.ray:
            lose = not options.keep_node
            found = with_ray(scorer, everything, folder / "ray", size, lose)
            add("Ray, two nodes" + (", one killed" if found["lost"] else ""), found, options.shards)
            same = contents(folder / "ray") == whole
            lines.append(
                f"Ray's outputs are those of one process, byte for byte: {same}; problems: "
                f"{found['problems'] or 'none'}."
            )
        if options.kills:
            out = folder / "killed"
            hits = killed(scorer, everything, out, size, options.kills, one["seconds"])
            last = measured(scorer, everything, out, size)
            lines.append(
                f"{hits} of {options.kills} kills hit a run at work; the last one kept "
                f"{last['kept']} shards; byte for byte the same: {contents(out) == whole}."
            )
    show(f"{options.bank}; {machine()}", table, *lines)


if __name__ == "__main__":
    main()
