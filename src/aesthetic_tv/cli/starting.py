"""What a person sees while a command imports PyTorch and transformers, which takes seconds."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

STAGES = ("starting", "loading models")
MODULES = 2700  # that PyTorch and transformers import, about
EVERY = 0.1  # seconds


class Starting:
    """A bar on stderr from the first moment on, by how many modules are imported; it is cleared
    before anything else is written, and shown on a terminal only.

    Args:
        silent: show nothing.
    """

    def __init__(self, silent: bool = False):
        self._shown = not silent and sys.stderr is not None and sys.stderr.isatty()
        self._stage = 0
        self._over, self._lock = threading.Event(), threading.Lock()
        self._bar: Any = None
        self._watched: list[TextIO] = []

    def __enter__(self) -> "Starting":
        if self._shown:
            from tqdm import tqdm

            # A stream of its own: what it writes is not what it is cleared for.
            self._terminal = os.fdopen(os.dup(sys.stderr.fileno()), "w")
            form = "{desc} |{bar:20}| {elapsed}"
            self._bar = tqdm(
                total=MODULES, desc=STAGES[0], bar_format=form, file=self._terminal, leave=False
            )
            self._there = len(sys.modules)
            for stream in (sys.stdout, sys.stderr):
                if stream.isatty():
                    _before_first_write(stream, self.end)
                    self._watched.append(stream)
            threading.Thread(target=self._draw, daemon=True).start()
        return self

    def next_stage(self) -> None:
        """The libraries are there; what they load comes next."""
        self._stage = 1

    def end(self) -> None:
        """Clear the bar; once is enough."""
        with self._lock:
            self._over.set()
            if self._bar is None:
                return
            self._bar.close()
            self._terminal.close()
            self._bar = None
            for stream in self._watched:
                vars(stream).pop("write", None)

    def __exit__(self, *exception: object) -> None:
        self.end()

    def _draw(self) -> None:
        while not self._over.wait(EVERY):
            with self._lock:
                if self._bar is None:
                    return
                if self._stage:
                    self._bar.n = MODULES
                else:
                    self._bar.n = min(len(sys.modules) - self._there, MODULES - 1)
                self._bar.set_description_str(STAGES[self._stage])


def _before_first_write(stream: TextIO, act: Callable[[], None]) -> None:
    original = stream.write

    def write(text: str) -> int:
        act()
        return original(text)

    stream.write = write  # type: ignore[method-assign]
