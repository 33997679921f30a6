"""Reading and writing files so that a kill or a full disk never leaves half of one, and that what
was damaged afterwards is noticed.

A JSON file of ours holds a hash of its own content under `json_sha256`, a safetensors file one
under `content_sha256` in its header (`tensor_file`). Files of older versions have none, and load.
"""

import csv
import ctypes
import errno
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from aesthetic_tv.errors import AestheticTVError, FormatError, OutputError
from aesthetic_tv.scorer.hashing import content_sha256

# What handles tensors is imported by those who do: an output that cannot be written is refused
# without waiting for torch.
if TYPE_CHECKING:
    import torch

FORMAT_VERSION = 1
HASH = "json_sha256"  # the key of a JSON file's own hash
SHOWN = 12  # digits of a hash in a message
RENAME_EXCHANGE, AT_FDCWD = 2, -100  # of Linux
# A taste has a scorer's config beside its own, and is no scorer that another may replace.
SCORER, TASTE = "config.json", "personalization_config.json"
ASIDE = ".aside"  # ends the name of a folder that is being replaced
NAME = 60  # characters of the target's name in that of a temporary, which has a limit too

log = logging.getLogger(__name__)


@contextmanager
def atomic_path(
    target: str | os.PathLike[str], *, sweep: bool = True, mode: int | None = None
) -> Iterator[Path]:
    """A file to write to, in a temporary folder beside `target`, flushed and renamed to that when
    the block ends well. In a folder of its own, since libraries write temporaries beside theirs.

    What processes that were killed left of earlier attempts is deleted.

    Args:
        target: where it goes.
        sweep: look for what was left; that takes a look at the whole folder, which is much where
            thousands of files are written into one.
        mode: permissions; those of any new file when not given.

    Raises:
        OutputError: the file could not be written; `target` is as it was.
    """
    target = Path(target)
    folder = _sibling(target)
    temporary = folder / target.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if sweep:
            _clean(target)
        folder.mkdir()
        mode = _usual_mode(temporary) if mode is None else mode
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        if temporary.stat().st_mode & 0o777 != mode:  # safetensors writes for the owner alone
            temporary.chmod(mode)
        temporary.replace(target)
    except AestheticTVError:
        raise
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_folder(
    target: str | os.PathLike[str], *, marker: str, many: bool = False
) -> Iterator[Path]:
    """A temporary sibling folder that takes the place of `target` when the block ends well.

    Only a folder that holds `marker` (the config file of the same kind), or an empty one, is
    replaced; anything else is the user's and stays. What processes that were killed left of earlier
    attempts is deleted.

    Args:
        target: the folder.
        marker: name of the file that says what it is.
        many: it holds thousands of files, which are flushed by one call for the whole system, since
            a call for each would take minutes.

    Raises:
        OutputError: `target` holds something else, or could not be written; it is as it was.
    """
    target = Path(target)
    if target.is_symlink():  # what it leads to is replaced, and it stays
        target = target.resolve()
    temporary = _sibling(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clean(target)
        if target.exists() and not replaceable(target, marker):
            raise OutputError(
                f"{target} exists and holds no {marker}; it is left alone. Name another folder."
            )
        temporary.mkdir()
        yield temporary
        if many and hasattr(os, "sync"):
            os.sync()
        else:
            _flush(temporary)
        if target.exists():
            _exchange(temporary, target)
        else:
            temporary.rename(target)
    except AestheticTVError:
        raise
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # after an exchange the old one


def replaceable(target: Path, marker: str) -> bool:
    """Whether `target` is a folder of the kind marked, or an empty one."""
    if marker == SCORER and (target / TASTE).is_file():
        return False
    return target.is_dir() and ((target / marker).is_file() or not any(target.iterdir()))


def _exchange(new: Path, old: Path) -> None:
    """Let two folders change places: at once where the system can, so that no moment is without
    `old`; otherwise one after the other, and back again where the second step fails.
    """
    if _renamed_at_once(new, old):
        return
    aside = new.with_name(new.name + ASIDE)
    old.rename(aside)
    try:
        new.rename(old)
    except BaseException:
        aside.rename(old)
        raise
    with suppress(OSError):  # the new one is in place; `_clean` deletes what is left
        aside.rename(new)


def _renamed_at_once(new: Path, old: Path) -> bool:
    rename = _renameat2()
    if rename is None:
        return False
    paths = os.fsencode(new), os.fsencode(old)
    if rename(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM):
        return False  # a file system, or a kernel, that does not know how
    raise OSError(number, os.strerror(number))


@cache
def _renameat2() -> Any:
    """Linux' `renameat2`; `None` where there is none."""
    if not hasattr(os, "uname") or os.uname().sysname != "Linux":
        return None
    try:
        return ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None


def _unwritable(target: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{target} could not be written ({error.strerror or error}); it is as it was."
    )


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as written:
                os.fsync(written.fileno())


def _sibling(target: Path) -> Path:
    """A name beside the target that nobody else uses, in no other thread either."""
    mine = f".{target.name[:NAME]}.{_place()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    return target.with_name(mine)


def _usual_mode(path: Path) -> int:
    """What a new file of that name may be used for by whom: the umask cannot be asked for without
    changing it, for all threads, so a file is made and taken away again.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return os.fstat(descriptor).st_mode & 0o777
    finally:
        os.close(descriptor)
        path.unlink()


@cache
def _place() -> str:
    """Where this process has its number: another machine, or container, that writes to the same
    disk knows other ones by it.
    """
    try:
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


def _clean(target: Path) -> None:
    """Delete the temporaries of this target whose processes are gone; put the target back where
    one was killed in the moment without it.
    """
    if os.name != "posix":  # elsewhere asking whether a process runs may end it
        return
    known = re.compile(
        rf"{re.escape(f'.{target.name[:NAME]}.{_place()}-')}(\d+)-[0-9a-f]{{8}}\.tmp"
        rf"({re.escape(ASIDE)})?"
    )
    for path in target.parent.iterdir():
        found = known.fullmatch(path.name)
        if found is None or _runs(int(found[1])):
            continue
        if found[2] == ASIDE and not target.exists():
            with suppress(OSError):
                path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def write_csv(path: str | os.PathLike[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a csv file atomically.

    Raises:
        OutputError: it could not be written; `path` is as it was.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_json(
    path: str | os.PathLike[str], content: Mapping[str, Any], *, indent: int | None = 2
) -> None:
    """Write JSON atomically, and the hash of its content with it; the keys keep their order."""
    with atomic_path(path) as temporary:
        plain = json.loads(json.dumps(dict(content)))  # as it will be read again
        text = json.dumps(sealed(plain), indent=indent, ensure_ascii=False)
        # Of names that are no Unicode, which JSON reads back.
        temporary.write_text(text + "\n", "utf-8", "backslashreplace")


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a JSON file, and its hash.

    Args:
        content: as `json.loads` would give it.
    """
    content.pop(HASH, None)
    return content | {HASH: content_sha256(content)}


def unsealed(content: dict[str, Any]) -> tuple[str | None, str]:
    """Take the hash out of what `sealed` made.

    Returns:
        The hash that stood there, as text; `None` for none; and what it has to be.
    """
    found = str(content.pop(HASH)) if HASH in content else None
    return found, content_sha256(content)


@contextmanager
def reading(folder: str | os.PathLike[str], name: str) -> Iterator[dict[str, Any]]:
    """One of our own config files, to be made something of in the block; the hash of its content is
    compared when that ends well, since what is told of a value that cannot be says more.

    Raises:
        FormatError: not there, not JSON, of a format version this library does not know, with
            values that nothing can be made of, or changed since it was written.
    """
    path = Path(folder) / name
    config = _parsed(path)
    found, expected = unsealed(config)
    try:
        yield config
    except AestheticTVError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError,
            ValueError) as error:  # fmt: skip
        raise FormatError(
            f"{path} holds values that nothing can be made of ({type(error).__name__}: {error}). "
            "It is damaged, or was not written by aesthetic_tv; copy it again from where you have "
            "it."
        ) from error
    if found is None:
        note_older(path, logging.INFO if "content_sha256" in config else logging.WARNING)
    elif found != expected:
        raise FormatError(
            f"{damaged(path, expected, found)} Where you changed it yourself, take the line "
            f"{HASH} out of it."
        )


def damaged(path: Path, found: str, expected: str) -> str:
    """What to say of a file whose content has another hash than the one it was written with."""
    return (
        f"{path} is damaged: its content hash is {found[:SHOWN]}, expected {expected[:SHOWN]}; "
        "copy it again from where you have it, or fetch or make it again."
    )


_NOTED = set[Path]()


def note_older(path: Path, level: int = logging.WARNING) -> None:
    """Say, once for each folder, that a file has no hash to be compared with."""
    if path.parent not in _NOTED:
        _NOTED.add(path.parent)
        log.log(
            level,
            "%s was written by an older version, without a hash of its content, so that damage to "
            "it may not be noticed. Save it again to have one.",
            path,
        )


def read_config(folder: str | os.PathLike[str], name: str) -> dict[str, Any]:
    """Read one of our own config files whose values are of no account until later.

    Raises:
        FormatError: as by `reading`.
    """
    with reading(folder, name) as config:
        return config


def _parsed(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise FormatError(f"{path.parent} holds no {path.name}.") from None
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON ({error}).") from error
    version = config.get("format_version") if isinstance(config, dict) else None
    if type(version) is not int:
        raise FormatError(f"{path} has no format_version; it is not a file of aesthetic_tv.")
    if version > FORMAT_VERSION:
        raise FormatError(
            f"{path} has format version {version}; this library knows versions "
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
    tensors: "Mapping[str, torch.Tensor]",
    metadata: dict[str, str] | None = None,
) -> None:
    """Write a safetensors file atomically; `metadata` goes to its header.

    Raises:
        OutputError: it could not be written, as on a full disk; `path` is as it was.
    """
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata)
        except SafetensorError as error:  # what the library makes of an OSError
            raise OutputError(f"{path} could not be written ({error}); it is as it was.") from error


def read_tensors(path: str | os.PathLike[str]) -> "dict[str, torch.Tensor]":
    """Read a safetensors file whole, whoever wrote it.

    Raises:
        FormatError: not there, cut off, or damaged.
    """
    return _read_whole(Path(path))[0]


def write_hashed(
    path: str | os.PathLike[str],
    tensors: "Mapping[str, torch.Tensor]",
    about: Mapping[str, Any] | None = None,
) -> str:
    """Write a safetensors file atomically, with the hash of its content in its header.

    Args:
        path: of the file.
        tensors: by name.
        about: what else its header shall say, as JSON; part of what is hashed.

    Returns:
        The hash.

    Raises:
        OutputError: as by `write_tensors`.
    """
    from aesthetic_tv.tensor_file import described

    metadata, found = described(tensors, about or {})
    write_tensors(path, tensors, metadata)
    return found


@dataclass(frozen=True, eq=False)
class HashedTensors:
    """What a file of `write_hashed` holds, compared with the hash in its header.

    Args:
        path: of the file.
        tensors: by name.
        about: what the header says besides.
        metadata: the header's strings as they are.
        sha256: hash of the content.
        is_hashed: whether the header has a hash; that of an older file has none.
    """

    path: Path
    tensors: "dict[str, torch.Tensor]"
    about: dict[str, Any]
    metadata: dict[str, str]
    sha256: str
    is_hashed: bool

    def check(self, expected: Any = None) -> None:
        """Compare it with the hash that another file names, where one does. To be called last,
        since what is told of values that cannot be says more.

        Raises:
            FormatError: it is another one.
        """
        if expected is not None and expected != self.sha256:
            raise FormatError(damaged(self.path, self.sha256, str(expected)))
        if expected is None and not self.is_hashed:
            note_older(self.path)


def read_hashed(path: str | os.PathLike[str]) -> HashedTensors:
    """Read what `write_hashed` wrote, or an older file without a hash.

    Raises:
        FormatError: not there, cut off, or changed since it was written.
    """
    from aesthetic_tv.tensor_file import tensors_sha256

    path = Path(path)
    tensors, metadata = _read_whole(path)
    try:
        told, about, found = tensors_sha256(tensors, metadata)
    except ValueError as error:
        raise FormatError(f"the header of {path} is damaged ({error}); copy it again.") from error
    if told is not None and told != found:
        raise FormatError(damaged(path, found, told))
    return HashedTensors(path, tensors, about, metadata, found, told is not None)


def _read_whole(path: Path) -> "tuple[dict[str, torch.Tensor], dict[str, str]]":
    if not path.is_file():
        raise FormatError(f"{path} is missing.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, ValueError, RuntimeError, LookupError, TypeError,
            AttributeError) as error:  # fmt: skip
        raise FormatError(
            f"{path} is not a whole safetensors file ({error}); fetch or make it again."
        ) from error
