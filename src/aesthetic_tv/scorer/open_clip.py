"""A base from an open_clip checkpoint: a file, or a repo of the Hub in open_clip's layout."""

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from aesthetic_tv.errors import SettingError
from aesthetic_tv.hub.repos import Access, Snapshot, resolve

from .configuration_aesthetic_scorer import AestheticScorerConfig
from .errors import ScorerError
from .foreign_checkpoint import open_checkpoint
from .modeling_aesthetic_scorer import AestheticScorer
from .open_clip_layout import (
    ACTIVATIONS,
    activation_of,
    check_shapes,
    sort_names,
    tower_config,
    tower_layers,
    tower_shapes,
)

LAYOUT = "open_clip"
CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # the first there is


@dataclass(frozen=True)
class ImportedTower:
    """What became of an open_clip checkpoint.

    Attributes:
        scorer: the base: its vision tower with the published random head.
        activation_told_by: what decided for GELU or QuickGELU.
        text_tensors: how many of the text tower were left out.
    """

    scorer: AestheticScorer = field(repr=False)
    activation_told_by: str
    text_tensors: int


def import_open_clip(
    file_or_id: str | os.PathLike[str],
    *,
    seed: int = 0,
    activation: str | None = None,
    revision: str | None = None,
    access: Access | None = None,
) -> ImportedTower:
    """A base scorer, float32, from the vision tower of an open_clip checkpoint.

    Args:
        file_or_id: a checkpoint file (an `open_clip_config.json` beside it is heeded), or a folder
            or Hub id that holds `open_clip_config.json` and the weights.
        seed: of the head, as for `AestheticScorer.from_clip`.
        activation: `gelu` or `quick_gelu`, in place of what config or name tell.
        revision: branch, tag or commit on the Hub.
        access: cache, token, network.

    Raises:
        SettingError: another activation.
        ScorerError: the checkpoint holds code, or is no plain CLIP ViT in open_clip's layout.
        FormatError: neither a file or folder here nor a Hub id, or a damaged safetensors file.
        HubError: see its subclasses.
    """
    place, weights, config = _found(file_or_id, revision, access)
    with place.named():
        imported = _convert(weights, config, str(file_or_id), seed, activation)
    if place.repo_id is not None:
        imported.scorer.config.tower_repo_id = place.repo_id
        imported.scorer.config.tower_revision = place.revision
        imported.scorer.config.tower_layout = LAYOUT
    return imported


def _found(
    file_or_id: str | os.PathLike[str], revision: str | None, access: Access | None
) -> tuple[Snapshot, Path, dict[str, Any] | None]:
    """Where the weights are, and the content of `open_clip_config.json`."""
    file = Path(file_or_id)
    if file.is_file():
        place = Snapshot(file.parent)
        return place, file, _config(place)
    place = resolve(file_or_id, revision=revision, access=access, patterns=(CONFIG,))
    config = _config(place)
    if config is None:
        raise ScorerError(
            f"{file_or_id} holds no {CONFIG}, so it is not in open_clip's layout. Of a CLIP model "
            "in transformers' layout, AestheticScorer.from_clip makes a base."
        )
    for name in WEIGHTS:
        place = resolve(
            file_or_id, revision=place.revision or revision, access=access, patterns=(CONFIG, name)
        )
        if (place.folder / name).is_file():
            return place, place.folder / name, config
    raise ScorerError(f"{file_or_id} holds none of {', '.join(WEIGHTS)}.")


def _config(place: Snapshot) -> dict[str, Any] | None:
    path = place.folder / CONFIG
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ScorerError(f"{path} is not valid JSON ({error}); fetch it again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_cfg"), dict):
        raise ScorerError(f"{path} has no model_cfg; it is no config of open_clip's.")
    return config


def _convert(
    weights: Path,
    config: Mapping[str, Any] | None,
    name: str,
    seed: int,
    wanted: str | None,
) -> ImportedTower:
    model = None if config is None else config["model_cfg"]
    if wanted is not None and wanted not in ACTIVATIONS:
        raise SettingError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {wanted!r}.")
    hidden_act, told_by = (wanted, "you") if wanted else activation_of(model, Path(name).name)
    tensors = open_checkpoint(weights)
    names = sort_names(tensors, str(weights))
    if names.rest:
        check_shapes({key: tuple(tensors[key].shape) for key in names.rest}, {}, str(weights))
    tower = {own: tensors[key] for own, key in names.tower.items()}
    shapes = {own: tuple(tensor.shape) for own, tensor in tower.items()}
    sizes = tower_config(shapes, model, hidden_act, str(weights))
    check_shapes(shapes, tower_shapes(sizes), str(weights))
    scorer = AestheticScorer(AestheticScorerConfig(vision_config=sizes.to_dict(), head_seed=seed))
    _put(scorer, tower_layers(tower))
    scorer.reset_head(seed)
    _warn_of_normalization(config or {}, str(weights))
    return ImportedTower(scorer.eval(), told_by, len(names.text))


def _put(scorer: AestheticScorer, layers: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in scorer.vision.named_parameters(prefix="vision"):
            parameter.copy_(layers[name])


def _warn_of_normalization(config: Mapping[str, Any], what: str) -> None:
    told = config.get("preprocess_cfg") or {}
    for key, ours in (("mean", OPENAI_CLIP_MEAN), ("std", OPENAI_CLIP_STD)):
        theirs = told.get(key, ours)
        if any(abs(a - b) > 1e-3 for a, b in zip(theirs, ours, strict=True)):
            warnings.warn(
                f"{what} was trained on pixels normalized by {key} {list(theirs)}; a scorer sees "
                f"them normalized by CLIP's own, {list(ours)}. Fine-tuning makes up for it, scores "
                "without it suffer.",
                stacklevel=4,
            )
            return
