"""The report says what the statistics say, needs nothing else, and takes names as text."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aesthetic_tv.evaluation.metrics import METRICS
from aesthetic_tv.evaluation.report import write_report
from aesthetic_tv.evaluation.statistics import is_personal, paired, share_better, summary, verdicts

EVIL = "<script>alert('1')</script>| [x](http://evil.example) `$x$`"
MEANS = {
    "generic": 0.2,
    "population": 0.3,
    "newton": 0.4,
    "ridge": 0.1,
    "task a": 0.2,
    "task b": 0.1,
    "others": 0.6,
}


@dataclass
class Run:
    config: dict
    fits: pd.DataFrame

    def mean_weights(self, method, shots):
        return np.array([0.1, 0.4]) if method == "newton" else None


def run(means=MEANS, people=12, slow=(), evil="u"):
    random = np.random.default_rng(0)
    rows = [
        {
            "person": f"{evil}{person}",
            "shots": shots,
            "draw": draw,
            "method": method,
            "seconds": 0.5,
            **{name: mean + random.normal(0, 0.05) for name in METRICS},
        }
        for shots in (10, 50)
        for method, mean in means.items()
        for person in range(4 if method in slow else people)
        for draw in range(2)
    ]
    config = {
        "shots": [10, 50],
        "seed": 7,
        "bank": {"vectors": {"b": "0f" * 32, "a": "f0" * 32}},
        "database": {"id": "folder:x", "license": None},
        "versions": {"torch": "2.13.0"},
        "note": EVIL,
    }
    return Run(config, pd.DataFrame(rows))


class Page(HTMLParser):
    """Cells of each table, texts by tag, and all attributes."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.tags, self.attributes, self.open = [], [], [], []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    results = run(slow=["paper"], means=MEANS | {"paper": 0.45})
    write_report(results, folder)
    return results, folder, Page((folder / "report.html").read_text("utf-8"))


def test_the_numbers_in_the_tables_are_those_of_the_statistics(written):
    results, _, page = written
    part = results.fits[results.fits["shots"] == 10]
    table = summary(part, "srocc")
    head, *rows = page.tables[0]
    assert head[:4] == ["method", "mean SROCC", "95% interval", "SD over draws"]
    for cells, (_, row) in zip(rows, table.iterrows(), strict=True):
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        expected = [row["method"], f"{row['mean']:.3f}", interval, f"{row['sd_draws']:.3f}"]
        assert cells[:4] == expected
        assert cells[5:] == [str(row["people"]), str(row["draws"]), "0.5"]
    differences = next(t for t in page.tables if t[0][1] == "SROCC less population")
    cells = {row[0]: row for row in differences[1:]}
    (gap,) = paired(part, "newton", "population")
    told = [f"{gap.mean:+.3f}", f"{gap.low:+.3f} to {gap.high:+.3f}", f"{gap.better:.0%}"]
    assert cells["newton"][1:4] == told
    assert cells["paper"][5:] == ["4", "2"]
    shares = next(t for t in page.tables if t[0][2] == "against")
    first = share_better(part, "newton")[0]
    row = next(cells for cells in shares if cells[:3] == ["newton", "10", "population"])
    assert row[3:] == [f"{first.share:.0%}", f"{first.low:.0%} to {first.high:.0%}", "12"]


def test_methods_are_also_compared_on_what_all_of_them_have(written):
    *_, page = written
    people = {row[0]: row[5] for row in page.tables[1][1:]}
    assert set(people.values()) == {"4"}
    assert set(people) == {*MEANS, "paper"}
    few = next(row for row in page.tables[0] if row[0] == "paper")
    assert few[5] == "4"


def test_the_first_words_are_the_verdict(written):
    results, folder, page = written
    for verdict in verdicts(results.fits):
        assert (verdict.personal, verdict.population) == ("newton", "population")
        assert str(verdict) in page.text
    markdown = (folder / "report.md").read_text("utf-8")
    assert markdown.startswith("# Evaluation on folder:x\n\nWith 10 ratings of each person, newton")


def test_settings_versions_and_seeds_are_told(written):
    *_, page = written
    settings = dict(page.tables[-1][1:])
    assert settings["seed"] == "7"
    assert settings["shots"] == "10, 50"
    assert settings["versions.torch"] == "2.13.0"
    assert settings["database.license"] == "null"


def test_the_page_needs_nothing_else(written):
    _, folder, page = written
    sources = [value for tag, name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == 6  # methods, a gain for each shots, coefficients for each shots
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    text = (folder / "report.html").read_text("utf-8")
    outside = re.sub(r"data:image/png;base64,[\w+/=]+", "", text)
    assert "url(" not in outside and "@import" not in outside


def test_markdown_shows_the_pictures_beside_it(written):
    _, folder, _ = written
    links = re.findall(r"\]\((plots/[\w-]+\.png)\)", (folder / "report.md").read_text("utf-8"))
    assert len(links) == 6
    for link in links:
        with Image.open(folder / link) as picture:
            picture.load()


def test_names_from_outside_are_text(tmp_path):
    sheet = tmp_path / "mine.png"
    Image.new("RGB", (40, 30), "red").save(sheet)
    write_report(
        run({"generic": 0.2, EVIL: 0.5}, evil=EVIL), tmp_path, contact_sheets={EVIL: sheet}
    )
    assert (tmp_path / "plots/sheet-1.png").read_bytes() == sheet.read_bytes()
    text = (tmp_path / "report.html").read_text("utf-8")
    page = Page(text)
    assert "script" not in page.tags and "a" not in page.tags
    assert any(row[0] == EVIL for table in page.tables for row in table)
    assert {name for _, name, _ in page.attributes} <= {
        "lang", "charset", "name", "content", "http-equiv", "class", "scope", "src", "alt",
    }  # fmt: skip
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert "<script>" not in markdown
    assert not re.search(r"(?<!\\)\]\(http", markdown)
    rows = [line for line in markdown.splitlines() if line.startswith("| &lt;script&gt;")]
    bars = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert rows and bars <= {9, 8, 7}  # as many cells as the tables have columns
    assert "](plots/sheet-1.png)" in markdown


def test_the_same_results_give_the_same_bytes(written, tmp_path):
    results, folder, _ = written
    write_report(results, tmp_path)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.*"))
    assert len(files) > 8 and {file.suffix for file in files} == {
        ".html", ".md", ".png", ".csv", ".tex",
    }  # fmt: skip
    for file in files:
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_a_run_of_one_method_has_a_report_without_a_verdict(tmp_path):
    write_report(run({"newton": 0.3}), tmp_path)
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "cannot say whether a personal one is better" in text
    assert "less generic" not in text


def test_verdicts_follow_the_interval():
    def outcomes(**means):
        return [verdict.outcome for verdict in verdicts(run(means).fits)]

    assert outcomes(generic=0.2, newton=0.4) == ["better", "better"]
    assert outcomes(generic=0.4, newton=0.2) == ["worse", "worse"]
    assert "not shown to differ" in outcomes(generic=0.3, newton=0.3)
    assert {*outcomes(generic=-0.2, newton=0.0)} == {
        "better, but not shown to be better than chance"
    }
    few = verdicts(run({"generic": 0.2, "newton": 0.4}, people=3).fits)[0]
    assert few.outcome == "not to be told from 3 people"
    assert "personal is not to be told from 3 people" in str(few)


def test_a_slow_method_does_not_lead_by_the_few_it_ran_for():
    fits = run({"generic": 0.2, "newton": 0.4, "paper": 0.6}, slow=["paper"]).fits
    assert {verdict.personal for verdict in verdicts(fits)} == {"newton"}


def test_a_single_model_above_the_common_score_is_told():
    told = verdicts(run({"generic": 0.2, "newton": 0.4, "task a": 0.6, "task b": 0.3}).fits)[0]
    assert told.outcome == "better" and told.population == "generic"
    assert (told.single.method, told.single.reference) == ("newton", "task a")
    assert told.single.high < 0
    assert f"less that, newton is {told.single.mean:+.3f}" in str(told)
    below = verdicts(run({"generic": 0.4, "newton": 0.6, "task a": 0.2}).fits)[0]
    assert below.single is None and "One model alone" not in str(below)


def test_which_methods_are_personal():
    assert is_personal("newton") and is_personal("ridge") and is_personal("best-fit")
    assert not any(map(is_personal, ["generic", "uniform", "population", "task a", "others"]))
