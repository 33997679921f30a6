"""The authors' checkpoints, and the CLIP model they were fine-tuned from, become a bank."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

import torch

from aesthetic_tv.errors import (
    BaseMismatchError,
    HubError,
    OutputError,
    ScorerError,
    SettingError,
)
from aesthetic_tv.files import replaceable
from aesthetic_tv.hub.repos import Access
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.foreign_checkpoint import open_checkpoint
from aesthetic_tv.scorer.hashing import sha256
from aesthetic_tv.scorer.open_clip_layout import check_shapes, tower_layers, tower_shapes
from aesthetic_tv.task_vectors import bank as banks
from aesthetic_tv.task_vectors.authors_base import load_tower, put_head
from aesthetic_tv.task_vectors.authors_layout import (
    BASES,
    HEADS,
    Head,
    head_similarity,
    note,
    split_tensors,
    task_of,
)
from aesthetic_tv.task_vectors.fingerprint import check_finite
from aesthetic_tv.task_vectors.task_vector import BaseReference, TaskVector, layers_of

SOURCE = "https://github.com/YeolJ00/Personalized-Aesthetics"
FAR = 0.5  # length of a vector over that of its base; towers trained apart are at about 1.4


@dataclass(frozen=True)
class ImportedTask:
    """What became of one checkpoint.

    Attributes:
        name: of the task.
        file: name of the checkpoint.
        text_tensors: how many of the text tower were left out.
        relative_length: of the tower's part of the task vector, over the base's tower. Fine-tuning
            goes a small part of the way; above `FAR` the base is hardly the right one.
    """

    name: str
    file: str
    text_tensors: int
    relative_length: float

    @property
    def far(self) -> bool:
        """Whether the checkpoint is too far from the base to have been fine-tuned from it."""
        return self.relative_length > FAR


@dataclass(frozen=True)
class ImportedBank:
    """What `import_authors` made.

    Attributes:
        out: folder of the bank.
        base: name of what the base was loaded from.
        hidden_act: of the tower, and what it was told by.
        note: how head theta_0 was chosen, and what that changes.
        tasks: one for each checkpoint.
    """

    out: Path
    base: str
    hidden_act: tuple[str, str]
    note: str
    tasks: tuple[ImportedTask, ...]


@dataclass(frozen=True)
class ImportSettings:
    """How checkpoints become a bank.

    Args:
        base: open_clip checkpoint file, folder, or Hub id of the CLIP model that the checkpoints
            were fine-tuned from; `None` for the one in the authors' script.
        head: theta_0 of the head, one of `mean`, `seeded`, `first` (see `starting_head`).
        head_seed: of the `seeded` one.
        activation: `gelu` or `quick_gelu`, in place of what the base tells.
        license: of the checkpoints; there is no default.
    """

    base: str | None = None
    head: str = "mean"
    head_seed: int = 0
    activation: str | None = None
    license: str | None = None

    def __post_init__(self):
        if self.head not in HEADS:
            raise SettingError(f"head must be one of {', '.join(HEADS)}, got {self.head!r}.")


def import_authors(
    files: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    settings: ImportSettings | None = None,
    *,
    access: Access | None = None,
    progress: Callable[[ImportedTask], None] | None = None,
) -> ImportedBank:
    """Make a bank of the authors' checkpoints, one checkpoint in memory at a time.

    Args:
        files: `clip_L_3fc_ava.pth` and the like, all of one architecture.
        out: folder, made, or replaced when it already holds a bank.
        settings: see there.
        access: cache, token and network for a base from the Hub.
        progress: called after each checkpoint.

    Raises:
        SettingError: no files, or two of one task.
        ScorerError: a checkpoint holds code, lacks a tensor, or has one that is not known.
        BaseMismatchError: a checkpoint is of another architecture than the base.
        FormatError: a value that is not a finite number.
        OutputError: `out` holds something else or cannot be written.
        HubError: the base could not be fetched; see its subclasses.
    """
    settings, out = settings or ImportSettings(), Path(out)
    paths = _distinct(files)
    if out.exists() and not replaceable(out, banks.CONFIG_NAME):  # before anything is fetched
        raise OutputError(f"{out} exists and holds no bank; it is left alone. Name another folder.")
    base, origin = _base_under(paths, settings, access or Access())
    reference, tasks, vectors = BaseReference.of(base), list[ImportedTask](), list[TaskVector]()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
        for k, path in enumerate(paths):
            vector, task = _convert(path, base, reference)
            facts = {**origin.training, "checkpoint": path.name, "sha256": sha256(path)}
            folder = Path(temporary) / str(k)
            replace(vector, training=facts, license=settings.license).save_pretrained(folder)
            del vector
            vectors.append(TaskVector.from_pretrained(folder))  # which leaves it on the disk
            tasks.append(task)
            if progress is not None:
                progress(task)
        banks.TaskVectorBank(base, vectors, in_memory=False).save_pretrained(out)
    note = origin.training["note"]
    return ImportedBank(out, origin.name, origin.hidden_act, note, tuple(tasks))


@dataclass(frozen=True)
class _Origin:
    """Where a base came from: its name, activation, and what the vectors note down of it."""

    name: str
    hidden_act: tuple[str, str]
    training: dict[str, str]


def _base_under(
    paths: Sequence[Path], settings: ImportSettings, access: Access
) -> tuple[AestheticScorer, _Origin]:
    """The CLIP model that the checkpoints were fine-tuned from, with the head theta_0 chosen."""
    shapes, heads = _survey(paths)
    name = settings.base or _usual_base(shapes, paths[0])
    try:
        base, told_by = load_tower(name, settings.activation, access)
    except HubError as error:
        if settings.base is not None:
            raise
        raise type(error)(
            f"{error} It is the CLIP model that the authors' script starts from; name another "
            "copy of it with --base (base=)."
        ) from error
    for path, found in shapes.items():
        _check_alike(found, tower_shapes(base.config.tower), path, f"the base {name}")
    put_head(base, heads, settings.head, settings.head_seed)
    hidden_act = str(base.config.tower.hidden_act)
    training = {
        "layout": SOURCE,
        "base": _described(base, name),
        "hidden_act": hidden_act,
        "note": note(settings.head, len(heads), head_similarity(heads), settings.head_seed),
    }
    return base, _Origin(name, (hidden_act, told_by), training)


def _distinct(files: Sequence[str | os.PathLike[str]]) -> list[Path]:
    paths = [Path(file) for file in files]
    names = [task_of(path.stem)[0] for path in paths]
    if not paths or len(set(names)) < len(names):
        raise SettingError(
            f"found checkpoints of {', '.join(names) or 'no task'}; expected one or more, each of "
            "another task, which is told by the file's name (clip_L_3fc_TASK.pth)."
        )
    return paths


Shapes = dict[str, tuple[int, ...]]


def _survey(paths: Sequence[Path]) -> tuple[dict[Path, Shapes], list[Head]]:
    """Shapes of each tower by open_clip's own names, and all heads: little of the files is read."""
    shapes, heads = dict[Path, Shapes](), list[Head]()
    for path in paths:
        tower, head, _ = split_tensors(open_checkpoint(path), str(path))
        shapes[path] = _shapes(tower)
        _check_alike(shapes[path], shapes[paths[0]], path, paths[0])
        if heads:
            _check_alike(_shapes(head), _shapes(heads[0]), path, paths[0])
        heads.append(head)
    return shapes, heads


def _shapes(tensors: Mapping[str, torch.Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _usual_base(shapes: dict[Path, Shapes], path: Path) -> str:
    conv = shapes[path].get("visual.conv1.weight", ())
    if len(conv) != 4 or (conv[0], conv[2]) not in BASES:
        raise SettingError(
            f"{path} is no ViT-B/16 and no ViT-L/14, which the authors use; name the CLIP model "
            "that it was fine-tuned from with --base (base=)."
        )
    return BASES[conv[0], conv[2]]


def _check_alike(found: Shapes, expected: Shapes, path: Path, other: object) -> None:
    try:
        check_shapes(found, expected, str(path))
    except ScorerError as error:
        raise BaseMismatchError(
            f"{error} It was compared with {other}: the checkpoints of one bank, and their base, "
            "are of one architecture."
        ) from error


def _convert(
    path: Path, base: AestheticScorer, reference: BaseReference
) -> tuple[TaskVector, ImportedTask]:
    tower, head, text = split_tensors(open_checkpoint(path), str(path))
    finetuned = tower_layers(tower) | head
    if integers := [name for name, layer in finetuned.items() if not layer.is_floating_point()]:
        raise ScorerError(
            f"{path} holds {integers[0]} as {finetuned[integers[0]].dtype}; expected floating "
            "point weights."
        )
    name, database = task_of(path.stem)
    # As `TaskVector.from_scorers`, without a second scorer in memory.
    start = layers_of(base)
    layers = {key: (finetuned[key].double() - start[key].double()).float() for key in start}
    check_finite(layers, str(path))
    in_tower = [key for key in layers if not key.startswith("head.")]
    length = sqrt(sum(layers[key].double().square().sum().item() for key in in_tower))
    whole = sqrt(sum(start[key].double().square().sum().item() for key in in_tower))
    facts: dict[str, Any] = {"database": {"id": database} if database else {}}
    vector = TaskVector(layers, reference, name, **facts)
    return vector, ImportedTask(name, path.name, text, length / whole)


def _described(base: AestheticScorer, name: str) -> str:
    """The base without a path of this machine."""
    config = base.config
    if config.tower_repo_id is not None:
        return f"{config.tower_repo_id}@{config.tower_revision}"
    return Path(name).name
