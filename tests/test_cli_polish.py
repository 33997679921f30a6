"""What a person sees of any command: first words, bars, quiet, short options, closed pipes."""

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aesthetic_tv.cli import app, outcome
from aesthetic_tv.cli.outcome import FAILED, SKIPPED, UNHEARD, Bars, reports_errors
from aesthetic_tv.cli.starting import Starting
from conftest import make_bank

HEAVY = ("torch", "transformers", "scipy", "matplotlib", "pandas")


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def scorer(tmp_path: Path) -> Path:
    make_bank().task_scorer("task1").save_pretrained(tmp_path / "scorer")
    return tmp_path / "scorer"


def every_command(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(every_command(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_can_be_quiet_and_has_a_short_name_for_its_output(path):
    names = [name for known in COMMANDS[path].params for name in known.opts]
    assert "--quiet" in names and "-q" in names
    assert ("-o" in names) == ("--out" in names)
    assert len(names) == len(set(names))


COMPUTING = [("personalize",), ("score",), ("suggest",), ("pick",), ("rate",), ("demo",),
             ("evaluate",), ("reproduce",), ("finetune",), ("bank", "population"),
             ("immich", "push")]  # fmt: skip


@pytest.mark.parametrize("path", COMPUTING, ids=" ".join)
def test_what_computes_takes_a_device(path):
    assert "--device" in [name for known in COMMANDS[path].params for name in known.opts]


class TestScore:
    def test_a_photo_is_scored_to_standard_output(self, photos, scorer):
        done = run("score", photos[0], "--scorer", scorer)
        assert done.exit_code == 0, done.output
        name, score = done.stdout.strip().split("\t")
        assert name == str(photos[0]) and 1 <= float(score) <= 10

    def test_photos_and_folders_best_first_as_a_table_has_them(self, photos, scorer, tmp_path):
        folder = photos[0].parent
        printed = run("score", photos[3], folder, "--scorer", scorer).stdout.splitlines()
        assert run("score", folder, "--scorer", scorer, "-o", tmp_path / "s.json").exit_code == 0
        rows = sorted(json.loads((tmp_path / "s.json").read_text()), key=lambda row: row["rank"])
        assert [line.split("\t")[0] for line in printed] == [
            str(folder / row["photo"]) for row in rows
        ]
        found = json.loads(run("score", folder, "--scorer", scorer, "--json").stdout)
        assert [row["rank"] for row in found] == list(range(1, 13))
        assert [row["score"] for row in found] == [row["score"] for row in rows]

    def test_a_broken_photo_is_named_on_stderr(self, photos, scorer):
        photos[0].write_bytes(b"no photo")
        done = run("score", *photos[:2], "--scorer", scorer)
        assert done.exit_code == SKIPPED
        assert photos[0].name in done.stderr
        assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [str(photos[1])]

    def test_several_files_into_a_table(self, photos, scorer, tmp_path):
        assert (
            run("score", *photos[:3], "--scorer", scorer, "-o", tmp_path / "s.csv").exit_code == 0
        )
        assert len((tmp_path / "s.csv").read_text().splitlines()) == 4

    @pytest.mark.parametrize(
        ("more", "word"),
        [
            (["--resume"], "--out"),
            (["--json", "-o", "a.csv"], "--json"),
            (["nothing.jpg"], "no such"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, more, word, photos, scorer):
        done = run("score", photos[0], "--scorer", scorer, *more)
        assert done.exit_code == FAILED and word in done.stderr


def test_quiet_leaves_the_results_alone(photos, scorer, tmp_path):
    out = tmp_path / "s.csv"
    loud = run("score", photos[0].parent, "--scorer", scorer, "-o", out)
    quiet = run("score", photos[0].parent, "--scorer", scorer, "-o", out, "--overwrite", "-q")
    assert "Next:" in loud.stdout and "Next:" not in quiet.stdout
    assert "12 of 12 photos scored" in quiet.stdout
    assert not outcome._Manner.quiet  # of that command alone


def test_suggest_tells_what_to_do_and_keeps_it_from_other_programs(photos, tmp_path):
    make_bank().save_pretrained(tmp_path / "bank")
    done = run("suggest", photos[0].parent, "--count", 2, "--bank", tmp_path / "bank")
    assert len(done.stdout.split()) == 2
    assert f"aesthetic-tv rate {photos[0].parent}" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "no-folder", "--scorer", "x", "-o", "a.csv"],
        ["score", ".", "--scorer", "x", "-o", "a.txt"],
        ["personalize", ".", "--ratings", "no-file.csv", "-o", "taste"],
        ["suggest", "no-folder"],
        ["suggest", ".", "--pairs"],
        ["rate", "no-folder"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_before_pytorch_is_imported(arguments, tmp_path):
    code = (
        "import sys, aesthetic_tv.cli\n"
        f"try: aesthetic_tv.cli.app({arguments!r})\n"
        "except SystemExit as end: code = end.code\n"
        f"print(code, *sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=tmp_path)  # fmt: skip
    assert done.stdout.split() == [str(FAILED)], done.stdout + done.stderr


def on_a_terminal(command: list[str]) -> str:
    """All that a command writes to a terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(command[0], command)
    text = ""
    while select.select([terminal], [], [], 60)[0]:
        try:
            found = os.read(terminal, 4096)
        except OSError:
            break
        if not found:
            break
        text += found.decode()
    os.close(terminal)
    os.waitpid(process, 0)
    return text


PROGRAM = """
import sys, time, typer
from aesthetic_tv.cli.outcome import Bars, reports_errors
app = typer.Typer()
@app.command()
@reports_errors("Again.")
def go():
    time.sleep(0.4)
    print("a result")
    with Bars() as bars:
        bars("photos", 1, 2)
        time.sleep(0.2)
        bars("photos", 2, 2)
app()
"""


def test_a_terminal_shows_what_is_awaited_and_clears_it_before_the_first_word():
    text = on_a_terminal([sys.executable, "-c", PROGRAM])
    before, after = text.split("a result")
    assert "starting |" in before
    assert before.endswith("\r") and before.split("\r")[-2].strip() == ""  # cleared
    assert "starting" not in after
    quiet = on_a_terminal([sys.executable, "-c", PROGRAM, "-q"])
    assert quiet.strip() == "a result"


def test_nothing_is_shown_where_there_is_no_terminal():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("a result\n", "")


def test_a_stage_whose_end_is_not_known_is_counted(capsys):
    with Bars() as bars:
        tell = bars.counting("photos found")
        tell(1)
        assert bars._bar.total is None


def test_the_bar_of_the_start_ends_once_and_quietly(capsys):
    with Starting() as starting:
        starting.end()
        starting.next_stage()
        starting.end()
    assert capsys.readouterr() == ("", "")


def test_a_reader_who_left_ends_a_command_quietly():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "aesthetic_tv", "database", "list", "--json"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == UNHEARD


def test_options_of_all_commands_are_taken_from_the_parameter_that_is_there():
    seen = []
    program = typer.Typer()

    @program.command()
    @reports_errors("Again.")
    def own(quiet: bool = False) -> None:
        seen.append(quiet)

    assert CliRunner().invoke(program, ["--quiet"]).exit_code == 0


def test_completion_is_offered():
    environment = {"_AESTHETIC_TV_COMPLETE": "complete_bash", "COMP_WORDS": "aesthetic-tv pers",
                   "COMP_CWORD": "1"}  # fmt: skip
    done = CliRunner().invoke(app, [], prog_name="aesthetic-tv", env=environment)
    assert "personalize" in done.output
