"""Simulated bursts: frames of real photos with slight edits of known kind and strength."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageChops
from tqdm import tqdm

from aesthetic_tv.assets.edits import EDITS, apply_edit

# What nobody wants, and what people want more or less of.
FLAWS = ("blur", "motion", "noise", "tilt")
TASTES = ("exposure", "warmth", "contrast", "saturation", "crop")
KINDS = (*FLAWS, *TASTES)
STRENGTHS = (0.1, 0.35)  # of a slight edit, where 1 is as much as anybody would make
BY_HAND = 0.03  # of a side: how far the camera moves between frames of a burst
MOTION = 0.03  # of the short side: the length of a smear at strength 1
FRAMES = 5


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of simulated bursts on disk, with times in their EXIF.

    Attributes:
        paths: of F frames.
        photo: (F,) number of the photo that each is made of.
        strengths: (F, kinds) of the edits; one frame of each photo has none.
    """

    paths: list[Path]
    photo: np.ndarray
    strengths: np.ndarray


def make_frames(photos: list[Path], out: Path, frames: int = FRAMES, seed: int = 0) -> Frames:
    """Frames of photos; those that are there from before are taken as they are.

    Within a burst 0.2 to 1.5 s lie between frames, between bursts 1 to 30 s.
    """
    random = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    paths, of_photo, strengths = [], [], []
    clock = datetime(2024, 5, 31, 10)
    for number, photo in enumerate(tqdm(photos, desc="frames")):
        whole = Image.open(photo).convert("RGB")
        clock += timedelta(seconds=random.uniform(1, 30))
        for frame in range(frames):
            edits = np.zeros(len(KINDS))
            if frame != number % frames:
                for kind in random.choice(len(KINDS), random.integers(1, 3), replace=False):
                    sign = -1 if _two_sided(KINDS[kind]) and random.random() < 0.5 else 1
                    edits[kind] = sign * random.uniform(*STRENGTHS)
            clock += timedelta(seconds=random.uniform(0.2, 1.5))
            moved = random.uniform(-BY_HAND, BY_HAND, 2)
            path = out / f"{number:03d}-{frame}.jpg"
            if not path.exists():
                image = _moved(whole, moved)
                for kind, strength in zip(KINDS, edits, strict=True):
                    image = _edited(image, kind, strength, seed=number * frames + frame)
                image.save(path, quality=92, exif=_exif(clock))
            paths.append(path)
            of_photo.append(number)
            strengths.append(edits)
    return Frames(paths, np.array(of_photo), np.array(strengths))


def _two_sided(kind: str) -> bool:
    return kind in EDITS and EDITS[kind].two_sided


def _edited(image: Image.Image, kind: str, strength: float, seed: int) -> Image.Image:
    if strength == 0:
        return image
    if kind == "motion":
        return _smeared(image, strength, np.random.default_rng(seed).uniform(0, np.pi))
    return apply_edit(image, kind, strength, seed=seed)


def _smeared(image: Image.Image, strength: float, angle: float) -> Image.Image:
    """The mean of the picture moved along a line, as of a camera that moves while it exposes."""
    length = MOTION * strength * min(image.size)
    steps = np.linspace(-length / 2, length / 2, 2 * max(2, round(length)) + 1)
    moved = [
        np.asarray(
            ImageChops.offset(image, round(step * np.cos(angle)), round(step * np.sin(angle))),
            dtype=np.float32,
        )
        for step in steps
    ]
    return Image.fromarray(np.mean(moved, axis=0).round().astype(np.uint8))


def _moved(image: Image.Image, by: np.ndarray) -> Image.Image:
    width, height = image.size
    left, top = width * (BY_HAND + by[0]), height * (BY_HAND + by[1])
    size = (1 - 2 * BY_HAND) * np.array(image.size)
    box = (left, top, left + size[0], top + size[1])
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def _exif(time: datetime) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Simulated"
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    tags[ExifTags.Base.DateTimeOriginal] = f"{time:%Y:%m:%d %H:%M:%S}"
    tags[ExifTags.Base.SubsecTimeOriginal] = f"{time:%f}"[:3]
    return exif
