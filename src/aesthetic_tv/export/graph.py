"""The module that is traced: from pixels, or from photos of any size, to a person's scores.

Resampling is written as two matrix products whose weights are made inside the graph from the
photo's size: every runtime has these operators, any size goes in, and no shape in the graph depends
on it. An antialiased resize as an operator of its own is none of this in OpenVINO or a browser.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import torch
from torch import nn

from aesthetic_tv.errors import ExportError, ScorerError
from aesthetic_tv.scorer.images import MAX_ASPECT
from aesthetic_tv.scorer.modeling_aesthetic_scorer import AestheticScorer
from aesthetic_tv.scorer.processors import (
    image_processor,
    normalization,
    output_size,
)
from aesthetic_tv.scorer.tensor_pixels import Resizing, resizing_of

# What goes into an exported graph: pixel values as the processor makes them, or photos as decoded.
Input: TypeAlias = Literal["pixels", "photos"]
INPUTS: tuple[Input, ...] = get_args(Input)
NAMES = {"pixels": "pixel_values", "photos": "photos"}
OUTPUTS = ("scores", "raw_scores")
LEVELS = 255


class ScoreGraph(nn.Module):
    """What an export holds: a scorer with what stands before and after its tower.

    Args:
        scorer: in evaluation mode, float32.
        takes: `pixels`, float32 (n, 3, h, w) as its image processor makes them; or `photos`, uint8
            (n, H, W, 3) of any one size, sRGB and upright.

    Raises:
        ExportError: `photos`, and the image processor does what cannot be part of a graph.
    """

    def __init__(self, scorer: AestheticScorer, takes: Input):
        super().__init__()
        self.config = scorer.config
        self.takes = takes
        self.scorer = scorer
        self.pixels = PhotoPixels(scorer) if takes == "photos" else None
        knots, ratings = scorer.config.calibration_scores, scorer.config.calibration_ratings
        self.calibration = None
        if knots is not None and ratings is not None:
            self.calibration = PiecewiseLinear(knots, ratings)

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """One batch, by the name of what goes in, to `scores` on the person's own scale and
        `raw_scores` on that of the bins, both float32 (n,).
        """
        (values,) = inputs.values()
        if self.pixels is not None:
            values = self.pixels(values)
        raw = self.scorer(values).scores
        told = raw if self.calibration is None else self.calibration(raw)
        return {"scores": told + 0.0, "raw_scores": raw}


class PiecewiseLinear(nn.Module):
    """A rising map, linear between its knots and constant beyond them: `numpy.interp`."""

    left: torch.Tensor
    width: torch.Tensor
    rise: torch.Tensor

    def __init__(self, knots: list[float], values: list[float]):
        super().__init__()
        left, height = torch.tensor(knots).double(), torch.tensor(values).double()
        self.register_buffer("left", left[:-1].float(), persistent=False)
        self.register_buffer("width", left.diff().float(), persistent=False)
        self.register_buffer("rise", height.diff().float(), persistent=False)
        self.lowest = float(values[0])

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """(n,) to (n,): how much of each step a score has climbed, added up."""
        climbed = ((raw[:, None] - self.left) / self.width).clamp(0, 1)  # (n, steps)
        return self.lowest + (climbed * self.rise).sum(1)


class PhotoPixels(nn.Module):
    """Photos uint8 (n, H, W, 3) to the tower's pixel values: what the image processor does on
    Pillow, with its rounding to 8 bits after each pass.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, scorer: AestheticScorer):
        super().__init__()
        processor = image_processor(scorer.config)
        try:
            self.resizing: Resizing = resizing_of(processor)
        except ScorerError as error:
            raise ExportError(
                f"the image processor {type(processor).__name__} resizes photos in a way that "
                "cannot be part of the graph. Export with --takes pixels, and give the graph what "
                "the image processor makes."
            ) from error
        self.size = tuple(output_size(processor))
        mean, deviation = normalization(processor)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """uint8 (n, H, W, 3) to float32 (n, 3, h, w)."""
        levels = photos.permute(0, 3, 1, 2).float()  # (n, 3, H, W)
        down, across = self._weights(levels)  # (h, H), (w, W)
        levels = _rounded(levels @ across.T)
        levels = _rounded(down @ levels)
        return (levels / LEVELS - self.mean) / self.deviation

    def _weights(self, levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What each row, and each column, of the result takes from the photo's."""
        rows = torch.arange(levels.shape[2], dtype=torch.float64)
        columns = torch.arange(levels.shape[3], dtype=torch.float64)
        height, width = rows[-1:] + 1, columns[-1:] + 1  # (1,): values, not shapes
        if self.resizing.strips:
            longest = MAX_ASPECT * torch.minimum(height, width)
            seen = torch.minimum(height, longest), torch.minimum(width, longest)
        else:
            seen = height, width
        made = self._resized(*seen)
        sides = zip((rows, columns), (height, width), seen, made, self.size, strict=True)
        mode = self.resizing.mode
        found = [resampling(*side, mode=mode).float() for side in sides]
        return found[0], found[1]

    def _resized(
        self, height: torch.Tensor, width: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Height and width before the middle is cut out."""
        size = self.resizing.size
        if self.resizing.mode is None:
            return height, width
        if len(size) == 2:
            return height * 0 + size[0], width * 0 + size[1]
        short = torch.minimum(height, width)
        return tuple((size[0] * side / short).floor() for side in (height, width))  # type: ignore[return-value]


def resampling(
    places: torch.Tensor,
    length: torch.Tensor,
    seen: torch.Tensor,
    made: torch.Tensor,
    kept: int,
    *,
    mode: str | None,
) -> torch.Tensor:
    """Weights (kept, length) of one axis, as Pillow has them; rows sum to 1.

    Args:
        places: 0 to length - 1, float64.
        length: of the axis, (1,).
        seen: how much of its middle is looked at, (1,).
        made: what that is resized to, (1,).
        kept: how much of the middle of that is kept.
        mode: of `Resizing`.
    """
    start = ((length - seen) / 2).floor()
    top = ((made - kept) / 2).floor()
    scale = seen / made
    centre = (torch.arange(kept, dtype=torch.float64) + top + 0.5)[:, None] * scale  # (kept, 1)
    within = places[None] - start  # (1, length)
    there = (within >= 0) & (within < seen)
    if mode in (None, "nearest-exact"):
        return ((within == centre.floor()) & there).double()
    support, shape = FILTERS[mode or ""]
    wide = scale.clamp(min=1)
    low = (centre - support * wide + 0.5).floor().clamp(min=0)
    high = torch.minimum((centre + support * wide + 0.5).floor(), seen)
    weights = shape((within - centre + 0.5) / wide)
    weights = torch.where(there & (within >= low) & (within < high), weights, 0.0)
    return weights / weights.sum(1, keepdim=True)


def _triangle(x: torch.Tensor) -> torch.Tensor:
    return (1 - x.abs()).clamp(min=0)


def _cubic(x: torch.Tensor) -> torch.Tensor:
    """Pillow's, with a = -0.5."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _lanczos(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x.abs() < 3, _sinc(x) * _sinc(x / 3), 0.0)


def _sinc(x: torch.Tensor) -> torch.Tensor:
    turn = torch.pi * x
    whole = x == 0
    return torch.where(whole, 1.0, turn.sin() / torch.where(whole, 1.0, turn))


# By the modes of `Resizing`: how far each filter reaches, and its shape.
FILTERS: dict[str, tuple[float, Callable[[torch.Tensor], torch.Tensor]]] = {
    "bilinear": (1.0, _triangle),
    "bicubic": (2.0, _cubic),
    "lanczos": (3.0, _lanczos),
}


def _rounded(levels: torch.Tensor) -> torch.Tensor:
    """To whole levels, halves up, as Pillow keeps them between the passes."""
    return (levels + 0.5).floor().clamp(0, LEVELS)
