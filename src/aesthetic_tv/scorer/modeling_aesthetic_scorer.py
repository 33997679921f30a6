"""A vision tower with a score head, as a transformers model.

Self-contained but for its neighbours in this folder, so that it also serves as remote code.
"""

import importlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn
from torch.func import functional_call
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    PreTrainedModel,
)
from transformers import initialization as init
from transformers.initialization import no_init_weights
from transformers.utils import ModelOutput

from .checkpoint import assembler_of, check_files, check_kind, check_loaded, complete
from .configuration_aesthetic_scorer import AestheticScorerConfig
from .decoding import Photo, as_photos
from .errors import PhotoError, ScorerError, SettingError
from .images import all_or_none, measured, normalize
from .passes import in_passes
from .processors import checkpoint_processor, image_processor, input_side
from .tensor_pixels import Images, tensor_pixels
from .towers import (
    CLIP,
    TowerFamily,
    build_tower,
    embedding_of,
    family_of,
    freeze_statistics,
    load_tower,
    measured_width,
    vision_part,
)

HUB_OPTIONS = ("revision", "token", "cache_dir", "local_files_only")
# Named, not imported: the scorer depends on nobody, and as remote code it is alone.
REPOS, PUSHING = "aesthetic_tv.hub.repos", "aesthetic_tv.hub.pushing"
RENDERING = "aesthetic_tv.hub.rendering"
# What transformers' auto classes and `pipeline` hand over beside what was asked for.
OF_AUTO_CLASSES = ("config", "_from_auto", "adapter_kwargs", "trust_remote_code", "tokenizer")
AS_LIBRARY = __name__.startswith("aesthetic_tv.")

# What transformers makes of a folder that is not as it should be.
UNLOADABLE = (
    *(ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(SafetensorError, StrictDataclassError),
)


@dataclass
class AestheticScorerOutput(ModelOutput):
    """What the scorer says of a batch of n photos.

    Args:
        loss: the mean squared error to `labels`, when they were given.
        scores: (n,) expected bin value, between the lowest and the highest bin.
        distribution: (n, num_bins) probability of each bin, rows sum to 1.
        logits: (n, num_bins) logarithm of the distribution, for transformers' own pipelines.
        image_embeds: (n, D) the tower's embedding.
    """

    loss: torch.Tensor | None = None
    scores: torch.Tensor | None = None
    distribution: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    image_embeds: torch.Tensor | None = None


class AestheticHead(nn.Module):
    """Embedding (n, D) to a distribution over bins (n, num_bins); the authors' `3fc` head.

    Linear, GELU, dropout, Linear, then sigmoids divided by their sum.
    """

    def __init__(self, config: AestheticScorerConfig):
        super().__init__()
        self.hidden = nn.Linear(config.width, config.head_hidden_size)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(config.head_dropout)
        self.output = nn.Linear(config.head_hidden_size, len(config.bin_values))

    def forward(self, embeds: torch.Tensor) -> torch.Tensor:
        """(n, D) to (n, num_bins), float32, rows sum to 1."""
        bins = self.output(self.dropout(self.activation(self.hidden(embeds))))
        # The same by logarithms, where far-off weights would make every sigmoid 0 and the sum with
        # them; in float32 at least, since a half-precision sum would cost digits.
        bins = bins.to(torch.promote_types(bins.dtype, torch.float32))
        return nn.functional.logsigmoid(bins).softmax(dim=-1)  # (n, num_bins)


class AestheticScorer(PreTrainedModel):
    """A vision tower and a head that scores photos.

    Example:
        >>> scorer = AestheticScorer.from_pretrained("my-taste")
        >>> scorer.score(["c.jpg", "d.jpg"])
    """

    config: AestheticScorerConfig
    config_class = AestheticScorerConfig
    base_model_prefix = "vision"  # before the names of the tower's own checkpoint
    main_input_name = "pixel_values"
    input_modalities = "image"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    # Repo and 40-hex commit that this very scorer was loaded from or pushed to.
    origin: tuple[str, str | None] | None = None
    # For the card of a merged scorer: `repo_id` and `revision` of the bank, `figures`; not saved.
    merged_from: dict[str, Any] | None = None
    # Of CLIP towers that transformers 4 saved.
    _keys_to_ignore_on_load_unexpected = [r"position_ids$"]  # noqa: RUF012

    def __init__(self, config: AestheticScorerConfig, tower: PreTrainedModel | None = None):
        """A scorer with random weights, or of a tower that is there."""
        super().__init__(config)
        self.vision: Any = build_tower(config.tower) if tower is None else tower
        self.head = AestheticHead(config)
        self.register_buffer("bin_values", torch.tensor(config.bin_values), persistent=False)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, AestheticScorer):
            assert isinstance(module.bin_values, torch.Tensor)
            init.copy_(module.bin_values, torch.tensor(module.config.bin_values))
        elif isinstance(module, AestheticHead):
            for linear in (module.hidden, module.output):
                nn.Linear.reset_parameters(linear)

    def reset_head(self, seed: int) -> None:
        """Draw head theta_0 anew: uniform in +-1/sqrt(fan_in), PyTorch's default for `Linear`.

        Drawn by numpy's frozen `RandomState`, so that one seed is one head on every machine and
        with every version of torch.
        """
        source = np.random.RandomState(seed)
        with torch.no_grad():
            for linear in (self.head.hidden, self.head.output):
                bound = linear.in_features**-0.5
                for tensor in (linear.weight, linear.bias):
                    draw = source.uniform(-bound, bound, size=tuple(tensor.shape))
                    tensor.copy_(torch.from_numpy(draw))
        self.config.head_seed = seed

    @property
    def family(self) -> TowerFamily:
        """What is known of towers of this kind."""
        return family_of(self.config.tower)

    def train(self, mode: bool = True) -> "AestheticScorer":
        """As of every module, but that batch norms keep their stored statistics."""
        super().train(mode)
        freeze_statistics(self.vision)
        return self

    def depths(self) -> dict[str, int]:
        """How far up each layer stands: 0 for those ahead of the tower's blocks, 1 and more for the
        blocks, and one more than the last of them for the tower's output and the head.
        """
        family = self.family
        parts = {name: family.part_of(name) for name, _ in self.named_parameters()}
        top = 1 + max((int(part) for part in parts.values() if part.isdigit()), default=0)
        return {
            name: int(part) if part.isdigit() else 0 if part == "input" else top
            for name, part in parts.items()
        }

    def embed(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """The tower's embeddings (n, D) of pixel values (n, 3, H, W); without gradients, in as many
        passes as are fastest here.
        """
        return in_passes(self, self._embed_at_once, pixel_values)

    def _embed_at_once(self, pixel_values: torch.Tensor) -> torch.Tensor:
        pixel_values = pixel_values.to(self.dtype)
        if self.family.channels_last:
            pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
        return embedding_of(self.family, self.vision(pixel_values))

    def normalize(self, crops: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Crops as the tower sees them, uint8 (n, 3, H, W), to pixel values: float32 of the same
        shape, on the same device.
        """
        return normalize(crops, image_processor(self.config))

    def forward(
        self,
        pixel_values: torch.Tensor,
        labels: torch.Tensor | None = None,
        return_dict: bool | None = None,
    ) -> AestheticScorerOutput | tuple[torch.Tensor, ...]:
        """Score a batch.

        Args:
            pixel_values: (n, 3, H, W), preprocessed as by `image_processor`.
            labels: (n,) scores on the scale of the bins; gives `loss`, the mean squared error.
        """
        embeds = self.embed(pixel_values)  # (n, D)
        distribution = self.head(embeds)  # (n, num_bins)
        scores = distribution @ self.bin_values.to(distribution.dtype)  # (n,)
        output = AestheticScorerOutput(
            loss=None if labels is None else nn.functional.mse_loss(scores, labels.to(scores)),
            scores=scores,
            distribution=distribution,
            logits=distribution.log(),
            image_embeds=embeds,
        )
        return output.to_tuple() if return_dict is False else output

    @torch.inference_mode()
    def score(
        self, photos: Photo | Sequence[Photo], *, batch_size: int = 32, calibrated: bool = True
    ) -> np.ndarray:
        """Score photos, higher is better.

        Args:
            photos: paths, PIL images, the bytes of files, or arrays uint8 (H, W, 3); one of them
                or several.
            batch_size: photos per pass through the tower.
            calibrated: map onto the person's own scale where the scorer has one; `False` gives the
                raw scores, between the lowest and the highest bin.

        Returns:
            (n,) float64, one score per photo, in order.

        Raises:
            PhotoError: names every photo that cannot be read.
        """
        scores, failures = self.score_readable(photos, batch_size=batch_size, calibrated=calibrated)
        all_or_none(failures)
        return scores

    @torch.inference_mode()
    def score_readable(
        self,
        photos: Photo | Sequence[Photo],
        *,
        batch_size: int = 32,
        calibrated: bool = True,
        progress: Callable[[int, int], None] | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[np.ndarray, dict[int, PhotoError]]:
        """As `score`, where a photo that cannot be read does not stop the others.

        Args:
            photos, batch_size, calibrated: as for `score`.
            progress: called with (photos done, photos in all).
            device: the scorer is moved there first; it stays where it is when not given.

        Returns:
            (n,) float64 with NaN for each photo that cannot be read, and why, by position.
        """
        photos = as_photos(photos)
        self.eval()
        if device is not None:
            self.to(torch.device(device))  # type: ignore[arg-type]
        rows, failures = measured(
            photos,
            image_processor(self.config),
            lambda pixels: self.score_pixels(pixels, batch_size=batch_size),
            batch_size=batch_size,
            progress=progress,
        )
        scores = np.array([rows.get(place, np.nan) for place in range(len(photos))], dtype=float)
        return self.calibrate(scores) if calibrated else scores, failures

    @torch.inference_mode()
    def score_pixels(self, pixel_values: torch.Tensor, *, batch_size: int = 32) -> np.ndarray:
        """Raw scores of photos that are loaded: (n, 3, H, W) to float64 (n,).

        Args:
            pixel_values: or crops, uint8, which are normalized where they are scored.
            batch_size: photos that are moved to its device at once.
        """
        parts = pixel_values.split(batch_size)
        return torch.cat(
            [self(self.pixels_here(part)).scores.cpu().double() for part in parts]
        ).numpy()

    def pixels_here(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Pixel values on the scorer's device; crops, uint8, are normalized there."""
        moved = pixel_values.to(self.device)
        return self.normalize(moved) if moved.dtype == torch.uint8 else moved

    def reward(
        self,
        images: Images,
        *,
        calibrated: bool = False,
        rounded: bool = False,
        check: bool = True,
    ) -> torch.Tensor:
        """Scores of images that are tensors, differentiable in the images: a reward or a loss.

        Photos are resized, cropped and normalized in torch, as the image processor does it but for
        its rounding to 8 bits. Gradients reach the images alone, and no weight of the scorer;
        images that need none cost no memory for them. The scorer stays on its device; the images
        may be on another. Half precision comes from images, scorer or `torch.autocast`; rewards are
        float32 all the same.

        Args:
            images: (n, 3, H, W), RGB in [0, 1], any size; or (3, H, W); or a list of (3, H, W) of
                several sizes.
            calibrated: on the person's own scale where the scorer has one; it is flat beyond the
                outer knots, where it gives a generator no direction. Otherwise the raw score, which
                is not flat anywhere.
            rounded: to 8 bits wherever the processor would, as if images were saved and read; the
                gradient is that of what is not rounded.
            check: refuse values outside [0, 1]; it reads all pixels, and waits for a GPU.

        Returns:
            (n,), higher is better, on the device of the images.

        Raises:
            SettingError: images of another shape, type or range.
            ScorerError: an image processor that cannot be run in torch.

        Example:
            >>> loss = -scorer.reward(generator(noise)).mean()
            >>> loss.backward()
        """
        self.eval()
        processor = image_processor(self.config)
        pixels = tensor_pixels(images, processor, rounded=rounded, check=check)
        back = pixels.device
        if not len(pixels):
            return pixels.new_empty(0)
        frozen = {name: parameter.detach() for name, parameter in self.named_parameters()}
        with torch.set_grad_enabled(torch.is_grad_enabled() and pixels.requires_grad):
            bins = functional_call(self, frozen, (pixels.to(self.device),)).distribution
            # Not by a matrix product, which autocast would take to half precision.
            scores = (bins * self.bin_values.to(bins)).sum(-1)
            if calibrated:
                scores = self._on_scale(scores)
        return scores.to(back)

    def _on_scale(self, scores: torch.Tensor) -> torch.Tensor:
        """`calibrate`, differentiable."""
        knots, ratings = self.config.calibration_scores, self.config.calibration_ratings
        if knots is None or ratings is None:
            return scores
        x, y = scores.new_tensor(knots), scores.new_tensor(ratings)
        piece = torch.bucketize(scores.detach(), x[1:-1], right=True)
        share = (scores - x[piece]) / (x[piece + 1] - x[piece])
        return y[piece] + share.clamp(0, 1) * (y[piece + 1] - y[piece])

    def calibrate(self, scores: np.ndarray) -> np.ndarray:
        """Raw scores on the person's own scale: linear between the knots of the config, constant
        beyond them; the scores themselves where there is no calibration.
        """
        knots, ratings = self.config.calibration_scores, self.config.calibration_ratings
        if knots is None or ratings is None:
            return scores
        return np.interp(scores, knots, ratings)

    @classmethod
    def from_clip(
        cls, pretrained_model_name_or_path: str, *, seed: int = 0, **kwargs
    ) -> "AestheticScorer":
        """A base: the vision tower of any CLIP checkpoint with a published random head theta_0.

        Args:
            pretrained_model_name_or_path: folder or Hub id, in transformers layout; full CLIP or
                the vision tower with projection alone, in one file or in shards.
            seed: of the head; the same seed gives the same head everywhere.
            **kwargs: as for `from_pretrained` (`revision`, `dtype`, `variant`, `subfolder`,
                `token`, `cache_dir`, ...); `dtype` is float32 when not given.

        Raises:
            ScorerError: the checkpoint is damaged, lacks a tensor of the tower (as a tower without
                projection does), or holds others.
            HubError: the Hub refused or failed; see its subclasses.
        """
        return cls._base(str(pretrained_model_name_or_path), seed, kwargs, clip=True)

    @classmethod
    def from_tower(
        cls,
        pretrained_model_name_or_path: str,
        *,
        seed: int = 0,
        trust_remote_code: bool = False,
        **kwargs,
    ) -> "AestheticScorer":
        """A base: any vision tower that transformers has, with a published random head theta_0.

        Photos reach it through the image processor that the checkpoint names, from then on.

        Args:
            pretrained_model_name_or_path: folder or Hub id, in transformers layout, of a vision
                model or of one with a vision part, such as `google/siglip2-base-patch16-224`.
            seed: of the head; the same seed gives the same head everywhere.
            trust_remote_code: run the code that the repo brings along, where transformers does not
                know the model; read it first.
            **kwargs: as for `from_clip`.

        Raises:
            ScorerError: no vision model, one that does not pool, or of a varying input size; an
                image processor of another size than the tower; or a checkpoint that is damaged,
                lacks a tensor of the tower, or holds others.
            HubError: the Hub refused or failed; see its subclasses.
        """
        name = str(pretrained_model_name_or_path)
        return cls._base(name, seed, kwargs, clip=False, trust=trust_remote_code)

    @classmethod
    def _base(
        cls, name: str, seed: int, settings: dict[str, Any], *, clip: bool, trust: bool = False
    ) -> "AestheticScorer":
        """A tower with a random head; of CLIP with the paper's preprocessing."""
        hub = {key: settings[key] for key in HUB_OPTIONS if key in settings}
        on_hub, subfolder = not Path(name).is_dir(), settings.get("subfolder", "")
        if AS_LIBRARY and on_hub:
            hub["revision"] = settings["revision"] = _commit(name, **hub)
        what = "CLIP model" if clip else "vision model"
        try:
            place = {**hub, "subfolder": subfolder}
            part = vision_part(name, trust_remote_code=trust, **place)
            if clip and part.model_type != CLIP:
                raise ScorerError(
                    f"{name} is a {part.model_type!r} model; expected a CLIP model or a CLIP "
                    "vision model. AestheticScorer.from_tower takes others."
                )
            config = cls.config_class(vision_config=part, head_seed=seed)
            if not clip:
                config.processor, own = checkpoint_processor(name, part, **place)
                if not own:
                    _warn_of_default_processor(name, config.processor)
            tower = load_tower(name, part, **{"dtype": torch.float32} | settings)
        except (OSError, RuntimeError, ValueError, SafetensorError) as error:
            if isinstance(error, ScorerError):
                raise
            raise ScorerError(
                f"{name} holds no {what} in transformers' layout that can be loaded "
                f"({str(error).strip().splitlines()[0]}). Of one in open_clip's layout, "
                "`aesthetic-tv import-open-clip` makes a base."
            ) from error
        if on_hub and not subfolder:  # which a reference to a base has no word for
            config.tower_repo_id, config.tower_revision = name, hub.get("revision")
        return cls._with_head(config, tower, seed)

    @classmethod
    def _with_head(
        cls, config: AestheticScorerConfig, tower: PreTrainedModel, seed: int
    ) -> "AestheticScorer":
        if family_of(config.tower).width is None:
            config.embedding_size = measured_width(tower, input_side(config.tower))
        with no_init_weights():
            scorer = cls(config, tower)
        scorer.head.to(tower.dtype)
        scorer.reset_head(seed)
        return scorer.eval()

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path, *args, bank: Any = None, **kwargs
    ) -> "AestheticScorer":
        """Load a scorer: a full or merged checkpoint, or a personalization or a task vector, which
        is then put together with its base and bank. Each from a folder or from the Hub.

        Args:
            pretrained_model_name_or_path: folder or Hub id.
            *args: as for `PreTrainedModel.from_pretrained`.
            bank: of a personalization or task vector that does not say where it is to be found, or
                in place of that one: a `TaskVectorBank`, a folder or a Hub id.
            **kwargs: `revision`, `token`, `cache_dir`, `local_files_only`, `dtype`; for a full
                checkpoint all that `PreTrainedModel.from_pretrained` takes.

        Raises:
            ScorerError: the folder or repo holds no scorer, or a damaged one.
            SettingError: a bank for a full checkpoint, which has no need of one.
            HubError: the Hub refused or failed; see its subclasses.
        """
        name = pretrained_model_name_or_path
        options = {key: kwargs.pop(key) for key in HUB_OPTIONS if key in kwargs}
        revision = options.pop("revision", None)
        if not AS_LIBRARY:
            _refuse_bank(name, bank)
            return super().from_pretrained(name, *args, revision=revision, **options, **kwargs)
        repos = importlib.import_module(REPOS)
        # The commit that an auto class read the config from is the one to take the weights from.
        revision = kwargs.pop("_commit_hash", None) or revision
        access = repos.Access(**options)
        configs = repos.resolve(name, revision=revision, access=access, patterns=repos.CONFIGS)
        assembler = assembler_of(configs.folder)
        if assembler is not None:
            for key in OF_AUTO_CLASSES:  # what is put together has its own
                kwargs.pop(key, None)
            if isinstance(dtype := kwargs.get("dtype"), str):
                kwargs["dtype"] = None if dtype == "auto" else getattr(torch, dtype)
            return assembler(name, bank=bank, revision=configs.revision, access=access, **kwargs)
        _refuse_bank(name, bank)
        with configs.named():
            check_kind(configs.folder, AestheticScorerConfig.model_type)
        whole = repos.resolve(name, revision=configs.revision, access=access)
        with whole.named():
            scorer = cls._load_folder(whole.folder, *args, **kwargs)
        if whole.repo_id is not None and isinstance(scorer, cls):
            scorer.origin = (whole.repo_id, whole.revision)
        return scorer

    @classmethod
    def _load_folder(cls, folder: Path, *args, **kwargs) -> Any:
        """A full checkpoint, refused when any part of it is missing, damaged or left over."""
        check_files(folder)
        wants_info = kwargs.pop("output_loading_info", False)
        try:
            loaded: Any = super().from_pretrained(folder, *args, output_loading_info=True, **kwargs)
        except UNLOADABLE as error:
            raise ScorerError(
                f"{folder} holds no aesthetic scorer that can be loaded "
                f"({(str(error).strip() or type(error).__name__).splitlines()[0]}). Fetch or save "
                "it again."
            ) from error
        scorer, info = loaded
        check_loaded(folder, info)
        return (scorer, info) if wants_info else scorer

    def save_pretrained(self, save_directory, *args, remote_code: bool = False, **kwargs) -> None:
        """Save as transformers does, with the image processor beside the weights, and the hashes
        of each weights file and of the config itself in the config.

        Args:
            save_directory: folder; made where it does not exist.
            *args: as for `PreTrainedModel.save_pretrained`.
            remote_code: also save the code, so that `AutoModel` and `pipeline` can load the folder
                with `trust_remote_code=True` where aesthetic_tv is not installed.
            **kwargs: as for `PreTrainedModel.save_pretrained`.
        """
        super().save_pretrained(save_directory, *args, **kwargs)
        image_processor(self.config).save_pretrained(save_directory)
        complete(Path(save_directory), remote_code=remote_code)

    def push_to_hub(  # type: ignore[override]
        self, repo_id: str, **settings: Any
    ) -> Any:
        """Push weights, card and the code for `trust_remote_code=True` in one commit.

        Args:
            repo_id: `owner/name`.
            **settings: `private`, `branch`, `tag`, `create_pr`, `token`, `keep_readme`,
                `parent_commit`, `commit_message`: as for `aesthetic_tv.hub.repos.push`.

        Returns:
            The client's `CommitInfo`: `commit_url`, `oid`, and `pr_url` of a pull request.

        Raises:
            HubError: the Hub refused or failed; the repo is as it was.
        """
        if not AS_LIBRARY:
            plain: Any = super()
            return plain.push_to_hub(repo_id, **settings)
        pushing = importlib.import_module(PUSHING)
        commit = pushing.pushed(self, repo_id, {"remote_code": True}, settings)
        if not settings.get("create_pr"):
            self.origin = (commit.repo_url.repo_id, commit.oid)
        return commit

    def card(self, folder: Path, repo_id: str) -> str:
        """The text of README.md.

        Args:
            folder: that it will stand in.
            repo_id: `owner/name`.
        """
        hub = importlib.import_module(RENDERING)
        merged, base, relation = self.merged_from, self.config.tower_repo_id, "finetune"
        if merged is not None:
            base, relation = hub.on_hub(merged["repo_id"]), "merge"
        figures = None if merged is None else merged["figures"]
        data = hub.model_data(repo_id, base, relation, None, hub.honest_results(figures), [])
        told = {"merged": merged, "figures": figures, "config": self.config}
        return hub.render_card("scorer.md", data, repo_id, None, **told)


def _refuse_bank(name: Any, bank: Any) -> None:
    if bank is not None:
        raise SettingError(
            f"{name} is a full scorer, with nothing of a bank left to add; leave bank= out. A bank "
            "belongs to a personalization or a task vector."
        )


def _warn_of_default_processor(name: str, settings: dict[str, Any]) -> None:
    warnings.warn(
        f"{name} names no image processor; photos are taken as {settings['image_processor_type']} "
        f"does by default, at {settings['size']}. Scores suffer where the tower was trained on "
        "others.",
        stacklevel=4,
    )


def _commit(repo_id: str, *, revision: str | None = None, **options: Any) -> str:
    """The 40-hex commit that a revision of a repo stands for now."""
    repos = importlib.import_module(REPOS)
    access = repos.Access(**options)
    wanted = ("config.json",)
    return repos.resolve(repo_id, revision=revision, access=access, patterns=wanted).revision


AutoConfig.register(AestheticScorerConfig.model_type, AestheticScorerConfig, exist_ok=True)
AutoModel.register(AestheticScorerConfig, AestheticScorer, exist_ok=True)
AutoModelForImageClassification.register(AestheticScorerConfig, AestheticScorer, exist_ok=True)
