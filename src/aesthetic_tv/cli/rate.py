"""`aesthetic-tv rate`: rate photos in the browser."""

import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer

from aesthetic_tv.cli.outcome import quiet_transformers, reports_errors


@reports_errors("Your browser keeps the ratings; run the same command again to go on.")
def rate(
    photos: Annotated[
        Path | None, typer.Argument(help="Folder of photos; without, sample photos.")
    ] = None,
    bank: Annotated[
        str | None,
        typer.Option(help="Task vectors to weigh: a name or a folder.", envvar="AESTHETIC_TV_BANK"),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="File that keeps the album's features, so that each photo is seen once."),
    ] = None,
    port: Annotated[int, typer.Option(help="Of the page; 0 takes the first free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Rate photos in the browser, and see all of them in the order of your taste.

    The page is on this machine alone; photos and ratings stay on it.

    Example: aesthetic-tv rate album --cache album.features.safetensors
    """
    from aesthetic_tv.errors import SettingError

    if importlib.util.find_spec("gradio") is None:
        raise SettingError(
            "The page needs gradio, which is not installed; `pip install 'aesthetic-tv[demo]'`."
        )
    from aesthetic_tv.app import AppSettings, launch

    quiet_transformers()
    given: dict[str, Any] = {"album": photos, "bank": bank, "cache": cache, "hub": False}
    settings = AppSettings.from_environment(
        **{name: value for name, value in given.items() if value is not None}
    )
    _, url, _ = launch(
        settings,
        server_name="127.0.0.1",
        server_port=port or None,
        inbrowser=browser,
        prevent_thread_lock=True,
        quiet=True,
    )
    typer.echo(f"Rate at {url} and press Ctrl-C here when you are done.")
    _wait()


def _wait() -> None:
    """Until Ctrl-C."""
    import threading

    threading.Event().wait()
