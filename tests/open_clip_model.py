"""A small model of open_clip's shape, and of the authors' around it: the reference to agree with.

Written from the published architecture: fused attention, `ln_pre`, `ln_post`, a projection that is
multiplied from the right, and a text tower that no scorer needs.
"""

import json
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

WIDTH, LAYERS, HEADS, PATCH, SIZE, EMBED = 32, 2, 2, 8, 32, 16
MODEL_CFG = {
    "embed_dim": EMBED,
    "vision_cfg": {
        "image_size": SIZE, "layers": LAYERS, "width": WIDTH, "patch_size": PATCH,
        "head_width": WIDTH // HEADS,
    },
    "text_cfg": {"context_length": 7, "vocab_size": 11, "width": 16, "heads": 2, "layers": 1},
}  # fmt: skip


class QuickGELU(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {"gelu": nn.GELU, "quick_gelu": QuickGELU}


class Block(nn.Module):
    def __init__(self, width: int, heads: int, act: str):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads)
        parts = [("c_fc", nn.Linear(width, 4 * width)), ("gelu", ACTIVATIONS[act]())]
        self.mlp = nn.Sequential(OrderedDict([*parts, ("c_proj", nn.Linear(4 * width, width))]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(L, n, width) to the same."""
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width: int, layers: int, heads: int, act: str):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, act) for _ in range(layers))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.resblocks:
            x = block(x)
        return x


class Vision(nn.Module):
    def __init__(self, act: str, layers: int, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((SIZE // PATCH) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, HEADS, act)
        self.proj = nn.Parameter(torch.randn(width, EMBED) * width**-0.5)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, SIZE, SIZE) to (n, EMBED)."""
        x = self.conv1(pixels).flatten(2).transpose(1, 2)  # (n, patches, width)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], dim=1)
        x = self.ln_pre(x + self.positional_embedding).transpose(0, 1)  # (L, n, width)
        return self.ln_post(self.transformer(x)[0]) @ self.proj


class OpenClip(nn.Module):
    """With `visual`, and the tensors of a text tower of one layer."""

    def __init__(self, seed: int = 0, act: str = "gelu", layers: int = LAYERS, width: int = WIDTH):
        super().__init__()
        torch.manual_seed(seed)
        self.visual = Vision(act, layers, width)
        self.transformer = Transformer(16, 1, 2, act)
        self.token_embedding = nn.Embedding(11, 16)
        self.positional_embedding = nn.Parameter(torch.randn(7, 16))
        self.ln_final = nn.LayerNorm(16)
        self.text_projection = nn.Parameter(torch.randn(16, EMBED))
        self.logit_scale = nn.Parameter(torch.tensor(2.6))
        with torch.no_grad():  # what begins as zeros and ones would hide a mistake
            for parameter in self.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        self.eval()


class Head(nn.Module):
    def __init__(self, hidden: int):
        super().__init__()
        self.projection = nn.Sequential(
            nn.Linear(EMBED, hidden),
            nn.GELU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, 10),
            nn.Sigmoid(),
        )

    def forward(self, embeds: torch.Tensor) -> torch.Tensor:
        bins = self.projection(embeds)
        return bins / bins.sum(1, keepdim=True)


class AuthorsModel(nn.Module):
    """The authors' model: `backbone` and `score_predictor`."""

    def __init__(self, backbone: OpenClip, seed: int, hidden: int = 24):
        super().__init__()
        torch.manual_seed(seed)
        self.backbone, self.score_predictor = backbone, Head(hidden)
        self.eval()

    @torch.no_grad()
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, SIZE, SIZE) to scores (n,)."""
        return self.score_predictor(self.backbone.visual(pixels)) @ torch.arange(1.0, 11.0)


def finetuned(seed: int, act: str = "gelu", hidden: int = 24, **sizes: int) -> AuthorsModel:
    """The model of seed 0 with noise on the vision tower, and a head of its own."""
    model = AuthorsModel(OpenClip(0, act, **sizes), seed, hidden)
    with torch.no_grad():
        for parameter in model.backbone.visual.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return model


def write_config(folder: Path, *, quick_gelu: bool = False, **settings: object) -> None:
    """`open_clip_config.json`; `settings` go to its `vision_cfg`."""
    vision = {**MODEL_CFG["vision_cfg"], **settings}
    model = {**MODEL_CFG, "vision_cfg": vision} | ({"quick_gelu": True} if quick_gelu else {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
