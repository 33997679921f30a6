"""How every command ends: errors in a line, skipped photos by name, and the exit code."""

import functools
import io
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import typer

from aesthetic_tv.errors import AestheticTVError

FAILED = 2
SKIPPED = 3  # all is done but for photos that could not be read
# What commands on databases and people need besides, and the extra that brings all of it.
OPTIONAL, EXTRA = ("accelerate", "datasets", "pandas"), "evaluation"
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

Command = TypeVar("Command", bound=Callable[..., Any])


def reports_errors(when_interrupted: str) -> Callable[[Command], Command]:
    """Make a command end with a line on stderr and an exit code instead of a traceback.

    Args:
        when_interrupted: what to tell after Ctrl-C: what is lost, and how to go on.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def guarded(*args, **kwargs):
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("always", category=UserWarning, module="aesthetic_tv")
                    warnings.showwarning = _show_warning
                    return command(*args, **kwargs)
            except AestheticTVError as error:
                _say("Error: ", str(error), "red")
                raise typer.Exit(FAILED) from None
            except OSError as error:  # a disk or a permission; nothing that a traceback explains
                place = f"{error.filename}: " if error.filename else ""
                _say("Error: ", f"{place}{error.strerror or error}", "red")
                raise typer.Exit(FAILED) from None
            except ModuleNotFoundError as error:
                if error.name not in OPTIONAL:
                    raise
                way_out = f"pip install 'aesthetic-tv[{EXTRA}]'"
                _say("Error: ", f"this needs {error.name}, not installed here; `{way_out}`.", "red")
                raise typer.Exit(FAILED) from None
            except KeyboardInterrupt:
                _say("Interrupted. ", when_interrupted, "yellow")
                raise typer.Exit(INTERRUPTED) from None

        return guarded  # type: ignore[return-value]

    return decorate


def _say(label: str, text: str, color: str) -> None:
    typer.secho(label, fg=color, bold=True, nl=False, err=True)
    typer.secho(text, fg=color, err=True)


def warn(text: str) -> None:
    """Tell of something that did not go as usual, though the command goes on."""
    _say("Warning: ", text, "yellow")


def note(text: str) -> None:
    """Tell of something worth knowing, beside what was asked for."""
    _say("", text, "yellow")


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    # Ours only; those of other libraries are for developers.
    if category is UserWarning and "aesthetic_tv" in Path(filename).parts:
        warn(str(message))


def end_with_skipped(skipped: Mapping[str, str], done: str, left_out: str = "") -> None:
    """Name the photos that were skipped and exit with `SKIPPED`; nothing where there are none.

    Args:
        skipped: photos that could not be read, and why.
        done: what was done without them.
        left_out: the note on photos of kinds that cannot be read here.
    """
    if left_out:
        _say("", left_out, "yellow")
    if not skipped:
        if left_out:
            raise typer.Exit(SKIPPED)
        return
    count = "1 photo was" if len(skipped) == 1 else f"{len(skipped)} photos were"
    _say("", f"{count} skipped; {done}:", "yellow")
    for photo, reason in skipped.items():
        typer.secho(f"  {photo}: {reason.removeprefix(f'{photo}: ')}", err=True)
    raise typer.Exit(SKIPPED)


def tell_unrated(count: int, table: Path) -> None:
    """Count the photos that a table names without a rating; nothing where there are none."""
    if count:
        lines = "1 line" if count == 1 else f"{count} lines"
        _say("", f"{lines} of {table} without a rating: left out.", "yellow")


def next_step(text: str, command: str) -> None:
    """Tell what to do next, with a command to copy."""
    typer.echo(f"\nNext: {text}\n  {command}")


class Bars:
    """Progress bars on stderr, one for each stage in turn; silent where there is no terminal."""

    def __init__(self) -> None:
        self._stage: str | None = None
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of a stage are finished."""
        from tqdm import tqdm

        if stage != self._stage:
            self.close()
            self._stage = stage
            self._bar = tqdm(total=total, desc=stage, disable=None, file=sys.stderr, leave=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Clear the bar that is shown."""
        if self._bar is not None:
            self._bar.close()
        self._stage = self._bar = None

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def print_in_any_encoding() -> None:
    """Signs that the terminal's encoding lacks are printed as escapes, such as those of a photo's
    name: a work that is done never ends with an error because it is told of.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run_in_processes(command: Callable[..., Any]) -> None:
    """Run a command as `python -m` does it, alone or in the processes of a launcher."""
    from aesthetic_tv.processes import left

    print_in_any_encoding()
    try:
        typer.run(command)
    finally:
        left()


def quiet_transformers() -> None:
    """Keep the library's own bars and notes off the terminal."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
