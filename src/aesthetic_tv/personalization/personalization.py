"""What is kept of one person: coefficients, where they belong, and how good they are. No photos."""

import copy
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import CommitInfo
from PIL import Image
from typing_extensions import Unpack

from aesthetic_tv import notebook
from aesthetic_tv.assets import EMBEDDED
from aesthetic_tv.errors import (
    BaseMismatchError,
    FormatError,
    PreferenceError,
    RatingsFileError,
)
from aesthetic_tv.files import (
    FORMAT_VERSION,
    atomic_folder,
    config_value,
    damaged,
    read_hashed,
    reading,
    write_hashed,
    write_json,
)
from aesthetic_tv.frames import data_frame
from aesthetic_tv.hub.pushing import pushed
from aesthetic_tv.hub.rendering import honest_results, model_data, on_hub, render_card
from aesthetic_tv.hub.repos import DATA, RATINGS, Access, PushSettings, hub_id, resolve
from aesthetic_tv.personalization.calibration import Calibration
from aesthetic_tv.personalization.honesty import Figures
from aesthetic_tv.personalization.ratings_file import bare_names, read_ratings, write_ratings
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig, image_processor
from aesthetic_tv.scorer.checkpoint import check_files, write_stand_in
from aesthetic_tv.scorer.decoding import Photo
from aesthetic_tv.scorer.hashing import sha256
from aesthetic_tv.task_vectors import BankReference, TaskVectorBank
from aesthetic_tv.task_vectors.fingerprint import check_names
from aesthetic_tv.task_vectors.loading import resolve_bank
from aesthetic_tv.version import __version__

MAP = "coefficients.png"
STAND_IN = "config.json"  # for transformers' auto classes
CONFIG_NAME = "personalization_config.json"
TENSORS_NAME = "personalization.safetensors"


@dataclass(frozen=True, eq=False, repr=False)
class Personalization:
    """One person's taste: a few kilobytes.

    Attributes:
        coefficients: alpha, float32 (L, K).
        layers, tasks: names of its rows and columns.
        bank_reference: the bank it belongs to.
        solver: name and settings of what fitted it.
        calibration: map onto the person's scale; `None` for pairs and rankings, which have none.
        figures: cross-validated personal against generic; `None` when there was too little to say.
        bank: the bank itself, when it is at hand; not saved.
        skipped: rated photos that could not be read, and why; not saved.
        ratings: what it was learned from, where that was ratings; saved only when asked for.
        directions: beta of the bank's head directions, float32 (R,), where it weighs any.
    """

    coefficients: torch.Tensor
    layers: tuple[str, ...]
    tasks: tuple[str, ...]
    bank_reference: BankReference
    solver: Mapping[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    figures: Figures | None = None
    bank: TaskVectorBank | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    ratings: Mapping[Any, float] | None = field(default=None, repr=False)
    directions: torch.Tensor | None = None

    def __repr__(self) -> str:
        figures, parts = self.figures, list[str]()
        if self.ratings is not None:
            parts.append(f"{len(self.ratings):,} ratings")
        elif figures is not None:
            parts.append(f"{figures.num_photos:,} photos")
        if figures is not None:
            shown = [
                f"{name} {value:.2f}".replace("0.", ".", 1)
                for name, value in (("personal", figures.personal), ("generic", figures.generic))
            ]
            parts += shown if figures.metric == "srocc" else [*shown, "share of pairs"]
        parts = parts or [f"{len(self.tasks)} tasks", "not judged"]
        return f"Personalization({', '.join(parts)})"

    def _repr_html_(self) -> str:
        verdict = "" if self.figures is None else notebook.said(self.figures.verdict)
        rated = sorted((self.ratings or {}).items(), key=lambda item: -item[1])
        photos, captions = [photo for photo, _ in rated], [f"{rating:g}" for _, rating in rated]
        sheet = notebook.contact_sheet(photos, captions)
        return notebook.card(repr(self), verdict, notebook.bars(self.task_weights()), sheet)

    @cached_property
    def scorer(self) -> AestheticScorer:
        """The personal scorer, merged when it is first asked for, and kept.

        Raises:
            BaseMismatchError: no bank, or not the one this was made with.
            HubError: the bank could not be fetched; see its subclasses.
        """
        return self.merge()

    def score(
        self, photos: Photo | Sequence[Photo], *, batch_size: int = 32, calibrated: bool = True
    ) -> np.ndarray:
        """Score photos by this taste, higher is better: float64 (n,).

        Args:
            photos, batch_size, calibrated: as for `AestheticScorer.score`.

        Raises:
            PhotoError: names every photo that cannot be read.
            BaseMismatchError, HubError: as for `scorer`.
        """
        return self.scorer.score(photos, batch_size=batch_size, calibrated=calibrated)

    def plot(self) -> Image.Image:
        """The map of coefficients as a picture, which a notebook shows: a row a task, a column a
        layer.
        """
        from aesthetic_tv.plots import coefficient_map

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MAP
            coefficient_map(self.layers, self.tasks, self.coefficients.numpy(), path)
            with Image.open(path) as picture:
                return picture.convert("RGB")

    def to_frame(self) -> Any:
        """The coefficients as a pandas DataFrame: a row a layer, a column a task.

        Raises:
            SettingError: pandas is not installed.
        """
        columns = zip(self.tasks, self.coefficients.T.numpy(), strict=True)
        return data_frame(dict(columns), self.layers)

    def merge(
        self,
        bank: TaskVectorBank | str | os.PathLike[str] | None = None,
        *,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
    ) -> AestheticScorer:
        """The personal scorer as a plain transformers model: base plus weighted task vectors.

        Args:
            bank: needed when this was loaded and its bank is not one that can be found by name.
            token, cache_dir, local_files_only: for a bank that is fetched from the Hub.

        Raises:
            BaseMismatchError: no bank, or not the one this was made with.
            HubError: the bank could not be fetched; see its subclasses.
        """
        access, reference = Access(cache_dir, token, local_files_only), self.bank_reference
        bank = bank if bank is not None else self.bank
        if bank is not None:
            resolved = resolve_bank(bank, "this personalization", access=access)
        else:
            if reference.repo_id is not None and not reference.repo_id.startswith(EMBEDDED):
                hub_id(reference.repo_id, "this personalization")
            resolved = resolve_bank(
                reference.repo_id,
                "this personalization",
                revision=reference.revision,
                access=access,
            )
        self._verify(resolved)
        weights = self.coefficients
        if self.directions is not None:
            weights = torch.cat([weights.reshape(-1), self.directions])
        scorer = resolved.merge(weights)
        scorer.merged_from = {
            "repo_id": resolved.repo_id,
            "revision": resolved.revision,
            "figures": self.figures,
        }
        self._calibrate(scorer.config)
        return scorer

    def _verify(self, bank: TaskVectorBank) -> None:
        """Layers by name, and every vector by what it holds."""
        check_names(self.layers, bank.layers, "this personalization")
        found, expected = bank.reference, self.bank_reference
        if found.base_fingerprint != expected.base_fingerprint:
            raise BaseMismatchError(
                f"This personalization was made on the base with fingerprint "
                f"{expected.base_fingerprint[:12]}, but the bank here has base "
                f"{found.base_fingerprint[:12]}. Load the bank it was made with."
            )
        changed = [
            name for name in self.tasks if found.vectors.get(name) != expected.vectors.get(name)
        ]
        if changed or bank.names != self.tasks or bank.layers != self.layers:
            raise BaseMismatchError(
                f"This personalization weighs the task vectors {', '.join(self.tasks)}; the bank "
                f"here has {', '.join(bank.names)}, and these differ or are missing: "
                f"{', '.join(changed) or 'none, but their order differs'}. Load the bank it was "
                "made with."
            )
        if self.directions is not None and found.directions != expected.directions:
            raise BaseMismatchError(
                "This personalization weighs the head directions "
                f"{str(expected.directions)[:12]}; the bank here has "
                f"{str(found.directions)[:12]}. Load the bank it was made with."
            )

    def _tensors(self) -> dict[str, torch.Tensor]:
        """What is saved."""
        more = {} if self.directions is None else {"directions": self.directions}
        return {"coefficients": self.coefficients, **more}

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, include_ratings: bool = False
    ) -> None:
        """Save to a folder: a config and the coefficients; no photos, no paths, no ratings.

        Where the bank is at hand, also the configs by which transformers' auto classes and
        `pipeline` take the folder for a scorer, once `aesthetic_tv` is imported.

        Args:
            folder: to write or replace.
            include_ratings: also write `ratings.csv`: file names and ratings, with no more of
                their folders than tells two photos of one name apart.

        Raises:
            PreferenceError: `include_ratings` of pairs or a ranking, or of a photo without a path.
            OutputError: the folder holds something else or cannot be written.
        """
        ratings = self._shared_ratings() if include_ratings else None
        config = {
            "format_version": FORMAT_VERSION,
            "library_version": __version__,
            "bank": asdict(self.bank_reference),
            "tasks": list(self.tasks),
            "layers": list(self.layers),
            "solver": dict(self.solver),
            "calibration": None if self.calibration is None else asdict(self.calibration),
            "figures": None if self.figures is None else asdict(self.figures),
        }
        with atomic_folder(folder, marker=CONFIG_NAME) as temporary:
            config["content_sha256"] = write_hashed(temporary / TENSORS_NAME, self._tensors())
            if ratings is not None:
                write_ratings(temporary / RATINGS, ratings)
                config["ratings"] = RATINGS
                config["ratings_sha256"] = sha256(temporary / RATINGS)
            write_json(temporary / CONFIG_NAME, config)
            if self.bank is not None:
                scorer_config = copy.deepcopy(self.bank.base.config)
                self._calibrate(scorer_config)
                write_stand_in(scorer_config, temporary)
                image_processor(scorer_config).save_pretrained(temporary)

    def _calibrate(self, config: AestheticScorerConfig) -> None:
        config.head_seed = None  # the merged head is no random one
        if self.calibration is not None:
            config.calibration_scores = list(self.calibration.scores)
            config.calibration_ratings = list(self.calibration.ratings)

    def _shared_ratings(self) -> dict[str, float]:
        if self.ratings is None:
            raise PreferenceError(
                "This personalization has no ratings to include: it was made from pairs, a ranking "
                "or images in memory, or was saved without them. Leave include_ratings out."
            )
        return bare_names(self.ratings)

    def card(self, folder: Path, repo_id: str) -> str:
        """The text of README.md; pictures are written beside it.

        Args:
            folder: that it will stand in, with the files that are pushed.
            repo_id: `owner/name`.
        """
        from aesthetic_tv.plots import (
            coefficient_map,  # it imports matplotlib, which takes its time
        )

        coefficient_map(self.layers, self.tasks, self.coefficients.numpy(), folder / MAP)
        data = model_data(
            repo_id,
            on_hub(self.bank_reference.repo_id),
            "adapter",
            None,
            honest_results(self.figures),
            [],
        )
        with_ratings = (folder / RATINGS).is_file()
        return render_card(
            "personalization.md",
            data,
            repo_id,
            None,
            mine=self,
            figures=self.figures,
            picture=MAP,
            with_ratings=with_ratings,
        )

    def push_to_hub(
        self, repo_id: str, *, include_ratings: bool = False, **settings: Unpack[PushSettings]
    ) -> CommitInfo:
        """Push coefficients and card in one commit: kilobytes, no photos, no paths, no ratings.

        Where the bank was pushed since this was made, the reference to it is brought up to date.
        Ratings that an earlier commit brought leave the branch when they are not included again;
        they stay in its history.

        Args:
            repo_id: `owner/name`.
            include_ratings: also push `ratings.csv`: file names and ratings, with no more of their
                folders than tells two photos of one name apart.
            **settings: `private`, `branch`, `tag`, `create_pr`, `token`, `keep_readme`,
                `parent_commit`, `commit_message`: as for `hub.repos.push`.

        Raises:
            PreferenceError: `include_ratings` of pairs or a ranking, or of a photo without a path.
            HubError: see its subclasses; the repo is as it was.
        """
        mine = self
        if self.bank is not None and self.bank.repo_id is not None:
            mine = replace(self, bank_reference=self.bank.reference)
        if mine.bank_reference.repo_id is None:
            warnings.warn(
                f"the bank of {repo_id} is not on the Hub: whoever loads this personalization "
                "must pass it as bank=. Push the bank first.",
                stacklevel=2,
            )
        saving = {"include_ratings": include_ratings}
        return pushed(mine, repo_id, saving, {**settings, "delete_patterns": [RATINGS]})

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | os.PathLike[str],
        *,
        bank: TaskVectorBank | str | os.PathLike[str] | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
    ) -> "Personalization":
        """Load from a folder or the Hub.

        Args:
            name_or_folder: a folder as `save_pretrained` writes it, or a Hub id.
            bank: verified against, and kept for `merge`; a name or folder is loaded.
            revision: branch, tag or commit on the Hub.
            token: of the Hub's user; the one that is logged in when not given.
            cache_dir: where fetched files are kept.
            local_files_only: never use the network.

        Raises:
            FormatError: missing, cut off, damaged, or of an unknown format version.
            BaseMismatchError: `bank` is not the one this was made with.
            HubError: the Hub refused or failed; see its subclasses.
        """
        access = Access(cache_dir, token, local_files_only)
        snapshot = resolve(
            name_or_folder,
            revision=revision,
            access=access,
            patterns=(*DATA, RATINGS),
            marker=CONFIG_NAME,
        )
        with snapshot.named():
            loaded = cls._load(snapshot.folder)
            if (snapshot.folder / STAND_IN).is_file():
                check_files(snapshot.folder)
        if bank is None:
            return loaded
        resolved = resolve_bank(bank, "this personalization", access=access)
        loaded._verify(resolved)
        return replace(loaded, bank=resolved)

    @classmethod
    def _load(cls, folder: Path) -> "Personalization":
        with reading(folder, CONFIG_NAME) as config:
            return cls._made(folder, config)

    @classmethod
    def _made(cls, folder: Path, config: dict[str, Any]) -> "Personalization":
        path, stored = folder / CONFIG_NAME, read_hashed(folder / TENSORS_NAME)
        tensors = stored.tensors
        alpha, directions = tensors.get("coefficients"), tensors.get("directions")
        layers, tasks = _names(config, "layers", path), _names(config, "tasks", path)
        if alpha is None or tuple(alpha.shape) != (len(layers), len(tasks)):
            raise FormatError(
                f"{folder / TENSORS_NAME} holds no coefficients of shape "
                f"({len(layers)}, {len(tasks)}), one row for each layer and one column for each "
                "task; fetch or make it again."
            )
        if directions is not None and directions.ndim != 1:
            raise FormatError(
                f"{folder / TENSORS_NAME} holds weights of head directions of shape "
                f"{tuple(directions.shape)}; expected one number for each. Fetch or make it again."
            )
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise FormatError(f"{folder / TENSORS_NAME} holds values that are not finite numbers.")
        made = cls(
            alpha.float(),
            layers,
            tasks,
            _built(BankReference, config_value(config, "bank", dict, path), path),
            config.get("solver") or {},
            _built(Calibration, config.get("calibration"), path),
            _built(Figures, config.get("figures"), path),
            ratings=_ratings(folder, config),
            directions=None if directions is None else directions.float(),
        )
        stored.check(config.get("content_sha256"))
        return made

    def task_weights(self) -> dict[str, float]:
        """Mean coefficient of each task over the layers: what the person's taste is made of."""
        means = np.asarray(self.coefficients.mean(0).tolist())
        return dict(zip(self.tasks, means.tolist(), strict=True))


def _names(config: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    names = config_value(config, key, list, path)
    if not all(isinstance(name, str) for name in names):
        raise FormatError(f"{path}: {key} is {names!r}; expected a list of names.")
    return tuple(names)


def _ratings(folder: Path, config: dict[str, Any]) -> dict[str, float] | None:
    name, expected = config.get("ratings"), config.get("ratings_sha256")
    if name is None:
        return None
    if name != RATINGS:
        raise FormatError(f"{folder / CONFIG_NAME}: ratings is {name!r}; expected {RATINGS}.")
    try:
        ratings = read_ratings(folder / RATINGS)
    except RatingsFileError as error:
        raise FormatError(str(error)) from error
    if expected is not None and expected != (found := sha256(folder / RATINGS)):
        raise FormatError(damaged(folder / RATINGS, found, str(expected)))
    return ratings


NUMBER, TEXT_OR_NONE = (int, float), (str, type(None))
# What the JSON of each part holds, where it holds it.
PARTS: Mapping[type, Mapping[str, type | tuple[type, ...]]] = {
    BankReference: {
        "base_fingerprint": str,
        "vectors": dict,
        **dict.fromkeys(("repo_id", "revision", "directions"), TEXT_OR_NONE),
    },
    Calibration: {"scores": list, "ratings": list},
    Figures: {
        "metric": str,
        **dict.fromkeys(("personal", "generic", "difference"), NUMBER),
        "interval": list,
        **dict.fromkeys(("num_photos", "num_pairs"), int),
    },
}


def _built(kind: type, values: Any, path: Path) -> Any:
    """A dataclass from its JSON; lists, which are of numbers, become tuples."""
    if values is None:
        return None
    try:
        built = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except (TypeError, AttributeError) as error:
        raise FormatError(f"{path}: not a {kind.__name__} ({error}).") from error
    for key, expected in PARTS[kind].items():
        if key not in values:
            continue
        value = config_value(values, key, expected, path)
        if isinstance(value, list):
            if not all(isinstance(x, NUMBER) for x in value):
                raise FormatError(f"{path}: {key} is {value!r}; expected a list of numbers.")
            built = replace(built, **{key: tuple(map(float, value))})
    if isinstance(built, Calibration) and not _is_map(built):
        raise FormatError(
            f"{path}: calibration is {values!r}; expected as many rising scores as rising ratings."
        )
    if isinstance(built, Figures) and len(built.interval) != 2:
        raise FormatError(f"{path}: interval is {built.interval!r}; expected two numbers.")
    return built


def _is_map(calibration: Calibration) -> bool:
    scores, ratings = calibration.scores, calibration.ratings
    rises = all((np.diff(values) >= 0).all() for values in (scores, ratings))
    return len(scores) == len(ratings) > 0 and rises


def load_scorer(
    name_or_folder: str | os.PathLike[str],
    *,
    bank: TaskVectorBank | str | os.PathLike[str] | None = None,
    dtype: torch.dtype | None = None,
    revision: str | None = None,
    access: Access | None = None,
) -> AestheticScorer:
    """The personal scorer of a personalization, merged and calibrated."""
    access = access or Access()
    hub: dict[str, Any] = vars(access)
    mine = Personalization.from_pretrained(name_or_folder, revision=revision, **hub)
    scorer: Any = mine.merge(bank, **hub)
    return scorer if dtype is None else scorer.to(dtype=dtype)
