"""Learning rates by layer and by step, dropout's seed, and a moving average of the weights."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.towers import few_numbers


def parameter_groups(
    scorer: AestheticScorer, *, lr: float, layer_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Groups for an optimizer: one for each depth, with and without weight decay.

    Args:
        scorer: of any family of towers.
        lr: peak learning rate at the top.
        layer_decay: each depth learns at this share of the rate of the one above it.
        weight_decay: of matrices; norms, biases and embeddings have none.

    Returns:
        Groups with `params`, `peak_lr`, `lr` and `weight_decay`.
    """
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    depths = scorer.depths()
    top = max(depths.values())
    for name, parameter in scorer.named_parameters():
        depth = depths[name]
        decayed = depth > 0 and not few_numbers(name, tuple(parameter.shape))
        groups.setdefault((depth, decayed), {"params": []})["params"].append(parameter)
    for (depth, decayed), group in groups.items():
        group["lr"] = group["peak_lr"] = lr * layer_decay ** (top - depth)
        group["weight_decay"] = weight_decay if decayed else 0.0
    return list(groups.values())


def rate(step: int, steps: int, warmup: float) -> float:
    """The share of the peak learning rate at a step: rising in a line over `warmup` of the steps,
    then falling as half a cosine.
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def set_rate(optimizer: Any, step: int, steps: int, warmup: float) -> float:
    """Set the learning rates for a step; a function of the step alone, so that a resumed run needs
    nothing but its number.

    Returns:
        The highest of them.
    """
    factor = rate(step, steps, warmup)
    for group in optimizer.param_groups:
        group["lr"] = factor * group["peak_lr"]
    return max(group["lr"] for group in optimizer.param_groups)


def seed_dropout(device: torch.device, seed: int) -> None:
    """Seed what dropout draws from on a device.

    As `torch.manual_seed` does, which takes 0.2 ms where there is no GPU: it notes down a traceback
    for each kind of device.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


class MovingAverage:
    """Exponential moving average of a module's parameters, sharded as they are.

    Args:
        module: whose parameters are followed.
        decay: of the average; less in the first steps, (1 + t) / (10 + t), so that it does not
            remember where it began.
    """

    def __init__(self, module: nn.Module, decay: float):
        self._module, self._decay, self.steps = module, decay, 0
        self.follow()

    def follow(self) -> None:
        """Begin at the weights that the module has now."""
        self.layers = {name: p.detach().clone() for name, p in self._module.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after an optimizer step."""
        self.steps += 1
        decay = min(self._decay, (1 + self.steps) / (10 + self.steps))
        parameters = (parameter.detach() for parameter in self._module.parameters())
        for average, parameter in zip(self.layers.values(), parameters, strict=True):
            average.lerp_(parameter, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block the module has the averaged weights."""
        kept = {name: p.detach().clone() for name, p in self._module.named_parameters()}
        _copy(self.layers, self._module)
        try:
            yield
        finally:
            _copy(kept, self._module)


@torch.no_grad()
def _copy(layers: Mapping[str, torch.Tensor], module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        parameter.copy_(layers[name])
