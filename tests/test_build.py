"""A bank by one command: recipes, plans, steps that are not done twice, and what goes wrong."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import build_samples as samples
from aesthetic_tv.building.journal import Journal, digest_of
from aesthetic_tv.building.obtaining import check_terms
from aesthetic_tv.building.outcome import DONE, FAILED, KEPT, WAITING
from aesthetic_tv.building.plan import plan_of
from aesthetic_tv.building.recipe_file import RECIPES, parse_recipe, read_recipe, recipe_of
from aesthetic_tv.building.running import build
from aesthetic_tv.building.training import APART, TOGETHER, arrange
from aesthetic_tv.building.work import BuildSettings
from aesthetic_tv.cli import app
from aesthetic_tv.errors import OutputError, RecipeError, SettingError
from aesthetic_tv.finetuning.defaults import SIZES, defaults_for, size_of
from aesthetic_tv.task_vectors import TaskVectorBank
from build_samples import RECIPE, bank_digest, write_recipe
from conftest import ALICE, HUB, make_scorer
from source_samples import publish

FETCHES = ("koniq", "spaq", "aadb", "kadid", "flive", "tad66k", "ava", "pamela", "lapis")


def run(*arguments: object):
    return CliRunner().invoke(app, ["bank", "build", *map(str, arguments)])


def states(outcome) -> dict[str, set[str]]:
    told: dict[str, set[str]] = {}
    for name, state in outcome.state.items():
        told.setdefault(state, set()).add(name)
    return told


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A build of the small recipe, whole; copied by those who change it."""
    folder = tmp_path_factory.mktemp("small")
    outcome = build(*read_recipe(write_recipe(folder)), folder / "out")
    assert set(outcome.state.values()) == {DONE}
    return folder


@pytest.fixture
def again(small, tmp_path) -> Path:
    """A copy of it: the recipe and `out`."""
    shutil.copytree(small, tmp_path / "again")
    text = (tmp_path / "again" / "out" / "journal.json").read_text()
    assert str(small) in text  # where databases lie
    return tmp_path / "again"


# Recipes


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_is_one_and_tells_its_plan(name):
    recipe, _ = read_recipe(name)
    assert recipe.name == name
    assert recipe_of(json.loads(json.dumps(recipe.as_json())), Path("x")) == recipe
    plan = plan_of(recipe)
    before = set()
    for step in plan.steps:
        assert set(step.needs) <= before
        before.add(step.name)
    assert plan.steps[-1].name == "bank"


def test_a_recipe_that_is_like_another_differs_in_what_it_says_alone():
    base, _ = read_recipe("b16")
    other, _ = read_recipe("siglip2-b16")
    assert other.tower.checkpoint == "google/siglip2-base-patch16-224"
    assert other.databases == base.databases


WRONG = {
    "an unknown key": ("title: x", "titel: x", r"line 3, titel: there is no such key.*title\?"),
    "a key within": ("photos: 48, seed: 1", "photo: 48", r"line 12, databases\[1\]\.made\.photo"),
    "no number": ("photos: 48, seed: 1", "photos: many", r"made\.photos: found 'many'; expected a"),
    "a setting": (
        "epochs: 3,",
        "epoch: 3,",
        r"line 10, finetuning: a setting of finetuning.*mean epochs\?",
    ),
    "a setting's value": ("epochs: 3,", "epochs: -3,", r"epochs must be 0 or more, got -3"),
    "a rule": ("rule: light", "rule: lite", r"rule is 'lite'.*mean light\?"),
    "storage": ("storage: int8", "storage: int5", r"storage is 'int5'; expected one of float32"),
    "nothing to train": ("license: apache-2.0", "licence: x", r"licence: there is no such key"),
    "a name in the population": ("[people], people: true", "[peple]", r"'peple'.*mean people\?"),
    "no list": ("[people], people: true", "people", r"population\.databases: found 'people'; expe"),
    "a key twice": ("title: x", "title: x\ntitle: y", r"line 4, title: the key is there twice"),
    "two towers": ("  config: {", "  checkpoint: a/b\n  config: {", "found checkpoint and config"),
    "no YAML": ("title: x", "title: [x", r"is no YAML: .* in line"),
    "a program": ("title: x", "title: !!python/object/apply:os.system [ls]", "title: could not de"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_a_recipe_is_told_with_its_line_and_the_nearest_name(what):
    before, after, match = WRONG[what]
    text = RECIPE.replace("title: Two vectors of a second each", "title: x")
    assert before in text
    with pytest.raises(RecipeError, match=match) as caught:
        parse_recipe(text.replace(before, after, 1), Path("mine.yaml"))
    assert str(caught.value).startswith("mine.yaml")


def test_a_recipe_that_is_not_there_is_told_with_the_nearest(tmp_path):
    with pytest.raises(RecipeError, match=r"b16, l14, lite.*Did you mean b16\?"):
        read_recipe("b-16")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "mine.yaml")
    result = run("b61", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


# Plans


def test_what_one_step_depends_on_changes_its_key_alone():
    recipe = parse_recipe(RECIPE, Path("x"))
    light = replace(recipe.databases[0], finetuning={"lr": 1e-2})
    other = replace(recipe, databases=(light, *recipe.databases[1:]))
    before, after = ({s.name: s.key({}) for s in plan_of(r).steps} for r in (recipe, other))
    assert {name for name in before if before[name] != after[name]} == {"finetune light"}
    step = plan_of(recipe).of_kind("finetune")[0]
    assert step.key({"base": "1"}) != step.key({"base": "2"})
    assert step.key({"base": "1"}) == step.key({"base": "1", "finetune colour": "3"})


def test_names_are_known_by_how_they_begin_and_unknown_ones_are_told():
    recipe, _ = read_recipe("b16")
    plan = plan_of(recipe, only=["koniq", "spa"], without=["population"])
    assert [step.subject for step in plan.of_kind("finetune")] == ["koniq", "spaq"]
    assert not plan.of_kind("population")
    with pytest.raises(SettingError, match=r"no 'konik'.*Did you mean koniq\?"):
        plan_of(recipe, only=["konik"])
    with pytest.raises(SettingError, match="no database is left"):
        plan_of(recipe, only=["koniq"], without=["koniq"])


def test_a_population_of_databases_that_may_be_missing_may_be_missing_itself():
    plan = plan_of(read_recipe("b16")[0], without=["para", "pamela", "lapis"])
    steps = {step.name: step for step in plan.steps}
    assert steps["population"].required  # nothing is left to learn it from, and it is asked for
    steps = {step.name: step for step in plan_of(read_recipe("b16")[0]).steps}
    assert not steps["population"].required
    assert "population" in steps["bank"].uses
    steps = {step.name: step for step in plan_of(read_recipe("tiny-example")[0]).steps}
    assert "population" in steps["bank"].needs


def test_vectors_are_shared_out_in_the_way_that_is_faster():
    assert arrange([600, 600, 600, 600], 4).way == APART
    assert arrange([6000], 4).way == TOGETHER
    # One that takes as long as all others together: all wait for it when apart.
    assert arrange([9000, 100, 100], 2).way == TOGETHER
    assert arrange([60, 60], 1).seconds[APART] == pytest.approx(135)


def test_the_settings_of_each_size_are_told_apart_and_belong_to_a_size_of_towers():
    rates = [defaults_for(size).lr for size in SIZES]
    assert rates == sorted(rates, reverse=True)
    assert [size_of(count * 10**6) for count in (5, 87, 304)] == list(SIZES)
    with pytest.raises(SettingError, match="size is 'huge'"):
        defaults_for("huge")


# Running


def test_a_whole_build_is_not_done_again_and_its_bank_is_whole(small):
    before = digest_of(small / "out" / "vectors"), bank_digest(small / "out")
    outcome = build(*read_recipe(small / "small.yaml"), small / "out")
    assert set(outcome.state.values()) == {KEPT}
    assert (digest_of(small / "out" / "vectors"), bank_digest(small / "out")) == before
    bank = TaskVectorBank.from_pretrained(small / "out" / "bank")
    assert bank.names == ("light", "colour")
    assert bank.population is not None and bank.directions is not None
    assert [figure["database"] for figure in bank.evaluations] == ["people"]
    card = (small / "out" / "bank" / "README.md").read_text()
    assert "drawn by the rule light" in card
    page = (small / "out" / "report.html").read_text()
    for told in ("learning curve of light", "How alike", "prepare people", "SROCC"):
        assert told in page
    assert (small / "out" / "vectors" / "light" / "log.csv").is_file()


def test_what_was_damaged_is_made_again_and_nothing_else(again):
    vector = again / "out" / "vectors" / "colour" / "task_vector.safetensors"
    whole, expected = vector.read_bytes(), bank_digest(again / "out")
    vector.write_bytes(whole[:-7])
    outcome = build(*read_recipe(again / "small.yaml"), again / "out")
    assert states(outcome)[DONE] == {"finetune colour"}
    assert vector.read_bytes() == whole
    assert bank_digest(again / "out") == expected


def test_another_setting_of_one_vector_trains_that_one_alone(again):
    text = RECIPE.replace("seed: 2}}", "seed: 2}, finetuning: {epochs: 1}}")
    recipe = write_recipe(again, text)
    outcome = build(*read_recipe(recipe), again / "out")
    assert states(outcome)[DONE] == {"finetune colour", "population", "evaluate", "bank"}


def test_a_changed_folder_of_photos_is_learned_from_again_and_others_are_not(again, tmp_path):
    own = again / "mine"
    shutil.copytree(again / "out" / "data" / "colour", own)
    text = RECIPE.replace(
        "{id: colour, made: {rule: colour, photos: 48, seed: 2}}",
        "{id: colour, folder: mine, columns: {table: scores.csv, score_range: [1.0, 10.0]}}",
    )
    recipe = read_recipe(write_recipe(again, text))
    settings = BuildSettings(without=("population", "evaluation"))
    first = states(build(*recipe, again / "out", settings))
    assert first[DONE] == {"fetch colour", "prepare colour", "finetune colour", "bank"}
    assert KEPT in first and "finetune light" in first[KEPT]
    table = own / "scores.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], rows[1].split(",")[0] + ",1.0", *rows[2:]]) + "\n")
    second = states(build(*recipe, again / "out", settings))
    assert {"fetch colour", "finetune colour", "bank"} <= second[DONE]
    assert "finetune light" in second[KEPT]


def test_one_that_fails_leaves_the_others_alone_and_can_be_left_out(again):
    text = RECIPE.replace("{id: colour, made: {rule: colour, photos: 48, seed: 2}}",
                          "{id: colour, folder: not-there}")  # fmt: skip
    recipe = write_recipe(again, text)
    result = run(recipe, "--out", again / "out")
    assert result.exit_code == 3
    told = " ".join(result.output.split())
    assert "fetch colour: colour: there is no folder" in told
    assert "--data-dir" in told
    assert "Waiting for that: prepare colour, finetune colour, population, evaluate, bank" in told
    assert "--without colour" in told
    assert "finetune light" in Journal(again / "out").entries
    result = run(recipe, "--out", again / "out", "--without", "colour")
    assert result.exit_code == 0, result.output
    assert TaskVectorBank.from_pretrained(again / "out" / "bank").names == ("light",)


def test_a_folder_of_somebody_else_and_one_at_work_are_left_alone(tmp_path, small):
    (tmp_path / "notes.txt").write_text("mine")
    recipe = read_recipe(small / "small.yaml")
    with pytest.raises(OutputError, match=r"holds no journal\.json"):
        build(*recipe, tmp_path)
    from filelock import FileLock

    with (
        FileLock(small / "out" / ".lock"),
        pytest.raises(OutputError, match="another build is at work"),
    ):
        build(*recipe, small / "out")


@pytest.mark.slow
def test_the_tiny_example_makes_a_bank_that_ranks(tmp_path):
    result = run("tiny-example", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    held_out = json.loads((tmp_path / "out/evaluation/held_out.json").read_text())["databases"]
    assert held_out["light"]["light"]["srocc"] > 0.8
    assert all(found[name]["srocc"] > 0.3 for name, found in held_out.items())
    (figure, *_) = TaskVectorBank.from_pretrained(tmp_path / "out" / "bank").evaluations
    assert figure["mean"] > 0.4
    assert figure["low"] > 0


# From the Hub


@pytest.fixture
def tower(tmp_path) -> Path:
    """A small random tower, as a base scorer in a folder."""
    make_scorer().save_pretrained(tmp_path / "tower")
    return tmp_path / "tower"


def test_terms_are_agreed_to_before_anything_is_fetched(hub, tmp_path, tower):
    publish(hub)
    result = run("b16", "--out", tmp_path / "out", "--tower", tower, "--without", "pamela")
    assert result.exit_code == 2
    told = " ".join(result.output.split())
    assert "spaq: research and education only" in told
    assert "--accept-terms" in told
    assert "koniq-10k:" not in told  # whose makers do not ask
    assert not [line for line in HUB.log if "/resolve/" in line]
    assert not (tmp_path / "out").exists()
    plan = plan_of(read_recipe("b16")[0])
    agreed = check_terms(plan, [], True)
    assert {"spaq", "aadb"} <= set(agreed)
    assert check_terms(plan, agreed, False) == agreed  # shown once


def test_a_dry_run_asks_the_hub_for_sizes_and_fetches_and_writes_nothing(hub, tmp_path, tower):
    publish(hub)
    there = set(tmp_path.rglob("*"))
    arguments = ("b16", "--out", tmp_path / "out", "--tower", tower, "--dry-run")
    result = run(*arguments, "--push-to-hub", "me/bank", "--only", "koniq", "spaq")
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    for word in ("finetune koniq", "me/bank", "photos a second", "H100", "estimated, not run",
                 "research and education only", "by hand", "MB"):  # fmt: skip
        assert word in told
    assert "finetune ava" not in told
    assert set(tmp_path.rglob("*")) == there
    assert not [line for line in HUB.log if "/resolve/" in line or line.startswith("POST")]


def test_without_the_tower_a_dry_run_says_that_time_cannot_be_told(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    result = run("b16", "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert "cannot be told before the tower is fetched" in told
    assert "5.58 GB, as known" in told


@pytest.mark.slow
def test_b16_is_made_from_every_source_in_its_real_layout_and_pushed(
    hub, tmp_path, tower, monkeypatch
):
    publish(hub)
    pamela = hub.dataset("bethgelab/PAMELA")  # all samples are of the same few photos
    others = {k: x + b"another" for k, x in pamela.files().items() if k.startswith("images/")}
    pamela.branches["main"] = pamela.commit({**pamela.files(), **others})
    monkeypatch.setenv("HF_TOKEN", ALICE)
    out, data = tmp_path / "out", tmp_path / "data"
    arguments = ("b16", "--out", out, "--tower", tower, "--data-dir", data, "--accept-terms")
    result = run(*arguments, "--push-to-hub", "alice/bank", "--private")
    assert result.exit_code == 0, result.output
    journal = Journal(out)
    assert {f"fetch {name}" for name in FETCHES} <= set(journal.entries)
    bank = TaskVectorBank.from_pretrained(out / "bank")
    assert bank.names == ("ava", "tad66k", "aadb", "koniq", "spaq", "kadid", "flive")
    assert bank.population.learned_from["database"] == "pamela"
    warned = " ".join(result.output.split())
    for name in ("flickr-aes", "para", "real-cur"):
        assert f"fetch {name}: {name} is to be had by hand alone" in warned
    card = hub.repos["model", "alice/bank"].files()["README.md"].decode()
    assert hub.repos["model", "alice/bank"].private
    revision = hub.dataset("VQA-CityU/IQA_data").branches["main"]
    assert f"VQA-CityU/IQA_data@{revision}" in card
    assert "research and education only" in card
    assert not list(data.glob("archives/*"))
    HUB.log.clear()
    result = run(*arguments, "--push-to-hub", "alice/bank", "--private")
    assert result.exit_code == 0, result.output
    assert not [line for line in HUB.log if "/resolve/" in line or line.startswith("POST")]


def test_broken_cut_off_and_missing_archives_are_one_error_each_and_the_rest_goes_on(
    hub, tmp_path, tower, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    publish(hub)
    hub.dataset("VQA-CityU/IQA_data").edit(koniq__zip=b"<html></html>" * 100)
    spaq = hub.dataset("q-future/q-align-datasets")
    spaq.edit(spaq__tar=spaq.files()["spaq.tar"][:3000])
    del hub.repos["dataset", "Shuai1995/TAD66K_for_Image_Aesthetics_Assessment"]
    arguments = ("b16", "--out", tmp_path / "out", "--tower", tower, "--accept-terms",
                 "--only", "koniq,spaq,tad66k,kadid")  # fmt: skip
    result = run(*arguments, "--without", "population,evaluation,lapis")
    assert result.exit_code == 3, result.output
    told = " ".join(result.output.split())
    assert "fetch koniq: koniq-10k, from VQA-CityU/IQA_data" in told
    assert "fetch spaq: spaq, from q-future/q-align-datasets" in told
    assert "fetch tad66k: tad66k" in told
    assert "--without koniq,spaq,tad66k" in told or "--without tad66k,koniq,spaq" in told
    assert "Traceback" not in told
    assert "finetune kadid" in Journal(tmp_path / "out").entries
    page = (tmp_path / "out" / "report.html").read_text()
    assert "VQA-CityU/IQA_data" in page


# Killed, and in several processes


@pytest.mark.slow
def test_builds_that_are_killed_go_on_to_the_same_bank_bit_by_bit(tmp_path):
    """In a process that has not used any library's threads yet: it forks."""
    done = subprocess.run(
        [sys.executable, samples.__file__, str(tmp_path), "3", "1"],
        env=environment(), capture_output=True, text=True, timeout=290,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert [same for _, same in found] == [True] * 3
    assert len({where for where, _ in found}) > 1


def environment(**more: str) -> dict[str, str]:
    source = Path(sys.modules["aesthetic_tv"].__file__).parents[1]
    paths = os.pathsep.join([str(source), str(Path(samples.__file__).parent)])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths} | more


@pytest.mark.slow
def test_two_processes_train_side_by_side_or_together_and_one_that_fails_is_told(
    again, monkeypatch
):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    out, recipe, two = again / "out", read_recipe(again / "small.yaml"), BuildSettings(processes=2)
    vector = out / "vectors" / "colour" / "task_vector.safetensors"
    shutil.rmtree(out / "vectors")
    # By a process of its own: in this one, which other tests used, a last digit may be another.
    told = ["bank", "build", str(again / "small.yaml"), "--out", str(out), "--only", "colour"]
    alone = subprocess.run([sys.executable, "-m", "aesthetic_tv", *told], timeout=240, check=False)
    assert alone.returncode == 0
    expected = digest_of(vector)
    shutil.rmtree(out / "vectors")
    (out / "vectors").mkdir()
    (out / "vectors" / "light").write_text("in the way")
    apart = build(*recipe, out, two)
    assert apart.state["finetune colour"] == DONE
    assert digest_of(vector) == expected
    assert apart.state["finetune light"] == FAILED
    assert apart.state["bank"] == WAITING
    assert "holds no task_vector_config.json" in apart.reasons["finetune light"]
    assert "finetune-light.log" in apart.reasons["finetune light"]
    assert "finetune colour" in Journal(out).entries
    (out / "vectors" / "light").unlink()
    together = build(*recipe, out, two)
    assert together.is_whole
    training = Journal(out).entries["finetune light"].facts["training"]
    assert training["num_processes"] == 2


@pytest.mark.slow
def test_a_launcher_of_two_processes_has_one_of_them_write(again):
    shutil.rmtree(again / "out" / "vectors" / "light")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    told = ["-m", "aesthetic_tv", "bank", "build", again / "small.yaml", "--out", again / "out"]
    done = subprocess.run(
        [*launch, *map(str, told)], env=environment(ACCELERATE_USE_CPU="true"),
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    entries = Journal(again / "out").entries
    assert entries["finetune light"].facts["training"]["num_processes"] == 2
    assert entries["finetune colour"].facts["training"]["num_processes"] == 1
    assert done.stdout.count("The bank is in") == 1
