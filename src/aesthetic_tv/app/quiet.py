"""What happens by itself when a person pauses: the verdict is looked at anew, and the quick
estimate is made exact. A new answer stops it, and it begins again at the next pause.
"""

import logging
import threading
import time

from aesthetic_tv.app.features import Workshop
from aesthetic_tv.app.session import ANSWERS
from aesthetic_tv.app.visits import Visit
from aesthetic_tv.errors import AestheticTVError

PAUSE = 3.0  # seconds without an answer, of one visitor; of many, who share the machine, more
MOST = 10  # times as long at most
ENOUGH = 5  # answers from which the exact scorer is made by itself

log = logging.getLogger(__name__)


class Interrupted(Exception):  # noqa: N818
    """A new answer came."""


class Quiet:
    """Waits for pauses, of all visits of an app, in one thread.

    Args:
        workshop: does what passes through the tower.
        pause: seconds.
    """

    def __init__(self, workshop: Workshop, pause: float):
        self._workshop = workshop
        self._pause = pause
        self._due: dict[Visit, float] = {}
        self._stop: dict[Visit, threading.Event] = {}
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._wait, daemon=True).start()

    def answered(self, visit: Visit) -> None:
        """A visitor did something that changes the taste."""
        with self._changed:
            self._stop.pop(visit, threading.Event()).set()
            others = len(self._due.keys() | self._stop.keys() | {visit})
            self._due[visit] = time.monotonic() + self._pause * min(others, MOST)
            visit.told.waiting, visit.told.problem = True, ""
            self._changed.notify()

    def at_once(self, visit: Visit) -> None:
        """A visitor waits for the exact scorer; nothing new where it is made already."""
        with self._changed:
            if visit not in self._stop:
                self._due[visit] = 0.0
                visit.told.waiting = visit.told.wanted = True
                self._changed.notify()

    def forget(self, visit: Visit) -> None:
        """A visit ends."""
        with self._changed:
            self._due.pop(visit, None)
            self._stop.pop(visit, threading.Event()).set()

    def close(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._closed = True
            for stop in self._stop.values():
                stop.set()
            self._changed.notify()

    def _wait(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                due = [visit for visit, when in self._due.items() if when <= now]
                if not due and not self._closed:
                    left = min(self._due.values(), default=None)
                    self._changed.wait(None if left is None else left - now)
                    continue
                if self._closed:
                    return
                stops = [self._stop.setdefault(visit, threading.Event()) for visit in due]
                for visit in due:
                    del self._due[visit]
            for visit, stop in zip(due, stops, strict=True):
                self._think(visit, stop)

    def _think(self, visit: Visit, stop: threading.Event) -> None:
        session, told = visit.session, visit.told
        try:
            told.figures = session.figures()
        except AestheticTVError as error:  # told where the figures are asked for
            log.debug("no figures: %s", error)
        except Exception:
            log.exception("the figures could not be made")
        with self._changed:  # a new answer may have come meanwhile
            told.waiting = visit in self._due
        done, total = session.progress
        enough = len(session.counted) >= (ANSWERS if told.wanted else ENOUGH)
        if not enough or session.polished is not None:
            self._end(visit, stop)
        elif done < total and not session.error:
            with self._changed:  # the photos' features first; then it is looked at again
                if self._stop.get(visit) is stop:
                    del self._stop[visit]
                    self._due.setdefault(visit, time.monotonic() + self._pause)
                    told.waiting = True
        else:
            told.working = True
            try:
                self._workshop.submit(lambda: self._polish(visit, stop))
            except RuntimeError:
                self._end(visit, stop)

    def _polish(self, visit: Visit, stop: threading.Event) -> None:
        def go_on(stage: str, done: int, total: int) -> None:
            if stop.is_set():
                raise Interrupted

        try:
            if not stop.is_set():
                visit.session.polish(go_on)
        except Interrupted:
            pass
        except AestheticTVError as error:
            visit.told.problem = str(error)
        except Exception:
            visit.told.problem = "Something went wrong; the app's log tells more."
            if threading.main_thread().is_alive():
                log.exception("the exact scorer could not be made")
        self._end(visit, stop)

    def _end(self, visit: Visit, stop: threading.Event) -> None:
        with self._changed:
            if self._stop.get(visit) is stop:
                del self._stop[visit]
                visit.told.working = visit.told.wanted = False
