"""How every command begins and ends: what is awaited, errors in a line, skipped photos by name, and
the exit code.
"""

import functools
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import typer

from aesthetic_tv.cli.options import with_common_options
from aesthetic_tv.cli.starting import Starting
from aesthetic_tv.errors import AestheticTVError

FAILED = 2
SKIPPED = 3  # all is done but for photos that could not be read
# What commands on databases and people need besides, and the extra that brings all of it.
OPTIONAL, EXTRA = ("accelerate", "datasets", "pandas"), "evaluation"
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
UNHEARD = 141  # 128 + SIGPIPE: whoever read the output is gone, as `head` after its ten lines

Command = TypeVar("Command", bound=Callable[..., Any])


class _Manner:
    """Of the command that runs."""

    quiet = False
    starting: Starting | None = None


def reports_errors(when_interrupted: str) -> Callable[[Command], Command]:
    """Make a command end with a line on stderr and an exit code instead of a traceback, tell what
    is awaited while it starts, and take the options that all commands have.

    Args:
        when_interrupted: what to tell after Ctrl-C: what is lost, and how to go on.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def guarded(*args, quiet: bool = False, **kwargs):
            before = _Manner.quiet, _Manner.starting
            _Manner.quiet = quiet
            _quiet_matplotlib()
            try:
                with warnings.catch_warnings(), Starting(silent=quiet) as _Manner.starting:
                    warnings.filterwarnings("always", category=UserWarning, module="aesthetic_tv")
                    warnings.showwarning = _show_warning
                    return _heard(command, *args, **kwargs)
            except BrokenPipeError:
                _let_go_of_stdout()
                raise typer.Exit(UNHEARD) from None
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
            finally:
                _Manner.quiet, _Manner.starting = before

        return with_common_options(command, guarded)  # type: ignore[return-value]

    return decorate


def _quiet_matplotlib() -> None:
    """It tells of fonts that it looks for and folders that it cannot write, and does without."""
    for name in ("matplotlib", "matplotlib.font_manager"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _heard(command: Callable[..., Any], *args, **kwargs) -> Any:
    """Run it, with all its output written before it ends: a reader who is gone is met here rather
    than at the end of the process, where nothing could be done about it.
    """
    try:
        return command(*args, **kwargs)
    finally:
        if sys.stdout is not None:  # as of a program without a console
            sys.stdout.flush()


def _let_go_of_stdout() -> None:
    """What is still to be written goes nowhere."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # no file of the system
        return


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


def next_step(text: str, command: str, *, err: bool = False) -> None:
    """Tell what to do next, with a command to copy; nothing by `--quiet`.

    Args:
        text: what it is good for.
        command: to copy.
        err: on stderr, where another program may read the output.
    """
    if not _Manner.quiet:
        typer.echo(f"\nNext: {text}\n  {command}", err=err)


class Bars:
    """Progress bars on stderr, one for each stage in turn; silent where there is no terminal, and
    by `--quiet`.
    """

    def __init__(self) -> None:
        self._stage: str | None = None
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of a stage are finished; 0 of a stage whose end is not
        known.
        """
        from tqdm import tqdm

        if stage != self._stage:
            self.close()
            self._stage = stage
            if _Manner.starting is not None:
                _Manner.starting.end()
            silent = True if _Manner.quiet else None  # None: where there is no terminal
            self._bar = tqdm(
                total=total or None, desc=stage, disable=silent, file=sys.stderr, leave=False
            )
        self._bar.update(done - self._bar.n)

    def counting(self, what: str) -> Callable[[int], None]:
        """A bar of what is counted, whose end is not known."""
        return lambda done: self(what, done, 0)

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
    """Keep the libraries' own bars and notes off the terminal."""
    if _Manner.starting is not None:
        _Manner.starting.next_stage()
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
