"""Photos that are drawn by rules, with scores that are known: a bank's recipe without any download.

Each is a sky over land with a few things in it, at some light, colour and contrast between 0 and
1. A rule scores one of these; invented people weigh all three, each in a way of their own.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from aesthetic_tv.building.recipe import Made
from aesthetic_tv.files import atomic_folder, write_csv

TABLE, PHOTOS = "scores.csv", "photos"
WIDTH, HEIGHT = 96, 72
FACTS = ("light", "colour", "contrast")
LOWEST, HIGHEST = 1.0, 10.0
NOISE = 0.06  # of a score, as a share of the scale: nobody is exact
SHARED = 0.5  # of a person's weights that all have in common


def make_photos(made: Made, folder: Path) -> None:
    """Draw the photos of a recipe and write their table.

    Args:
        made: rule, number and seed.
        folder: made, or replaced where it holds such photos; `photos/` and `scores.csv`.

    Raises:
        OutputError: it holds something else, or cannot be written.
    """
    random = np.random.default_rng([made.seed, made.photos])
    facts = random.uniform(0, 1, (made.photos, len(FACTS)))
    names = [f"{number:04d}.png" for number in range(made.photos)]
    with atomic_folder(folder, marker=TABLE) as temporary:
        (temporary / PHOTOS).mkdir()
        for name, row in zip(names, facts, strict=True):
            draw(row, random).save(temporary / PHOTOS / name)
        if made.rule == "people":
            rated = _of_people(made, names, facts, random)
            write_csv(temporary / TABLE, [("photo", "user", "score"), *rated])
        else:
            scores = _on_scale(facts[:, FACTS.index(made.rule)], random)
            rows = zip(names, scores, strict=True)
            write_csv(temporary / TABLE, [("photo", "score"), *rows])


def draw(facts: np.ndarray, random: np.random.Generator) -> Image.Image:
    """One photo of these `FACTS`, each from 0 to 1."""
    light, colour, contrast = (float(fact) for fact in facts)
    image = Image.new("RGB", (WIDTH, HEIGHT), _tint(random))
    pen = ImageDraw.Draw(image)
    horizon = int(HEIGHT * random.uniform(0.4, 0.7))
    pen.rectangle((0, horizon, WIDTH, HEIGHT), fill=_tint(random))
    for _ in range(random.integers(5, 12)):
        x, y = random.uniform(0, (WIDTH, HEIGHT))
        size = random.uniform(4, 18)
        shape = pen.ellipse if random.random() < 0.5 else pen.rectangle
        shape((x, y, x + size, y + size), fill=_tint(random))
    pixels = np.asarray(image, dtype=np.float32)
    tones = pixels.mean(2, keepdims=True)
    hues = pixels - tones
    tones = (tones - tones.mean()) / max(float(tones.std()), 1.0) * (8 + 40 * contrast)
    hues = hues / max(float(hues.std()), 1.0) * (4 + 36 * colour)
    pixels = 55 + 145 * light + tones + hues
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _tint(random: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(x) for x in random.integers(20, 236, 3))


def _on_scale(liking: np.ndarray, random: np.random.Generator) -> list[float]:
    """Likings from 0 to 1 as scores, with the noise of whoever gives them."""
    noisy = np.clip(liking + NOISE * random.standard_normal(len(liking)), 0, 1)
    return [round(float(x), 2) for x in LOWEST + (HIGHEST - LOWEST) * noisy]


def _of_people(
    made: Made, names: list[str], facts: np.ndarray, random: np.random.Generator
) -> Iterator[tuple[str, str, float]]:
    """Each person's scores of all photos."""
    for number in range(made.people):
        own = random.dirichlet(np.ones(len(FACTS)))
        weights = SHARED / len(FACTS) + (1 - SHARED) * own
        scores = _on_scale(facts @ weights, random)
        yield from ((name, f"p{number:03d}", x) for name, x in zip(names, scores, strict=True))
