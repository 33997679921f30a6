"""Tables of a report as files, its title, its curve, and whose the sheets are."""

import csv

import numpy as np
import pytest
from PIL import Image

from aesthetic_tv.evaluation.report import Table, _title
from aesthetic_tv.evaluation.table_files import csv_rows, latex, write_tables
from aesthetic_tv.plots import sheets
from aesthetic_tv.plots.evaluation import gain_per_person, methods_by_ratings


class Section:
    def __init__(self, title, *tables):
        self.title, self.tables = title, tables


TABLE = Table(
    ["method", "SROCC", "95% interval"],
    [["new_ton & co", "-0.120", "-0.200 to -0.040"], ["100% \\ {x}", "n/a", "n/a"]],
)


def test_every_table_is_written_twice_by_its_section(tmp_path):
    sections = [Section("10 ratings of each person", TABLE, TABLE), Section("How?", TABLE)]
    write_tables(sections, tmp_path)
    names = ["10-ratings-of-each-person-1", "10-ratings-of-each-person-2", "how-1"]
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == sorted(f"{name}.{kind}" for name in names for kind in ("csv", "tex"))
    with (tmp_path / "how-1.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == list(csv_rows(TABLE))


def test_an_interval_is_two_columns_of_numbers():
    head, first, second = csv_rows(TABLE)
    assert head == ["method", "SROCC", "95% interval, low", "95% interval, high"]
    assert first == ["new_ton & co", "-0.120", "-0.200", "-0.040"]
    assert second[2:] == ["", ""]


def test_latex_has_no_sign_of_its_own_from_a_name():
    text = latex(TABLE)
    assert text.startswith("\\begin{tabular}{lrr}\n\\toprule\nmethod & SROCC & 95\\% interval \\\\")
    assert r"new\_ton \& co & $-$0.120 & $-$0.200 to $-$0.040 \\" in text
    assert r"100\% \textbackslash{} \{x\} & n/a & n/a \\" in text
    assert text.endswith("\\bottomrule\n\\end{tabular}\n")


@pytest.mark.parametrize(
    ("config", "title"),
    [
        ({}, "Evaluation"),
        ({"database": "folder"}, "Evaluation on photos of a folder"),
        (
            {"database": "folder", "data": "my album", "num_people": 1200, "num_photos": 40},
            "Evaluation on my album, 1,200 people and 40 photos",
        ),
        ({"database": {"id": "folder:x"}}, "Evaluation on folder:x"),
    ],
)
def test_the_title_names_the_data(config, title):
    assert _title(config) == title


def test_a_known_database_is_called_by_its_name():
    assert "PARA" in _title({"database": "para"})


def test_peoples_sheets_are_not_called_yours(tmp_path, monkeypatch):
    shown = []
    draw = sheets._draw
    monkeypatch.setattr(
        sheets, "_draw", lambda thumbs, panels, columns: shown.append(panels) or draw(
            thumbs, panels, columns)
    )  # fmt: skip
    photo = tmp_path / "a.png"
    Image.new("RGB", (40, 30), "red").save(photo)
    sheets.contact_sheet([photo], [1.0], [2.0], tmp_path / "s.png", titles=("By newton", "By all"))
    (panels,) = shown
    assert [panel.title for panel in panels] == ["By newton", "By all"]
    assert "yours" not in panels[1].captions[0][1]


def test_scores_by_ratings_are_drawn_without_a_reference_too(tmp_path):
    curve = {10: (0.1, 0.0, 0.2), 50: (0.2, 0.1, 0.3)}
    methods_by_ratings({"newton": curve}, {"newton": curve}, None, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert (np.asarray(picture.convert("RGB")) != 255).any()


def test_the_mean_stands_on_white_where_bars_hang_below_it(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(
        "aesthetic_tv.plots.evaluation.save", lambda figure, path: figures.append(figure)
    )
    gain_per_person([-0.3, -0.2, -0.25], tmp_path / "gain.png")
    (label,) = [x for x in figures[0].axes[0].texts if "mean" in x.get_text()]
    assert label.get_bbox_patch().get_facecolor()[:3] == (1.0, 1.0, 1.0)
