"""Snippets of the documents: found, run or only looked at, and their printed output compared.

In python, comment lines right below a statement that prints are what it prints. Below a bash block,
a block of `text` holds lines that the output has, in this order. A block after a comment
`<!-- not run: reason -->` is compiled, or its commands and options looked up. Numbers may differ by
what threads and processors change.
"""

import ast
import contextlib
import io
import math
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import typer
from typer.testing import CliRunner

from aesthetic_tv.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if not {"_build", "_generated", "notebooks"} & {*path.parts}
)
FENCE = re.compile(
    r"(?P<before><!-- not run: (?P<reason>.+?) -->\n)?^```(?P<kind>python|bash)\n(?P<code>.*?)^```$"
    r"(?:\n\n```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"[-+]?\d*\.\d+")
CLOSE = 0.03


@dataclass(frozen=True)
class Snippet:
    """One fenced block: its language, text, why it is not run, and what it prints."""

    line: int
    kind: str
    code: str
    reason: str | None
    output: str | None


def snippets(page: Path) -> list[Snippet]:
    """Those of a page, in order."""
    text = page.read_text()
    return [
        Snippet(text.count("\n", 0, m.start()) + 1, m["kind"], m["code"], m["reason"], m["output"])
        for m in FENCE.finditer(text)
    ]


def same(found: str, expected: str) -> bool:
    """Equal words, and numbers with a point that differ by little."""
    words = [" ".join(NUMBER.sub("#", text).split()) for text in (found, expected)]
    numbers = [[float(x) for x in NUMBER.findall(text)] for text in (found, expected)]
    return words[0] == words[1] and all(
        math.isclose(a, b, abs_tol=CLOSE, rel_tol=0.01) for a, b in zip(*numbers, strict=True)
    )


def expected_of(code: str) -> str:
    """What the comments below its printing statements say."""
    lines, expected = code.splitlines(), []
    for node in ast.parse(code).body:
        printing = isinstance(node, ast.Expr) and ast.unparse(node).startswith("print(")
        following = lines[node.end_lineno :] if printing else []
        for line in following:
            if not line.startswith("# "):
                break
            expected.append(line[2:])
    return "\n".join(expected)


def run_python(code: str, names: dict) -> str:
    """What it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "snippet", "exec"), names)
    return printed.getvalue()


def commands(code: str) -> list[list[str]]:
    """Words of each command, without comments, with `~` as a shell reads it."""
    joined = code.replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in joined]
    return [[os.path.expanduser(word) for word in line] for line in words if line]  # noqa: PTH111


def run_bash(code: str) -> str:
    """What its `aesthetic-tv` commands print; all of them must succeed."""
    printed = []
    for words in commands(code):
        assert words[0] == "aesthetic-tv", f"only aesthetic-tv is run: {words}"
        done = CliRunner().invoke(app, words[1:], env={"COLUMNS": "150"})
        assert done.exit_code == 0, (words, done.output, done.exception)
        printed.append(done.output)
    return "".join(printed)


def check_command(words: list[str]) -> None:
    """Its commands and options are those of the command line."""
    if words[0] != "aesthetic-tv":
        return
    command, rest = typer.main.get_command(app), words[1:]
    while rest and hasattr(command, "commands"):
        assert rest[0] in command.commands, f"no command {rest[0]}: {words}"
        command, rest = command.commands[rest[0]], rest[1:]
    options = {name for x in command.params for name in (*x.opts, *x.secondary_opts)}
    used = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert used <= options | {"--help"}, f"{words}: no option {used - options}"


def check_output(found: str, expected: str) -> None:
    """Each expected line begins one of the output's, in this order."""
    lines = iter(found.splitlines())
    for wanted in filter(None, map(str.strip, expected.splitlines())):
        assert any(wanted in line for line in lines), f"not printed: {wanted}\n{found}"
