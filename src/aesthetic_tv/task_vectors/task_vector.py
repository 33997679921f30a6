"""Task vectors: what fine-tuning on one database changed, layer by layer, and their arithmetic."""

import copy
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import CommitInfo
from torch import nn
from typing_extensions import Unpack

from aesthetic_tv.errors import BaseMismatchError, FormatError
from aesthetic_tv.files import (
    FORMAT_VERSION,
    atomic_folder,
    config_value,
    reading,
    write_json,
    write_tensors,
)
from aesthetic_tv.hub.pushing import pushed
from aesthetic_tv.hub.rendering import model_data, render_card, result
from aesthetic_tv.hub.repos import Access, PushSettings, resolve
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors.fingerprint import check_names, fingerprint
from aesthetic_tv.task_vectors.storage import (
    StoredLayers,
    check_layers,
    encode_layers,
    open_layers,
)
from aesthetic_tv.version import __version__

CURVE = "learning_curve.png"  # of a training, where one was drawn
CONFIG_NAME = "task_vector_config.json"
TENSORS_NAME = "task_vector.safetensors"


def layers_of(scorer: AestheticScorer) -> dict[str, torch.Tensor]:
    """The layers of a scorer by name, detached: the trainable tensors of tower and head."""
    return {name: parameter.detach() for name, parameter in scorer.named_parameters()}


def statistics_of(scorer: AestheticScorer) -> dict[str, torch.Tensor]:
    """What a scorer holds beside its layers and is never trained: the statistics of batch norms."""
    kept = scorer.state_dict().keys()  # which leaves out what is made anew at loading
    return {name: buffer for name, buffer in scorer.named_buffers() if name in kept}


def base_fingerprint(base: AestheticScorer) -> str:
    """Identity of a base: its layers, its statistics, and the image processor of its checkpoint."""
    processor = base.config.processor
    beside = "" if processor is None else json.dumps(processor, sort_keys=True)
    return fingerprint(layers_of(base) | statistics_of(base), beside)


@dataclass(frozen=True)
class BaseReference:
    """Which base a task vector belongs to.

    Args:
        fingerprint: of the base (`base_fingerprint`).
        repo_id: where the base is to be had, when it is on the Hub.
        revision: the 40-hex commit that was loaded.
        head_seed: where the repo is a tower's checkpoint: the seed of head theta_0 on top of it.
    """

    fingerprint: str
    repo_id: str | None = None
    revision: str | None = None
    head_seed: int | None = None

    @classmethod
    def of(cls, base: AestheticScorer) -> "BaseReference":
        """The reference to a base that is loaded."""
        identity, config = base_fingerprint(base), base.config
        if base.origin is not None:
            return cls(identity, *base.origin)
        known = config.head_seed is not None and config.tower_repo_id is not None
        if known and config.tower_layout is None:  # then `bases.load_base` makes it again
            return cls(identity, config.tower_repo_id, config.tower_revision, config.head_seed)
        return cls(identity)


def size_of(nbytes: int) -> str:
    """Bytes for a person to read, such as `3.6 MB`."""
    value, unit = float(nbytes), "bytes"
    for larger in ("KB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"


@dataclass(frozen=True, repr=False)
class TaskVector:
    """tau^l = theta_finetuned^l - theta_0^l for every layer l (paper section 3).

    Args:
        layers: float32 tensors by layer name, shaped like the base's; those of a vector that was
            loaded or compressed are decoded each time one is asked for.
        base: the base they were taken from; vectors of different bases do not mix.
        name: of the task, unique in a bank.
        database: `id`, `revision`, `license`, `num_images`, `split`: what it was trained on.
        training: settings of the fine-tuning.
        metrics: held-out figures by name.
        license: of the vector; there is no default.
        repo_id, revision: where it was loaded from, when that was the Hub.
    """

    layers: Mapping[str, torch.Tensor]
    base: BaseReference
    name: str = "task"
    database: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    license: str | None = None
    repo_id: str | None = None
    revision: str | None = None

    def __repr__(self) -> str:
        said = f"{self.name!r}, {len(self.layers)} layers, {size_of(self.nbytes)}"
        return f"TaskVector({said} as {self.storage})"

    @property
    def nbytes(self) -> int:
        """Of the layers as they are stored."""
        if isinstance(self.layers, StoredLayers):
            return self.layers.nbytes
        return sum(layer.nbytes for layer in self.layers.values())

    @classmethod
    def from_scorers(
        cls, base: AestheticScorer, finetuned: AestheticScorer, *, name: str = "task", **facts: Any
    ) -> "TaskVector":
        """What fine-tuning changed. `facts` are the fields `database`, `training`, `metrics` and
        `license`.

        The difference is taken in float64 and kept in float32.

        Raises:
            BaseMismatchError: the two are not of one architecture.
            FormatError: a weight of either is not a finite number.
        """
        start, end = layers_of(base), layers_of(finetuned)
        check_layers(end, start, f"the fine-tuned scorer of task {name!r}")
        _check_statistics(base, finetuned, name)
        layers = {key: (end[key].double() - start[key].double()).float() for key in start}
        vector = cls(layers, BaseReference.of(base), name, **facts)
        check_layers(vector.layers, start, f"task vector {name!r}")
        return vector

    def apply(self, base: AestheticScorer, scale: float = 1.0) -> AestheticScorer:
        """A new scorer, theta_0 + scale * tau (paper eq. 1); scale 1 gives back the fine-tuned one.

        Each layer is exact to one unit in the last place of the larger of theta_0 and the result,
        in the dtype of the base.

        Raises:
            BaseMismatchError: `base` is not the base this vector was made for.
        """
        self.verify(base)
        return with_layers(base, lambda key, start: start + scale * self.layers[key])

    @property
    def content_sha256(self) -> str:
        """Fingerprint of the layers: what the vector holds, whatever it is called."""
        if isinstance(self.layers, StoredLayers):
            return self.layers.fingerprint(f"task vector {self.name!r}")
        return fingerprint(self.layers)

    @property
    def storage(self) -> str:
        """How the layers are kept, and how `save_pretrained` writes them when not told."""
        return self.layers.storage if isinstance(self.layers, StoredLayers) else "float32"

    def compress(self, bits: int = 4) -> "TaskVector":
        """The vector as it is once stored in few bits: its layers are those that loading the saved
        file gives, value for value, and saving it writes the codes as they are.

        Args:
            bits: 8, 4, 3 or 2 for each weight; norms, biases and embeddings keep 16.

        Raises:
            SettingError: another number of bits.
        """
        layers = encode_layers(self.layers, f"int{bits}")
        return replace(self, layers=layers, repo_id=None, revision=None)

    def verify(self, base: AestheticScorer) -> None:
        """Raise `BaseMismatchError` unless `base` is the one this vector was made for."""
        check_layers(self.layers, layers_of(base), f"task vector {self.name!r}")
        check_base(self.base, BaseReference.of(base), f"task vector {self.name!r}")

    def __add__(self, other: "TaskVector") -> "TaskVector":
        return self._combine(other, torch.add, f"{self.name}+{other.name}")

    def __sub__(self, other: "TaskVector") -> "TaskVector":
        return self._combine(other, torch.sub, f"{self.name}-{other.name}")

    def __neg__(self) -> "TaskVector":
        return self._derived({key: -tau for key, tau in self.layers.items()}, f"-{self.name}")

    def __mul__(self, scale: float) -> "TaskVector":
        layers = {key: scale * tau for key, tau in self.layers.items()}
        return self._derived(layers, f"{scale:g}*{self.name}")

    __rmul__ = __mul__

    def cosine_similarity(self, other: "TaskVector") -> float:
        """Cosine of the angle between the two, over all layers, in [-1, 1]; 0 for a zero vector."""
        self._check_compatible(other)
        norms = self.norm() * other.norm()
        return self.dot(other) / norms if norms > 0 else 0.0

    def dot(self, other: "TaskVector") -> float:
        """Inner product over all layers, summed in float64."""
        pairs = ((tau.double(), other.layers[key].double()) for key, tau in self.layers.items())
        return float(sum((a * b).sum() for a, b in pairs))

    def norm(self) -> float:
        """Euclidean length over all layers."""
        return self.dot(self) ** 0.5

    def _combine(self, other: "TaskVector", operation: Callable, name: str) -> "TaskVector":
        self._check_compatible(other)
        layers = {key: operation(tau, other.layers[key]) for key, tau in self.layers.items()}
        return self._derived(layers, name)

    def _derived(self, layers: Mapping[str, torch.Tensor], name: str) -> "TaskVector":
        # What was measured or licensed for one vector does not hold for a computed one.
        training = {"computed": name}
        facts: dict[str, Any] = {"database": {}, "training": training, "metrics": {}}
        return TaskVector(layers, self.base, name, **facts)

    def _check_compatible(self, other: "TaskVector") -> None:
        check_names(other.layers, self.layers, f"task vector {other.name!r}")
        check_base(other.base, self.base, f"task vector {other.name!r}")

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        storage: str | None = None,
        readme: str | None = None,
    ) -> None:
        """Save to a folder: `task_vector_config.json` and `task_vector.safetensors`.

        Args:
            folder: made, or replaced when it already holds a task vector.
            storage: `float32`, `float16`, `bfloat16`, `int8`, `int4`, `int3` or `int2`; `None`
                keeps the storage that the vector has.
            readme: text of `README.md`.

        Raises:
            SettingError: another storage, or values that it cannot hold.
            OutputError: the folder holds something else or cannot be written.
        """
        stored = encode_layers(self.layers, storage or self.storage)
        config: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "library_version": __version__,
            "name": self.name,
            "base": vars(self.base),
            "database": dict(self.database),
            "training": dict(self.training),
            "storage": stored.description(),
            "content_sha256": stored.fingerprint(f"task vector {self.name!r}"),
            "metrics": dict(self.metrics),
            "license": self.license,
        }
        with atomic_folder(folder, marker=CONFIG_NAME) as temporary:
            path = temporary / TENSORS_NAME
            write_tensors(path, stored.stored(), stored.metadata())
            config["storage"]["bytes"] = path.stat().st_size
            write_json(temporary / CONFIG_NAME, config)
            if readme is not None:
                (temporary / "README.md").write_text(readme, "utf-8")

    def card(self, folder: Path, repo_id: str) -> str:
        """The text of README.md; pictures are written beside it.

        Args:
            folder: that it will stand in, with the files that are pushed.
            repo_id: `owner/name`.
        """
        database = str(self.database.get("id") or "")
        results = [
            result(name, value, database or "unknown", database or "not noted down")
            for name, value in self.metrics.items()
            if not name.endswith("_n")  # how many photos another one was measured on
        ]
        data = model_data(repo_id, self.base.repo_id, "adapter", self.license, results, [database])
        return render_card(
            "task_vector.md",
            data,
            repo_id,
            self.license,
            vector=self,
            base=self.base,
            curve=CURVE if (folder / CURVE).is_file() else None,
        )

    def push_to_hub(
        self, repo_id: str, *, storage: str | None = None, **settings: Unpack[PushSettings]
    ) -> CommitInfo:
        """Push vector and card in one commit.

        Args:
            repo_id: `owner/name`.
            storage: as for `save_pretrained`.
            **settings: `private`, `branch`, `tag`, `create_pr`, `token`, `keep_readme`,
                `parent_commit`, `commit_message`: as for `hub.repos.push`.

        Raises:
            HubError: see its subclasses; the repo is as it was.
        """
        return pushed(self, repo_id, {"storage": storage}, settings)

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | os.PathLike[str],
        *,
        base: AestheticScorer | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
    ) -> "TaskVector":
        """Load from a folder or the Hub, verified against the content hash in its config.

        The layers stay in their file, which is kept open: each is read, and decoded, whenever it is
        asked for.

        Args:
            name_or_folder: a folder as `save_pretrained` writes it, or a Hub id.
            base: also verify names, shapes and fingerprint against this base.
            revision: branch, tag or commit on the Hub.
            token: of the Hub's user; the one that is logged in when not given.
            cache_dir: where fetched files are kept.
            local_files_only: never use the network.

        Raises:
            FormatError: missing, cut off, damaged, or of an unknown format version.
            BaseMismatchError: made for another base.
            HubError: the Hub refused or failed; see its subclasses.
        """
        access = Access(cache_dir, token, local_files_only)
        snapshot = resolve(name_or_folder, revision=revision, access=access, marker=CONFIG_NAME)
        with snapshot.named():
            vector = cls._load(snapshot.folder, base)
        return replace(vector, repo_id=snapshot.repo_id, revision=snapshot.revision)

    @classmethod
    def _load(cls, folder: Path, base: AestheticScorer | None) -> "TaskVector":
        with reading(folder, CONFIG_NAME) as config:
            return cls._made(folder, config, base)

    @classmethod
    def _made(
        cls, folder: Path, config: dict[str, Any], base: AestheticScorer | None
    ) -> "TaskVector":
        path = folder / CONFIG_NAME
        reference = config_value(config, "base", dict, path)
        layers = open_layers(folder / TENSORS_NAME, config.get("storage"))
        name = config_value(config, "name", str, path)
        vector = cls(
            layers,
            BaseReference(
                config_value(reference, "fingerprint", str, path),
                reference.get("repo_id"),
                reference.get("revision"),
                reference.get("head_seed"),
            ),
            name,
            config.get("database") or {},
            config.get("training") or {},
            config.get("metrics") or {},
            config.get("license"),
        )
        # The base goes first: «made for another tower» says more than «another hash».
        if base is not None:
            vector.verify(base)
        if vector.content_sha256 != config_value(config, "content_sha256", str, path):
            raise FormatError(
                f"{folder / TENSORS_NAME} does not hold what {CONFIG_NAME} says: its content hash "
                "differs. One of the two was changed or damaged; fetch both again."
            )
        return vector


def _check_statistics(base: AestheticScorer, finetuned: AestheticScorer, name: str) -> None:
    theirs = statistics_of(finetuned)
    changed = [key for key, own in statistics_of(base).items() if not own.equal(theirs[key])]
    if changed:
        raise BaseMismatchError(
            f"the fine-tuned scorer of task {name!r} has other batch norm statistics than the base "
            f"({len(changed)} tensors: {', '.join(changed[:3])}), which no task vector can hold. "
            "Fine-tune with the base's statistics frozen, as `finetune` does."
        )


def check_base(found: BaseReference, expected: BaseReference, what: str) -> None:
    """Raise `BaseMismatchError` unless both are the same weights."""
    if found.fingerprint != expected.fingerprint:
        raise BaseMismatchError(
            f"{what} belongs to base {_describe(found)}, but the base here is "
            f"{_describe(expected)}. Load that base, or a vector made for this one."
        )


def _describe(base: BaseReference) -> str:
    place = f"{base.repo_id}@{base.revision} " if base.repo_id else ""
    return f"{place}(fingerprint {base.fingerprint[:12]})"


def with_layers(
    base: AestheticScorer, change: Callable[[str, torch.Tensor], torch.Tensor]
) -> AestheticScorer:
    """A copy of a scorer whose layers are `change(name, float32 layer)`, cast once at the end. The
    change is made on the CPU, and its result stands where the scorer does.
    """
    changed: dict[int, nn.Parameter] = {}
    with torch.no_grad():
        for name, parameter in base.named_parameters():
            # `change` may give back what it got; a layer of two scorers would be a trap.
            layer = torch.empty_like(parameter).copy_(change(name, parameter.cpu().float()))
            changed[id(parameter)] = nn.Parameter(layer, parameter.requires_grad)
    # What is in the memo is taken for copied already: no layer of the base is ever copied.
    scorer = copy.deepcopy(base, changed)
    scorer.config.head_seed = scorer.origin = None
    return scorer.eval()
