"""Stated chances are right as often as they say."""

import json

import numpy as np
import pytest
import torch
from scipy.special import expit

from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.personalization.linear_model import LinearModel, fit_linear
from aesthetic_tv.personalization.people_certainty import certainty_of_people
from aesthetic_tv.personalization.people_prior import common_taste, means_of, newcomers_prior
from aesthetic_tv.personalization.posterior import (
    AROUND_PEOPLE,
    Posterior,
    fit_certainty,
    logits,
    own_certainty,
)
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.task_vectors import Population, TaskVectorBank
from conftest import make_bank
from test_people_prior import LAYOUT, PHOTOS, some_people


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_factor_is_found_again(factor):
    random = np.random.default_rng(0)
    stated = random.normal(size=4000)
    first_is_better = random.random(4000) < expit(factor * stated)
    told = np.where(first_is_better, stated, -stated)
    assert fit_certainty(told, len(told)) == pytest.approx(factor, rel=0.1)
    assert fit_certainty(told, len(told), usual=1.3, spread=1e-6) == pytest.approx(1.3, rel=1e-3)
    assert fit_certainty(told[:0], 0, usual=1.3) == 1.3


def test_ratings_that_follow_what_was_known_make_it_surer_and_others_less_sure():
    random = np.random.default_rng(0)
    offset = random.normal(size=40)
    known = 0.1 * np.eye(40)
    with_it = own_certainty(2.5 * offset, offset, known, 1.5)
    by_chance = own_certainty(random.normal(size=40), offset, known, 1.5)
    assert by_chance < 1.5 < with_it
    # where no people said anything, a person's own ratings count more
    assert own_certainty(random.normal(size=40), offset, known, None) < by_chance


def test_a_foretold_rating_is_the_one_of_a_fit_without_it():
    """The factor comes from leaving out each photo, which is done in closed form."""
    random = np.random.default_rng(1)
    slopes, offset, targets = (random.normal(size=shape) for shape in ((6, 3), 6, 6))
    targets -= targets.mean()
    offset -= offset.mean()
    noise, told = 2.0, list[float]()
    foretold, variance = np.zeros(6), np.zeros(6)
    for out in range(6):
        rest = np.arange(6) != out
        inverse = np.linalg.inv(slopes[rest] @ slopes[rest].T + noise * np.eye(5))
        gain = slopes[out] @ slopes[rest].T @ inverse
        foretold[out] = offset[out] + gain @ (targets - offset)[rest]
        variance[out] = slopes[out] @ slopes[out] - gain @ slopes[rest] @ slopes[out]
    for a, b in zip(*np.nonzero(targets[:, None] > targets[None, :]), strict=True):
        told.append(float(logits(foretold[a] - foretold[b], variance[a] + variance[b])))
    expected = fit_certainty(np.array(told), 2 * 6, 1.5, AROUND_PEOPLE)
    assert own_certainty(targets, offset, slopes @ slopes.T, 1.5) == pytest.approx(expected)


def test_what_people_teach_holds_for_others():
    slopes, _, _, people = some_people(120, 60)
    model = LinearModel(np.zeros(LAYOUT.size), np.zeros(PHOTOS), slopes, LAYOUT)
    taught = {who: people[who] for who in range(60)}
    found = certainty_of_people(model, taught, np.arange(PHOTOS))
    means, counts = means_of(PHOTOS, taught)
    taste = common_taste(slopes, LAYOUT, means, counts, np.arange(PHOTOS))
    prior = newcomers_prior(taste, slopes, LAYOUT, taught, means, counts)
    told = list[np.ndarray]()
    for who in range(60, 120):
        rows, ratings = people[who]
        preferences = Preferences.from_ratings(dict(enumerate(ratings[:10])), scale=(1, 7))
        support = model.subset(rows[:10])
        fit = fit_linear(support, prior, preferences, 1.0)
        posterior = Posterior.after(
            support, fit.coefficients, prior, 1.0, preferences, slopes.mean(0)
        )
        query, truth = model.subset(rows[10:]), ratings[10:]
        scores, between = query.at(fit.coefficients), posterior.covariance(*[query.slopes] * 2)
        better, worse = np.nonzero(truth[:, None] > truth[None, :])
        own = between.diagonal()
        variance = own[better] + own[worse] - 2 * between[better, worse]
        told.append(logits(scores[better] - scores[worse], variance.clip(0)))
    best = fit_certainty(np.concatenate(told), 1e4)
    assert found == pytest.approx(best, rel=0.25)
    assert abs(np.log(best)) > 0.1  # there was something to learn
    assert certainty_of_people(model, {0: people[0]}, np.arange(PHOTOS)) is None


def population(bank: TaskVectorBank, certainty: float | None) -> Population:
    return Population(torch.zeros(len(bank.layers), len(bank.names)), 1, 1, certainty=certainty)


def test_it_comes_back_with_the_bank_and_reaches_the_stated_chances(tmp_path):
    bank = make_bank()
    bank.population = population(bank, 1.75)
    bank.save_pretrained(tmp_path)
    back = TaskVectorBank.from_pretrained(str(tmp_path)).population
    assert back.certainty == 1.75
    prior = CoefficientPrior.of_population(back, bank.layout)
    posterior = Posterior.before(prior, np.zeros(bank.layout.size))
    stated = posterior.pair_probability(np.array(0.4), np.array(0.0))
    assert stated == pytest.approx(expit(1.75 * 0.4))


@pytest.mark.parametrize("value", [0, -1, float("nan"), "much", [1]])
def test_a_factor_that_is_none_is_refused(tmp_path, value):
    bank = make_bank()
    if isinstance(value, float | int):
        with pytest.raises(SettingError, match="certainty"):
            population(bank, value)
    bank.population = population(bank, 1.5)
    bank.save_pretrained(tmp_path)
    path = tmp_path / "bank_config.json"
    config = json.loads(path.read_text())
    config["population"]["certainty"] = value
    path.write_text(json.dumps(config))
    with pytest.raises(FormatError):
        TaskVectorBank.from_pretrained(str(tmp_path))
