"""A bank: K task vectors on one base, and the merged scorers it can make."""

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import CommitInfo
from typing_extensions import Unpack

from aesthetic_tv import notebook
from aesthetic_tv.assets import EMBEDDED, embedded_bank
from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.files import (
    FORMAT_VERSION,
    atomic_folder,
    config_value,
    read_config,
    reading,
    write_json,
)
from aesthetic_tv.frames import data_frame
from aesthetic_tv.hub.pushing import pushed
from aesthetic_tv.hub.rendering import evaluated_results, model_data, render_card
from aesthetic_tv.hub.repos import Access, PushSettings, resolve
from aesthetic_tv.scorer import AestheticScorer, image_processor
from aesthetic_tv.scorer.decoding import Photo, as_photos
from aesthetic_tv.scorer.images import all_or_none, measured
from aesthetic_tv.task_vectors import task_vector
from aesthetic_tv.task_vectors.bank_files import (
    checked_evaluations,
    reference_entry,
    stored_base,
    stored_vectors,
)
from aesthetic_tv.task_vectors.fingerprint import shapes_of
from aesthetic_tv.task_vectors.head_directions import HeadDirections
from aesthetic_tv.task_vectors.layout import Layout
from aesthetic_tv.task_vectors.population import Population
from aesthetic_tv.task_vectors.stack import merged_layer, room_for, stack_layers
from aesthetic_tv.task_vectors.storage import StoredLayers, check_layers
from aesthetic_tv.task_vectors.task_vector import (
    BaseReference,
    TaskVector,
    check_base,
    layers_of,
    size_of,
    with_layers,
)
from aesthetic_tv.version import __version__

PICTURE = "similarity.png"
CONFIG_NAME = "bank_config.json"
BASE_FOLDER = "base"
SUMMED = 2**18  # columns in float64 at a time


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


@dataclass(frozen=True)
class BankReference:
    """Which bank coefficients belong to.

    Args:
        base_fingerprint: of the base.
        vectors: content hash of each task vector by name, in the bank's order.
        directions: content hash of its head directions, where it has any.
        repo_id: where the bank is to be had: a Hub id, `embedded:NAME`, or `None` for a bank that
            is known here only (a local folder's path is nobody else's business).
        revision: the 40-hex commit that was loaded.
    """

    base_fingerprint: str
    vectors: Mapping[str, str]
    repo_id: str | None = None
    revision: str | None = None
    directions: str | None = None


class TaskVectorBank:
    """K task vectors on one base.

    Attributes:
        base: the base scorer theta_0, in evaluation mode.
        vectors: the K task vectors.
        stacked: tau of all tasks by layer name, float32 (K, *shape of the layer); of a large bank
            each look at a layer reads it from the vectors.
        start: theta_0 by layer name, float32.
        directions: further task vectors in the head alone, where the bank has them.
        population: what is known of people's coefficients, where the bank was given that.
        evaluations: what `aesthetic-tv evaluate` found of it: JSON, figures by method and database.
        repo_id, revision: where the bank was loaded from, when others can load it there too.
    """

    def __init__(
        self,
        base: AestheticScorer,
        vectors: Sequence[TaskVector],
        *,
        population: Population | None = None,
        directions: HeadDirections | None = None,
        repo_id: str | None = None,
        revision: str | None = None,
        in_memory: bool | None = None,
    ):
        """Verify that the vectors belong to the base, and line them up.

        Args:
            base: the base scorer.
            vectors: K task vectors made for it.
            population: what is known of people's coefficients, for these layers and tasks.
            directions: `HeadDirections.of` this base.
            repo_id, revision: where others can load the bank.
            in_memory: keep all vectors decoded, K times the memory of the base, or read them from
                their files layer by layer, over and over; `None` decides by size.

        Raises:
            SettingError: no vectors, two of one name, or a population or head directions of another
                shape.
            BaseMismatchError: a vector was made for another base.
            FormatError: a vector has values that are not finite.
        """
        names = [vector.name for vector in vectors]
        if not names or len(set(names)) < len(names):
            raise SettingError(
                f"A bank needs one task vector or more, of different names, got {names}; "
                "name them by `finetune --name` or `dataclasses.replace(vector, name=...)`."
            )
        self.base = base.eval()
        self.start = {name: layer.float() for name, layer in layers_of(base).items()}
        self.base_reference = BaseReference.of(base)
        for vector in vectors:
            what = f"task vector {vector.name!r}"
            check_layers(vector.layers, self.start, what)
            check_base(vector.base, self.base_reference, what)
        shapes = shapes_of(self.start)
        self.stacked = stack_layers([vector.layers for vector in vectors], shapes, in_memory)
        if isinstance(self.stacked, dict):
            vectors = [self._on_stack(k, vector) for k, vector in enumerate(vectors)]
        self.vectors = tuple(vectors)
        if directions is not None:
            directions.check(base)
        self.directions = directions
        if population is not None:
            population.check(self.layout)
        self.population = population
        self.evaluations: list[dict[str, Any]] = []
        self.repo_id, self.revision = repo_id, revision

    def _on_stack(self, k: int, vector: TaskVector) -> TaskVector:
        """The vector with layers that are views of `stacked`, so that nothing is held twice.
        Stored layers take no memory worth saving, and know how to be saved as they are.
        """
        if isinstance(vector.layers, StoredLayers):
            return vector
        return replace(vector, layers={name: tau[k] for name, tau in self.stacked.items()})

    def __repr__(self) -> str:
        parts = [f"{self.repo_id!r}"] if self.repo_id is not None else []
        parts.append(f"{_several(len(self), 'task')} on {self._base_name()}")
        if self.directions is not None:
            parts.append(f"{len(self.directions)} head directions")
        if self.population is not None:
            parts.append("population")
        parts.append(size_of(sum(vector.nbytes for vector in self.vectors)))
        return f"TaskVectorBank({', '.join(parts)})"

    def _base_name(self) -> str:
        """What the base is called, by where it is from, or else by its kind of tower."""
        config = self.base.config
        known = self.base_reference.repo_id or config.tower_repo_id
        return known or str(config.tower.model_type).removesuffix("_vision_model")

    def _repr_html_(self) -> str:
        rows = [
            f"{vector.name}: {vector.database.get('id') or 'unknown database'}, "
            f"{size_of(vector.nbytes)}, licence {vector.license or 'not told'}"
            for vector in self.vectors
        ]
        listed = "".join(f"<li>{notebook.said(row)}</li>" for row in rows[: notebook.BARS])
        more = len(rows) - notebook.BARS
        note = f"and {more} more" if more > 0 else ""
        return notebook.card(repr(self), f"<ul style='margin:0'>{listed}</ul>", note)

    def __sklearn_clone__(self) -> "TaskVectorBank":
        return self  # nothing is learned into a bank, and a copy would cost its memory

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[TaskVector]:
        return iter(self.vectors)

    def __contains__(self, name: object) -> bool:
        return name in self.names or any(name is vector for vector in self.vectors)

    def __getitem__(self, task: str | int) -> TaskVector:
        """A vector by the name of its task, or by its place.

        Raises:
            SettingError: there is no such task.
        """
        if isinstance(task, str):
            if task not in self.names:
                raise SettingError(
                    f"no task {task!r} in this bank; it has {', '.join(self.names)}."
                )
            return self.vectors[self.names.index(task)]
        return self.vectors[task]

    def to_frame(self) -> Any:
        """A pandas DataFrame: a row for each task.

        Raises:
            SettingError: pandas is not installed.
        """
        return data_frame(
            {
                "database": [vector.database.get("id") for vector in self.vectors],
                "images": [vector.database.get("num_images") for vector in self.vectors],
                "license": [vector.license for vector in self.vectors],
                "storage": [vector.storage for vector in self.vectors],
                "bytes": [vector.nbytes for vector in self.vectors],
            },
            self.names,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K tasks."""
        return tuple(vector.name for vector in self.vectors)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the L layers, in the order of the rows of coefficients."""
        return tuple(self.start)

    @property
    def reference(self) -> BankReference:
        """What a personalization notes down of the bank."""
        hashes = {vector.name: vector.content_sha256 for vector in self.vectors}
        directions = None if self.directions is None else self.directions.content_sha256
        return BankReference(
            self.base_reference.fingerprint, hashes, self.repo_id, self.revision, directions
        )

    @property
    def layout(self) -> Layout:
        """How coefficients stand in one vector."""
        directions = 0 if self.directions is None else len(self.directions)
        return Layout(len(self.start), len(self.vectors), directions)

    def to(self, device: torch.device | str) -> "TaskVectorBank":
        """Move the base to a device, and with it every scorer that is merged from now on. The task
        vectors stay on the CPU, and so does what is calculated with coefficients.

        Args:
            device: as of `scorer.devices.choose_device`.

        Returns:
            The bank itself.
        """
        self.base.to(torch.device(device))
        return self

    @property
    def device(self) -> torch.device:
        """Where the base is."""
        return self.base.device

    def without_directions(self) -> "TaskVectorBank":
        """The same bank as the paper has it: with its task vectors alone, and no population where
        that one weighs head directions.
        """
        bank = copy.copy(self)
        bank.directions = None
        if self.population is not None and self.population.directions is not None:
            bank.population = None
        return bank

    def merged_layers(self, coefficients: torch.Tensor) -> dict[str, torch.Tensor]:
        """theta^l = theta_0^l + sum_k alpha_k^l tau_k^l (paper eq. 2), differentiable in alpha.

        Args:
            coefficients: alpha, float32 (L, K), or (1, K) for one row that serves all layers, or
                alpha and beta in one vector (P,), as `layout` has it.

        Returns:
            float32 layers by name.

        Raises:
            SettingError: another shape.
        """
        merged = self._merged(coefficients)
        return {name: merged(name, start) for name, start in self.start.items()}

    def _merged(self, coefficients: torch.Tensor) -> Callable[[str, torch.Tensor], torch.Tensor]:
        """theta^l of the name and theta_0^l of a layer."""
        layout, beta = self.layout, None
        count, tasks = layout.layers, layout.tasks
        if tuple(coefficients.shape) == (layout.size,):
            coefficients, beta = layout.split(coefficients)
        elif tuple(coefficients.shape) not in ((count, tasks), (1, tasks)):
            directions = f", or ({layout.size},) with {layout.directions} head directions"
            raise SettingError(
                f"coefficients have shape {tuple(coefficients.shape)}; this bank needs "
                f"({count}, {tasks}): one row for each layer, one column for each task"
                f"{directions if layout.directions else ''}."
            )
        rows = dict(zip(self.start, coefficients.expand(count, tasks), strict=True))
        room = room_for(self.stacked)

        def merged(name: str, start: torch.Tensor) -> torch.Tensor:
            layer = merged_layer(start, self.stacked, name, rows[name], room)
            if self.directions is None or beta is None:
                return layer
            change = self.directions.change(name, beta)
            return layer if change is None else layer + change

        return merged

    def merge(self, coefficients: torch.Tensor | np.ndarray) -> AestheticScorer:
        """The scorer of these coefficients, cast once to the dtype of the base.

        Args:
            coefficients: as for `merged_layers`.
        """
        merged = self._merged(torch.as_tensor(coefficients, dtype=torch.float32))
        with torch.no_grad():
            return with_layers(self.base, merged)

    def task_scorer(self, name: str) -> AestheticScorer:
        """The scorer that was fine-tuned on one task, theta_0 + tau_k.

        Raises:
            SettingError: there is no such task.
        """
        tau = self[name].layers
        return with_layers(self.base, lambda layer, start: start + tau[layer])

    def score(self, photos: Photo | Sequence[Photo], *, batch_size: int = 32) -> np.ndarray:
        """Raw scores of each single task model: float64 (n, K).

        Args:
            photos: as for `AestheticScorer.score`.
            batch_size: photos for each pass.

        Raises:
            PhotoError: names every photo that cannot be read.
        """
        photos, processor = as_photos(photos), image_processor(self.base.config)
        rows, failures = measured(photos, processor, self.score_pixels, batch_size=batch_size)
        all_or_none(failures)
        nothing = np.empty((0, len(self.names)))
        return np.stack([rows[place] for place in range(len(photos))]) if rows else nothing

    def score_pixels(self, pixel_values: torch.Tensor, *, batch_size: int = 32) -> np.ndarray:
        """As `score`, of photos that are loaded: (n, 3, H, W) to float64 (n, K).

        One task model is in memory at a time.
        """
        columns = [
            self.task_scorer(name).score_pixels(pixel_values, batch_size=batch_size)
            for name in self.names
        ]
        return np.stack(columns, axis=1)

    @property
    def generic_coefficients(self) -> torch.Tensor:
        """One taste for all: the centre of the population where the bank knows it, otherwise 1/K
        each, whose score is to first order the mean of the K task models' scores; float32 (L, K),
        or (P,) where the bank has head directions.
        """
        return self.shaped(self.generic_point)

    @property
    def generic_point(self) -> torch.Tensor:
        """`generic_coefficients` as a vector, float32 (P,)."""
        layout = self.layout
        if self.population is not None:
            return self.population.point
        point = torch.zeros(layout.size)
        point[: layout.weights] = 1 / layout.tasks
        return point

    def shaped(self, coefficients: torch.Tensor) -> torch.Tensor:
        """A vector of coefficients (P,) as those who know no head directions expect it: (L, K)
        where the bank has none, otherwise as it is.
        """
        layout = self.layout
        return coefficients if layout.directions else layout.split(coefficients)[0]

    def generic_scorer(self) -> AestheticScorer:
        """The scorer of `generic_coefficients`."""
        return self.merge(self.generic_coefficients)

    def generic_score(self, photos: Photo | Sequence[Photo], *, batch_size: int = 32) -> np.ndarray:
        """Raw scores of `generic_scorer`: float64 (n,).

        Raises:
            PhotoError: names every photo that cannot be read.
        """
        return self.generic_scorer().score(photos, batch_size=batch_size)

    def similarity(self) -> np.ndarray:
        """Cosine similarity of each two vectors, over all layers: float64 (K, K)."""
        tasks = len(self.vectors)
        gram = torch.zeros(tasks, tasks, dtype=torch.float64)
        for tau in self.stacked.values():
            for part in tau.flatten(1).split(SUMMED, dim=1):
                rows = part.double()
                gram += rows @ rows.T
        lengths = gram.diagonal().sqrt().clamp_min(torch.finfo(torch.float64).tiny)
        return (gram / lengths[:, None] / lengths[None, :]).numpy()

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        storage: str | None = None,
        readme: str | None = None,
        by_reference: bool = False,
    ) -> None:
        """Save base and vectors to a folder that needs nothing else.

        Args:
            folder: made, or replaced when it already holds a bank.
            storage: of the vectors, as for `TaskVector.save_pretrained`. The base is stored in half
                precision where the vectors are stored in 16 bits or less and it loses nothing.
            readme: text of `README.md`.
            by_reference: list vectors, and a base from the Hub, by repo and revision instead.

        Raises:
            SettingError: `by_reference` with a vector that was not loaded from the Hub.
            OutputError: the folder holds something else or cannot be written.
        """
        entries = [reference_entry(vector) for vector in self.vectors] if by_reference else []
        base_entry: dict[str, Any] = vars(self.base_reference)
        if not by_reference or self.base_reference.repo_id is None:
            base_entry = {"path": BASE_FOLDER, **base_entry}
        with atomic_folder(folder, marker=CONFIG_NAME) as temporary:
            if "path" in base_entry:
                self._half_if_exact(storage).save_pretrained(temporary / BASE_FOLDER)
            for k, vector in enumerate(() if by_reference else self.vectors):
                path = f"vectors/{k:02d}"
                vector.save_pretrained(temporary / path, storage=storage)
                written = read_config(temporary / path, task_vector.CONFIG_NAME)
                entries.append(
                    {
                        "name": vector.name,
                        "path": path,
                        "content_sha256": written["content_sha256"],
                    }
                )
            config = {
                "format_version": FORMAT_VERSION,
                "library_version": __version__,
                "base": base_entry,
                "vectors": entries,
            }
            if self.directions is not None:
                config["head_directions"] = self.directions.save(temporary)
            if self.population is not None:
                config["population"] = self.population.save(temporary)
            if self.evaluations:
                config["evaluations"] = self.evaluations
            write_json(temporary / CONFIG_NAME, config)
            if readme is not None:
                (temporary / "README.md").write_text(readme, "utf-8")

    def _half_if_exact(self, storage: str | None) -> AestheticScorer:
        kinds = {storage or vector.storage for vector in self.vectors}
        halves = [] if "float32" in kinds else [torch.float16, torch.bfloat16]
        if kinds == {"bfloat16"}:
            halves.reverse()
        scorer: Any = with_layers(self.base, lambda _, layer: layer)
        scorer.config.head_seed = self.base.config.head_seed
        for half in halves:
            if all(torch.equal(layer.to(half).float(), layer) for layer in self.start.values()):
                return scorer.to(dtype=half)
        return scorer

    def card(self, folder: Path, repo_id: str) -> str:
        """The text of README.md; pictures are written beside it.

        Args:
            folder: that it will stand in, with the files that are pushed.
            repo_id: `owner/name`.
        """
        from aesthetic_tv.plots import (
            similarity_matrix,  # it imports matplotlib, which takes its time
        )

        similarity_matrix(self.names, self.similarity(), folder / PICTURE)
        databases = [str(vector.database.get("id") or "") for vector in self.vectors]
        base = self.base_reference
        licenses = {vector.license for vector in self.vectors}
        license = licenses.pop() if len(licenses) == 1 else None
        return render_card(
            "bank.md",
            model_data(
                repo_id,
                base.repo_id,
                "adapter",
                license,
                evaluated_results(self.evaluations),
                databases,
            ),
            repo_id,
            license,
            bank=self,
            base=base,
            notes=sorted({str(v.training["note"]) for v in self.vectors if v.training.get("note")}),
            sourced=[v for v in self.vectors if v.database.get("source")],
            picture=PICTURE,
            by_reference=all(v.repo_id for v in self.vectors) and not (folder / "vectors").is_dir(),
        )

    def push_to_hub(
        self,
        repo_id: str,
        *,
        storage: str | None = None,
        by_reference: bool = False,
        **settings: Unpack[PushSettings],
    ) -> CommitInfo:
        """Push base, vectors and card in one commit.

        From then on the bank says where it is to be had, so that personalizations made with it
        can be loaded by everyone; unless it was proposed as a pull request or stored with loss.

        Args:
            repo_id: `owner/name`.
            storage, by_reference: as for `save_pretrained`.
            **settings: `private`, `branch`, `tag`, `create_pr`, `token`, `keep_readme`,
                `parent_commit`, `commit_message`: as for `hub.repos.push`.

        Raises:
            HubError: see its subclasses; the repo is as it was.
        """
        saving = {"storage": storage, "by_reference": by_reference}
        commit = pushed(self, repo_id, saving, settings)
        exact = by_reference or {storage or v.storage for v in self.vectors} == {
            v.storage for v in self.vectors
        }
        if exact and not settings.get("create_pr"):
            self.repo_id, self.revision = commit.repo_url.repo_id, commit.oid
        return commit

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        in_memory: bool | None = None,
    ) -> "TaskVectorBank":
        """Load a bank, verified against the hashes in its config.

        Args:
            name_or_folder: a folder as `save_pretrained` writes it, a Hub id, or `embedded:lite`.
            revision: branch, tag or commit on the Hub.
            token: of the Hub's user; the one that is logged in when not given.
            cache_dir: where fetched files are kept.
            local_files_only: never use the network.
            in_memory: as for the constructor.

        Raises:
            FormatError: missing, cut off, damaged, or of an unknown format version.
            BaseMismatchError: a vector, or the base, is not the one the bank was made of.
            HubError: the Hub refused or failed; see its subclasses.
        """
        name, access = str(name_or_folder), Access(cache_dir, token, local_files_only)
        if name.startswith(EMBEDDED):
            bank = cls._load(embedded_bank(name.removeprefix(EMBEDDED)), access, in_memory)
            bank.repo_id = name
            return bank
        snapshot = resolve(name, revision=revision, access=access, marker=CONFIG_NAME)
        with snapshot.named():
            bank = cls._load(snapshot.folder, access, in_memory)
        bank.repo_id, bank.revision = snapshot.repo_id, snapshot.revision
        return bank

    @classmethod
    def _load(cls, folder: Path, access: Access, in_memory: bool | None) -> "TaskVectorBank":
        with reading(folder, CONFIG_NAME) as config:
            return cls._made(folder / CONFIG_NAME, config, access, in_memory)

    @classmethod
    def _made(
        cls, path: Path, config: dict[str, Any], access: Access, in_memory: bool | None
    ) -> "TaskVectorBank":
        base = stored_base(path, config_value(config, "base", dict, path), access)
        vectors = stored_vectors(path, config_value(config, "vectors", list, path), access)
        directions = None
        if "head_directions" in config:
            directions = HeadDirections.load(path, config["head_directions"])
        try:
            bank = cls(base, vectors, directions=directions, in_memory=in_memory)
        except SettingError as error:
            raise FormatError(f"{path}: {error}") from error
        if "population" in config:
            bank.population = Population.load(path, config["population"], bank.layout)
        bank.evaluations = checked_evaluations(path, config.get("evaluations", []))
        return bank
