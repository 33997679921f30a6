"""What a table of fits says, by hand: draws averaged within people, compared on what both have."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation.metrics import METRICS, bootstrap_interval
from aesthetic_tv.evaluation.statistics import (
    common,
    differences,
    gains,
    paired,
    share_better,
    summary,
    wilson_interval,
)

# Two people x two draws at 10 shots. By method: ann's draws, then bob's.
SROCC = {
    "generic": [0.1, 0.3, 0.5, 0.5],
    "uniform": [0.3, 0.3, 0.1, 0.1],
    "newton": [0.4, 0.2, 0.4, 0.8],
}


def fits_of(values, metric="srocc", shots=10, draws=2, seconds=1.0):
    rows = [
        {
            "person": "abcdefgh"[i // draws],
            "shots": shots,
            "draw": i % draws,
            "method": method,
            "seconds": seconds,
            **dict.fromkeys(METRICS, np.nan),
            metric: value,
        }
        for method, numbers in values.items()
        for i, value in enumerate(numbers)
    ]
    return pd.DataFrame(rows)


def test_summary_by_hand():
    table = summary(fits_of(SROCC), "srocc").set_index("method")
    assert list(table.index) == ["newton", "generic", "uniform"]  # best first
    newton = table.loc["newton"]
    assert newton["mean"] == pytest.approx(0.45)  # of 0.3 and 0.6
    assert newton["sd_draws"] == pytest.approx(np.std([0.4, 0.5], ddof=1))  # of the draws' means
    assert newton["sd_people"] == pytest.approx(np.std([0.3, 0.6], ddof=1))
    assert (newton["low"], newton["high"]) == pytest.approx(bootstrap_interval([0.3, 0.6]))
    assert (newton["people"], newton["draws"], newton["seconds"]) == (2, 2, 1.0)


def test_a_person_with_more_draws_weighs_no_more():
    fits = fits_of({"newton": [0.2, 0.2, 0.8, 0.8]})
    fits = fits[~((fits["person"] == "a") & (fits["draw"] == 1))]
    assert summary(fits, "srocc")["mean"].item() == pytest.approx(0.5)


def test_shots_are_kept_apart_and_lower_errors_come_first():
    fits = pd.concat(
        [
            fits_of({"newton": [0.1, 0.1], "ridge": [0.2, 0.2]}, "calibration_error", 50),
            fits_of({"newton": [0.4, 0.4], "ridge": [0.3, 0.3]}, "calibration_error", 10),
        ]
    )
    table = summary(fits, "calibration_error")
    assert list(zip(table["shots"], table["method"], strict=True)) == [
        (10, "ridge"),
        (10, "newton"),
        (50, "newton"),
        (50, "ridge"),
    ]
    first, second = paired(fits, "newton", "ridge", "calibration_error")
    assert (first.shots, first.better) == (10, 0.0)  # a larger error is no improvement
    assert (second.shots, second.better) == (50, 1.0)


def test_paired_difference_by_hand():
    (difference,) = paired(fits_of(SROCC), "newton", "generic")
    # Ann: +0.3 and -0.1, so 0.1; Bob: -0.1 and +0.3, so 0.1.
    assert difference.mean == pytest.approx(0.1)
    assert (difference.low, difference.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert (difference.better, difference.people, difference.draws) == (1.0, 2, 2)


def test_paired_differences_have_a_test_and_an_interval_over_people():
    random = np.random.default_rng(0)
    reference = random.normal(0.3, 0.1, 8)
    noise = random.normal(0.02, 0.01, 8)
    fits = fits_of({"generic": reference, "newton": reference + noise}, draws=1)
    (difference,) = paired(fits, "newton", "generic")
    assert difference.mean == pytest.approx(noise.mean())
    assert difference.low < noise.mean() < difference.high
    # Paired: far narrower than the people differ from each other.
    assert difference.high - difference.low < 0.2 * np.ptp(reference)
    assert difference.p_value == pytest.approx(stats.wilcoxon(noise).pvalue)
    assert differences(fits, ["newton", "generic"], "generic")[0] == difference
    (opposite,) = paired(fits, "generic", "newton")
    assert opposite.mean == -difference.mean


def test_a_method_that_ran_for_a_few_is_compared_on_these_few():
    fits = fits_of({"generic": [0.1, 0.2, 0.5, 0.6, 0.0, 0.0], "paper": [0.2] * 6})
    partly = fits[(fits["method"] == "generic") | fits["person"].isin(["b"])]
    (difference,) = paired(partly, "paper", "generic")
    assert difference.mean == pytest.approx(0.2 - 0.55)
    assert (difference.people, difference.draws) == (1, 2)
    one_draw = partly.drop(partly[(partly["method"] == "paper") & (partly["draw"] == 0)].index)
    (difference,) = paired(one_draw, "paper", "generic")
    assert difference.mean == pytest.approx(0.2 - 0.6)
    assert (difference.people, difference.draws) == (1, 1)


def test_a_missing_value_is_as_a_missing_row():
    fits = fits_of({"generic": [0.1, 0.2, 0.5, 0.6], "paper": [0.2, np.nan, 0.2, 0.2]})
    (difference,) = paired(fits, "paper", "generic")
    assert difference.mean == pytest.approx(((0.2 - 0.1) + (0.2 - 0.55)) / 2)
    assert summary(fits, "srocc").set_index("method").loc["paper", "people"] == 2


def test_the_common_part_is_what_every_method_of_these_shots_has():
    few = fits_of({"paper": [0.1, 0.2]})
    many = fits_of({"generic": [0.1, 0.2, 0.3, 0.4], "newton": [0.1, 0.2, 0.3, np.nan]})
    other = fits_of({"generic": [0.1, 0.2], "newton": [0.1, 0.2]}, shots=50)
    part = common(pd.concat([few, many, other]), "srocc")
    assert part.groupby(["shots", "method"]).size().to_dict() == {
        (10, "generic"): 2,
        (10, "newton"): 2,
        (10, "paper"): 2,
        (50, "generic"): 2,
        (50, "newton"): 2,
    }


def test_no_difference_is_no_evidence():
    (difference,) = paired(fits_of({"a": [0.1] * 4, "b": [0.1] * 4}), "a", "b")
    assert (difference.mean, difference.better, difference.p_value) == (0, 0.5, 1)


def test_share_of_people_better_than_population_scores():
    values = {
        "generic": [0.5, 0.1, 0.3, 0.3],
        "population": [0.4, 0.5, 0.3, 0.1],
        "newton": [0.45, 0.4, 0.3, 0.6],
    }
    overall, each = share_better(fits_of(values, draws=1), "newton")
    # Population is best over all (0.325 against 0.3): newton is over, under, equal, over.
    assert (overall.against, overall.share) == ("population", pytest.approx(2.5 / 4))
    assert (overall.low, overall.high) == wilson_interval(2.5 / 4, 4)
    # Everyone's own best is 0.5, 0.5, 0.3, 0.3: under, under, equal, over.
    assert (each.against, each.share) == ("best for each person", pytest.approx(1.5 / 4))
    assert overall.people == each.people == 4


def test_shares_are_of_means_over_draws():
    values = {"generic": [0.5, 0.5], "newton": [0.9, 0.2]}
    assert share_better(fits_of(values), "newton")[0].share == 1


def test_wilson_interval_is_that_of_scipy():
    for hits, count in ((0, 10), (3, 10), (10, 10), (130, 200)):
        expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
        assert wilson_interval(hits / count, count) == pytest.approx((expected.low, expected.high))
    assert np.isnan(wilson_interval(0.5, 0)).all()


def test_gains_by_person():
    told = gains(fits_of(SROCC), "newton", "uniform", 10)
    assert told.to_dict() == {"a": pytest.approx(0.0), "b": pytest.approx(0.5)}


def test_what_cannot_be_compared_is_named():
    fits = fits_of(SROCC)
    with pytest.raises(
        SettingError, match="no srocc of the method 'lora'; it has generic, newton, uniform"
    ):
        paired(fits, "lora", "generic")
    with pytest.raises(SettingError, match="none of population"):
        share_better(fits, "newton", ["population"])
    with pytest.raises(SettingError, match="metric is 'mse'"):
        summary(fits, "mse")
    with pytest.raises(SettingError, match="no column draw"):
        summary(fits.drop(columns="draw"), "srocc")
    with pytest.raises(SettingError, match="4 rows twice"):
        summary(pd.concat([fits, fits[:4]]), "srocc")


def test_an_empty_table_gives_an_empty_summary():
    assert summary(fits_of(SROCC)[:0], "srocc").empty
