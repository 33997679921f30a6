"""The authors' checkpoints become a bank that gives back each of them."""

import argparse
import json
from pathlib import Path

import pytest
import torch
from transformers import CLIPVisionModelWithProjection
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.errors import (
    BaseMismatchError,
    HubNotFoundError,
    OutputError,
    ScorerError,
    SettingError,
)
from aesthetic_tv.hub.repos import push
from aesthetic_tv.scorer import import_open_clip
from aesthetic_tv.task_vectors import ImportSettings, TaskVectorBank, import_authors
from aesthetic_tv.task_vectors.authors_layout import head_similarity, starting_head, task_of
from conftest import ALICE
from open_clip_model import PATCH, SIZE, WIDTH, AuthorsModel, OpenClip, finetuned, write_config

TASKS = ("ava", "aes", "tad")


@pytest.fixture
def pixels():
    return torch.randn(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def clip(tmp_path) -> Path:
    """The pre-trained model, a file with its config beside it."""
    write_config(tmp_path / "clip")
    torch.save(OpenClip().state_dict(), tmp_path / "clip/pretrained.bin")
    return tmp_path / "clip/pretrained.bin"


def save(model: AuthorsModel, path: Path, prefix: str = "", **more: torch.Tensor) -> Path:
    """As the authors' training script saves, options and optimizer beside the tensors."""
    tensors = {prefix + name: value.clone() for name, value in model.state_dict().items()} | more
    options = argparse.Namespace(clip_model="ViT-L-14", lr=1e-5, feature_dims=[[16]])
    torch.save({"model": tensors, "optimizer": {"state": {}}, "step": "9", "args": options}, path)
    return path


@pytest.fixture
def models() -> dict[str, AuthorsModel]:
    return {task: finetuned(k + 1) for k, task in enumerate(TASKS)}


@pytest.fixture
def files(tmp_path, models) -> list[Path]:
    return [save(model, tmp_path / f"clip_L_3fc_{task}.pth") for task, model in models.items()]


@pytest.mark.parametrize("act", ["gelu", "quick_gelu"])
@pytest.mark.parametrize("head", ["mean", "seeded", "first"])
def test_every_checkpoint_scores_as_the_authors_model(tmp_path, pixels, act, head):
    write_config(tmp_path, quick_gelu=act == "quick_gelu")
    torch.save(OpenClip(act=act).state_dict(), tmp_path / "clip.pt")
    models = {task: finetuned(k + 1, act) for k, task in enumerate(TASKS)}
    files = [save(model, tmp_path / f"clip_L_3fc_{task}.pth") for task, model in models.items()]
    settings = ImportSettings(str(tmp_path / "clip.pt"), head)
    imported = import_authors(files, tmp_path / "bank", settings)
    bank = TaskVectorBank.from_pretrained(tmp_path / "bank")
    assert bank.names == TASKS and imported.hidden_act[0] == act
    for name, model in models.items():
        scores = bank.task_scorer(name)(pixels).scores
        torch.testing.assert_close(scores, model(pixels), rtol=0, atol=1e-5)


def test_a_bank_of_checkpoints_knows_where_it_comes_from(clip, files, tmp_path):
    settings = ImportSettings(str(clip), license="mit")
    told = []
    imported = import_authors(files, tmp_path / "bank", settings, progress=told.append)
    assert tuple(told) == imported.tasks
    bank = TaskVectorBank.from_pretrained(tmp_path / "bank")
    for vector, task in zip(bank.vectors, imported.tasks, strict=True):
        assert vector.license == "mit" and len(vector.training["sha256"]) == 64
        assert vector.training["checkpoint"] == task.file == f"clip_L_3fc_{vector.name}.pth"
        assert vector.training["hidden_act"] == "gelu"
        assert vector.training["base"] == "pretrained.bin"  # the name, and no path of this machine
        assert "mean of the heads of the 3" in vector.training["note"]
        assert str(tmp_path) not in json.dumps(dict(vector.training))
        assert task.text_tensors > 0 and 0.01 < task.relative_length < 0.5 and not task.far
    assert [vector.database["id"] for vector in bank.vectors] == ["AVA", "FLICKR-AES", "TAD66K"]
    assert bank.vectors[0].training["note"] in bank.card(tmp_path, "me/bank")
    assert bank.vectors[0].card(tmp_path, "me/vector").count("Head theta_0 is") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["bank", "clip", "similarity.png", *(file.name for file in files)]
    )


def test_the_choice_of_head_changes_no_merge_whose_coefficients_sum_to_one(
    clip, files, tmp_path, pixels
):
    scores = {}
    for head in ("mean", "seeded", "first"):
        import_authors(files, tmp_path / head, ImportSettings(str(clip), head))
        bank = TaskVectorBank.from_pretrained(tmp_path / head)
        for total, alpha in (("one", (0.2, 0.7, 0.1)), ("half", (0.2, 0.2, 0.1))):
            scores[head, total] = bank.merge(torch.tensor([alpha]))(pixels).scores
    for head in ("seeded", "first"):
        torch.testing.assert_close(scores[head, "one"], scores["mean", "one"], rtol=0, atol=1e-5)
        assert (scores[head, "half"] - scores["mean", "half"]).abs().max() > 1e-3


def test_of_the_mean_head_the_vectors_cancel_out(clip, files, tmp_path):
    import_authors(files, tmp_path / "bank", ImportSettings(str(clip)))
    bank = TaskVectorBank.from_pretrained(tmp_path / "bank")
    assert bank.base.config.head_seed is None
    for name in bank.layers:
        if name.startswith("head."):
            total = bank.stacked[name].sum(0)
            torch.testing.assert_close(total, torch.zeros_like(total), rtol=0, atol=1e-6)


def test_the_seeded_head_is_the_published_one(clip, files, tmp_path):
    import_authors(files, tmp_path / "bank", ImportSettings(str(clip), "seeded", head_seed=4))
    base = TaskVectorBank.from_pretrained(tmp_path / "bank").base
    assert base.config.head_seed == 4 and base.config.head_hidden_size == 24
    before = base.head.output.weight.clone()
    base.reset_head(4)
    assert torch.equal(base.head.output.weight, before)


def test_heads_of_one_start_are_told_from_heads_drawn_anew():
    def head(seed: int, start: torch.Tensor) -> dict[str, torch.Tensor]:
        noise = torch.randn(24, 16, generator=torch.Generator().manual_seed(seed))
        return {"head.hidden.weight": start + 0.1 * noise}

    start = torch.randn(24, 16, generator=torch.Generator().manual_seed(0))
    assert head_similarity([head(1, start), head(2, start)]) > 0.9
    zero = torch.zeros(24, 16)
    assert abs(head_similarity([head(1, zero), head(2, zero), head(3, zero)])) < 0.2
    assert head_similarity([head(1, start)]) == 1
    with pytest.raises(SettingError, match="mean, seeded, first"):
        starting_head([head(1, start)], "median", {})


@pytest.mark.parametrize("layout", ["scorer", "transformers"])
@pytest.mark.parametrize("on_hub", [False, True])
def test_the_base_may_be_in_any_layout(clip, files, tmp_path, models, pixels, hub, layout, on_hub):
    base = import_open_clip(clip).scorer
    if layout == "scorer":
        base.save_pretrained(tmp_path / "base")
    else:
        tower = CLIPVisionModelWithProjection(base.config.tower)
        tower.load_state_dict(base.vision.state_dict())
        tower.save_pretrained(tmp_path / "base")
    name = str(tmp_path / "base")
    if on_hub:
        name = "alice/base"
        push(tmp_path / "base", name, token=ALICE)
    imported = import_authors(files, tmp_path / "bank", ImportSettings(name, "seeded"))
    assert imported.hidden_act == ("gelu", "its config.json")
    bank = TaskVectorBank.from_pretrained(tmp_path / "bank")
    scores = bank.task_scorer("aes")(pixels).scores
    torch.testing.assert_close(scores, models["aes"](pixels), rtol=0, atol=1e-5)
    # Only what from_clip makes again is referred to: tower and seeded head.
    again = "alice/base" if on_hub and layout == "transformers" else None
    assert bank.base_reference.repo_id == again


def test_of_a_repo_with_both_layouts_the_authors_file_is_taken(clip, files, tmp_path, hub):
    clip.rename(clip.with_name("open_clip_pytorch_model.bin"))
    (clip.parent / "config.json").write_text('{"model_type": "clip"}')
    commit = push(clip.parent, "alice/clip", token=ALICE).oid
    imported = import_authors(files, tmp_path / "bank", ImportSettings("alice/clip"))
    vector = TaskVectorBank.from_pretrained(tmp_path / "bank").vectors[0]
    assert vector.training["base"] == f"alice/clip@{commit}"
    assert imported.hidden_act == ("gelu", "its open_clip_config.json")


@pytest.mark.parametrize("layout", ["open_clip", "transformers"])
def test_the_activation_can_be_told(clip, files, tmp_path, pixels, layout):
    name = str(clip)
    if layout == "transformers":
        import_open_clip(clip).scorer.vision.save_pretrained(tmp_path / "base")
        name = str(tmp_path / "base")
    settings = ImportSettings(name, activation="quick_gelu")
    imported = import_authors(files, tmp_path / "bank", settings)
    assert imported.hidden_act == ("quick_gelu", "you")
    bank = TaskVectorBank.from_pretrained(tmp_path / "bank")
    assert bank.base.config.tower.hidden_act == "quick_gelu"
    expected = finetuned(1, "quick_gelu")
    expected.load_state_dict(finetuned(1).state_dict())
    scores = bank.task_scorer("ava")(pixels).scores
    torch.testing.assert_close(scores, expected(pixels), rtol=0, atol=1e-5)


def test_a_wrapping_prefix_is_found(clip, tmp_path, pixels):
    model = finetuned(1)
    file = save(model, tmp_path / "mine.pth", prefix="module.")
    import_authors([file], tmp_path / "bank", ImportSettings(str(clip)))
    bank = TaskVectorBank.from_pretrained(tmp_path / "bank")
    torch.testing.assert_close(bank.task_scorer("mine")(pixels).scores, model(pixels))
    assert bank.vectors[0].database == {}


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("clip_L_3fc_koniq", ("koniq", "KonIQ-10k")),
        ("clip_B_3fc_spaq", ("spaq", "SPAQ")),
        ("para", ("para", "PARA")),
        ("my_run", ("my_run", None)),
    ],
)
def test_the_files_name_tells_task_and_database(stem, expected):
    assert task_of(stem) == expected


REFUSED = {
    "a stranger": ({"decoder.weight": torch.zeros(2)}, r"others \(1\): decoder\.weight"),
    "a deeper head": (
        {"score_predictor.projection.6.weight": torch.zeros(10, 24)},
        r"score_predictor\.projection\.6\.weight",
    ),
    "a head of another width": (
        {"score_predictor.projection.3.weight": torch.zeros(10, 9)},
        r"projection\.3\.weight \(10, 9\) where \(10, 24\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_tensors_that_do_not_fit_are_named(clip, tmp_path, case):
    more, told = REFUSED[case]
    file = save(finetuned(1), tmp_path / "a.pth", **more)
    with pytest.raises(ScorerError, match=told):
        import_authors([file], tmp_path / "bank", ImportSettings(str(clip)))
    assert not (tmp_path / "bank").exists()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("score_predictor.projection.3.bias", ScorerError),
        ("backbone.visual.proj", ScorerError),
        ("backbone.visual.transformer.resblocks.1.mlp.c_fc.bias", BaseMismatchError),
    ],
)
def test_missing_tensors_are_named(clip, tmp_path, name, error):
    tensors = finetuned(1).state_dict()
    del tensors[name]
    torch.save({"model": tensors}, tmp_path / "a.pth")
    with pytest.raises(error, match=name.removeprefix("backbone.").replace(".", r"\.")):
        import_authors([tmp_path / "a.pth"], tmp_path / "bank", ImportSettings(str(clip)))


def test_a_checkpoint_without_a_head_is_no_checkpoint_of_theirs(clip, tmp_path):
    with pytest.raises(ScorerError, match=r"holds no score_predictor\.projection\.0\.weight"):
        import_authors([clip], tmp_path / "bank", ImportSettings(str(clip)))


@pytest.mark.parametrize(("sizes"), [{"layers": 3}, {"width": 64}])
def test_two_architectures_make_no_bank(clip, files, tmp_path, sizes):
    other = save(finetuned(9, **sizes), tmp_path / "other.pth")
    with pytest.raises(BaseMismatchError, match=r"other\.pth.*compared with .*clip_L_3fc_ava\.pth"):
        import_authors([files[0], other], tmp_path / "bank", ImportSettings(str(clip)))
    with pytest.raises(BaseMismatchError, match=r"other\.pth.*compared with the base"):
        import_authors([other], tmp_path / "bank", ImportSettings(str(clip)))


def test_heads_of_two_sizes_make_no_bank(clip, files, tmp_path):
    other = save(finetuned(9, hidden=8), tmp_path / "other.pth")
    with pytest.raises(BaseMismatchError, match=r"head\.hidden\.weight \(8, 16\) where \(24, 16\)"):
        import_authors([files[0], other], tmp_path / "bank", ImportSettings(str(clip)))


def test_an_unusual_tower_needs_its_base_named(files, tmp_path):
    with pytest.raises(SettingError, match=r"ViT-L/14.*--base"):
        import_authors(files, tmp_path / "bank")


def test_the_base_of_the_authors_script_is_fetched_where_none_is_named(
    clip, files, tmp_path, hub, monkeypatch
):
    monkeypatch.setattr("aesthetic_tv.task_vectors.authors.BASES", {(WIDTH, PATCH): "alice/clip"})
    with pytest.raises(HubNotFoundError, match=r"alice/clip.*--base"):
        import_authors(files, tmp_path / "bank")
    clip.rename(clip.with_name("open_clip_pytorch_model.bin"))
    push(clip.parent, "alice/clip", token=ALICE)
    result = run("import-authors", *files, "--out", tmp_path / "bank")
    assert result.exit_code == 0, result.output
    assert "Base: alice/clip" in result.stdout


def test_two_checkpoints_of_one_task_are_refused(clip, files, tmp_path):
    for given in ([files[0], files[0]], []):
        with pytest.raises(SettingError, match="each of another task"):
            import_authors(given, tmp_path / "bank", ImportSettings(str(clip)))


def test_a_weight_that_is_not_a_number_is_refused(clip, tmp_path):
    model = finetuned(1)
    with torch.no_grad():
        model.backbone.visual.proj[0, 0] = torch.nan
    file = save(model, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth.*not finite.*visual_projection"):
        import_authors([file], tmp_path / "bank", ImportSettings(str(clip)))


class _Malice:
    def __reduce__(self):
        return print, ("run",)


def test_a_checkpoint_with_code_is_refused_and_not_run(clip, files, tmp_path, capsys):
    torch.save({"model": finetuned(1).state_dict(), "args": _Malice()}, tmp_path / "a.pth")
    with pytest.raises(ScorerError, match=r"a\.pth asks for .*print to be run"):
        import_authors([files[0], tmp_path / "a.pth"], tmp_path / "bank", ImportSettings(str(clip)))
    assert "run" not in capsys.readouterr().out and not (tmp_path / "bank").exists()


def test_a_folder_of_something_else_is_left_alone(clip, files, tmp_path):
    with pytest.raises(OutputError, match="left alone"):
        import_authors(files, clip.parent, ImportSettings(str(clip)))


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_tells_of_each_checkpoint_and_of_the_choice(clip, files, tmp_path):
    result = run("import-authors", *files, "--base", clip, "--out", tmp_path / "bank")
    assert result.exit_code == 0, result.output
    for name in TASKS:
        assert f"{name}: from clip_L_3fc_{name}.pth" in result.stdout
    assert "activation gelu, told by its open_clip_config.json" in result.stdout
    assert "Head theta_0 is the mean of the heads of the 3 checkpoints" in result.stdout
    assert "too far" not in result.stderr and "Next:" in result.stdout
    assert TaskVectorBank.from_pretrained(tmp_path / "bank").names == TASKS


def test_the_command_warns_of_a_wrong_base(files, tmp_path):
    write_config(tmp_path / "other")
    torch.save(OpenClip(seed=77).state_dict(), tmp_path / "other/m.pt")
    result = run(
        "import-authors", *files, "--base", tmp_path / "other/m.pt", "--out", tmp_path / "bank",
        "--head", "first",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "ava, aes, tad: too far from the base" in result.stderr


def test_the_command_refuses_a_choice_it_does_not_know(clip, files, tmp_path):
    result = run(
        "import-authors", *files, "--base", clip, "--out", tmp_path / "b", "--head", "best"
    )
    assert result.exit_code == 2 and "mean, seeded, first" in result.stderr
