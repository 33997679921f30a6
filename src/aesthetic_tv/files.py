"""Reading and writing files so that a kill or a full disk never leaves half of one."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from aesthetic_tv.errors import FormatError, OutputError

FORMAT_VERSION = 1


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary sibling to write to, flushed and renamed to `target` when the block ends well.

    Raises:
        OutputError: the file could not be written; `target` is as it was.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())  # safetensors writes for the owner alone
        temporary.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        # An error here would hide the one that tells what went wrong.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: str | os.PathLike[str], *, marker: str) -> Iterator[Path]:
    """A temporary sibling folder that takes the place of `target` when the block ends well.

    Only a folder that holds `marker` (the config file of the same kind), or an empty one, is
    replaced; anything else is the user's and stays.

    Raises:
        OutputError: `target` holds something else, or could not be written; it is as it was.
    """
    target = Path(target)
    if target.exists() and not replaceable(target, marker):
        raise OutputError(
            f"{target} exists and holds no {marker}; it is left alone. Name another folder."
        )
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        yield temporary
        _flush(temporary)
        temporary.chmod(0o777 & ~_umask())
        previous = None
        if target.exists():
            previous = temporary.with_name(temporary.name + ".old")
            target.rename(previous)
        temporary.rename(target)
        if previous is not None:
            shutil.rmtree(previous)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def replaceable(target: Path, marker: str) -> bool:
    """Whether `target` is a folder of the kind marked, or an empty one."""
    return target.is_dir() and ((target / marker).is_file() or not any(target.iterdir()))


def _unwritable(target: Path, error: OSError) -> OSError:
    if isinstance(error, OutputError):
        return error
    return OutputError(
        f"{target} could not be written ({error.strerror or error}); it is as it was."
    )


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as written:
                os.fsync(written.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write JSON atomically; the keys keep their order."""
    with atomic_path(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        temporary.write_text(text, "utf-8", "backslashreplace")  # which JSON reads back


def read_config(folder: str | os.PathLike[str], name: str) -> dict[str, Any]:
    """Read one of our own config files.

    Raises:
        FormatError: not there, not JSON, or of a format version this library does not know.
    """
    path = Path(folder) / name
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FormatError(f"{path.parent} holds no {name}.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FormatError(f"{path} is not valid JSON ({error}).") from error
    if not isinstance(config, dict) or not isinstance(config.get("format_version"), int):
        raise FormatError(f"{path} has no format_version; it is not a file of aesthetic_tv.")
    if config["format_version"] > FORMAT_VERSION:
        raise FormatError(
            f"{path} has format version {config['format_version']}; this library knows versions "
            f"up to {FORMAT_VERSION}. Upgrade with `pip install -U aesthetic-tv`."
        )
    return config


def config_value(
    config: dict[str, Any], key: str, kind: type | tuple[type, ...], path: str | os.PathLike[str]
) -> Any:
    """One required value of a config, of the kind expected, or of one of them.

    Raises:
        FormatError: missing or of another kind.
    """
    value = config.get(key)
    if not isinstance(value, kind):
        expected = (
            kind.__name__ if isinstance(kind, type) else " or ".join(x.__name__ for x in kind)
        )
        raise FormatError(f"{path}: {key} is {value!r}; expected a {expected}.")
    return value


def inside(folder: str | os.PathLike[str], relative: str) -> Path:
    """A path named by a config file, within its folder.

    Raises:
        FormatError: the name is absolute or leads out of the folder, by `..` or by a link.
    """
    root = Path(folder).resolve()
    path = (root / relative).resolve()
    if Path(relative).is_absolute() or not path.is_relative_to(root):
        raise FormatError(f"{folder} names {relative!r}, which lies outside of it; refused.")
    return path


def write_tensors(
    path: str | os.PathLike[str],
    tensors: dict[str, torch.Tensor],
    metadata: dict[str, str] | None = None,
) -> None:
    """Write a safetensors file atomically; `metadata` goes to its header.

    Raises:
        OutputError: it could not be written, as on a full disk; `path` is as it was.
    """
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata)
        except SafetensorError as error:  # what the library makes of an OSError
            raise OutputError(f"{path} could not be written ({error}); it is as it was.") from error


def read_tensors(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read a safetensors file whole.

    Raises:
        FormatError: not there, cut off, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FormatError(f"{path} is missing.")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise FormatError(
            f"{path} is not a whole safetensors file ({error}); fetch or make it again."
        ) from error
