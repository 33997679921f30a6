"""How Sphinx builds the site: `make docs`. Nothing is fetched, and no page asks another host."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))
# Notebooks and snippets need no network, and must not find out by waiting for one.
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

from aesthetic_tv.version import __version__  # noqa: E402

project, author, copyright = "aesthetic_tv", "the authors of aesthetic_tv", "Apache-2.0"
version = release = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
default_role = "code"  # what docstrings mean by single backticks
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
html_theme = "furo"
html_title = "aesthetic_tv"
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = "$ "

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = "remove"  # bars of progress

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
toc_object_entries_show_parents = "hide"


COMMANDS = "-m typer aesthetic_tv.cli utils docs --name aesthetic-tv"


def write_commands() -> None:
    """The reference of the command line, from the commands themselves, by typer's own tool."""
    told = subprocess.run(
        [sys.executable, *COMMANDS.split(), "--title", "Command line"],
        env=os.environ | {"PYTHONPATH": str(HERE.parent / "src")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    place = HERE / "_generated" / "commands.md"
    place.parent.mkdir(exist_ok=True)
    place.write_text(told)


# Files beside the site that links lead to, and the pages here that show them.
OUTSIDE = {
    "](../../benchmarks/RESULTS.md": "](../included/results.md",
    "](../../benchmarks/oasis-lite/report.md": "](../included/oasis-lite.md",
    "](../../benchmarks/oasis/report.md": "](../included/oasis.md",
    "](../../src/aesthetic_tv/assets/banks/lite/README.md": "](../included/lite.md",
    "](../../src/aesthetic_tv/assets/banks/tiny/README.md": "](../included/tiny.md",
    "](oasis-lite/report.md": "](oasis-lite.md",
    "](oasis/report.md": "](oasis.md",
    "](oasis/": "](../../benchmarks/oasis/",
    "](../docs/learning-curves": "](../learning-curves",
}


def links_inside(app: object, page: str, source: list[str]) -> None:
    """Links that lead to files of the repository lead to the pages that show them."""
    for there, here in OUTSIDE.items():
        source[0] = source[0].replace(there, here)


def as_drawn(app: object, what: str, name: str, obj: object, options: object, lines: list) -> None:
    """The tree of errors stays as it is drawn; stars of shapes in texts mean themselves."""
    if name == "aesthetic_tv.errors":
        lines[1:] = ["", "::", "", *(f"    {line}" for line in lines[1:])]
    lines[:] = [line.replace("(K, *shape", r"(K, \*shape") for line in lines]


def setup(app: "Sphinx") -> None:
    """Write what is generated, and follow what is read."""
    write_commands()
    app.connect("source-read", links_inside)
    app.connect("include-read", lambda app, file, page, source: links_inside(app, page, source))
    app.connect("autodoc-process-docstring", as_drawn)
