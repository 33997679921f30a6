"""Names of photos in tables, pages and terminals of any encoding."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import print_in_any_encoding
from aesthetic_tv.databases.photos import PhotoIndex
from aesthetic_tv.files import write_json
from aesthetic_tv.names import one_spelling, with_slashes, written
from aesthetic_tv.personalization.ratings_file import read_ratings, write_ratings
from aesthetic_tv.scorer.folder import score_folder
from conftest import make_bank, make_scorer

RAW = os.fsdecode(b"caf\xe9.jpg")  # Latin-1, as old cameras and archives have it
NAMES = (RAW, "a\nb.jpg", "風景 é.jpg", "plain.jpg")


@pytest.fixture
def album(photos: list[Path]) -> Path:
    """Four photos, two of them with names that no line of text can hold."""
    folder = photos[0].parent
    for photo, name in zip(photos, NAMES, strict=False):
        try:
            photo.rename(folder / name)
        except OSError:
            pytest.skip("this file system takes no such names")
    for photo in photos[len(NAMES) :]:
        photo.unlink()
    return folder


def test_a_name_that_no_text_can_hold_is_spelled_out():
    assert written(RAW) == "caf\\udce9.jpg"
    assert written("a\nb.jpg") == "a\\udc0ab.jpg"
    assert written("風景 é.jpg") == "風景 é.jpg"
    assert written(Path("b") / RAW) == written(f"b/{RAW}")
    for name in NAMES:
        assert written(written(name)) == written(name)
        assert one_spelling(written(name)) == one_spelling(name)


def test_windows_separators_are_told_from_the_spelling():
    assert with_slashes(".\\2023\\udc\\caf\\udce9.jpg") == "2023/udc/caf\\udce9.jpg"
    assert one_spelling(" 2023\\e\u0301.jpg") == "2023/é.jpg"


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_table_of_scores_names_such_photos_so_that_ratings_find_them(album, tmp_path, suffix):
    out = tmp_path / f"scores{suffix}"
    assert len(score_folder(make_scorer(), album, out).ranking) == len(NAMES)
    if suffix == ".csv":
        with out.open(encoding="utf-8", newline="") as file:
            names = [row["photo"] for row in csv.DictReader(file)]
    else:
        names = [row["photo"] for row in json.loads(out.read_text("utf-8"))]
    write_ratings(tmp_path / "ratings.csv", {name: 1 + i for i, name in enumerate(names)})
    found = read_ratings(tmp_path / "ratings.csv", album)
    assert sorted(found) == sorted(str(album / name) for name in NAMES)


def test_ratings_by_the_paths_themselves_are_written_and_found_again(album, tmp_path):
    write_ratings(tmp_path / "ratings.csv", {str(album / name): 3 for name in NAMES})
    assert set(read_ratings(tmp_path / "ratings.csv", album)) == {str(album / n) for n in NAMES}


def test_a_database_finds_a_photo_by_its_written_name(album):
    assert PhotoIndex([album]).find("caf\\udce9.jpg") == album / RAW


def test_json_holds_such_names_and_gives_them_back(tmp_path):
    write_json(tmp_path / "a.json", {"photo": RAW})
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["photo"] == RAW


def test_suggestions_name_such_photos(album, tmp_path):
    make_bank().save_pretrained(tmp_path / "bank")
    result = CliRunner().invoke(app, ["suggest", str(album), "--bank", str(tmp_path / "bank")])
    assert result.exit_code == 0, result.output
    assert "caf\\udce9.jpg\n" in result.output and "a\\udc0ab.jpg\n" in result.output


# One process for both streams and many names: what is printed last must still come out.
PRINTS = r"""
import sys, typer
from rich.console import Console
from rich.table import Table
from aesthetic_tv.cli.outcome import next_step, print_in_any_encoding
print_in_any_encoding()
table = Table("photo")
table.add_row("\u98ce\u666f.jpg \u2605 " + "caf\udce9.jpg")
Console().print(table)
next_step("\u2605", "\u98ce\u666f.jpg")
typer.secho("\u98ce", err=True)
"""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_no_name_ends_a_command_whatever_the_terminal_can_show(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", PRINTS], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert b".jpg" in done.stdout and b"Next" in done.stdout and done.stderr


def test_streams_that_are_none_of_pythons_own_are_left_alone(capsys):
    print_in_any_encoding()
    print("a")
    assert capsys.readouterr().out == "a\n"
