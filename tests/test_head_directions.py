"""Head directions: task vectors of the head that make a ridge of the embedding, and still merge."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from aesthetic_tv.errors import BaseMismatchError, FeatureFileError, FormatError, SettingError
from aesthetic_tv.personalization import (
    NewtonSolver,
    PaperSolver,
    Personalization,
    Personalizer,
    PhotoFeatures,
)
from aesthetic_tv.personalization.linear_model import linearize
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import HeadDirections, Population, TaskVectorBank
from aesthetic_tv.task_vectors.head_directions import FILE
from aesthetic_tv.task_vectors.population import FILE as POPULATION
from conftest import make_bank, make_scorer


@pytest.fixture
def pixels():
    return torch.randn(40, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def bank(pixels):
    bank = make_bank(2)
    bank.directions = HeadDirections.of(bank.base, pixels, 6)
    return bank


def test_coefficients_of_size_1_spread_scores_by_1(bank, pixels):
    assert len(bank.directions) == 6
    model = linearize(bank, pixels, np.zeros(bank.layout.size), torch.float32)
    along = model.slopes[:, bank.layout.weights :]
    assert (along**2).sum(1).mean() == pytest.approx(1, abs=0.3)
    np.testing.assert_allclose(along.mean(0), 0, atol=0.1)
    spreads = along.std(0)
    assert list(spreads) == sorted(spreads, reverse=True)


def test_slopes_are_the_derivatives_of_the_merged_scores(bank, pixels):
    layout, step = bank.layout, 1e-2
    point = torch.cat([torch.full((layout.weights,), 0.5), torch.linspace(-0.1, 0.1, 6)])
    model = linearize(bank, pixels[:5], point.numpy(), torch.float32)
    for j in (0, layout.weights - 1, layout.weights, layout.size - 1):
        up, down = point.clone(), point.clone()
        up[j] += step
        down[j] -= step
        scores = [bank.merge(x).double().score_pixels(pixels[:5].double()) for x in (up, down)]
        found = (scores[0] - scores[1]) / (2 * step)
        np.testing.assert_allclose(model.slopes[:, j], found, rtol=0.02, atol=2e-5)


def test_alpha_alone_leaves_the_directions_out(bank):
    alpha = torch.full((len(bank.layers), 2), 0.3)
    flat = torch.cat([alpha.reshape(-1), torch.zeros(6)])
    plain = make_bank(2).merged_layers(alpha)
    for name, layer in bank.merged_layers(alpha).items():
        torch.testing.assert_close(layer, plain[name])
        torch.testing.assert_close(bank.merged_layers(flat)[name], layer)
    with pytest.raises(SettingError, match="6 head directions"):
        bank.merge(torch.zeros(5))


def test_a_bank_keeps_them_and_a_damaged_file_is_refused(bank, tmp_path):
    beta = torch.linspace(-1, 1, 6)
    factor = torch.linspace(-1, 1, 16).view(8, 2)
    bank.population = Population(torch.zeros(len(bank.layers), 2), 0, 0, {}, beta, 0.0, factor)
    bank.save_pretrained(tmp_path / "bank")
    again = TaskVectorBank.from_pretrained(tmp_path / "bank")
    assert again.reference == bank.reference
    torch.testing.assert_close(again.directions.axes, bank.directions.axes, rtol=0, atol=0)
    torch.testing.assert_close(again.population.factor, factor, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(again.generic_point[-6:], beta)
    without = again.without_directions()
    assert without.population is None and without.layout.directions == 0
    assert again.layout.directions == 6
    for name in (FILE, POPULATION):
        path = tmp_path / "bank" / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(FormatError):
            TaskVectorBank.from_pretrained(tmp_path / "bank")
        path.write_bytes(whole)
    other = dataclasses.replace(bank.directions, middle=bank.directions.middle + 1)
    other.save(tmp_path / "bank")
    with pytest.raises(FormatError, match="other head directions"):
        TaskVectorBank.from_pretrained(tmp_path / "bank")


@pytest.mark.parametrize("entry", [None, {"path": "../x"}, {"path": FILE, "learned_from": {}}])
def test_an_entry_that_is_none_of_ours_is_refused(bank, tmp_path, entry):
    bank.save_pretrained(tmp_path / "bank")
    path = tmp_path / "bank" / "bank_config.json"
    config = json.loads(path.read_text())
    config["head_directions"] = entry
    path.write_text(json.dumps(config))
    with pytest.raises(FormatError):
        TaskVectorBank.from_pretrained(tmp_path / "bank")


def test_directions_of_another_base_and_of_too_little_are_refused(bank, pixels):
    other = make_scorer(projection_dim=24)
    with pytest.raises(SettingError, match="do not fit this base"):
        TaskVectorBank(bank.base, bank.vectors, directions=HeadDirections.of(other, pixels))
    with pytest.raises(SettingError, match="2 photos or more"):
        HeadDirections.of(bank.base, pixels[:1])
    with pytest.raises(SettingError, match="all the same"):
        HeadDirections.of(bank.base, pixels[:1].repeat(3, 1, 1, 1))
    assert len(HeadDirections.of(bank.base, pixels[:4])) == 3


def test_a_taste_weighs_them_is_saved_and_belongs_to_its_bank(bank, photos, tmp_path):
    ratings = dict(zip(photos[:8], [5, 1, 4, 2, 3, 5, 1, 2], strict=True))
    mine = Personalizer(bank, NewtonSolver(strength=0.05)).fit(ratings)
    assert mine.directions.abs().max() > 0
    assert mine.coefficients.shape == (len(bank.layers), 2)
    mine.save_pretrained(tmp_path / "mine")
    scorer = AestheticScorer.from_pretrained(tmp_path / "mine", bank=bank)
    again = Personalization.from_pretrained(tmp_path / "mine", bank=bank)
    np.testing.assert_array_equal(scorer.score(photos), again.merge().score(photos))
    raw = mine.merge().score(photos[:8], calibrated=False)
    assert np.corrcoef(raw, list(ratings.values()))[0, 1] > 0.5
    with pytest.raises(BaseMismatchError, match="head directions"):
        Personalization.from_pretrained(tmp_path / "mine", bank=bank.without_directions())
    paper = Personalizer(bank, NewtonSolver(directions=False)).fit(ratings)
    assert paper.directions is None


def test_the_papers_solver_weighs_task_vectors_alone(bank, photos):
    ratings = dict(zip(photos[:4], [5, 1, 4, 2], strict=True))
    mine = Personalizer(bank, PaperSolver(iterations=2), folds=0).fit(ratings)
    assert mine.directions is None
    assert mine.merge(bank.without_directions()).score(photos[:2]).shape == (2,)


def test_features_are_kept_in_a_file_of_this_bank_alone(bank, photos, tmp_path):
    cache = tmp_path / "album.safetensors"
    first = PhotoFeatures.compute(bank, photos, cache=cache)
    again = PhotoFeatures.compute(bank, photos, cache=cache)
    assert first.slopes.shape == (len(photos), bank.layout.size)
    torch.testing.assert_close(first.slopes, again.slopes)
    with pytest.raises(FeatureFileError, match="holds photo features of"):
        PhotoFeatures.compute(bank.without_directions(), photos, cache=cache)
