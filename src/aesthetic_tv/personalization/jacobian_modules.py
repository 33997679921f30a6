"""The gradients of a module's layers, photo by photo and contracted with the task vectors: from its
input x and its output gradient g.

One rule for each kind of module that towers consist of. A rule takes the module, x and g of B
photos, and tau of the module's layers by their names in it, float32 (K, *shape of the layer). It
gives <d s_i / d layer, tau_k> by the same names, float32 (B, K).

Modules without a rule are called again and differentiated photo by photo, each by itself (`Call`):
tokens and position tables, attention with fused weights, pooling heads, whatever a tower brings.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, vjp, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.grad import conv2d_weight
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

Taus = Mapping[str, torch.Tensor]
Rule = Callable[[Any, torch.Tensor, torch.Tensor, Taus], dict[str, torch.Tensor]]
# of a module and x, what the module's weight multiplies
Unit = Callable[[nn.Module, torch.Tensor], torch.Tensor]
# Per-photo gradients of one layer in memory at a time, in numbers: 16 MB in float32, which stay in
# the cache.
CHUNK = 4_000_000
# Photos among these: enough for matrix products with tau to be fast, and few enough for many rows.
PHOTOS = 16


def rule_for(module: nn.Module, layers: Collection[str], x: object, y: object) -> Rule | None:
    """The rule that covers a module's layers, if there is one.

    Args:
        module: that was called.
        layers: their names in the module.
        x, y: what it took and gave.
    """
    if not (isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor)):
        return None
    kind = type(module)
    for known, rule in RULES.items():
        # A subclass may build itself differently, but must compute the same.
        if isinstance(module, known) and kind.forward is known.forward:
            return rule if set(layers) <= {"weight", "bias"} and _as_expected(module) else None
    for suffix, unit in SCALES.items():
        if kind.__name__.endswith(suffix) and _scales(module, unit, layers, x, y):
            return lambda module, x, g, tau: _scale(unit(module, x), g, tau)
    return None


def _as_expected(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros"
    if isinstance(module, nn.BatchNorm2d):
        return not module.training and module.running_mean is not None  # else photos are mixed
    return True


def _scales(
    module: nn.Module, unit: Unit, layers: Collection[str], x: torch.Tensor, y: torch.Tensor
) -> bool:
    """Whether a module does what its name says, tried on the first photo."""
    weights = [module.get_parameter(layer) for layer in layers]
    if len(weights) != 1 or weights[0].shape != x.shape[-1:] or x.shape != y.shape:
        return False
    with torch.no_grad():
        return alike(weights[0] * unit(module, x[:1]), y[:1], 0.01)


def alike(a: torch.Tensor, b: torch.Tensor, share: float) -> bool:
    """Whether two results are the same but for rounding errors, up to this share of their size."""
    return bool((a.float() - b.float()).norm() <= share * b.float().norm())


def contract(gradient: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    """Per-photo gradients (B, *shape) with tau (K, *shape): (B, K) float32."""
    # This way round: with the many numbers in rows, matrix products are up to three times faster.
    return (tau.flatten(1).to(gradient.dtype) @ gradient.flatten(1).T).T.float()


def _chunks(count: int, numbers: int) -> Iterator[slice]:
    """Parts of so many things, each of which takes so many numbers, that keep to `CHUNK`."""
    size = max(1, CHUNK // numbers)
    return (slice(start, start + size) for start in range(0, count, size))


def contract_matrix(x: torch.Tensor, g: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    """<sum_t g_t x_t^T, tau_k> for each photo.

    Args:
        x: inputs (B, T, in).
        g: output gradients (B, T, out).
        tau: (K, out, in).

    Returns:
        (B, K) float32.
    """
    tokens, tasks, x, tau = x.shape[1], len(tau), x.to(g.dtype), tau.to(g.dtype)
    # Multiplications for each number of the layer: T for its gradient and K for that with tau, or
    # K T for what tau makes of x.
    if tokens * tasks <= tokens + tasks:
        moved = x.flatten(0, 1) @ tau.mT  # (K, B T, out)
        return (moved * g.flatten(0, 1)).sum(-1).unflatten(1, (-1, tokens)).sum(-1).T.float()
    photos = zip(x.split(PHOTOS), g.split(PHOTOS), strict=True)
    return torch.cat([_contract_rows(xs, gs, tau) for xs, gs in photos])


def _contract_rows(x: torch.Tensor, g: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    """`contract_matrix` by way of the gradients, some rows of the matrix at a time."""
    numbers, parts = x[:, 0].numel(), []
    # One place for the gradients of all parts: the system is slow to give another each time.
    room = x.new_empty(min(g.shape[2], max(1, CHUNK // numbers)) * numbers)
    for rows in _chunks(g.shape[2], numbers):
        some = g[..., rows].mT  # (B, rows, T)
        shape = (len(x), some.shape[1], x.shape[2])
        gradients = torch.bmm(some, x, out=room[: some.shape[1] * numbers].view(shape))
        parts.append(contract(gradients, tau[:, rows]))
    return torch.stack(parts).sum(0)


def linear(module: nn.Linear, x: torch.Tensor, g: torch.Tensor, tau: Taus) -> dict:
    """y = W x + b of x (B, ..., in), g (B, ..., out) or with the first dimensions in one."""
    x, g = x.reshape(len(x), -1, x.shape[-1]), g.reshape(len(x), -1, g.shape[-1])  # (B, T, .)
    found = {}
    if "weight" in tau:
        found["weight"] = contract_matrix(x, g, tau["weight"])
    if "bias" in tau:
        found["bias"] = contract(g.float().sum(1), tau["bias"])
    return found


def conv2d(module: nn.Conv2d, x: torch.Tensor, g: torch.Tensor, tau: Taus) -> dict:
    """Any convolution of x (B, in, H, W), g (B, out, h, w)."""
    found = {}
    if "weight" in tau:
        x = x.to(g.dtype)
        of_patches = module.groups == 1 and _apart(module)
        contracted = _contract_patches if of_patches else _contract_windows
        found["weight"] = contracted(module, x, g, tau["weight"])
    if "bias" in tau:
        found["bias"] = contract(g.float().sum((2, 3)), tau["bias"])
    return found


def _apart(module: nn.Conv2d) -> bool:
    """Whether no two windows overlap and none reaches over the edge."""
    return module.stride == module.kernel_size and not any(_padding(module))


def _padding(module: nn.Conv2d) -> list[int]:
    """Left, right, top, bottom, also where the module's own says "same"."""
    return list(module._reversed_padding_repeated_twice)


def _contract_patches(
    module: nn.Conv2d, x: torch.Tensor, g: torch.Tensor, tau: torch.Tensor
) -> torch.Tensor:
    """Windows that do not overlap: a linear layer of patches. For windows of one pixel no copy is
    made, where the maps are channels-last.
    """
    (h, w), (p, q) = g.shape[2:], module.kernel_size
    x = x[:, :, : h * p, : w * q].unflatten(3, (w, q)).unflatten(2, (h, p))
    x = x.permute(0, 2, 4, 1, 3, 5).reshape(len(x), h * w, -1)  # (B, h w, in p q)
    return contract_matrix(x, g.flatten(2).mT, tau.flatten(2))


def _contract_windows(
    module: nn.Conv2d, x: torch.Tensor, g: torch.Tensor, tau: torch.Tensor
) -> torch.Tensor:
    """Windows that overlap, and convolutions in groups, such as of single channels: the gradient of
    training, but photo by photo. It takes little longer than that of a whole batch, and half as
    long as one convolution of all photos in groups of their own.
    """
    left, right, top, bottom = _padding(module)
    if (left, top) != (right, bottom):
        x = functional.pad(x, (0, right - left, 0, bottom - top))
    shape, settings = module.weight.shape, ((top, left), module.dilation, module.groups)
    columns = []
    for some in _chunks(len(x), shape.numel()):
        photos = zip(x[some].split(1), g[some].split(1), strict=True)
        found = [conv2d_weight(a, shape, b, module.stride, *settings) for a, b in photos]
        columns.append(contract(torch.stack(found), tau))
    return torch.cat(columns)


def batch_norm(module: nn.BatchNorm2d, x: torch.Tensor, g: torch.Tensor, tau: Taus) -> dict:
    """With the stored statistics: y = w (x - mean) / deviation + b of x (B, C, H, W)."""
    assert module.running_mean is not None and module.running_var is not None
    x, g = x.float(), g.float()
    # A few photos at a time, whose products stay in the cache.
    parts = [(g[some] * x[some]).sum((2, 3)) for some in _chunks(len(x), 4 * x[0].numel())]
    bias = g.sum((2, 3))  # (B, C)
    centred = torch.cat(parts) - module.running_mean.float() * bias
    weight = centred * (module.running_var.float() + module.eps).rsqrt()
    return _contract_vectors(tau, weight=weight, bias=bias)


def layer_norm(module: nn.LayerNorm, x: torch.Tensor, g: torch.Tensor, tau: Taus) -> dict:
    """y = w n(x) + b of x (B, ..., *normalized shape)."""
    shape = module.normalized_shape
    g = g.float().reshape(len(g), -1, *shape)  # (B, T, *shape)
    normal = functional.layer_norm(x.float(), shape, eps=module.eps).reshape(g.shape)
    return _contract_vectors(tau, weight=(g * normal).sum(1), bias=g.sum(1))


def _contract_vectors(tau: Taus, **gradients: torch.Tensor) -> dict[str, torch.Tensor]:
    """`contract` of those layers that are wanted."""
    return {layer: contract(gradients[layer], vectors) for layer, vectors in tau.items()}


def _scale(normal: torch.Tensor, g: torch.Tensor, tau: Taus) -> dict:
    """y = w n, with n and g (B, ..., D)."""
    products = (g.float() * normal.float()).reshape(len(g), -1, g.shape[-1])  # (B, T, D)
    return {layer: contract(products.sum(1), vectors) for layer, vectors in tau.items()}


def _unit_rms(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    eps: Any = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    return functional.rms_norm(x.float(), x.shape[-1:], eps=eps)


RULES: Mapping[type[nn.Module], Rule] = {
    nn.Linear: linear,
    nn.Conv2d: conv2d,
    nn.BatchNorm2d: batch_norm,
    nn.LayerNorm: layer_norm,
}
# What the one weight w of a module multiplies, by the end of the name of its class: each family of
# transformers has classes of its own.
SCALES: Mapping[str, Unit] = {"RMSNorm": _unit_rms, "LayerScale": lambda module, x: x}


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
        size = max(1, CHUNK // numel)
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
