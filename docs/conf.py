"""How Sphinx builds the site: `make docs`. Nothing is fetched, and no page asks another host."""

import os
import subprocess
import sys
from pathlib import Path

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
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
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
autodoc_mock_imports = ["gradio"]
python_maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"


def write_commands() -> None:
    """The reference of the command line, from the commands themselves, by typer's own tool."""
    told = subprocess.run(
        [sys.executable, "-m", "typer", "aesthetic_tv.cli", "utils", "docs"]
        + ["--name", "aesthetic-tv", "--title", "Command line"],
        env=os.environ | {"PYTHONPATH": str(HERE.parent / "src")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    place = HERE / "_build" / "commands.md"
    place.parent.mkdir(exist_ok=True)
    place.write_text(told)


write_commands()
