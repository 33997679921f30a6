"""Training pictures of the embedded bank: rendered scenes and free photographs, edited by known
amounts, with everything that is known or measured about each.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scenes import render_scene
from scipy import ndimage

from aesthetic_tv.assets.edits import EDITS, apply_edit

SIDE = 224
EDIT_KINDS = (
    "crop",
    "tilt",
    "exposure",
    "contrast",
    "saturation",
    "warmth",
    "blur",
    "noise",
    "jpeg",
)
EDIT_SHARES = (0.0, 0.12, 0.3)  # chance of each edit on a picture: none, about one, several
SMALLEST = 240  # short side of a photograph, in pixels; smaller ones are soft before any edit
SCENE_FACTS = ("composition", "simplicity", "harmony", "clutter", "subject_x", "subject_y",
               "subject_size", "horizon_y", "object_count", "light_level")  # fmt: skip
MEASURES = ("colourfulness", "brightness", "spread", "shadows", "highlights", "warm", "detail",
            "fine_detail")  # fmt: skip
FACTS = (*EDIT_KINDS, *SCENE_FACTS, *(f"original_{name}" for name in MEASURES), *MEASURES)


@dataclass
class Pictures:
    """n pictures as the tower sees them and what is known of each.

    `crops` is uint8 (n, 3, 224, 224); `facts` maps each name of `FACTS` to float32 (n,), NaN where
    a fact does not exist for a picture (a photograph's true composition, say).
    """

    crops: np.ndarray
    facts: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.crops)


def make_pictures(
    count: int,
    photographs: Path,
    *,
    seed: int,
    workers: int = 2,
    scenes: float = 0.5,
    certain: Sequence[str] = (),
) -> Pictures:
    """Rendered scenes and random crops of the photographs, each with random edits.

    Args:
        count: n.
        photographs: their folder.
        seed: of all of it.
        workers: processes.
        scenes: share of the rendered ones.
        certain: kinds of edits that every picture has; all others by chance.
    """
    paths = sorted(p for p in photographs.glob("*.jpg") if min(Image.open(p).size) >= SMALLEST)
    if not paths:
        raise SystemExit(f"{photographs} holds no photographs; run scripts/free_pictures.py first.")
    seeds = np.random.SeedSequence(seed).generate_state(count)
    crops = np.empty((count, 3, SIDE, SIDE), np.uint8)
    rows = np.empty((count, len(FACTS)), np.float32)
    with ProcessPoolExecutor(workers) as pool:
        make = partial(_make, paths=paths, scenes=scenes, certain=certain)
        made = pool.map(make, seeds.tolist(), chunksize=64)
        for i, (crop, row) in enumerate(made):
            crops[i], rows[i] = crop, row
    return Pictures(crops, {name: rows[:, i] for i, name in enumerate(FACTS)})


_decoded: dict[Path, Image.Image] = {}  # each worker keeps the few dozen photographs


def _make(
    seed: int, paths: list[Path], scenes: float, certain: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    facts = dict.fromkeys(FACTS, np.nan)
    if random.random() < scenes:
        scene = render_scene(seed)
        original = scene.image
        facts |= {k: v for k, v in scene.attributes.items() if k in SCENE_FACTS}
    else:
        original = _photograph(random, paths)
    facts |= {f"original_{name}": value for name, value in measure(_central(original)).items()}
    edited = original
    share = random.choice(EDIT_SHARES)
    for kind in EDIT_KINDS:
        strength = 0.0
        if random.random() < share or kind in certain:
            strength = random.uniform(EDITS[kind].low, EDITS[kind].high)
            edited = apply_edit(edited, kind, strength, seed=seed)
        facts[kind] = strength
    final = _central(edited)
    facts |= measure(final)
    crop = np.asarray(final).transpose(2, 0, 1)
    return crop, np.array([facts[name] for name in FACTS], np.float32)


def _photograph(random: np.random.Generator, paths: list[Path]) -> Image.Image:
    """A random part of a random photograph, at the size of a rendered scene, maybe mirrored."""
    path = paths[random.integers(len(paths))]
    if path not in _decoded:
        _decoded[path] = Image.open(path).convert("RGB")
    image = _decoded[path]
    longest = min(image.size)
    side = min(longest, max(256, longest * random.uniform(0.35, 1.0)))
    x = random.uniform(0, image.width - side)
    y = random.uniform(0, image.height - side)
    part = image.resize((256, 256), Image.Resampling.BICUBIC, box=(x, y, x + side, y + side),
                        reducing_gap=2.0)  # fmt: skip
    if random.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return part


def _central(image: Image.Image) -> Image.Image:
    """What the scorer's preprocessing leaves of a picture of this size: the central 224 of 256."""
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)),
                         Image.Resampling.BICUBIC)  # fmt: skip
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    return image.crop((left, top, left + SIDE, top + SIDE))


def measure(image: Image.Image) -> dict[str, float]:
    """Simple statistics of a picture; colourfulness after Hasler and Suesstrunk (2003)."""
    rgb = np.asarray(image, np.float32)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    colourfulness = np.hypot(red_green.std(), yellow_blue.std()) + 0.3 * np.hypot(
        red_green.mean(), yellow_blue.mean()
    )
    coarse = ndimage.zoom(luma, 0.25, order=1)
    edges = np.hypot(np.diff(coarse, axis=0)[:, :-1], np.diff(coarse, axis=1)[:-1])
    fine = luma[:-1, :-1] - luma[1:, :-1] - luma[:-1, 1:] + luma[1:, 1:]
    return {
        "colourfulness": float(colourfulness),
        "brightness": float(luma.mean()),
        "spread": float(luma.std()),
        "shadows": float((luma < 12).mean()),
        "highlights": float((luma > 243).mean()),
        "warm": float((red - blue).mean()),
        "detail": float(np.log(edges.mean() + 1)),
        "fine_detail": float(np.log(np.abs(fine).mean() + 0.5)),
    }
