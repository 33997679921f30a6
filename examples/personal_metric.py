"""A taste as a metric, beside the generic one: python examples/personal_metric.py TASTE PHOTO ...

As pyiqa's metrics: tensors (n, 3, H, W) in [0, 1] to (n, 1), or a loss that can be trained with.
"""

import argparse

import numpy as np
import torch
from PIL import Image

from aesthetic_tv import create_metric


def main() -> None:
    """Judge photos of any size, then improve the first one's brightness by gradient."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("taste")
    parser.add_argument("photos", nargs="+")
    args = parser.parse_args()
    metric = create_metric(args.taste)
    loss = create_metric(args.taste, as_loss=True)
    for name in args.photos:
        image = np.asarray(Image.open(name).convert("RGB"), dtype=np.float32) / 255
        tensor = torch.from_numpy(image).movedim(2, 0)[None]
        gain = torch.ones(1, requires_grad=True)
        loss((gain * tensor).clamp(0, 1)).sum().backward()
        wish = "darker" if gain.grad > 0 else "brighter"  # the loss falls against the slope
        print(f"{metric(tensor).item():.2f}  {name}, rather {wish}")


if __name__ == "__main__":
    main()
