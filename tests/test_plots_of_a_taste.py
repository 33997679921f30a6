"""Pictures of a taste: coefficients, changed ranks, agreement by ratings, spread of scores."""

import hashlib
import sys

import numpy as np
import pytest
from PIL import Image

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots import coefficient_map, rank_change, ratings_curve, score_histograms
from aesthetic_tv.plots.style import DPI, LONGEST, shortened
from aesthetic_tv.plots.taste import movers, ranks
from aesthetic_tv.scorer.towers import part_of

RED, BLUE, ORANGE = (103, 0, 31), (5, 48, 97), (213, 94, 0)
SLOPE_BLUE = (0, 114, 178)


def layers(blocks: int) -> list[str]:
    tower = ["vision.vision_model.embeddings.class_embedding", "vision.vision_model.pre_layrnorm.w"]
    for block in range(blocks):
        tower += [f"vision.vision_model.encoder.layers.{block}.{i}.weight" for i in range(16)]
    return [*tower, "vision.visual_projection.weight", "head.hidden.weight", "head.output.bias"]


def pixels(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def share(picture: np.ndarray, color: tuple[int, int, int]) -> float:
    return float((np.abs(picture - color).max(-1) <= 2).mean())


def test_a_coefficient_is_red_above_zero_and_blue_below_at_its_task_and_layer(tmp_path):
    names = layers(1)
    alpha = np.zeros((len(names), 2))
    alpha[0, 0], alpha[-1, 1] = 1, -1
    coefficient_map(names, ["light", "colour"], alpha, tmp_path / "map.png")
    picture = pixels(tmp_path / "map.png")
    map_only = picture[:, :-105]  # without the colour bar
    red, blue = (np.argwhere(np.abs(map_only - c).max(-1) <= 2) for c in (RED, BLUE))
    assert red[:, 0].max() < blue[:, 0].min()  # the first task above the second
    assert red[:, 1].max() < blue[:, 1].min()  # the first layer left of the last


@pytest.mark.parametrize("tasks", [1, 12])
@pytest.mark.parametrize("blocks", [0, 24])
def test_a_map_of_any_number_of_layers_and_tasks_fits_a_page(tmp_path, tasks, blocks):
    names = layers(blocks)
    alpha = np.random.default_rng(0).normal(size=(len(names), tasks))
    coefficient_map(names, ["a long name $of$ a task " * 3] * tasks, alpha, tmp_path / "map.png")
    assert pixels(tmp_path / "map.png").shape[1] < 17 * DPI


def test_coefficients_that_are_all_zero_are_drawn(tmp_path):
    coefficient_map(layers(1), ["light"], np.zeros((21, 1)), tmp_path / "map.png")
    assert share(pixels(tmp_path / "map.png")[:, :-105], RED) == 0


def test_layers_belong_to_a_part_of_the_model():
    parts = [part_of(name) for name in layers(2)]
    assert list(dict.fromkeys(parts)) == ["input", "1", "2", "output", "head"]
    assert parts.count("2") == 16


@pytest.mark.parametrize(
    "alpha", [np.zeros((3, 2)), np.zeros(21), np.full((21, 1), np.nan), np.zeros((21, 0))]
)
def test_coefficients_of_another_shape_or_not_finite_are_refused(tmp_path, alpha):
    with pytest.raises(SettingError, match=r"21 layers and 1 tasks"):
        coefficient_map(layers(1), ["light"], alpha, tmp_path / "map.png")
    assert not list(tmp_path.iterdir())


def test_photos_that_rise_are_blue_and_photos_that_fall_are_orange(tmp_path):
    rank_change(["a", "b"], [1, 2], [2, 1], tmp_path / "both.png")
    rank_change(["a", "b"], [2, 1], [2, 1], tmp_path / "none.png")
    both, none = pixels(tmp_path / "both.png"), pixels(tmp_path / "none.png")
    assert share(both, SLOPE_BLUE) > 0 and share(both, ORANGE) > 0
    assert share(none, SLOPE_BLUE) == share(none, ORANGE) == 0


@pytest.mark.parametrize("count", [1, 60, 300])
def test_ranks_of_any_number_of_photos_fit_a_screen(tmp_path, count):
    scores = np.random.default_rng(0).normal(size=(2, count))
    names = [f"a rather long name of photo number {i} for $5.jpg" for i in range(count)]
    rank_change(names, scores[0], scores[1], tmp_path / "ranks.png")
    height, width, _ = pixels(tmp_path / "ranks.png").shape
    assert height <= 10 * DPI and width <= 10 * DPI


def test_the_highest_score_is_rank_1_and_equal_scores_keep_their_order():
    assert ranks([1.0, 3.0, 2.0, 3.0]).tolist() == [4, 1, 3, 2]


def test_the_biggest_movers_are_named_where_there_is_room():
    before, after = np.array([1, 2, 3, 4, 5]), np.array([5, 1, 2, 3, 4])
    assert movers(before, after, apart=1) == [0, 1, 2, 3, 4]
    assert movers(before, after, apart=2) == [0, 2]  # 1 is beside 0 on the left, 4 on the right


def test_scores_that_do_not_fit_the_photos_are_refused(tmp_path):
    for personal, generic in (([1.0], [1.0, 2.0]), ([1.0, np.inf], [1.0, 2.0])):
        with pytest.raises(SettingError, match="two finite scores for each; found 2 photos"):
            rank_change(["a", "b"], personal, generic, tmp_path / "ranks.png")
    with pytest.raises(SettingError, match="found 0 photos"):
        rank_change([], [], [], tmp_path / "ranks.png")


def test_agreement_rises_from_left_to_right(tmp_path):
    curves = {"personal": [0.1, 0.5, 0.6], "generic": [0.2, 0.2, 0.2]}
    ratings_curve([3, 10, 30], curves, tmp_path / "curve.png")
    below = pixels(tmp_path / "curve.png")[DPI:]  # the legend left out
    blue = np.argwhere(np.abs(below - SLOPE_BLUE).max(-1) <= 2)
    left, right = blue[blue[:, 1].argmin()], blue[blue[:, 1].argmax()]
    assert left[0] > right[0]
    assert share(below, ORANGE) > 0


def test_one_count_and_shares_of_pairs_are_drawn(tmp_path):
    ratings_curve([3], {"personal": [0.7]}, tmp_path / "pairs.png", metric="pair_accuracy")
    ratings_curve([3], {"personal": [0.7]}, tmp_path / "ranks.png")
    assert (tmp_path / "pairs.png").read_bytes() != (tmp_path / "ranks.png").read_bytes()


@pytest.mark.parametrize(
    ("counts", "curves", "match"),
    [
        ([], {"personal": []}, "rise from 0"),
        ([3, 3], {"personal": [0.1, 0.2]}, "rise from 0"),
        ([3, 5], {"personal": [0.1]}, "'personal' has a finite agreement"),
        ([3, 5], {"personal": [0.1, np.nan]}, "'personal' has a finite agreement"),
        ([3], {}, "1 to 6 scorers; got 0"),
        ([3], {str(i): [0.1] for i in range(7)}, "1 to 6 scorers; got 7"),
    ],
)
def test_curves_that_do_not_fit_are_refused(tmp_path, counts, curves, match):
    with pytest.raises(SettingError, match=match):
        ratings_curve(counts, curves, tmp_path / "curve.png")


def test_an_unknown_metric_is_refused(tmp_path):
    with pytest.raises(SettingError, match="got 'r2'"):
        ratings_curve([3], {"personal": [0.1]}, tmp_path / "curve.png", metric="r2")


def test_each_scorer_has_a_histogram_on_the_same_axis(tmp_path):
    low, high = np.linspace(1, 2, 9), np.linspace(8, 9, 9)
    score_histograms({"personal": low, "generic": high}, tmp_path / "scores.png")
    picture = pixels(tmp_path / "scores.png")
    blue, orange = (
        np.argwhere(np.abs(picture - color).max(-1) <= 2) for color in (SLOPE_BLUE, ORANGE)
    )
    assert blue[:, 0].max() < orange[:, 0].min()
    assert blue[:, 1].max() < orange[:, 1].min()


def test_scores_that_are_all_the_same_are_drawn(tmp_path):
    score_histograms({"personal": np.full(1, 3.0)}, tmp_path / "scores.png")
    assert share(pixels(tmp_path / "scores.png"), SLOPE_BLUE) > 0


@pytest.mark.parametrize("values", [[], [np.nan], [[1.0, 2.0]]])
def test_scores_that_are_not_one_finite_number_each_are_refused(tmp_path, values):
    with pytest.raises(SettingError, match="'personal' are one finite number"):
        score_histograms({"personal": np.array(values)}, tmp_path / "scores.png")
    with pytest.raises(SettingError, match="found none"):
        score_histograms({}, tmp_path / "scores.png")


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    def digest() -> str:
        coefficient_map(layers(1), ["a"], np.ones((21, 1)), tmp_path / "1.png")
        rank_change(["a", "b"], [1, 2], [2, 1], tmp_path / "2.png")
        ratings_curve([1, 2], {"personal": [0.1, 0.2]}, tmp_path / "3.png")
        score_histograms({"personal": np.arange(9)}, tmp_path / "4.png")
        return hashlib.sha256(
            b"".join((tmp_path / f"{i}.png").read_bytes() for i in range(1, 5))
        ).hexdigest()

    assert digest() == digest()
    assert "matplotlib.pyplot" not in sys.modules


def test_a_long_name_keeps_its_ends():
    name = "a holiday by the sea with everyone, 2024-08-01.jpg"
    assert shortened("sea.jpg") == "sea.jpg"
    assert len(shortened(name)) == LONGEST
    assert shortened(name).startswith("a holiday") and shortened(name).endswith("08-01.jpg")
