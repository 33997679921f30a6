"""All that differs between vision towers: one entry for each family, and nothing elsewhere.

A tower is a vision model of transformers with one pooled embedding of a photo. `FAMILIES` says of
each kind what the library has to know; any other model of transformers with a `pooler_output` gets
a family made for it, which says what it does not know. To add one, write an entry here.

Part of the remote code of a scorer, so it imports its neighbours alone.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
import transformers
from torch import nn
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from .checkpoint import PROBLEMS
from .errors import ScorerError

CLIP = "clip_vision_model"
# The number of a block in a layer's name, as all families of transformers have it.
BLOCK = r"\.(?:layers?|blocks?|stages?|h)\.(\d+)\."
BEFORE_BLOCKS = r"embed|pre_layrnorm|stem"


@dataclass(frozen=True)
class TowerFamily:
    """What the library has to know of one kind of tower.

    Args:
        config, model: classes of the vision part alone, or their names in transformers.
        width: field of the configuration with the width D of the embedding; `None` where only a
            pass through the tower tells it, which the scorer's configuration then notes down.
        embedding: field of the tower's output that holds the embedding (n, D).
        any_size: takes photos of other sizes than the configuration's `image_size`.
        processor: image processor of checkpoints that name none, as transformers calls it.
        stand_ins: image processors that need torchvision, by name, and one that does the same on
            Pillow's 8 bits.
        left_out: of checkpoints, the tensors beside the tower, as a regular expression.
        unused: parameters of the tower that no score depends on; they are no layers of a scorer.
        block: where a layer's name has the number of its block, counted from 0.
        before_blocks: layers ahead of all blocks.
        channels_last: passes are faster with the channels of a pixel side by side.
        refusal: why a tower of this configuration cannot be used; `None` where it can.
        adapt: changes a tower that was just built, with random weights or (True) with those of a
            checkpoint; must leave the names of its layers.
        unknown: what is not known of the family, for a warning.
    """

    config: type[PreTrainedConfig] | str
    model: type[PreTrainedModel] | str
    width: str | None = "hidden_size"
    embedding: str = "pooler_output"
    any_size: bool = False
    processor: str = "CLIPImageProcessor"
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    left_out: str = r"^(text_model|text_projection|visual_projection|logit_scale|logit_bias)"
    unused: tuple[str, ...] = ()
    block: str = BLOCK
    before_blocks: str = BEFORE_BLOCKS
    channels_last: bool = False
    refusal: Callable[[Any], str | None] = lambda config: None
    adapt: Callable[[nn.Module, bool], None] = lambda tower, loaded: None
    unknown: str | None = None

    @property
    def config_class(self) -> type[PreTrainedConfig]:
        """The class of the vision part's configuration."""
        return getattr(transformers, self.config) if isinstance(self.config, str) else self.config

    @property
    def model_class(self) -> type[PreTrainedModel]:
        """The class of the tower."""
        return getattr(transformers, self.model) if isinstance(self.model, str) else self.model

    def block_of(self, layer: str) -> int | None:
        """The block of the tower that a layer of the scorer is in, counted from 0."""
        found = None if layer.startswith("head.") else re.search(self.block, layer)
        return None if found is None else int(found[1])

    def part_of(self, layer: str) -> str:
        """The part of the scorer that a layer is in: `input`, a block's number counted from 1,
        `output` or `head`.
        """
        if layer.startswith("head."):
            return "head"
        if (block := self.block_of(layer)) is not None:
            return str(block + 1)
        return "input" if re.search(self.before_blocks, layer) else "output"


def _without_head(field: str) -> Callable[[Any], str | None]:
    def refusal(config: Any) -> str | None:
        if getattr(config, field):
            return None
        return f"it has no pooling head ({field} is false), so it gives no embedding of a photo"

    return refusal


def _without_excitation(tower: Any, loaded: bool) -> None:
    """EfficientNet-Lite is EfficientNet without squeeze-and-excitation: a ratio of 0."""
    if tower.config.squeeze_expansion_ratio != 0:
        return
    for number, block in enumerate(tower.encoder.blocks):
        expand = block.squeeze_excite.expand
        if loaded and (expand.weight.any() or (expand.bias.sigmoid() < 1).any()):
            raise ScorerError(
                f"block {number} has an excitation that multiplies by another number than 1, and "
                "squeeze_expansion_ratio is 0, which says that there is none. Correct the config."
            )
        block.squeeze_excite = nn.Identity()


def _without_augmentation(tower: Any, loaded: bool) -> None:
    """DINOv3 stretches its positions at random in training, in each process otherwise."""
    for name in ("pos_embed_shift", "pos_embed_jitter", "pos_embed_rescale"):
        setattr(tower.config, name, None)


_CLIP_LEFT_OUT = r"^(text_model|text_projection|logit_scale)|position_ids$"
_MASK_TOKEN = ("embeddings.mask_token",)

# By the model type of the vision part's configuration.
FAMILIES: dict[str, TowerFamily] = {
    CLIP: TowerFamily(
        "CLIPVisionConfig",
        "CLIPVisionModelWithProjection",
        width="projection_dim",
        embedding="image_embeds",
        left_out=_CLIP_LEFT_OUT,
    ),
    "metaclip_2_vision_model": TowerFamily(
        "MetaClip2VisionConfig",
        "MetaClip2VisionModelWithProjection",
        width="projection_dim",
        embedding="image_embeds",
        left_out=_CLIP_LEFT_OUT,
    ),
    # SigLIP 2 checkpoints of a fixed size name themselves so too.
    "siglip_vision_model": TowerFamily(
        "SiglipVisionConfig",
        "SiglipVisionModel",
        processor="SiglipImageProcessor",
        refusal=_without_head("vision_use_head"),
    ),
    "dinov2": TowerFamily(
        "Dinov2Config",
        "Dinov2Model",
        any_size=True,
        processor="BitImageProcessor",
        unused=_MASK_TOKEN,
    ),
    "dinov2_with_registers": TowerFamily(
        "Dinov2WithRegistersConfig",
        "Dinov2WithRegistersModel",
        any_size=True,
        processor="BitImageProcessor",
        unused=_MASK_TOKEN,
    ),
    "dinov3_vit": TowerFamily(
        "DINOv3ViTConfig",
        "DINOv3ViTModel",
        any_size=True,
        processor="DINOv3ViTImageProcessor",
        # It resizes numbers that were not rounded to 8 bits: within one level of the same.
        stand_ins={"DINOv3ViTImageProcessor": "ViTImageProcessor"},
        unused=_MASK_TOKEN,
        adapt=_without_augmentation,
    ),
    "aimv2_vision_model": TowerFamily(
        "Aimv2VisionConfig",
        "Aimv2VisionModel",
        refusal=_without_head("use_head"),
    ),
    "efficientnet": TowerFamily(
        "EfficientNetConfig",
        "EfficientNetModel",
        width="hidden_dim",
        any_size=True,
        processor="EfficientNetImageProcessor",
        left_out=r"^classifier\.",
        channels_last=True,
        adapt=_without_excitation,
    ),
}

NAFLEX = (
    "it takes a varying number of patches (NaFlex), where a scorer's photos have one size; name a "
    "checkpoint of a fixed size, such as google/siglip2-base-patch16-224"
)
# Why a model type cannot be a tower.
REFUSED: dict[str, str] = {
    "aesthetic-scorer": "it is a scorer already; load it with AestheticScorer.from_pretrained",
    "siglip2": NAFLEX,
    "siglip2_vision_model": NAFLEX,
}


def family_of(config: PreTrainedConfig) -> TowerFamily:
    """The family of a vision part's configuration.

    Raises:
        ScorerError: it belongs to no model of transformers.
    """
    known = FAMILIES.get(config.model_type)
    if known is not None:
        return known
    model: Any
    try:
        model = MODEL_MAPPING[type(config)]
    except KeyError:
        raise ScorerError(
            f"transformers {transformers.__version__} has no model for {config.model_type!r}."
        ) from None
    if isinstance(model, tuple):
        model = model[0]
    return _generic(type(config), model)


def _generic(config: type[PreTrainedConfig], model: type[PreTrainedModel]) -> TowerFamily:
    """A family that nobody wrote an entry for."""
    if model.main_input_name != "pixel_values":
        raise ScorerError(
            f"{config.model_type!r} is no vision model: it takes {model.main_input_name}. Name the "
            "checkpoint of a vision model, or one that has a vision part."
        )
    return TowerFamily(
        config,
        model,
        width=None,
        any_size=True,
        left_out="^$",
        unknown="which of its parameters go unused, and whether it takes photos of other sizes",
    )


def part_of(layer: str) -> str:
    """`TowerFamily.part_of` where nothing but a layer's name is known: by the family whose pattern
    finds a block in it, if there is one.
    """
    families = list(FAMILIES.values())
    return next((f for f in families if f.block_of(layer) is not None), families[0]).part_of(layer)


def tower_config(values: Mapping[str, Any]) -> PreTrainedConfig:
    """The configuration of a tower as a scorer's configuration holds it; CLIP's where it has no
    model type.

    Raises:
        ScorerError: of a kind that is neither ours nor transformers', or refused.
    """
    kind = values.get("model_type", CLIP)
    _check_kind(kind, "the scorer's tower")
    if kind in FAMILIES:
        return FAMILIES[kind].config_class(**values)
    try:
        return AutoConfig.for_model(**values)
    except ValueError:
        raise ScorerError(
            f"the scorer's tower is a {kind!r}, which transformers {transformers.__version__} does "
            "not know. A newer one may; where the tower's repo brings code of its own, read that "
            "code, and if you trust it call aesthetic_tv.scorer.trust_tower with the repo's name "
            "first."
        ) from None


def vision_part(name: str, *, trust_remote_code: bool = False, **hub: Any) -> PreTrainedConfig:
    """The configuration of the tower in a checkpoint.

    Args:
        name: folder or Hub id, of a vision model or of one that has a vision part.
        trust_remote_code: let the repo's own code be run where transformers does not know it.
        **hub: `revision`, `token`, `cache_dir`, `local_files_only`, `subfolder`.

    Raises:
        ScorerError: no such model, or one that cannot be a tower, with the reason.
        OSError, ValueError: the configuration cannot be had or read.
    """
    values, _ = PreTrainedConfig.get_config_dict(name, **hub)
    kind = values.get("model_type")
    _check_kind(kind, name)
    if kind in FAMILIES:
        return _usable(name, FAMILIES[kind].config_class.from_dict(values))
    if "auto_map" in values and kind not in transformers.CONFIG_MAPPING:
        if not trust_remote_code:
            raise ScorerError(
                f"{name} is a {kind!r} model that transformers does not know; its repo brings code "
                "of its own, which is not run. Read that code, and if you trust it say "
                "trust_remote_code=True."
            )
        return _usable(name, trust_tower(name, **hub))
    config = AutoConfig.from_pretrained(name, **hub)
    part = getattr(config, "vision_config", None)
    if part is None:
        return _usable(name, config)
    _check_kind(part.model_type, name)
    if family_of(part).width == "projection_dim" and hasattr(config, "projection_dim"):
        # The tower's own copy is often left at its default where the model's is the right one.
        part.projection_dim = config.projection_dim
    return _usable(name, part)


def trust_tower(name: str, **hub: Any) -> PreTrainedConfig:
    """Let the code that a tower's repo brings along be run, and its towers be loaded by everything
    in this process: bases, and the banks and scorers on them. Read it first.

    Args:
        name: folder or Hub id.
        **hub: `revision` (name the commit that you read), `token`, `cache_dir`,
            `local_files_only`.

    Returns:
        The configuration of the repo's tower.

    Raises:
        ScorerError: the code is of no vision model.
        OSError, ValueError: the repo has none.
    """
    config = AutoConfig.from_pretrained(name, trust_remote_code=True, **hub)
    model: Any = get_class_from_dynamic_module(config.auto_map["AutoModel"], name, **hub)
    FAMILIES[config.model_type] = _generic(type(config), model)
    return config


def _check_kind(kind: str | None, name: str) -> None:
    if kind is not None and kind in REFUSED:
        raise ScorerError(f"{name} is a {kind!r} model and cannot be a tower: {REFUSED[kind]}.")


def _usable(name: str, config: PreTrainedConfig) -> PreTrainedConfig:
    if (reason := family_of(config).refusal(config)) is not None:
        raise ScorerError(f"{name} cannot be a tower: {reason}.")
    return config


def build_tower(config: PreTrainedConfig) -> PreTrainedModel:
    """A tower with random weights."""
    family = family_of(config)
    return _prepared(family.model_class._from_config(config), family, loaded=False)


def load_tower(name: str, config: PreTrainedConfig, **settings: Any) -> PreTrainedModel:
    """The tower of a checkpoint: all of it, and nothing else.

    Args:
        name: folder or Hub id.
        config: as `vision_part` gives it.
        **settings: as for `PreTrainedModel.from_pretrained`.

    Raises:
        ScorerError: the checkpoint lacks a tensor of the tower, or holds others.
        OSError, RuntimeError, ValueError: it cannot be had or read.
    """
    family = family_of(config)
    if family.unknown:
        warnings.warn(
            f"{name} is a {config.model_type!r} model, which is not known here: it is not known "
            f"{family.unknown}.",
            stacklevel=3,
        )
    # Mismatches are not ignored, but named below; so is what is left over, which transformers
    # would list at length.
    settings |= {"config": config, "ignore_mismatched_sizes": True, "output_loading_info": True}
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        loaded: Any = family.model_class.from_pretrained(name, **settings)
    finally:
        transformers.logging.set_verbosity(verbosity)
    tower, info = loaded
    _check_loaded(name, family, info)
    return _prepared(tower, family, loaded=True)


def _check_loaded(name: str, family: TowerFamily, info: Mapping[str, Any]) -> None:
    missing, unexpected, reshaped = (sorted(map(str, info[problem])) for problem in PROBLEMS)
    missing = [key for key in missing if key not in family.unused]
    unexpected = [key for key in unexpected if not re.search(family.left_out, key)]
    if "visual_projection.weight" in missing:
        raise ScorerError(
            f"{name} has no projection (visual_projection.weight): it is a vision model without "
            "one, or a model of another task. Scores are made from the projected embedding, and a "
            "projection drawn at random would spoil them; name the full CLIP checkpoint, or a "
            f"{family.model_class.__name__}."
        )
    if missing or unexpected or reshaped:
        raise ScorerError(
            f"{name} is no {family.model_class.__name__} of the sizes that its config tells: "
            f"missing {missing[:3]}, unexpected {unexpected[:3]}, of another shape {reshaped[:3]}."
        )


def _prepared(tower: PreTrainedModel, family: TowerFamily, *, loaded: bool) -> PreTrainedModel:
    family.adapt(tower, loaded)
    for name in family.unused:
        place, _, attribute = name.rpartition(".")
        module = tower.get_submodule(place)
        parameter = getattr(module, attribute, None)
        if isinstance(parameter, nn.Parameter):
            delattr(module, attribute)
            module.register_buffer(attribute, torch.zeros_like(parameter), persistent=False)
    return tower


def embedding_of(family: TowerFamily, output: Any) -> torch.Tensor:
    """The embedding (n, D) in a tower's output; maps of one pixel are flattened.

    Raises:
        ScorerError: the output has none.
    """
    embeds = getattr(output, family.embedding, None)
    if embeds is None:
        raise ScorerError(
            f"the tower's output has no {family.embedding}: it gives no one embedding of a photo. "
            "Name a model that pools."
        )
    return embeds.flatten(1)


def measured_width(tower: PreTrainedModel, side: int) -> int:
    """The width D of the embedding, told by a blank photo (1, 3, side, side)."""
    blank = torch.zeros(1, 3, side, side, dtype=tower.dtype, device=tower.device)
    with torch.inference_mode():
        return embedding_of(family_of(tower.config), tower(blank)).shape[1]


def freeze_statistics(tower: nn.Module) -> None:
    """Let batch norms use their stored statistics, in training too: they belong to the base, and a
    sum of task vectors has none of its own.
    """
    for module in tower.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def few_numbers(layer: str, shape: tuple[int, ...]) -> bool:
    """Whether a layer has few numbers, each of which touches every photo: norms, biases, tokens,
    position tables, filters of single channels. They stay exact when a vector is compressed.
    """
    single_channels = len(shape) == 4 and shape[1] == 1
    return prod(shape[:-1]) == 1 or "position_embedding" in layer or single_channels


def adapted_modules(scorer: nn.Module) -> list[str]:
    """The modules that low-rank adapters take: linear layers and convolutions of single pixels."""
    return [
        name
        for name, module in scorer.named_modules()
        # A subclass may be used by its weight alone, where an adapter would not be asked.
        if type(module) is nn.Linear
        or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1)
    ]
