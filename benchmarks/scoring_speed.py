"""How fast photos are scored, beside the ways in which others do it, and where the time goes.

    python benchmarks/scoring_speed.py --photos FOLDER --tower embedded:lite ViT-B/16

The others' steps are written again on the same tower, so that what is compared is the way to it:

- bare loop: photo by photo, decoded whole, through the scorer's own image processor;
- LAION predictor: photo by photo, decoded whole, CLIP's steps on Pillow, the embedding
  normalized in numpy, then the head (`simple_inference.py` of improved-aesthetic-predictor);
- pyiqa: photo by photo, decoded whole to a float tensor, resized in torch (`inference_cli.py`);
- DataLoader: batches, worker processes that decode whole.

Each photo is there twice: as it is, and as a camera would have made it, of 12 million pixels. Every
way is run in turn, several rounds; the best round counts, as a machine is never alone.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image, ImageOps
from rich import box
from rich.table import Table
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from aesthetic_tv.personalization import PhotoFeatures
from aesthetic_tv.scorer import (
    AestheticScorer,
    AestheticScorerConfig,
    image_processor,
    load_photo,
    passes,
)
from aesthetic_tv.scorer.images import crop, normalize
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show
from hub import VIT_B_16

CAMERA = (4000, 3000)
VIT = "ViT-B/16"
PROFILED = 24


def scorer_of(tower: str) -> AestheticScorer:
    """A bank's generic scorer, or one of the size of CLIP ViT-B/16 with random weights."""
    if tower == VIT:
        torch.manual_seed(0)
        return AestheticScorer(AestheticScorerConfig(vision_config=VIT_B_16)).eval()
    return TaskVectorBank.from_pretrained(tower).generic_scorer().eval()


def decoded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def bare_loop(scorer: AestheticScorer, paths: list[Path]) -> np.ndarray:
    processor, scores = image_processor(scorer.config), []
    for path in paths:
        pixels = processor(images=decoded(path), return_tensors="pt")["pixel_values"]
        scores.append(scorer(pixels).scores.item())
    return np.array(scores)


def laion(scorer: AestheticScorer, paths: list[Path]) -> np.ndarray:
    processor, scores = image_processor(scorer.config), []
    for path in paths:
        pixels = processor(images=decoded(path), return_tensors="pt")["pixel_values"]
        embedding = scorer.embed(pixels).numpy()
        length = np.linalg.norm(embedding, axis=-1, keepdims=True)
        unit = torch.from_numpy(embedding / length)
        distribution = scorer.head(unit * torch.from_numpy(length))
        scores.append((distribution @ scorer.bin_values).item())
    return np.array(scores)


def pyiqa(scorer: AestheticScorer, paths: list[Path]) -> np.ndarray:
    processor, scores = image_processor(scorer.config), []
    size, side = dict(processor.size), processor.crop_size["height"]
    mean = torch.tensor(processor.image_mean).view(3, 1, 1)
    deviation = torch.tensor(processor.image_std).view(3, 1, 1)
    for path in paths:
        levels = torch.from_numpy(np.array(decoded(path))).permute(2, 0, 1)
        image = levels.float()[None] / 255
        height, width = image.shape[2:]
        scale = size.get("shortest_edge", side) / min(height, width)
        target = (round(height * scale), round(width * scale))
        if "shortest_edge" not in size:
            target = (size["height"], size["width"])
        image = functional.interpolate(image, size=target, mode="bicubic", antialias=True)
        top, left = (target[0] - side) // 2, (target[1] - side) // 2
        pixels = (image[..., top : top + side, left : left + side] - mean) / deviation
        scores.append(scorer(pixels).scores.item())
    return np.array(scores)


class Decoded(Dataset):
    """Photos for the workers of a `DataLoader`."""

    def __init__(self, paths: list[Path], processor):
        self.paths, self.processor = paths, processor

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        image = decoded(self.paths[place])
        return self.processor(images=image, return_tensors="pt")["pixel_values"][0]


def data_loader(scorer: AestheticScorer, paths: list[Path]) -> np.ndarray:
    photos = Decoded(paths, image_processor(scorer.config))
    batches = DataLoader(photos, batch_size=32, num_workers=2)
    return np.concatenate([scorer(batch).scores.numpy() for batch in batches])


def ours(scorer: AestheticScorer, paths: list[Path]) -> np.ndarray:
    return scorer.score(paths, calibrated=False)


def at_once(scorer: AestheticScorer, paths: list[Path]) -> np.ndarray:
    """Ours, but for passes of as many photos as memory is quick for."""
    with mock.patch.object(passes, "BLOCK", 2**40):
        return ours(scorer, paths)


WAYS: dict[str, Callable[[AestheticScorer, list[Path]], np.ndarray]] = {
    "aesthetic_tv": ours,
    "aesthetic_tv, 32 photos a pass": at_once,
    "bare loop": bare_loop,
    "LAION predictor": laion,
    "pyiqa": pyiqa,
    "DataLoader, 2 workers": data_loader,
}


def camera_copies(paths: list[Path], folder: Path) -> list[Path]:
    """As a camera would have made them: 12 million pixels, some grain, JPEG."""
    random, made = np.random.default_rng(0), []
    for path in paths:
        large = np.asarray(decoded(path).resize(CAMERA, Image.Resampling.BICUBIC), dtype=np.float32)
        grain = random.normal(0, 2, large.shape[:2])[..., None]
        pixels = (large + grain).clip(0, 255).astype(np.uint8)
        made.append(folder / f"{len(made):05d}.jpg")
        Image.fromarray(pixels).save(made[-1], quality=90)
    return made


@torch.inference_mode()
def compare(scorer: AestheticScorer, sets: dict[str, list[Path]], rounds: int) -> Table:
    table = Table("way", *(f"{name}, photos/s" for name in sets), "scores apart, at most, in SD",
                  box=box.MARKDOWN)  # fmt: skip
    best = dict.fromkeys(itertools.product(WAYS, sets), np.inf)
    found: dict[tuple[str, str], np.ndarray] = {}
    for _ in range(rounds):
        for way, name in best:
            began = time.perf_counter()
            found[way, name] = WAYS[way](scorer, sets[name])
            best[way, name] = min(best[way, name], time.perf_counter() - began)
    for way in WAYS:
        apart = max(
            np.abs(found[way, name] - found["aesthetic_tv", name]).max() / found[way, name].std()
            for name in sets
        )
        speeds = (f"{len(sets[name]) / best[way, name]:.1f}" for name in sets)
        table.add_row(way, *speeds, f"{apart:.3f}")
    return table


@torch.inference_mode()
def profile(scorer: AestheticScorer, paths: list[Path]) -> Table:
    """Milliseconds a photo of each step, one after the other, on one core and on all."""
    table = Table("step", "ms a photo, one core", "all cores", box=box.MARKDOWN)
    processor, cores = image_processor(scorer.config), torch.get_num_threads()
    images = [load_photo(path) for path in paths]
    crops = np.stack([crop(image, processor) for image in images])
    pixels = normalize(crops, processor)
    side = scorer.config.tower.image_size
    steps: dict[str, Callable[[], object]] = {
        "decoded whole": lambda: [decoded(path) for path in paths],
        "decoded as far as is needed": lambda: [load_photo(x, short_side=side) for x in paths],
        "decoded, resized and cropped": lambda: [crop(path, processor) for path in paths],
        "normalized": lambda: normalize(crops, processor),
        "tower, batches of 1": lambda: scorer.score_pixels(pixels, batch_size=1),
        "tower, batches of 32": lambda: scorer.score_pixels(pixels, batch_size=32),
    }
    for name, step in steps.items():
        row = []
        for threads in (1, cores):
            torch.set_num_threads(threads)
            times = []
            for _ in range(3):
                began = time.perf_counter()
                step()
                times.append(time.perf_counter() - began)
            row.append(f"{1000 * min(times) / len(paths):.2f}")
        table.add_row(name, *row)
    return table


def features(tower: str, paths: list[Path], rounds: int) -> str:
    """Features of an album, for fits in milliseconds: by passes of both sizes, in turn."""
    bank, best = TaskVectorBank.from_pretrained(tower), dict[str, float]()
    for _ in range(rounds):
        for name, block in (("as they are", passes.BLOCK), ("as many as 2 GB hold", 2**40)):
            with mock.patch.object(passes, "BLOCK", block):
                began = time.perf_counter()
                PhotoFeatures.compute(bank, paths)
                best[name] = min(best.get(name, np.inf), time.perf_counter() - began)
    told = (f"{len(paths) / seconds:.1f} by passes {name}" for name, seconds in best.items())
    return f"Features of {len(paths)} photos, photos/s: " + ", ".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEGs")
    parser.add_argument("--tower", nargs="+", default=["embedded:lite", VIT])
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--camera", type=int, default=64, help="of 12 million pixels")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    paths = sorted(options.photos.glob("*.jpg"))[: options.count]
    with tempfile.TemporaryDirectory() as temporary:
        with Image.open(paths[0]) as first:
            small = f"{first.width} x {first.height}"
        large = camera_copies(paths[: options.camera], Path(temporary))
        sets = {small: paths, f"{CAMERA[0]} x {CAMERA[1]}": large}
        show(machine())
        for tower in options.tower:
            scorer = scorer_of(tower)
            show(f"\n{tower}: {len(paths)} and {len(large)} photos, best of {options.rounds}\n",
                 compare(scorer, sets, options.rounds))  # fmt: skip
            if tower != VIT:
                show(features(tower, paths, options.rounds))
            for name, photos in sets.items():
                show(f"\n{tower}, {name}\n", profile(scorer, photos[:PROFILED]))


if __name__ == "__main__":
    main()
