"""The app's temporary folder, which holds copies of photos: gone with the app, however that ends.

A process that is killed cannot delete its folder. So each holds a lock on a file in it while it
lives, which the system lets go when it dies, whoever looks: the next start of the app deletes the
folders whose lock is free.
"""

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "aesthetic-tv-"
LOCK = "in-use.lock"
PATIENCE = 5.0  # seconds that a batch on its way is waited for
HELD = "was-in-use"  # is there once the lock was taken; before that, nobody may take it instead


class TemporaryFolder:
    """A new folder of this process alone.

    Attributes:
        path: of the folder.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        self._lock = FileLock(self.path / LOCK, thread_local=False)
        with suppress(OSError, NotImplementedError):  # a file system that has no locks
            self._lock.acquire(timeout=0)
            (self.path / HELD).touch()

    def remove(self) -> None:
        """Delete it."""
        with suppress(OSError):
            self._lock.release()
        deadline = time.monotonic() + PATIENCE
        while self.path.exists() and time.monotonic() < deadline:  # a thread may still write to it
            shutil.rmtree(self.path, ignore_errors=True)
            time.sleep(0.02)


def clean() -> None:
    """Delete the folders that dead processes of the same person have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_ours(folder):
            _delete_if_dead(folder)


def _is_ours(folder: Path) -> bool:
    """Whether it is such a folder, of this user."""
    try:
        found, *files = (path.lstat() for path in (folder, folder / LOCK, folder / HELD))
    except OSError:
        return False
    if hasattr(os, "getuid") and {part.st_uid for part in (found, *files)} != {os.getuid()}:
        return False
    return stat.S_ISDIR(found.st_mode) and all(stat.S_ISREG(file.st_mode) for file in files)


def _delete_if_dead(folder: Path) -> None:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError, NotImplementedError):
        return
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        lock.release()
