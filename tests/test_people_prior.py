"""What people have in common and differ in is found again where it is known."""

import numpy as np
import pytest
import torch

from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.personalization import Preferences, fit_population, srocc
from aesthetic_tv.personalization.linear_model import LinearModel, fit_linear
from aesthetic_tv.personalization.people_prior import (
    common_taste,
    covariance_of_people,
    factor_of,
    means_of,
    steepness,
)
from aesthetic_tv.personalization.preferences import standardized
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.task_vectors import HeadDirections
from aesthetic_tv.task_vectors.layout import Layout
from conftest import make_bank

PHOTOS, WIDE = 120, 8
LAYOUT = Layout(1, 1, WIDE)  # one task that moves nothing


def some_people(count: int, each: int, seed: int = 0):
    """Slopes, the common taste, and people who stray from it along one direction."""
    random = np.random.default_rng(seed)
    slopes = np.hstack([np.zeros((PHOTOS, 1)), random.normal(size=(PHOTOS, WIDE))])
    common = np.array([0.0, 0.7, 0, 0, 0, 0, 0, 0, 0])
    own = np.zeros(WIDE + 1)
    own[2:4] = 0.8, -0.8
    photo = 0.2 * random.normal(size=PHOTOS)
    people = {}
    for who in range(count):
        taste = common + own * random.normal()
        rows = random.permutation(PHOTOS)[:each]
        liking = slopes[rows] @ taste + photo[rows] + 0.6 * random.normal(size=each)
        people[who] = (rows, np.clip(np.round(4 + 1.2 * liking), 1, 7))
    return slopes, common, own, people


def test_the_common_taste_is_found_and_says_how_sure_it_is():
    slopes, common, _, people = some_people(100, 40)
    means, counts = means_of(PHOTOS, people)
    taste = common_taste(slopes, LAYOUT, means, counts, np.arange(PHOTOS))
    cosine = taste.coefficients @ common / np.linalg.norm(taste.coefficients) / 0.7
    assert cosine > 0.95
    unsure = taste.unsure(LAYOUT)
    assert np.linalg.eigvalsh(unsure).min() > -1e-9
    few = common_taste(slopes[:20], LAYOUT, means[:20], counts[:20], np.arange(20))
    assert np.trace(few.unsure(LAYOUT)) > np.trace(unsure)


def test_the_direction_in_which_people_differ_is_found():
    slopes, _, own, people = some_people(200, 40)
    means, counts = means_of(PHOTOS, people)
    covariance, noise = covariance_of_people(slopes[:, 1:], people, means, counts)
    leading = np.linalg.eigh(covariance)[1][:, -1]
    assert abs(leading @ own[1:]) / np.linalg.norm(own) > 0.9
    assert 0.1 < noise < 0.8
    narrow, _ = covariance_of_people(slopes[:, 1:], some_people(200, 40, 1)[3], means, counts)
    assert np.isfinite(narrow).all()


@pytest.mark.parametrize("each", [2, 3, 100])
def test_few_and_many_ratings_are_sound(each):
    slopes, _, _, people = some_people(30, each)
    means, counts = means_of(PHOTOS, people)
    known = np.nan_to_num(means)
    covariance, noise = covariance_of_people(slopes[:, 1:], people, known, counts)
    assert np.linalg.eigvalsh(covariance).min() >= 0 and noise > 0
    alone, _ = covariance_of_people(slopes[:, 1:], {0: people[0]}, known, np.minimum(counts, 1))
    assert np.isfinite(alone).all()


def test_a_newcomer_is_foretold_better_than_by_the_common_taste_alone():
    slopes, common, _, people = some_people(300, 40)
    means, counts = means_of(PHOTOS, people)
    covariance, noise = covariance_of_people(slopes[:, 1:], people, means, counts)
    factor = np.vstack([np.zeros((1, WIDE)), factor_of(covariance, noise, slopes[:, 1:].std(0))])
    centre = steepness(noise) * common
    prior = CoefficientPrior(centre, LAYOUT, 0.0, 0.0, 0.0, factor)
    model = LinearModel(centre, slopes @ centre, slopes, LAYOUT)
    gains = []
    for rows, ratings in some_people(60, 80, seed=0)[3].values():
        known = Preferences.from_ratings(dict(enumerate(ratings[:8].tolist())), scale=(1, 7))
        fit = fit_linear(model.subset(rows[:8]), prior, known, 1.0)
        mine = model.at(fit.coefficients)[rows[8:]]
        gains.append(srocc(mine, ratings[8:]) - srocc(model.scores[rows[8:]], ratings[8:]))
    assert np.mean(gains) > 0.05
    assert np.mean(np.array(gains) > 0) > 0.6


def test_the_factor_is_of_the_covariance_where_nothing_is_left_out():
    random = np.random.default_rng(0)
    half = random.normal(size=(5, 5))
    factor = factor_of(half @ half.T, 0.7, np.ones(5))
    np.testing.assert_allclose(factor @ factor.T, 2 * steepness(0.7) ** 2 * half @ half.T)


def test_a_bank_with_head_directions_learns_from_people_or_from_scores():
    bank = make_bank(2)
    pixels = torch.randn(40, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    bank.directions = HeadDirections.of(bank.base, pixels, 6)
    with torch.inference_mode():
        embeds = bank.base.embed(pixels)
    truth = (embeds @ bank.directions.axes[1]).double().numpy()
    truth -= truth.mean()
    random = np.random.default_rng(0)
    people = {}
    for who in range(12):
        rows = random.permutation(40)[:30]
        noisy = truth[rows] / truth.std() + 0.5 * random.normal(size=30)
        people[who] = (rows, np.clip(np.round(3 + noisy), 1, 5))
    found = fit_population(bank, pixels, people=people)
    assert found.learned_from["num_people"] == 12 and found.factor.shape == (8, 8)
    bank.population = found
    assert srocc(bank.generic_scorer().score_pixels(pixels), truth) > 0.5
    bank.population = None
    alone = fit_population(bank, pixels, truth)
    assert alone.factor is None and not alone.spread_is_known
    bank.population = alone
    assert srocc(bank.generic_scorer().score_pixels(pixels), truth) > 0.5
    with pytest.raises(PreferenceError, match="differ"):
        fit_population(bank, pixels, np.ones(40))


def test_ratings_stand_on_the_persons_own_level_and_spread():
    few = standardized(np.array([3.0, 3.0, 4.0]), (1.0, 5.0))
    assert few.mean() == pytest.approx(0) and few.std() < 1  # three ratings tell little of a spread
    many = standardized(np.tile([3.0, 5.0], 200), (1.0, 7.0))
    assert many.std() == pytest.approx(1, abs=0.02)
    assert standardized(np.array([2.0, 2.0]), (2.0, 2.0)).tolist() == [0, 0]
