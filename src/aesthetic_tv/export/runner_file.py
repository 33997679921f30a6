"""The runner as one file that travels beside an export, where aesthetic_tv is not installed."""

import os
import zipfile
from pathlib import Path

from aesthetic_tv.errors import OutputError, SettingError
from aesthetic_tv.files import atomic_path

SUFFIX = ".pyz"
SOURCE = Path(__file__).parents[1]
# The runner, and what it knows; all else of the package stays behind.
TRAVELLING = (
    "errors.py",
    *(f"runner/{name}.py" for name in ("__init__", "__main__", "description", "exported_scorer")),
    *(f"runner/{name}.py" for name in ("photo_pixels", "sessions")),
    *(f"scorer/{name}.py" for name in ("colour", "decoding", "errors", "hashing")),
    *(f"scorer/{name}.py" for name in ("photo_files", "raw")),
)
EMPTY = ("__init__.py", "scorer/__init__.py")
MAIN = "from aesthetic_tv.runner.__main__ import main\n\nraise SystemExit(main())\n"
DATE = (1980, 1, 1, 0, 0, 0)  # the same file whenever it is written


def write_runner(out: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the runner: `python FILE my-taste.onnx PHOTOS` needs onnxruntime, Pillow and numpy.

    Args:
        out: file to write, ending in `.pyz`.
        overwrite: replace what is there.

    Raises:
        SettingError: another ending.
        OutputError: something is there already, or it could not be written.
    """
    out = Path(out)
    if out.suffix != SUFFIX:
        raise SettingError(f"{out}: the runner's file ends in {SUFFIX}; name it so.")
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists; add --overwrite, or name another file.")
    held = {f"aesthetic_tv/{name}": (SOURCE / name).read_text("utf-8") for name in TRAVELLING}
    held |= {f"aesthetic_tv/{name}": "" for name in EMPTY}
    held["__main__.py"] = MAIN
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, text in sorted(held.items()):
            archive.writestr(zipfile.ZipInfo(name, DATE), text, zipfile.ZIP_DEFLATED)
    return out
