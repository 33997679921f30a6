"""One count of bytes for several files that are fetched or unpacked at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from tqdm import tqdm

Progress = Callable[[str, int, int], None]  # "fetching" or "unpacking", bytes done, bytes in all


class Counter:
    """Counts bytes, from any thread, and tells each step.

    Args:
        what: is done.
        total: bytes in all.
        progress: called with (what, bytes done, bytes in all).
    """

    def __init__(self, what: str, total: int, progress: Progress | None):
        self._what, self._total, self._progress = what, total, progress
        self._done, self._lock = 0, Lock()

    def add(self, count: int) -> None:
        """More bytes are done; fewer, where a download starts anew."""
        with self._lock:
            self._done += count
            if self._progress is not None:
                self._progress(self._what, min(self._done, self._total), self._total)

    def step(self) -> Callable[[int, int], None]:
        """A callback of (bytes done, bytes in all) of one part."""
        before = 0

        def tell(done: int, _: int) -> None:
            nonlocal before
            self.add(done - before)
            before = done

        return tell

    @contextmanager
    def whole(self, size: int) -> Iterator[type[tqdm]]:
        """One file: a class of bars for the Hub's client, which show nothing and count here. When
        the block ends well all bytes are done, also of a file that was there already.
        """
        counter, done = self, 0

        class Bar(tqdm):
            def __init__(self, *arguments: Any, **settings: Any):
                super().__init__(*arguments, **settings | {"disable": True})
                self.update(settings.get("initial") or 0)

            def update(self, n: float | None = 1) -> bool | None:
                nonlocal done
                done += int(n or 0)
                counter.add(int(n or 0))
                return None

        yield Bar
        self.add(size - done)
