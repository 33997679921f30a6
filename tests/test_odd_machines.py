"""Pictures and reports on machines without matplotlib's folder, in other locales, in notebooks."""

import io
import os
import subprocess
import sys

import matplotlib
import pytest

from aesthetic_tv.cli import app
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.evaluation.protocol import Protocol
from aesthetic_tv.evaluation.running import evaluate
from aesthetic_tv.plots import gain_per_person
from conftest import make_bank
from evaluation_samples import draw_photos, raters

GAINS = [0.25, -0.1, 0.05]


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    people: People = raters(draw_photos(folder / "photos", 20), 3, 18)
    protocol = Protocol(shots=(6,), methods=("generic", "instant"))
    evaluate(make_bank(), people, protocol, folder / "evaluation")
    return folder / "evaluation"


@pytest.mark.slow
def test_a_report_without_a_folder_for_matplotlib_and_in_the_plainest_locale(evaluation, tmp_path):
    nowhere = os.devnull + "/nowhere"  # a folder that nobody can make, root neither
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, **plain, "MPLCONFIGDIR": nowhere, "XDG_CACHE_HOME": nowhere}
    out = tmp_path / "Käse"
    command = [sys.executable, "-m", "aesthetic_tv", "report", str(evaluation), "-o", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "font" not in done.stderr and "cache" not in done.stderr
    assert (out / "report.html").stat().st_size > 10_000
    assert "0." in (out / "report.md").read_text("utf-8")


def test_pictures_are_alike_whatever_style_is_set(tmp_path):
    gain_per_person(GAINS, tmp_path / "plain.png")
    odd = {
        "text.usetex": True,  # LaTeX is not installed everywhere
        "axes.formatter.use_locale": True,
        "axes.facecolor": "black",
        "font.family": ["No Such Font"],
        "font.size": 30,
        "savefig.transparent": True,
    }
    with matplotlib.rc_context(odd):
        gain_per_person(GAINS, tmp_path / "odd.png")
        assert matplotlib.rcParams["font.size"] == 30  # given back
    assert (tmp_path / "odd.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


class Cell(io.StringIO):
    """What a notebook has in place of a terminal: no file of the system, and no terminal."""

    def fileno(self):
        raise io.UnsupportedOperation("fileno")


def test_commands_run_in_a_notebook(evaluation, tmp_path, monkeypatch):
    out, err = Cell(), Cell()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    app(["report", str(evaluation), "--out", str(tmp_path)], standalone_mode=False)
    assert "Wrote" in out.getvalue() and not err.getvalue()


def test_numbers_of_files_have_points_in_a_locale_with_commas(evaluation, tmp_path, monkeypatch):
    import locale

    german = {**locale.localeconv(), "decimal_point": ",", "thousands_sep": "."}
    monkeypatch.setattr(locale, "localeconv", lambda: german)
    monkeypatch.setattr(locale, "format_string", lambda form, value, *_: "with a comma: 0,5")
    app(["report", str(evaluation), "--out", str(tmp_path)], standalone_mode=False)
    text = (tmp_path / "tables/6-ratings-of-each-person-1.csv").read_text("utf-8")
    assert text.startswith("method,mean SROCC,")
    for line in text.splitlines()[1:]:
        float(line.split(",")[1])
