"""`aesthetic-tv rate`: rate photos in the browser."""

import importlib.util
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesthetic_tv.cli.options import Device
from aesthetic_tv.cli.outcome import quiet_transformers, reports_errors, warn
from aesthetic_tv.errors import OutputError, SettingError
from aesthetic_tv.names import written

if TYPE_CHECKING:
    from aesthetic_tv.app import AppSettings

HOST = "127.0.0.1"


@reports_errors("Your ratings are kept; run the same command again to go on.")
def rate(
    photos: Annotated[
        Path | None, typer.Argument(help="Folder of photos; without, sample photos.")
    ] = None,
    ratings: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps your ratings, .csv, comparisons beside it; ALBUM.ratings.csv "
            "beside the album when not given. Samples are kept by the browser alone."
        ),
    ] = None,
    bank: Annotated[
        str | None,
        typer.Option(help="Task vectors to weigh: a name or a folder.", envvar="AESTHETIC_TV_BANK"),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="File that keeps the album's features, so that each photo is seen once."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the page; 0 takes the first free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    device: Device = "auto",
) -> None:
    """Rate photos in the browser, and see all of them in the order of your taste.

    The page is on this machine alone; photos and ratings stay on it. Each rating is saved when it
    is given, in a file that `personalize` reads.

    Example: aesthetic-tv rate album --cache album.features.safetensors
    """
    if importlib.util.find_spec("gradio") is None:
        raise SettingError(
            "The page needs gradio, which is not installed; `pip install 'aesthetic-tv[demo]'`."
        )
    _check_port(port)
    if photos is not None and not photos.is_dir():
        raise SettingError(f"{photos} is no folder; name one with photos.")
    from aesthetic_tv.app import AppSettings
    from aesthetic_tv.scorer.devices import choose_device

    quiet_transformers()
    given: dict[str, Any] = {"album": photos, "bank": bank, "cache": cache}
    given["device"] = str(choose_device(device))
    settings = AppSettings.from_environment(
        hub=False,
        local=True,  # the page is on this machine alone
        **{name: value for name, value in given.items() if value is not None},
    )
    settings = _saving(settings, ratings)
    from aesthetic_tv.app import launch  # which takes seconds; what is wrong is told before

    try:
        server, url, _ = launch(
            settings,
            server_name=HOST,
            server_port=port or None,
            inbrowser=browser,
            prevent_thread_lock=True,
            quiet=True,
        )
    except OSError as error:
        if "port" not in str(error):  # gradio tells of an option that is not ours
            raise
        raise _taken(port) from error
    typer.echo(f"Rate at {url} and press Ctrl-C here when you are done.")
    try:
        _wait()
    finally:
        server.state.visits.close()  # what is at work stops first, or the end would wait for it


def _saving(settings: "AppSettings", ratings: Path | None) -> "AppSettings":
    """Where ratings are saved: where the option says, or beside the album."""
    from aesthetic_tv.app.answers_on_disk import check_place, ratings_place

    if ratings is not None:
        check_place(ratings)
        _tell_place(ratings)
        return replace(settings, ratings=ratings)
    if settings.album is None:
        return settings
    place = ratings_place(settings.album)
    if place.reason:
        warn(written(place.reason))
    if place.writable:
        _tell_place(place.path)
    return replace(settings, ratings=place.path, ratings_before=place.others)


def _tell_place(ratings: Path) -> None:
    typer.echo(f"Your ratings are saved in {written(ratings)}.")


def _check_port(port: int) -> None:
    """Refuse before the photos are looked at.

    Raises:
        OutputError: the port is taken, or may not be used.
    """
    if not port:
        return
    try:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            tried.bind((HOST, port))
    except PermissionError as error:
        raise OutputError(
            f"port {port} may not be used by this user; name one from 1024 on with --port."
        ) from error
    except OSError as error:
        raise _taken(port) from error


def _taken(port: int) -> OutputError:
    if not port:
        return OutputError("no port is free for the page; name one with --port.")
    return OutputError(
        f"port {port} is taken by another program, perhaps by this one started before; name "
        "another with --port, or leave it out to take the first free one."
    )


def _wait() -> None:
    """Until Ctrl-C."""
    import threading

    threading.Event().wait()
