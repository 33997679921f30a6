"""Training several vectors: one after the other, side by side, or each on all processes.

Where there are more processes than one, each vector takes the processes' time either way: side by
side the longest queue decides, together their sum at a loss for what is sent.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from aesthetic_tv.building.plan import Step
from aesthetic_tv.building.work import LOGS, Work
from aesthetic_tv.errors import AestheticTVError
from aesthetic_tv.scorer.devices import choose_device, count_devices

TOGETHER, APART = "data-parallel", "side by side"
EFFICIENCY = 0.85  # of processes that send each other gradients, beside one alone
START = 15.0  # seconds that processes take to begin
# By which a process is shown one device of several.
VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "xpu": "ZE_AFFINITY_MASK"}
BUILDER = "AESTHETIC_TV_BUILDER"  # names the process that a worker dies with
LOOK_EVERY = 0.3  # seconds
TAIL = 2000  # characters of a log


class TrainingError(AestheticTVError, RuntimeError):
    """A process that trained ended with an error; the message is its last line."""


@dataclass(frozen=True)
class Arrangement:
    """How vectors are shared out.

    Args:
        way: `TOGETHER` or `APART`.
        processes: that take part.
        seconds: that each way is estimated to take, by its name.
    """

    way: str
    processes: int
    seconds: Mapping[str, float]


def arrange(seconds: Sequence[float], processes: int) -> Arrangement:
    """The faster way to train vectors that take so long each on one process.

    Args:
        seconds: of each vector, or shares of one another's time.
        processes: one for each GPU.

    Example:
        >>> arrange([60, 60, 60, 60], 2).way
        'side by side'
        >>> arrange([6000], 2).way
        'data-parallel'
    """
    queues = [0.0] * processes
    for one in sorted(seconds, reverse=True):  # the longest first, to whoever is free first
        queues[queues.index(min(queues))] += one
    together = sum(x / (processes * EFFICIENCY) + START for x in seconds)
    told = {APART: max(queues) + START, TOGETHER: together}
    return Arrangement(min(told, key=lambda way: told[way]), processes, told)


def num_devices(asked: int | None) -> int:
    """Processes that train: as asked, or one for each GPU."""
    return asked or count_devices(choose_device().type)


def train_apart(
    work: Work,
    steps: Sequence[tuple[Step, str]],
    processes: int,
    ended: Callable[[Step, str, str | None], None],
) -> None:
    """Train vectors side by side, each in a process of its own.

    Args:
        work: the build.
        steps: with their keys.
        processes: that run at once; on GPUs each has one.
        ended: told of each that ended, one at a time, and why it failed where it did.
    """
    free, running = SimpleQueue[int](), list[subprocess.Popen]()
    for device in range(processes):
        free.put(device)
    done, alone = [0], threading.Lock()

    def train(item: tuple[Step, str]) -> None:
        step, key = item
        device = free.get()
        try:
            more = _threads(processes)
            kind = choose_device().type
            if kind in VISIBLE:
                more[VISIBLE[kind]] = str(device % count_devices(kind))
            command = [sys.executable, "-m", "aesthetic_tv.building"]
            reason = _run(work, command, step, key, more, running)
        finally:
            free.put(device)
        with alone:
            ended(step, key, reason)
            done[0] += 1
            work.tell("vectors", done[0], len(steps))

    work.tell("vectors", 0, len(steps))
    with ThreadPoolExecutor(processes) as pool:
        waiting = [pool.submit(train, item) for item in steps]
        try:
            for one in waiting:
                one.result()
        except BaseException:  # Ctrl-C: those that wait do not begin, those that run end
            for one in waiting:
                one.cancel()
            for process in running:
                _end(process)
            raise


def train_together(work: Work, step: Step, key: str, processes: int) -> str | None:
    """Train one vector on all processes; why not, where it failed."""
    more = _threads(processes)
    if choose_device().type == "cpu":
        more["ACCELERATE_USE_CPU"] = "true"  # or each process thinks that it is alone
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launch += ["--nproc_per_node", str(processes), "-m", "aesthetic_tv.building"]
    running = list[subprocess.Popen]()
    try:
        return _run(work, launch, step, key, more, running)
    except BaseException:
        for process in running:
            _end(process)
        raise


def _threads(processes: int) -> dict[str, str]:
    """Processes that share a machine's cores would wait for each other's threads."""
    known = os.environ.get("OMP_NUM_THREADS")
    share = max(1, (os.cpu_count() or 1) // processes)
    return {"OMP_NUM_THREADS": known or str(share)}


def _run(
    work: Work,
    command: list[str],
    step: Step,
    key: str,
    more: Mapping[str, str],
    running: list[subprocess.Popen],
) -> str | None:
    """Run a worker to its end; why it failed, where it did.

    Args:
        work: the build.
        command: to start it with.
        step, key: what it does.
        more: of its environment.
        running: told of the process while it runs.
    """
    path = log_file(work.folder, step.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"folder": str(work.folder.resolve()), "origin": str(work.origin), "step": step.name,
            "key": key, "only": work.settings.only, "without": work.settings.without}  # fmt: skip
    environment = os.environ | dict(more) | {BUILDER: str(os.getpid())}
    with path.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, json.dumps(told)], env=environment, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        running.append(process)
        code = process.wait()
        running.remove(process)
    return None if code == 0 else _reason(path, code)


def _end(process: subprocess.Popen) -> None:
    """End a worker and those it started."""
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            return
    else:
        process.terminate()
    process.wait()


def _reason(path: Path, code: int) -> str:
    """The last error of a log."""
    tail = path.read_text("utf-8", "replace")[-TAIL:]
    lines = [line for line in tail.splitlines() if line.startswith("Error: ")]
    told = lines[-1].removeprefix("Error: ") if lines else f"its process ended with {code}."
    return f"{told} Its log: {path}"


def log_file(folder: Path, step: str) -> Path:
    """The log of a step."""
    return folder / LOGS / f"{step.replace(' ', '-')}.log"


def die_with_builder() -> None:
    """End this process when the one that started the build is gone: another build of the folder
    must not meet it.
    """
    builder = int(os.environ.get(BUILDER, 0))
    if not builder or os.name != "posix":
        return

    def watch() -> None:
        while True:
            try:
                os.kill(builder, 0)
            except ProcessLookupError:
                os._exit(1)
            except OSError:
                pass
            time.sleep(LOOK_EVERY)

    threading.Thread(target=watch, daemon=True).start()
