"""The documents say what is so: snippets run, links lead somewhere, every public name is there."""

import ast
import importlib
import inspect
import json
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import aesthetic_tv
from aesthetic_tv.assets import sample_photos
from documents import (
    PAGES,
    ROOT,
    check_command,
    check_output,
    commands,
    expected_of,
    run_bash,
    run_python,
    same,
    snippets,
)

DOCS = ROOT / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
ROOMS = ["", ".personalization", ".task_vectors", ".scorer", ".finetuning", ".databases"]
ROOMS += [".plots", ".app", ".assets", ".export", ".scale", ".runner", ".building"]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with the sample photos, which is home and where commands run."""
    for photo in sample_photos():
        shutil.copyfile(photo, tmp_path / photo.name)
    table = shutil.copyfile(DOCS / "examples/ratings.csv", tmp_path / "ratings.csv")
    (tmp_path / "album").mkdir()
    for line in [*table.read_text().split()[1:], "starfish.jpg", "wine.jpg"]:
        shutil.copy(tmp_path / line.split(",")[0], tmp_path / "album")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


RUN = [page for page in PAGES if any(x.reason is None for x in snippets(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=relative)
def test_snippets_run_and_print_what_is_said(page, home):
    names: dict = {"__name__": "snippet"}
    for snippet in snippets(page):
        if snippet.reason is not None:
            continue
        place = f"{relative(page)}:{snippet.line}"
        if snippet.kind == "bash":
            check_output(run_bash(snippet.code), snippet.output or "")
        else:
            found, expected = run_python(snippet.code, names), expected_of(snippet.code)
            assert same(found, expected), f"{place} prints\n{found}\nand says\n{expected}"


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_snippets_that_are_not_run_are_possible(page):
    for snippet in snippets(page):
        if snippet.kind == "python":
            compile(snippet.code, relative(page), "exec")
            _imports_are_there(snippet.code)
        else:
            for words in commands(snippet.code):
                check_command(words)


def _imports_are_there(code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aesthetic_tv"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"


def test_an_untrue_output_is_found():
    assert same("a 0.301 b\n", "a 0.30 b")
    assert not same("a 0.40 b", "a 0.30 b")
    assert not same("worse", "better")
    with pytest.raises(AssertionError, match="no option"):
        check_command(["aesthetic-tv", "score", "album", "--colour"])
    with pytest.raises(AssertionError, match="not printed"):
        check_output("one\ntwo", "two\none")


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_to_files_and_headings(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    if "{include}" in page.read_text():
        return
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        parts = urlsplit(target)
        if parts.scheme:
            continue
        file = page if not parts.path else page.parent / parts.path
        assert file.exists(), f"{relative(page)}: {target}"
        if parts.fragment:
            assert parts.fragment in _anchors(file), f"{relative(page)}: {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_every_page_is_in_a_table_of_contents():
    listed = {DOCS / "index.md"}
    for page in DOCS.rglob("*.md"):
        for block in re.findall(r"^```{toctree}\n(.*?)^```$", page.read_text(), re.M | re.S):
            for line in block.split():
                listed |= {page.parent / f"{line}.md", page.parent / f"{line}.ipynb"}
    pages = {page for page in PAGES if DOCS in page.parents} | {*NOTEBOOKS}
    assert pages <= listed, f"in no table of contents: {pages - listed}"


def test_every_public_name_is_in_the_reference():
    described = "\n".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    entries = set(re.findall(r"^\.\. (?:auto(?:class|function)|py:data):: (\S+)$", described, re.M))
    top = [getattr(aesthetic_tv, x.split(".")[1]) for x in entries if x.count(".") == 1]
    for room in ROOMS:
        module = importlib.import_module(f"aesthetic_tv{room}")
        for name in module.__all__:
            if any(x.startswith(module.__name__) and x.endswith(f".{name}") for x in entries):
                continue  # here, or where the module defines it
            found = getattr(module, name)
            assert inspect.ismodule(found) or any(x is found for x in top), (room, name)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=relative)
def test_notebooks_run(notebook, home):
    names: dict = {"__name__": "notebook", "display": lambda *shown: None}
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            run_python("".join(cell["source"]), names)


def test_notebooks_are_small_and_without_outputs():
    assert len(NOTEBOOKS) == 4
    for notebook in NOTEBOOKS:
        assert notebook.stat().st_size < 100_000
        assert not any(cell.get("outputs") for cell in json.loads(notebook.read_text())["cells"])
