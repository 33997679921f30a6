"""Archives that come in several files, read as one: `x.zip.001`, `x.zip.002`, ... which are one
file cut in pieces, and `x.z01`, `x.z02`, ..., `x.zip`, whose table of contents counts by volume.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

from aesthetic_tv.errors import ArchiveError

_NUMBERED = re.compile(r"(?P<stem>.+\.(zip|tar|tgz|tar\.(gz|bz2|xz)))\.(?P<number>\d{2,4})", re.I)
_SPANNED = re.compile(r"(?P<stem>.+)\.z(?P<number>\d{2,3})", re.I)
_WHOLE = re.compile(r".+\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))", re.I)


def is_archive(name: str) -> bool:
    """Whether a file is an archive, or a volume of one, by its name."""
    return any(kind.fullmatch(name) for kind in (_WHOLE, _NUMBERED, _SPANNED))


def volumes(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """The volumes of each archive in order, by the archive's name; most have one.

    Raises:
        ArchiveError: a volume is missing between others; or two archives of one name.
    """
    numbered = dict[str, dict[int, Path]]()
    whole = dict[str, Path]()
    for path in paths:
        if found := _NUMBERED.fullmatch(path.name) or _SPANNED.fullmatch(path.name):
            stem = found["stem"]
            stem = stem if _NUMBERED.fullmatch(path.name) else f"{stem}.zip"
            numbered.setdefault(stem, {})[int(found["number"])] = path
        elif path.name in whole and whole[path.name] != path:
            raise ArchiveError(f"there are two archives called {path.name}; rename one.")
        else:
            whole[path.name] = path
    groups = {}
    for stem, parts in numbered.items():
        first = min(parts)
        lost = sorted(set(range(min(first, 1), max(parts) + 1)) - set(parts))
        if lost:
            raise ArchiveError(
                f"{stem}: of its volumes number {', '.join(map(str, lost[:5]))} is not there; "
                "fetch it, all of them belong to one archive."
            )
        groups[stem] = [parts[number] for number in sorted(parts)]
        if stem in whole:  # `x.zip` is the last of `x.z01`, `x.z02`, ...
            groups[stem].append(whole.pop(stem))
    return {name: [path] for name, path in whole.items()} | groups


class Joined(io.RawIOBase):
    """Pieces one after the other, as one file to read in.

    Args:
        pieces: files, and bytes.
    """

    def __init__(self, pieces: Sequence[Path | bytes]):
        self._files: list[IO[bytes]] = [
            io.BytesIO(piece) if isinstance(piece, bytes) else piece.open("rb") for piece in pieces
        ]
        sizes = [file.seek(0, io.SEEK_END) for file in self._files]
        self.starts = [0, *accumulate(sizes)]  # of each piece, and the end
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the whole."""
        base = (0, self._at, self.starts[-1])[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of a piece."""
        if self._at >= self.starts[-1]:
            return 0
        piece = bisect_right(self.starts, self._at) - 1
        file = self._files[piece]
        file.seek(self._at - self.starts[piece])
        wanted = min(len(buffer), self.starts[piece + 1] - self._at)
        content = file.read(wanted)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def close(self) -> None:
        """Close all pieces."""
        for file in self._files:
            file.close()
        super().close()
