"""Correlations, initialization, loss, calibration: each against a case done by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization import Preferences, pair_accuracy, srocc
from aesthetic_tv.personalization.agreement import rank_correlation
from aesthetic_tv.personalization.calibration import fit_calibration
from aesthetic_tv.personalization.paper_solver import bradley_terry_loss, mse_loss
from aesthetic_tv.personalization.solver import adaptive, initial_coefficients


def test_srocc_is_scipys_and_zero_for_constants():
    random = np.random.default_rng(0)
    scores, ratings = random.normal(size=30), random.integers(1, 6, 30)
    assert srocc(scores, ratings) == pytest.approx(stats.spearmanr(scores, ratings).statistic)
    assert srocc(np.ones(5), np.arange(5)) == 0
    assert srocc(np.arange(5), np.ones(5)) == 0


def test_pair_accuracy_by_hand():
    preferences = Preferences.from_pairs([("a", "b"), ("a", "b"), ("b", "c"), ("a", "d")])
    scores = np.array([3.0, 1.0, 2.0, 3.0])  # a b c d: right (weight 2), wrong, tied
    assert pair_accuracy(scores, preferences) == pytest.approx((2 + 0 + 0.5) / 4)
    assert rank_correlation(scores, preferences) == pytest.approx(2 * 2.5 / 4 - 1)


def test_adaptive_initialization_is_equation_4_by_hand():
    rho = np.array([0.5, 0.2, -0.1])
    powers = [math.exp(10 * r) for r in rho]
    np.testing.assert_allclose(adaptive(rho), np.array(powers) / sum(powers))
    np.testing.assert_allclose(adaptive(rho, 0), [1 / 3] * 3)
    np.testing.assert_array_equal(adaptive(rho, math.inf), [1, 0, 0])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.floats(0, 1e6))
def test_adaptive_weights_are_shares(rho, temperature):
    weights = adaptive(np.array(rho), temperature)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


def test_initial_coefficients_are_the_same_for_all_layers():
    preferences = Preferences.from_ratings({"a": 1, "b": 2, "c": 3})
    scores = np.array([[1.0, 3, 5], [2, 2, 5], [3, 1, 5]])  # rho = 1, -1, and 0 for the constant
    alpha = initial_coefficients("adaptive", scores, preferences, 7)
    expected = adaptive(np.array([1.0, -1.0, 0.0]))
    torch.testing.assert_close(alpha, torch.tensor(expected, dtype=torch.float32).repeat(7, 1))
    uniform = initial_coefficients("uniform", scores, preferences, 7)
    torch.testing.assert_close(uniform, torch.full((7, 3), 1 / 3))
    best = initial_coefficients("best-fit", scores, preferences, 7)
    torch.testing.assert_close(best[0], torch.tensor([1.0, 0, 0]))


def test_an_unknown_initialization_or_a_negative_temperature_is_refused():
    preferences = Preferences.from_ratings({"a": 1, "b": 2})
    with pytest.raises(SettingError, match="magic"):
        initial_coefficients("magic", np.zeros((2, 1)), preferences, 1)
    with pytest.raises(SettingError, match="-1"):
        adaptive(np.zeros(2), -1)


def test_bradley_terry_loss_by_hand():
    scores = torch.tensor([2.0, 1.0, 4.0])
    better, worse = torch.tensor([0, 1]), torch.tensor([1, 2])
    weights = torch.tensor([1.0, 3.0])
    expected = (math.log(1 + math.exp(-1)) + 3 * math.log(1 + math.exp(3))) / 4
    assert bradley_terry_loss(scores, better, worse, weights).item() == pytest.approx(expected)


def test_bradley_terry_loss_does_not_overflow():
    scores = torch.tensor([-1e4, 1e4])
    loss = bradley_terry_loss(scores, torch.tensor([0]), torch.tensor([1]), torch.ones(1))
    assert loss.item() == pytest.approx(2e4)


def test_mse_loss_by_hand():
    assert mse_loss(torch.tensor([1.0, 2]), torch.tensor([3.0, 2])).item() == 2


def test_calibration_matches_the_shares_of_each_level():
    scores = np.linspace(5.2, 5.4, 100)  # a bunch around 5, as generic predictors give
    ratings = np.repeat([1, 2, 3, 4, 5], [10, 20, 40, 20, 10]).astype(float)
    calibration = fit_calibration(scores, ratings, (1, 5))
    shares = np.bincount(np.round(calibration(scores)).astype(int), minlength=6)[1:]
    np.testing.assert_allclose(shares, [10, 20, 40, 20, 10], atol=1)
    assert calibration(np.array([-100.0, 100.0])).tolist() == [1, 5]


@given(
    st.lists(
        st.tuples(st.floats(1, 10), st.integers(1, 5)),
        min_size=2,
        max_size=40,
        unique_by=lambda x: x[0],
    )
)
def test_calibration_never_changes_the_order_and_stays_on_the_scale(rows):
    scores, ratings = (np.array(x, dtype=float) for x in zip(*rows, strict=True))
    calibration = fit_calibration(scores, ratings, (1, 5))
    if calibration is None:
        assert np.ptp(scores) == 0 or np.ptp(ratings) == 0
        return
    told = calibration(np.sort(scores))
    assert (np.diff(told) >= 0).all()
    assert told.min() >= 1 and told.max() <= 5


def test_calibration_of_equal_scores_is_none():
    assert fit_calibration(np.ones(3), np.array([1.0, 2, 3]), (1, 5)) is None
