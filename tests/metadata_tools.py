"""Programs that photographers' tools are built on, as real readers and writers of stars."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

PACKAGES = {"exiftool": "libimage-exiftool-perl", "exiv2": "exiv2"}


def tool(name: str) -> str:
    """Path of a program; without it the tests that need it are skipped, or fail where CI is set.

    `make test` installs Debian's where it can.
    """
    found = shutil.which(name)
    if found is None:
        told = f"no {name} on PATH: install it (apt-get install {PACKAGES[name]})"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return found


def exiftool(*arguments: object) -> str:
    """What exiftool prints."""
    done = subprocess.run(
        [tool("exiftool"), *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_by_exiftool(folder: Path) -> dict[str, dict[str, Any]]:
    """All tags of all files below a folder, by the files' names; binary ones as they print."""
    found = json.loads(exiftool("-json", "-G1", "-r", "-ext", "*", folder))
    return {Path(tags.pop("SourceFile")).name: tags for tags in found}


def write_by_exiftool(tags: Sequence[tuple[Path, Sequence[str]]]) -> None:
    """Set tags of many files, in one process."""
    arguments: list[object] = []
    for file, settings in tags:
        arguments += [*settings, file, "-execute"]
    exiftool(*arguments[:-1], "-common_args", "-overwrite_original", "-q")


def write_by_exiv2(files: Sequence[Path], setting: str) -> None:
    """Set one tag of files, as `Xmp.xmp.Rating 2`."""
    subprocess.run(
        [tool("exiv2"), "-M", f"set {setting}", *map(str, files)], check=True, timeout=60
    )


def rating_by_exiv2(files: Sequence[Path]) -> dict[str, str]:
    """`Xmp.xmp.Rating` of each file, by name."""
    done = subprocess.run(
        [tool("exiv2"), "-K", "Xmp.xmp.Rating", "-Pv", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if len(files) == 1:
        return {files[0].name: done.stdout.strip()}
    lines = (line.rsplit(None, 1) for line in done.stdout.splitlines() if line.strip())
    return {Path(file.strip()).name: value for file, value in lines}
