"""Kills processes in the middle of writing, at moments drawn at random, and looks at what is left.

A process of its own, which loads everything once and forks: `python killed_worker.py FOLDER`.
Prints how many moments there were, and how many of them left something that was being written.
"""

import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aesthetic_tv.finetuning.checkpoint import RunFolder
from aesthetic_tv.personalization import Personalization
from aesthetic_tv.personalization.photo_features import FeatureRows, load_rows
from aesthetic_tv.scorer.folder import score_folder
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank
from evaluation_samples import draw_photos
from test_mutations import bits, small_bank

MOMENTS, LATEST = 17, 0.03  # of each kind; seconds after the first time it was written whole


def apart(work: Callable[[], Any]) -> Any:
    """What a process of its own makes of it: this one stays without the threads of any library,
    which no fork survives.
    """
    told, tells = os.pipe()
    process = os.fork()
    if process == 0:
        _in_child(lambda: os.write(tells, pickle.dumps(work())))
    os.close(tells)
    with os.fdopen(told, "rb") as file:
        answer = file.read()
    os.waitpid(process, 0)
    assert answer, "it failed there"
    return pickle.loads(answer)


def killed(write: Callable[[], None], moment: float) -> None:
    """Let a process write again and again, and kill it so long after its first time."""
    told, tells = os.pipe()
    process = os.fork()
    if process == 0:
        _in_child(lambda: (write(), os.write(tells, b"1"), [write() for _ in iter(int, 1)]))
    os.close(tells)
    assert os.read(told, 1), "it failed there"
    time.sleep(moment)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    os.close(told)


def _in_child(work: Callable[[], Any]) -> None:
    try:
        work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def check(name: str, folder: Path, save: Callable[[int], None], load: Callable[[], Any]) -> int:
    """Save two things in turns; after each kill there must be one of the two, whole."""
    random, left = np.random.default_rng(len(name)), 0
    answers = [apart(lambda turn=turn: (save(turn), load())[1]) for turn in range(2)]
    assert answers[0] != answers[1], name

    def write() -> None:
        save(0)
        save(1)

    for _ in range(MOMENTS):
        killed(write, LATEST * random.random())
        left += any(".tmp" in path.name for path in folder.iterdir())
        found = apart(load)
        assert found in answers, f"{name}: {found!r:.500}"
    apart(write)  # which takes away what the killed ones left
    names = sorted(path.name for path in folder.iterdir())
    assert not [told for told in names if ".tmp" in told], names
    return left


def check_scores(folder: Path, scorer) -> None:
    """The table is not there or whole; a resumed run always comes to the same one."""
    random, out = np.random.default_rng(0), folder / "scores.csv"
    draw_photos(folder / "album", 6)

    def score() -> None:
        score_folder(scorer, folder / "album", out, batch_size=2, resume=True, overwrite=True)

    apart(score)
    whole = out.read_bytes()
    for _ in range(MOMENTS):
        out.unlink()
        killed(score, LATEST * random.random())
        assert not out.exists() or out.read_bytes() == whole
        apart(score)
        assert out.read_bytes() == whole
    assert sorted(path.name for path in folder.iterdir()) == ["album", "scores.csv"]


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    bank = small_bank(1)
    vectors = [bank.vectors[0], replace(bank.vectors[0], name="other")]
    banks = [TaskVectorBank(bank.base, [vector]) for vector in vectors]
    tastes = [
        Personalization(torch.full((len(bank.layers), 1), k + 0.5), bank.layers, ("a",),
                        bank.reference)
        for k in range(2)
    ]  # fmt: skip
    rows = [FeatureRows((f"{k}" * 64,), torch.ones(1), torch.full((1, 5), float(k)).half())
            for k in range(2)]  # fmt: skip
    places = {name: folder / name for name in ("taste", "vector", "bank", "features", "state")}
    for place in places.values():
        place.mkdir(parents=True)
    run = RunFolder(places["state"])
    kinds: dict[str, tuple[Callable[[int], None], Callable[[], Any]]] = {
        "taste": (
            lambda k: tastes[k].save_pretrained(places["taste"] / "x"),
            lambda: bits(Personalization.from_pretrained(places["taste"] / "x").coefficients),
        ),
        "vector": (
            lambda k: vectors[k].save_pretrained(places["vector"] / "x"),
            lambda: TaskVector.from_pretrained(places["vector"] / "x").name,
        ),
        "bank": (
            lambda k: banks[k].save_pretrained(places["bank"] / "x"),
            lambda: TaskVectorBank.from_pretrained(places["bank"] / "x").names,
        ),
        "features": (
            lambda k: rows[k].save(places["features"] / "x.safetensors", "f" * 64),
            lambda: bits(load_rows(places["features"] / "x.safetensors", "f" * 64, 5).slopes),
        ),
        "state": (
            lambda k: run.save("checkpoint", {"x": torch.full((50,), float(k))}, {"step": k}),
            lambda: (lambda found: (bits(found[0]["x"]), found[1]))(run.load("checkpoint")),
        ),
    }
    left = sum(check(name, places[name], *how) for name, how in kinds.items())
    (folder / "scores").mkdir()
    check_scores(folder / "scores", bank.base)
    print(MOMENTS * (len(kinds) + 1), left)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
