"""Compressing what lies in a folder, a task vector or a bank, into another folder."""

import os
from dataclasses import dataclass
from math import prod
from pathlib import Path

from aesthetic_tv.errors import FormatError, OutputError
from aesthetic_tv.files import read_config
from aesthetic_tv.task_vectors import bank, task_vector
from aesthetic_tv.task_vectors.bank import TaskVectorBank
from aesthetic_tv.task_vectors.storage import open_layers
from aesthetic_tv.task_vectors.task_vector import TaskVector


@dataclass(frozen=True)
class Compressed:
    """What became of one task vector.

    Args:
        name: of its task.
        bytes: of its file of tensors.
        share: of the bytes that its weights take in float32.
        relative_error: length of what was lost over the length of the vector, as loaded.
    """

    name: str
    bytes: int
    share: float
    relative_error: float


def compress_folder(
    folder: str | os.PathLike[str], out: str | os.PathLike[str], bits: int = 4
) -> list[Compressed]:
    """Store a task vector, or all those of a bank, in few bits a weight.

    Args:
        folder: of a task vector or a bank; not changed.
        out: made, or replaced when it already holds one of the same kind.
        bits: 8, 4, 3 or 2.

    Returns:
        What became of each vector.

    Raises:
        SettingError: another number of bits.
        FormatError: `folder` holds neither, or is damaged.
        OutputError: `out` is `folder`, holds something else or cannot be written.
    """
    folder, out = Path(folder), Path(out)
    if out.resolve() == folder.resolve():
        raise OutputError(
            f"{out} is the folder to be compressed; what compressing loses could not be had back. "
            "Name another folder."
        )
    if (folder / bank.CONFIG_NAME).is_file():
        TaskVectorBank.from_pretrained(folder).save_pretrained(out, storage=f"int{bits}")
        written = sorted(path.parent for path in out.glob(f"vectors/*/{task_vector.CONFIG_NAME}"))
    elif (folder / task_vector.CONFIG_NAME).is_file():
        TaskVector.from_pretrained(folder).compress(bits).save_pretrained(out)
        written = [out]
    else:
        raise FormatError(
            f"{folder} holds neither {task_vector.CONFIG_NAME} nor {bank.CONFIG_NAME}; name the "
            "folder of a task vector or of a bank."
        )
    return [_report(path) for path in written]


def _report(folder: Path) -> Compressed:
    config = read_config(folder, task_vector.CONFIG_NAME)
    shapes = open_layers(folder / task_vector.TENSORS_NAME).shapes
    values = sum(prod(shape) for shape in shapes.values())
    storage = config["storage"]
    return Compressed(
        config["name"], storage["bytes"], storage["bytes"] / (4 * values), storage["relative_error"]
    )
