"""Small albums with raters, for the tests of the evaluation."""

from pathlib import Path

import numpy as np
from PIL import Image

from aesthetic_tv.evaluation.people import People, Person


def draw_photos(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Photos of different content, p00.png and on."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    paths = []
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        paths.append(folder / f"p{i:02d}.png")
        coarse.resize((48, 48), Image.Resampling.NEAREST).save(paths[-1])
    return paths


def raters(paths: list[Path], count: int, rated: int, seed: int = 0) -> People:
    """People who rate some of the photos at random from 1 to 5."""
    random = np.random.default_rng(seed)
    persons = []
    for i in range(count):
        rows = np.sort(random.choice(len(paths), rated, replace=False))
        ratings = random.integers(1, 6, rated).astype(float)
        ratings[:2] = 1, 5
        persons.append(Person(f"person {i}", rows, ratings))
    names = tuple(path.name for path in paths)
    return People(tuple(map(str, paths)), names, tuple(persons), (1.0, 5.0), "sample")


def write_folder(folder: Path, people: int = 3, photos: int = 26, rated: int = 20) -> Path:
    """The same as a folder of photos with a table."""
    sample = raters(draw_photos(folder / "images", photos), people, rated)
    lines = [
        f"{sample.names[row]},{person.name},{rating:g}"
        for person in sample.persons
        for row, rating in zip(person.rows, person.ratings, strict=True)
    ]
    (folder / "ratings.csv").write_text("\n".join(["photo,user,rating", *lines]) + "\n")
    return folder
