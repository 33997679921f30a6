"""Procedural photo-like scenes with known attributes, to pre-train a tiny vision tower.

Not photographs, but with their statistics: 1/f textures, occlusion edges with cast shadows,
smooth light, Lambert and specular shading, natural palettes and depth of field. Each scene is
well exposed, sharp and free of noise, so that faults can be added with `assets.edits`.

Conventions: pictures are painted in linear light; x grows to the right and y downwards, both in
units of the short side; u and v are the same as shares of the width and height.
"""

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

__all__ = ["ATTRIBUTES", "KINDS", "Scene", "render_scene"]

Array = NDArray[np.floating[Any]]  # in practice float32, for speed
Colour = tuple[float, float, float] | Array

ATTRIBUTES: dict[str, str] = {
    "subject_x": "centre of the main subject, 0 left to 1 right",
    "subject_y": "centre of the main subject, 0 top to 1 bottom",
    "subject_size": "square root of the share of the frame that the subject's box covers, 0..1",
    "object_count": "number of separate things a person would count, at most 30",
    "horizon_y": "height of the horizon in the middle of the frame, 0 top to 1 bottom",
    "horizon_tilt": "degrees, positive when the right end is lower",
    "clutter": "share of the frame busy with edges, 0..1 (measured)",
    "light_x": "where light comes from, -1 left to 1 right",
    "light_y": "where light comes from, -1 below to 1 above",
    "light_softness": "0 hard sun to 1 overcast",
    "light_level": "mean of the encoded luma, 0..1 (measured)",
    "warmth": "-1 cool to 1 warm (measured)",
    "hue_clusters": "number of separate groups of hues (measured)",
    "harmony": "share of colour that fits the best classic hue scheme, 0..1 (measured)",
    "saturation": "mean of the largest minus the least channel, 0..1 (measured)",
    "background_blur": "sigma of the background's defocus as a share of the short side, 0..0.05",
    "composition": "0 careless to 1 well placed, level and with room around the subject",
    "simplicity": "0 busy to 1 one thing on a calm background",
}


@dataclass(frozen=True)
class Scene:
    """A rendered scene.

    Attributes:
        image: RGB, of the size asked for.
        attributes: One number per key of `ATTRIBUTES`; NaN where the scene has no such thing.
        kind: The key in `KINDS` that drew it.
    """

    image: Image.Image
    attributes: dict[str, float]
    kind: str


def render_scene(seed: int, size: tuple[int, int] = (288, 256)) -> Scene:
    """Render one scene; the kind, content and light all follow from the seed.

    Args:
        seed: 0 or more. The same seed and size give the same picture.
        size: Width and height in pixels, each at least 32.

    Raises:
        ValueError: If the size is too small to draw on.
    """
    if min(size) < 32:
        raise ValueError(f"size {size} is too small; expected at least 32 pixels each way")
    rng = np.random.default_rng([seed, 0x5CE9E])
    names = list(KINDS)
    weights = np.array([KINDS[name][1] for name in names])
    kind = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    view = _View(rng, size)
    KINDS[kind][0](view)
    image = _develop(view)
    return Scene(image, _attributes(view, image), kind)


@dataclass
class _Subject:
    """The main subject's bounding box: centre and half sides as shares of the frame."""

    u: float
    v: float
    half_u: float
    half_v: float


class _View:
    """A canvas in linear light, with its coordinates, light and known facts."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.rng = rng
        self.width, self.height = size
        self.short = min(size)
        self.right, self.bottom = self.width / self.short, self.height / self.short
        self.x = ((np.arange(self.width, dtype=np.float32) + 0.5) / self.short)[None, :]  # (1, w)
        self.y = ((np.arange(self.height, dtype=np.float32) + 0.5) / self.short)[:, None]  # (h, 1)
        self.rgb: Array = np.zeros((self.height, self.width, 3), np.float32)
        self.softness = float(rng.uniform(0, 1))
        azimuth, elevation = rng.uniform(0, 2 * math.pi), rng.uniform(0.2, 1.1)
        side = math.cos(azimuth) * math.cos(elevation)
        above = 0.25 + 0.75 * abs(math.sin(azimuth))  # light seldom comes from below
        self.light = np.array([side, above * math.cos(elevation), math.sin(elevation)])
        self.light /= np.linalg.norm(self.light)
        self.level = float(rng.uniform(0.36, 0.56))  # mean encoded luma to develop for
        self.subject: _Subject | None = None
        self.symmetric = False
        self.tilt_after = 0.0  # degrees to turn the developed picture by
        self.facts: dict[str, float] = {}

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    def window(self, x: float, y: float, half_x: float, half_y: float) -> tuple[slice, slice]:
        """Pixels within a box about (x, y), clipped to the canvas; may be empty."""
        left, top = int((x - half_x) * self.short) - 1, int((y - half_y) * self.short) - 1
        end, base = int((x + half_x) * self.short) + 2, int((y + half_y) * self.short) + 2
        return (
            slice(min(max(top, 0), self.height), min(max(base, 0), self.height)),
            slice(min(max(left, 0), self.width), min(max(end, 0), self.width)),
        )

    def paint(self, mask: Array, colour: Colour, window: tuple[slice, slice] | None = None) -> None:
        """Lay a colour, one for all or one per pixel, over the canvas by its mask in 0..1."""
        part = self.rgb if window is None else self.rgb[window]
        part += mask[..., None] * (np.asarray(colour, np.float32) - part)

    def darken(self, mask: Array, window: tuple[slice, slice] | None = None) -> None:
        """Multiply the light by one minus a mask."""
        part = self.rgb if window is None else self.rgb[window]
        part *= 1 - mask[..., None]

    def blur(self, sigma: float) -> None:
        """Defocus everything painted so far; sigma is in short sides."""
        pixels = sigma * self.short
        if pixels < 0.4:
            return
        step = 2 if pixels > 2 else 1  # wide blurs lose nothing at half size, and cost a quarter
        for channel in range(3):
            small = self.rgb[::step, ::step, channel]
            if step == 2:
                small = ndimage.uniform_filter(self.rgb[..., channel], 2)[::2, ::2]
            soft = ndimage.gaussian_filter(small, pixels / step, truncate=2.5, mode="nearest")
            self.rgb[..., channel] = _resized(soft, self.shape) if step == 2 else soft


def _resized(values: Array, shape: tuple[int, int]) -> Array:
    picture = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _step(values: Array, soft: float) -> Array:
    """0 below -soft, 1 above +soft, a straight ramp between."""
    return np.clip(values * np.float32(0.5 / soft) + np.float32(0.5), 0, 1)


_TILE = 512
_EXPONENTS = (0.8, 1.0, 1.15, 1.35, 1.7)  # amplitude 1/f^a; photographs have about 1.1


@lru_cache(maxsize=1)
def _tiles() -> Array:
    """A stock of periodic noise: per exponent a plain, a stretched and a ridged tile."""
    rng = np.random.default_rng(7)
    rows, columns = np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None, :]
    tiles: list[NDArray[np.float64]] = []
    for exponent in _EXPONENTS:
        for stretch in (1.0, 6.0, 1.0):
            frequency = np.hypot(rows, columns * stretch)
            frequency[0, 0] = 1.0
            amplitude = frequency**-exponent
            # Very low frequencies would make a tile one slope, which light already gives.
            amplitude *= frequency / (frequency + 2.0 / _TILE)
            amplitude[0, 0] = 0.0
            noise = np.fft.rfft2(rng.standard_normal((_TILE, _TILE)))
            tile = np.fft.irfft2(noise * amplitude, s=(_TILE, _TILE))
            if len(tiles) % 3 == 2:
                tile = -np.abs(tile)
            tiles.append((tile - tile.mean()) / tile.std())
    return np.array(tiles, np.float32)


def _texture(
    rng: np.random.Generator,
    shape: tuple[int, int],
    style: str = "plain",
    rough: float | None = None,
    zoom: float = 1.0,
) -> Array:
    """Noise of zero mean and unit deviation: (height, width).

    Args:
        rng: Source of the choice.
        shape: Height and width.
        style: "plain", "stretched" (streaks along x) or "ridged" (veins and cracks).
        rough: 0 for the roughest exponent to 1 for the smoothest; None for any.
        zoom: Enlarges the pattern.
    """
    if zoom > 1.0:
        small = (math.ceil(shape[0] / zoom) + 1, math.ceil(shape[1] / zoom) + 1)
        return _resized(_texture(rng, small, style, rough), shape)
    pick = rng.uniform(0, 1) if rough is None else rough
    index = round(pick * (len(_EXPONENTS) - 1)) * 3
    tile = _tiles()[index + {"plain": 0, "stretched": 1, "ridged": 2}[style]]
    if style != "stretched" and rng.random() < 0.5:
        tile = tile.T
    tile = tile[:: int(rng.choice((-1, 1))), :: int(rng.choice((-1, 1)))]
    top, left = rng.integers(0, _TILE, 2)
    if top + shape[0] <= _TILE and left + shape[1] <= _TILE:
        return tile[top : top + shape[0], left : left + shape[1]]
    rows, columns = np.arange(top, top + shape[0]), np.arange(left, left + shape[1])
    return tile.take(rows, 0, mode="wrap").take(columns, 1, mode="wrap")


def _bumps(view: _View, texture: Array, depth: float) -> Array:
    """Brightness of a rough surface whose relief is the texture: about 1, never negative."""
    slope = np.zeros_like(texture)
    slope[:, 1:] -= np.diff(texture, axis=1) * np.float32(view.light[0])
    slope[1:] += np.diff(texture, axis=0) * np.float32(view.light[1])
    return np.maximum(1 + np.float32(depth) * slope, 0.05)


def _textured(rng: np.random.Generator, colour: Colour, texture: Array, gain: float) -> Array:
    """A colour whose brightness, and a little its hue, follows a texture: (h, w, 3)."""
    spread = gain * (1 + 0.25 * rng.standard_normal(3))  # channels stay strongly correlated
    base = np.asarray(colour, np.float32)
    shade = np.exp(np.clip(texture, -3, 3)[..., None] * spread.astype(np.float32))
    return base * shade


def _linear(red: float, green: float, blue: float) -> Array:
    """Encoded sRGB in 0..1 to linear light (a 2.2 power is close enough to paint with)."""
    return np.clip(np.array([red, green, blue], np.float32), 0, 1.2) ** 2.2


_PALETTES: dict[str, tuple[str, ...]] = {
    "foliage": ("4b6b2f", "6d8a3a", "2f4a25", "8a9a45", "5c7a4a", "a39a3c", "9a6a2a", "37552f"),
    "earth": ("8a6f4e", "a58a64", "6b5138", "c2a67c", "7d6a58", "94603f", "b59b78"),
    "stone": ("8c8a85", "a8a39a", "6e6c6a", "b9b2a3", "757b80", "55544f"),
    "skin": ("f0c8a8", "e0ac88", "c68a62", "a06a45", "7a4c30", "54341f", "f3d6c0"),
    "hair": ("1e1712", "3a2618", "5b3a20", "8a6234", "b89562", "777370", "2a2422"),
    "wood": ("7a5232", "a0744a", "5a3a24", "c09868", "8c5a34"),
    "wall": ("d8d2c6", "b8b4ac", "9aa3a8", "c9b79c", "7f8a86", "a4786a", "e4ddd0", "5c6066"),
    "building": ("b5a58f", "9c8878", "c9bda8", "8a8f94", "a8664f", "6f7479", "d6cfc2", "7d5f4f"),
    "fruit": ("c23a2a", "e08a24", "d8b830", "7ea03a", "7a2f3f", "b8502f", "d86a5a", "5c3050"),
    "fabric": ("3a4a66", "8a2f34", "d8d0c4", "2b2b30", "5f6f5a", "a88a5c", "46627a", "c8949a"),
    "flower": ("e8e0e8", "e6c12f", "d8486a", "a050b0", "e07a2a", "7a6ad0", "f0b0c0", "c22a30"),
}


def _pick(rng: np.random.Generator, palette: str, spread: float = 0.05) -> Array:
    """A colour near one of a natural palette, in linear light."""
    names = _PALETTES[palette]
    code = names[int(rng.integers(len(names)))]
    rgb = np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    rgb = rgb * (1 + spread * rng.standard_normal()) + spread * 0.5 * rng.standard_normal(3)
    return _linear(*rgb)


def _scheme(rng: np.random.Generator, count: int) -> list[Array]:
    """Colours of one hue scheme, from a single hue to any hue at all."""
    base = rng.random()
    offsets = ((0.0,), (0.0, 0.06, -0.06), (0.0, 0.5), (0.0, 1 / 3, 2 / 3), ())
    chosen = offsets[int(rng.choice(5, p=(0.2, 0.25, 0.2, 0.1, 0.25)))]
    richness = rng.uniform(0.1, 0.8)
    colours = []
    for _ in range(count):
        hue = base + rng.choice(chosen) + 0.02 * rng.standard_normal() if chosen else rng.random()
        saturation = float(np.clip(richness * rng.uniform(0.3, 1.3), 0, 0.95))
        colours.append(_linear(*colorsys.hsv_to_rgb(hue % 1, saturation, rng.uniform(0.2, 0.95))))
    return colours


def _colours(rng: np.random.Generator, count: int) -> list[Array]:
    """Colours for things of any kind: half of the time from one natural palette."""
    if rng.random() < 0.45:
        return _scheme(rng, count)
    palettes = rng.choice(list(_PALETTES), size=int(rng.integers(1, 3)))
    return [_pick(rng, str(rng.choice(palettes))) for _ in range(count)]


def _place(rng: np.random.Generator) -> tuple[float, float]:
    """A subject's (u, v): on a rule-of-thirds point, in the centre, or anywhere."""
    case = rng.random()
    if case < 0.45:
        u, v = rng.choice((1 / 3, 2 / 3), 2) + 0.03 * rng.standard_normal(2)
    elif case < 0.6:
        u, v = 0.5 + 0.02 * rng.standard_normal(2)
    else:
        u, v = rng.uniform(0.06, 0.94, 2)
    return float(u), float(v)


def _horizon(rng: np.random.Generator) -> tuple[float, float]:
    """A horizon's height as a share of the frame, and its tilt in degrees."""
    height = rng.choice((1 / 3, 2 / 3)) + 0.03 * rng.standard_normal()
    if rng.random() < 0.4:
        height = rng.uniform(0.15, 0.85)
    tilt = 0.4 * rng.standard_normal() if rng.random() < 0.6 else rng.uniform(-9, 9)
    return float(height), float(tilt)


def _lit(view: _View, normal: tuple[Array, Array, Array], colour: Colour, gloss: float) -> Array:
    """Lambert and Blinn-Phong shading of a surface: (h, w, 3).

    Args:
        view: Gives the light.
        normal: Components to the right, upwards and towards the viewer, of unit length.
        colour: One, or one per pixel.
        gloss: Strength of the highlight, 0..1.
    """
    facing = sum(n * np.float32(part) for n, part in zip(normal, view.light, strict=True))
    wrap = 0.35 * view.softness  # soft light reaches round the edge
    diffuse = np.maximum((facing + wrap) / (1 + wrap), 0)
    ambient = 0.12 + 0.3 * view.softness + 0.08 * normal[1]
    shaded = np.asarray(colour, np.float32) * (ambient + diffuse)[..., None]
    if gloss > 0:
        half = view.light + np.array([0, 0, 1.0])
        half /= np.linalg.norm(half)
        mirror = sum(n * np.float32(part) for n, part in zip(normal, half, strict=True))
        shine = np.maximum(mirror, 0) ** np.float32(12 + 60 * gloss) * np.float32(gloss)
        shaded = shaded + shine[..., None]
    return shaded.astype(np.float32)


def _shadow(view: _View, x: float, y: float, half: float, flat: float = 0.3) -> None:
    """The shadow of a thing that stands at (x, y) and is 2 `half` wide."""
    away = -view.light[0] * half * 1.2
    soft = 0.3 + 0.7 * view.softness
    for centre, reach, depth in ((x + away, 1.7, 0.55), (x, 1.1, 0.5)):  # cast, then contact
        window = view.window(centre, y, half * reach * 1.6, half * reach * flat * 1.8)
        dx = (view.x[:, window[1]] - centre) / (half * reach)
        dy = (view.y[window[0]] - y) / (half * reach * flat)
        mask = np.clip((1.25 - np.sqrt(dx * dx + dy * dy)) / soft, 0, 1)
        view.darken(mask * np.float32(depth * (1.1 - 0.5 * view.softness)), window)


def _surface(rng: np.random.Generator, colour: Colour, shape: tuple[int, int]) -> Array:
    style = str(rng.choice(("plain", "stretched", "ridged")))
    return _textured(rng, colour, _texture(rng, shape, style), rng.uniform(0.02, 0.25))


def _ball(view: _View, x: float, y: float, radius: float, colour: Colour, squash: float) -> None:
    """A shaded ellipsoid about (x, y)."""
    window = view.window(x, y, radius, radius * squash)
    nx = (view.x[:, window[1]] - x) / radius
    ny = -(view.y[window[0]] - y) / (radius * squash)
    square = nx * nx + ny * ny
    if square.size == 0:
        return
    distance = np.sqrt(square)
    mask = _step((1 - distance) * np.float32(radius * view.short), 0.7)
    normal = (nx + 0 * ny, ny + 0 * nx, np.sqrt(np.maximum(1 - square, 0)))
    skin = _surface(view.rng, colour, square.shape)
    view.paint(mask, _lit(view, normal, skin, view.rng.uniform(0, 0.9)), window)


def _profile(rng: np.random.Generator, along: Array) -> Array:
    """Half-width, at most 1, of a turned vessel; `along` is 0 at its top and 1 at its foot."""
    shape = rng.integers(4)
    if shape == 0:  # bottle
        neck = rng.uniform(0.25, 0.45)
        return neck + (1 - neck) * _step(along - np.float32(rng.uniform(0.3, 0.45)), 0.1)
    if shape == 1:  # vase
        waist, phase = rng.uniform(0.2, 0.4), rng.uniform(0.5, 2.5)
        return 1 - waist + np.float32(waist) * np.sin(along * 5 + np.float32(phase))
    if shape == 2:  # cup
        return 1 - np.float32(rng.uniform(0, 0.4)) * along
    edge = np.minimum(along, 1 - along) * 8  # jar
    return np.sqrt(np.clip(1 - (1 - np.minimum(edge, 1)) ** 2 * 0.6, 0, 1))


def _vessel(view: _View, x: float, y: float, half_x: float, half_y: float, colour: Colour) -> None:
    """A bottle, vase, cup or jar about (x, y)."""
    window = view.window(x, y, half_x, half_y)
    along = (view.y[window[0]] - np.float32(y - half_y)) / np.float32(2 * half_y)
    inside = _step(np.minimum(along, 1 - along) * np.float32(2 * half_y * view.short), 0.7)
    half = half_x * np.maximum(_profile(view.rng, np.clip(along, 0, 1)), 0.05)
    nx = (view.x[:, window[1]] - x) / half
    if nx.size == 0:
        return
    mask = _step((1 - np.abs(nx)) * (half * view.short), 0.7) * inside
    nx = np.clip(nx, -1, 1)
    normal = (nx * 0.97, np.full_like(nx, 0.2), np.sqrt(np.maximum(1 - nx * nx, 0)) * 0.97)
    skin = _surface(view.rng, colour, nx.shape)
    if view.rng.random() < 0.4:  # a label
        band = (along > 0.5) & (along < 0.8)
        skin = np.where(band[..., None], _pick(view.rng, "fabric"), skin)
    view.paint(mask, _lit(view, normal, skin, view.rng.uniform(0.1, 1.0)), window)


def _polygon(view: _View, points: list[tuple[float, float]], colour: Colour, gain: float) -> None:
    """A flat textured polygon; points are (x, y)."""
    array = np.array(points)
    low, high = array.min(0), array.max(0)
    middle, half = (low + high) / 2, (high - low) / 2
    window = view.window(*middle, *half)
    shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    if min(shape) < 1:
        return
    drawn = Image.new("L", (shape[1] * 2, shape[0] * 2))  # twice the size, to smooth the edge
    corner = np.array([window[1].start, window[0].start])
    scaled = (array * view.short - corner) * 2
    ImageDraw.Draw(drawn).polygon([tuple(point) for point in scaled.tolist()], fill=255)
    mask = np.asarray(drawn.reduce(2), np.float32) / 255
    view.paint(mask, _textured(view.rng, colour, _texture(view.rng, shape), gain), window)


def _box(view: _View, x: float, y: float, half_x: float, half_y: float, colour: Colour) -> None:
    """A box seen from a corner, slightly above; (x, y) is its centre."""
    split = x + half_x * view.rng.uniform(-0.5, 0.5)
    lid, top, base = half_y * view.rng.uniform(0.1, 0.35), y - half_y, y + half_y
    left, right, gain = x - half_x, x + half_x, view.rng.uniform(0.03, 0.2)
    sides = np.clip(0.55 + 0.45 * np.array([-view.light[0], view.light[0]]), 0.15, 1)
    shades = (*sides, 0.6 + 0.5 * view.light[1])
    faces = (
        [(left, top + lid), (split, top + 2 * lid), (split, base), (left, base - lid)],
        [(split, top + 2 * lid), (right, top + lid), (right, base - lid), (split, base)],
        [(left, top + lid), (x + x - split, top), (right, top + lid), (split, top + 2 * lid)],
    )
    for points, shade in zip(faces, shades, strict=True):
        _polygon(view, points, np.asarray(colour) * np.float32(shade), gain)


def _blob(
    view: _View, x: float, y: float, half: tuple[float, float], colour: Colour, ragged: float
) -> None:
    """A rough-edged shaded lump: a bush, a crown, a rock, a head of hair."""
    window = view.window(x, y, half[0] * (1 + ragged), half[1] * (1 + ragged))
    dx = (view.x[:, window[1]] - x) / half[0]
    dy = (view.y[window[0]] - y) / half[1]
    square = dx * dx + dy * dy
    if square.size == 0:
        return
    smooth = 0.9 if ragged < 0.1 else view.rng.uniform(0, 0.5)  # cloth, or leaves and stone
    relief = _texture(view.rng, square.shape, rough=smooth)
    coarse = _texture(view.rng, square.shape, rough=0.8)
    mask = _step(1 - np.sqrt(square) + np.float32(0.3 * ragged) * (coarse + 0.6 * relief), 0.04)
    nz = np.sqrt(np.maximum(1 - square, 0.05))
    length = np.sqrt(square + nz * nz)
    normal = (dx / length, -dy / length, nz / length)
    lit = _lit(view, normal, colour, 0.0) * _bumps(view, relief, 0.2 + ragged)[..., None]
    view.paint(mask, _textured(view.rng, lit, relief, 0.1 + 0.35 * ragged), window)


@dataclass
class _Pieces:
    """Flat overlapping pieces, drawn in order as numbers on a map twice the canvas's size."""

    view: _View
    colours: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.map = Image.new("I", (self.view.width * 2, self.view.height * 2), 0)
        self.draw = ImageDraw.Draw(self.map)

    def add(self, points: NDArray[np.float64], colour: Array) -> None:
        """Lay a polygon with corners (n, 2) in short sides on top of the others."""
        self.colours.append(colour)
        corners = (points * (2 * self.view.short)).ravel().tolist()
        self.draw.polygon(corners, fill=len(self.colours))

    def paint(self, gain: float, drop: float) -> None:
        """Shade all pieces, each with its own gradient, and let upper ones shade lower ones.

        Args:
            gain: Strength of the texture.
            drop: Length of the cast shadows in short sides.
        """
        view, rng = self.view, self.view.rng
        ids = np.asarray(self.map)  # (2h, 2w); 0 where no piece lies
        count = len(self.colours) + 1
        table = np.array([np.zeros(3), *self.colours], np.float32)
        slopes = (0.6 * rng.standard_normal((count, 2))).astype(np.float32)
        texture = _texture(rng, view.shape, str(rng.choice(("plain", "stretched", "ridged"))))
        other = _texture(rng, view.shape)
        half_ids = ids[::2, ::2]
        mixed = np.where((half_ids & 1).astype(bool), texture, other)
        shade = 1 + slopes[half_ids, 0] * (view.x - view.right / 2) * 0.6
        shade += slopes[half_ids, 1] * (view.y - view.bottom / 2) * 0.6
        strength = rng.uniform(0.2, 1.0, count).astype(np.float32)
        shade = np.maximum(shade, 0.2) * np.exp(np.float32(gain) * strength[half_ids] * mixed)
        step = max(1, round(drop * view.short))
        across, down = round(-view.light[0] * step), round(view.light[1] * step)
        cast = (np.roll(half_ids, (down, across), (0, 1)) > half_ids).astype(np.float32)
        cast = ndimage.uniform_filter(cast, 2 + round(step * view.softness))
        shade *= 1 - np.float32(0.65 - 0.25 * view.softness) * cast
        covered = (ids > 0).reshape(view.height, 2, view.width, 2).mean((1, 3), dtype=np.float32)
        flat = sum(table[ids[i::2, j::2]] for i in (0, 1) for j in (0, 1))
        flat = flat / np.maximum(4 * covered, 0.25)[..., None]
        view.paint(covered, flat * shade[..., None])


def _outline(rng: np.random.Generator, x: float, y: float, radius: float) -> NDArray[np.float64]:
    """Corners (n, 2) of an ellipse, a lobed blob, a polygon or a strip about (x, y)."""
    style = rng.random()
    corners = 20 if style < 0.55 else int(rng.integers(3, 7))
    angles = np.arange(corners) * (2 * math.pi / corners)
    reach = np.full(corners, radius)
    if style < 0.3:
        reach *= 1 + 0.3 * np.sin(angles * rng.integers(2, 6) + rng.uniform(0, 6))
    elif style >= 0.55:
        reach *= rng.uniform(0.6, 1.2, corners)
    turn, thin = rng.uniform(0, math.pi), rng.uniform(0.15, 1.0)
    px, py = reach * np.cos(angles), reach * np.sin(angles) * thin
    cos, sin = math.cos(turn), math.sin(turn)
    return np.stack([x + cos * px - sin * py, y + sin * px + cos * py], 1)


def _backdrop(view: _View) -> float:
    """Fill the canvas with something out of focus; returns the blur in short sides."""
    rng = view.rng
    colours = _colours(rng, 4)
    ramp = view.y / view.bottom + np.float32(rng.uniform(-0.6, 0.6)) * view.x / view.right
    share = np.clip(ramp - ramp.min(), 0, 1)[..., None]
    view.rgb[:] = colours[0] * (1 - share) + colours[1] * share
    blotches = _texture(rng, view.shape, rough=0.9)
    view.rgb *= np.exp(np.float32(rng.uniform(0.05, 0.5)) * blotches)[..., None]
    if rng.random() < 0.4:
        pieces = _Pieces(view)
        for _ in range(int(rng.integers(5, 40))):
            x, y = rng.uniform(0, view.right), rng.uniform(0, view.bottom)
            pieces.add(_outline(rng, x, y, rng.uniform(0.03, 0.25)), colours[int(rng.integers(4))])
        pieces.paint(0.15, 0.02)
    blur = float(rng.choice((0.0, 0.008, 0.02, 0.04))) * rng.uniform(0.8, 1.25)
    view.blur(blur)
    return float(blur)


def _ground_plane(view: _View, below: Array, colour: Colour, gain: float, reach: float) -> Array:
    """A textured plane in perspective: (h, w, 3).

    Args:
        view: The canvas.
        below: Distance under the horizon in short sides, (h, w).
        colour: Its colour.
        gain: Strength of its texture.
        reach: Texture scale; greater is coarser.
    """
    style = view.rng.integers(3)
    tile = _tiles()[int(view.rng.integers(1, 4)) * 3 + (2 if style == 2 else 0)]
    near = np.maximum(below, 0.012)
    depth = np.float32(60 / reach) / near
    rows = (depth * np.float32(2.2)).astype(np.int32) % _TILE
    columns = ((view.x - view.right / 2) * depth * np.float32(8)).astype(np.int32) % _TILE
    pattern = tile[rows, columns] * np.clip(near * 5, 0.05, 1)  # far detail averages out
    pattern = 0.6 * pattern + 0.5 * _texture(view.rng, view.shape, "stretched", 0.5)
    return _textured(view.rng, colour, pattern, gain)


_SKIES = (  # zenith and horizon, encoded
    ((0.20, 0.42, 0.75), (0.68, 0.80, 0.90)),
    ((0.35, 0.55, 0.80), (0.85, 0.88, 0.88)),
    ((0.60, 0.65, 0.70), (0.80, 0.82, 0.83)),
    ((0.30, 0.35, 0.55), (0.95, 0.65, 0.40)),
    ((0.25, 0.22, 0.40), (0.90, 0.45, 0.35)),
    ((0.45, 0.50, 0.58), (0.75, 0.72, 0.70)),
    ((0.10, 0.20, 0.42), (0.55, 0.60, 0.75)),
)


def _sky(view: _View, below: Array) -> Array:
    """Paint the sky over the whole canvas; returns the colour of haze at the horizon."""
    rng = view.rng
    zenith, haze = (_linear(*c) for c in _SKIES[int(rng.integers(len(_SKIES)))])
    share = np.clip(-below / np.float32(rng.uniform(0.5, 1.0)), 0, 1)[..., None]
    view.rgb[:] = haze + (zenith - haze) * np.sqrt(share)
    sun_x, sun_y = rng.uniform(0, view.right), rng.uniform(0, 0.5)
    sun = np.hypot(view.x - sun_x, view.y - sun_y)
    glow = np.exp(-sun / np.float32(0.35)) * np.float32(rng.uniform(0.1, 0.6))
    view.rgb += glow[..., None] * (haze + 0.25)
    if rng.random() < 0.25:
        view.paint(_step(np.float32(0.035) - sun, 0.012), (2.5, 2.2, 1.7))
    if rng.random() < 0.75:
        style = "stretched" if rng.random() < 0.6 else "plain"
        cloud = _texture(rng, view.shape, style, rng.uniform(0.75, 1.0))
        cover = _step(cloud - np.float32(rng.uniform(-0.8, 1.4)), rng.uniform(0.3, 1.2))
        under = np.clip(0.9 + 0.25 * _bumps(view, cloud, 1.5) - 0.15 * cloud, 0.3, 1.4)
        view.paint(
            cover * np.float32(rng.uniform(0.4, 1)),
            (0.55 * haze + 0.4) * under[..., None],
        )
    view.light[0] = abs(view.light[0]) * (1 if sun_x > view.right / 2 else -1)
    return haze


def _landscape(view: _View) -> None:
    rng = view.rng
    height, tilt = _horizon(rng)
    line = height * view.bottom
    below = view.y - line - (view.x - view.right / 2) * np.float32(math.tan(math.radians(tilt)))
    haze = _sky(view, below)
    ridges = _ridges(view, below, haze)
    water = rng.random() < 0.3
    if water:
        _water(view, below, line)
    else:
        palette = str(rng.choice(("foliage", "foliage", "earth", "stone", "earth")))
        colour = np.array([0.75, 0.8, 0.88]) if rng.random() < 0.12 else _pick(rng, palette)
        plane = _ground_plane(view, below, colour, rng.uniform(0.15, 0.6), rng.uniform(0.4, 2))
        far = np.exp(-np.maximum(below, 0) * 12)[..., None] * np.float32(0.5)
        patches = _step(_texture(rng, view.shape, "stretched", 0.8) - rng.uniform(-1, 1.5), 0.6)
        plane += (0.8 * patches)[..., None] * (_pick(rng, palette) * 0.8 - plane)
        shade = _step(_texture(rng, view.shape, "stretched", 1.0) + 0.5, 0.8)  # of clouds
        plane *= (1 - rng.uniform(0, 0.6) * (1 - shade))[..., None]
        view.paint(_step(below * view.short, 0.8), plane + far * (haze - plane))
        if rng.random() < 0.25:
            _path(view, line, _pick(rng, str(rng.choice(("earth", "stone")))))
        if rng.random() < 0.6:
            _litter(view, line, palette)
    count = _growth(view, line, haze, water)
    count += _landscape_subject(view, line, water)
    view.facts.update(horizon_y=height, horizon_tilt=tilt, object_count=count + ridges)
    view.facts.update(background_blur=0.0)


def _ridges(view: _View, below: Array, haze: Array) -> int:
    """Hills behind the horizon, each nearer one darker and less hazy; returns their number."""
    rng = view.rng
    count = int(rng.choice((0, 1, 2, 3, 4), p=(0.2, 0.3, 0.25, 0.15, 0.1)))
    base = _pick(rng, str(rng.choice(("foliage", "stone", "earth"))))
    for index in range(count):
        near = (index + 1) / count
        line = _texture(rng, (1, view.width), rough=rng.uniform(0.6, 1), zoom=1)[0]
        line = ndimage.gaussian_filter1d(line, rng.uniform(0.5, 4))
        peak = rng.uniform(0.03, 0.3) * (1.2 - 0.8 * near)
        rise = peak * np.clip(0.7 + 0.5 * line, 0, 2.2)
        relief = _texture(rng, view.shape, str(rng.choice(("plain", "ridged"))), 0.4)
        body = _textured(rng, base * np.float32(rng.uniform(0.5, 1)), relief, 0.3 * near)
        body *= _bumps(view, relief, 0.6 * near)[..., None]
        veil = np.float32((1 - near) * 0.75 + rng.uniform(0, 0.2))
        mask = _step((below + rise[None, :].astype(np.float32)) * view.short, 0.8)
        view.paint(mask, body + veil * (haze - body))
    return count


def _water(view: _View, below: Array, line: float) -> None:
    """A lake or sea below the horizon, which mirrors what lies above it."""
    rng = view.rng
    ripple = _texture(rng, view.shape, "stretched", rng.uniform(0, 0.5))
    calm = np.clip(below * 4, 0.1, 1) * np.float32(rng.uniform(0.5, 7))
    pixels = np.arange(view.height)[:, None]
    mirror = (2 * line * view.short - pixels + ripple * calm * 2).astype(np.int32)
    mirror = np.clip(mirror, 0, max(int(line * view.short) - 1, 0))
    picture = view.rgb[mirror, np.arange(view.width)[None, :]]
    tint = _linear(rng.uniform(0.05, 0.3), rng.uniform(0.25, 0.5), rng.uniform(0.3, 0.6))
    share = np.clip(0.25 + below * np.float32(0.6), 0, 0.8)[..., None]
    surface = picture + share * (tint - picture)
    surface *= np.exp(np.float32(rng.uniform(0.05, 0.3)) * ripple)[..., None]
    view.paint(_step(below * view.short, 0.8), surface)


def _path(view: _View, line: float, colour: Colour) -> None:
    """A way that runs to the horizon."""
    rng = view.rng
    end, start = rng.uniform(0.2, 0.8) * view.right, rng.uniform(0, 1) * view.right
    wide = rng.uniform(0.1, 0.45)
    foot = view.bottom + 0.02
    near = [(start + wide, foot), (start - wide, foot)]
    _polygon(view, [(end - 0.008, line), (end + 0.008, line), *near], colour, 0.2)


def _litter(view: _View, line: float, palette: str) -> None:
    """Tufts of grass, or stones, over the ground, larger towards the viewer."""
    rng = view.rng
    pieces, count = _Pieces(view), int(rng.integers(40, 260))
    grass, colours = rng.random() < 0.7, [_pick(rng, palette) for _ in range(3)]
    scale, wind = rng.uniform(0.3, 1.2), rng.uniform(-0.1, 0.1)
    for index, depth in enumerate(np.sort(rng.uniform(0.02, 1.15, count))):
        x, y = rng.uniform(0, view.right), line + depth * (view.bottom - line)
        colour = colours[index % 3] * np.float32(rng.uniform(0.4, 1.3))
        if grass:
            pieces.add(_blade(rng, x, y, 0.22 * scale * depth, wind * depth), colour)
        else:
            stone = _outline(rng, x, y, 0.05 * scale * depth * rng.uniform(0.2, 1))
            stone[:, 1] = y + 0.5 * (stone[:, 1] - y)  # seen at a slant
            pieces.add(stone, colour)
    pieces.paint(0.25, 0.012)


def _growth(view: _View, line: float, haze: Array, water: bool) -> int:
    """Bushes, trees and rocks from far to near; returns how many."""
    rng = view.rng
    count = 0 if rng.random() < 0.35 else int(rng.integers(1, 16))
    room = view.bottom - line
    depths = np.sort(rng.uniform(0, 0.12 if water else 0.6, count) ** 1.5)
    tree = rng.random() < 0.6
    for depth in depths:
        x, y = rng.uniform(0, view.right), line + depth * room
        size = (0.025 + 0.3 * depth) * rng.uniform(0.6, 1.8)
        colour = _pick(rng, "foliage" if tree else "stone") * 0.8
        colour = colour + np.float32(0.35 * math.exp(-6 * depth)) * (haze - colour)
        _shadow(view, x, y, size * 0.8, 0.2)
        _blob(view, x, y - size * 0.7, (size * 0.8, size), colour, 0.5 if tree else 0.2)
    return count


def _landscape_subject(view: _View, line: float, water: bool) -> int:
    """Often one main thing on the land or water; returns 1 if there is one."""
    rng = view.rng
    if rng.random() < 0.3:
        return 0
    u, v = _place(rng)
    half = rng.uniform(0.05, 0.22)
    foot = max(v * view.bottom + half, line + 0.02 + 0.3 * half)
    x, y = u * view.right, foot - half
    options = (_boat, _person, _rock) if water else (_tree, _house, _person, _rock, _animal, _tower)
    if not water:
        _shadow(view, x, foot, half * 0.6, 0.15)
    wide = options[int(rng.integers(len(options)))](view, x, foot, half * 2)
    view.subject = _Subject(u, y / view.bottom, wide / view.right, half / view.bottom)
    return 1


# Each draws a thing that stands at (x, foot) and is `tall` high, and returns its half width.


def _tree(view: _View, x: float, foot: float, tall: float) -> float:
    rng = view.rng
    trunk, lean = tall * rng.uniform(0.02, 0.05), tall * rng.uniform(-0.06, 0.06)
    bark = _pick(rng, "wood") * 0.4
    points = [(x - trunk, foot), (x + trunk, foot), (x + lean + trunk / 2, foot - tall * 0.6)]
    _polygon(view, [*points, (x + lean - trunk / 2, foot - tall * 0.6)], bark, 0.3)
    colour = _pick(rng, "foliage")
    half = tall * rng.uniform(0.2, 0.4)
    for _ in range(int(rng.integers(1, 5))):
        dx, dy = rng.uniform(-0.35, 0.35) * half, rng.uniform(-0.1, 0.1) * tall
        middle = foot - tall * 0.66 + dy
        _blob(view, x + lean + dx, middle, (half * 0.8, tall * 0.27), colour, 0.6)
    return half


def _rock(view: _View, x: float, foot: float, tall: float) -> float:
    half = tall * view.rng.uniform(0.5, 0.9)
    _blob(view, x, foot - tall * 0.45, (half, tall * 0.5), _pick(view.rng, "stone"), 0.25)
    return half


def _house(view: _View, x: float, foot: float, tall: float) -> float:
    rng = view.rng
    half, eaves = tall * rng.uniform(0.45, 0.9), foot - tall * rng.uniform(0.45, 0.65)
    wall, roof = _pick(rng, "wall"), _pick(rng, str(rng.choice(("earth", "building", "stone"))))
    split = x + half * rng.uniform(-0.3, 0.4)
    lit, dim = (1.0, 0.6) if view.light[0] < 0 else (0.6, 1.0)
    left, right, top = x - half, x + half, foot - tall
    peak = (left + split) / 2
    _polygon(view, [(split, eaves), (right, eaves), (right, foot), (split, foot)], wall * dim, 0.08)
    gable = [(left, foot), (left, eaves), (peak, top), (split, eaves), (split, foot)]
    _polygon(view, gable, wall * lit, 0.08)
    slope = [(peak, top), (split, eaves), (right, eaves), (right - (split - peak), top)]
    _polygon(view, slope, roof * 0.7, 0.2)
    for _ in range(int(rng.integers(2, 6))):
        wx, wy = rng.uniform(left + 0.1 * half, right - 0.25 * half), rng.uniform(eaves, foot)
        w, h = half * 0.12, (foot - eaves) * 0.2
        top_y = min(wy, foot - h)
        corners = [(wx, top_y), (wx + w, top_y), (wx + w, top_y + h), (wx, top_y + h)]
        _polygon(view, corners, (0.03, 0.04, 0.05), 0.1)
    return half


def _tower(view: _View, x: float, foot: float, tall: float) -> float:
    rng = view.rng
    half, taper = tall * rng.uniform(0.06, 0.14), rng.uniform(0.5, 1)
    colour, top = _pick(rng, "wall"), foot - tall
    for share, shade in ((1.0, 1.0), (0.3, 0.65)):  # the dark side lies over the lit one
        side = -np.sign(view.light[0]) or 1.0
        inner = x - side * half * (1 if share == 1.0 else -0.2)
        corners = [(inner, foot), (x + side * half, foot), (x + side * half * taper, top)]
        edge = x + (inner - x) * taper
        _polygon(view, [*corners, (edge, top)], colour * np.float32(shade), 0.1)
    cap = [(x - half, top), (x + half, top), (x, top - half * rng.uniform(0.5, 2))]
    _polygon(view, cap, _pick(rng, "building"), 0.1)
    return half


def _person(view: _View, x: float, foot: float, tall: float) -> float:
    rng = view.rng
    cloth, legs, skin = _pick(rng, "fabric"), _pick(rng, "fabric") * 0.6, _pick(rng, "skin")
    w = tall * rng.uniform(0.1, 0.14)
    hip, neck = foot - tall * 0.47, foot - tall * 0.84
    stride = w * rng.uniform(0.1, 0.9)
    for side in (-1, 1):
        ankle = x + side * stride
        corners = [(x - w * 0.5 * (side < 0), hip), (x + w * 0.5 * (side > 0), hip)]
        corners += [(ankle + w * 0.2, foot), (ankle - w * 0.2, foot)]
        _polygon(view, corners, legs, 0.15)
        hand = x + side * w * rng.uniform(0.9, 1.6)
        arm = [(x + side * w * 0.6, neck), (x + side * w * 0.85, neck + 0.03 * tall)]
        _polygon(view, [*arm, (hand, hip), (hand - side * w * 0.3, hip)], cloth * 0.8, 0.15)
    body = [(x - w * 0.7, neck), (x + w * 0.7, neck), (x + w * 0.55, hip), (x - w * 0.55, hip)]
    _polygon(view, body, cloth, 0.2)
    _ball(view, x, foot - tall * 0.92, tall * 0.055, skin, 1.3)
    _blob(view, x, foot - tall * 0.96, (tall * 0.055, tall * 0.045), _pick(rng, "hair"), 0.15)
    return w


def _animal(view: _View, x: float, foot: float, tall: float) -> float:
    rng = view.rng
    colour = _pick(rng, str(rng.choice(("earth", "hair", "wood", "wall"))))
    long = tall * rng.uniform(0.5, 0.8)
    side = rng.choice((-1, 1))
    for place in (-0.7, -0.5, 0.5, 0.7):
        leg, thin = x + place * long * 0.9, tall * 0.045
        corners = [(leg - thin, foot - tall * 0.5), (leg + thin, foot - tall * 0.5)]
        _polygon(view, [*corners, (leg + thin * 0.7, foot), (leg - thin * 0.7, foot)], colour, 0.2)
    _blob(view, x, foot - tall * 0.55, (long, tall * 0.22), colour, 0.12)
    head = x + side * long * 0.95
    nape = [(head - side * long * 0.35, foot - tall * 0.6), (head, foot - tall * 0.85)]
    throat = [
        (head + side * long * 0.1, foot - tall * 0.75),
        (head - side * 0.1 * long, foot - tall * 0.45),
    ]
    _polygon(view, [*nape, *throat], colour * 0.85, 0.2)
    _blob(view, head, foot - tall * 0.85, (long * 0.25, tall * 0.12), colour, 0.12)
    return long


def _boat(view: _View, x: float, foot: float, tall: float) -> float:
    rng = view.rng
    half, deck = tall * rng.uniform(0.35, 0.6), foot - tall * 0.18
    hull = [(x - half, deck), (x + half, deck), (x + half * 0.7, foot), (x - half * 0.8, foot)]
    window = view.window(x, foot + tall * 0.1, half, tall * 0.12)
    view.darken(np.full(view.rgb[window].shape[:2], 0.35, np.float32), window)
    _polygon(view, hull, _pick(rng, "flower"), 0.15)
    sail = _pick(rng, "wall")
    _polygon(view, [(x, foot - tall), (x, deck - 0.02), (x + half * 0.9, deck - 0.02)], sail, 0.06)
    jib = [(x - 0.01, foot - tall * 0.95), (x - 0.01, deck - 0.02), (x - half * 0.8, deck - 0.02)]
    _polygon(view, jib, sail * 0.7, 0.06)
    return half


def _still_life(view: _View) -> None:
    rng = view.rng
    blur = _backdrop(view)
    line = rng.uniform(0.3, 0.75) * view.bottom
    if rng.random() < 0.75:
        below = view.y - np.float32(line) + 0 * view.x
        table = _pick(rng, str(rng.choice(("wood", "wall", "fabric", "stone"))))
        plane = _ground_plane(view, below, table, rng.uniform(0.05, 0.35), rng.uniform(1, 4))
        fall = 1 + np.float32(view.light[0] * 0.6) * (view.x - view.right / 2)
        view.paint(_step(below * view.short, 1.5), plane * fall[..., None])
    view.blur(blur * 0.5)
    count = int(rng.choice((1, 2, 3, 4, 6, 9), p=(0.4, 0.2, 0.15, 0.1, 0.1, 0.05)))
    u, v = _place(rng)
    half = rng.uniform(0.09, 0.24)
    colours = (
        _colours(rng, count) if rng.random() < 0.5 else [_pick(rng, "fruit") for _ in range(count)]
    )
    feet = np.sort(rng.uniform(line, view.bottom * 0.95, count - 1))
    for foot, colour in zip(feet, colours[1:], strict=True):  # the others stand behind
        _object(view, rng.uniform(0, view.right), foot, half * rng.uniform(0.3, 0.9), colour)
    view.blur(blur * 0.5 if rng.random() < 0.6 else 0.0)
    x, foot = u * view.right, max(v * view.bottom + half, line + 0.02)
    half_x, half_y = _object(view, x, foot, half, colours[0])
    view.subject = _Subject(
        u, (foot - half_y) / view.bottom, half_x / view.right, half_y / view.bottom
    )
    view.facts.update(object_count=count, background_blur=blur)


def _object(view: _View, x: float, foot: float, half: float, colour: Colour) -> tuple[float, float]:
    """A ball, vessel or box that stands at (x, foot); returns half its width and height."""
    rng = view.rng
    style = rng.random()
    if style < 0.45:
        squash = rng.uniform(0.75, 1.1)
        _shadow(view, x, foot - half * 0.1, half)
        _ball(view, x, foot - half * squash, half, colour, squash)
        return half, half * squash
    if style < 0.75:
        half_x, half_y = half * rng.uniform(0.35, 0.8), half * rng.uniform(0.9, 1.4)
        _shadow(view, x, foot, half_x)
        _vessel(view, x, foot - half_y, half_x, half_y, colour)
        return half_x, half_y
    half_x, half_y = half * rng.uniform(0.7, 1.1), half * rng.uniform(0.5, 1.1)
    _shadow(view, x, foot - half_y * 0.15, half_x)
    _box(view, x, foot - half_y, half_x, half_y, colour)
    return half_x, half_y


def _city(view: _View) -> None:
    rng = view.rng
    height, tilt = _horizon(rng)
    line = float(np.clip(height, 0.55, 0.92)) * view.bottom
    haze = _sky(view, view.y - line + 0 * view.x)
    count = int(rng.integers(3, 14))
    for index in range(count):
        near = (index + 1) / count
        half = rng.uniform(0.06, 0.2) * (0.6 + 0.6 * near)
        top = line - rng.uniform(0.15, 0.95) * line * (1.1 - 0.4 * near)
        x = rng.uniform(-0.05, 1.05) * view.right
        colour = _pick(rng, "building")
        colour = colour + np.float32(0.55 * (1 - near)) * (haze - colour)
        _building(view, (x - half, top, x + half, line), colour, 0.0)
    below = view.y - np.float32(line) + 0 * view.x
    street = _ground_plane(view, below, _pick(rng, "stone") * 0.6, 0.2, 1.5)
    view.paint(_step(below * view.short, 0.8), street)
    for _ in range(int(rng.choice((0, 0, 0, 2, 5, 8)))):  # trees along the street
        x, size = rng.uniform(0, view.right), rng.uniform(0.04, 0.14)
        foot = line + rng.uniform(0, 0.15) * (view.bottom - line)
        _shadow(view, x, foot, size * 0.5, 0.15)
        _tree(view, x, foot, size * 2)
    people = int(rng.choice((0, 0, 1, 2, 5, 9)))
    for index in range(people):
        u, _ = _place(rng)
        foot = line + rng.uniform(0.1, 0.9) * (view.bottom - line)
        tall = 0.08 + 0.5 * (foot - line)
        _shadow(view, u * view.right, foot, tall * 0.15)
        wide = _person(view, u * view.right, foot, tall)
        if index == people - 1 and people <= 2:
            middle = (foot - tall / 2) / view.bottom
            view.subject = _Subject(u, middle, wide / view.right, tall / 2 / view.bottom)
    view.tilt_after = tilt
    view.facts.update(horizon_y=line / view.bottom, horizon_tilt=tilt, background_blur=0.0)
    view.facts.update(object_count=count + people)


def _building(
    view: _View, edges: tuple[float, float, float, float], colour: Colour, glow: float
) -> None:
    """A front with rows of windows; edges are left, top, right, bottom; `glow` lights windows."""
    rng = view.rng
    left, top, right, base = edges
    window = view.window((left + right) / 2, (top + base) / 2, (right - left) / 2, (base - top) / 2)
    px, py = rng.uniform(0.025, 0.07), rng.uniform(0.03, 0.08)
    across, down = (view.x[:, window[1]] - left) / px, (view.y[window[0]] - top) / py
    shape = (down.shape[0], across.shape[1])
    if min(shape) < 2:
        return
    wide, tall = rng.uniform(0.3, 0.9), rng.uniform(0.4, 0.85)
    panes = ((across % 1) < wide) & ((down % 1) < tall)
    cells = rng.random((int(down.max()) + 2, int(across.max()) + 2)).astype(np.float32)
    state = cells[np.maximum(down, 0).astype(int), np.maximum(across, 0).astype(int)]
    wall = _textured(rng, colour, _texture(rng, shape), 0.12)
    wall *= (1 - np.float32(0.25) * (down % 1 > 0.92))[..., None]
    dark = np.array([0.06, 0.08, 0.1], np.float32) * (0.4 + 2.5 * state[..., None])
    if glow > 0:
        lamp = np.array([1.6, 1.0, 0.45], np.float32) * np.float32(glow)
        dark = np.where((state > 0.6)[..., None], lamp * state[..., None], dark * 0.1)
    body = np.where(panes[..., None], dark, wall)
    shade = np.ones(shape[1], np.float32)
    edge = rng.uniform(0.4, 1.0)  # where the front turns its corner away from the light
    columns = np.linspace(0, 1, shape[1])
    shade[columns > edge if view.light[0] < 0 else columns < 1 - edge] = 0.45
    view.rgb[window] = body * shade[None, :, None]


def _night(view: _View) -> None:
    rng = view.rng
    view.level = float(rng.uniform(0.17, 0.34))
    line = rng.uniform(0.5, 0.85) * view.bottom
    top, low = _linear(0.02, 0.04, rng.uniform(0.08, 0.2)), _linear(*rng.uniform(0.1, 0.45, 3))
    share = np.clip(view.y / line, 0, 1)[..., None]
    view.rgb[:] = top + (low - top) * share**2 + np.zeros_like(view.rgb)
    cloud = _texture(rng, view.shape, "stretched", 0.9)
    view.rgb *= np.exp(np.float32(rng.uniform(0.1, 0.6)) * cloud)[..., None]
    count = int(rng.integers(2, 14))
    for _ in range(count):
        x, half = rng.uniform(0, view.right), rng.uniform(0.05, 0.18)
        roof = line - rng.uniform(0.1, 0.8) * line
        colour = _pick(rng, "building") * np.float32(0.05)
        _building(view, (x - half, roof, x + half, line), colour, rng.uniform(0.2, 1))
    below = view.y - np.float32(line) + 0 * view.x
    if rng.random() < 0.5:
        _water(view, below, line)
    else:
        street = _ground_plane(view, below, _pick(rng, "stone") * 0.12, 0.3, 1.0)
        view.paint(_step(below * view.short, 0.8), street)
    blur = float(rng.choice((0.0, 0.0, 0.02, 0.035)))
    view.blur(blur)
    lights = int(rng.integers(3, 40))
    disc = rng.uniform(0.02, 0.06) if blur > 0 else 0.006
    for _ in range(lights):
        _lamp(view, rng.uniform(0, view.right), rng.uniform(0.3, 1.0) * view.bottom, disc)
    if rng.random() < 0.6:
        u, v = _place(rng)
        half = rng.uniform(0.12, 0.35)
        foot = v * view.bottom + half
        wide = _person(view, u * view.right, foot, half * 2)
        view.subject = _Subject(u, v, wide / view.right, half / view.bottom)
    view.facts.update(object_count=count + (view.subject is not None), background_blur=blur)
    view.facts.update(horizon_y=line / view.bottom, horizon_tilt=0.0)


def _lamp(view: _View, x: float, y: float, disc: float) -> None:
    """A light with its halo: a point, or a disc when out of focus."""
    rng = view.rng
    hue, pale = rng.choice((0.08, 0.1, 0.12, 0.55, 0.0, 0.35)), rng.uniform(0.2, 0.7)
    colour = _linear(*colorsys.hsv_to_rgb(hue, pale, 1)) * np.float32(rng.uniform(0.3, 1.5))
    radius = disc * rng.uniform(0.6, 1.3)
    window = view.window(x, y, radius * 6, radius * 6)
    distance = np.hypot(view.x[:, window[1]] - x, view.y[window[0]] - y) / radius
    halo = np.exp(-distance * np.float32(1.2)) * np.float32(0.5)
    light = _step((1 - distance) * np.float32(radius * view.short), 1.0) + halo
    view.rgb[window] += light[..., None] * colour


def _portrait(view: _View) -> None:
    rng = view.rng
    blur = _backdrop(view)
    u, v = _place(rng)
    v = float(np.clip(v, 0.2, 0.65))
    view.light[2] = max(view.light[2], 0.45)
    radius = rng.uniform(0.09, 0.22)
    x, y = u * view.right, v * view.bottom
    skin, hair, cloth = _pick(rng, "skin"), _pick(rng, "hair"), _pick(rng, "fabric")
    long = rng.random() < 0.5
    if long:
        _blob(view, x, y + radius * 0.5, (radius * 1.3, radius * 2.0), hair, 0.12)
    body = radius * rng.uniform(2.0, 2.8)
    neck = [(x - radius * 0.5, y + radius * 0.6), (x + radius * 0.5, y + radius * 0.6)]
    _polygon(
        view,
        [*neck, (x + radius * 0.6, y + 2.1 * radius), (x - radius * 0.6, y + 2.1 * radius)],
        skin * 0.55,
        0.05,
    )
    _blob(view, x, y + radius * 1.75 + body, (body, body), cloth, 0.06)
    _ball_matt(view, x, y, radius, skin)
    _face(view, x, y, radius, skin, hair)
    _blob(view, x, y - radius * 0.95, (radius * 1.08, radius * 0.62), hair, 0.15)
    view.subject = _Subject(u, v, radius * 1.1 / view.right, radius * 1.4 / view.bottom)
    view.facts.update(object_count=1, background_blur=blur)


def _ball_matt(view: _View, x: float, y: float, radius: float, colour: Colour) -> None:
    """A head: an egg without gloss."""
    window = view.window(x, y, radius, radius * 1.32)
    dy = (view.y[window[0]] - y) / np.float32(radius * 1.3)
    dx = (view.x[:, window[1]] - x) / (radius * (1 - 0.18 * np.clip(dy, 0, 1)))
    square = dx * dx + dy * dy
    if square.size == 0:
        return
    mask = _step((1 - np.sqrt(square)) * np.float32(radius * view.short), 0.8)
    normal = (dx * 0.9, -(dy + 0 * dx) * 0.9, np.sqrt(np.maximum(1 - 0.81 * square, 0.05)))
    skin = _textured(view.rng, colour, _texture(view.rng, square.shape, rough=0.7), 0.04)
    view.paint(mask, _lit(view, normal, skin, 0.12), window)


def _face(view: _View, x: float, y: float, r: float, skin: Colour, hair: Colour) -> None:
    """Brows, eyes, nose and mouth, at the usual places on a head of half width r."""
    rng = view.rng
    turn = rng.uniform(-0.25, 0.25) * r
    dark = np.asarray(skin) * np.float32(0.45)
    lips = np.asarray(skin) * np.array([0.75, 0.4, 0.4], np.float32)
    features: list[tuple[float, float, float, float, Colour]] = []
    for side in (-0.4, 0.4):
        features.append((side, -0.08, 0.24, 0.14, dark * 1.4))
        features.append((side, -0.06, 0.17, 0.075, (0.7, 0.68, 0.66)))
        features.append((side, -0.06, 0.075, 0.08, (0.03, 0.02, 0.02)))
        features.append((side, -0.3, 0.24, 0.045, hair))
    features += [(0.04, 0.3, 0.13, 0.07, dark * 1.2), (0.0, 0.62, 0.3, 0.085, lips)]
    features.append((0.0, 0.61, 0.27, 0.022, dark * 0.4))
    for dx, dy, half_x, half_y, colour in features:
        _spot(view, x + turn + dx * r, y + dy * r, half_x * r, half_y * r, colour)


def _spot(view: _View, x: float, y: float, half_x: float, half_y: float, colour: Colour) -> None:
    """A small soft-edged ellipse."""
    window = view.window(x, y, half_x * 1.4, half_y * 1.4)
    dx, dy = (view.x[:, window[1]] - x) / half_x, (view.y[window[0]] - y) / half_y
    view.paint(_step(1 - np.sqrt(dx * dx + dy * dy), 0.3) * np.float32(0.9), colour, window)


def _foliage(view: _View) -> None:
    rng = view.rng
    base = _pick(rng, "foliage")
    view.rgb[:] = _textured(rng, base * 0.25, _texture(rng, view.shape, rough=0.6), 0.5)
    leaves = rng.random() < 0.5
    pieces, count = _Pieces(view), int(rng.integers(120, 420))
    palette = [_pick(rng, "foliage") for _ in range(int(rng.integers(1, 4)))]
    wind = rng.uniform(-0.15, 0.15)
    for index in range(count):
        depth = 0.35 + 0.65 * index / count  # upper leaves catch more light
        colour = palette[index % len(palette)] * np.float32(depth * rng.uniform(0.7, 1.3))
        x = rng.uniform(-0.05, view.right + 0.05)
        if leaves:
            points = _leaf(rng, x, rng.uniform(0, view.bottom), rng.uniform(0.03, 0.12))
        else:
            foot = view.bottom * rng.uniform(0.3, 1.3)
            points = _blade(rng, x, foot, rng.uniform(0.15, 0.5), wind)
        pieces.add(points, colour)
    pieces.paint(0.2, rng.uniform(0.008, 0.03))
    light = _texture(rng, view.shape, rough=1.0, zoom=2)
    view.rgb *= np.exp(np.float32(rng.uniform(0, 0.5)) * light)[..., None]
    blur = 0.0
    flowers = int(rng.choice((0, 1, 1, 2, 5)))
    if flowers:
        blur = float(rng.choice((0.0, 0.01, 0.025)))
        view.blur(blur)
        _flowers(view, flowers)
    view.facts.update(object_count=flowers or math.nan, background_blur=blur)


def _leaf(rng: np.random.Generator, x: float, y: float, long: float) -> NDArray[np.float64]:
    along = np.linspace(0, 1, 7)
    half = np.sin(along * math.pi) ** 0.8 * long * rng.uniform(0.2, 0.4)
    px, py = np.r_[along, along[::-1]] * long, np.r_[half, -half[::-1]]
    turn = rng.uniform(0, 2 * math.pi)
    cos, sin = math.cos(turn), math.sin(turn)
    return np.stack([x + cos * px - sin * py, y + sin * px + cos * py], 1)


def _blade(
    rng: np.random.Generator, x: float, foot: float, tall: float, wind: float
) -> NDArray[np.float64]:
    along = np.linspace(0, 1, 6)
    bend = wind + 0.12 * rng.standard_normal()
    middle = x + bend * along**2 + 0.06 * rng.standard_normal() * along
    half = rng.uniform(0.004, 0.013) * (1 - along)
    height = foot - tall * along
    return np.stack([np.r_[middle - half, (middle + half)[::-1]], np.r_[height, height[::-1]]], 1)


def _flowers(view: _View, count: int) -> None:
    """Flowers with rings of petals; the first, and largest, is the subject."""
    rng = view.rng
    colour, heart = _pick(rng, "flower"), _pick(rng, "flower") * np.float32(0.7)
    petals, size = int(rng.integers(5, 18)), rng.uniform(0.08, 0.22)
    pieces, hearts = _Pieces(view), []
    for index in reversed(range(count)):
        u, v = _place(rng)
        radius = size if index == 0 else size * rng.uniform(0.4, 0.9)
        x, y, squash = u * view.right, v * view.bottom, rng.uniform(0.6, 1.0)
        for k in range(petals * 2):
            angle = 2 * math.pi * (k * 2 + (k >= petals)) / (2 * petals) + 0.1 * rng.normal()
            along = np.linspace(0, 1, 8)
            half = np.sin(along * math.pi) ** 0.7 * radius * min(0.3, 2.5 / petals)
            px, py = np.r_[along, along[::-1]] * radius, np.r_[half, -half[::-1]]
            cos, sin = math.cos(angle), math.sin(angle)
            points = np.stack([x + cos * px - sin * py, y + squash * (sin * px + cos * py)], 1)
            pieces.add(points, colour * np.float32(rng.uniform(0.65, 1.1)))
        hearts.append((x, y, (radius * 0.28, radius * 0.28 * squash)))
        if index == 0:
            view.subject = _Subject(u, v, radius / view.right, radius * squash / view.bottom)
    pieces.paint(0.12, 0.008)
    for x, y, half_sides in hearts:
        _blob(view, x, y, half_sides, heart, 0.3)


def _dead_leaves(view: _View) -> None:
    rng = view.rng
    colours = _colours(rng, int(rng.integers(3, 24)))
    view.rgb[:] = colours[0]
    pieces, count = _Pieces(view), int(rng.integers(30, 350))
    smallest = rng.uniform(0.012, 0.05)
    # Sizes follow a power law, so that the picture looks the same at any scale.
    radii = np.minimum(smallest / np.sqrt(rng.uniform(0.002, 1, count)), 0.5)
    for radius in radii:
        x, y = rng.uniform(0, view.right), rng.uniform(0, view.bottom)
        colour = colours[int(rng.integers(len(colours)))] * np.float32(rng.uniform(0.6, 1.3))
        pieces.add(_outline(rng, x, y, radius), colour)
    pieces.paint(rng.uniform(0.05, 0.45), rng.uniform(0.005, 0.03))
    view.facts.update(object_count=min(count, 30), background_blur=0.0)


def _closeup(view: _View) -> None:
    rng = view.rng
    style = str(rng.choice(("plain", "stretched", "ridged")))
    zoom = float(rng.choice((1, 1, 1, 2)))
    relief = _texture(rng, view.shape, style, rng.uniform(0, 0.65), zoom)
    case = rng.integers(5)
    if case == 0:  # weave
        pitch, turn = rng.uniform(0.015, 0.06), rng.uniform(0, math.pi)
        bend = np.float32(0.004) * _texture(rng, view.shape, rough=1.0)
        a = (view.x * math.cos(turn) + view.y * math.sin(turn) + bend) * (2 * math.pi / pitch)
        b = (view.y * math.cos(turn) - view.x * math.sin(turn) + bend) * (2 * math.pi / pitch)
        relief = (np.sin(a) * np.sign(np.sin(b / 2)) + np.sin(b) + 0.4 * relief).astype(np.float32)
    elif case == 1:  # bricks, tiles or planks
        px, py = rng.uniform(0.1, 0.6), rng.uniform(0.06, 0.25)
        row = np.floor(view.y / py)
        edge_x = np.abs((view.x / px + 0.5 * (row % 2)) % 1 - 0.5)
        edge_y = np.abs(view.y / py % 1 - 0.5)
        wobble = np.float32(0.012) * relief
        joint = np.maximum(edge_x * px - px / 2, edge_y * py - py / 2) + 0.014 + wobble
        relief = (0.5 * relief - 2.0 * _step(joint, 0.006)).astype(np.float32)
    elif case == 2:  # dunes, bark or wood grain
        pitch = rng.uniform(0.04, 0.2)
        warp = np.float32(rng.uniform(0.02, 0.1)) * _texture(rng, view.shape, rough=1.0)
        wave = np.sin((view.y + 0.4 * view.x + warp) * (2 * math.pi / pitch))
        relief = (1.5 * wave + 0.4 * relief).astype(np.float32)
    colour = _colours(rng, 1)[0]
    view.rgb[:] = _textured(rng, colour, relief, rng.uniform(0.05, 0.35))
    other = _texture(rng, view.shape, rough=0.9)
    stain = _step(other - np.float32(rng.uniform(0, 2)), 0.5) * np.float32(rng.uniform(0, 0.7))
    view.paint(stain, _colours(rng, 1)[0] * np.exp(0.3 * relief)[..., None])
    depth = rng.uniform(0.1, 0.6) / (0.3 + float(np.abs(np.diff(relief, axis=0)).mean()))
    view.rgb *= _bumps(view, relief, 0.4 * depth)[..., None]
    tilt = view.light[0] * (view.x - view.right / 2) - view.light[1] * (view.y - view.bottom / 2)
    view.rgb *= np.clip(1 + 0.8 * tilt, 0.25, None)[..., None]
    view.facts.update(background_blur=0.0)


def _plate(view: _View) -> None:
    """Food or small things on a round plate, from above."""
    rng = view.rng
    table = _pick(rng, str(rng.choice(("wood", "fabric", "stone", "wall"))))
    grain = _texture(rng, view.shape, str(rng.choice(("stretched", "plain"))))
    view.rgb[:] = _textured(rng, table, grain, rng.uniform(0.05, 0.25))
    u, v = _place(rng)
    x, y, radius = u * view.right, v * view.bottom, rng.uniform(0.2, 0.42)
    _shadow(view, x, y + 0.02, radius * 0.75, 1.0)
    china = _pick(rng, "wall")
    distance = np.hypot(view.x - x, view.y - y) / np.float32(radius)
    rim = 1 + 0.12 * np.sin(np.clip(distance - 0.65, 0, 0.35) * 18) * np.float32(view.light[1])
    view.paint(_step((1 - distance) * np.float32(radius * view.short), 0.8), china * rim[..., None])
    count = int(rng.choice((1, 2, 4, 7, 12)))
    palettes = rng.choice(("fruit", "foliage", "wood", "earth", "skin"), 2)
    for _ in range(count):
        angle, far = rng.uniform(0, 6.3), math.sqrt(rng.uniform(0, 0.3)) * radius
        bx, by = x + far * math.cos(angle), y + far * math.sin(angle)
        size = radius * rng.uniform(0.25, 0.5) / count**0.35
        colour = _pick(rng, str(rng.choice(palettes)))
        _shadow(view, bx, by + size * 0.3, size * 0.8, 0.9)
        if rng.random() < 0.5:
            _ball(view, bx, by, size, colour, rng.uniform(0.7, 1.0))
        else:
            _blob(view, bx, by, (size, size * rng.uniform(0.6, 1)), colour, rng.uniform(0.1, 0.5))
    view.symmetric = True
    view.subject = _Subject(u, v, radius / view.right, radius / view.bottom)
    view.facts.update(object_count=count + 1, background_blur=0.0)


def _room(view: _View) -> None:
    """A corridor or room in one-point perspective, often symmetric."""
    rng = view.rng
    u, v = (0.5, 0.5) if rng.random() < 0.5 else rng.uniform(0.3, 0.7, 2)
    half_x, half_y = rng.uniform(0.12, 0.3) * view.right, rng.uniform(0.12, 0.28) * view.bottom
    cx, cy = u * view.right, v * view.bottom
    left, right, top, base = cx - half_x, cx + half_x, cy - half_y, cy + half_y
    wall = _pick(rng, "wall")
    faces: list[tuple[list[tuple[float, float]], Colour, float]] = [
        ([(0, 0), (view.right, 0), (right, top), (left, top)], wall * 1.1, 0.03),
        ([(0, 0), (left, top), (left, base), (0, view.bottom)], wall * 0.8, 0.08),
        (
            [(view.right, 0), (right, top), (right, base), (view.right, view.bottom)],
            wall * 0.6,
            0.08,
        ),
        ([(left, top), (right, top), (right, base), (left, base)], wall * 0.9, 0.05),
    ]
    for points, colour, gain in faces:
        _polygon(view, points, colour, gain)
    below = view.y - np.float32(cy) + 0 * view.x
    floor = _ground_plane(view, below, _pick(rng, "wood"), rng.uniform(0.1, 0.3), 1.5)
    mask = np.asarray(
        _mask(view, [(0, view.bottom), (left, base), (right, base), (view.right, view.bottom)])
    )
    view.paint(mask, floor)
    glow = rng.uniform(0.6, 3.0)
    inset = rng.uniform(0.2, 0.5)
    pane = [
        (cx + s * half_x * inset, cy + t * half_y * (inset + 0.2 * (t > 0)))
        for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    _polygon(view, pane, np.asarray(_linear(0.8, 0.88, 0.95)) * np.float32(glow), 0.15)
    spread = np.hypot(view.x - cx, view.y - cy)
    view.rgb *= (0.45 + np.exp(-spread * np.float32(2.2)))[..., None]
    count = int(rng.integers(0, 5))
    for side in rng.choice((-1, 1), count):
        depth = rng.uniform(0.35, 0.9)
        foot = base + (view.bottom - base) * depth
        x = cx + side * (half_x + (view.right / 2 - half_x) * depth) * rng.uniform(0.5, 0.9)
        _object(view, x, foot, 0.05 + 0.12 * depth, _pick(rng, "fabric"))
    view.symmetric = True
    size = inset + 0.05
    view.subject = _Subject(u, v, size * half_x / view.right, size * half_y / view.bottom)
    view.facts.update(object_count=count + 1, background_blur=0.0)


def _mask(view: _View, points: list[tuple[float, float]]) -> Array:
    drawn = Image.new("L", (view.width * 2, view.height * 2))
    corners = [(x * 2 * view.short, y * 2 * view.short) for x, y in points]
    ImageDraw.Draw(drawn).polygon(corners, fill=255)
    return np.asarray(drawn.reduce(2), np.float32) / 255


def _in_the_open(view: _View) -> None:
    """One thing against a calm or blurred background: a bird in the sky, a dog on a lawn."""
    rng = view.rng
    u, v = _place(rng)
    tall = rng.uniform(0.12, 0.5)
    foot = v * view.bottom + tall / 2
    blur = _backdrop(view)
    if rng.random() < 0.4:
        _sky(view, view.y - np.float32(view.bottom * rng.uniform(0.8, 2)) + 0 * view.x)
        blur = 0.0
    elif rng.random() < 0.7:
        line = foot - tall * rng.uniform(0.1, 0.9)
        ground = _pick(rng, str(rng.choice(("foliage", "earth", "stone", "wood"))))
        below = view.y - np.float32(line) + 0 * view.x
        plane = _ground_plane(view, below, ground, rng.uniform(0.1, 0.5), rng.uniform(0.5, 2))
        view.paint(_step(below * view.short, 0.8), plane)
        view.blur(blur * 0.4)
        _shadow(view, u * view.right, foot, tall * 0.3, 0.15)
    options = (_animal, _person, _tree, _rock, _tower, _house)
    wide = options[int(rng.integers(len(options)))](view, u * view.right, foot, tall)
    view.subject = _Subject(u, v, wide / view.right, tall / 2 / view.bottom)
    view.facts.update(object_count=1, background_blur=blur)


KINDS: dict[str, tuple[Callable[[_View], None], float]] = {  # painter and share of scenes
    "landscape": (_landscape, 0.20),
    "still_life": (_still_life, 0.14),
    "city": (_city, 0.11),
    "night": (_night, 0.07),
    "portrait": (_portrait, 0.11),
    "foliage": (_foliage, 0.10),
    "dead_leaves": (_dead_leaves, 0.07),
    "closeup": (_closeup, 0.08),
    "plate": (_plate, 0.04),
    "room": (_room, 0.04),
    "in_the_open": (_in_the_open, 0.07),
}


@lru_cache(maxsize=256)
def _film(contrast: float = 1.0, pivot: float = 0.5) -> NDArray[np.uint8]:
    """Tone curve and sRGB encoding, indexed by 1023 times the square root of light in 0..4.

    A contrast above 1 is the slope of an S-curve in encoded values about the pivot.
    """
    light = (np.arange(2048) / 1023) ** 2
    shoulder = np.where(light < 0.6, light, 0.6 + 0.4 * np.tanh((light - 0.6) / 0.4 * 0.9))
    high = 1.055 * shoulder ** (1 / 2.4) - 0.055
    encoded = np.where(shoulder <= 0.0031308, shoulder * 12.92, high)
    if contrast > 1:
        extra = contrast - 1
        gain = 2 * math.sqrt(3 * extra + extra**2)  # nearly solves for the slope at the pivot
        bottom, top = math.tanh(-gain * pivot), math.tanh(gain * (1 - pivot))
        encoded = (np.tanh(gain * (encoded - pivot)) - bottom) / (top - bottom)
    return np.rint(np.clip(encoded, 0, 1) * 255).astype(np.uint8)


def _exposed(rgb: Array, contrast: float = 1.0, pivot: float = 0.5) -> NDArray[np.uint8]:
    index = np.sqrt(np.clip(rgb, 0, 4)) * np.float32(1023)
    return _film(contrast, pivot)[np.minimum(index, 2047).astype(np.int16)]


def _develop(view: _View) -> Image.Image:
    """Grade, expose for the wanted level, encode, and turn if the camera was tilted."""
    rng = view.rng
    rgb = view.rgb
    unevenness = _texture(rng, view.shape, rough=1.0, zoom=3)  # light is never quite even
    rgb *= np.exp(np.float32(0.06) * unevenness)[..., None]
    cast = 0.12 * rng.standard_normal()  # light from candle to shade
    rgb *= np.exp(np.array([cast, 0.1 * cast, -1.2 * cast])).astype(np.float32)
    grey = rgb.mean(2, keepdims=True)
    rgb[:] = grey + np.float32(rng.uniform(0.65, 1.2)) * (rgb - grey)
    np.maximum(rgb, 0, out=rgb)
    sample = rgb[::6, ::6]
    black = np.float32(0.85 * np.percentile(sample, 1))  # haze and veil taken off
    rgb -= black
    low, high = -8.0, 8.0
    for _ in range(9):
        middle = (low + high) / 2
        bright = _exposed(rgb[::6, ::6] * np.float32(2**middle)).mean() / 255 > view.level
        low, high = (low, middle) if bright else (middle, high)
    rgb *= np.float32(2**low)
    spread = float(_exposed(rgb[::6, ::6]).mean(2).std()) / 255
    contrast = float(np.clip(rng.uniform(0.14, 0.27) / max(spread, 0.01), 1.0, 2.4))
    if contrast > 1.05:  # the curve works by channel and enriches colour, which is taken off first
        grey = rgb.mean(2, keepdims=True)
        rgb[:] = grey + np.float32(contrast**-0.7) * (rgb - grey)
    image = Image.fromarray(_exposed(rgb, round(contrast, 1), round(view.level, 1)))
    return _turned(image, view.tilt_after) if abs(view.tilt_after) > 0.1 else image


def _turned(image: Image.Image, degrees: float) -> Image.Image:
    """Turn about the centre, enlarged just enough to hide the corners."""
    width, height = image.size
    angle = math.radians(degrees)
    ratio = max(width, height) / min(width, height)
    scale = 1 / (math.cos(angle) + ratio * abs(math.sin(angle)))
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    x, y = width / 2, height / 2
    matrix = (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def _attributes(view: _View, image: Image.Image) -> dict[str, float]:
    values = dict.fromkeys(ATTRIBUTES, math.nan)
    values.update({name: float(value) for name, value in view.facts.items()})
    values.update(light_x=float(view.light[0]), light_y=float(view.light[1]))
    values.update(light_softness=view.softness)
    if view.subject is not None:
        box = view.subject
        values.update(subject_x=box.u, subject_y=box.v)
        values.update(subject_size=min(1.0, 2 * math.sqrt(box.half_u * box.half_v)))
    values.update(_measured_colour(image))
    values["clutter"] = _measured_clutter(image)
    values["composition"] = _composition(view)
    count = values["object_count"]
    few = 1 / (1 + max(count - 1, 0) / 5) if math.isfinite(count) else 1 - values["clutter"]
    values["simplicity"] = (1 - values["clutter"]) * (0.4 + 0.6 * few)
    return values


def _measured_colour(image: Image.Image) -> dict[str, float]:
    pixels = np.asarray(image.reduce(4), np.float32).reshape(-1, 3) / 255  # (n, 3)
    high, low = pixels.max(1), pixels.min(1)
    chroma = high - low
    red, green, blue = pixels.T
    hue = np.arctan2(math.sqrt(3) * (green - blue), 2 * red - green - blue) / (2 * math.pi) % 1
    bins = np.bincount((hue * 36).astype(int) % 36, weights=chroma, minlength=36)
    means = pixels.mean(0)
    clusters, harmony = _hue_groups(bins / len(pixels))
    return {
        "light_level": float(means @ (0.299, 0.587, 0.114)),
        "warmth": float(np.clip(1.2 * (means[0] - means[2]) / (means.sum() / 3 + 0.02), -1, 1)),
        "saturation": float(chroma.mean()),
        "hue_clusters": clusters,
        "harmony": harmony,
    }


def _hue_groups(bins: NDArray[np.float64]) -> tuple[float, float]:
    """Number of hue groups and fit to the best scheme, of chroma in 36 bins of 10 degrees."""
    total = bins.sum()
    if total < 0.01:  # practically grey, which always agrees with itself
        return 0.0, 1.0
    smooth = ndimage.convolve1d(bins, np.array([1.0, 2, 3, 2, 1]), mode="wrap")
    peak = (smooth > np.roll(smooth, 1)) & (smooth >= np.roll(smooth, -1))
    clusters = float((peak & (smooth > 0.2 * smooth.max())).sum())
    best = 0.0
    for centres, reach in (((0,), 2), ((0,), 3), ((0, 18), 2), ((0, 12, 24), 1)):
        template = np.zeros(36)
        for centre in centres:
            template[np.arange(centre - reach, centre + reach + 1) % 36] = 1
        share = max(float(np.roll(template, k) @ bins) for k in range(36)) / total
        chance = template.mean()
        best = max(best, (share - chance) / (1 - chance))
    return clusters, best


def _measured_clutter(image: Image.Image) -> float:
    luma = np.asarray(image.convert("L").reduce(2), np.float32) / 255
    edges = np.abs(np.diff(luma, axis=0))[:, 1:] + np.abs(np.diff(luma, axis=1))[1:]
    rows, columns = edges.shape[0] // 8 * 8, edges.shape[1] // 8 * 8
    cells = edges[:rows, :columns].reshape(rows // 8, 8, columns // 8, 8).mean((1, 3))
    return float(np.mean(1 - np.exp(-((cells / 0.09) ** 1.5))))


def _composition(view: _View) -> float:
    """Mean of the subject's place, its room, and the horizon; NaN without any of them."""
    terms: list[float] = []
    box = view.subject
    if box is not None:
        thirds = min(
            math.hypot(box.u - a, box.v - b) for a in (1 / 3, 2 / 3) for b in (1 / 3, 2 / 3)
        )
        centre = math.hypot(box.u - 0.5, box.v - 0.5)
        central = (0.95 if view.symmetric else 0.5) * math.exp(-((centre / 0.1) ** 2))
        terms.append(max(math.exp(-((thirds / 0.13) ** 2)), central))
        margin = min(box.u - box.half_u, 1 - box.u - box.half_u)
        margin = min(margin, box.v - box.half_v, 1 - box.v - box.half_v)
        terms.append(min(1.0, max(0.0, (margin + 0.02) / 0.08)))
    height = view.facts.get("horizon_y", math.nan)
    if math.isfinite(height):
        away = min(abs(height - 1 / 3), abs(height - 2 / 3))
        terms.append(0.3 + 0.7 * math.exp(-((away / 0.12) ** 2)))
        terms.append(math.exp(-((view.facts["horizon_tilt"] / 3.5) ** 2)))
    return sum(terms) / len(terms) if terms else math.nan
