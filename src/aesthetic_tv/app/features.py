"""Features of albums, taken in the background: whoever rates never waits for them."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from aesthetic_tv.errors import AestheticTVError, PreferenceError, SettingError
from aesthetic_tv.personalization import PhotoFeatures
from aesthetic_tv.scorer.devices import AUTO, choose_device
from aesthetic_tv.task_vectors import TaskVectorBank

# Photos between two looks at what is there: few at first, so that a ranking is there soon; then as
# many as are there already, so that a cache is not written too often.
FIRST_BATCH, LARGEST_BATCH = 16, 128
NICE = 10

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Workshop:
    """One bank and one thread that takes features, batch by batch, for all albums in turn.

    Args:
        bank: a name, a folder or a Hub id; loaded by the thread, at the first batch.
        device: that it computes on, as for `scorer.devices.choose_device`.
    """

    def __init__(self, bank: str, device: str = AUTO):
        self._name, self._device = bank, device
        self._bank: TaskVectorBank | None = None
        self._loading = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "features", initializer=_let_others_go_first)

    @property
    def bank(self) -> TaskVectorBank:
        """The bank; loading it may take a while, and needs to be done once.

        Raises:
            AestheticTVError: there is no such bank, or it cannot be fetched.
        """
        with self._loading:
            if self._bank is None:
                device = choose_device(self._device)
                self._bank = TaskVectorBank.from_pretrained(self._name).to(device)
            return self._bank

    def submit(self, work: Callable[[], None]) -> None:
        """Do it after what was submitted before; nothing is done after `close`."""
        try:
            self._thread.submit(work)
        except RuntimeError:  # closed
            log.debug("a batch came after the end")

    async def result(self, work: Callable[[], Result]) -> Result:
        """Do it between two batches, and wait for it: whatever passes through a tower, one at a
        time.

        Raises:
            SettingError: the app ends.
        """
        try:
            return await asyncio.wrap_future(self._thread.submit(work))
        except (RuntimeError, asyncio.CancelledError) as error:
            if isinstance(error, RuntimeError) and "shutdown" not in str(error):
                raise
            raise SettingError("The app is ending.") from error

    def close(self) -> None:
        """Stop after the batch that is on the way."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _let_others_go_first() -> None:
    """Whoever answers does not wait for a tower: where the system knows of single threads, this one
    and those that it starts stand back.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class GrowingFeatures:
    """Features of photos that may become more, and are there bit by bit.

    Args:
        workshop: takes them.
        photos: paths to begin with.
        cache: file that keeps them, as for `PhotoFeatures.compute`.
    """

    def __init__(self, workshop: Workshop, photos: Sequence[str] = (), cache: Path | None = None):
        self._workshop = workshop
        self._cache = cache
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._working = False
        self._closed = False
        self.ready: PhotoFeatures | None = None
        self.skipped: dict[str, str] = {}
        self.done = 0
        self.total = 0
        self.error = ""
        self.add(photos)

    def add(self, photos: Sequence[str | os.PathLike[str]]) -> None:
        """Take features of these photos too, after the others."""
        with self._lock:
            self._waiting += [str(photo) for photo in photos]
            self.total += len(photos)
            start = bool(self._waiting) and not self._working
            self._working = self._working or start
        if start:
            self._workshop.submit(self._batch)

    def hurry(self, photos: Collection[str]) -> None:
        """Take these before all others that wait."""
        with self._lock:
            self._waiting.sort(key=lambda photo: photo not in photos)

    def close(self) -> None:
        """Take no more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    @property
    def complete(self) -> bool:
        """Whether nothing is waited for."""
        return self.done >= self.total or bool(self.error)

    def _batch(self) -> None:
        """One batch; then the turn of other albums, and the next."""
        with self._lock:
            size = min(max(FIRST_BATCH, self.done), LARGEST_BATCH)
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
        before = self.done
        try:
            self._take(batch, before)
        except AestheticTVError as error:
            self.error = str(error)
        except Exception:
            if not threading.main_thread().is_alive():  # the program ends
                return
            log.exception("the features of a batch could not be taken")
            self.error = "Something went wrong while looking at the photos; the log tells more."
        with self._lock:
            self.done = before + len(batch)
            self._working = bool(self._waiting) and not self._closed and not self.error
        if self._working:
            self._workshop.submit(self._batch)

    def _take(self, batch: Sequence[str], before: int) -> None:
        def progress(done: int, total: int) -> None:
            # The last one counts when the whole batch is ready.
            self.done = before + len(batch) - max(1, total - done)

        try:
            part = PhotoFeatures.compute(
                self._workshop.bank, batch, cache=self._cache, progress=progress
            )
        except PreferenceError as error:  # none of them can be read, which `compute` refuses
            self.skipped = {**self.skipped, **dict.fromkeys(batch, str(error))}
            return
        self.skipped = {**self.skipped, **part.skipped}
        self.ready = part if self.ready is None else self.ready + part
