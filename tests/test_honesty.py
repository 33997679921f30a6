"""What a person is told of their scorer is as sure as it says."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aesthetic_tv.personalization import Figures, Preferences
from aesthetic_tv.personalization.convex_fit import choose_strength, fit_dual, preference_loss
from aesthetic_tv.personalization.honesty import cross_validate

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from intervals import KINDS, coverage, figures_of  # the simulation of benchmarks/RESULTS.md


@pytest.mark.parametrize("evidence", KINDS, ids=lambda evidence: evidence.name)
def test_intervals_hold_the_truth_about_as_often_as_they_say(evidence):
    """Runs are drawn by seeds, so this is the same each time: 90 % give or take three standard
    errors of 150 runs; 100 % would be an interval that says nothing.
    """
    figures = list(figures_of(evidence, 20, 0.5, 0.5, 150))
    for held in coverage(figures):
        assert 0.825 < held < 0.99
    assert np.mean([found.interval[0] > 0 for found in figures]) < 0.1


def test_one_comparison_among_ratings_leaves_the_interval_as_wide():
    random = np.random.default_rng(0)
    taste, scores = random.normal(size=(2, 30))
    rated = Preferences.from_ratings(dict(enumerate(np.round(taste * 2).tolist())))
    as_pairs, both = rated.as_pairs(), rated.with_pairs([(int(taste.argmax()), 0)])

    def width(preferences):
        found = cross_validate(preferences, taste, lambda *_: scores, folds=5, seed=0)
        return found.interval[1] - found.interval[0]

    assert width(both) == pytest.approx(width(as_pairs), rel=0.05)


def test_few_choices_that_all_agree_are_no_certainty():
    preferences = Preferences.from_pairs([(0, 1), (2, 3), (4, 5)])
    scores = -np.arange(6.0)
    found = cross_validate(preferences, -scores, lambda *_: scores, folds=3, seed=0)
    assert (found.personal, found.generic) == (1, 0)
    assert found.personal_interval[0] < 0.75 and not found.above_chance


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (Figures("pair_accuracy", 0.51, 0.3, 0.21, (0.1, 0.3), 30, 90, (0.42, 0.6)), "chance yet"),
        (Figures("srocc", 0.05, -0.4, 0.45, (0.1, 0.7), 30, 90, (-0.2, 0.3)), "chance yet"),
        (Figures("pair_accuracy", 0.7, 0.5, 0.2, (0.1, 0.3), 30, 90, (0.6, 0.8)), "Personal is be"),
        (Figures("srocc", 0.4, 0.1, 0.3, (0.1, 0.7), 30, 90, (0.2, 0.6)), "Personal is better"),
        (Figures("srocc", 0.4, 0.1, 0.3, (-0.1, 0.7), 30, 90, (0.2, 0.6)), "not shown to differ"),
        (Figures("srocc", 0.1, 0.4, -0.3, (-0.5, -0.1), 30, 90, (0, 0.2)), "Generic is better"),
    ],
)
def test_better_than_generic_is_not_better_than_chance(figures, said):
    assert said in figures.verdict
    assert ("Personal is better" in figures.verdict) == (figures.outcome == "better")


def test_figures_of_earlier_versions_have_a_verdict():
    old = Figures("pair_accuracy", 0.7, 0.5, 0.2, (0.1, 0.3), 30, 90)
    assert old.outcome == "better"
    assert replace(old, personal=0.49).outcome == "better, but not than chance"


@pytest.fixture
def problem():
    random = np.random.default_rng(1)
    slopes = random.normal(size=(12, 4))
    ratings = dict(enumerate(np.round(slopes @ [1, 1, 0, 0] + random.normal(size=12)).tolist()))
    return np.zeros(12), slopes @ slopes.T, Preferences.from_ratings(ratings)


def test_a_comparison_that_ratings_foretell_hardly_changes_the_fit(problem):
    offset, gram, rated = problem
    best, worst = int(rated.ratings.argmax()), int(rated.ratings.argmin())
    both = rated.with_pairs([(best, worst)])
    assert choose_strength(offset, gram, both) == choose_strength(offset, gram, rated)
    alone, with_it = (gram @ fit_dual(offset, gram, x, 0.2 / x.choices) for x in (rated, both))
    assert np.corrcoef(alone, with_it)[0, 1] > 0.999


def test_the_loss_of_both_is_the_sum_of_what_each_tells(problem):
    offset, _, rated = problem
    scores = offset + np.arange(12.0) / 4
    pairs = [(3, 1), (0, 11)]
    both, chosen = rated.with_pairs(pairs), np.array(pairs)
    misses = np.logaddexp(0, scores[chosen[:, 1]] - scores[chosen[:, 0]]).sum()
    total = rated.choices * preference_loss(scores, rated) + misses
    assert both.choices == rated.choices + 2
    assert both.choices * preference_loss(scores, both) == pytest.approx(total)


def test_opposite_comparisons_turn_what_few_ratings_said(problem):
    offset, gram, rated = problem
    best, worst = int(rated.ratings.argmax()), int(rated.ratings.argmin())
    both = rated.with_pairs([(worst, best)] * 200)
    scores = gram @ fit_dual(offset, gram, both, 0.2 / both.choices)
    assert scores[worst] > scores[best]
