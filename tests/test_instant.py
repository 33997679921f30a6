"""The instant mode: fit, rank, how sure, what to rate next, polish."""

import numpy as np
import pytest
from scipy.special import expit

from aesthetic_tv import AestheticScorer
from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.personalization import InstantFit, NewtonSolver, PhotoFeatures, Preferences
from aesthetic_tv.personalization.active import RATING_NOISE, pairs_to_compare, photos_to_rate
from aesthetic_tv.personalization.convex_fit import preference_derivatives
from aesthetic_tv.personalization.instant import stacked_coefficients
from aesthetic_tv.personalization.linear_model import LinearModel
from aesthetic_tv.personalization.posterior import Posterior, logits
from aesthetic_tv.personalization.preferences import CHOICES_PER_RATING
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.task_vectors.layout import Layout


@pytest.fixture
def album(tiny_bank, photos):
    return PhotoFeatures.compute(tiny_bank, photos)


@pytest.fixture
def ratings(photos):
    return dict(zip(photos[:6], [5, 1, 4, 2, 3, 5], strict=True))


def test_it_is_the_linear_fit_and_ranks_the_whole_album(album, ratings):
    solver = NewtonSolver(strength=0.01)
    mine = InstantFit.of(album, ratings, solver=solver)
    ranking = mine.ranking()
    assert [row.photo for row in ranking] == [album.photos[i] for i in np.argsort(-mine.scores)]
    assert all(row.deviation > 0 for row in ranking)
    told = [mine.scores[album.positions([photo])[0]] for photo in ratings]
    assert np.corrcoef(told, list(ratings.values()))[0, 1] > 0.8


def test_pairs_and_rankings_serve_too(album, photos):
    solver = NewtonSolver(strength=0.01)
    by_pairs = InstantFit.of(album, pairs=[(photos[0], photos[1])], solver=solver)
    by_ranking = InstantFit.of(album, ranking=[photos[0], photos[1]], solver=solver)
    np.testing.assert_allclose(by_pairs.scores, by_ranking.scores)
    assert by_pairs.pair_probability(photos[0], photos[1]) > 0.5


def test_a_photo_outside_of_the_album_is_named(album, tmp_path):
    with pytest.raises(PreferenceError, match=r"other\.jpg"):
        InstantFit.of(album, {tmp_path / "other.jpg": 1, album.photos[0]: 2})


def test_suggestions_are_photos_that_are_not_rated_yet(album, ratings):
    mine = InstantFit.of(album, ratings)
    asked = mine.suggest_next(4)
    assert len(set(asked)) == 4
    assert not set(asked) & set(ratings)
    assert len(mine.suggest_next(100)) == 6
    assert mine.suggest_next(9, among=asked[:2]) == asked[:2]
    ((first, second),) = mine.suggest_pairs(1)
    others = mine.suggest_pairs(1, known=[(second, first)])
    assert {*others[0]} != {first, second}
    assert {*mine.suggest_pairs(1, among=asked[2:4])[0]} == {*asked[2:4]}
    assert mine.suggest_pairs(1, asked[2:4], known=[tuple(asked[2:4])]) == []
    order = [row.photo for row in mine.ranking()]
    some = [row.photo for row in mine.ranking(among=asked)]
    assert some == [photo for photo in order if photo in asked]
    pairs = mine.suggest_pairs(3)
    assert len({photo for pair in pairs for photo in pair}) == 6
    first = album.suggest_first(3)
    assert len(set(first)) == 3


def test_polishing_gives_a_personalization_that_can_be_saved(album, ratings, tmp_path):
    mine = InstantFit.of(album, ratings).polish()
    mine.save_pretrained(tmp_path / "mine")
    scorer = AestheticScorer.from_pretrained(tmp_path / "mine", bank=album.bank)
    assert np.isfinite(scorer.score(list(ratings))).all()
    assert mine.figures is not None


def test_polishing_is_the_newton_fit_less_a_pass(album, ratings, monkeypatch):
    from aesthetic_tv.personalization import Personalizer, linear_model

    fitted = Personalizer(album.bank).fit(ratings)
    points = list[np.ndarray]()
    real = linear_model.coefficient_slopes
    monkeypatch.setattr(
        linear_model, "coefficient_slopes", lambda *a, **k: points.append(a[0]) or real(*a, **k)
    )
    polished = InstantFit.of(album, ratings).polish()
    scores = [mine.merge().score(album.photos) for mine in (polished, fitted)]
    assert np.corrcoef(scores)[0, 1] > 0.99
    with_cache = len(points)
    Personalizer(album.bank).fit(ratings)
    assert len(points) - with_cache == with_cache + 1


def test_figures_are_those_of_the_personalizer(album, ratings):
    from aesthetic_tv.personalization import Personalizer

    expected = Personalizer(album.bank).fit(ratings).figures
    found = InstantFit.of(album, ratings).figures()
    assert found.num_photos == expected.num_photos
    assert found.generic == pytest.approx(expected.generic)


def test_many_people_are_stacked(album, ratings):
    fits = [InstantFit.of(album, ratings, solver=NewtonSolver(strength=c)) for c in (0.01, 1.0)]
    together = album.score_people(stacked_coefficients(fits).numpy())
    np.testing.assert_allclose(together[0], fits[0].scores, rtol=1e-4)
    np.testing.assert_allclose(together[1], fits[1].scores, rtol=1e-4)


@pytest.fixture
def linear():
    """A linear model of 8 photos, 5 of them rated, and a fit."""
    random = np.random.default_rng(0)
    layout, point = Layout(4, 2, 3), np.zeros(11)
    model = LinearModel(point, random.normal(size=8), random.normal(size=(8, 11)), layout)
    factor = random.normal(size=(2 + 3, 2))
    prior = CoefficientPrior(point, layout, 0.5, 0.25, 0.1, factor)
    preferences = Preferences.from_ratings(dict(enumerate([1, 5, 2, 4, 3])))
    return model, prior, preferences


def test_the_posterior_is_laplaces_in_the_coefficients(linear):
    model, prior, preferences = linear
    alpha, strength, middle = np.full(11, 0.1), 0.7, model.slopes.mean(0)
    rated = model.subset(range(5))
    posterior = Posterior.after(rated, alpha, prior, strength, preferences, middle)
    jacobian = model.slopes - middle
    covariance = prior.spread(np.eye(11)) + 1e-9 * np.eye(11)
    curvature = preferences.choices * preference_derivatives(rated.at(alpha), preferences)[1]
    precision = (
        CHOICES_PER_RATING * strength * np.linalg.inv(covariance)
        + jacobian[:5].T @ curvature @ jacobian[:5]
    )
    expected = jacobian @ np.linalg.inv(precision) @ jacobian.T
    np.testing.assert_allclose(posterior.covariance(model.slopes, model.slopes), expected)
    np.testing.assert_allclose(posterior.variances(model.slopes), expected.diagonal())
    before = Posterior.before(prior, middle, strength).variances(model.slopes)
    assert (posterior.variances(model.slopes) <= before + 1e-12).all()


def test_a_fit_that_stayed_at_the_centre_is_not_certain(linear):
    model, prior, preferences = linear
    rated = model.subset(range(5))
    posterior = Posterior.after(
        rated, prior.centre, prior, np.inf, preferences, model.slopes.mean(0)
    )
    assert (posterior.variances(model.slopes) > 0).all()


def test_pair_probability_is_the_mean_of_the_logistic_choice():
    assert expit(logits(np.array(1.0), np.array(0.0))) == pytest.approx(expit(1.0))
    gaps = 0.8 + 1.5 * np.random.default_rng(0).normal(size=200_000)
    found = expit(logits(np.array(0.8), np.array(1.5**2)))
    assert found == pytest.approx(expit(gaps).mean(), abs=0.01)


def test_suggestions_are_the_least_sure_given_those_before(linear):
    model, prior, _ = linear
    posterior = Posterior.before(prior, model.slopes.mean(0))
    covariance = posterior.covariance(model.slopes, model.slopes)
    first, second = photos_to_rate(posterior, model.slopes, np.arange(8), 2)
    assert first == int(covariance.diagonal().argmax())
    column = covariance[first]
    left = covariance - np.outer(column, column) / (covariance[first, first] + RATING_NOISE)
    left[first, first] = -np.inf
    assert second == int(left.diagonal().argmax())


def test_pairs_are_of_an_unsure_gap_and_an_open_outcome(linear):
    model, prior, _ = linear
    posterior = Posterior.before(prior, model.slopes.mean(0))
    scores = np.zeros(8)
    covariance = posterior.covariance(model.slopes, model.slopes)
    gaps = {
        (i, j): covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
        for i in range(8)
        for j in range(i)
    }
    i, j = max(gaps, key=gaps.get)
    ((a, b),) = pairs_to_compare(posterior, model.slopes, scores, np.arange(8), 1)
    assert {a, b} == {i, j}
    scores[i] = 1000.0
    ((a, b),) = pairs_to_compare(posterior, model.slopes, scores, np.arange(8), 1)
    assert i not in (a, b)


def test_ratings_and_choices_fit_together_and_say_how_sure(album, photos, ratings):
    rated = {photo: ratings[photo] for photo in list(ratings)[:5]}
    pairs = [(photos[-1], photos[0]), (photos[-1], photos[-2])]  # photos without a rating too
    fit = InstantFit.of(album, rated, pairs=pairs)
    assert 0 < fit.pair_probability(photos[-1], photos[-2]) < 1
    assert np.isfinite(fit.deviations).all()
    mine = fit.polish()
    assert mine.ratings == rated and mine.calibration is not None
    assert mine.figures.metric == "pair_accuracy"
