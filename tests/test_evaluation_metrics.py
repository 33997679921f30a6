"""The metrics: scipy's on random data, worked by hand with ties, and the same in `evaluate`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation import metrics

TIED = np.array([1.0, 2.0, 2.0, 3.0])


def random_people(seed, ties):
    random = np.random.default_rng(seed)
    scores, ratings = random.normal(size=(2, 40)) * 3
    return (scores.round(), ratings.round()) if ties else (scores, ratings)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_correlations_are_those_of_scipy(seed, ties):
    scores, ratings = random_people(seed, ties)
    found = metrics.measure(scores, ratings)
    assert found["srocc"] == pytest.approx(stats.spearmanr(scores, ratings).statistic)
    assert found["plcc"] == pytest.approx(stats.pearsonr(scores, ratings).statistic)
    assert found["kendall"] == pytest.approx(stats.kendalltau(scores, ratings).statistic)
    somers = stats.somersd(ratings, scores).statistic  # over the pairs of unequal ratings
    assert found["pair_accuracy"] == pytest.approx((1 + somers) / 2)


def test_ties_by_hand():
    # Ratings 1 2 2 3 have 5 unequal pairs; of scores 1 1 3 2, 3 are right, 1 wrong and 1 tied.
    scores = np.array([1.0, 1.0, 3.0, 2.0])
    assert metrics.pair_accuracy(scores, TIED) == pytest.approx(3.5 / 5)
    # (concordant 3 - discordant 1) / sqrt(5 unequal ratings x 5 unequal scores)
    assert metrics.kendall(scores, TIED) == pytest.approx(2 / 5)
    # Ranks 1.5 1.5 4 3 against 1 2.5 2.5 4: Pearson's of them is 2.25 / 4.5.
    assert metrics.srocc(scores, TIED) == pytest.approx(2.25 / 4.5)
    # Deviations -.75 -.75 1.25 .25 and -1 0 0 1: 1 / sqrt(2.75 x 2).
    assert metrics.plcc(scores, TIED) == pytest.approx(1 / np.sqrt(2.75 * 2))


@pytest.mark.parametrize("constant", [0.0, 5.0, 0.1, 1e9])
def test_a_constant_says_nothing(constant):
    same = np.full(4, constant)
    for scores, ratings in ((same, TIED), (TIED, same), (same, same)):
        found = metrics.measure(scores, ratings, scale=(1, 5))
        assert (found["srocc"], found["plcc"], found["kendall"]) == (0, 0, 0)
        assert found["pair_accuracy"] == 0.5
    assert metrics.plcc(0.1 + 1e-17 * TIED + 1e-16 * TIED[::-1], TIED) == 0


def test_top_k_by_hand():
    ratings = np.array([5.0, 4.0, 4.0, 3.0, 2.0, 1.0, 1.0, 1.0])
    perfect, reverse = np.arange(8, 0, -1.0), np.arange(8.0)
    # The best quarter is 2 photos: the 5 and either 4, which are equally good picks.
    assert metrics.top_k_precision(perfect, ratings) == 1
    assert metrics.top_k_precision(np.array([9, 0, 8, 0, 0, 0, 0, 0.0]), ratings) == 1
    assert metrics.top_k_precision(np.array([9, 0, 0, 8, 0, 0, 0, 0.0]), ratings) == 0.5
    assert metrics.top_k_precision(reverse, ratings) == 0
    # One of the two picks is the 5, the other one of 2, 3 or 4 with equal chance: 1 + 2/3 of 2.
    assert metrics.top_k_precision(np.array([9, 1, 1, 1, 0, 0, 0, 0.0]), ratings) == pytest.approx(
        (1 + 2 / 3) / 2
    )
    # Nothing told: 2 of 8 at random, 3 of which are good.
    assert metrics.top_k_precision(np.zeros(8), ratings) == pytest.approx(3 / 8)
    assert metrics.top_k_precision(perfect, ratings, share=0.01) == 1  # 1 photo, not 0
    with pytest.raises(SettingError, match=r"share to keep is 0"):
        metrics.top_k_precision(perfect, ratings, share=0)


def test_calibration_error_is_a_share_of_the_scale():
    assert metrics.calibration_error(TIED + 1, TIED, (1, 5)) == 0.25
    assert metrics.measure(TIED, TIED, scale=(1, 5))["calibration_error"] == 0
    assert np.isnan(metrics.measure(TIED, TIED)["calibration_error"])
    with pytest.raises(SettingError, match="width above 0"):
        metrics.calibration_error(TIED, TIED, (5, 5))


values = st.lists(st.floats(-1e6, 1e6) | st.integers(1, 3).map(float), min_size=2, max_size=12)


@settings(deadline=None)
@given(st.data())
def test_every_measure_of_any_input_is_in_its_range(data):
    scores = data.draw(values)
    ratings = data.draw(st.lists(st.integers(1, 4), min_size=len(scores), max_size=len(scores)))
    found = metrics.measure(scores, ratings, scale=(1, 4))
    assert set(found) == set(metrics.METRICS)
    assert all(-1 - 1e-12 <= found[name] <= 1 + 1e-12 for name in ("srocc", "plcc", "kendall"))
    assert all(0 <= found[name] <= 1 for name in ("pair_accuracy", "top_k_precision"))
    assert found["calibration_error"] >= 0
    assert metrics.top_k_precision(np.array(ratings), np.array(ratings)) == 1


@pytest.mark.parametrize(
    ("scores", "ratings"),
    [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([[1.0, 2.0]], [[1.0, 2.0]]), ([1.0, np.nan], [1, 2])],
)
def test_what_cannot_be_measured_is_refused(scores, ratings):
    with pytest.raises(SettingError, match=r"2 or more photos|must be finite"):
        metrics.measure(scores, ratings)


def test_the_interval_holds_the_true_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        low, high = metrics.bootstrap_interval(random.normal(3, 2, 60), draws=400, seed=seed)
        assert low < high
        hits += low < 3 < high
    assert 0.90 < hits / 200 < 0.985


def test_the_interval_depends_on_its_seed_alone():
    sample = np.random.default_rng(1).normal(size=50)
    first = metrics.bootstrap_interval(sample, seed=3)
    assert metrics.bootstrap_interval(list(sample), seed=3) == first
    assert metrics.bootstrap_interval(sample, seed=4) != first


def test_blocks_are_resampled_apart(monkeypatch):
    sample = np.random.default_rng(1).normal(size=50)
    whole = metrics.bootstrap_interval(sample, draws=4000)
    monkeypatch.setattr(metrics, "BLOCK", 50 * 300)
    assert metrics.bootstrap_interval(sample, draws=4000) == pytest.approx(whole, abs=0.02)
    drawn = [metrics._resampled(50, 300, 0, start) for start in (0, 300)]
    assert (drawn[0].sum(axis=1) == 50).all()
    assert (drawn[0] != drawn[1]).any()


def test_intervals_of_few_people():
    assert metrics.bootstrap_interval([0.5]) == (0.5, 0.5)
    assert np.isnan(metrics.bootstrap_interval([])).all()
    with pytest.raises(SettingError, match="one finite value a person"):
        metrics.bootstrap_interval([0.5, np.nan])
    with pytest.raises(SettingError, match="level is 95"):
        metrics.bootstrap_interval([0.5], level=95)


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    import socket

    def refuse(*arguments, **options):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def test_evaluate_computes_the_same_offline(no_network, tmp_path):
    from aesthetic_tv.evaluation import evaluate_metrics

    scores, ratings = random_people(0, ties=True)
    expected = metrics.measure(scores, ratings, scale=(-9, 9))
    classes = {
        "srocc": evaluate_metrics.SROCC,
        "plcc": evaluate_metrics.PLCC,
        "kendall": evaluate_metrics.Kendall,
        "pair_accuracy": evaluate_metrics.PairAccuracy,
        "top_k_precision": evaluate_metrics.TopKPrecision,
        "calibration_error": evaluate_metrics.CalibrationError,
    }
    for name, kind in classes.items():
        options = {"scale": (-9, 9)} if name == "calibration_error" else {}
        metric = kind(cache_dir=str(tmp_path))
        told = metric.compute(predictions=scores, references=ratings, **options)
        assert told == {name: pytest.approx(expected[name])}


def test_evaluate_gathers_batches(tmp_path):
    from aesthetic_tv.evaluation.evaluate_metrics import SROCC, TopKPrecision

    scores, ratings = random_people(2, ties=False)
    metric = SROCC(cache_dir=str(tmp_path))
    for start in range(0, 40, 16):
        metric.add_batch(
            predictions=scores[start : start + 16], references=ratings[start : start + 16]
        )
    assert metric.compute()["srocc"] == pytest.approx(metrics.srocc(scores, ratings))
    halves = TopKPrecision(cache_dir=str(tmp_path)).compute(
        predictions=scores, references=ratings, share=0.5
    )
    assert halves["top_k_precision"] == metrics.top_k_precision(scores, ratings, share=0.5)
