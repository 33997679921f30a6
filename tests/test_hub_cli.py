"""The commands that share: push, pull, vector and bank."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from aesthetic_tv import AestheticScorer, TaskVector, TaskVectorBank
from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED
from conftest import ALICE, make_bank, make_finetuned, make_scorer
from hub_server import HubServer, RefusedError
from test_hub_round_trips import make_taste


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def logged_in(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", ALICE)


@pytest.fixture
def vector_folders(tmp_path: Path, hub: HubServer) -> list[Path]:
    """Two vectors on a base from the Hub."""
    make_scorer().push_to_hub("alice/base")
    base = AestheticScorer.from_pretrained("alice/base")
    folders = []
    for k in range(2):
        vector = TaskVector.from_scorers(base, make_finetuned(base, k + 1), name=f"task{k}")
        folders.append(tmp_path / f"v{k}")
        vector.save_pretrained(folders[-1], storage="float16")
    return folders


def test_push_and_pull_give_the_same_bytes(vector_folders, hub, tmp_path):
    result = run("push", vector_folders[0], "alice/v0", "--private", "--tag", "v1")
    assert result.exit_code == 0, result.output
    repo = hub.model("alice/v0")
    assert repo.private and "Next:" in result.stdout and repo.tags["v1"] in result.stdout
    result = run("pull", "alice/v0", "--revision", "v1", "--out", tmp_path / "back")
    assert result.exit_code == 0, result.output
    name = "task_vector.safetensors"
    assert (tmp_path / "back" / name).read_bytes() == (vector_folders[0] / name).read_bytes()
    assert not (tmp_path / "back" / name).is_symlink()
    assert (tmp_path / "back/README.md").read_text().startswith("---\n")


def test_push_takes_nothing_along_that_is_not_ours(vector_folders, hub):
    (vector_folders[0] / "holiday.jpg").write_bytes(b"private")
    (vector_folders[0] / "weights.pkl").write_bytes(b"private")
    assert run("push", vector_folders[0], "alice/v0").exit_code == 0
    expected = {".gitattributes", "README.md", "task_vector.safetensors"}
    assert {*hub.model("alice/v0").files()} == expected | {"task_vector_config.json"}


def test_a_pushed_scorer_brings_its_code(hub, tmp_path, tiny_scorer):
    tiny_scorer.save_pretrained(tmp_path / "s")
    assert run("push", tmp_path / "s", "alice/s").exit_code == 0
    files = hub.model("alice/s").files()
    assert "auto_map" in json.loads(files["config.json"])
    assert "modeling_aesthetic_scorer.py" in files and "pipeline.py" in files
    assert not (tmp_path / "s/pipeline.py").exists()


def test_a_damaged_folder_is_not_published(vector_folders, hub):
    path = vector_folders[0] / "task_vector.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    result = run("push", vector_folders[0], "alice/v0")
    assert result.exit_code == FAILED and "whole safetensors" in result.stderr
    assert ("model", "alice/v0") not in hub.repos


def test_a_folder_of_something_else_is_not_published(hub, tmp_path, photos):
    result = run("push", photos[0].parent, "alice/photos")
    assert result.exit_code == FAILED and "expected a task vector" in result.stderr
    assert hub.repos == {}


def test_errors_of_the_hub_are_one_line(vector_folders, hub, tmp_path):
    hub.fault("/commit/", RefusedError(412))
    for result in (run("push", vector_folders[0], "alice/v0"), run("pull", "alice/nothing")):
        assert result.exit_code == FAILED
        assert result.stderr.splitlines()[-1].startswith("Error: alice/")
        assert "Traceback" not in result.output and ALICE not in result.output


def test_pull_overwrites_nothing_of_another_kind(vector_folders, hub, tmp_path, photos):
    run("push", vector_folders[0], "alice/v0")
    result = run("pull", "alice/v0", "--out", photos[0].parent)
    assert result.exit_code == FAILED and "left alone" in result.stderr
    assert photos[0].exists()


def test_vector_info_and_similarity(vector_folders, tmp_path):
    result = run("vector", "info", vector_folders[0])
    assert result.exit_code == 0
    assert "task0" in result.stdout and "alice/base" in result.stdout
    assert "none given" in result.stdout
    picture = tmp_path / "s.png"
    result = run("vector", "similarity", *vector_folders, "--picture", picture)
    assert result.exit_code == 0 and "+1.00" in result.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run("vector", "similarity", vector_folders[0]).exit_code == FAILED


def test_vector_arithmetic(vector_folders, tmp_path):
    one, other = (TaskVector.from_pretrained(folder) for folder in vector_folders)
    results = {
        "sum": (one + other, ["add", *vector_folders, "--name", "both"]),
        "minus": (-one, ["negate", vector_folders[0]]),
        "half": (0.5 * one, ["scale", vector_folders[0], "--factor", 0.5]),
    }
    for name, (expected, arguments) in results.items():
        result = run("vector", *arguments, "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
        saved = TaskVector.from_pretrained(tmp_path / name)
        assert all(torch.equal(tau, expected.layers[key]) for key, tau in saved.layers.items())
    assert TaskVector.from_pretrained(tmp_path / "sum").name == "both"


def test_bank_create_add_and_info(vector_folders, hub, tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    result = run("bank", "create", vector_folders[0], "--out", small)
    assert result.exit_code == 0, result.output
    result = run("bank", "add", small, vector_folders[1], "--out", large)
    assert result.exit_code == 0, result.output
    assert TaskVectorBank.from_pretrained(large).names == ("task0", "task1")
    result = run("bank", "info", large)
    assert result.exit_code == 0
    assert "alice/base" in result.stdout and "task1" in result.stdout


def test_a_bank_by_reference_holds_no_weights(vector_folders, hub, tmp_path):
    for k, folder in enumerate(vector_folders):
        run("push", folder, f"alice/v{k}")
    out = tmp_path / "bank"
    result = run("bank", "create", "alice/v0", "alice/v1", "--out", out, "--by-reference")
    assert result.exit_code == 0, result.output
    assert [path.name for path in out.iterdir()] == ["bank_config.json"]
    assert TaskVectorBank.from_pretrained(out).names == ("task0", "task1")


def test_a_base_that_nobody_names_must_be_given(tmp_path, hub):
    bank = make_bank(2)
    bank.base.save_pretrained(tmp_path / "base")
    bank.vectors[0].save_pretrained(tmp_path / "v")
    arguments = ["bank", "create", tmp_path / "v", "--out", tmp_path / "bank"]
    result = run(*arguments)
    assert result.exit_code == FAILED and "where its base" in result.stderr
    assert run(*arguments, "--base", tmp_path / "base").exit_code == 0


def test_taste_info_tells_and_draws_what_a_taste_is_made_of(tmp_path, tiny_bank):
    taste = make_taste(tiny_bank)
    taste.save_pretrained(tmp_path / "taste")
    picture = tmp_path / "taste.png"
    result = run("taste", "info", tmp_path / "taste", "--picture", picture)
    assert result.exit_code == 0, result.output
    for task, weight in taste.task_weights().items():
        assert re.search(rf"{task} .*{re.escape(f'{weight:+.3f}')}", result.stdout)
    assert f"{len(taste.layers)} layers" in result.stdout and "not on the Hub" in result.stdout
    assert taste.figures.verdict in " ".join(result.stdout.split())
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_taste_info_without_figures_says_that_nothing_is_known(tmp_path, tiny_bank):
    replace(make_taste(tiny_bank), figures=None).save_pretrained(tmp_path / "taste")
    result = run("taste", "info", tmp_path / "taste")
    assert result.exit_code == 0 and "nothing is known of its worth" in result.stdout
    assert run("taste", "info", tmp_path).exit_code == FAILED


COMMANDS = [
    *("push", "pull", "vector info", "vector add", "vector scale", "bank create", "bank add"),
    *("taste info", "space push"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0 and "Example: aesthetic-tv" in result.output


def test_a_plain_import_waits_for_no_torch():
    code = "import sys, aesthetic_tv; sys.exit(bool({'torch', 'transformers'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
