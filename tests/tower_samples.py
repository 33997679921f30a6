"""A tiny random checkpoint of each family of towers, as its makers' repos are laid out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name

SIDE = 32
WIDE = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "image_size": SIDE, "patch_size": 8,
}  # fmt: skip
TEXT = {
    "hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16, "num_attention_heads": 2,
    "vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
DINOV2 = {key: value for key, value in WIDE.items() if key != "intermediate_size"} | {
    "mlp_ratio": 2, "layerscale_value": 0.7,
}  # fmt: skip
LITE = {
    "image_size": SIDE, "width_coefficient": 0.25, "depth_coefficient": 0.1, "hidden_dim": 320,
    "hidden_act": "relu6", "batch_norm_eps": 1e-3, "depth_divisor": 4, "drop_connect_rate": 0.0,
    "in_channels": [32, 16, 24, 40], "out_channels": [16, 24, 40, 24], "kernel_sizes": [3, 5, 3, 5],
    "strides": [1, 2, 2, 1], "num_block_repeats": [1, 2, 1, 1], "expand_ratios": [1, 6, 2, 6],
    "depthwise_padding": [],
}  # fmt: skip
SQUARE = {"height": SIDE, "width": SIDE}
CROPPED = {"size": {"shortest_edge": SIDE + 8}, "crop_size": SQUARE}


@dataclass(frozen=True)
class Sample:
    """A checkpoint of a family.

    Args:
        config: class of the configuration, of the whole checkpoint.
        model: class of the whole checkpoint.
        settings: of the configuration.
        processor: class of the image processor on Pillow, and its settings.
        embed: the whole checkpoint's embedding (n, D) of pixel values.
    """

    config: str
    model: str
    settings: dict[str, Any]
    processor: tuple[str, dict[str, Any]]
    embed: Callable[[Any, torch.Tensor], torch.Tensor] = lambda model, x: model(x).pooler_output

    def tower_config(self) -> Any:
        """The configuration of the vision part."""
        config = getattr(transformers, self.config)(**self.settings)
        return getattr(config, "vision_config", config)

    def make(self, seed: int = 0) -> Any:
        """The model, with nothing left at 0 or 1 that training would move."""
        torch.manual_seed(seed)
        config = getattr(transformers, self.config)(**self.settings)
        model = getattr(transformers, self.model)(config)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.5, 2.0)
        open_convolutions(model)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.02 * torch.randn(parameter.shape)
            if self.settings.get("squeeze_expansion_ratio") == 0:
                neutralize(model)
        return model.eval()

    def save(self, folder: Path, seed: int = 0) -> Any:
        """Save a checkpoint with its image processor; returns the model."""
        model = self.make(seed)
        model.save_pretrained(folder)
        name, settings = self.processor
        get_image_processor_class_from_name(name)(**settings).save_pretrained(folder)
        return model


def open_convolutions(model: nn.Module) -> None:
    """Let photos get through: as transformers draws them, the maps of deep towers are all but
    constant.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)


def neutralize(model: Any) -> None:
    """Make each excitation a multiplication by 1, as in a converted EfficientNet-Lite."""
    for block in model.encoder.blocks:
        for convolution in (block.squeeze_excite.reduce, block.squeeze_excite.expand):
            nn.init.zeros_(convolution.weight)
            nn.init.constant_(convolution.bias, 30.0)


def _projected(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    return model.visual_projection(model.vision_model(pixels).pooler_output)


def _of_part(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    return model.vision_model(pixels).pooler_output


SAMPLES: dict[str, Sample] = {
    "clip": Sample(
        "CLIPConfig", "CLIPModel",
        {"vision_config": WIDE, "text_config": TEXT, "projection_dim": 16},
        ("CLIPImageProcessorPil", CROPPED), _projected,
    ),
    "metaclip 2": Sample(
        "MetaClip2Config", "MetaClip2Model",
        {"vision_config": WIDE, "text_config": TEXT | {"pad_token_id": 0}, "projection_dim": 16},
        ("CLIPImageProcessorPil", CROPPED), _projected,
    ),
    "siglip": Sample(
        "SiglipConfig", "SiglipModel", {"vision_config": WIDE, "text_config": TEXT},
        ("SiglipImageProcessorPil", {"size": SQUARE}), _of_part,
    ),
    "siglip vision part": Sample(
        "SiglipVisionConfig", "SiglipVisionModel", WIDE,
        ("SiglipImageProcessorPil", {"size": SQUARE, "resample": 2}),
    ),
    "dinov2": Sample("Dinov2Config", "Dinov2Model", DINOV2, ("BitImageProcessorPil", CROPPED)),
    "dinov2 swiglu": Sample(
        "Dinov2Config", "Dinov2Model", DINOV2 | {"use_swiglu_ffn": True},
        ("BitImageProcessorPil", CROPPED),
    ),
    "dinov2 with registers": Sample(
        "Dinov2WithRegistersConfig", "Dinov2WithRegistersModel",
        DINOV2 | {"num_register_tokens": 3}, ("BitImageProcessorPil", CROPPED),
    ),
    "dinov3": Sample(
        "DINOv3ViTConfig", "DINOv3ViTModel", WIDE | {"num_register_tokens": 2},
        ("ViTImageProcessorPil", {"size": SQUARE, "resample": 2}),
    ),
    "dinov3 gated": Sample(
        "DINOv3ViTConfig", "DINOv3ViTModel", WIDE | {"use_gated_mlp": True},
        ("ViTImageProcessorPil", {"size": SQUARE, "resample": 2}),
    ),
    "aimv2": Sample(
        "Aimv2VisionConfig", "Aimv2VisionModel", WIDE, ("CLIPImageProcessorPil", CROPPED)
    ),
    "efficientnet": Sample(
        "EfficientNetConfig", "EfficientNetModel", LITE,
        ("EfficientNetImageProcessorPil", {"size": SQUARE, "include_top": True}),
    ),
    "efficientnet lite": Sample(
        "EfficientNetConfig", "EfficientNetModel", LITE | {"squeeze_expansion_ratio": 0.0},
        ("EfficientNetImageProcessorPil", {"size": SQUARE, "include_top": False}),
    ),
    # A family that nobody wrote an entry for.
    "vit": Sample("ViTConfig", "ViTModel", WIDE, ("ViTImageProcessorPil", {"size": SQUARE})),
    "resnet": Sample(
        "ResNetConfig", "ResNetModel",
        {"embedding_size": 8, "hidden_sizes": [16, 24], "depths": [1, 2], "layer_type": "basic"},
        ("ConvNextImageProcessorPil", {"size": {"shortest_edge": SIDE}}),
    ),
}  # fmt: skip

# Families that there is an entry for, and those that there is none for.
UNKNOWN = ["vit", "resnet"]
KNOWN = [name for name in SAMPLES if name not in UNKNOWN]
