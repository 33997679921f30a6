"""The image processor of a scorer: the one its checkpoint names, the same wherever photos are read.

All run on Pillow: torchvision is not asked for.
"""

import json
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedConfig
from transformers.image_processing_utils import BaseImageProcessor
from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from .errors import ScorerError
from .towers import CLIP, family_of

Processor: TypeAlias = Any  # an image processor of transformers that runs on Pillow

# The authors resize the short side to 256, then crop 224; other CLIP towers in proportion.
RESIZE_RATIO = 256 / 224
# What a processor does after the photo has its size.
SCALING = ("do_rescale", "do_normalize", "include_top")
PROBES = ((96, 64), (64, 96))  # photos, wide and tall


def image_processor(config: PreTrainedConfig) -> Processor:
    """The image processor of a scorer's configuration.

    That of its checkpoint where the configuration holds one. Otherwise, of a CLIP tower the paper's
    authors' (short side 256/224 of the input size, bicubic, then a centre crop, CLIP's mean and
    standard deviation; no flip), and of another tower its family's, at the tower's input size.

    Args:
        config: of a scorer, or of a tower alone.
    """
    settings = getattr(config, "processor", None)
    return _built(json.dumps(settings or default_processor(getattr(config, "tower", config))))


def default_processor(tower: PreTrainedConfig) -> dict[str, Any]:
    """Settings of the image processor of a tower whose checkpoint names none."""
    side = input_side(tower)
    square = {"height": side, "width": side}
    if tower.model_type == CLIP:
        size = {"shortest_edge": round(side * RESIZE_RATIO)}
        return _settings(CLIPImageProcessorPil(size=size, crop_size=square))
    kind = _class_of(family_of(tower).processor, tower)
    crops = kind.size is not None and "shortest_edge" in kind.size
    return _settings(kind(size={"shortest_edge": side} if crops else square, crop_size=square))


def input_side(tower: PreTrainedConfig) -> int:
    """The side of the square photos that a tower was made for; 224 where it does not say."""
    size = getattr(tower, "image_size", None)
    return size if isinstance(size, int) else (size or [224])[0]


def checkpoint_processor(
    name: str, tower: PreTrainedConfig, **hub: Any
) -> tuple[dict[str, Any], bool]:
    """Settings of the image processor that a checkpoint names.

    Args:
        name: folder or Hub id.
        tower: configuration of the checkpoint's vision part.
        **hub: `revision`, `token`, `cache_dir`, `local_files_only`, `subfolder`.

    Returns:
        The settings, and whether they are the checkpoint's own; the family's where it names none.

    Raises:
        ScorerError: a processor that cannot be run here, or of another size than the tower.
    """
    try:
        told, _ = BaseImageProcessor.get_image_processor_dict(name, **hub)
    except OSError:
        return default_processor(tower), False
    # Old files name the feature extractor that the processor was called.
    kind = told.get("image_processor_type") or told.get("feature_extractor_type", "")
    kind = kind.replace("FeatureExtractor", "ImageProcessor") or family_of(tower).processor
    try:
        processor = _class_of(kind, tower).from_dict(told)
        settings = _settings(processor)
        sizes = {_probe(processor, size).shape[1:] for size in PROBES}
    except (AttributeError, TypeError, ValueError) as error:
        raise ScorerError(
            f"{name}: its image processor {kind!r} cannot be run ({error}). Check its "
            "preprocessor_config.json."
        ) from error
    _check_sizes(name, sizes, tower)
    return settings, True


def _check_sizes(name: str, sizes: set[tuple[int, ...]], tower: PreTrainedConfig) -> None:
    if len(sizes) > 1:
        raise ScorerError(
            f"{name}: its image processor makes pictures of sizes that differ with the photo "
            f"({', '.join(map(str, sorted(sizes)))}); a scorer needs one size."
        )
    (found,) = sizes
    side, patch = input_side(tower), getattr(tower, "patch_size", 1)
    patch = patch if isinstance(patch, int) else patch[0]
    if found == (side, side):
        return
    if not family_of(tower).any_size or any(length % patch for length in found):
        raise ScorerError(
            f"{name}: its image processor makes pictures of {found[0]} x {found[1]} pixels, and "
            f"the tower takes {side} x {side} in patches of {patch}. Give the two one size in "
            "preprocessor_config.json or config.json."
        )


def _class_of(name: str, tower: PreTrainedConfig) -> Any:
    """The class on Pillow of an image processor.

    Raises:
        ScorerError: transformers has none.
    """
    plain = name.removesuffix("Fast").removesuffix("Pil")
    plain = family_of(tower).stand_ins.get(plain, plain)
    found = get_image_processor_class_from_name(plain + "Pil")
    if found is None:
        raise ScorerError(
            f"transformers has no image processor {plain!r} that runs on Pillow; name a checkpoint "
            "with another one, or save its settings as one of those it has."
        )
    return found


def _settings(processor: Processor) -> dict[str, Any]:
    return json.loads(processor.to_json_string())


@lru_cache(maxsize=16)
def _built(settings: str) -> Processor:
    told = json.loads(settings)
    found = get_image_processor_class_from_name(told["image_processor_type"] + "Pil")
    if found is None:
        raise ScorerError(f"image processor {told['image_processor_type']!r} is not known here.")
    return found.from_dict(told)


def _probe(processor: Processor, size: tuple[int, int]) -> np.ndarray:
    """What becomes of a grey photo: (3, H, W)."""
    photo = Image.new("RGB", size, (127, 127, 127))
    return np.asarray(processor(images=photo)["pixel_values"][0])


def output_size(processor: Processor) -> tuple[int, int]:
    """Height and width of what a processor makes of any photo."""
    return _probe(processor, PROBES[0]).shape[1:]


def resized_side(processor: Processor) -> int | None:
    """What the short side of a photo is resized to; `None` where it is not told."""
    size = dict(processor.size)
    return size.get("shortest_edge") or min(size.get("height") or 0, size.get("width") or 0) or None


def crops_centre(processor: Processor) -> bool:
    """Whether the ends of a long photo are cut off rather than squeezed in."""
    return bool(dict(processor.size).get("shortest_edge") and processor.do_center_crop)


def unscaled(processor: Processor) -> dict[str, bool]:
    """Options for a call that stops at 8 bits, before rescaling and normalization."""
    return {name: False for name in SCALING if hasattr(processor, name)}


@lru_cache(maxsize=16)
def normalization(processor: Processor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each channel, float32 (3, 1, 1): pixel value = (level / 255 - mean) /
    deviation, for levels in 0..255; told by what the processor makes of black and white.
    """
    levels = [np.full((3, 1, 1), level, dtype=np.uint8) for level in (0, 255)]
    black, white = (
        np.asarray(made, dtype=np.float64)
        for made in processor(
            images=levels,
            do_resize=False,
            do_center_crop=False,
            input_data_format="channels_first",
        )["pixel_values"]
    )
    deviation = 1 / (white - black)
    found = np.stack([-black * deviation, deviation]).reshape(2, 3)
    settings = (getattr(processor, name, None) for name in ("image_mean", "image_std"))
    told = np.stack([np.broadcast_to(np.asarray(x, dtype=np.float64), 3) for x in settings])
    # The very numbers where those are all there is to it: what was found is rounded.
    exact = told if np.allclose(found, told, rtol=0, atol=1e-6) else found
    # Who asks first may be in inference mode, and who asks later may want gradients.
    with torch.inference_mode(mode=False):
        mean, deviation = torch.from_numpy(exact).float().view(2, 3, 1, 1)
    return mean, deviation
