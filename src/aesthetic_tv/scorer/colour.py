"""From the colours that a photo's profile speaks of to sRGB, which the towers were trained on."""

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

# Of the profile's colour space, the mode in which pixels reach the transform.
MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
# Levels of 255 within which a profile is sRGB: makers round its numbers differently.
SAME = 2
LEAST_RANGE = 128  # levels between black and white below which a profile cannot be meant
MIDDLE = (24, 244)  # between which the middle of the tones then lies
GREYS = 18  # levels of grey that a profile is tried on
D50 = (0.9642, 1.0, 0.8249)  # the white of profiles
INTEROP, ADOBE_RGB = 0xA005, "R03"  # how cameras say Adobe RGB without a profile


def to_srgb(image: Image.Image) -> Image.Image:
    """The same picture in sRGB, as its profile tells; itself where that changes nothing.

    Relative colorimetric with black point compensation, so that white stays white. A profile that
    cannot be read, is of another colour space than the pixels, or leaves no picture is passed over.

    Args:
        image: 8 bits a channel, without transparency.

    Returns:
        RGB, or `image` as it is.
    """
    profile = profile_of(image)
    if not profile:
        return image
    mode = "RGB" if image.mode in ("P", "YCbCr") else image.mode
    # Grey pixels may have a profile of colours.
    for pixels in dict.fromkeys((mode, "RGB") if mode in ("1", "L") else (mode,)):
        transform = _transform(profile, pixels)
        if transform is not None:
            try:
                return transform.apply(image.convert(pixels))
            except (ImageCms.PyCMSError, OSError, ValueError):
                return image
    return image


def profile_of(image: Image.Image) -> bytes:
    """The profile of an image that changes its colours; empty where none does."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile:
        profile = adobe_rgb() if _says_adobe_rgb(image) else b""
    return profile if profile and _changes(profile) else b""


def _says_adobe_rgb(image: Image.Image) -> bool:
    """Whether a camera wrote that this is Adobe RGB, as DCF has it."""
    if image.mode != "RGB" or "exif" not in image.info:
        return False
    try:
        told = image.getexif().get_ifd(0x8769)
        index = image.getexif().get_ifd(INTEROP).get(1) or told.get(INTEROP, {}).get(1)
    except Exception:  # as many kinds as there are ways to damage EXIF
        return False
    return isinstance(index, str) and index.strip("\0 ") == ADOBE_RGB


@lru_cache(maxsize=32)
def _changes(profile: bytes) -> bool:
    return any(_transform(profile, mode) is not None for mode in MODES.values())


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB, for pixels of a mode; `None` where it is for others, changes
    nothing, or cannot be meant.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if MODES.get(source.profile.xcolor_space.strip()) != mode:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        samples = _samples(mode)
        plain = np.asarray(samples.convert("RGB"), dtype=int)  # (1, n, 3)
        found = np.asarray(transform.apply(samples), dtype=int)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if _absurd(found[0, :GREYS].mean(1)):
        return None
    return None if np.abs(found - plain).max() <= SAME else transform


def _absurd(greys: np.ndarray) -> bool:
    """Whether a ramp from white to black, so many levels of grey now, is no ramp any more."""
    middle = float(np.median(greys))
    lost = greys[0] - greys[-1] < LEAST_RANGE or not MIDDLE[0] < middle < MIDDLE[1]
    return lost or bool((np.diff(greys) > SAME).any())


def _samples(mode: str) -> Image.Image:
    """A row of greys from white to black, and of colours after them."""
    ramp = np.linspace(255, 0, GREYS).round().astype(np.uint8)
    if mode == "L":
        return Image.fromarray(ramp[None])
    if mode == "CMYK":
        inks = np.zeros((1, GREYS, 4), dtype=np.uint8)
        inks[0, :, 3] = 255 - ramp
        return Image.frombytes("CMYK", (GREYS, 1), inks.tobytes())
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    return Image.fromarray(np.concatenate([np.repeat(ramp[:, None], 3, 1), colours])[None])


@lru_cache(maxsize=1)
def adobe_rgb() -> bytes:
    """A profile of Adobe RGB (1998): its primaries adapted to D50, gamma 563/256."""
    primaries = {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
        b"wtpt": D50,
    }
    tags = {name: b"XYZ " + bytes(4) + _fixed(*xyz) for name, xyz in primaries.items()}
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 563) + bytes(2)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    text = b"Adobe RGB (1998) compatible\0"
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    tags[b"cprt"] = b"text" + bytes(4) + b"none\0"
    start, table, data = 132 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    head = struct.pack(">III", start + len(data), 0, 0x02400000) + b"mntrRGB XYZ "
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(*D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
