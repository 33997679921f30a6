"""Identity of weights: what a task vector was made for, and what it holds."""

import hashlib
from collections.abc import Iterable, Mapping

import torch

from aesthetic_tv.errors import BaseMismatchError, FormatError


def fingerprint(tensors: Mapping[str, torch.Tensor], beside: str = "") -> str:
    """SHA-256 over sorted (name, dtype, shape, bytes) of the tensors in float32, as 64 hex digits.

    Over the tensors, not over a file: the order of a safetensors header is not stable. In float32,
    so that weights have one fingerprint however they are stored, as long as the values are equal.

    Args:
        tensors: by name.
        beside: text that is part of the identity too.
    """
    return digest(((name, tensors[name]) for name in sorted(tensors)), beside)


def digest(layers: Iterable[tuple[str, torch.Tensor]], beside: str = "") -> str:
    """The `fingerprint` of tensors that come one after the other, sorted by name."""
    state = hashlib.sha256(beside.encode())
    for name, layer in layers:
        tensor = layer.detach().float().cpu().contiguous()
        state.update(f"{name}\0float32\0{tuple(tensor.shape)}\0".encode())
        state.update(tensor.reshape(-1).cpu().numpy().data)
    return state.hexdigest()


def shapes_of(layers: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of each layer, by name."""
    return {name: tuple(layer.shape) for name, layer in layers.items()}


def check_shapes(
    found: Mapping[str, tuple[int, ...]], base: Mapping[str, tuple[int, ...]], what: str
) -> None:
    """Raise `BaseMismatchError` unless both have the same names and shapes."""
    check_names(found, base, what)
    reshaped = [
        f"{name} {found[name]} where the base has {base[name]}"
        for name in sorted(found)
        if found[name] != base[name]
    ]
    if reshaped:
        raise BaseMismatchError(
            f"{what} has {len(reshaped)} layers of another shape than the base: "
            f"{'; '.join(reshaped[:3])}. It was made for another tower."
        )


def check_finite(layers: Mapping[str, torch.Tensor], what: str) -> None:
    """Raise `FormatError` unless all values are finite numbers."""
    broken = [name for name in sorted(layers) if not _finite(layers[name])]
    if broken:
        raise FormatError(
            f"{what} has values that are not finite in {len(broken)} layers: {_first(broken)}. "
            "It is damaged, or its training diverged."
        )


def _finite(layer: torch.Tensor) -> bool:
    # A sum that is finite has finite terms only, and needs no memory; large terms may overflow it.
    return bool(torch.isfinite(layer.sum())) or bool(torch.isfinite(layer).all())


def check_names(found: Iterable[str], expected: Iterable[str], what: str) -> None:
    """Raise `BaseMismatchError` unless both hold the same layer names."""
    found, expected = set(found), set(expected)
    problems = []
    if missing := sorted(expected - found):
        problems.append(f"lacks {len(missing)} layers of the base: {_first(missing)}")
    if extra := sorted(found - expected):
        problems.append(f"has {len(extra)} layers that the base has not: {_first(extra)}")
    if problems:
        raise BaseMismatchError(f"{what} {' and '.join(problems)}. It was made for another tower.")


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
