"""The population prior: learned, saved with the bank, started from."""

import json

import numpy as np
import pytest
import torch

from aesthetic_tv.errors import FormatError, PreferenceError, SettingError
from aesthetic_tv.personalization import Personalizer, Preferences, fit_population, srocc
from aesthetic_tv.personalization.learned_population import choose_solver, learn_spread, mean_scores
from aesthetic_tv.personalization.linear_model import LinearModel, linearize
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.task_vectors import Population, TaskVectorBank
from aesthetic_tv.task_vectors.layout import Layout
from conftest import make_bank
from test_cli import run


@pytest.fixture
def pixels():
    return torch.randn(24, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def a_population(bank, layer=0.1, task=0.2):
    centre = torch.linspace(-1, 1, len(bank.layers) * len(bank.names))
    return Population(centre.view(len(bank.layers), -1), layer, task, {"kind": "mean scores"})


def test_it_comes_back_with_the_bank(tiny_bank, tmp_path):
    tiny_bank.population = a_population(tiny_bank)
    tiny_bank.save_pretrained(tmp_path / "bank")
    loaded = TaskVectorBank.from_pretrained(tmp_path / "bank").population
    torch.testing.assert_close(loaded.centre, tiny_bank.population.centre, rtol=0, atol=0)
    assert (loaded.layer_variance, loaded.task_variance) == (0.1, 0.2)
    assert loaded.learned_from == {"kind": "mean scores"}


def test_the_generic_scorer_is_the_one_of_the_population(tiny_bank, photos):
    uniform = tiny_bank.generic_coefficients
    torch.testing.assert_close(uniform, torch.full_like(uniform, 1 / 3))
    tiny_bank.population = a_population(tiny_bank)
    expected = tiny_bank.merge(tiny_bank.population.centre).score(photos)
    np.testing.assert_allclose(tiny_bank.generic_score(photos), expected)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"path": "../elsewhere.safetensors"}, "population is"),
        ({"layer_variance": -1.0}, "variances"),
        ({"task_variance": "much"}, "task_variance"),
        ({"learned_from": None}, "learned_from"),
    ],
)
def test_a_damaged_population_is_refused(tiny_bank, tmp_path, change, told):
    tiny_bank.population = a_population(tiny_bank)
    tiny_bank.save_pretrained(tmp_path / "bank")
    path = tmp_path / "bank" / "bank_config.json"
    config = json.loads(path.read_text())
    config["population"] |= change
    path.write_text(json.dumps(config))
    with pytest.raises(FormatError, match=told):
        TaskVectorBank.from_pretrained(tmp_path / "bank")


def test_a_population_of_another_shape_is_refused(tiny_bank, tmp_path):
    with pytest.raises(SettingError, match="population for this bank"):
        TaskVectorBank(
            tiny_bank.base, tiny_bank.vectors, population=Population(torch.zeros(2, 3), 1, 1)
        )
    tiny_bank.population = a_population(make_bank(2))
    tiny_bank.save_pretrained(tmp_path / "bank")
    with pytest.raises(FormatError, match="population for this bank has"):
        TaskVectorBank.from_pretrained(tmp_path / "bank")


def test_values_that_are_no_variances_are_refused():
    for layer, task in ((-1, 1), (0, 0), (float("nan"), 1)):
        with pytest.raises(SettingError, match="variances"):
            Population(torch.zeros(1, 1), layer, task)
    with pytest.raises(SettingError, match="finite"):
        Population(torch.tensor([[float("inf")]]), 1, 1)


def test_it_is_where_newton_starts_and_what_ten_ratings_hardly_leave(tiny_bank, photos):
    tiny_bank.population = a_population(tiny_bank, layer=1e-12, task=1e-12)
    ratings = {photo: 1 + i % 5 for i, photo in enumerate(photos)}
    mine = Personalizer(tiny_bank).fit(ratings)
    assert mine.solver["initialization"] == "population"
    torch.testing.assert_close(mine.coefficients, tiny_bank.population.centre, rtol=1e-4, atol=1e-4)


def test_it_cannot_be_started_from_where_the_bank_knows_none(tiny_bank, photos):
    ratings = {photo: 1 + i % 5 for i, photo in enumerate(photos)}
    with pytest.raises(SettingError, match="fit_population"):
        Personalizer(tiny_bank, initialization="population").fit(ratings)


def test_the_centre_is_learned_from_mean_scores(pixels):
    bank = make_bank(3, size=0.02)
    taste = torch.tensor([1.0, -0.5, 0.2]).repeat(len(bank.layers), 1)
    truth = bank.merge(taste).score_pixels(pixels)
    population = fit_population(bank, pixels[:16], truth[:16])
    found = bank.merge(population.centre).score_pixels(pixels)[16:]
    assert srocc(found, truth[16:]) > 0.5
    assert population.learned_from["num_photos"] == 16
    torch.testing.assert_close(
        population.centre, population.centre[:1].expand_as(population.centre)
    )


def test_mean_scores_are_taken_on_each_persons_own_scale():
    people = {
        "mild": (np.array([0, 1]), np.array([1.0, 2.0])),
        "harsh": (np.array([1, 2]), np.array([0.0, 100.0])),
        "flat": (np.array([3]), np.array([5.0])),
    }
    np.testing.assert_allclose(mean_scores(5, people), [-1, 0, 1, np.nan, np.nan])
    with pytest.raises(PreferenceError, match="found neither"):
        mean_scores(5, {})


def some_people(count: int, spread: float) -> tuple[LinearModel, dict]:
    """People whose coefficients stray from 0 by `spread`, and who rate without noise."""
    random = np.random.default_rng(0)
    model = LinearModel(
        np.zeros(15), random.normal(size=60), random.normal(size=(60, 15)), Layout(5, 3)
    )
    people = {}
    for who in range(count):
        alpha = spread * random.normal(size=15)
        rows = random.permutation(60)[:24]
        chosen = random.logistic(size=24) + model.at(alpha)[rows]
        people[who] = (rows, np.round(chosen))
    return model, people


def test_people_who_stray_far_leave_a_wide_prior_and_others_a_narrow_one():
    wide = learn_spread(*some_people(8, spread=2.0))
    narrow = learn_spread(*some_people(8, spread=0.0))
    assert wide.layer + wide.task > 30 * (narrow.layer + narrow.task)


def test_people_of_one_rating_are_passed_over():
    model, _ = some_people(1, 1.0)
    flat = {"flat": (np.arange(10), np.full(10, 3.0))}
    assert isinstance(learn_spread(model, flat), CoefficientPrior)


def test_ratings_by_person_are_enough(pixels):
    bank = make_bank(2, size=0.02)
    random = np.random.default_rng(0)
    people = {
        who: (np.arange(24), random.integers(1, 6, 24).astype(float)) for who in ("ann", "ben")
    }
    population = fit_population(bank, pixels, people=people)
    assert population.learned_from == {
        "kind": "2 people's ratings",
        "num_photos": 24,
        "num_people": 2,
    }
    model = linearize(bank, pixels, population.centre.numpy().reshape(-1), torch.float32)
    assert Preferences.from_ratings(dict(enumerate(model.scores)))


def test_the_command_learns_it_from_a_folder_of_scored_photos(photos, tmp_path):
    make_bank().save_pretrained(tmp_path / "bank")
    lines = [f"{photo.name},{i}" for i, photo in enumerate(photos)]
    (photos[0].parent / "scores.csv").write_text("\n".join(["image,score", *lines]))
    command = ["bank", "population", tmp_path / "bank", "folder", "--data", photos[0].parent]
    done = run(*command, "--split", "all", "--out", tmp_path / "with")
    assert done.exit_code == 0, done.output
    bank = TaskVectorBank.from_pretrained(tmp_path / "with")
    assert bank.population.learned_from["num_photos"] == 12
    assert bank.population.learned_from["database"] == "folder"
    assert "population: kind mean scores" in run("bank", "info", tmp_path / "with").stdout


def test_the_command_learns_the_spread_from_single_scores(photos, tmp_path):
    make_bank().save_pretrained(tmp_path / "bank")
    random = np.random.default_rng(0)
    lines = [
        f"{who},{photo.name},{random.integers(1, 6)}" for who in ("ann", "ben") for photo in photos
    ]
    (photos[0].parent / "scores.csv").write_text("\n".join(["user,image,score", *lines]))
    photos[0].write_bytes(b"broken")
    command = ["bank", "population", tmp_path / "bank", "folder", "--data", photos[0].parent]
    done = run(*command, "--people", "--split", "all", "--out", tmp_path / "with")
    assert done.exit_code == 0, done.output
    told = TaskVectorBank.from_pretrained(tmp_path / "with").population.learned_from
    assert told["kind"] == "2 people's ratings"
    assert told["num_photos"] == 11


@pytest.mark.parametrize("themes", [1, 2, 30])
def test_photos_of_one_theme_are_foretold_from_those_of_others(tiny_bank, themes):
    pixels = torch.randn(30, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    uniform = tiny_bank.generic_point.double().numpy()
    model = linearize(tiny_bank, pixels, uniform, torch.float32)
    truth = model.task_scores()[:, 0]  # one task's, by one weight for all layers
    solver = choose_solver(model, truth, np.arange(30) % themes)
    assert solver.task_share == 1.0
    assert (solver.strength is None) == (themes == 1)  # then nothing is left to learn from
