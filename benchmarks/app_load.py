"""The app under load: from a click to the new order, memory per visitor, and nothing lost.

    python benchmarks/app_load.py [--visitors 20] [--ratings 20] [--pause 2.0] [--album FOLDER]

Visitors rate the 60 sample photos with the embedded bank, or those of a folder, all at once, each
on a connection of its own, as the page does: a click is an answer, whose reply holds what to ask
next, and then the new order is asked for; the photo is fetched, too, which is not timed. Between
two clicks a visitor looks at the photo for `--pause` seconds on average; 0 is as fast as answers
come, which no person is. The server is a process of its own; the visitors share the machine with
it.
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

    seconds: list[float] = field(default_factory=list)  # to the new order
    answers: list[float] = field(default_factory=list)  # to the reply
    opened: float = 0.0
    standing: str = ""
    kept: int = 0
    errors: list[str] = field(default_factory=list)


class Page:
    """What the browser's part of the app asks for."""

    def __init__(self, address: str, seed: int):
        self.client = httpx.Client(base_url=address, timeout=120)
        self.random = random.Random(seed)
        self.seq = 0

    def enter(self) -> None:
        """Open the page."""
        for path in ("/", "/web/main.js", "/web/style.css"):
            self.client.get(path)
        entered = self.client.post("/api/enter", json={"kept": None}).json()
        self.client.headers["X-Visit"] = entered["token"]
        self.views = {photo["id"]: photo["view"] for photo in entered["photos"]}
        self.state = entered["state"]
        self.kept = entered["kept"]
        self.look()

    def look(self) -> None:
        """Fetch the photo that is asked for."""
        for photo in self.state["ahead"][0] if self.state["ahead"] else ():
            self.client.get(f"{self.views[photo]}/1600.jpg").raise_for_status()

    def rate(self, stars: int) -> None:
        """Answer what is asked."""
        self.seq += 1
        (photo,) = self.state["ahead"][0]
        answer = {"seq": self.seq, "do": "rate", "photo": photo, "stars": stars}
        reply = self.client.post("/api/answers", json={"mode": "stars", "answers": [answer]})
        reply.raise_for_status()
        self.state = reply.json()
        self.kept = self.state["kept"]

    def order(self) -> None:
        """Ask for the new order."""
        self.client.get("/api/ranking").raise_for_status()


def visit(address: str, seed: int, options, start: threading.Barrier, visitor: Visitor) -> None:
    page = Page(address, seed)
    start.wait()
    began = time.perf_counter()
    page.enter()
    visitor.opened = time.perf_counter() - began
    for _ in range(options.ratings):
        time.sleep(page.random.expovariate(1 / options.pause) if options.pause else 0)
        began = time.perf_counter()
        try:
            page.rate(page.random.randint(1, 5))
            visitor.answers.append(time.perf_counter() - began)
            page.order()
        except httpx.HTTPError as error:
            visitor.errors.append(repr(error))
        visitor.seconds.append(time.perf_counter() - began)
        page.look()
    visitor.standing = page.state["standing"]["text"]
    visitor.kept = len(page.kept["said"]["ratings"])


def resident(process: int) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1e3


def served(album: Path | None) -> tuple[subprocess.Popen, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from aesthetic_tv.cli import main; main()", "rate"]
    if album is not None:
        command.append(str(album))
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
    page.enter()
    while page.client.get("/api/state").json()["looking"]["working"]:
        time.sleep(1)
    page.client.post("/api/leave")


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
    parser.add_argument("--album", type=Path)
    options = parser.parse_args()
    server, address = served(options.album)
    try:
        wait_for_features(address)
        warm = resident(server.pid)
        visitors, memory = run(address, server, options)
    finally:
        server.terminate()
        server.wait()
    seconds = np.array([second for visitor in visitors for second in visitor.seconds])
    answers = np.array([second for visitor in visitors for second in visitor.answers])
    lost = sum(options.ratings - visitor.kept for visitor in visitors)
    table = Table(
        *("visitors", "ratings each", "pause", "page opens, median"),
        *("click to reply, median", "95th percentile", "click to new order, median"),
        *("95th percentile", "slowest", "memory of the app", "per visitor", "lost", "errors"),
        box=box.MARKDOWN,
    )
    table.add_row(
        str(options.visitors),
        str(options.ratings),
        f"{options.pause:g} s",
        f"{np.median([visitor.opened for visitor in visitors]):.2f} s",
        f"{np.median(answers):.3f} s",
        f"{np.quantile(answers, 0.95):.3f} s",
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
