"""A toy generator learns to please one person; another network, which it never sees, judges it.

    python examples/personal_reward.py --out before_and_after.png

The person is an invented one whose ratings come with the package. The generator paints a soft
picture of colours from noise. Rewarded for long, it leaves what photos look like: the spread of the
person's posterior grows there, and taking it off the reward (penalty 2) keeps the generator nearer.
It takes half a minute, and prints:

    penalty 0, step  0: reward 5.45, spread 0.40, judge 5.76
    penalty 0, step 40: reward 6.17, spread 0.48, judge 7.38
    penalty 2, step  0: reward 5.45, spread 0.40, judge 5.76
    penalty 2, step 40: reward 6.05, spread 0.45, judge 8.28
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from aesthetic_tv import InstantFit, Personalizer, PhotoFeatures, TaskVectorBank, damped_reward
from aesthetic_tv.assets import sample_ratings
from aesthetic_tv.assets.variants import write_samples
from aesthetic_tv.personalization.ratings_file import read_ratings

SIDE, IMAGES = 96, 4


def generator() -> nn.Module:
    """Noise (n, 8, 3, 3) to images (n, 3, SIDE, SIDE) in [0, 1]."""
    torch.manual_seed(0)
    grow = nn.Upsample((SIDE, SIDE), mode="bicubic")
    paint = nn.Sequential(nn.Conv2d(8, 16, 1), nn.Tanh(), nn.Conv2d(16, 3, 1))
    return nn.Sequential(grow, paint, nn.Sigmoid())


def main() -> None:
    """Learn a taste, train with it, show before and after."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("before_and_after.png"))
    parser.add_argument("--bank", default="embedded:lite", help="whose scorer rewards")
    parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_samples(folder)
        ratings = read_ratings(sample_ratings("golden-hour"), folder)
        album = PhotoFeatures.compute(TaskVectorBank.from_pretrained(args.bank), list(ratings))
        taste = InstantFit.of(album, ratings, scale=(1, 5))
        judge = Personalizer(TaskVectorBank.from_pretrained("embedded:tiny")).fit(ratings).scorer
        noise, rows = torch.randn(IMAGES, 8, 3, 3), []
        for penalty in (0.0, 2.0):
            reward, painter = damped_reward(taste, penalty=penalty), generator()
            optimizer = torch.optim.Adam(painter.parameters(), lr=0.05)
            for step in range(args.steps + 1):
                images = painter(noise)
                score, spread = reward.score_and_spread(images)
                if step in (0, args.steps):
                    rows.append(images.detach())
                    judged = judge.reward(images.detach()).mean()
                    print(
                        f"penalty {penalty:g}, step {step:2}: reward {score.mean():.2f}, "
                        f"spread {spread.mean():.2f}, judge {judged:.2f}"
                    )
                optimizer.zero_grad()
                (penalty * spread - score).mean().backward()
                optimizer.step()
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)  # (3, H, W)
    Image.fromarray((255 * sheet.movedim(0, 2).numpy()).astype(np.uint8)).save(args.out)


if __name__ == "__main__":
    main()
