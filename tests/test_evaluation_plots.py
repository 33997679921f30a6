"""Pictures of an evaluation: what is drawn, in which order, and what is refused."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots import (
    coefficients_against_srocc,
    evaluation,
    gain_per_person,
    methods_by_ratings,
    methods_compared,
    number_of_vectors,
)

PANELS = {
    "10 shots": {"generic": (0.1, 0.05, 0.15), "newton": (0.2, 0.15, 0.25), "all": (0.5, 0.4, 0.6)},
    "50 shots": {"generic": (0.1, 0.05, 0.15), "newton": (0.3, 0.25, 0.35), "c$x$": (0, -1, 1)},
}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures: list[Figure] = []
    real = evaluation.save

    def keep(figure, path):
        figures.append(figure)
        real(figure, path)

    monkeypatch.setattr(evaluation, "save", keep)
    return figures


def dots(axes, marker):
    return {
        (round(float(line.get_xdata()[0]), 3), int(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() == marker and len(line.get_xdata())
    }


def test_every_method_has_its_dot_with_its_interval(tmp_path, drawn):
    methods_compared(PANELS, tmp_path / "m.png", impersonal=["generic"], oracles=["all"])
    first, second = drawn[0].axes
    names = [text.get_text() for text in first.get_yticklabels()]
    assert names == [r"c\$x\$", "generic", "newton", "all"]  # the worst below
    assert dots(first, "o") == {(0.2, 2)}
    assert dots(first, "s") == {(0.1, 1)}
    assert dots(first, "D") == {(0.5, 3)}
    assert dots(second, "o") == {(0.3, 2), (0.0, 0)}
    bars = {tuple(line.get_xdata()) for line in first.lines if len(line.get_xdata()) == 2}
    assert {(0.05, 0.15), (0.15, 0.25), (0.4, 0.6), (0.1, 0.1)} == bars  # the line is at generic
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legend == ["personal", "the same for everyone", "oracle"]


def test_gains_are_sorted_and_counted(tmp_path, drawn):
    gain_per_person([-0.1, 0.3, 0.2, 0.0], tmp_path / "g.png", method="newton", reference="pop")
    (axes,) = drawn[0].axes
    assert [bar.get_height() for bar in axes.patches] == [0.3, 0.2, 0.0, -0.1]
    assert axes.get_title() == "newton is better than pop for 2 of 4 people (50%)"
    assert axes.texts[0].get_text() == "mean +0.100"


def test_curves_over_the_number_of_vectors(tmp_path, drawn):
    points = [(0.1, 0.0, 0.2), (0.2, 0.1, 0.3)]
    number_of_vectors([1, 5], {"newton": points, "generic": points}, tmp_path / "n.png")
    (axes,) = drawn[0].axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.1, 0.2]] * 2
    assert list(axes.get_xticks()) == [1, 5]
    with pytest.raises(SettingError, match="another number of points than the 3 counts"):
        number_of_vectors([1, 2, 3], {"newton": points}, tmp_path / "n.png")


def test_what_each_further_rating_brings(tmp_path, drawn):
    curves = {
        "newton": {10: (0.4, 0.3, 0.5), 50: (0.5, 0.4, 0.6)},
        "ridge": {10: (0.1, 0.0, 0.2), 50: (0.3, 0.2, 0.4)},
    }
    gains = {
        "newton": {10: (0.1, 0.05, 0.15), 50: (0.2, 0.15, 0.25)},
        "ridge": {10: (-0.2, -0.3, -0.1), 50: (0.0, -0.1, 0.1)},
    }
    start = ("generic", (0.3, 0.2, 0.4))
    methods_by_ratings(curves, gains, start, tmp_path / "r.png")
    scores, gained = drawn[0].axes
    assert [list(line.get_ydata()) for line in scores.lines[1:]] == [[0.4, 0.5], [0.1, 0.3]]
    assert [list(line.get_ydata()) for line in gained.lines[1:]] == [[0.1, 0.2], [-0.2, 0.0]]
    assert list(scores.get_xticks()) == [0, 10, 50]
    assert gained.get_ylim() == pytest.approx((-0.3, 0.3))
    told = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert told == ["0 ratings: generic", "newton", "ridge"]
    with pytest.raises(SettingError, match="expected the same"):
        methods_by_ratings(curves, {"newton": gains["newton"]}, start, tmp_path / "r.png")


def test_coefficients_stand_at_their_sroccs_by_name(tmp_path, drawn):
    coefficients_against_srocc(["a", "b"], [0.1, 0.3], [0.4, -0.1], tmp_path / "c.png")
    (axes,) = drawn[0].axes
    assert axes.collections[0].get_offsets().tolist() == [[0.1, 0.4], [0.3, -0.1]]
    assert [text.get_text() for text in axes.texts] == ["a", "b"]
    with pytest.raises(SettingError, match="for each of 2 tasks; found 1 and 2"):
        coefficients_against_srocc(["a", "b"], [0.1], [0.4, 0.2], tmp_path / "c.png")


def test_what_cannot_be_drawn_is_refused(tmp_path):
    out = tmp_path / "x.png"
    for draw in (
        lambda: methods_compared({}, out),
        lambda: methods_compared({"10": {"a": (0.1, np.nan, 0.2)}}, out),
        lambda: number_of_vectors([], {}, out),
        lambda: methods_by_ratings({}, {}, ("generic", (0.1, 0.0, 0.2)), out),
        lambda: gain_per_person([], out),
        lambda: gain_per_person([np.nan], out),
    ):
        with pytest.raises(SettingError, match="with finite values"):
            draw()
    assert not out.exists()


def test_pictures_are_the_same_each_time(tmp_path):
    for name in ("a.png", "b.png"):
        methods_compared(PANELS, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        picture.load()
        assert np.asarray(picture.convert("L")).min() < 100
