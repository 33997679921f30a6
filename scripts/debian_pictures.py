"""Fetch Debian packages and read the photographs inside them.

Shared by `free_pictures.py` (pictures to pre-train on) and `sample_photos.py` (the photographs
shipped with the package). A picture is named by its package and its path in that package; a
picture inside a Qt resource file is named `PATH.rcc!PATH-INSIDE`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import io
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

SCIKIT_IMAGE = "scikit-image"
"""The one source that is a Python distribution, read where it is installed."""

GCOMPRIS = "gcompris-qt-data"
GCOMPRIS_RCC = "usr/share/gcompris-qt/rcc"

FREE_LICENCES = frozenset(
    {
        "public domain",
        "CC0-1.0",
        "CC-BY-2.0",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC-BY-SA-3.0",
        "CC-BY-SA-4.0",
        "GPL-2+",
        "LGPL-3",
    }
)
"""Licences that allow reuse and modification; a picture under any other is refused."""

_RCC_COMPRESSED, _RCC_DIRECTORY, _RCC_ZSTD = 1, 2, 4


class PictureSourceError(RuntimeError):
    """A package, or a picture in it, could not be had; the message says what to do."""


@dataclass(frozen=True)
class Credit:
    """Who made a picture and under which terms.

    Attributes:
        author: As the package states it; "not stated" where it does not.
        licence: One of `FREE_LICENCES`.
        url: Where the package says the picture comes from, or "".
        changes: What the package says it changed in the original, or "".
    """

    author: str
    licence: str
    url: str = ""
    changes: str = ""

    def __post_init__(self) -> None:
        """Refuse a licence that is not known to be free."""
        if self.licence not in FREE_LICENCES:
            raise PictureSourceError(
                f"licence {self.licence!r} (author {self.author!r}) is not one of "
                f"{sorted(FREE_LICENCES)}; drop the picture or add the licence after reading it"
            )


@dataclass(frozen=True)
class Picture:
    """One picture inside a package.

    Attributes:
        package: Debian package name, or `SCIKIT_IMAGE`.
        path: Path in the package, `PATH.rcc!PATH-INSIDE` in a Qt resource file.
        credit: None where the package itself carries a README that `PictureStore` reads.
    """

    package: str
    path: str
    credit: Credit | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the picture: package and path."""
        return self.package, self.path


@dataclass
class PictureStore:
    """Packages unpacked below one folder, each fetched when first asked for."""

    folder: Path
    _packages: dict[str, tuple[Path, str]] = field(default_factory=dict)
    _resources: dict[Path, dict[str, bytes]] = field(default_factory=dict)

    def image(self, picture: Picture) -> Image.Image:
        """The picture as upright RGB, metadata dropped.

        Raises:
            PictureSourceError: The package has no such file (it may be another version).
        """
        content = self._read(picture)
        with Image.open(io.BytesIO(content)) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
        # A fresh image has no info dict, so no EXIF or colour profile can reach the output.
        clean = Image.new("RGB", upright.size)
        clean.paste(upright)
        return clean

    def credit(self, picture: Picture) -> Credit:
        """The credit listed for the picture, or the one its package's README states.

        Raises:
            PictureSourceError: No README names the picture, or its licence is not free.
        """
        if picture.credit is not None:
            return picture.credit
        archive, _, inner = picture.path.partition("!")
        resources = self._resource(picture.package, archive)
        for readme, content in resources.items():
            folder = readme.removesuffix("README")
            if readme.endswith("/README") and inner.startswith(folder):
                found = parse_readme(content.decode("utf-8")).get(inner.removeprefix(folder))
                if found is not None:
                    return found
        raise PictureSourceError(f"no README in {archive} of {picture.package} credits {inner}")

    def version(self, package: str) -> str:
        """The version of the package that the pictures come from."""
        return self._unpack(package)[1]

    def _read(self, picture: Picture) -> bytes:
        archive, _, inner = picture.path.partition("!")
        if inner:
            content = self._resource(picture.package, archive).get(inner)
        else:
            path = self._unpack(picture.package)[0] / archive
            content = path.read_bytes() if path.is_file() else None
        if content is None:
            raise PictureSourceError(
                f"{picture.package} {self.version(picture.package)} has no {picture.path}; "
                "the lists were made on Debian 12 (bookworm): use it, or update the list"
            )
        return content

    def _resource(self, package: str, archive: str) -> dict[str, bytes]:
        path = self._unpack(package)[0] / archive
        if path not in self._resources:
            if not path.is_file():
                raise PictureSourceError(f"{package} {self.version(package)} has no {archive}")
            self._resources[path] = read_rcc(path.read_bytes())
        return self._resources[path]

    def _unpack(self, package: str) -> tuple[Path, str]:
        if package not in self._packages:
            found = _installed() if package == SCIKIT_IMAGE else _fetch(package, self.folder)
            self._packages[package] = found
        return self._packages[package]


def read_rcc(content: bytes) -> dict[str, bytes]:
    """Files in a Qt resource archive (`.rcc`, format versions 1 to 3), zstd entries left out.

    The layout is that of Qt's `qresource.cpp`: a tree of fixed-size nodes, a table of UTF-16
    names and a table of length-prefixed contents, all integers big-endian. Paths are returned
    below `/gcompris/src/activities/`, the prefix GCompris gives all of them.

    Raises:
        PictureSourceError: The content is not such an archive.
    """
    if content[:4] != b"qres":
        raise PictureSourceError(f"not a Qt resource file: it starts with {content[:4]!r}")
    version, tree, data, names = struct.unpack_from(">4I", content, 4)
    node_size = 14 if version == 1 else 22  # later versions append a modification time
    files: dict[str, bytes] = {}
    pending = [(0, "")]
    while pending:
        index, parent = pending.pop()
        node = tree + index * node_size
        name_offset, flags = struct.unpack_from(">IH", content, node)
        path = f"{parent}/{_rcc_name(content, names + name_offset)}" if index else ""
        if flags & _RCC_DIRECTORY:
            count, first = struct.unpack_from(">II", content, node + 6)
            pending.extend((child, path) for child in range(first, first + count))
        elif not flags & _RCC_ZSTD:
            (offset,) = struct.unpack_from(">I", content, node + 10)
            (length,) = struct.unpack_from(">I", content, data + offset)
            blob = content[data + offset + 4 : data + offset + 4 + length]
            # Qt puts the unpacked length, four bytes, before the zlib stream.
            files[path.removeprefix("/gcompris/src/activities/")] = (
                zlib.decompress(blob[4:]) if flags & _RCC_COMPRESSED else blob
            )
    return files


def parse_readme(text: str) -> dict[str, Credit]:
    """Credits by file name from a GCompris README.

    A README is blocks of `Copyright:`, `License:`, `Source:` and file names, parted by blank
    lines. Debian's own copyright file is not used: for 3.1 it still describes pictures that
    upstream had replaced, while these READMEs are kept beside the pictures.
    Blocks without a free licence are left out.
    """
    credits: dict[str, Credit] = {}
    for block in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(Copyright|License|Source|Comments?):[ \t]*(.+)$", block, re.M))
        licence = _normal_licence(fields.get("License", ""))
        if licence not in FREE_LICENCES:
            continue
        author, url = fields.get("Copyright", "not stated").strip(), fields.get("Source", "")
        based_on = re.search(
            r"based on (?:a photo|an original image) by (.+?), license (\S+ \S+), source at (\S+)",
            fields.get("Comment", ""),
        )
        if based_on:
            original = _normal_licence(based_on[2])
            author = f"{based_on[1]} ({original}); adapted by {author}"
            url = based_on[3]
        for name in re.findall(r"[\w./-]+\.webp", re.sub(r"^Source:.*$", "", block, flags=re.M)):
            credits[name] = Credit(author, licence, url.strip(), fields.get("Comments", ""))
    return credits


def resized(image: Image.Image, longest: int) -> Image.Image:
    """The image scaled down so that its longest side is at most `longest` pixels."""
    scale = longest / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def write_jpeg(image: Image.Image, path: Path, quality: int) -> None:
    """Write a JPEG that appears under its name only when complete."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality, optimize=True)
    write_atomic(path, buffer.getvalue())


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, then rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)


def require_distinct(names: Iterable[str]) -> None:
    """Refuse a list in which two pictures would get the same file name.

    Raises:
        PictureSourceError: Names the first repeated one.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise PictureSourceError(f"two pictures are called {name}; rename or drop one")
        seen.add(name)


def _rcc_name(content: bytes, offset: int) -> str:
    (length,) = struct.unpack_from(">H", content, offset)  # then a 4-byte hash, then UTF-16
    return content[offset + 6 : offset + 6 + 2 * length].decode("utf-16-be")


def _normal_licence(text: str) -> str:
    text = text.strip().rstrip(".")
    if text.lower() == "public domain":
        return "public domain"
    text = re.sub(r"^(CC-BY(?:-SA)?)\s+", r"\1-", text)
    return {"GPLv2+": "GPL-2+"}.get(text, text)


def _installed() -> tuple[Path, str]:
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise PictureSourceError("scikit-image is not installed; run: pip install scikit-image")
    return Path(found.origin).parent, importlib.metadata.version(SCIKIT_IMAGE)


def _fetch(package: str, folder: Path) -> tuple[Path, str]:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PictureSourceError(
                f"{tool} was not found: the pictures come from Debian packages, "
                "so run this on Debian 12 (a container will do)"
            )
    root = folder / package
    root.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=folder) as download:
        _run(
            ["apt-get", "download", "-q", package],
            cwd=Path(download),
            hint="run `apt-get update` as root first, and check the network",
        )
        (archive,) = Path(download).glob("*.deb")
        version = _run(["dpkg-deb", "-f", str(archive), "Version"], cwd=folder).strip()
        _run(["dpkg-deb", "-x", str(archive), str(root)], cwd=folder)
    return root, version


def _run(command: list[str], cwd: Path, hint: str = "see the message above") -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PictureSourceError(f"`{' '.join(command)}` failed: {done.stderr.strip()}; {hint}")
    return done.stdout


def run_script(description: str, default: Path, make: Callable[[Path], str]) -> int:
    """Command line of a script that makes a folder: option `--out`, and errors in a line.

    Args:
        description: of the script.
        default: of `--out`.
        make: fills the folder and says what is there.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, default=default)
    out = parser.parse_args().out
    try:
        print(make(out))
    except PictureSourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
