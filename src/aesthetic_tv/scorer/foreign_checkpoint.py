"""Tensors from checkpoints of other libraries, safetensors or PyTorch's own; never running code."""

import argparse
import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from aesthetic_tv.files import read_tensors

from .errors import ScorerError

WRAPPERS = ("state_dict", "model")  # under which training scripts save the tensors
# The authors' training script saves its options beside the tensors: a bag of plain values.
HARMLESS: list[Any] = [argparse.Namespace]


def open_checkpoint(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """The tensors of a file by name, mapped into memory and not read before they are used.

    Args:
        path: `.safetensors`, or a file of `torch.save`, of which nothing but tensors and plain
            values is taken; the optimizer's state beside the model's is left alone.

    Raises:
        FormatError: a safetensors file that is missing, cut off or damaged.
        ScorerError: any other file that is so, that holds code, or that holds no tensors by name.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_tensors(path)
    if not path.is_file():
        raise ScorerError(f"{path}: there is no such file.")
    content = _load(path)
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise ScorerError(f"{path} holds a {type(content).__name__}; expected tensors by name.")
    others = [name for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ScorerError(
            f"{path} holds {others[0]!r}, which is no tensor; expected tensors by name, at the top "
            f"or under one of {', '.join(WRAPPERS)}."
        )
    return dict(content)


def _load(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(HARMLESS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of is refused below, in our words
            zipped = zipfile.is_zipfile(path)  # the only kind that can be mapped
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        raise ScorerError(
            f"{path} asks for {_asked_for(path)} to be run, not only for tensors to be loaded; "
            "whoever made such a file could make it do anything here, so it is refused. Ask its "
            "author for a safetensors file."
        ) from error
    except (RuntimeError, OSError, ValueError, EOFError, LookupError) as error:
        if "TorchScript" in str(error):
            raise ScorerError(
                f"{path} is a TorchScript archive, which is a program; expected tensors by name. "
                "OpenAI's models are on the Hub in transformers' layout: see openai/clip-vit-*."
            ) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ScorerError(
            f"{path} is no whole file of torch.save ({reason}); fetch it again."
        ) from error


def _asked_for(path: Path) -> str:
    """The code that a file names, or what can be said where it is of the older kind."""
    try:
        return ", ".join(torch.serialization.get_unsafe_globals_in_checkpoint(path)) or "code"
    except (RuntimeError, ValueError, pickle.UnpicklingError):
        return "code"
