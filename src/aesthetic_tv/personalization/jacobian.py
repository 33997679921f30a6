"""How each photo's score moves with each coefficient: J[i, l, k] = <d s_i / d theta^l, tau_k^l>.

One forward and one backward pass. No weight requires a gradient: each module's input x and output
gradient g give the gradient of its layers for each photo, which is contracted with the K task
vectors at once and dropped, module by module, while the backward pass runs. The per-photo gradients
of the whole model are never held.

What the common kinds of modules compute is known to `jacobian_modules`; any other module with
layers of its own is called again there, and differentiated by itself.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from aesthetic_tv.personalization.jacobian_modules import (
    Call,
    Rule,
    contract,
    map_numbers,
    numbers,
    rule_for,
)
from aesthetic_tv.personalization.precision import scores_of
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.passes import kind_of, photos_at_once
from aesthetic_tv.task_vectors import TaskVectorBank
from aesthetic_tv.task_vectors.head_directions import HeadDirections

Stacked = Mapping[str, torch.Tensor]
# each module with layers in it: their names inside it, and in the scorer
Layers = Mapping[nn.Module, Mapping[str, str]]
MOST = 64  # photos of a batch


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
        pixel_values: (n, 3, H, W); or crops, uint8.
        stacked: tau of all K tasks by layer name, float32 (K, *shape of the layer).
        dtype: of the products inside the tower, see `precision.scores_of`.
        memory_budget: bytes that the activations of a batch may take, about.
        progress: called with (photos done, n).

    Returns:
        Scores s (n,) and J (n, L, K), float32, layers in the order of `stacked`.
    """
    scores, slopes, _ = _passes(scorer, pixel_values, stacked, None, dtype, memory_budget, progress)
    return scores, slopes


def coefficient_slopes(
    bank: TaskVectorBank,
    scorer: AestheticScorer,
    pixel_values: torch.Tensor,
    *,
    dtype: torch.dtype = torch.float32,
    memory_budget: int = 2_000_000_000,
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `jacobian`, by all coefficients of a bank, head directions included.

    Args:
        bank: the task vectors.
        scorer: merged of it, at the point of linearization.
        pixel_values, dtype, memory_budget: as for `jacobian`.

    Returns:
        Scores s (n,) and J (n, P), float32, as `TaskVectorBank.layout` has it.
    """
    scores, slopes, along = _passes(
        scorer, pixel_values, bank.stacked, bank.directions, dtype, memory_budget
    )
    return scores, torch.cat([slopes.flatten(1), along], dim=1)


def _passes(
    scorer: AestheticScorer,
    pixel_values: torch.Tensor,
    stacked: Stacked,
    directions: HeadDirections | None,
    dtype: torch.dtype,
    memory_budget: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores (n,), J (n, L, K) and the derivatives by head directions (n, R)."""
    size = batch_size(scorer, scorer.pixels_here(pixel_values[:1]), dtype, memory_budget)
    layers, parts = _layers(scorer, stacked), []
    with _weights_that_require_gradients(scorer, False):
        for part in pixel_values.split(size):
            part = scorer.pixels_here(part)
            parts.append(_batch_jacobian(scorer, part, stacked, layers, directions, dtype))
            if progress is not None:
                progress(min(len(parts) * size, len(pixel_values)), len(pixel_values))
    scores, slopes, along = (torch.cat(kind) for kind in zip(*parts, strict=True))
    return scores, slopes, along


# bytes that a photo takes, by the kind of scorer
_measured: dict[tuple, int] = {}


def batch_size(
    scorer: AestheticScorer, photo: torch.Tensor, dtype: torch.dtype, memory_budget: int
) -> int:
    """How many photos' activations fit, by what those of one photo (1, 3, H, W) take, and how many
    passes are fast with.
    """
    kind = (*kind_of(scorer, photo), dtype)
    if kind not in _measured:  # every round of a fit has a scorer of its own
        _measured[kind] = _bytes_kept(scorer, photo, dtype)
    most = photos_at_once(scorer, photo) or MOST
    return max(1, min(MOST, most, memory_budget // _measured[kind]))


def _bytes_kept(scorer: AestheticScorer, photo: torch.Tensor, dtype: torch.dtype) -> int:
    """Bytes that a training step keeps for its backward pass, beside the weights."""
    storages: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # itself, it would keep the graph that keeps it

    unpacked = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with _weights_that_require_gradients(scorer, True), torch.enable_grad(), unpacked:
        scores = scores_of(scorer, photo, dtype)
    del scores  # not before: the place of what is freed would be taken by others
    weights = {p.untyped_storage().data_ptr() for p in scorer.parameters()}
    return max(1, sum(size for place, size in storages.items() if place not in weights))


@contextmanager
def _weights_that_require_gradients(scorer: AestheticScorer, wanted: bool) -> Iterator[None]:
    before = {parameter: parameter.requires_grad for parameter in scorer.parameters()}
    scorer.requires_grad_(wanted)
    try:
        yield
    finally:
        for parameter, required in before.items():
            parameter.requires_grad_(required)


def _layers(scorer: AestheticScorer, stacked: Stacked) -> Layers:
    names = {p: name for name, p in scorer.named_parameters() if name in stacked}
    found = {}
    for module in scorer.modules():
        parameters = module.named_parameters(remove_duplicate=False)
        found[module] = {inside: names[p] for inside, p in parameters if p in names}
    return {module: inside for module, inside in found.items() if inside}


def _batch_jacobian(
    scorer: AestheticScorer,
    pixels: torch.Tensor,
    stacked: Stacked,
    layers: Layers,
    directions: HeadDirections | None,
    dtype: torch.dtype,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    # What depends on the photos is known by its requiring a gradient.
    photos = pixels.detach().requires_grad_()
    batch = _Batch(len(pixels), stacked, layers, pixels.device)
    along = [photos.new_zeros(len(pixels), 0)]
    with ExitStack() as hooks, torch.enable_grad():
        if directions is not None:
            watch = partial(_watch_head, directions, along)
            hooks.callback(scorer.head.hidden.register_forward_hook(watch).remove)
        for module in layers:
            handle = module.register_forward_hook(batch.saw, with_kwargs=True)
            hooks.callback(handle.remove)
        scores = scores_of(scorer, photos, dtype)
        scores.sum().backward()
    batch.differentiate_calls()
    missing = {name: stacked[name] for name in stacked if name in batch.missing}
    if missing:
        batch.columns |= _fallback(scorer, pixels, missing, dtype)
    slopes = torch.stack([batch.columns[name] for name in stacked], dim=1)
    return scores.detach().float(), slopes, along[-1]


def _watch_head(
    directions: HeadDirections,
    along: list[torch.Tensor],
    hidden: nn.Module,
    args: tuple[torch.Tensor],
    output: torch.Tensor,
) -> None:
    """The forward hook of the head's first layer: the backward pass adds to `along`."""
    products = output if output._base is None else output._base
    embeds, shape = args[0].detach(), output.shape

    def see(gradient: torch.Tensor) -> None:  # must not hold the output, whose hook it is
        along.append(directions.slopes(embeds, gradient.view(shape)))

    products.register_hook(see)


class _Batch:
    """The gradients that one forward and backward pass over B photos gives of each layer.

    A layer is claimed by the module that owns it. Where that one is not called, or gives nothing
    that depends on the photos (a position table), the module around it claims the layer, and so on.
    """

    def __init__(self, photos: int, stacked: Stacked, layers: Layers, device: torch.device):
        self.photos = photos
        self.device = device
        self.stacked = stacked
        self.layers = layers
        # (B, K) each; 0 for layers of which the scores do not depend
        self.columns = {
            name: torch.zeros(photos, len(tau), device=device) for name, tau in stacked.items()
        }
        self.claims: dict[nn.Module, Mapping[str, str]] = {}
        self.unclaimed = set(stacked)
        self.calls: list[Call] = []
        self.failed = set[str]()
        # modules that were called with something else than the photos, some of them also with them
        self.without_photos = set[nn.Module]()

    @property
    def missing(self) -> set[str]:
        """The layers of which not all is known."""
        both = [self.claims[module].values() for module in self.without_photos & set(self.claims)]
        return self.unclaimed | self.failed.union(*both)

    def saw(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
        """The forward hook of all modules with layers in them."""
        claim = self.claims.get(module) or {
            inside: name
            for inside, name in self.layers[module].items()
            if "." not in inside or name in self.unclaimed
        }
        if not claim:
            return None
        if not self._by_photo(output):
            self.without_photos.add(module)
            return None
        if not self.claims:  # no layer lies before this module, so no gradient has to
            output = map_numbers(_start, output)
        self.claims[module] = claim
        self.unclaimed -= set(claim.values())
        return self._watched(module, args, kwargs, output)

    def _by_photo(self, value: Any) -> bool:
        """Whether all numbers in it depend on the photos, which are their first dimension."""
        found = numbers(value)
        each = (x.requires_grad and x.ndim > 0 and len(x) == self.photos for x in found)
        return bool(found) and all(each)

    def _watched(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
        """The output, from which a gradient will come."""
        claim, alone = self.claims[module], len(args) == 1 and not kwargs
        if alone and self._by_photo(args[0]):
            rule = rule_for(module, claim, args[0], output)
            if rule is not None:
                # A linear layer gives a view of its products, whose own hook is lost when the
                # model changes it in place.
                products = output if output._base is None else output._base
                products.register_hook(partial(self._apply, rule, module, args[0].detach()))
                return output
        self.calls.append(Call(module, claim, args, kwargs))
        return self.calls[-1].watched(output)

    def _apply(self, rule: Rule, module: nn.Module, x: torch.Tensor, g: torch.Tensor) -> None:
        """The hook of an output of a module with a rule."""
        claim = self.claims[module]
        self._add(claim, rule(module, x, g, self._taus(claim)))

    def _taus(self, claim: Mapping[str, str]) -> Stacked:
        return {inside: self.stacked[name].to(self.device) for inside, name in claim.items()}

    def _add(self, claim: Mapping[str, str], columns: Mapping[str, torch.Tensor]) -> None:
        for inside, column in columns.items():  # a module may be called more than once
            self.columns[claim[inside]] = self.columns[claim[inside]] + column

    def differentiate_calls(self) -> None:
        """After the backward pass: what the modules without a rule have to say."""
        for call in self.calls:
            columns = call.contracted(self._taus(call.layers))
            if columns is None:
                self.failed |= set(call.layers.values())
            else:
                self._add(call.layers, columns)


def _start(x: torch.Tensor) -> torch.Tensor:
    """The start of a graph; a copy, which the model may change in place as it likes."""
    return x.detach().requires_grad_().clone()


def _fallback(
    scorer: AestheticScorer, pixels: torch.Tensor, stacked: Stacked, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """The last resort: gradients of these layers by a pass through the scorer for each photo."""
    warnings.warn(
        f"{len(stacked)} layers cannot be told apart by photo inside their modules and are "
        "differentiated by a pass through the whole scorer for each photo, which is slow: "
        f"{', '.join(list(stacked)[:3])}.",
        stacklevel=2,
    )
    weights = [scorer.get_parameter(name).requires_grad_(True) for name in stacked]
    rows = []
    for photo in pixels.split(1):
        with torch.enable_grad():
            score = scores_of(scorer, photo, dtype).sum()
        found = torch.autograd.grad(score, weights, allow_unused=True, materialize_grads=True)
        pairs = zip(found, stacked.values(), strict=True)
        columns = [contract(g[None].float(), tau.to(g.device)) for g, tau in pairs]
        rows.append(torch.cat(columns))  # (layers, K)
    scorer.requires_grad_(False)
    return dict(zip(stacked, torch.stack(rows, dim=1), strict=True))
