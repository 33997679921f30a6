"""A base from an open_clip checkpoint scores as open_clip's own model would."""

import json
import pickle
import subprocess
import warnings
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.errors import FormatError, ScorerError, SettingError
from aesthetic_tv.hub.repos import push
from aesthetic_tv.scorer import AestheticScorer, import_open_clip
from aesthetic_tv.scorer.foreign_checkpoint import open_checkpoint
from aesthetic_tv.scorer.open_clip_layout import HEAD_WIDTHS, activation_of, tower_config
from aesthetic_tv.task_vectors import BaseReference
from conftest import ALICE
from open_clip_model import EMBED, PATCH, SIZE, WIDTH, OpenClip, write_config


@pytest.fixture
def pixels():
    return torch.randn(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path / "clip")
    return tmp_path / "clip"


def save(model: torch.nn.Module, path, **more: torch.Tensor) -> None:
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()} | more
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)


@pytest.mark.parametrize("act", ["gelu", "quick_gelu"])
@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_the_embeddings_are_open_clips(tmp_path, pixels, act, name):
    model = OpenClip(act=act)
    write_config(tmp_path, quick_gelu=act == "quick_gelu")
    save(model, tmp_path / name)
    imported = import_open_clip(tmp_path, seed=5)
    scorer = imported.scorer
    with torch.no_grad():
        embeds = scorer(pixels).image_embeds
        torch.testing.assert_close(embeds, model.visual(pixels), rtol=0, atol=1e-5)
    assert scorer.config.tower.hidden_act == act and scorer.config.head_seed == 5
    in_text = [name for name in model.state_dict() if not name.startswith("visual.")]
    assert imported.text_tensors == len(in_text) > 0


def test_the_two_activations_are_told_apart(folder, pixels):
    save(OpenClip(), folder / "m.pt")
    scores = [
        import_open_clip(folder / "m.pt", activation=act).scorer(pixels).image_embeds
        for act in ("gelu", "quick_gelu")
    ]
    assert (scores[0] - scores[1]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("model", "name", "expected"),
    [
        ({"quick_gelu": True}, "ViT-L-14", "quick_gelu"),
        ({}, "ViT-B-32-quickgelu", "gelu"),  # the config decides
        (None, "vit_b_32-quickgelu-laion400m_e32.pt", "quick_gelu"),
        (None, "vit_large_patch14_clip_224.openai.pt", "quick_gelu"),
        (None, "CLIP-ViT-L-14-DataComp.XL-s13B-b90K.bin", "gelu"),
    ],
)
def test_quick_gelu_is_told_by_the_config_or_the_name(model, name, expected):
    hidden_act, told_by = activation_of(model, name)
    assert hidden_act == expected
    assert told_by == "its open_clip_config.json" if model is not None else name in told_by


def test_a_training_checkpoint_is_unwrapped(folder, pixels):
    model = OpenClip()
    tensors = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    wrapped = {"epoch": 3, "name": "run", "state_dict": OrderedDict(tensors), "optimizer": {}}
    torch.save(wrapped, folder / "epoch_3.pt")
    scorer = import_open_clip(folder / "epoch_3.pt").scorer
    torch.testing.assert_close(scorer(pixels).image_embeds, model.visual(pixels))


def test_half_precision_becomes_float32(folder):
    model = OpenClip().half()
    save(model, folder / "open_clip_model.safetensors")
    scorer = import_open_clip(folder).scorer
    assert scorer.dtype == torch.float32
    assert torch.equal(scorer.vision.visual_projection.weight, model.visual.proj.float().T)


@pytest.mark.parametrize(("width", "heads"), [(768, 12), (1024, 16), (1280, 16), (1664, 16)])
def test_heads_without_a_config_are_those_of_open_clips_models(width, heads):
    shapes = {
        "visual.conv1.weight": (width, 3, 14, 14),
        "visual.positional_embedding": (257, width),
        "visual.proj": (width, 512),
        "visual.transformer.resblocks.0.mlp.c_fc.weight": (4 * width, width),
        "visual.transformer.resblocks.10.ln_1.weight": (width,),
    }
    config = tower_config(shapes, None, "gelu", "m")
    assert (config.num_attention_heads, config.num_hidden_layers) == (heads, 11)
    assert (config.image_size, config.projection_dim) == (224, 512)
    assert set(HEAD_WIDTHS) == {1280, 1408, 1664}


def test_a_width_that_64_does_not_divide_needs_the_config(tmp_path):
    save(OpenClip(), tmp_path / "m.pt")
    with pytest.raises(ScorerError, match=r"width 32 .* open_clip_config\.json"):
        import_open_clip(tmp_path / "m.pt")


REFUSED = {
    "an unknown tensor": ({"visual.attn_pool.query": torch.zeros(2)}, "visual.attn_pool.query"),
    "a stranger": ({"decoder.weight": torch.zeros(2)}, r"others \(1\): decoder.weight"),
    "another shape": (
        {"visual.ln_post.bias": torch.zeros(9)},
        r"visual\.ln_post\.bias \(9,\) where \(32,\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_tensors_that_do_not_fit_are_named(folder, case):
    more, told = REFUSED[case]
    save(OpenClip(), folder / "m.pt", **more)
    with pytest.raises(ScorerError, match=told):
        import_open_clip(folder / "m.pt")


def test_missing_tensors_are_named(folder):
    tensors = OpenClip().state_dict()
    del tensors["visual.transformer.resblocks.1.attn.in_proj_bias"]
    torch.save(tensors, folder / "m.pt")
    with pytest.raises(ScorerError, match=r"lacks \(1\): visual.*resblocks\.1\.attn\.in_proj_bias"):
        import_open_clip(folder / "m.pt")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"timm_model_name": "vit_base"}, "timm_model_name='vit_base'"),
        ({"pool_type": "avg"}, "pool_type='avg'"),
        ({"no_ln_pre": True}, "no_ln_pre=True"),
        ({"layers": 3}, "layers 3"),
        ({"image_size": 64}, "image_size 64"),
        ({"head_width": 7}, "attention heads of width 7"),
    ],
)
def test_a_config_of_another_tower_is_refused(tmp_path, settings, told):
    write_config(tmp_path, **settings)
    save(OpenClip(), tmp_path / "m.pt")
    with pytest.raises(ScorerError, match=told):
        import_open_clip(tmp_path / "m.pt")


def test_settings_that_change_nothing_are_passed_over(tmp_path):
    write_config(tmp_path, pool_type="tok", patch_dropout=0.5, no_ln_pre=False, mlp_ratio=4)
    save(OpenClip(), tmp_path / "m.pt")
    assert import_open_clip(tmp_path / "m.pt").scorer.config.tower.patch_size == PATCH


class _Malice:
    def __reduce__(self):
        return subprocess.call, (["touch", "/nonexistent/pwned"],)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(folder, monkeypatch, zipped):
    path, ran = folder / "m.pth", []
    content = {"visual.conv1.weight": torch.zeros(1), "state": _Malice()}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(subprocess, "call", ran.append)
    with pytest.raises(ScorerError, match=r"to be run.*refused.*safetensors"):
        import_open_clip(path)
    assert ran == []


def test_a_program_of_torchscript_is_refused(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(folder / "m.pt")
    with pytest.raises(ScorerError, match="TorchScript"):
        import_open_clip(folder / "m.pt")


@pytest.mark.parametrize("keep", [0, 5, 3000, -9])
def test_a_file_that_is_cut_off_is_refused(folder, keep):
    save(OpenClip(), folder / "m.pt")
    path = folder / "m.pt"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ScorerError, match=r"m\.pt"):
        import_open_clip(path)


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"a": 1}, {}, {"model": {"a": "b"}}])
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(ScorerError, match=r"m\.pt holds .* expected tensors by name"):
        open_checkpoint(tmp_path / "m.pt")


def test_an_old_pickle_and_a_missing_file(tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ScorerError, match=r"m\.pkl"):
        open_checkpoint(tmp_path / "m.pkl")
    with pytest.raises(ScorerError, match="no such file"):
        open_checkpoint(tmp_path / "gone.pt")
    with pytest.raises(FormatError):
        open_checkpoint(tmp_path / "gone.safetensors")


def test_other_pixels_than_clips_are_warned_of(folder):
    save(OpenClip(), folder / "open_clip_model.safetensors")
    path = folder / "open_clip_config.json"
    told = {"preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    with pytest.warns(UserWarning, match=r"normalized by mean \[0.5, 0.5, 0.5\]"):
        import_open_clip(folder)


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_a_repo_of_the_hub_is_pinned(hub, folder, tmp_path, pixels, name):
    model = OpenClip()
    save(model, folder / name)
    commit = push(folder, "alice/clip", token=ALICE).oid
    scorer = import_open_clip("alice/clip").scorer
    torch.testing.assert_close(scorer(pixels).image_embeds, model.visual(pixels))
    config = scorer.config
    assert (config.tower_repo_id, config.tower_revision) == ("alice/clip", commit)
    assert config.tower_layout == "open_clip"
    # What from_clip could not make again must not be referred to as if it could.
    assert BaseReference.of(scorer).repo_id is None


def test_a_repo_of_another_layout_is_told_apart(hub, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ScorerError, match=r"AestheticScorer\.from_clip"):
        import_open_clip(tmp_path)
    write_config(tmp_path / "bare")
    with pytest.raises(ScorerError, match=r"none of open_clip_model\.safetensors"):
        import_open_clip(tmp_path / "bare")
    push(tmp_path / "bare", "alice/bare", token=ALICE)
    with pytest.raises(ScorerError, match="import-open-clip"):
        AestheticScorer.from_clip("alice/bare")


def test_another_activation_than_the_two_is_refused(folder):
    save(OpenClip(), folder / "m.pt")
    with pytest.raises(SettingError, match="gelu, quick_gelu"):
        import_open_clip(folder / "m.pt", activation="relu")


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_makes_a_base_and_tells_of_it(folder, tmp_path, pixels):
    model = OpenClip(act="quick_gelu")
    save(model, folder / "open_clip_model.safetensors")
    write_config(folder, quick_gelu=True)
    result = run("import-open-clip", folder, "--out", tmp_path / "base", "--head-seed", 3)
    assert result.exit_code == 0, result.output
    assert f"{WIDTH} wide" in result.stdout and f"embeddings of {EMBED}" in result.stdout
    assert "quick_gelu, told by its open_clip_config.json" in result.stdout
    assert "tensors of the text tower" in result.stdout
    scorer = AestheticScorer.from_pretrained(tmp_path / "base")
    assert (scorer.config.head_seed, scorer.config.tower.hidden_act) == (3, "quick_gelu")
    torch.testing.assert_close(scorer(pixels).image_embeds, model.visual(pixels))


def test_the_command_leaves_a_folder_of_something_else_alone(folder, tmp_path):
    save(OpenClip(), folder / "open_clip_model.safetensors")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/photo.jpg").write_bytes(b"mine")
    result = run("import-open-clip", folder, "--out", tmp_path / "mine")
    assert result.exit_code == 2 and "left alone" in result.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["photo.jpg"]
