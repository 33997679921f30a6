"""Stars of an album as they are shown, and traits of a taste: the arithmetic."""

import numpy as np
import pytest

from aesthetic_tv.personalization.album_stars import album_stars, spread_stars
from aesthetic_tv.personalization.linear_model import LinearModel
from aesthetic_tv.personalization.traits import likings, trait_scores
from aesthetic_tv.task_vectors.layout import Layout


def rated(scores: np.ndarray, count: int, random) -> tuple[np.ndarray, np.ndarray]:
    rows = random.choice(len(scores), count, replace=False)
    stars = np.clip(np.rint(3 + scores[rows] + 0.5 * random.normal(size=count)), 1, 5)
    return scores[rows], stars


def test_shares_of_an_album_round_to_each_number_of_stars():
    scores = np.random.default_rng(0).normal(size=400)
    counts = np.bincount(np.rint(spread_stars(scores, [10, 20, 40, 20, 10])).astype(int))
    assert counts[1:].tolist() == [40, 80, 160, 80, 40]


@pytest.mark.parametrize("count", [0, 1, 3, 10, 100])
def test_stars_rise_with_the_scores_and_are_spread_from_the_first_rating_on(count):
    random = np.random.default_rng(count)
    scores = random.normal(size=200)
    stars = album_stars(scores, *rated(scores, count, random))
    assert (np.diff(stars[np.argsort(scores)]) > 0).all()
    assert stars.min() >= 1 and stars.max() <= 5
    assert np.ptp(stars) > 3 and stars.std() > 0.7


def test_three_equal_ratings_do_not_make_all_photos_equal():
    scores = np.linspace(-1, 1, 20)
    stars = album_stars(scores, scores[[0, 7, 19]], np.array([5.0, 5.0, 5.0]))
    assert len(np.unique(stars)) == 20


def test_with_more_ratings_the_persons_own_scale_counts_more():
    random = np.random.default_rng(0)
    scores = random.normal(size=300)

    def shown(count: int) -> float:
        rows = random.choice(300, count, replace=False)
        generous = np.where(scores[rows] > np.median(scores[rows]), 5.0, 4.0)
        return float(album_stars(scores, scores[rows], generous).mean())

    assert 3.0 < shown(4) < shown(20) < shown(100) < 4.6


def test_equal_scores_have_equal_stars():
    stars = album_stars(np.array([1.0, 2.0, 2.0, 3.0]), np.array([]), np.array([]))
    assert stars[1] == stars[2] == 3


def model(slopes: np.ndarray) -> LinearModel:
    count, tasks = slopes.shape
    layout = Layout(layers=1, tasks=tasks, directions=1)
    whole = np.column_stack([slopes, np.ones(count)])
    return LinearModel(np.full(tasks + 1, 1 / tasks), np.zeros(count), whole, layout)


def test_a_trait_is_what_a_task_has_of_its_own():
    random = np.random.default_rng(0)
    own, common = random.normal(size=(50, 3)), random.normal(size=(50, 1))
    found = trait_scores(model(own + 3 * common))
    for k in range(3):
        alike = [np.corrcoef(found[:, k], own[:, j])[0, 1] for j in range(3)]
        assert int(np.argmax(alike)) == k
        assert abs(np.corrcoef(found[:, k], common[:, 0])[0, 1]) < 0.9
    assert np.allclose(found.mean(0), 0) and np.allclose(found.std(0), 1)


def test_a_trait_that_no_photo_has_more_of_is_nothing():
    assert not trait_scores(model(np.ones((5, 2)))).any()


def test_a_liking_is_what_the_persons_scores_add_and_as_far_as_it_is_known():
    random = np.random.default_rng(0)
    traits = random.normal(size=(200, 2))
    traits = (traits - traits.mean(0)) / traits.std(0)
    generic = random.normal(size=200)
    mine = generic + 2 * traits[:, 0]
    sure = likings(traits, mine, generic, np.zeros(200))
    unsure = likings(traits, mine, generic, np.full(200, 20.0))
    assert sure[0] == pytest.approx(1) and abs(sure[1]) < 0.3
    assert 0 < unsure[0] < 0.2
    assert likings(traits, generic - traits[:, 0], generic, np.zeros(200))[0] == pytest.approx(-1)
    assert not likings(traits, generic + 3, generic, np.zeros(200)).any()
