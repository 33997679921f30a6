"""`aesthetic-tv database`: what it prints, and how it ends."""

import json

import pytest
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.databases import REGISTRY
from database_samples import WRITERS, photos, write


def run(*arguments):
    return CliRunner().invoke(app, ["database", *map(str, arguments)])


@pytest.fixture
def album(tmp_path):
    photos(tmp_path / "images", [f"{n}.jpg" for n in range(5)])
    write(tmp_path, {"s.csv": "photo,score\n" + "".join(f"{n}.jpg,{n}\n" for n in range(5))})
    return tmp_path


def test_list_names_every_database_with_its_licence():
    told = json.loads(run("list", "--json").output)
    assert [entry["id"] for entry in told] == list(REGISTRY)
    assert "CC0-1.0" in run("list").output


def test_info_tells_splits_scores_licence_and_source(tmp_path):
    WRITERS["para"](tmp_path)
    result = run("info", "para", "--data", tmp_path)
    assert result.exit_code == 0
    for told in ("31,220", "official", "no commercial use", "CVPR 2022", "train", "█"):
        assert told in result.output


def test_info_of_people_counts_them(tmp_path):
    WRITERS["eva"](tmp_path)
    told = json.loads(run("info", "eva", "--data", tmp_path, "--people", "--json").output)
    assert told["num_users"] == 4
    assert told["rows_per_user"] == "6 to 6"
    assert told["splits"]["all"]["rows"] == 24


def test_info_as_json_has_the_numbers(album):
    told = json.loads(run("info", "folder", "--data", album, "--scale", 0, 4, "--json").output)
    assert told["splits"]["all"] == {
        "rows": 5,
        "photos": 5,
        "mean": 2.0,
        "sd": pytest.approx(2**0.5),
        "lowest": 0.0,
        "highest": 4.0,
    }
    assert sum(told["counts"]) == 5
    assert told["split_source"] == "seeded:0:0.1:0.1"


def test_what_is_left_out_is_named_and_the_exit_code_is_3(album):
    (album / "images" / "3.jpg").unlink()
    (album / "images" / "4.jpg").write_bytes(b"")
    result = run("info", "folder", "--data", album)
    assert result.exit_code == 3
    assert "4.jpg: the file is empty." in result.output
    assert "3.jpg: there is no such file." in result.output


def test_what_is_missing_is_told_in_a_line_with_exit_code_2(tmp_path):
    result = run("info", "spaq", "--data", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "https://github.com/h4nwei/SPAQ" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("info", "avaa"), "no database 'avaa'"),
        (("info", "folder", "--score-column", "x"), "expected one called 'x'"),
        (("info", "folder", "--test", "1"), "leave something for training"),
        (("info", "folder", "--split", "mine"), "expected 'auto'"),
        (("info", "folder", "--scale", "4", "0"), "expected low < high"),
        (("info", "ava", "--score-column", "x"), "a format of its own"),
    ],
)
def test_bad_input_is_told(album, arguments, told):
    result = run(*arguments, "--data", album)
    assert result.exit_code == 2
    assert told in result.output


def test_the_same_options_name_columns_in_every_command():
    from typer.main import get_command

    def options(*path: str) -> set[str]:
        command = get_command(app)
        for name in path:
            command = command.commands[name]
        return {name for option in command.params for name in option.opts}

    shared = {"--scores", "--table", "--photo-column", "--image-column", "--score-column",
              "--user-column", "--split-column", "--score-range", "--scale", "--lower-is-better",
              "--config", "--revision", "--streaming"}  # fmt: skip
    for path in (("database", "info"), ("finetune",), ("bank", "population")):
        assert shared <= options(*path), path


def test_a_table_may_lie_outside_of_the_folder(album, tmp_path_factory):
    table = tmp_path_factory.mktemp("elsewhere") / "mine.csv"
    table.write_text("photo,score\n0.jpg,1\n1.jpg,3\n")
    told = json.loads(run("info", "folder", "--data", album, "--scores", table, "--json").output)
    assert told["splits"]["all"]["mean"] == 2


def test_columns_and_direction_may_be_given(album):
    write(album, {"s.csv": "pic;rank;who\n0.jpg;1;ann\n1.jpg;5;ann\n"})
    options = ("--photo-column", "pic", "--score-column", "rank", "--user-column", "who",
               "--lower-is-better", "--table", "s.csv", "--verify", "full")  # fmt: skip
    told = json.loads(run("info", "folder", "--data", album, *options, "--json").output)
    assert told["num_users"] == 1
    assert told["splits"]["all"]["mean"] == 3
