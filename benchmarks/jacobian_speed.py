"""What J of some photos costs beside one training step on the same photos, family by family.

    python benchmarks/jacobian_speed.py --repeats 5

A training step is a forward pass and a backward pass with the gradients of all weights, without the
optimizer. The two are run in turn, so that a machine that is busy at times is so for both. Weights
are random. Transformers have six blocks: of ViT-S/16, or of ViT-B/32, whose photos have few tokens
for its width. EfficientNets are of their real size.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from rich import box
from rich.table import Table

from aesthetic_tv.personalization.jacobian import jacobian
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from common import machine, show

VIT = {
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "image_size": 224,
    "patch_size": 16,
}
B0 = {"model_type": "efficientnet", "width_coefficient": 1.0, "depth_coefficient": 1.0,
      "hidden_dim": 1280, "image_size": 192}  # fmt: skip
B32 = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "patch_size": 32}
TOWERS = {
    "CLIP B/32": VIT | B32 | {"projection_dim": 512},
    "CLIP": VIT | {"projection_dim": 384},
    "MetaCLIP 2": VIT | {"model_type": "metaclip_2_vision_model", "projection_dim": 384},
    "SigLIP": VIT | {"model_type": "siglip_vision_model"},
    "DINOv2": VIT | {"model_type": "dinov2"},
    "DINOv3": VIT | {"model_type": "dinov3_vit"},
    "AIMv2": VIT | {"model_type": "aimv2_vision_model", "intermediate_size": 1024},
    "EfficientNet-B0": B0,
    "EfficientNet-Lite0": B0
    | {"hidden_act": "relu6", "batch_norm_eps": 1e-3, "squeeze_expansion_ratio": 0.0},
}


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def measured(scorer: AestheticScorer, options: argparse.Namespace) -> tuple[np.ndarray, int]:
    """Milliseconds per photo of (repeats, training step and J), and the number of layers."""
    side = scorer.config.tower.image_size
    pixels = torch.randn(options.photos, 3, side, side)
    labels = torch.rand(options.photos)
    stacked = {n: 0.01 * torch.randn(options.tasks, *p.shape) for n, p in scorer.named_parameters()}

    def step() -> None:
        scorer.zero_grad()
        scorer(pixels, labels=labels).loss.backward()

    def slopes() -> None:
        jacobian(scorer, pixels, stacked)

    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    rounds = [[seconds(work, clock) for work in (step, slopes)] for _ in range(options.repeats + 1)]
    return 1000 * np.array(rounds[1:]) / options.photos, len(stacked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--towers", nargs="+", choices=TOWERS, default=list(TOWERS))
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=["cpu", "wall"], default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = Table("tower", "px", "layers", "step, ms/photo", "J, ms/photo", "ratio", "least",
                  "most", box=box.MARKDOWN)  # fmt: skip
    for name in options.towers:
        torch.manual_seed(0)
        scorer = AestheticScorer(AestheticScorerConfig(vision_config=TOWERS[name])).eval()
        times, layers = measured(scorer, options)
        ratios = times[:, 1] / times[:, 0]
        figures = [f"{x:.1f}" for x in np.median(times, axis=0)]
        figures += [f"{x:.2f}" for x in (np.median(ratios), ratios.min(), ratios.max())]
        table.add_row(name, str(TOWERS[name]["image_size"]), str(layers), *figures)
    show(
        table,
        f"\n{options.photos} photos at once, K = {options.tasks}, {options.repeats} repeats, "
        f"{options.clock} time, {options.threads} thread(s); {machine()}",
    )


if __name__ == "__main__":
    main()
