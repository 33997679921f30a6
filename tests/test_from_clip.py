"""Any CLIP vision tower in transformers' layout becomes a base, or is refused with the reason."""

import json

import pytest
import torch
from transformers import (
    CLIPConfig,
    CLIPForImageClassification,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
)

from aesthetic_tv.errors import HubNotFoundError, ScorerError
from aesthetic_tv.hub.repos import push
from aesthetic_tv.scorer import AestheticScorer
from conftest import ALICE, TINY

TEXT = {
    "hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16,
    "num_attention_heads": 2, "vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def full(**tower) -> CLIPModel:
    # As in many published configs, the tower's own projection_dim is not the true one.
    config = CLIPConfig(vision_config=TINY | tower, text_config=TEXT, projection_dim=24)
    config.vision_config.projection_dim = 512
    torch.manual_seed(3)
    return CLIPModel(config).eval()


def alone(**tower) -> CLIPVisionModelWithProjection:
    torch.manual_seed(3)
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**TINY | tower)).eval()


def embeds(model, pixels: torch.Tensor) -> torch.Tensor:
    if isinstance(model, CLIPModel):
        return model.visual_projection(model.vision_model(pixels).pooler_output)
    return model(pixels).image_embeds


@pytest.mark.parametrize("make", [full, alone])
@pytest.mark.parametrize(
    "tower",
    [
        {},
        {"hidden_act": "quick_gelu"},
        {"hidden_size": 48, "num_attention_heads": 3, "num_hidden_layers": 1},
        {"patch_size": 16, "image_size": 64, "intermediate_size": 40},
        {"patch_size": 7, "image_size": 30},  # a margin that no patch covers
    ],
)
def test_towers_of_all_sizes_give_their_embeddings(tmp_path, make, tower):
    model = make(**tower)
    model.save_pretrained(tmp_path)
    scorer = AestheticScorer.from_clip(tmp_path)
    size = scorer.config.tower.image_size
    pixels = torch.randn(2, 3, size, size)
    expected = embeds(model, pixels)
    torch.testing.assert_close(scorer(pixels).image_embeds, expected)
    assert scorer.head.hidden.in_features == expected.shape[1]
    assert scorer.config.tower.hidden_act == tower.get("hidden_act", "gelu")


def test_shards_are_put_together(tmp_path):
    model = full()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    pixels = torch.randn(2, 3, 32, 32)
    scorer = AestheticScorer.from_clip(tmp_path)
    torch.testing.assert_close(scorer(pixels).image_embeds, embeds(model, pixels))


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_any_precision_becomes_float32_unless_told(tmp_path, stored):
    alone().to(stored).save_pretrained(tmp_path)
    assert AestheticScorer.from_clip(tmp_path).dtype == torch.float32
    assert AestheticScorer.from_clip(tmp_path, dtype="auto").dtype == stored
    assert AestheticScorer.from_clip(tmp_path, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_a_variant_is_found_by_its_name(tmp_path):
    alone().half().save_pretrained(tmp_path, variant="fp16")
    assert AestheticScorer.from_clip(tmp_path, variant="fp16").dtype == torch.float32
    with pytest.raises(ScorerError, match=r"no file named model\.safetensors"):
        AestheticScorer.from_clip(tmp_path)


@pytest.mark.parametrize("on_hub", [False, True])
def test_a_tower_may_be_in_a_sub_folder(hub, tmp_path, on_hub):
    model = alone()
    model.save_pretrained(tmp_path / "image_encoder")
    (tmp_path / "model_index.json").write_text("{}")
    name = tmp_path
    if on_hub:
        push(tmp_path, "alice/pipeline", token=ALICE)
        name = "alice/pipeline"
    scorer = AestheticScorer.from_clip(name, subfolder="image_encoder")
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(scorer(pixels).image_embeds, embeds(model, pixels))
    assert scorer.config.tower_repo_id is None  # a reference has no word for the folder


def test_shards_on_the_hub_are_pinned(hub, tmp_path):
    model = full()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    commit = push(tmp_path, "alice/clip", token=ALICE).oid
    scorer = AestheticScorer.from_clip("alice/clip")
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(scorer(pixels).image_embeds, embeds(model, pixels))
    assert scorer.config.tower_revision == commit
    with pytest.raises(HubNotFoundError):
        AestheticScorer.from_clip("alice/clop")


@pytest.mark.parametrize("old_names", [False, True])
def test_a_tower_without_projection_is_refused(tmp_path, old_names):
    model = CLIPVisionModel(CLIPVisionConfig(**TINY))
    tensors = model.state_dict()
    if old_names:  # as transformers 4 saved it
        tensors = {f"vision_model.{name}": tensor for name, tensor in tensors.items()}
    model.save_pretrained(tmp_path, state_dict=tensors)
    with pytest.raises(ScorerError, match=r"no projection.*CLIPVisionModelWithProjection"):
        AestheticScorer.from_clip(tmp_path)


def test_a_classifier_is_refused(tmp_path):
    config = CLIPConfig(vision_config=TINY, text_config=TEXT)
    CLIPForImageClassification(config).save_pretrained(tmp_path)
    with pytest.raises(ScorerError, match="model of another task"):
        AestheticScorer.from_clip(tmp_path)


def test_weights_of_other_sizes_than_the_config_tells_are_named(tmp_path):
    alone().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 48}))
    with pytest.raises(ScorerError, match=r"another shape .*mlp\.fc1\.bias.*64.*48"):
        AestheticScorer.from_clip(tmp_path)


@pytest.mark.parametrize("case", ["cut off", "no weights", "no config", "unknown type", "no json"])
def test_a_damaged_folder_is_an_error_of_ours(tmp_path, case):
    alone().save_pretrained(tmp_path)
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    if case == "cut off":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif case == "no weights":
        weights.unlink()
    elif case == "no config":
        config.unlink()
    else:
        config.write_text('{"model_type": "nothing"}' if case == "unknown type" else "{")
    with pytest.raises(ScorerError, match="transformers' layout that can be loaded"):
        AestheticScorer.from_clip(tmp_path)
