"""The app under load: from a click to the new order, memory per visitor, and nothing lost.

    python benchmarks/app_load.py [--visitors 20] [--ratings 20] [--pause 2.0]

Visitors rate the 60 sample photos with the embedded bank, all at once, each on a connection of its
own, as the page does: a click is one request, and its answer holds the next photo and both orders.
Between two clicks a visitor looks at the photo for `--pause` seconds on average; 0 is as fast as
answers come, which no person is. The server is a process of its own; the visitors share the machine
with it.
"""

import argparse
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from rich import box
from rich.table import Table

from common import machine, show


@dataclass
class Visitor:
    """One visitor: seconds of each click, and what the page said at the end."""

    seconds: list[float] = field(default_factory=list)
    opened: float = 0.0
    standing: str = ""
    kept: int = 0
    errors: list[str] = field(default_factory=list)


class Page:
    """What the browser's part of the app asks for."""

    def __init__(self, address: str, seed: int):
        self.client = httpx.Client(base_url=address, timeout=120)
        self.random = random.Random(seed)
        self.session = f"load{seed}-{self.random.random()}"
        config = self.client.get("/config").json()
        self.ids = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
        self.calls = config["dependencies"]
        self.values: dict[int, object] = {
            part["id"]: part["props"].get("value") for part in config["components"]
        }

    def call(self, number: int, trigger: int | None = None) -> None:
        """Send one event, and take its answer over."""
        event = self.calls[number]
        body = {
            "data": [self.values.get(i) for i in event["inputs"]],
            "fn_index": event["id"],
            "session_hash": self.session,
            "trigger_id": trigger,
            "event_data": None,
        }
        answer = self.client.post("/gradio_api/run/predict", json=body)
        answer.raise_for_status()
        for i, value in zip(event["outputs"], answer.json()["data"], strict=True):
            update = isinstance(value, dict) and value.get("__type__") == "update"
            if not update or "value" in value:
                self.values[i] = value["value"] if update else value

    def number_of(self, target: int | None, kind: str) -> int:
        """Which event starts with this component."""
        return next(i for i, call in enumerate(self.calls) if [target, kind] in call["targets"])

    def text(self, elem_id: str) -> str:
        """What a component says."""
        return str(self.values[self.ids[elem_id]])


def visit(address: str, seed: int, options, start: threading.Barrier, visitor: Visitor) -> None:
    page = Page(address, seed)
    start.wait()
    began = time.perf_counter()
    page.call(root_load(page))
    visitor.opened = time.perf_counter() - began
    star = page.number_of(page.ids["star-1"], "click")
    for _ in range(options.ratings):
        time.sleep(page.random.expovariate(1 / options.pause) if options.pause else 0)
        button = page.ids[f"star-{page.random.randint(1, 5)}"]
        began = time.perf_counter()
        try:
            page.call(star, button)
        except httpx.HTTPError as error:
            visitor.errors.append(repr(error))
        visitor.seconds.append(time.perf_counter() - began)
    visitor.standing = page.text("standing")
    visitor.kept = kept(page)


def root_load(page: Page) -> int:
    return next(
        i for i, call in enumerate(page.calls) if any(kind == "load" for _, kind in call["targets"])
    )


def kept(page: Page) -> int:
    """Ratings that the browser would keep."""
    return next(
        len(value["said"]["ratings"])
        for value in page.values.values()
        if isinstance(value, dict) and "said" in value
    )


def resident(process: int) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1e3


def served() -> tuple[subprocess.Popen, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from aesthetic_tv.cli import main; main()", "rate"]
    server = subprocess.Popen([*command, "--no-browser", "--port", str(port)], stdout=sys.stderr)
    address = f"http://127.0.0.1:{port}"
    while True:
        try:
            httpx.get(address, timeout=60)
            return server, address
        except httpx.TransportError:
            if server.poll() is not None:
                raise SystemExit("the app did not start") from None
            time.sleep(0.5)


def wait_for_features(address: str) -> None:
    """One visitor before the others, until the album was looked at."""
    page = Page(address, 10_000)
    page.call(root_load(page))
    while "Looking" in page.text("looking") or not page.values[page.ids["generic"]]:
        time.sleep(1)
        page.call(page.number_of(page.ids["mode"], "input"))


def run(address: str, server: subprocess.Popen, options) -> tuple[list[Visitor], float]:
    before = resident(server.pid)
    visitors = [Visitor() for _ in range(options.visitors)]
    start = threading.Barrier(options.visitors)
    threads = [
        threading.Thread(target=visit, args=(address, seed, options, start, visitor))
        for seed, visitor in enumerate(visitors)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return visitors, (resident(server.pid) - before) / options.visitors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--ratings", type=int, default=20)
    parser.add_argument("--pause", type=float, default=2.0)
    options = parser.parse_args()
    server, address = served()
    try:
        wait_for_features(address)
        warm = resident(server.pid)
        visitors, memory = run(address, server, options)
    finally:
        server.terminate()
        server.wait()
    seconds = np.array([second for visitor in visitors for second in visitor.seconds])
    lost = sum(options.ratings - visitor.kept for visitor in visitors)
    table = Table(
        "visitors", "ratings each", "pause", "page opens, median", "click to new order, median",
        "95th percentile", "slowest", "memory of the app", "per visitor", "lost", "errors",
        box=box.MARKDOWN,
    )  # fmt: skip
    table.add_row(
        str(options.visitors),
        str(options.ratings),
        f"{options.pause:g} s",
        f"{np.median([visitor.opened for visitor in visitors]):.2f} s",
        f"{np.median(seconds):.3f} s",
        f"{np.quantile(seconds, 0.95):.3f} s",
        f"{seconds.max():.3f} s",
        f"{warm:.0f} MB",
        f"{memory:.1f} MB",
        str(lost),
        str(sum(len(visitor.errors) for visitor in visitors)),
    )
    print(machine(), f"load average {os.getloadavg()[0]:.1f}", sep="; ")
    show(table)
    print(json.dumps({"standing of the first": visitors[0].standing}))


if __name__ == "__main__":
    main()
