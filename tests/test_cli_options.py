"""Options that stand in one place: a dataclass of settings, or the columns of a table."""

import ast
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import aesthetic_tv.cli
from aesthetic_tv.cli import app, columns
from aesthetic_tv.cli.options import gathered, given, options_of
from aesthetic_tv.evaluation.protocol import Protocol
from aesthetic_tv.finetuning.config import FinetuneConfig


@dataclass
class Cake:
    """Settings of a cake."""

    eggs: int = field(default=3, metadata={"help": "How many.", "least": 0})
    iced: bool = field(default=False, metadata={"help": "With icing."})
    guests: int | None = field(default=None, metadata={"help": "Who come.", "option": "people"})
    secret: str = "cinnamon"


def bake(*arguments):
    told = []
    cakes = typer.Typer()

    @cakes.command()
    @gathered("cake", options_of(Cake))
    def command(name: str, cake=None, loud: bool = False) -> None:
        told.extend((name, given(Cake, cake), loud))

    done = CliRunner().invoke(cakes, list(arguments), env={"COLUMNS": "200"})
    return done, told


def test_a_dataclass_is_told_by_its_options():
    assert bake("a")[1] == ["a", {}, False]
    done, told = bake("a", "--eggs", "0", "--iced", "--people", "4", "--loud")
    assert told == ["a", {"eggs": 0, "iced": True, "guests": 4}, True], done.output
    assert bake("a", "--eggs", "-1")[0].exit_code == 2
    assert bake("a", "--secret", "salt")[0].exit_code == 2
    text = bake("--help")[0].output
    assert "How many (default 3)." in text and "With icing." in text


@pytest.mark.parametrize(
    ("command", "settings", "apart"),
    [
        ("finetune", FinetuneConfig, {"score_range"}),
        ("evaluate", Protocol, {"shots", "methods", "protocol"}),
        ("reproduce", Protocol, {"shots", "methods", "protocol"}),
    ],
)
def test_every_setting_is_an_option(command, settings, apart):
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    for item in fields(settings):
        if item.name not in apart:
            name = item.metadata.get("option", item.name).replace("_", "-")
            assert f"--{name}" in text
            assert item.metadata["help"].split(".")[0] in text


def test_columns_reach_the_source():
    kept = {"table": None, "score_column": "mos", "lower_is_better": True, "streaming": False}
    source = columns.source_of("folder", kept)
    assert source.score == "mos" and source.higher_is_better is False
    assert columns.source_of("folder", {}) is None


def test_no_command_looks_at_its_local_names():
    for path in Path(aesthetic_tv.cli.__file__).parent.glob("*.py"):
        calls = [x for x in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(x, ast.Call)]
        assert "locals" not in {getattr(call.func, "id", "") for call in calls}, path
