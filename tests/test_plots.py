"""The contact sheet: a whole PNG of any number of photos, in both orders."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesthetic_tv.errors import OutputError, PhotoError, SettingError
from aesthetic_tv.plots import contact_sheet
from aesthetic_tv.plots.sheets import CELL, GAP, TITLE, _ordinal, _panels
from aesthetic_tv.plots.style import DPI


def test_photos_stand_in_the_order_of_their_scores(tmp_path):
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    photos = []
    for i, colour in enumerate(colours):
        photos.append(tmp_path / f"{i}.png")
        Image.new("RGB", CELL, colour).save(photos[-1])
    contact_sheet(photos, [1, 3, 2], [2, 1, 3], tmp_path / "sheet.png", columns=3)
    sheet = Image.open(tmp_path / "sheet.png").convert("RGB")
    y = TITLE + CELL[1] // 2
    firsts = [GAP + i * (CELL[0] + GAP) + CELL[0] // 2 for i in range(3)]
    assert [sheet.getpixel((x, y)) for x in firsts] == [colours[1], colours[2], colours[0]]
    generic = [sheet.width - x for x in reversed(firsts)]
    assert [sheet.getpixel((x, y)) for x in generic] == [colours[2], colours[0], colours[1]]


@pytest.mark.parametrize("count", [1, 4, 60])
def test_any_number_of_photos_of_any_shape(tmp_path, count):
    paths = []
    for i in range(count):
        paths.append(tmp_path / f"{i}.png")
        Image.new("RGB", [(90, 60), (40, 120), (300, 3)][i % 3], (9 * (i % 20), 90, 120)).save(
            paths[-1]
        )
    scores = np.linspace(1, 5, count)
    ratings = {str(paths[0]): 4.5}
    contact_sheet(paths, scores, scores[::-1], tmp_path / "sheet.png", ratings=ratings)
    with Image.open(tmp_path / "sheet.png") as sheet:
        sheet.load()
        assert sheet.width < 25 * DPI
        assert np.asarray(sheet.convert("L")).min() < 100


def test_captions_tell_score_rating_and_change_of_place():
    scores = np.array([[4.6, 2.0, 3.0], [1.0, 2.0, 1.5]])
    personal, generic = _panels(scores, [5.0, None, None])
    assert personal.order == [0, 2, 1]
    assert personal.captions[0][:2] == ("1.  4.60   rated 5", "▲ 2  (was 3rd)")
    assert personal.captions[1][:2] == ("3.  2.00", "▼ 2  (was 1st)")
    assert personal.captions[2][:2] == ("2.  3.00", "= 2nd too")
    assert generic.order == [1, 2, 0]
    assert generic.captions[0][:2] == ("3.  1.00", "yours: 1st")


def test_ordinals():
    assert [_ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th")
    ]


def test_what_cannot_be_drawn_is_refused(tmp_path, photos):
    out = tmp_path / "sheet.png"
    for personal, generic in (([1.0], [1.0, 2.0]), ([1.0, np.nan], [1.0, 2.0]), ([], [])):
        with pytest.raises(SettingError, match="two finite scores for each"):
            contact_sheet(photos[:2], personal, generic, out)
    with pytest.raises(SettingError, match="columns is 0"):
        contact_sheet(photos[:2], [1, 2], [1, 2], out, columns=0)
    with pytest.raises(PhotoError):
        contact_sheet([tmp_path / "nowhere.jpg"], [1], [1], out)
    assert not out.exists()


def test_the_old_sheet_stays_when_the_disk_is_full(tmp_path, photos, monkeypatch):
    out = tmp_path / "sheet.png"
    out.write_text("old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        contact_sheet(photos[:4], range(4), range(4), out)
    assert out.read_text() == "old"


def test_no_global_state_of_matplotlib(tmp_path, photos):
    contact_sheet(photos[:4], range(4), range(4), tmp_path / "sheet.png")
    assert "matplotlib.pyplot" not in sys.modules
