"""A CLIP vision tower with a score head, as a transformers model.

Self-contained but for its neighbours in this folder, so that it also serves as remote code.
"""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    CLIPConfig,
    CLIPVisionModelWithProjection,
    PreTrainedModel,
)
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_aesthetic_scorer import AestheticScorerConfig
from .errors import PhotoError, ScorerError
from .images import Photo, image_processor, load_batches

# Folders that hold a scorer in pieces, by the file that marks them, and who puts it together.
# Named, not imported: the scorer depends on nobody.
ASSEMBLERS = {
    "personalization_config.json": "aesthetic_tv.personalization.personalization:load_scorer",
    "task_vector_config.json": "aesthetic_tv.task_vectors.bank:load_scorer",
}


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
        self.hidden = nn.Linear(config.tower.projection_dim, config.head_hidden_size)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(config.head_dropout)
        self.output = nn.Linear(config.head_hidden_size, len(config.bin_values))

    def forward(self, embeds: torch.Tensor) -> torch.Tensor:
        """(n, D) to (n, num_bins), float32, rows sum to 1."""
        bins = self.output(self.dropout(self.activation(self.hidden(embeds))))
        bins = torch.sigmoid(bins.float())  # (n, num_bins); a half-precision sum would cost digits
        return bins / bins.sum(dim=-1, keepdim=True)


class AestheticScorer(PreTrainedModel):
    """A CLIP vision tower with projection and a head that scores photos.

    Example:
        >>> scorer = AestheticScorer.from_pretrained("my-taste")
        >>> scorer.score(["c.jpg", "d.jpg"])
    """

    config: AestheticScorerConfig
    config_class = AestheticScorerConfig
    base_model_prefix = "vision"  # the names of a CLIP checkpoint, less this prefix
    main_input_name = "pixel_values"
    input_modalities = "image"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    # A full CLIP checkpoint also holds the text tower.
    _keys_to_ignore_on_load_unexpected = [  # noqa: RUF012
        r"^text_model\.",
        r"^text_projection\.",
        r"^logit_scale$",
        r"position_ids$",
    ]

    def __init__(self, config: AestheticScorerConfig):
        super().__init__(config)
        self.vision = CLIPVisionModelWithProjection._from_config(config.vision_config)
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
        embeds = self.vision(pixel_values.to(self.dtype)).image_embeds  # (n, D)
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
            photos: paths or PIL images.
            batch_size: photos per pass through the tower.
            calibrated: map onto the person's own scale where the scorer has one; `False` gives the
                raw scores, between the lowest and the highest bin.

        Returns:
            (n,) float64, one score per photo, in order.

        Raises:
            PhotoError: names every photo that cannot be read.
        """
        if isinstance(photos, str | os.PathLike | Image.Image):
            photos = [photos]
        self.eval()
        processor = image_processor(self.config.tower)
        scores, failures = np.full(len(photos), np.nan), list[PhotoError]()
        for batch in load_batches(photos, processor, batch_size=batch_size):
            failures += batch.failures.values()
            if batch.indices:
                raw = self(batch.pixel_values.to(self.device)).scores
                scores[batch.indices] = raw.double().cpu().numpy()
        if failures:
            raise PhotoError("\n".join(str(failure) for failure in failures))
        return self.calibrate(scores) if calibrated else scores

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
                the vision tower alone.
            seed: of the head; the same seed gives the same head everywhere.
            **kwargs: as for `from_pretrained` (`revision`, `dtype`, `token`, `cache_dir`, ...).

        Raises:
            ScorerError: the checkpoint lacks a tensor of the tower, or holds others.
        """
        hub = {k: v for k, v in kwargs.items() if k in ("revision", "token", "cache_dir")}
        hub["local_files_only"] = kwargs.get("local_files_only", False)
        clip = AutoConfig.from_pretrained(pretrained_model_name_or_path, **hub)
        tower: Any = clip
        if isinstance(clip, CLIPConfig):
            tower = clip.vision_config
            tower.projection_dim = clip.projection_dim
        if tower.model_type != "clip_vision_model":
            raise ScorerError(
                f"{pretrained_model_name_or_path} is a {clip.model_type!r} model; expected a CLIP "
                "model or a CLIP vision model."
            )
        config = cls.config_class(vision_config=tower.to_dict(), head_seed=seed)
        if not Path(pretrained_model_name_or_path).is_dir():
            config.tower_repo_id = str(pretrained_model_name_or_path)
            config.tower_revision = getattr(clip, "_commit_hash", None)
        kwargs = {"dtype": torch.float32} | kwargs | {"config": config}
        loaded: Any = super().from_pretrained(
            pretrained_model_name_or_path, output_loading_info=True, **kwargs
        )
        scorer, info = loaded
        missing = sorted(name for name in info["missing_keys"] if not name.startswith("head."))
        unexpected = sorted(info["unexpected_keys"])
        if missing or unexpected:
            raise ScorerError(
                f"{pretrained_model_name_or_path} is no CLIP vision tower with projection: "
                f"missing {missing[:3]}, unexpected {unexpected[:3]}."
            )
        scorer.reset_head(seed)
        return scorer.eval()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs) -> "AestheticScorer":
        """Load a scorer: a full or merged checkpoint, or a folder that holds a personalization or
        a task vector, which is then put together with its base and bank.

        For these two, `bank=` may name the bank (a `TaskVectorBank`, a folder or an id) where the
        folder does not say where it is to be found.
        """
        folder = Path(pretrained_model_name_or_path)
        for marker, assembler in ASSEMBLERS.items():
            if (folder / marker).is_file():
                module, function = assembler.split(":")
                return getattr(importlib.import_module(module), function)(folder, **kwargs)
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    def save_pretrained(self, save_directory, *args, **kwargs) -> None:
        """Save as transformers does, with the image processor beside the weights."""
        super().save_pretrained(save_directory, *args, **kwargs)
        image_processor(self.config.tower).save_pretrained(save_directory)


AutoConfig.register(AestheticScorerConfig.model_type, AestheticScorerConfig, exist_ok=True)
AutoModel.register(AestheticScorerConfig, AestheticScorer, exist_ok=True)
AutoModelForImageClassification.register(AestheticScorerConfig, AestheticScorer, exist_ok=True)
