"""Modules without a rule: called again and differentiated photo by photo, each by itself.

Tokens and position tables, attention with fused weights, pooling heads, whatever a tower brings.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from aesthetic_tv.personalization import jacobian_rules
from aesthetic_tv.personalization.jacobian_rules import Taus, alike, contract


def _is_number(x: object) -> bool:
    return isinstance(x, torch.Tensor) and x.is_floating_point()


def numbers(value: Any) -> list[torch.Tensor]:
    """The tensors in a module's input or output that could have a gradient."""
    return [x for x in tree_leaves(value) if _is_number(x)]


def map_numbers(change: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    """The same structure, with its tensors of numbers changed."""
    return tree_map(lambda x: change(x) if _is_number(x) else x, value)


class Call:
    """One call of a module, during a forward pass over B photos.

    Args:
        module: that was called; its outputs (B, ...) depend on the photos.
        layers: of which the derivatives are wanted: their names in the module, and in the scorer.
        args, kwargs: what it was called with.
    """

    def __init__(self, module: nn.Module, layers: Mapping[str, str], args: tuple, kwargs: dict):
        self.module = module
        self.layers = layers
        inputs, self.layout = tree_flatten((args, kwargs))
        self.depend = [_is_number(x) and x.requires_grad for x in inputs]
        # In the precision of its weights: vmap does not go with autocast.
        dtype = next(module.parameters()).dtype
        self.inputs = [x.detach().to(dtype) if _is_number(x) else x for x in inputs]
        self.outputs: list[torch.Tensor] = []
        self.gradients: list[torch.Tensor] = []

    def watched(self, output: Any) -> Any:
        """A copy of the output, whose gradients will be noted down by the backward pass."""
        return map_numbers(self._watch, output)

    def _watch(self, x: torch.Tensor) -> torch.Tensor:
        place = len(self.outputs)
        self.outputs.append(x.detach())
        self.gradients.append(torch.zeros_like(x))
        # Not itself: where one output is computed from another, the gradient of the other would
        # count both. Nor a view, whose hook is lost when the model changes it in place.
        copy = x.clone()
        copy.register_hook(partial(self.gradients.__setitem__, place))
        return copy

    def contracted(self, tau: Taus) -> dict[str, torch.Tensor] | None:
        """<d s_i / d layer, tau_k> through this call, by the layers' names in the module.

        Args:
            tau: by the same names, float32 (K, *shape of the layer).

        Returns:
            (B, K) float32 each, or `None` where the module cannot be called with one photo.
        """
        count = len(self.outputs[0])
        rows = [isinstance(x, torch.Tensor) and x.shape[:1] == (count,) for x in self.inputs]
        # What has as many rows as there are photos belongs to them, but for a coincidence; not all
        # that belongs to them depends on them.
        for by_photo in (rows, self.depend):
            try:
                return self._contracted(by_photo, tau)
            except (RuntimeError, TypeError, ValueError):  # the module's own words, or vmap's
                continue
        return None

    def _contracted(self, by_photo: list[bool], tau: Taus) -> dict[str, torch.Tensor]:
        """`contracted`, given which inputs have the photos in their first dimension."""
        numel = sum(self.module.get_parameter(layer).numel() for layer in tau)
        size = max(1, jacobian_rules.CHUNK // numel)
        parts = []
        for start in range(0, len(self.outputs[0]), size):
            gradients = self._gradients(by_photo, slice(start, start + size))
            parts.append({layer: contract(gradients[layer], tau[layer]) for layer in tau})
        return {layer: torch.cat([part[layer] for part in parts]) for layer in tau}

    def _gradients(self, by_photo: list[bool], some: slice) -> dict[str, torch.Tensor]:
        """Gradients of the layers for each of some photos: (b, *shape of the layer)."""
        weights = {layer: self.module.get_parameter(layer).detach() for layer in self.layers}

        def gradient(inputs: list, g: list) -> tuple[list, dict]:
            photo = [x[None] if each else x for x, each in zip(inputs, by_photo, strict=True)]
            outputs, backward, *_ = vjp(partial(self._again, photo), weights)
            g = [x.to(output.dtype) for x, output in zip(g, outputs, strict=True)]
            return outputs, backward(g)[0]

        inputs = [x[some] if each else x for x, each in zip(self.inputs, by_photo, strict=True)]
        dims = [0 if each else None for each in by_photo]
        g = [x[some] for x in self.gradients]
        outputs, gradients = vmap(gradient, in_dims=(dims, 0))(inputs, g)
        if not all(alike(a, b[some], 0.05) for a, b in zip(outputs, self.outputs, strict=True)):
            raise ValueError(f"{type(self.module).__name__} gives something else for one photo.")
        return gradients

    def _again(self, photo: list, weights: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
        """The outputs for the inputs of one photo."""
        args, kwargs = tree_unflatten(photo, self.layout)
        # Of the kernels of attention, vmap knows this one.
        with sdpa_kernel(SDPBackend.MATH):
            output = functional_call(self.module, dict(weights), args, kwargs)
        return [x[0] for x in numbers(output)]
