"""`aesthetic-tv reproduce`: the paper's tables and figures, on small people."""

import pytest
from PIL import Image
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.evaluation.methods import METHODS, SINGLE
from aesthetic_tv.evaluation.published import EXPERIMENTS
from aesthetic_tv.evaluation.vectors import parts_of
from aesthetic_tv.personalization import PaperSolver
from conftest import make_bank
from evaluation_samples import write_folder


@pytest.fixture
def album(tmp_path):
    return write_folder(tmp_path / "album")


@pytest.fixture
def bank(tmp_path):
    make_bank(3).save_pretrained(tmp_path / "bank")
    return tmp_path / "bank"


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solve = PaperSolver.solve
    few = PaperSolver(iterations=2)
    monkeypatch.setattr(
        PaperSolver,
        "solve",
        lambda self, problem, progress=None: solve(
            PaperSolver(few.iterations, loss=self.loss, layerwise=self.layerwise), problem
        ),
    )


def run(*arguments):
    return CliRunner().invoke(app, ["reproduce", *map(str, arguments)], env={"COLUMNS": "140"})


def test_a_table_stands_beside_the_published_numbers_or_says_that_there_are_none(album, bank):
    done = run("table7", "--data", album, "--database", "folder", "--bank", bank,
               "--shots", "5", "--trials", "2")  # fmt: skip
    assert done.exit_code == 0, done.output
    for method in EXPERIMENTS["table7"].methods:
        (line,) = [x for x in done.output.splitlines() if x.split()[:1] == [method]]
        assert "±" in line
        assert "not at hand" in line
    assert "3 people of folder" in done.output


def test_the_similarity_of_the_vectors_needs_no_people(bank, tmp_path):
    assert run("figure4", "--bank", bank, "--out", tmp_path / "out").exit_code == 0
    Image.open(tmp_path / "out" / "figure4.png").verify()


@pytest.mark.parametrize("name", ["figure5", "figure6", "figure7"])
def test_figures_are_drawn_for_each_number_of_ratings(album, bank, tmp_path, name):
    done = run(name, "--data", album, "--database", "folder", "--bank", bank, "--out",
               tmp_path / "out", "--shots", "4,6", "--trials", "1")  # fmt: skip
    assert done.exit_code == 0, done.output
    for shots in (4, 6):
        Image.open(tmp_path / "out" / f"{name}-{shots}.png").verify()


def test_without_the_database_the_error_says_where_to_get_it_and_where_to_put_it():
    done = run("table4")
    assert done.exit_code == 2
    for told in ("personalizedImageAesthetics", "FLICKR-AES_image_score.txt", "--data"):
        assert told in done.output


def test_an_empty_folder_says_what_is_missing(tmp_path):
    done = run("table4", "--data", tmp_path)
    assert done.exit_code == 2
    assert "FLICKR-AES" in done.output


def test_an_unknown_table_names_those_there_are():
    done = run("table9")
    assert done.exit_code == 2
    assert "table7: rank loss" in done.output


def test_every_experiment_names_methods_that_there_are():
    for experiment in EXPERIMENTS.values():
        assert set(experiment.methods) <= {*METHODS, SINGLE}


def test_parts_of_a_bank_grow_by_one_vector_and_end_with_all():
    parts = parts_of(make_bank(3), orders=2, seed=0)
    assert [(size, order) for size, order, _ in parts] == [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]
    for order in (0, 1):
        first, second = (set(chosen) for _, number, chosen in parts[:4] if number == order)
        assert first < second
    assert parts[-1][2] == [0, 1, 2]
