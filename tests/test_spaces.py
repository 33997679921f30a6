"""A Space of one's own: what is pushed, what stays, and what the wheel holds."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard
from typer.testing import CliRunner

from aesthetic_tv.app.space import VARIABLE, push_space, write_space
from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED
from aesthetic_tv.errors import (
    FormatError,
    HubAccessError,
    HubError,
    HubNotFoundError,
    SettingError,
)
from aesthetic_tv.hub.shipped import PACKAGE, shipped
from conftest import ALICE, BOB
from hub_server import HubServer, RefusedError, Repo

ME = "alice/personal-aesthetics"
ROOT = Path(__file__).parents[1]
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def logged_in(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", ALICE)


@pytest.fixture(autouse=True)
def small_package(tmp_path, monkeypatch) -> Path:
    """In place of the whole package: what is pushed of it does not depend on what it is."""
    package = tmp_path / "installed" / "aesthetic_tv"
    (package / "hub" / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "hub" / "old.py").write_text("old = 1")
    (package / "hub" / "weights.safetensors").write_bytes(b"\0" * 64)
    (package / "hub" / "__pycache__" / "old.pyc").write_bytes(b"\0")
    monkeypatch.setattr("aesthetic_tv.app.space.PACKAGE", package)
    return package


@pytest.fixture
def bank(hub: HubServer) -> str:
    return add_bank(hub, "alice/bank")


def add_bank(hub: HubServer, repo_id: str) -> str:
    """A repo that says it is a bank; nothing more of it is looked at before a push."""
    hub.repos["model", repo_id] = Repo(repo_id, False, hub.store)
    hub.model(repo_id).edit(bank_config__json=b"{}")
    return repo_id


def page(repo: Repo) -> SpaceCard:
    return SpaceCard(repo.files()["README.md"].decode())


def test_the_page_has_all_that_a_space_needs():
    head = SpaceCard.load(shipped("spaces") / "personalize" / "README.md").data.to_dict()
    assert head["sdk"] == "gradio" and head["app_file"] == "app.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", head["sdk_version"])
    assert head["hf_oauth"] is True and "contribute-repos" in head["hf_oauth_scopes"]
    assert 0 < len(head["short_description"]) <= 60
    assert {head["colorFrom"], head["colorTo"]} <= COLORS
    assert head["license"] == "apache-2.0" and head["pinned"] is False
    assert head["title"] and head["emoji"] and head["tags"] and "models" in head
    assert head["python_version"] == "3.11"  # a number in YAML would be 3.1 for 3.10


def test_the_page_pins_the_gradio_that_is_tested_here():
    head = SpaceCard.load(shipped("spaces") / "personalize" / "README.md").data
    try:
        installed = version("gradio")
    except ModuleNotFoundError:
        pytest.skip("gradio is not installed")
    assert head.sdk_version.split(".")[:2] == installed.split(".")[:2]


def test_the_requirements_are_those_of_the_package():
    lines = (shipped("spaces") / "personalize" / "requirements.txt").read_text().splitlines()
    listed = {line.replace(" ", "") for line in lines if not line.startswith("#")}

    def parts(requirement: str) -> tuple[str, frozenset[str]]:
        name, rest = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()
        return name.replace("_", "-"), frozenset(rest.split(","))

    needed = [line for line in requires("aesthetic-tv") or [] if "extra ==" not in line]
    assert {parts(line) for line in listed} == {parts(line.replace(" ", "")) for line in needed}


def test_a_push_makes_a_space_with_app_package_and_bank(hub, bank):
    result = run("space", "push", ME, "--bank", bank, "--private")
    assert result.exit_code == 0, result.output
    repo = hub.space(ME)
    files = repo.files()
    assert repo.private and repo.variables == {VARIABLE: bank}
    assert {"app.py", "requirements.txt", "README.md", "aesthetic_tv/__init__.py"} <= set(files)
    assert {"aesthetic_tv/hub_cards/bank.md", "aesthetic_tv/spaces/personalize/app.py"} <= {*files}
    assert not [name for name in files if "__pycache__" in name]
    head = page(repo).data
    assert head.models == [bank] and head.sdk == "gradio" and head.title == "Personal Aesthetics"
    assert len(repo.history) == 2  # the Hub's own and ours
    assert f"{hub.url}/spaces/{ME}" in result.stdout and ALICE not in result.output


def test_the_embedded_bank_is_a_variable_and_no_model(hub):
    push_space(ME, bank="embedded:tiny")
    assert hub.space(ME).variables == {VARIABLE: "embedded:tiny"}
    assert page(hub.space(ME)).data.models is None


def test_a_new_space_without_a_bank_leaves_the_choice_to_the_app(hub):
    push_space(ME)
    assert hub.space(ME).variables == {}


def test_a_second_push_of_the_same_makes_no_commit_and_sets_nothing(hub, bank):
    first = push_space(ME, bank=bank)
    hub.log.clear()
    second = push_space(ME, bank=bank)
    assert second.oid == first.oid and len(hub.space(ME).history) == 2
    assert [key for key in hub.repos if key[0] == "space"] == [("space", ME)]
    assert not [line for line in hub.log if re.search("/commit/|POST .*/variables", line)]


def test_a_push_without_a_bank_keeps_the_one_that_is_there(hub, bank):
    push_space(ME, bank=bank)
    push_space(ME)
    assert hub.space(ME).variables == {VARIABLE: bank} and len(hub.space(ME).history) == 2
    assert page(hub.space(ME)).data.models == [bank]


def test_another_bank_changes_the_variable_and_the_page(hub, bank):
    push_space(ME, bank=bank)
    push_space(ME, bank=add_bank(hub, "alice/other"))
    assert hub.space(ME).variables == {VARIABLE: "alice/other"}
    assert page(hub.space(ME)).data.models == ["alice/other"]
    push_space(ME, bank="embedded:tiny")
    assert page(hub.space(ME)).data.models is None


def test_an_edited_page_stays_but_for_what_the_app_needs(hub, bank):
    push_space(ME, bank=bank)
    edited = page(hub.space(ME))
    edited.data.title, edited.data.sdk_version = "Mine", "1.0.0"
    edited.data.models = [bank, "alice/more"]
    edited.text = "\n# My own words\n"
    hub.space(ME).edit(README__md=str(edited).encode())
    push_space(ME, bank="embedded:tiny")
    kept = page(hub.space(ME))
    assert kept.data.title == "Mine" and "My own words" in kept.text
    assert kept.data.sdk_version != "1.0.0" and kept.data.models == ["alice/more"]
    push_space(ME, replace_readme=True)
    assert page(hub.space(ME)).data.title == "Personal Aesthetics"


def test_a_page_that_was_only_laid_out_otherwise_stays_to_the_byte(hub, bank):
    push_space(ME, bank=bank)
    text = hub.space(ME).files()["README.md"].decode()
    edited = text.replace("license: apache-2.0", 'license:   "apache-2.0"').encode()
    hub.space(ME).edit(README__md=edited)
    push_space(ME)
    assert hub.space(ME).files()["README.md"] == edited


def test_a_page_whose_head_cannot_be_read_is_named(hub):
    push_space(ME)
    hub.space(ME).edit(README__md=b"---\ntitle: [\n---\n")
    with pytest.raises(SettingError, match="--replace-readme"):
        push_space(ME)
    push_space(ME, replace_readme=True)
    assert page(hub.space(ME)).data.sdk == "gradio"


def test_modules_that_are_no_more_leave_and_the_spaces_own_files_stay(hub, small_package):
    push_space(ME)
    hub.space(ME).edit(notes__txt=b"mine")
    (small_package / "hub" / "old.py").unlink()
    (small_package / "hub" / "new.py").write_text("new = 1")
    push_space(ME)
    files = hub.space(ME).files()
    assert "aesthetic_tv/hub/new.py" in files and "aesthetic_tv/hub/old.py" not in files
    assert files["notes.txt"] == b"mine" and "aesthetic_tv/__init__.py" in files


@pytest.mark.parametrize("bank", ["my-bank", "../bank", "/tmp/bank", ""])
def test_a_bank_that_a_space_cannot_load_is_refused_first(hub, bank):
    with pytest.raises(SettingError, match="Hub id"):
        push_space(ME, bank=bank)
    assert hub.repos == {}


def test_a_bank_that_is_not_there_is_refused_first(hub):
    with pytest.raises(HubNotFoundError, match="alice/nothing"):
        push_space(ME, bank="alice/nothing")
    with pytest.raises(FormatError, match="embedded:tiny"):
        push_space(ME, bank="embedded:huge")
    hub.repos["model", "alice/scorer"] = Repo("alice/scorer", False, hub.store)
    hub.model("alice/scorer").edit(config__json=b"{}")
    with pytest.raises(FormatError, match=r"bank_config\.json"):
        push_space(ME, bank="alice/scorer")
    assert ("space", ME) not in hub.repos


def test_without_a_token_it_says_how_to_log_in(hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    result = run("space", "push", ME)
    assert result.exit_code == FAILED and "Traceback" not in result.output
    assert "hf auth login" in result.stderr and "Nothing was pushed" in result.stderr
    assert hub.repos == {}


def test_somebody_elses_space_is_not_touched(hub):
    push_space(ME)
    before = hub.space(ME).files()
    with pytest.raises(HubAccessError, match="may not write"):
        push_space(ME, token=BOB)
    assert hub.space(ME).files() == before


def test_a_bank_that_could_not_be_set_is_told_apart_from_the_push(hub, bank):
    hub.fault(r"POST /api/spaces/.*/variables", RefusedError(500))
    with pytest.raises(HubError, match="files are pushed, but AESTHETIC_TV_BANK is not set"):
        push_space(ME, bank=bank)
    hub.faults.clear()
    push_space(ME, bank=bank)
    assert hub.space(ME).variables == {VARIABLE: bank} and len(hub.space(ME).history) == 2


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(hub):
    push_space(ME)
    hub.space(ME).edit(README__md=b"---\ntitle: x\n---\n")
    hub.fault("/commit/", RefusedError(412))
    result = run("space", "push", ME)
    assert result.exit_code == FAILED and "changed by someone else" in result.stderr


def test_what_is_pushed_can_be_imported_beside_the_app(tmp_path, monkeypatch):
    monkeypatch.setattr("aesthetic_tv.app.space.PACKAGE", PACKAGE)
    write_space(tmp_path / "space", None)
    code = "import aesthetic_tv.assets as a; from aesthetic_tv.hub.shipped import shipped as s;"
    code += "print(a.__file__, len(a.sample_photos()), s('hub_cards'), s('spaces'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "space", capture_output=True, text=True
    )
    place = tmp_path / "space" / "aesthetic_tv"
    assert done.stdout.split() == [
        *(str(place / "assets/__init__.py"), "24", str(place / "hub_cards"), str(place / "spaces"))
    ], done.stderr
    assert str(PACKAGE) not in "".join(
        path.read_text("utf-8") for path in (tmp_path / "space").glob("*.*") if path.is_file()
    )


def test_the_wheel_holds_the_space_and_the_cards(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("app.py", "README.md", "requirements.txt"):
        assert f"aesthetic_tv/spaces/personalize/{name}" in names
    assert "aesthetic_tv/hub_cards/personalization.md" in names
