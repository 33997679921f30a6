"""The base under the authors' checkpoints: the CLIP model they began with, and a head theta_0."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers.activations import ACT2FN

from aesthetic_tv.errors import SettingError
from aesthetic_tv.hub.repos import Access, resolve
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.configuration_aesthetic_scorer import AestheticScorerConfig
from aesthetic_tv.scorer.modeling_aesthetic_scorer import AestheticHead
from aesthetic_tv.scorer.open_clip import CONFIG, import_open_clip
from aesthetic_tv.scorer.open_clip_layout import ACTIVATIONS
from aesthetic_tv.task_vectors.authors_layout import NUM_BINS, Head, starting_head


def load_tower(name: str, activation: str | None, access: Access) -> tuple[AestheticScorer, str]:
    """A CLIP model in open_clip's layout or transformers', or a base that was made of one.

    Of a repo that holds both layouts, open_clip's is taken: the very file that the authors load.

    Args:
        name: open_clip checkpoint file, folder, or Hub id.
        activation: in place of what the model's config or name tells.
        access: cache, token, network.

    Returns:
        The scorer, with any head, and what its activation was told by.

    Raises:
        SettingError: another activation.
        ScorerError, FormatError, HubError: the model cannot be had; see there.
    """
    if activation is not None and activation not in ACTIVATIONS:
        raise SettingError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation}.")
    place, kind = None, None
    if not Path(name).is_file():
        place = resolve(name, access=access, patterns=("config.json", CONFIG))
        kind = _model_type(place.folder / "config.json")
    if place is None or (place.folder / CONFIG).is_file():
        revision = place.revision if place is not None else None
        imported = import_open_clip(name, activation=activation, revision=revision, access=access)
        return imported.scorer, imported.activation_told_by
    options = {**vars(access), "revision": place.revision}
    if kind == AestheticScorerConfig.model_type:
        scorer = AestheticScorer.from_pretrained(name, dtype=torch.float32, **options)
    else:
        scorer = AestheticScorer.from_clip(name, **options)
    if activation is None or activation == scorer.config.tower.hidden_act:
        return scorer, "its config.json"
    _set_activation(scorer, activation)
    return scorer, "you"


def _model_type(path: Path) -> str | None:
    try:
        return json.loads(path.read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None


def _set_activation(scorer: AestheticScorer, activation: str) -> None:
    for layer in scorer.vision.vision_model.encoder.layers:
        layer.mlp.activation_fn = ACT2FN[activation]
    for config in (scorer.config.tower, scorer.vision.config):
        config.hidden_act = activation
    # What is on the Hub has another one, though the same weights.
    scorer.config.tower_repo_id = scorer.config.tower_revision = scorer.origin = None


def put_head(base: AestheticScorer, heads: Sequence[Head], kind: str, seed: int) -> None:
    """Give the base its head theta_0, of the size that the checkpoints' heads have.

    Args:
        base: is changed.
        heads: of the checkpoints, by a scorer's names.
        kind: as for `starting_head`.
        seed: of the `seeded` one.

    Raises:
        SettingError: another kind, or a base with another number of bins.
    """
    if len(base.config.bin_values) != NUM_BINS:
        raise SettingError(
            f"the base scores on {len(base.config.bin_values)} bins; the checkpoints have "
            f"{NUM_BINS}. Name the CLIP model itself as the base."
        )
    base.config.head_hidden_size = heads[0]["head.hidden.weight"].shape[0]
    base.head = AestheticHead(base.config)
    base.reset_head(seed)
    base.origin = None
    seeded = {f"head.{name}": tensor.clone() for name, tensor in base.head.state_dict().items()}
    chosen = starting_head(heads, kind, seeded)
    base.head.load_state_dict({name.removeprefix("head."): chosen[name] for name in chosen})
    if kind != "seeded":
        base.config.head_seed = None
    base.eval()
