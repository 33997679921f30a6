"""open_clip's names, shapes and settings of a CLIP vision tower, in transformers' terms; no files.

open_clip holds query, key and value of a layer in one tensor and the projection transposed, and
writes the sizes of the tower in other words. Towers of any other make (ResNet, timm, attention
pooling) are refused by the name of the tensor or setting that differs.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from transformers import CLIPVisionConfig

from .errors import ScorerError

GELU, QUICK_GELU = "gelu", "quick_gelu"
ACTIVATIONS = (GELU, QUICK_GELU)
ANCHOR = "visual.conv1.weight"  # every tower has it, so what stands before it is the prefix
BLOCK = re.compile(r"visual\.transformer\.resblocks\.(\d+)\.")
TEXT = re.compile(
    r"(text\.|transformer\.|token_embedding\.|ln_final\.|positional_embedding$|text_projection"
    r"|attn_mask$|logit_scale$|logit_bias$)"
)
QUICK_NAME = re.compile(r"quick_?gelu|openai|metaclip", re.IGNORECASE)
# Width of an attention head; all other widths of open_clip's towers have 64.
HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104}
# Settings that change nothing here: sizes that are read, and what matters in training only.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "pool_type": ("tok",),
    "pos_embed_type": ("learnable",),
    "final_ln_after_pool": (True,),  # of one token, the order makes no difference
}
READ = {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size"}
TRAINING_ONLY = {"patch_dropout", "output_tokens"}

VISION = "vision.vision_model"
WHOLE = {
    "visual.class_embedding": f"{VISION}.embeddings.class_embedding",
    "visual.conv1.weight": f"{VISION}.embeddings.patch_embedding.weight",
    "visual.positional_embedding": f"{VISION}.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": f"{VISION}.pre_layrnorm.weight",
    "visual.ln_pre.bias": f"{VISION}.pre_layrnorm.bias",
    "visual.ln_post.weight": f"{VISION}.post_layernorm.weight",
    "visual.ln_post.bias": f"{VISION}.post_layernorm.bias",
}
IN_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


@dataclass(frozen=True)
class Names:
    """The tensors of a checkpoint, sorted by what they belong to.

    Args:
        tower: name in the checkpoint by open_clip's own name (`visual.proj`).
        text: those of the text tower, which a scorer has no use for.
        rest: all others.
    """

    tower: Mapping[str, str]
    text: tuple[str, ...]
    rest: tuple[str, ...]


def sort_names(names: Iterable[str], what: str) -> Names:
    """Find the vision tower, under whatever prefix (`module.`, `backbone.`) it was saved.

    Raises:
        ScorerError: there is none, or more than one; `what` is named.
    """
    names = tuple(names)
    prefix = prefix_of(names, ANCHOR, what)
    tower, text, rest = dict[str, str](), list[str](), list[str]()
    for name in names:
        own = name.removeprefix(prefix)
        if not name.startswith(prefix) or not (own.startswith("visual.") or TEXT.match(own)):
            rest.append(name)
        elif own.startswith("visual."):
            tower[own] = name
        else:
            text.append(name)
    return Names(tower, tuple(text), tuple(rest))


def prefix_of(names: Iterable[str], anchor: str, what: str) -> str:
    """What stands before `anchor` in the one name that ends with it.

    Raises:
        ScorerError: no such name, or several.
    """
    names = list(names)
    found = [name for name in names if name == anchor or name.endswith(f".{anchor}")]
    if len(found) == 1:
        return found[0].removesuffix(anchor)
    if not found:
        told = f"holds no {anchor}; its tensors begin with {first(sorted(names)) or 'nothing'}"
    else:
        told = f"holds {anchor} {len(found)} times: {first(found)}"
    raise ScorerError(f"{what} {told}. Expected one CLIP ViT in open_clip's layout.")


def tower_config(
    shapes: Mapping[str, tuple[int, ...]],
    model: Mapping[str, Any] | None,
    hidden_act: str,
    what: str,
) -> CLIPVisionConfig:
    """Sizes of the tower, from its tensors, and from open_clip's config what they do not tell.

    Args:
        shapes: by open_clip's own names.
        model: `model_cfg` of `open_clip_config.json`; without it the attention heads have the width
            that open_clip gives to all towers of this width.
        hidden_act: one of `ACTIVATIONS`.
        what: it is of, in errors.

    Raises:
        ScorerError: no ViT of CLIP's make, or another one than the config tells of.
    """
    vision = dict(model.get("vision_cfg", {})) if model is not None else {}
    _check_settings(vision, what)
    width, channels, patch, _ = _shape(shapes, "visual.conv1.weight", 4, what)
    positions, _ = _shape(shapes, "visual.positional_embedding", 2, what)
    _, embed_dim = _shape(shapes, "visual.proj", 2, what)
    inner, _ = _shape(shapes, "visual.transformer.resblocks.0.mlp.c_fc.weight", 2, what)
    layers = 1 + max(int(m[1]) for m in map(BLOCK.match, shapes) if m)
    grid = isqrt(positions - 1)
    image_size = vision.get("image_size", grid * patch)
    head_width = vision.get("head_width", HEAD_WIDTHS.get(width, 64))
    told = {"width": width, "layers": layers, "patch_size": patch}
    wrong = [f"{key} {vision[key]}" for key in told if vision.get(key, told[key]) != told[key]]
    if not isinstance(image_size, int) or (image_size // patch) ** 2 + 1 != positions:
        wrong.append(f"image_size {image_size}")
    if wrong:
        raise ScorerError(
            f"{what}: its config tells of {', '.join(wrong)}, but the tensors are of width "
            f"{width}, {layers} layers, patches of {patch} and {positions} positions. The two "
            "belong to different models."
        )
    if not isinstance(head_width, int) or head_width < 1 or width % head_width:
        raise ScorerError(
            f"{what}: a tower of width {width} cannot have attention heads of width {head_width}. "
            "Put the open_clip_config.json of the model, with its head_width, beside the file."
        )
    return CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=inner,
        projection_dim=embed_dim,
        num_hidden_layers=layers,
        num_attention_heads=width // head_width,
        num_channels=channels,
        image_size=image_size,
        patch_size=patch,
        hidden_act=hidden_act,
    )


def _check_settings(vision: Mapping[str, Any], what: str) -> None:
    """Refuse what would make another calculation of the same tensors."""
    for key, value in vision.items():
        if key in READ | TRAINING_ONLY or not value or value in NEUTRAL.get(key, ()):
            continue
        raise ScorerError(
            f"{what} is a tower with {key}={value!r}; expected a plain CLIP ViT, which is all that "
            "a scorer can hold. Name another checkpoint."
        )


def _shape(
    shapes: Mapping[str, tuple[int, ...]], name: str, dimensions: int, what: str
) -> tuple[int, ...]:
    found = shapes.get(name)
    if found is None or len(found) != dimensions:
        told = "lacks" if found is None else f"has, of shape {found},"
        raise ScorerError(
            f"{what} {told} {name}, by which the tower is told. Expected one CLIP ViT in "
            "open_clip's layout."
        )
    return found


def activation_of(model: Mapping[str, Any] | None, name: str) -> tuple[str, str]:
    """`hidden_act`, and what it was told by.

    The tensors do not tell. open_clip uses GELU, and QuickGELU for OpenAI's weights and for the
    models whose config or name says so.

    Args:
        model: `model_cfg` of `open_clip_config.json`, which decides.
        name: of the model or its file, which decides otherwise.
    """
    if model is not None:
        return (QUICK_GELU if model.get("quick_gelu") else GELU), "its open_clip_config.json"
    if QUICK_NAME.search(name):
        return QUICK_GELU, f"the name {name}"
    return GELU, f"the name {name}, which tells of no QuickGELU"


def tower_shapes(config: CLIPVisionConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of the tower, by open_clip's own names."""
    width, inner = config.hidden_size, config.intermediate_size
    # transformers' type allows for oblong pictures and patches, which its CLIP does not.
    image_size: Any = config.image_size
    patch: Any = config.patch_size
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(WHOLE, (width,))
    shapes["visual.conv1.weight"] = (width, config.num_channels, patch, patch)
    shapes["visual.positional_embedding"] = ((image_size // patch) ** 2 + 1, width)
    shapes["visual.proj"] = (width, config.projection_dim)
    block: dict[str, tuple[int, ...]] = {
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "mlp.c_fc.weight": (inner, width),
        "mlp.c_fc.bias": (inner,),
        "mlp.c_proj.weight": (width, inner),
    }
    vectors = ("ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias")
    block |= dict.fromkeys((*vectors, "attn.out_proj.bias", "mlp.c_proj.bias"), (width,))
    for n in range(config.num_hidden_layers):
        shapes |= {f"visual.transformer.resblocks.{n}.{key}": block[key] for key in block}
    return shapes


def check_shapes(
    found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], what: str
) -> None:
    """Raise `ScorerError`, with the names, unless both hold the same names and shapes."""
    reshaped = [
        f"{name} {found[name]} where {expected[name]} is expected"
        for name in sorted(found.keys() & expected.keys())
        if found[name] != expected[name]
    ]
    problems = {
        "lacks": sorted(expected.keys() - found.keys()),
        "has others": sorted(found.keys() - expected.keys()),
        "has of another shape": reshaped,
    }
    told = [f"{text} ({len(names)}): {first(names)}" for text, names in problems.items() if names]
    if told:
        raise ScorerError(f"{what} {'; '.join(told)}. No tensor is guessed or left out.")


def tower_layers(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tower's tensors by the names and in the shapes of a scorer's layers; views, where that
    is possible.

    Args:
        tensors: all of `tower_shapes`, by open_clip's own names.
    """
    layers = dict[str, torch.Tensor]()
    for name, tensor in tensors.items():
        block = BLOCK.match(name)
        if block is None:
            if name == "visual.proj":  # (width, D), for embeds @ proj
                layers["vision.visual_projection.weight"] = tensor.T
            else:
                layers[WHOLE[name]] = tensor
            continue
        place = f"{VISION}.encoder.layers.{block[1]}"
        part = name[block.end() :]
        if part.startswith("attn.in_proj_"):  # (3 * width, ...): query, key and value
            kind = part.removeprefix("attn.in_proj_")
            for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                layers[f"{place}.self_attn.{letter}_proj.{kind}"] = third
        else:
            module, kind = part.rsplit(".", 1)
            layers[f"{place}.{IN_BLOCK[module]}.{kind}"] = tensor
    return layers


def first(names: Iterable[str]) -> str:
    """The first few of many names."""
    names = list(names)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
