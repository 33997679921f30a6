"""Head directions: task vectors in the head alone, along what embeddings differ in most.

A handful of task vectors spans little of what people differ in; the leading directions of the
tower's embedding span more of it (benchmarks/RESULTS.md). Each becomes one more task vector:
tau_j = u v_j^T in the head's first layer, with v_j a principal direction of the embeddings e(x) of
many photos and u the way in which the hidden units move the score. To first order the score then
moves by v_j . (e(x) - m), so that weighing these vectors is a ridge regression on the embedding,
and still merges into a plain scorer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.files import config_value, read_tensors, write_tensors
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors.compression import dequantize, quantize
from aesthetic_tv.task_vectors.fingerprint import fingerprint

FILE = "head_directions.safetensors"
WEIGHT, BIAS = "head.hidden.weight", "head.hidden.bias"
BITS = 8
# A direction in which embeddings spread s times as far is taken to move scores s^DECAY times as
# far: between none (plain ridge) and proportional, where held-out photos are ranked best.
DECAY = 0.75
BATCH = 32


@dataclass(frozen=True, eq=False, repr=False)
class HeadDirections:
    """R task vectors u v_j^T of the head's first layer, for embeddings of width D.

    Args:
        push: u, float32 (H,): the change of the hidden units that raises a score by 1.
        codes, scales: v_j in 8 bits each, uint8 (R, D) and bfloat16 (R,), as `compression` has it.
        middle: m, float32 (D,): the mean embedding, at which no direction moves anything.
        learned_from: for the card: JSON.
    """

    push: torch.Tensor
    codes: torch.Tensor
    scales: torch.Tensor
    middle: torch.Tensor
    learned_from: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"HeadDirections({len(self.codes)} directions of an embedding {len(self.middle)} wide)"
        )

    @classmethod
    def of(
        cls, base: AestheticScorer, pixel_values: torch.Tensor, count: int = 192
    ) -> "HeadDirections":
        """The leading principal directions of many photos' embeddings; no rating is needed.

        They are scaled so that coefficients drawn from a standard normal distribution spread the
        scores of these photos by 1.

        Args:
            base: of the bank.
            pixel_values: (n, 3, H, W), the more varied the better.
            count: R at most; there are no more than n - 1, nor more than the embedding is wide.

        Raises:
            SettingError: fewer than 2 photos, or photos that all look the same to the tower.
        """
        if count < 1 or len(pixel_values) < 2:
            raise SettingError(
                f"head directions need a count of 1 or more and 2 photos or more; got {count} and "
                f"{len(pixel_values)}."
            )
        parts = [_embedded(base, part) for part in pixel_values.split(BATCH)]
        embeds = torch.cat([embeds for embeds, _ in parts]).double()
        pull = torch.cat([pulls for _, pulls in parts]).double().mean(0)  # mean of d s / d hidden
        middle = embeds.mean(0)
        _, spreads, axes = torch.linalg.svd(embeds - middle, full_matrices=False)
        spreads = spreads[: min(count, len(embeds) - 1)] / np.sqrt(len(embeds))
        spreads = spreads[spreads > 1e-6 * spreads[0]]
        if len(spreads) == 0 or not pull.norm() > 0:
            raise SettingError(f"the embeddings of these {len(embeds)} photos are all the same.")
        lengths = spreads**DECAY
        lengths /= (lengths * spreads).norm()
        codes, scales = quantize((axes[: len(lengths)] * lengths[:, None]).float(), BITS)
        return cls((pull / pull.square().sum()).float(), codes, scales, middle.float(),
                   {"num_photos": len(embeds)})  # fmt: skip

    def __len__(self) -> int:
        return len(self.scales)

    @cached_property
    def axes(self) -> torch.Tensor:
        """v_j, float32 (R, D)."""
        return dequantize(self.codes, self.scales, BITS, torch.empty(len(self), len(self.middle)))

    @cached_property
    def content_sha256(self) -> str:
        """Hash of what it holds."""
        return fingerprint(self._tensors())

    def slopes(self, embeds: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Derivatives of scores by beta.

        Args:
            embeds: (n, D), what went into the head.
            gradient: (n, H), of the scores by what came out of the head's first layer.

        Returns:
            float32 (n, R).
        """
        axes, middle, push = (x.to(embeds.device) for x in (self.axes, self.middle, self.push))
        along = (embeds.float() - middle) @ axes.T
        return (gradient.float() @ push)[:, None] * along

    def change(self, name: str, beta: torch.Tensor) -> torch.Tensor | None:
        """sum_j beta_j tau_j of one layer; `None` where there is none.

        Args:
            name: of the layer.
            beta: float32 (R,).
        """
        if name not in (WEIGHT, BIAS):
            return None
        direction = self.axes.to(beta.device).T @ beta
        push = self.push.to(beta.device)
        if name == WEIGHT:
            return torch.outer(push, direction)
        return -push * (direction @ self.middle.to(beta.device))

    def check(self, base: AestheticScorer) -> None:
        """Raise a `SettingError` where they are not of this base's size."""
        found = (len(self.push), len(self.middle))
        expected = tuple(base.get_parameter(WEIGHT).shape)
        if found != expected:
            raise SettingError(
                f"head directions for a first layer of shape {found} do not fit this base, whose "
                f"{WEIGHT} has {expected}; make them on this base with HeadDirections.of."
            )

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {name: getattr(self, name) for name in ("push", "codes", "scales", "middle")}

    def save(self, folder: Path) -> dict[str, Any]:
        """Write to the folder of a bank; returns the entry for its config."""
        write_tensors(folder / FILE, self._tensors())
        return {
            "path": FILE,
            "content_sha256": self.content_sha256,
            "learned_from": dict(self.learned_from),
        }

    @classmethod
    def load(cls, config: Path, entry: Any) -> "HeadDirections":
        """Those of the bank whose config file and entry these are.

        Raises:
            FormatError: not an entry of ours, or a file that is missing, damaged or another one.
        """
        if not isinstance(entry, dict) or entry.get("path") != FILE:
            raise FormatError(f"{config}: head_directions is {entry!r}; expected some in {FILE}.")
        path, tensors = config.parent / FILE, read_tensors(config.parent / FILE)
        learned_from = config_value(entry, "learned_from", dict, config)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        rows, width = shapes.get("scales", ()), shapes.get("middle", ())
        kinds = {name: tensor.dtype for name, tensor in tensors.items()}
        if (
            kinds != {"push": torch.float32, "codes": torch.uint8, "scales": torch.bfloat16,
                      "middle": torch.float32}
            or len(rows) != 1 or len(width) != 1 or shapes["codes"] != rows + width
        ):  # fmt: skip
            raise FormatError(f"{path} holds no head directions; fetch the whole bank again.")
        found = cls(**tensors, learned_from=learned_from)
        if found.content_sha256 != config_value(entry, "content_sha256", str, config):
            raise FormatError(
                f"{path} holds other head directions than {config} lists; fetch the whole bank "
                "again."
            )
        return found


@torch.enable_grad()
def _embedded(base: AestheticScorer, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings (n, D), and the gradients of the scores by the head's hidden units (n, H)."""
    with torch.no_grad():
        embeds = base.embed(pixels.to(base.device)).to(base.dtype)
    seen = dict[str, torch.Tensor]()

    def see(module: torch.nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor:
        seen["hidden"] = output.detach().requires_grad_()
        return seen["hidden"]

    handle = base.head.hidden.register_forward_hook(see)
    try:
        distribution = base.head(embeds)
        scores = distribution @ base.bin_values.to(distribution.dtype)
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(scores.sum(), seen["hidden"])
    return embeds.cpu(), gradient.cpu()
