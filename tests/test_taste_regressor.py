"""A taste with scikit-learn's manners."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import estimator_checks

from aesthetic_tv import TasteRegressor
from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.personalization import NewtonSolver, srocc

RATINGS = np.array([1.0, 2, 3, 4, 5] * 3)[:12]
CHECKS = (
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
)


@pytest.mark.parametrize("check", CHECKS)
def test_scikit_learns_checks_of_parameters_hold(check):
    getattr(estimator_checks, check)("TasteRegressor", TasteRegressor())


def test_fit_predict_and_score(tiny_bank, photos):
    taste = TasteRegressor(tiny_bank, scale=(1, 5))
    with pytest.raises(NotFittedError, match="call fit first"):
        taste.predict(photos)
    predicted = taste.fit(photos, RATINGS).predict(photos)
    assert predicted.shape == (12,) and predicted.min() >= 1 and predicted.max() <= 5
    assert taste.score(photos, RATINGS) == pytest.approx(srocc(predicted, RATINGS))
    np.testing.assert_array_equal(predicted, taste.personalization_.score(photos))


def test_clones_share_the_bank_and_nothing_that_was_learned(tiny_bank, photos):
    taste = TasteRegressor(tiny_bank, solver=NewtonSolver(rounds=1)).fit(photos, RATINGS)
    copy = clone(taste)
    assert copy.bank is tiny_bank
    assert copy.solver == taste.solver
    assert not hasattr(copy, "personalization_")


def test_cross_validation_and_search_judge_by_rank_correlation(tiny_bank, photos):
    taste = TasteRegressor(tiny_bank, solver="instant")
    scores = cross_val_score(taste, photos, RATINGS, cv=3, error_score="raise")
    assert scores.shape == (3,) and (np.abs(scores) <= 1).all()
    solvers = [NewtonSolver(rounds=1, strength=x) for x in (1.0, 100.0)]
    found = GridSearchCV(taste, {"solver": solvers}, cv=2, error_score="raise").fit(photos, RATINGS)
    assert found.best_params_["solver"] in solvers


def test_ratings_that_do_not_fit_the_photos_are_refused(tiny_bank, photos):
    with pytest.raises(PreferenceError, match="12 photos and ratings of shape"):
        TasteRegressor(tiny_bank).fit(photos, RATINGS[:3])
    with pytest.raises(PreferenceError, match="not weighted"):
        TasteRegressor(tiny_bank).score(photos, RATINGS, sample_weight=RATINGS)
