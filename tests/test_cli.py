"""The command line: quick help, plain errors, exit codes, and the two commands end to end."""

import csv
import importlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from aesthetic_tv import AestheticScorer, __version__, assets
from aesthetic_tv.assets import TASTES, embedded_bank, sample_photos, sample_ratings
from aesthetic_tv.assets.edits import EDITS
from aesthetic_tv.assets.variants import VARIANTS, write_samples
from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED, INTERRUPTED, SKIPPED, Bars
from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.personalization.ratings_file import read_ratings
from aesthetic_tv.scorer import folder as folder_module
from conftest import make_bank

HEAVY = ("torch", "transformers", "matplotlib", "pandas", "numpy", "PIL", "pyarrow")


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    make_bank().save_pretrained(tmp_path / "bank")
    return tmp_path / "bank"


@pytest.fixture
def album(photos: list[Path]) -> Path:
    return photos[0].parent


@pytest.fixture
def ratings(photos: list[Path], tmp_path: Path) -> Path:
    lines = [f"{photo.name},{1 + i % 5}" for i, photo in enumerate(photos[:8])]
    (tmp_path / "ratings.csv").write_text("\n".join(["photo,rating", *lines]))
    return tmp_path / "ratings.csv"


@pytest.fixture
def personalize(album, ratings, bank, tmp_path):
    """The command with its least settings; more can be added."""

    def invoke(*more: object):
        quick = ["--iterations", 3, "--folds", 2, "--bank", bank, "--out", tmp_path / "my-taste"]
        return run("personalize", album, "--ratings", ratings, *quick, *more)

    return invoke


@pytest.fixture
def score(album, bank, tmp_path, personalize):
    """The command by a scorer that is saved whole."""
    scorer = make_bank().task_scorer("task1")
    scorer.save_pretrained(tmp_path / "scorer")

    def invoke(*more: object):
        out = ["--scorer", tmp_path / "scorer", "--out", tmp_path / "scores.csv"]
        return run("score", album, *out, *more)

    return invoke


class TestQuick:
    def test_help_waits_for_no_heavy_library(self):
        code = (
            "import sys, aesthetic_tv.cli\n"
            "try: aesthetic_tv.cli.app(['--help'])\n"
            "except SystemExit: pass\n"
            f"sys.exit(' '.join(set({HEAVY!r}) & set(sys.modules)) or 0)"
        )
        seconds = []
        for _ in range(3):
            start = os.times()
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            end = os.times()
            # Of the processor, which is what a busy machine leaves alone.
            start_used = start.children_user + start.children_system
            seconds.append(end.children_user + end.children_system - start_used)
            assert done.returncode == 0, done.stderr
            assert "personalize" in done.stdout
        assert min(seconds) < 0.5

    def test_version(self):
        assert run("--version").output == f"aesthetic-tv {__version__}\n"

    @pytest.mark.parametrize("command", ["personalize", "score", "demo"])
    def test_every_command_has_help(self, command):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert "--out" in result.output


class TestPersonalize:
    def test_writes_a_taste_and_names_the_next_step(self, personalize, score, tmp_path, bank):
        result = personalize()
        assert result.exit_code == 0, result.output
        assert "personal" in result.stdout
        assert "generic" in result.stdout
        assert AestheticScorer.from_pretrained(tmp_path / "my-taste", bank=bank) is not None
        next_line = result.stdout.strip().splitlines()[-1]
        command = shlex.split(next_line.replace("scores.csv", str(tmp_path / "scores.csv")))
        assert command[:2] == ["aesthetic-tv", "score"]
        assert run(*command[1:]).exit_code == 0
        assert (tmp_path / "scores.csv").exists()

    def test_the_newton_solver_can_be_asked_for(self, personalize, tmp_path):
        assert personalize("--solver", "newton").exit_code == 0
        config = json.loads((tmp_path / "my-taste/personalization_config.json").read_text())
        assert config["solver"]["name"] == "newton"

    def test_refuses_to_replace_a_taste_unless_asked(self, personalize, tmp_path):
        assert personalize().exit_code == 0
        config = tmp_path / "my-taste" / "personalization_config.json"
        before = config.stat().st_mtime_ns
        result = personalize()
        assert result.exit_code == FAILED
        assert "--overwrite" in result.stderr
        assert config.stat().st_mtime_ns == before
        assert personalize("--overwrite").exit_code == 0

    def test_never_replaces_another_folder(self, personalize, tmp_path):
        (tmp_path / "my-taste").mkdir()
        (tmp_path / "my-taste" / "letters.txt").touch()
        result = personalize("--overwrite")
        assert result.exit_code == FAILED
        assert "holds something else" in result.stderr
        assert (tmp_path / "my-taste" / "letters.txt").exists()

    def test_bad_lines_are_told_in_one_error_without_a_traceback(self, personalize, ratings):
        ratings.write_text("photo,rating\np00.jpg,five\nq01.jpg,3\n")
        result = personalize()
        assert result.exit_code == FAILED
        assert result.stderr.startswith("Error: ")
        assert "line 2: the rating is 'five'" in result.stderr
        assert "did you mean 'p01.jpg'" in result.stderr
        assert "Traceback" not in result.output
        assert result.stdout == ""

    def test_equal_ratings_are_an_error(self, personalize, ratings):
        ratings.write_text("photo,rating\np00.jpg,3\np01.jpg,3\n")
        result = personalize()
        assert result.exit_code == FAILED
        assert result.stderr.startswith("Error: ")

    def test_a_rated_photo_that_cannot_be_read_is_named(self, personalize, photos, tmp_path):
        photos[3].write_bytes(b"")
        result = personalize()
        assert result.exit_code == SKIPPED
        assert "1 photo was skipped" in result.stderr
        assert "p03.jpg: is empty" in result.stderr
        assert (tmp_path / "my-taste").is_dir()

    def test_a_place_that_cannot_be_written_is_an_error_in_a_line(self, tmp_path):
        (tmp_path / "file").touch()
        result = run("demo", "--out", tmp_path / "file")
        assert result.exit_code == FAILED
        assert result.stderr.startswith("Error: ")
        assert "Traceback" not in result.output

    def test_an_unknown_bank(self, album, ratings, tmp_path):
        for name in ("embedded:nothing", str(tmp_path / "nowhere")):
            out = ("--out", tmp_path / "t", "--bank", name)
            result = run("personalize", album, "--ratings", ratings, *out)
            assert result.exit_code == FAILED
            assert result.stderr.startswith("Error: ")

    def test_interrupted(self, personalize, monkeypatch):
        def interrupt(self, stage, done, total):
            raise KeyboardInterrupt

        monkeypatch.setattr(Bars, "__call__", interrupt)
        result = personalize()
        assert result.exit_code == INTERRUPTED
        assert "Interrupted. Nothing was written" in result.stderr


class TestScore:
    def test_scores_a_folder(self, score, tmp_path):
        result = score()
        assert result.exit_code == 0, result.output
        assert "12 of 12 photos scored" in result.stdout
        with (tmp_path / "scores.csv").open(newline="") as file:
            assert sorted(int(row["rank"]) for row in csv.DictReader(file)) == [*range(1, 13)]
        assert result.stderr == ""

    def test_skipped_photos_are_named_and_the_rest_is_scored(self, score, album, tmp_path):
        (album / "notes.png").write_text("no picture")
        result = score()
        assert result.exit_code == SKIPPED
        assert "notes.png: is not an image" in result.stderr
        assert "12 of 13 photos scored" in result.stdout
        assert "is not an image" in (tmp_path / "scores.csv").read_text()

    def test_existing_output(self, score, tmp_path):
        (tmp_path / "scores.csv").write_text("mine")
        result = score()
        assert result.exit_code == FAILED
        assert "--overwrite" in result.stderr
        assert (tmp_path / "scores.csv").read_text() == "mine"
        assert score("--overwrite").exit_code == 0

    def test_interrupted_and_resumed_gives_the_same_file(self, score, tmp_path, monkeypatch):
        assert score("--batch-size", 4).exit_code == 0
        whole = (tmp_path / "scores.csv").read_bytes()
        (tmp_path / "scores.csv").unlink()
        load = folder_module.load_batches

        def interrupted(*args, **kwargs):
            batches = load(*args, **kwargs)
            yield next(batches)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(folder_module, "load_batches", interrupted)
            result = score("--batch-size", 4)
        assert result.exit_code == INTERRUPTED
        assert "--resume" in result.stderr
        assert not (tmp_path / "scores.csv").exists()
        result = score("--batch-size", 4, "--resume")
        assert result.exit_code == 0
        assert "Went on after 4 photos" in result.stdout
        assert (tmp_path / "scores.csv").read_bytes() == whole

    def test_a_folder_without_photos(self, tmp_path):
        (tmp_path / "none").mkdir()
        result = run("score", tmp_path / "none", "--scorer", "x", "--out", tmp_path / "s.csv")
        assert result.exit_code == FAILED
        assert "holds no photos" in result.stderr

    @pytest.mark.parametrize("name", ["nowhere", "photos"])
    def test_something_that_is_no_scorer(self, album, tmp_path, name, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        result = run("score", album, "--scorer", tmp_path / name, "--out", tmp_path / "s.csv")
        assert result.exit_code == FAILED
        assert result.stderr.startswith("Error: --scorer ")
        assert "Traceback" not in result.output

    def test_a_taste_of_a_bank_that_is_not_named(self, personalize, album, tmp_path):
        assert personalize().exit_code == 0
        out = ("--out", tmp_path / "s.csv")
        result = run("score", album, "--scorer", tmp_path / "my-taste", *out)
        assert result.exit_code == FAILED
        assert "bank" in result.stderr


class TestAssets:
    def test_ratings_name_samples_and_variants_and_cover_the_scale(self, tmp_path):
        written = write_samples(tmp_path)
        assert len(written) == len(sample_photos()) + sum(map(len, VARIANTS.values()))
        assert len(written) <= 60
        by_taste = [read_ratings(sample_ratings(taste), tmp_path) for taste in TASTES]
        for ratings in by_taste:
            assert {*ratings.values()} == {1.0, 2.0, 3.0, 4.0, 5.0}
        assert {*by_taste[0]} == {*by_taste[1]}
        with Image.open(written[0]) as image:
            assert max(image.size) == 512

    def test_variants_are_edits_of_photos_that_are_there(self):
        assert {*VARIANTS} <= {photo.stem for photo in sample_photos()}
        assert {kind for edits in VARIANTS.values() for kind, _ in edits} <= {*EDITS}

    def test_unknown_names(self):
        with pytest.raises(SettingError, match="golden-hour, quiet-grey"):
            sample_ratings("salty")
        with pytest.raises(FormatError, match="no embedded bank 'nothing'"):
            embedded_bank("nothing")


def test_demo(tmp_path, monkeypatch, bank):
    module = importlib.import_module("aesthetic_tv.cli.demo")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # so that it is put back after the test
    monkeypatch.setattr(module, "BANK", str(bank))
    first = sample_photos()[:9]
    names = "".join(f"{photo.name},{1 + i % 5}\n" for i, photo in enumerate(first[:6]))
    (tmp_path / "few.csv").write_text("photo,rating\n" + names)
    monkeypatch.setattr("aesthetic_tv.assets.variants.sample_photos", lambda: first)
    monkeypatch.setattr(assets, "sample_ratings", lambda taste: tmp_path / "few.csv")
    result = run("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    assert "Your ranking beside the generic one" in result.stdout
    assert "aesthetic-tv rate" in result.stdout
    for name in ("contact-sheet.png", "scores.csv", "my-taste/personalization_config.json"):
        assert (tmp_path / "demo" / name).is_file()
    assert run("demo", "--out", tmp_path / "demo").exit_code == 0  # again, over the old one


def test_suggest_begins_goes_on_and_keeps_what_it_saw(album, ratings, bank, tmp_path):
    cache = tmp_path / "album.safetensors"
    command = ["suggest", album, "--count", 3, "--cache", cache, "--bank", bank]
    first = run(*command)
    assert first.exit_code == 0, first.output
    asked = first.stdout.split()
    assert len(asked) == 3 and set(asked) <= {str(path) for path in album.iterdir()}
    table = run(*command, "--ratings", ratings).stdout
    assert sum(f"p{i:02d}.jpg" in table for i in range(8, 12)) == 3
    assert cache.is_file()
    pairs = run(*command, "--ratings", ratings, "--pairs").stdout.splitlines()
    assert 1 <= len(pairs) <= 3 and all(line.count("\t") == 1 for line in pairs)


def test_suggest_wants_ratings_for_pairs(album, bank):
    done = run("suggest", album, "--pairs", "--bank", bank)
    assert done.exit_code == FAILED
    assert "--pairs needs --ratings" in done.output
