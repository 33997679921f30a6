"""Ratings, pairs and rankings all become weighted ordered pairs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.personalization import Preferences


def named_pairs(preferences: Preferences) -> dict[tuple, float]:
    names = preferences.photos
    return {
        (names[a], names[b]): w
        for a, b, w in zip(preferences.better, preferences.worse, preferences.weights, strict=True)
    }


def test_ratings_become_all_pairs_of_unequal_ratings():
    preferences = Preferences.from_ratings({"a": 5, "b": 2, "c": 5})
    assert named_pairs(preferences) == {("a", "b"): 1, ("c", "b"): 1}
    assert preferences.scale == (2, 5)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=30).filter(lambda y: len(set(y)) > 1))
def test_every_pair_of_unequal_ratings_stands_once_the_right_way_round(values):
    preferences = Preferences.from_ratings(dict(enumerate(values)))
    pairs = named_pairs(preferences)
    n = len(values)
    unequal = sum(values[i] != values[j] for i in range(n) for j in range(i))
    assert len(pairs) == len(preferences.better) == unequal
    assert all(values[a] > values[b] for a, b in pairs)


def test_a_ranking_is_best_first_and_may_hold_ties():
    preferences = Preferences.from_ranking(["a", ["b", "c"], "d"])
    assert set(named_pairs(preferences)) == {
        ("a", "b"), ("a", "c"), ("a", "d"), ("b", "d"), ("c", "d"),
    }  # fmt: skip
    assert preferences.scale is None


def test_pairs_given_twice_weigh_twice():
    assert named_pairs(Preferences.from_pairs([("a", "b"), ("a", "b"), ("b", "c")])) == {
        ("a", "b"): 2,
        ("b", "c"): 1,
    }


def test_contradictions_become_weights_with_a_warning():
    with pytest.warns(UserWarning, match="judged both ways"):
        preferences = Preferences.from_pairs([("a", "b"), ("a", "b"), ("b", "a")])
    assert named_pairs(preferences) == {("a", "b"): 2, ("b", "a"): 1}


@pytest.mark.filterwarnings("ignore:.*judged both ways")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Preferences.from_ratings({"a": 3}), "at least 2"),
        (lambda: Preferences.from_ratings({"a": 3, "b": 3}), "All 2 ratings are 3"),
        (lambda: Preferences.from_ratings({"a": 3, "b": float("nan")}), "b: rating nan"),
        (lambda: Preferences.from_ratings({"a": 3, "b": "good"}), "b: rating 'good'"),
        (lambda: Preferences.from_ratings({"a": 3, "b": 9}, scale=(1, 5)), "outside the scale"),
        (lambda: Preferences.from_ranking(["a"]), "at least 2"),
        (lambda: Preferences.from_ranking([["a", "b"]]), "at least 2"),
        (lambda: Preferences.from_ranking(["a", "b", "a"]), "twice"),
        (lambda: Preferences.from_pairs([]), "No pairs"),
        (lambda: Preferences.from_pairs([("a", "a")]), "two different photos"),
        (lambda: Preferences.from_pairs([("a", "b"), ("b", "a")]), "nothing can be learned"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(make, message):
    with pytest.raises(PreferenceError, match=message):
        make()


def test_a_subset_keeps_the_pairs_within_it():
    preferences = Preferences.from_ratings({"a": 1, "b": 2, "c": 3, "d": 1})
    part = preferences.subset([2, 0, 3])
    assert part.photos == ("c", "a", "d")
    assert set(named_pairs(part)) == {("c", "a"), ("c", "d")}
    np.testing.assert_array_equal(part.ratings, [3, 1, 1])
    assert preferences.subset([0, 3]) is None


def test_a_choice_beside_ratings_weighs_as_much_as_the_bit_it_tells():
    ratings = {f"{i}.jpg": i for i in range(9)}
    both = Preferences.from_ratings(ratings).with_pairs([("0.jpg", "8.jpg"), ("new.jpg", "0.jpg")])
    assert len(both.better) == 36 + 2
    assert both.weights[:36].tolist() == [0.5] * 36  # 2 n choices among n (n - 1) / 2 pairs
    assert both.weights[36:].tolist() == [1.0, 1.0]
    assert both.choices == 2 * 9 + 2
    assert both.photos[-1] == "new.jpg" and np.isnan(both.ratings[-1])


def test_ratings_and_their_scale_survive_comparisons():
    rated = Preferences.from_ratings({"a": 1, "b": 3, "c": 5}, scale=(1, 5))
    both = rated.with_pairs([("d", "a"), ("d", "a")]).with_pairs([("e", "b")])
    assert both.scale == (1, 5) and both.compared == 2
    assert both.by_photo == {"a": 1, "b": 3, "c": 5}
    np.testing.assert_array_equal(both.targets, rated.targets)
    assert named_pairs(both.choices_alone) == {("d", "a"): 2, ("e", "b"): 1}
    assert Preferences.of({"a": 1, "b": 3, "c": 5}, [("d", "a")]).by_photo == both.by_photo
    ranked = Preferences.from_ranking(["a", "b"]).with_pairs([("c", "a")])
    assert ranked.by_photo is None and ranked.targets is None
    assert set(named_pairs(ranked)) == {("a", "b"), ("c", "a")}


def test_equal_ratings_are_kept_beside_comparisons():
    both = Preferences.of({"a": 3, "b": 3}, [("a", "c")], scale=(1, 5))
    assert both.by_photo == {"a": 3, "b": 3} and named_pairs(both) == {("a", "c"): 1}


def test_a_subset_of_both_weighs_its_ratings_by_their_own_number():
    ratings = {f"{i}.jpg": i for i in range(9)}
    both = Preferences.from_ratings(ratings).with_pairs([("x", "y"), ("x", "0.jpg")])
    part = both.subset([9, 10, 1, 2, 3, 4, 5, 6, 7])
    assert part.compared == 1 and part.photos[:2] == ("x", "y")
    alone = Preferences.from_ratings({f"{i}.jpg": i for i in range(1, 8)})
    np.testing.assert_array_equal(part.weights, [*alone.weights, 1.0])
    assert part.by_photo == alone.by_photo
    assert both.subset([0, 9]).compared == 1 and both.subset([0, 10]) is None


@pytest.mark.parametrize(
    "given",
    [
        pd.Series([5, 2, 4], index=["a", "b", "c"]),
        [("a", 5), ("b", 2), ("c", 4)],
        (pair for pair in [["a", 5], ["b", 2], ["c", 4]]),
    ],
)
def test_ratings_come_as_a_series_or_as_pairs_too(given):
    assert Preferences.from_ratings(given).by_photo == {"a": 5, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pd.Series([5, 2], index=["a", "a"]), "a is rated twice"),
        ([("a", 5), ("a", 5)], "a is rated twice"),
        ([5, 2, 4], "found 5 among the ratings"),
        (["a.jpg", "b.jpg"], "found 'a.jpg' among"),
        ("ratings.csv", "ratings are a str"),
        (pd.DataFrame({"who": ["a", "b"], "rating": [1, 2]}), "name no photos; call one photo"),
        ([{"photo": "a", "seen": 1}], "name no ratings; call one rating"),
        (np.ones((3, 3)), "ratings are a ndarray"),
        ([(["a"], 1), ("b", 2)], "in place of a photo"),
    ],
)
def test_what_is_no_ratings_is_refused(given, message):
    with pytest.raises(PreferenceError, match=message):
        Preferences.from_ratings(given)


def test_images_in_memory_are_told_by_their_content():
    images = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    again = images[1].copy()  # as a data set gives it when it is read once more
    preferences = Preferences.from_pairs([(images[0], images[1]), (again, images[2])])
    assert len(preferences) == 3
    assert list(zip(preferences.better, preferences.worse, strict=True)) == [(0, 1), (1, 2)]
    assert len(Preferences.from_ranking(images)) == 3
    rated = Preferences.from_ratings([(image, i) for i, image in enumerate(images)])
    assert rated.ratings.tolist() == [0, 1, 2] and rated.by_photo is None
    with pytest.raises(PreferenceError, match="two different photos"):
        Preferences.from_pairs([(images[1], again)])
