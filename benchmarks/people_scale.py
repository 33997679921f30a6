"""N photos for U people in one pass, against as many merged scorers.

    python benchmarks/people_scale.py --photos 20000 --people 1000

People are drawn around the generic taste, with the given size of coefficients. The time of merged
scorers is that of three, times U / 3; the overlap is of each one's best photos by both models, and
the memory that of a process of its own, for a tenth of the photos and for all.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from pyarrow import parquet
from rich import box
from rich.table import Table

from aesthetic_tv.personalization import Personalization
from aesthetic_tv.scale import ScoreBatch
from aesthetic_tv.scale.people import People
from aesthetic_tv.scale.reading import samples_of
from aesthetic_tv.scale.shards import find_shards
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show
from scale import write_shards

MERGED = 3
RUN = """
import json, resource, sys, time
from aesthetic_tv.scale import score_people_shards
from aesthetic_tv.scale.people_job import PeopleSettings
began = time.perf_counter()
report = score_people_shards(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4],
                             settings=PeopleSettings(top=int(sys.argv[5])))
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "check": report.manifest["check"],
}))
"""


def write_people(bank: TaskVectorBank, folder: Path, count: int, size: float) -> None:
    generator = torch.Generator().manual_seed(0)
    for person in range(count):
        draw = size * torch.randn(bank.layout.size, generator=generator)
        alpha, beta = bank.layout.split(bank.generic_point + draw)
        Personalization(
            alpha.clone(), bank.layers, bank.names, bank.reference,
            directions=beta.clone() if bank.layout.directions else None,
        ).save_pretrained(folder / f"p{person:05d}")  # fmt: skip


def measured(*arguments: object) -> dict:
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", default="embedded:tiny")
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--size", type=float, default=0.05, help="of people's coefficients")
    parser.add_argument("--top", type=int, default=100)
    options = parser.parse_args()
    bank = TaskVectorBank.from_pretrained(options.bank)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_shards(folder / "shards", options.photos, options.shards, kinds=options.photos)
        write_people(bank, folder / "tastes", options.people, options.size)
        pattern, tastes = f"{folder}/shards/*.tar", folder / "tastes"
        tenth = f"{folder}/shards/{{00000..{max(0, options.shards // 10 - 1):05d}}}.tar"
        part = measured(tenth, options.bank, tastes, folder / "tenth", options.top)
        linear = measured(pattern, options.bank, tastes, folder / "out", options.top)
        best = parquet.read_table(folder / "out" / "best_of_all.parquet").to_pandas()
        people, seconds, overlaps = People.below(tastes, bank), [], []
        for row in np.linspace(0, options.people - 1, MERGED).astype(int):
            began, found, names = time.perf_counter(), [], []
            score = ScoreBatch(people.tastes[row].merge(bank))
            for shard in find_shards([pattern], folder / "nowhere"):
                for batch in score.score_samples(samples_of(shard)):
                    found.append(batch.scores)
                    names += [f"{shard.stem}/{name}" for name in batch.names]
            seconds.append(time.perf_counter() - began)
            order = np.argsort(-np.concatenate(found), kind="stable")[: options.top]
            mine = set(best[best.person == people.names[row]].photo)
            overlaps.append(len(mine & {names[i] for i in order}) / options.top)
    table = Table("run", "photos", "people", "seconds", "MiB", box=box.MARKDOWN)
    count = str(options.people)
    table.add_row("one pass, a tenth", str(options.photos // 10), count,
                  f"{part['seconds']:.1f}", f"{part['mebibytes']:.0f}")  # fmt: skip
    table.add_row("one pass", str(options.photos), count,
                  f"{linear['seconds']:.1f}", f"{linear['mebibytes']:.0f}")  # fmt: skip
    table.add_row("merged, from 3", str(options.photos), count,
                  f"{np.mean(seconds) * options.people:.0f}", "")  # fmt: skip
    times = np.mean(seconds) * options.people / linear["seconds"]
    lines = [
        f"{times:.0f} times as fast as merged scorers (one takes {np.mean(seconds):.1f} s).",
        f"Of the best {options.top} both models share "
        + ", ".join(f"{x:.0%}" for x in overlaps) + ".",
        f"Check on a sample: {json.dumps(linear['check'])}",
    ]  # fmt: skip
    show(f"{options.bank}; {machine()}", table, *lines)


if __name__ == "__main__":
    main()
