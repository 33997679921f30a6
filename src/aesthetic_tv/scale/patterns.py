"""Names of many shards in one: braces as shells and webdataset have them, and globs."""

import re
from collections.abc import Iterator
from glob import glob

from aesthetic_tv.errors import SettingError

MOST = 1_000_000  # names that one pattern may stand for
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def expand(pattern: str) -> list[str]:
    """All names that a pattern stands for, in order: `{00..99}` and `{a,b}` whether there are such
    files or not, `*`, `?` and `[...]` those that there are, sorted.

    Raises:
        SettingError: it stands for more than `MOST` names.

    Example:
        >>> expand("shards/{08..10}.tar")
        ['shards/08.tar', 'shards/09.tar', 'shards/10.tar']
    """
    names = []
    for count, name in enumerate(_without_braces(pattern), 1):
        if count > MOST:
            raise SettingError(f"{pattern} stands for more than {MOST:,} shards; name fewer.")
        found = sorted(glob(name, recursive=True)) if _has_glob(name) else [name]  # noqa: PTH207
        names += found
    return names


def _has_glob(name: str) -> bool:
    return not name.startswith("hf://") and any(sign in name for sign in "*?[")


def _without_braces(pattern: str) -> Iterator[str]:
    found = _BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    before, after = pattern[: found.start()], pattern[found.end() :]
    for choice in _choices(found[1]):
        yield from _without_braces(before + choice + after)


def _choices(inside: str) -> Iterator[str]:
    found = _RANGE.fullmatch(inside)
    if found is None:
        yield from inside.split(",")
        return
    first, last = found.groups()
    width = len(first) if first.startswith("0") or len(first) == len(last) else 0
    if abs(int(first) - int(last)) >= MOST:
        raise SettingError(f"{{{inside}}} stands for more than {MOST:,} shards; name fewer.")
    step = 1 if int(first) <= int(last) else -1
    yield from (f"{i:0{width}d}" for i in range(int(first), int(last) + step, step))
