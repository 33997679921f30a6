"""From images that are tensors to pixel values: what the scorer's image processor does on Pillow,
in torch, so that gradients reach the images and nothing leaves their device.

Part of the remote code of a scorer, so it imports its neighbours alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from .errors import ScorerError, SettingError
from .images import MAX_ASPECT
from .processors import Processor, crops_centre, normalization, output_size, unscaled

# (n, 3, H, W) or (3, H, W), or several (3, H, W) of any sizes.
Images: TypeAlias = torch.Tensor | Sequence[torch.Tensor]

# Pillow's resampling filters by their numbers, as torch calls them; it has no others of them.
MODES = {0: "nearest-exact", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
SMOOTH = ("lanczos", "bilinear", "bicubic")
# How far out of [0, 1] a generator's output may be, for it is rounded anyway.
LEEWAY = 1 / 255
# Of a check photo, in levels of 255: Pillow rounds at half a level with other last digits.
NEAR = 1.01
LEVELS = 255


@dataclass(frozen=True)
class Resizing:
    """What becomes of a photo's shape.

    Args:
        size: height and width that it is squeezed to, or (shortest side,) that it is brought to.
        crop: height and width of what is cut out of the middle; `None` keeps all of it.
        mode: of `torch.nn.functional.interpolate`; `None` where photos are not resized.
        strips: the ends of a strip are cut off first, since the crop would anyway.
    """

    size: tuple[int, ...]
    crop: tuple[int, int] | None
    mode: str | None
    strips: bool

    def __call__(self, images: torch.Tensor, *, rounded: bool = False) -> torch.Tensor:
        """Images (n, 3, H, W) to (n, 3, h, w), all in [0, 1]; differentiable."""
        if rounded:
            images = _rounded(images)
        if self.strips:
            images = _without_ends(images)
        if self.mode is not None:
            shape = self._shape(images.shape[2], images.shape[3])
            images = _resized(images, shape, self.mode, rounded)
        return images if self.crop is None else _cropped(images, *self.crop)

    def _shape(self, height: int, width: int) -> tuple[int, int]:
        if len(self.size) == 2:
            return self.size[0], self.size[1]
        side, short = self.size[0], min(height, width)
        longer = int(side * max(height, width) / short)
        return (side, longer) if height < width else (longer, side)


def tensor_pixels(
    images: Images, processor: Processor, *, rounded: bool = False, check: bool = True
) -> torch.Tensor:
    """Images to pixel values (n, 3, h, w), differentiable, on the device that they are on.

    Equal to what the processor makes of the same photos but for Pillow's rounding to 8 bits after
    each of two passes, which comes to a level of 255. float32 for images in half precision, which
    resampling would cost digits; otherwise as the images are.

    Args:
        images: as for `AestheticScorer.reward`.
        processor: of the scorer.
        rounded: to 8 bits wherever Pillow would; gradients pass as if nothing were rounded.
        check: refuse values outside [0, 1]; it reads all pixels, and waits for a GPU.

    Raises:
        SettingError: not such images, or outside their range.
        ScorerError: a processor that does what torch cannot.
    """
    batches = _batches(images)
    for batch in batches:
        if check:
            check_range(batch)
    resizing, (mean, deviation) = resizing_of(processor), normalization(processor)
    made = []
    for batch in batches:
        exact = batch.to(torch.promote_types(batch.dtype, torch.float32))
        with torch.autocast(exact.device.type, enabled=False):
            nothing = exact.new_empty(0, 3, 1, 1)
            small = resizing(exact, rounded=rounded) if len(exact) else nothing
            made.append((small - mean.to(small)) / deviation.to(small))
    return made[0] if len(made) == 1 else torch.cat(made)


def check_range(images: torch.Tensor) -> None:
    """Raise `SettingError` for images with values outside [0, 1], or that are not finite."""
    if not images.numel():
        return
    low, high = (float(x) for x in torch.aminmax(images.detach()))
    if low >= -LEEWAY and high <= 1 + LEEWAY:
        return
    if not (np.isfinite(low) and np.isfinite(high)):
        advice = "The generator diverged, or its half precision overflowed"
    elif low >= -1 - LEEWAY and high <= 1 + LEEWAY:
        advice = "Of a generator's [-1, 1], give (images + 1) / 2"
    elif low >= -LEEWAY and high <= 255 + LEEWAY:
        advice = "Of levels in 0..255, give images / 255"
    else:
        advice = "Give images.clamp(0, 1), or scale them"
    raise SettingError(
        f"images have values from {low:.4g} to {high:.4g}; expected [0, 1]. {advice}; "
        "check=False leaves this check out."
    )


def _batches(images: Images) -> list[torch.Tensor]:
    """One batch, or one for each image of several sizes."""
    if isinstance(images, torch.Tensor):
        return [_batch(images, (3, 4))]
    found: Any = images
    if not isinstance(found, list | tuple) or not found:
        raise SettingError(
            f"found {type(images).__name__} in place of images; expected a tensor (n, 3, H, W) in "
            "[0, 1], or a list of (3, H, W). Of files and PIL images, `score` takes them."
        )
    parts = [_batch(image, (3,)) for image in found]
    alike = len({(part.shape, part.dtype, part.device) for part in parts}) == 1
    return [torch.cat(parts)] if alike else parts


def _batch(images: Any, ranks: tuple[int, ...]) -> torch.Tensor:
    if not isinstance(images, torch.Tensor):
        raise SettingError(
            f"found {type(images).__name__} among the images; expected tensors (3, H, W) in [0, 1]."
        )
    shape = tuple(images.shape)
    if images.ndim not in ranks or shape[-3] != 3 or 0 in shape[-2:]:
        last = images.ndim in ranks and shape[-1] == 3
        advice = "; move the channels: images.movedim(-1, -3)" if last else ""
        raise SettingError(
            f"images have shape {shape}; expected (n, 3, H, W), channels first{advice}."
        )
    if not images.is_floating_point():
        raise SettingError(
            f"images are {str(images.dtype).removeprefix('torch.')}; expected floats in [0, 1]: of "
            "8 bits, give images.float() / 255."
        )
    return images if images.ndim == 4 else images[None]


@lru_cache(maxsize=16)
def resizing_of(processor: Processor) -> Resizing:
    """How a processor resizes and crops, shown to be so on two photos.

    Raises:
        ScorerError: torch cannot do what it does.
    """
    name = type(processor).__name__
    try:
        found = _read(processor)
        apart = max(_apart(found, processor, shape) for shape in _shapes(processor))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, ScorerError):
            raise
        raise ScorerError(_refusal(name, str(error).splitlines()[0])) from error
    if apart > NEAR:
        raise ScorerError(_refusal(name, f"pixels differ by {apart:.0f} levels of 255"))
    return found


def _refusal(name: str, why: str) -> str:
    return (
        f"what image processor {name} does to photos cannot be done in torch ({why}); scores of "
        "files and PIL images work, rewards of tensors do not."
    )


def _read(processor: Processor) -> Resizing:
    """Of a processor's settings."""
    size, crop = dict(processor.size), None
    if processor.do_resize and int(processor.resample) not in MODES:
        raise NotImplementedError(f"resampling filter {int(processor.resample)}")
    mode = MODES[int(processor.resample)] if processor.do_resize else None
    if getattr(processor, "do_center_crop", None):
        middle = dict(processor.crop_size)
        crop = middle["height"], middle["width"]
    side, share = size.get("shortest_edge"), getattr(processor, "crop_pct", None)
    if side and share:  # ConvNeXt's: a crop of small photos, a squeeze of large ones
        if side >= 384:
            return Resizing((side, side), crop, mode, False)
        return Resizing((int(side / share),), crop or (side, side), mode, False)
    shape = (side,) if side else (size["height"], size["width"])
    return Resizing(shape, crop, mode, crops_centre(processor))


def _shapes(processor: Processor) -> list[tuple[int, int]]:
    height, width = output_size(processor)
    large, small = int(1.7 * height) + 3, int(1.2 * width) + 2
    return [(large, small), (small, large)]


def _apart(resizing: Resizing, processor: Processor, shape: tuple[int, int]) -> float:
    """The greatest difference on a photo of noise over soft shapes, in levels of 255."""
    height, width = shape
    soft = 90 * np.sin(np.arange(height) / 9)[:, None] * np.cos(np.arange(width) / 7)
    noise = np.random.default_rng(0).normal(128, 30, (height, width, 3))
    photo = (soft[..., None] + noise).clip(0, 255).astype(np.uint8)
    right = np.asarray(processor(images=photo, **unscaled(processor))["pixel_values"][0])
    image = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        found = resizing(image, rounded=True)[0].numpy() * 255
    if found.shape != right.shape:
        return np.inf
    return float(np.abs(found - right).max())


def _resized(
    images: torch.Tensor, shape: tuple[int, int], mode: str, rounded: bool
) -> torch.Tensor:
    """As Pillow does it: across, then down, kept in range after each."""
    if mode not in SMOOTH:
        return nn.functional.interpolate(images, shape, mode=mode)
    for size in ((images.shape[2], shape[1]), shape):
        if tuple(images.shape[2:]) != size:
            images = nn.functional.interpolate(images, size, mode=mode, antialias=True).clamp(0, 1)
            images = _rounded(images) if rounded else images
    return images


def _rounded(images: torch.Tensor) -> torch.Tensor:
    """To 8 bits, halves up as Pillow does, with the gradient of what is not rounded."""
    return images + ((images * LEVELS + 0.5).floor() / LEVELS - images).detach()


def _cropped(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    if top < 0 or left < 0:
        raise NotImplementedError(
            f"a crop of {height} x {width} out of {images.shape[2]} x {images.shape[3]}"
        )
    return images[..., top : top + height, left : left + width]


def _without_ends(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[2:]
    longest = MAX_ASPECT * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return images[..., top : top + min(height, longest), left : left + min(width, longest)]
