"""How each photo's score moves with each coefficient: J[i, l, k] = <d s_i / d theta^l, tau_k^l>.

One forward and one backward pass. No weight requires a gradient: each layer's input x and output
gradient g give the gradient of its weights for each photo, which is contracted with the K task
vectors at once and dropped, layer by layer, while the backward pass runs. The per-photo gradients
of the whole model are never held.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional
from transformers.models.clip.modeling_clip import CLIPVisionEmbeddings

from aesthetic_tv.personalization.precision import scores_of
from aesthetic_tv.scorer import AestheticScorer

Stacked = Mapping[str, torch.Tensor]
# name of a layer, its contraction with the task vectors (B, K)
Record = Callable[[str, torch.Tensor], None]
# per-photo gradients of one layer in memory at a time, in numbers: 64 MB in float32
CHUNK = 16_000_000


def jacobian(
    scorer: AestheticScorer,
    pixel_values: torch.Tensor,
    stacked: Stacked,
    *,
    dtype: torch.dtype = torch.float32,
    memory_budget: int = 2_000_000_000,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and their derivatives by the coefficients, at the weights of `scorer`.

    Args:
        scorer: in evaluation mode, at the point of linearization; left as it is.
        pixel_values: (n, 3, H, W).
        stacked: tau of all K tasks by layer name, float32 (K, *shape of the layer).
        dtype: of the products inside the tower, see `precision.scores_of`.
        memory_budget: bytes that the activations of a batch may take, about.
        progress: called with (photos done, n).

    Returns:
        Scores s (n,) and J (n, L, K), float32, layers in the order of `stacked`.
    """
    size = batch_size(scorer, memory_budget)
    parts = []
    for part in pixel_values.split(size):
        parts.append(_batch_jacobian(scorer, part.to(scorer.device), stacked, dtype))
        if progress is not None:
            progress(min(len(parts) * size, len(pixel_values)), len(pixel_values))
    return torch.cat([s for s, _ in parts]), torch.cat([J for _, J in parts])


def batch_size(scorer: AestheticScorer, memory_budget: int) -> int:
    """How many photos' activations fit: kept for each token and block are about 14 vectors of the
    hidden width and 3 of the intermediate one.
    """
    tower = scorer.config.tower
    embeddings = scorer.vision.vision_model.embeddings
    width = 14 * tower.hidden_size + 3 * tower.intermediate_size
    photo = 4 * embeddings.num_positions * width * tower.num_hidden_layers
    return max(1, min(64, memory_budget // photo))


def _batch_jacobian(
    scorer: AestheticScorer, pixels: torch.Tensor, stacked: Stacked, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    columns: dict[str, torch.Tensor] = {}
    frozen = {name: p for name, p in scorer.named_parameters() if p.requires_grad}
    scorer.requires_grad_(False)
    try:
        with ExitStack() as hooks, torch.enable_grad():
            for name, module in scorer.named_modules():
                rule = RULES.get(type(module))
                if rule is not None:
                    hooks.enter_context(rule(name, module, stacked, columns.__setitem__))
            scores = scores_of(scorer, pixels, dtype)
            scores.sum().backward()
        scores = scores.detach().float()
        missing = [name for name in stacked if name not in columns]
        if missing:
            columns |= _fallback(scorer, pixels, {name: stacked[name] for name in missing})
    finally:
        for parameter in frozen.values():
            parameter.requires_grad_(True)
    return scores, torch.stack([columns[name] for name in stacked], dim=1)


def _contract_matrix(x: torch.Tensor, g: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    """<sum_t g_t x_t^T, tau_k> for each photo.

    Args:
        x: inputs (B, T, in).
        g: output gradients (B, T, out).
        tau: (K, out, in).

    Returns:
        (B, K) float32.
    """
    flat = tau.flatten(1).T.to(g.dtype)  # (out * in, K)
    rows = max(1, CHUNK // flat.shape[0])
    parts = zip(g.split(rows), x.to(g.dtype).split(rows), strict=True)
    return torch.cat([(torch.bmm(gs.mT, xs).flatten(1) @ flat).float() for gs, xs in parts])


def _contract_vector(gradient: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    """Per-photo gradients (B, *shape) with tau (K, *shape): (B, K) float32."""
    return gradient.float().flatten(1) @ tau.flatten(1).T


@contextmanager
def _tap(module: nn.Module, rule: Callable[[torch.Tensor, torch.Tensor], None]) -> Iterator[None]:
    """Call `rule(x, g)` with the module's input and its output's gradient once that is known."""

    def forward(_: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
        x = inputs[0].detach()
        if not output.requires_grad:  # the first layer: what lies before it needs no gradient
            output.requires_grad_(True)
        output.register_hook(lambda g: rule(x, g))
        return output

    handle = module.register_forward_hook(forward)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _linear(name: str, module: nn.Linear, stacked: Stacked, record: Record) -> Iterator[None]:
    def rule(x: torch.Tensor, g: torch.Tensor) -> None:
        x, g = x.reshape(len(x), -1, x.shape[-1]), g.reshape(len(g), -1, g.shape[-1])
        record(f"{name}.weight", _contract_matrix(x, g, stacked[f"{name}.weight"]))
        if module.bias is not None:
            record(f"{name}.bias", _contract_vector(g.sum(1), stacked[f"{name}.bias"]))

    with _tap(module, rule):
        yield


@contextmanager
def _layer_norm(
    name: str, module: nn.LayerNorm, stacked: Stacked, record: Record
) -> Iterator[None]:
    def rule(x: torch.Tensor, g: torch.Tensor) -> None:
        normal = functional.layer_norm(x.float(), module.normalized_shape, eps=module.eps)
        x, g = normal.reshape(len(x), -1, x.shape[-1]), g.float().reshape(len(g), -1, g.shape[-1])
        record(f"{name}.weight", _contract_vector((g * x).sum(1), stacked[f"{name}.weight"]))
        record(f"{name}.bias", _contract_vector(g.sum(1), stacked[f"{name}.bias"]))

    with _tap(module, rule):
        yield


@contextmanager
def _embeddings(
    name: str, module: CLIPVisionEmbeddings, stacked: Stacked, record: Record
) -> Iterator[None]:
    patches = module.patch_embedding

    def rule(pixels: torch.Tensor, g: torch.Tensor) -> None:  # g: (B, 1 + patches, D)
        first = f"{name}.class_embedding"
        record(first, _contract_vector(g[:, 0], stacked[first]))
        position = f"{name}.position_embedding.weight"
        record(position, _contract_vector(g, stacked[position]))
        x = functional.unfold(pixels.float(), patches.kernel_size, stride=patches.stride).mT
        weight = f"{name}.patch_embedding.weight"
        record(weight, _contract_matrix(x, g[:, 1:], stacked[weight].flatten(2)))

    with _tap(module, rule):
        yield


RULES: Mapping[type, Callable] = {
    nn.Linear: _linear,
    nn.LayerNorm: _layer_norm,
    CLIPVisionEmbeddings: _embeddings,
}


def _fallback(
    scorer: AestheticScorer, pixels: torch.Tensor, stacked: Stacked
) -> dict[str, torch.Tensor]:
    """Layers without a rule: per-photo gradients by torch.func, of these layers alone."""
    warnings.warn(
        f"{len(stacked)} layers have no rule of their own and are differentiated photo by photo, "
        f"which is slow: {', '.join(list(stacked)[:3])}.",
        stacklevel=2,
    )
    layers = {name: p.detach() for name, p in scorer.named_parameters() if name in stacked}

    def score(layers: dict[str, torch.Tensor], photo: torch.Tensor) -> torch.Tensor:
        return functional_call(scorer, layers, (photo[None],)).scores[0]

    gradients = vmap(grad(score), in_dims=(None, 0))(layers, pixels)
    return {name: _contract_vector(gradients[name], tau) for name, tau in stacked.items()}
