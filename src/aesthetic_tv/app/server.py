"""The app as a server: it tells nobody that it runs, and nothing of it comes from another host."""

import atexit
import os
from pathlib import Path
from typing import Any

# Read when gradio is imported, below.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}

import gradio as gr

from aesthetic_tv.app import words
from aesthetic_tv.app.page import lay_out
from aesthetic_tv.app.rating import Rating
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.tabs import Tabs
from aesthetic_tv.app.visits import Visit, Visits
from aesthetic_tv.app.wires import NoOtherHosts
from aesthetic_tv.app.wiring import connect

FOLDER = Path(__file__).parent
SWEPT, KEPT = 600, 3600  # seconds between two looks for forgotten uploads, and how old they get
FONTS = ["system-ui", "sans-serif"]
MONO = ["ui-monospace", "monospace"]


def build(settings: AppSettings | None = None) -> gr.Blocks:
    """The app's page and handlers; `launch` adds its style and starts it.

    Args:
        settings: of the app; those of the environment when not given.

    Raises:
        PhotoError: the album holds no photos.
    """
    settings = settings or AppSettings.from_environment()
    visits = Visits(settings)
    atexit.register(visits.close)
    # Where gradio puts what is uploaded, until it is checked and moved to the visitor's own folder.
    os.environ["GRADIO_TEMP_DIR"] = str(visits.received)
    gr.set_static_paths([visits.served])

    # A function, since gradio copies what a bound method belongs to for every page that is opened.
    def forget(visit: Visit | None) -> None:
        visits.end(visit)

    with gr.Blocks(
        title=words.TITLE, analytics_enabled=False, delete_cache=(SWEPT, KEPT), fill_width=True
    ) as blocks:
        page = lay_out(settings, forget)
        rating = Rating(page, visits)
        connect(blocks, page, visits, rating, Tabs(page, visits, rating))
    return blocks


def launch(settings: AppSettings | None = None, **launch: Any) -> Any:
    """Build the app and start its server.

    Args:
        settings: of the app; those of the environment when not given.
        **launch: as for `gradio.Blocks.launch`, such as `server_port` and `inbrowser`.

    Returns:
        What `gradio.Blocks.launch` returns.
    """
    settings = settings or AppSettings.from_environment()
    blocks = build(settings)
    defaults: dict[str, Any] = {
        "theme": gr.themes.Default(font=FONTS, font_mono=MONO),
        "css": (FOLDER / "style.css").read_text("utf-8"),
        "js": (FOLDER / "keyboard.js").read_text("utf-8"),
        "footer_links": [],
        "ssr_mode": False,
        "run_history": False,
        "max_file_size": f"{settings.max_megabytes:g}mb",
        "app_kwargs": {"middleware": [NoOtherHosts.as_middleware()]},
        "share": False,
    }
    return blocks.launch(**defaults | launch)
