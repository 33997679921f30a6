"""How many photos go through a tower at once."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# A piece of memory above 32 MiB is the kernel's again as soon as glibc has it back, and is cleared,
# page by page, whenever it is asked for anew: a convolutional tower takes twice the time with it.
# Half of that, since several are free at a time, of which glibc keeps 64 MiB at most.
BLOCK = 16 * 2**20  # bytes

Embed: TypeAlias = Callable[[torch.Tensor], torch.Tensor]

_largest: dict[tuple, int] = {}


def in_passes(scorer: Any, embed: Embed, pixel_values: torch.Tensor) -> torch.Tensor:
    """What `embed` makes of pixel values (n, 3, H, W), `photos_at_once` of them at a time.

    All at once where gradients are wanted, whose memory is the caller's to plan, and where a
    compiler or exporter looks on.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or len(pixel_values) < 2:
        return embed(pixel_values)
    at_once = photos_at_once(scorer, pixel_values[:1])
    if at_once is None or at_once >= len(pixel_values):
        return embed(pixel_values)
    return torch.cat([embed(part) for part in pixel_values.split(at_once)])


def photos_at_once(scorer: Any, photo: torch.Tensor) -> int | None:
    """How many photos a CPU has the fastest passes with: their largest activation is a block of
    memory that is used again. No limit, `None`, on other devices, where more are faster.

    Depends on nothing but the kind of scorer, so that the same photos have the same scores, to the
    last digit, whenever they are scored. The first of a kind takes a pass to be measured.

    Args:
        scorer: whose tower it is.
        photo: pixel values (1, 3, H, W).
    """
    if scorer.device.type != "cpu":
        return None
    kind = kind_of(scorer, photo)
    if kind not in _largest:
        weights = {p.untyped_storage().data_ptr() for p in scorer.parameters()}
        with torch.no_grad(), _Computed(weights) as computed:
            scorer.embed(photo)
        _largest[kind] = computed.largest
    return max(1, BLOCK // _largest[kind])


def kind_of(scorer: Any, photo: torch.Tensor) -> tuple:
    """What the memory of a pass depends on, to be measured once for all scorers alike."""
    shapes = tuple((name, p.shape) for name, p in scorer.named_parameters())
    return (type(scorer.vision), shapes, photo.shape, scorer.dtype)


class _Computed(TorchDispatchMode):
    """Notes the bytes of the largest tensor that is computed meanwhile."""

    def __init__(self, weights: set[int]):
        super().__init__()
        self.weights, self.largest = weights, 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            storage = found.untyped_storage()
            if storage.data_ptr() not in self.weights:  # a view of one
                self.largest = max(self.largest, storage.nbytes())
        return found
