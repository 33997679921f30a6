"""What is done of a build: one JSON file, from which a stopped build goes on.

A step is done when the journal has it under the same key, and all that it made is still whole.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aesthetic_tv.errors import FormatError
from aesthetic_tv.files import FORMAT_VERSION, config_value, read_config, write_json
from aesthetic_tv.scorer.hashing import content_sha256, sha256
from aesthetic_tv.version import __version__

JOURNAL = "journal.json"
# Begin the digests of an output: of its bytes, or of names and sizes, for what is fetched: to read
# 30 GB of photos each time would take longer than it guards against.
BYTES, LISTING = "bytes:", "listing:"
OF_THIS_MACHINE = ("folder",)  # facts that decide nothing


@dataclass(frozen=True)
class Entry:
    """One step that is done.

    Attributes:
        key: of all that decided what came out.
        outputs: digest of each file or folder that it made, by its path.
        facts: what is to be told of it.
        seconds: that it took.
    """

    key: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        """Of what came out, and of all that it was made from, whatever the folders are called."""
        told = {name: x for name, x in self.facts.items() if name not in OF_THIS_MACHINE}
        return content_sha256(
            {"key": self.key, "outputs": list(self.outputs.values()), "facts": told}
        )

    def is_whole(self, root: Path) -> bool:
        """Whether all outputs are as they were when the step ended."""
        return all(
            digest_of(root / path, told.split(":")[0] + ":") == told
            for path, told in self.outputs.items()
        )


class Journal:
    """The entries of a build's folder, in a file that is replaced whole with each step.

    Args:
        folder: of the build.
        writes: whether this process is the one that writes.

    Raises:
        FormatError: the file is damaged.
    """

    def __init__(self, folder: Path, *, writes: bool = True):
        self.folder, self.writes = folder, writes
        self.entries: dict[str, Entry] = {}
        self.failures: dict[str, str] = {}
        self.accepted: list[str] = []
        if (folder / JOURNAL).exists():
            self._read()

    def _read(self) -> None:
        path = self.folder / JOURNAL
        content = read_config(self.folder, JOURNAL)
        try:
            steps = config_value(content, "steps", dict, path)
            self.entries = {name: Entry(**entry) for name, entry in steps.items()}
        except TypeError as error:
            raise FormatError(f"{path} holds steps of another version ({error}).") from error
        self.failures = dict(config_value(content, "failures", dict, path))
        self.accepted = list(config_value(content, "accepted_terms", list, path))

    def done(self, name: str, key: str) -> Entry | None:
        """The entry of a step, where it is done under this key and whole."""
        entry = self.entries.get(name)
        if entry is None or entry.key != key or not entry.is_whole(self.folder):
            return None
        return entry

    def note(self, name: str, entry: Entry) -> None:
        """Write down that a step is done."""
        self.entries[name] = entry
        self.failures.pop(name, None)
        self.save()

    def note_failure(self, name: str, reason: str) -> None:
        """Write down why a step is not."""
        self.entries.pop(name, None)
        self.failures[name] = reason
        self.save()

    def save(self) -> None:
        """Write the file.

        Raises:
            OutputError: it could not be written; the one before is as it was.
        """
        if not self.writes:
            return
        write_json(
            self.folder / JOURNAL,
            {
                "format_version": FORMAT_VERSION,
                "library_version": __version__,
                "steps": {name: asdict(entry) for name, entry in self.entries.items()},
                "failures": self.failures,
                "accepted_terms": self.accepted,
            },
        )


def digest_of(path: Path, kind: str = BYTES) -> str | None:
    """Digest of a file, or of all files of a folder with their names; `None` where there is none.

    Args:
        path: of either.
        kind: `BYTES`, or `LISTING` for names and sizes alone.
    """
    if not path.exists():
        return None
    state = hashlib.sha256()
    for name, place in _files(path):
        try:
            told = place.stat().st_size if kind == LISTING else sha256(place)
        except OSError:
            return None
        state.update(f"{name}\0{told}\n".encode("utf-8", "surrogateescape"))
    return f"{kind}{state.hexdigest()}"


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield "", path
        return
    for root, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            place = Path(root) / name
            yield place.relative_to(path).as_posix(), place
