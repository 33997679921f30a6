"""Photographic edits of known strength, to make pairs whose better half is known.

Every edit takes an RGB picture and a strength and returns an RGB picture of the same size.
Sizes inside an edit (blur radius, grain) are relative to the short side, so that one strength
looks the same on a phone picture and on its thumbnail.
"""

import io
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from aesthetic_tv.errors import AestheticTVError

__all__ = ["EDITS", "Edit", "EditError", "apply_edit"]

_REFERENCE_SIDE = 224  # short side, in pixels, at which strengths are defined: what towers see
_GRAIN_SIDE = 256  # short side of the grid for noise and JPEG: fine, yet survives scaling to 224

_BLUR_SIGMA = 0.025  # of the short side at strength 1: 5.6 px at 224
_BLUR_EXPONENT = 1.6  # strength 0.25 is 0.6 px at 224: just visible
_LEAST_SIGMA = 0.8  # in pixels
_NOISE_SIGMA = 45.0  # of 255, mid grey, at the 224 px scale
_STOPS = 2.5
_CROP_LOSS = 0.6  # of each side
_TILT_DEGREES = 15.0
_WARMTH_STOPS = 0.55  # red up and blue down by this much at +1
_CONTRAST_GAIN = 9.0  # steepness of the S-curve at +1
_FLATTENING = 0.75  # share of the tonal range lost at -1
_JPEG_QUALITY = (95.0, 5.0)  # as strength goes to 0, and at 1

_LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709, for linear light

EditFunction = Callable[[Image.Image, float, np.random.Generator], Image.Image]


class EditError(AestheticTVError, ValueError):
    """An unknown edit kind, or a strength, seed or picture that an edit cannot take."""


@dataclass(frozen=True)
class Edit:
    """One kind of edit.

    Attributes:
        name: The key in `EDITS`.
        low: Least strength, 0 (one-sided) or -1 (two-sided).
        high: Greatest strength, always 1.
        function: Maps (RGB picture, non-zero strength, random generator) to an RGB picture.
        description: What the edit does, in one line.
    """

    name: str
    low: float
    high: float
    function: EditFunction
    description: str

    @property
    def two_sided(self) -> bool:
        """Whether negative strengths are allowed."""
        return self.low < 0


def apply_edit(image: Image.Image, kind: str, strength: float, *, seed: int = 0) -> Image.Image:
    """Edit a picture by a known amount.

    Args:
        image: Any Pillow picture of at least 1x1; converted to RGB.
        kind: A key of `EDITS`.
        strength: Within the range of that edit, [0, 1] or [-1, 1]. 0 changes nothing.
        seed: Non-negative; fixes the noise pattern and the direction of a tilt.

    Returns:
        A new RGB picture of the same size; the input is left as it was.

    Raises:
        EditError: If the kind is unknown, or the strength, seed or picture is out of range.

    Example:
        >>> apply_edit(Image.new("RGB", (8, 6), "red"), "desaturation", 1.0).size
        (8, 6)
    """
    edit = _checked_edit(image, kind, strength, seed)
    picture = image.convert("RGB")
    if strength == 0:
        return picture.copy() if picture is image else picture
    # The kind is part of the seed, so that two edits with one seed are still independent.
    generator = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    return edit.function(picture, float(strength), generator)


def _checked_edit(image: Image.Image, kind: str, strength: float, seed: int) -> Edit:
    edit = EDITS.get(kind)
    if edit is None:
        raise EditError(f"unknown edit kind {kind!r}; expected one of {', '.join(sorted(EDITS))}")
    if not edit.low <= strength <= edit.high:  # also catches NaN
        raise EditError(
            f"strength {strength!r} is out of range for edit {kind!r}; "
            f"expected a number in [{edit.low:g}, {edit.high:g}]"
        )
    if seed < 0:
        raise EditError(f"seed {seed!r} is negative; expected an integer of 0 or more")
    if min(image.size) < 1:
        raise EditError(f"picture of size {image.size} has no pixels; expected at least 1x1")
    return edit


def _to_linear(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Decode sRGB in [0, 1] to linear light in [0, 1] (IEC 61966-2-1)."""
    high = ((encoded + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, encoded / 12.92, high)


def _to_srgb(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Encode linear light as sRGB in [0, 1]; light beyond [0, 1] is clipped."""
    clipped = np.clip(linear, 0.0, 1.0)
    high = 1.055 * clipped ** (1 / 2.4) - 0.055
    return np.where(clipped <= 0.0031308, clipped * 12.92, high)


_LEVELS = np.arange(256) / 255.0
_LINEAR_LEVELS = _to_linear(_LEVELS)


def _apply_curves(image: Image.Image, *curves: NDArray[np.float64]) -> Image.Image:
    """Map each channel through its curve of 256 values in [0, 1]; one curve serves all three."""
    tables = np.concatenate(curves if len(curves) == 3 else curves * 3)
    return image.point(np.rint(np.clip(tables, 0.0, 1.0) * 255).astype(int).tolist())


def _scaled_size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Scale a size down to a short side; a smaller size stays as it is."""
    factor = short_side / min(size)
    if factor >= 1:
        return size
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _blur(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    sigma = _BLUR_SIGMA * strength**_BLUR_EXPONENT * min(image.size)
    if sigma >= _LEAST_SIGMA:
        return image.filter(ImageFilter.GaussianBlur(sigma))
    # Rounding swallows a narrower blur; a mixture of the same variance does not suffer so.
    blurred = image.filter(ImageFilter.GaussianBlur(_LEAST_SIGMA))
    return Image.blend(image, blurred, (sigma / _LEAST_SIGMA) ** 2)


def _noise(image: Image.Image, strength: float, generator: np.random.Generator) -> Image.Image:
    # Read noise lifts the shadows; after display gamma the shot noise is nearly even in tone.
    gain = (1.3 - 0.6 * _LEVELS).astype(np.float32) * np.float32(strength * _NOISE_SIGMA)
    local_gain = gain[np.asarray(image.convert("L"))]  # (height, width)
    grain = _grain(image.size, generator, _GRAIN_SIDE) * local_gain
    # Demosaicing smears colour, so chroma noise is coarser and weaker than luminance noise.
    red = _grain(image.size, generator, _GRAIN_SIDE // 2) * (local_gain * np.float32(0.35))
    blue = _grain(image.size, generator, _GRAIN_SIDE // 2) * (local_gain * np.float32(0.5))
    noisy = np.empty((image.height, image.width, 3), np.uint8)
    pixels = np.asarray(image)
    channels = (grain + red, grain - np.float32(0.3) * red, grain + blue)
    for index, change in enumerate(channels):
        change += pixels[..., index]
        change += np.float32(0.5)
        np.clip(change, 0, 255, out=change)
        noisy[..., index] = change
    return Image.fromarray(noisy)


def _grain(size: tuple[int, int], generator: np.random.Generator, side: int) -> NDArray[np.float32]:
    """White noise on a grid of this short side, enlarged to `size`: (height, width).

    Scaled to have standard deviation 1 once the picture is shrunk to the reference side.
    """
    width, height = _scaled_size(size, side)
    field = Image.fromarray(generator.standard_normal((height, width), dtype=np.float32))
    enlarged = field.resize(size, Image.Resampling.BILINEAR)
    if min(size) <= 8:
        return np.asarray(enlarged)  # too few samples to measure a deviation
    seen = enlarged.resize(_scaled_size(size, _REFERENCE_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(enlarged) / np.asarray(seen).std()


def _exposure(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return _apply_curves(image, _to_srgb(_LINEAR_LEVELS * 2.0 ** (_STOPS * strength)))


def _underexposure(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return _exposure(image, -strength, _)


def _saturation(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    grey = image.convert("L").convert("RGB")
    return Image.blend(grey, image, 1.0 + strength)


def _desaturation(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    return _saturation(image, -strength, _)


def _warmth(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    stops = _WARMTH_STOPS * strength
    gains = np.array([2.0**stops, 2.0 ** (0.1 * stops), 2.0 ** (-1.3 * stops)])
    counts = np.array(image.histogram(), dtype=float).reshape(3, 256)
    means = counts @ _LINEAR_LEVELS  # of each channel, up to a common factor
    before, after = _LUMA @ means, _LUMA @ (means * gains)
    if after > 0:
        gains *= before / after
    return _apply_curves(image, *(_to_srgb(_LINEAR_LEVELS * gain) for gain in gains))


def _contrast(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    # Turning about the picture's own mean keeps its brightness, which is another edit's business.
    counts = np.array(image.convert("L").histogram(), dtype=float)
    pivot = float(counts @ _LEVELS / counts.sum())
    if strength < 0:
        return _apply_curves(image, pivot + (1 + _FLATTENING * strength) * (_LEVELS - pivot))
    gain = _CONTRAST_GAIN * strength / 2
    low, high = math.tanh(-gain * pivot), math.tanh(gain * (1 - pivot))
    curve = (np.tanh(gain * (_LEVELS - pivot)) - low) / (high - low)
    return _apply_curves(image, curve)


def _crop(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    width, height = image.size
    margin = _CROP_LOSS * strength / 2
    box = (width * margin, height * margin, width * (1 - margin), height * (1 - margin))
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def _tilt(image: Image.Image, strength: float, generator: np.random.Generator) -> Image.Image:
    width, height = image.size
    direction = 1 if generator.random() < 0.5 else -1
    angle = math.radians(_TILT_DEGREES * strength)
    # The largest upright rectangle of the same shape inside the turned picture: no borders.
    ratio = max(width, height) / min(width, height)
    scale = 1 / (math.cos(angle) + ratio * math.sin(angle))
    cos, sin = scale * math.cos(angle), direction * scale * math.sin(angle)
    x, y = width / 2, height / 2
    matrix = (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _jpeg(image: Image.Image, strength: float, _: np.random.Generator) -> Image.Image:
    start, end = _JPEG_QUALITY
    small = image.resize(_scaled_size(image.size, _GRAIN_SIDE), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=round(start * (end / start) ** strength))
    coded = Image.open(buffer).convert("RGB")
    # Only the difference is enlarged, so that the picture keeps its own fine detail.
    difference = np.asarray(coded).astype(np.int16) - np.asarray(small)
    halved = Image.fromarray((difference // 2 + 128).astype(np.uint8))
    enlarged = np.asarray(halved.resize(image.size, Image.Resampling.BILINEAR)).astype(np.int16)
    damaged = np.asarray(image) + 2 * (enlarged - 128)
    return Image.fromarray(np.clip(damaged, 0, 255).astype(np.uint8))


def _table() -> dict[str, Edit]:
    one_sided: dict[str, tuple[EditFunction, str]] = {
        "blur": (_blur, "Gaussian blur; 1 is a sigma of 2.5 % of the short side"),
        "noise": (_noise, "sensor noise; 1 is a sigma of 45/255 at a short side of 224 px"),
        "underexposure": (_underexposure, "darker in linear light; 1 is 2.5 stops"),
        "overexposure": (_exposure, "brighter in linear light, clipped; 1 is 2.5 stops"),
        "desaturation": (_desaturation, "less colour; 1 is grey"),
        "crop": (_crop, "zoom into the centre; 1 keeps the central 40 % of each side"),
        "jpeg": (_jpeg, "JPEG artefacts at a short side of 256 px; 1 is quality 5"),
        "tilt": (_tilt, "rotation without borders, direction from the seed; 1 is 15 degrees"),
    }
    two_sided: dict[str, tuple[EditFunction, str]] = {
        "exposure": (_exposure, "linear light from -2.5 to +2.5 stops"),
        "saturation": (_saturation, "-1 is grey, +1 is doubled colour"),
        "warmth": (_warmth, "-1 is strongly cool, +1 strongly warm; mean luminance kept"),
        "contrast": (_contrast, "-1 is flat, +1 a strong S-curve about the mean"),
    }
    edits = [Edit(name, 0.0, 1.0, *rest) for name, rest in one_sided.items()]
    edits += [Edit(name, -1.0, 1.0, *rest) for name, rest in two_sided.items()]
    return {edit.name: edit for edit in edits}


EDITS: dict[str, Edit] = _table()
