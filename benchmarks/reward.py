"""`AestheticScorer.reward`: its pixels beside the processor's, its share of the time, and what
becomes of a generator that is trained with it for too long.

    python benchmarks/reward.py --data OASIS_FOLDER --bank embedded:lite

The last part needs somebody whose true taste can be asked of any image: a simulated rater who likes
a known mix of warmth, light and colour, and dislikes what leaves the range of photographs, fine
grain included. The rater rates edited photos; a residual on other photos is then trained with the
reward, and the rater judges it, who is never asked during training.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.table import Table
from torch import nn

from aesthetic_tv.assets.edits import EDITS, apply_edit
from aesthetic_tv.personalization import InstantFit, PhotoFeatures, srocc
from aesthetic_tv.rewards import DampedReward, damped_reward
from aesthetic_tv.scorer import image_processor, load_photo
from aesthetic_tv.scorer.images import crop
from aesthetic_tv.scorer.tensor_pixels import resizing_of
from aesthetic_tv.task_vectors import TaskVectorBank
from common import machine, show

PIXELS, BATCH, LARGE = 200, 64, 512
SIDE = 224  # of the images that are trained
EDITED = ("warmth", "saturation", "exposure")
RATED, ALBUM, TRAINED = 50, 150, 4
PENALTIES = (0.0, 0.5, 1.0, 2.0)
LOOKS = (0, 5, 10, 20, 40)  # steps after which the rater is asked
# Sides of the residual that is trained, stretched over the photo: soft light and colour, or pixels.
GENERATORS = {"light and colour": 4, "pixels": SIDE}
NOISE, USUAL = 0.3, 1.5  # of a rating; how many deviations from the mean photo are liked


def as_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def pixels_apart(bank: TaskVectorBank, paths: list[Path]) -> Table:
    """Levels of 255 between the reward's pixels and the processor's."""
    processor = image_processor(bank.base.config)
    resizing = resizing_of(processor)
    table = Table("pixels", "photos", "max", "mean", "share off by a level")
    for name, rounded in (("smooth (the default)", False), ("rounded=True", True)):
        apart = []
        for path in paths:
            image = load_photo(path)
            found = 255 * resizing(as_tensor(image)[None], rounded=rounded)[0].numpy()
            apart.append(np.abs(found - crop(image, processor).astype(float)))
        every = np.concatenate([x.ravel() for x in apart])
        share = f"{(every > 0.75).mean():.3%}" if rounded else ""
        table.add_row(name, str(len(paths)), f"{every.max():.2f}", f"{every.mean():.2f}", share)
    return table


def seconds(run: Callable[[], object]) -> float:
    """Of the processor, which others on the machine do not lengthen much."""
    run()
    times = []
    for _ in range(2):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def time_taken(bank: TaskVectorBank) -> Table:
    """Of a batch of large images, beside the tower and head alone on pixels of their size."""
    scorer = bank.generic_scorer().requires_grad_(False)
    images = torch.rand(BATCH, 3, LARGE, LARGE)
    side = crop(Image.new("RGB", (64, 64)), image_processor(scorer.config)).shape[1]
    pixels = torch.randn(BATCH, 3, side, side)

    def there_and_back(score: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> None:
        score(x.requires_grad_()).sum().backward()
        x.grad = None
        x.requires_grad_(False)

    def alone(x: torch.Tensor) -> torch.Tensor:
        return scorer(x).scores

    table = Table(
        f"{BATCH} images of {LARGE} x {LARGE}, s of CPU",
        "tower alone",
        "reward",
        "beside the tower",
    )
    with torch.no_grad():
        tower, reward = seconds(lambda: alone(pixels)), seconds(lambda: scorer.reward(images))
    rows = [("forward", tower, reward)]
    tower = seconds(lambda: there_and_back(alone, pixels))
    rows.append(("there and back", tower, seconds(lambda: there_and_back(scorer.reward, images))))
    for name, tower, reward in rows:
        table.add_row(name, f"{tower:.2f}", f"{reward:.2f}", f"{reward / tower - 1:+.0%}")
    return table


class Rater:
    """A taste that can be asked of any image."""

    def __init__(self, photos: torch.Tensor, seed: int):
        self.weights = torch.from_numpy(np.random.default_rng(seed).normal(size=3)).float()
        self.weights /= self.weights.norm()
        seen = self._seen(photos)
        self.mean, self.deviation = seen.mean(0), seen.std(0)

    @staticmethod
    def _seen(images: torch.Tensor) -> torch.Tensor:
        """Warmth, light, colour and fine grain: (n, 4)."""
        red, _, blue = images.mean((2, 3)).T
        colour = (images.amax(1) - images.amin(1)).mean((1, 2))
        grain = (images - nn.functional.avg_pool2d(images, 3, 1, 1)).abs().mean((1, 2, 3))
        return torch.stack([red - blue, images.mean((1, 2, 3)), colour, grain], dim=1)

    def likes(self, images: torch.Tensor) -> torch.Tensor:
        """True liking (n,) of images (n, 3, H, W) in [0, 1], around 0."""
        z = (self._seen(images) - self.mean) / self.deviation
        return z[:, :3] @ self.weights - (z.abs() - USUAL).clamp_min(0).pow(2).sum(1)


def edited(paths: list[Path], seed: int) -> list[Image.Image]:
    random = np.random.default_rng(seed)
    photos = []
    for path in paths:
        image = load_photo(path)
        for kind in EDITED:
            if random.random() < 0.5:
                strength = random.uniform(EDITS[kind].low, EDITS[kind].high)
                image = apply_edit(image, kind, strength)
        photos.append(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return photos


def trained(
    reward: DampedReward, rater: Rater, photos: torch.Tensor, side: int
) -> list[tuple[float, ...]]:
    """A residual on photos, by Adam: score, spread and the rater's true liking at each look."""
    residual = nn.Parameter(torch.zeros(len(photos), 3, side, side))
    optimizer = torch.optim.Adam([residual], lr=0.05)
    start, looks = torch.logit(photos.clamp(0.02, 0.98)), []
    for step in range(max(LOOKS) + 1):
        stretched = nn.functional.interpolate(residual, (SIDE, SIDE), mode="bicubic")
        images = torch.sigmoid(start + stretched)
        score, spread = reward.score_and_spread(images, check=False)
        if step in LOOKS:
            liked = rater.likes(images.detach()).mean()
            looks.append((score.mean().item(), spread.mean().item(), liked.item()))
        optimizer.zero_grad()
        (reward.penalty * spread - score).sum().backward()
        optimizer.step()
    return looks


def hacking(bank: TaskVectorBank, paths: list[Path], raters: int) -> list[Table | str]:
    """Reward, spread and true liking by step and penalty, means over raters."""
    runs = [(name, penalty) for name in GENERATORS for penalty in PENALTIES]
    found: dict[tuple[str, float], list[np.ndarray]] = {run: [] for run in runs}
    agreement = []
    for seed in range(raters):
        order = np.random.default_rng(seed).permutation(len(paths))
        album = edited([paths[i] for i in order[:ALBUM]], seed)
        tensors = torch.stack([as_tensor(photo) for photo in album])
        rater = Rater(tensors, seed)
        likes = rater.likes(tensors).numpy()
        noisy = likes + NOISE * likes.std() * np.random.default_rng(seed).normal(size=ALBUM)
        levels = np.searchsorted(np.quantile(noisy, [0.1, 0.35, 0.65, 0.9]), noisy) + 1
        features = PhotoFeatures.compute(bank, album)
        rated = zip(album[:RATED], levels[:RATED].tolist(), strict=True)
        fit = InstantFit.of(features, list(rated), scale=(1, 5))
        agreement.append(srocc(fit.scores[RATED:], likes[RATED:]))
        chosen = [load_photo(paths[i]).resize((SIDE, SIDE)) for i in order[-TRAINED:]]
        start = torch.stack([as_tensor(photo) for photo in chosen])
        for name, penalty in runs:
            reward = damped_reward(fit, penalty=penalty)
            looks = trained(reward, rater, start, GENERATORS[name])
            found[name, penalty].append(np.array(looks))
    table = Table("trained", "penalty", "figure", *(f"step {step}" for step in LOOKS))
    for (name, penalty), looks in found.items():
        means = np.mean(looks, axis=0).T
        for figure, row in zip(("score", "spread", "true liking"), means, strict=True):
            table.add_row(name, f"{penalty:g}", figure, *(f"{x:+.2f}" for x in row))
    mean = np.mean(agreement)
    said = f"{raters} raters; SROCC of scores with the true liking of unrated photos: {mean:.2f}."
    return [said, table]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="OASIS, with its folder images/")
    parser.add_argument("--bank", default="embedded:lite")
    parser.add_argument("--raters", type=int, default=3)
    parser.add_argument("--parts", nargs="+", default=["pixels", "time", "hacking"])
    args = parser.parse_args()
    torch.manual_seed(0)
    bank = TaskVectorBank.from_pretrained(args.bank)
    paths = sorted((args.data / "images").glob("*.jpg"))
    show(machine())
    if "pixels" in args.parts:
        show(pixels_apart(bank, paths[:: len(paths) // PIXELS][:PIXELS]))
    if "time" in args.parts:
        show(time_taken(bank))
    if "hacking" in args.parts:
        show(*hacking(bank, paths, args.raters))


if __name__ == "__main__":
    main()
