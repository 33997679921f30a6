"""Passes through the tower in half precision, where the machine is faster at it."""

from typing import Literal, get_args

import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.devices import fast_dtype

Precision = Literal["auto", "float32", "bfloat16"]
WIDE = 512  # narrower towers gain nothing by bfloat16
BATCH = 32


def check_precision(precision: str) -> None:
    """Raises: SettingError: not one of `Precision`."""
    if precision not in get_args(Precision):
        raise SettingError(
            f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}."
        )


def tower_dtype(precision: Precision, scorer: AestheticScorer) -> torch.dtype:
    """What products inside the tower are taken in: `auto` is bfloat16 for wide towers on machines
    that multiply in it natively.
    """
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    wide = getattr(scorer.config.tower, "hidden_size", 0) >= WIDE
    return fast_dtype(scorer.device) if wide else torch.float32


def scores_of(
    scorer: AestheticScorer, pixel_values: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Scores (n,), with the products inside the tower in `dtype` and the head in its own: a score
    near 5 in bfloat16 would be known to 0.03 only.
    """
    half = dtype != torch.float32
    with torch.autocast(scorer.device.type, dtype if half else None, enabled=half):
        embeds = scorer.embed(pixel_values)
    distribution = scorer.head(embeds.to(scorer.dtype))
    return distribution @ scorer.bin_values.to(distribution.dtype)


@torch.inference_mode()
def all_scores(
    scorer: AestheticScorer, pixel_values: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """`scores_of` batch by batch, float64 (n,) on the CPU."""
    parts = (part.to(scorer.device) for part in pixel_values.split(BATCH))
    return torch.cat([scores_of(scorer, part, dtype).cpu().double() for part in parts])
