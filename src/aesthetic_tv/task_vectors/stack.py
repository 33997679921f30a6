"""tau of all tasks, one layer after the other: from memory, or read each time it is needed."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import torch

from aesthetic_tv.task_vectors.storage import StoredLayers

# Up to here all vectors are kept decoded: less than what torch itself takes, and a tower this small
# would spend more time on reading its layers than on passing photos through them.
IN_MEMORY_BYTES = 2**28


class TaskStack(Mapping[str, torch.Tensor]):
    """tau^l of K tasks by layer name, float32 (K, *shape of the layer), made anew at each look.

    Args:
        layers: those of each of the K vectors; only the layer that is looked at is decoded.
        shapes: of the layers.
    """

    def __init__(
        self,
        layers: Sequence[Mapping[str, torch.Tensor]],
        shapes: Mapping[str, tuple[int, ...]],
    ):
        self._layers, self._shapes = tuple(layers), dict(shapes)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.read(name, None)

    def room(self) -> torch.Tensor:
        """Memory for the stack of any one layer, to be used for one after the other: memory that
        is new each time costs more than reading a layer into it.
        """
        return torch.empty(len(self._layers) * max(map(prod, self._shapes.values()), default=0))

    def read(self, name: str, room: torch.Tensor | None) -> torch.Tensor:
        """tau^l as by `stack[name]`, in `room` (see there), or in memory of its own."""
        shape = (len(self._layers), *self._shapes[name])
        stack = torch.empty(shape) if room is None else room[: prod(shape)].view(shape)
        for row, layers in zip(stack, self._layers, strict=True):
            if isinstance(layers, StoredLayers):
                layers.read_into(name, row)
            else:
                row.copy_(layers[name])
        return stack

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def stack_layers(
    layers: Sequence[Mapping[str, torch.Tensor]],
    shapes: Mapping[str, tuple[int, ...]],
    in_memory: bool | None,
) -> Mapping[str, torch.Tensor]:
    """tau^l of K tasks by layer name: a dict of tensors, or a `TaskStack` that reads them.

    Args:
        layers: those of each of the K vectors.
        shapes: of the layers.
        in_memory: `None` keeps them in memory up to `IN_MEMORY_BYTES`.
    """
    stack = TaskStack(layers, shapes)
    if in_memory is None:
        values = len(layers) * sum(prod(shape) for shape in shapes.values())
        in_memory = torch.float32.itemsize * values <= IN_MEMORY_BYTES
    return dict(stack) if in_memory else stack


def room_for(stack: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    """`TaskStack.room` where layers are read, nothing where they are in memory."""
    return stack.room() if isinstance(stack, TaskStack) else None


def merged_layer(
    start: torch.Tensor,
    stack: Mapping[str, torch.Tensor],
    name: str,
    row: torch.Tensor,
    room: torch.Tensor | None = None,
) -> torch.Tensor:
    """theta_0^l + sum_k alpha_k^l tau_k^l, differentiable in alpha.

    Args:
        start: theta_0^l.
        stack: as `stack_layers` gives it.
        name: of layer l.
        row: alpha^l (K,).
        room: as `TaskStack.room` gives it, when several layers are merged in turn.
    """
    if isinstance(stack, TaskStack):
        return _MergeFromStack.apply(start, row, stack, name, room)
    return _weighted_sum(start, stack[name], row)


def _weighted_sum(start: torch.Tensor, tau: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
    return torch.addmv(start.reshape(-1), tau.flatten(1).T, row).view_as(start)


class _MergeFromStack(torch.autograd.Function):
    """`_weighted_sum` that reads tau again for the gradient, where autograd would keep the tau of
    all layers until then.
    """

    @staticmethod
    def forward(ctx: Any, start, row, stack, name, room):
        ctx.stack, ctx.name, ctx.room = stack, name, room
        return _weighted_sum(start, stack.read(name, room), row)

    @staticmethod
    def backward(ctx: Any, gradient):
        # A gradient of the gradient would need this tau after the next layer took its place.
        room = None if torch.is_grad_enabled() else ctx.room
        tau = ctx.stack.read(ctx.name, room).flatten(1)  # (K, size of the layer)
        return None, tau @ gradient.reshape(-1), None, None, None
