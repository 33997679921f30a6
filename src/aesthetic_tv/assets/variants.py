"""Edited variants of the sample photos, made when they are needed rather than shipped."""

import os
import shutil
from pathlib import Path

from PIL import Image

from aesthetic_tv.assets import sample_photos
from aesthetic_tv.assets.edits import apply_edit

__all__ = ["VARIANTS", "write_samples"]

QUALITY = 92  # of the JPEG files

# Each photo has edits that suit it; the ratings files name these variants.
VARIANTS: dict[str, tuple[tuple[str, float], ...]] = {
    "astronaut": (("saturation", -1.0),),
    "bee": (("warmth", -1.0),),
    "brushes": (("saturation", -1.0),),
    "cat": (("warmth", 1.0), ("warmth", -1.0)),
    "coffee": (("warmth", -1.0), ("exposure", -0.5)),
    "dandelions": (("warmth", 1.0), ("saturation", -1.0)),
    "fig": (("saturation", -1.0),),
    "gateway_at_dusk": (("saturation", 0.8), ("exposure", -0.5)),
    "hawa_mahal": (("warmth", -1.0), ("exposure", 0.4)),
    "horses": (("warmth", 1.0), ("exposure", -0.5)),
    "kingfisher": (("saturation", -1.0),),
    "lincoln_memorial": (("warmth", -1.0), ("exposure", 0.4)),
    "machu_picchu": (("warmth", 1.0), ("noise", 0.8)),
    "mountain_trail": (("saturation", 0.8), ("saturation", -1.0)),
    "musicians": (("blur", 0.8),),
    "opera_stage": (("exposure", 0.4),),
    "photographer": (("noise", 0.8), ("warmth", 1.0)),
    "red_panda": (("saturation", 0.8), ("warmth", -1.0)),
    "rocket": (("warmth", 1.0),),
    "sunset": (("saturation", 0.8), ("warmth", -1.0)),
    "swans": (("warmth", 1.0),),
    "temple": (("exposure", -0.5), ("warmth", 1.0)),
    "wine": (("saturation", -1.0),),
}


def write_samples(folder: str | os.PathLike[str]) -> list[Path]:
    """Copy the sample photos into a folder and make their variants, `cat-warmth+1.0.jpg` and such.

    Args:
        folder: made if need be; files of the same names are replaced.

    Returns:
        All of the pictures, sorted by name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for photo in sample_photos():
        written.append(folder / photo.name)
        shutil.copyfile(photo, written[-1])
        with Image.open(photo) as image:
            for kind, strength in VARIANTS.get(photo.stem, ()):
                written.append(folder / f"{photo.stem}-{kind}{strength:+.1f}.jpg")
                apply_edit(image, kind, strength).save(written[-1], quality=QUALITY)
    return sorted(written)
