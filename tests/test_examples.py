"""The examples run, and show what they say."""

import re
import runpy
import sys
from pathlib import Path

import pytest
from datasets import load_from_disk
from PIL import Image

from aesthetic_tv import Personalizer, TaskVectorBank
from aesthetic_tv.assets import sample_ratings
from aesthetic_tv.assets.variants import write_samples
from aesthetic_tv.personalization.ratings_file import read_ratings

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_a_generator_earns_a_personal_reward(tmp_path, monkeypatch, capsys):
    out = tmp_path / "sheet.png"
    options = ["--out", str(out), "--bank", "embedded:tiny", "--steps", "5"]
    monkeypatch.setattr(sys, "argv", ["personal_reward.py", *options])
    runpy.run_path(str(EXAMPLES / "personal_reward.py"), run_name="__main__")
    rewards = [float(x) for x in re.findall(r"reward (-?\d+\.\d+)", capsys.readouterr().out)]
    assert len(rewards) == 4
    assert rewards[1] > rewards[0]
    with Image.open(out) as sheet:
        assert sheet.size == (4 * 96, 4 * 96)


@pytest.fixture
def taste(tmp_path):
    """A folder with an invented person's taste, and the album and table it was learned from."""
    photos = write_samples(tmp_path / "album")
    table = sample_ratings("quiet-grey")
    mine = Personalizer(TaskVectorBank.from_pretrained("embedded:tiny"), "instant").fit(
        read_ratings(table, tmp_path / "album")
    )
    mine.save_pretrained(tmp_path / "taste")
    return tmp_path / "taste", photos, table


def run(name, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_an_album_is_ranked(taste, monkeypatch, capsys):
    _, photos, table = taste
    run("rank_an_album.py", monkeypatch, photos[0].parent, table, "--bank", "embedded:tiny")
    verdict, *lines = capsys.readouterr().out.splitlines()
    assert verdict.startswith("Personal is better")
    assert len(lines) == len(photos)
    scores = [float(line.split()[0]) for line in lines]
    assert scores == sorted(scores, reverse=True)


def test_what_is_asked_about_was_not_answered(taste, tmp_path, monkeypatch, capsys):
    _, photos, table = taste
    options = ["--answers", table, "--bank", "embedded:tiny", "--questions", "6"]
    run("ask_and_learn.py", monkeypatch, photos[0].parent, *options, "--out", tmp_path / "mine")
    asked = re.findall(r"next: (\S+)", capsys.readouterr().out)
    assert len(asked) == len(set(asked)) == 4
    assert (tmp_path / "mine/personalization_config.json").exists()


def test_a_taste_is_looked_at_before_it_is_shared(taste, tmp_path, monkeypatch, capsys):
    run("share_a_taste.py", monkeypatch, taste[0], "me/my-taste", "--dry", tmp_path / "dry")
    told = capsys.readouterr().out
    assert "personalization.safetensors" in told
    assert "read back" in told


def test_a_data_set_is_filtered(taste, tmp_path, monkeypatch, capsys):
    folder, photos, _ = taste
    run("filter_a_data_set.py", monkeypatch, folder, photos[0].parent, "--out", tmp_path / "kept")
    assert f"of {len(photos)} images" in capsys.readouterr().out
    kept = load_from_disk(str(tmp_path / "kept"))
    assert 0 < len(kept) <= len(photos) / 4 + 1


def test_a_taste_is_a_metric(taste, monkeypatch, capsys):
    folder, photos, _ = taste
    run("personal_metric.py", monkeypatch, folder, *photos[:2])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(re.match(r"\d\.\d\d  .+, rather (darker|brighter)", line) for line in lines)


def test_examples_fit_a_screen():
    for path in {*EXAMPLES.glob("*.py")} - {EXAMPLES / "personal_reward.py"}:  # trains, and shows
        assert len(path.read_text().splitlines()) <= 40, path.name
