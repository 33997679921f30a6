"""Options that reach a command together: those of a dataclass of settings, or of a table; and those
that all commands have.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import typer

Command = TypeVar("Command", bound=Callable[..., Any])
# Type and default of an option, by the name that it has in the mapping.
Options = Mapping[str, tuple[Any, Any]]

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No bars and no hints: results and errors alone.")
]
# `scorer.devices.DEVICES`, which has yet to be imported, for --help.
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps", "xpu"],
    typer.Option(help="What to compute on; auto takes a GPU where PyTorch has one."),
]


def with_common_options(command: Callable[..., Any], runs: Command) -> Command:
    """Give what runs a command its options, `--quiet` besides, and `-o` for its `--out`.

    Args:
        command: whose options these are.
        runs: takes them, and `quiet`.
    """
    signature = inspect.signature(command)
    kinds = get_type_hints(command, include_extras=True)
    shown = [
        known.replace(annotation=_with_short_name(name, kinds.get(name, known.annotation)))
        for name, known in signature.parameters.items()
    ]
    if "quiet" not in signature.parameters:
        kind = inspect.Parameter.KEYWORD_ONLY
        shown.append(inspect.Parameter("quiet", kind, default=False, annotation=Quiet))
    runs.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    runs.__annotations__ = {known.name: known.annotation for known in shown}
    return runs


def _with_short_name(name: str, kind: Any) -> Any:
    """The type of a parameter `out`, as it is written on the command line: `-o` as well."""
    if name != "out" or get_origin(kind) is not Annotated:
        return kind
    of, *notes = get_args(kind)
    notes = [copy.copy(note) for note in notes]
    for note in notes:
        if isinstance(note, typer.models.OptionInfo):
            names = note.param_decls or ("--out",)
            note.param_decls = (*names, *(() if "-o" in names else ("-o",)))
    return Annotated[(of, *notes)]


def gathered(parameter: str, options: Options) -> Callable[[Command], Command]:
    """Give a command options in place of one parameter, which is then a mapping of all of them.

    Args:
        parameter: of the command.
        options: what stands in its place on the command line.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def taking(*args, **kwargs):
            given = {name: kwargs.pop(name, default) for name, (_, default) in options.items()}
            return command(*args, **{parameter: given}, **kwargs)

        signature, shown = inspect.signature(command), []
        for known in signature.parameters.values():
            if known.name != parameter:
                shown.append(known)
                continue
            for name, (kind, default) in options.items():
                shown.append(inspect.Parameter(name, known.kind, default=default, annotation=kind))
        taking.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
        taking.__annotations__ = {known.name: known.annotation for known in shown}
        return taking  # type: ignore[return-value]

    return decorate


def options_of(settings: type) -> Options:
    """One option for each field of a dataclass that says in its metadata how it is told: `help`;
    and where it differs, its `panel`, the name of the `option`, the `least` it can be. A flag is
    off, and another option `None`, unless given.
    """
    kinds, found = get_type_hints(settings), dict[str, tuple[Any, Any]]()
    for field in fields(settings):
        if "help" not in field.metadata:
            continue
        text, flag = field.metadata["help"], kinds[field.name] is bool
        if not flag and field.default is not MISSING and field.default is not None:
            text = f"{text.removesuffix('.')} (default {field.default})."
        name = _option_name(field)
        option = typer.Option(
            f"--{name.replace('_', '-')}",
            help=text,
            rich_help_panel=field.metadata.get("panel"),
            min=field.metadata.get("least"),
        )
        kind = bool if flag else kinds[field.name] | None
        found[name] = (Annotated[kind, option], False if flag else None)
    return found


def given(settings: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass that were given as its options: neither `None` nor a flag that is
    off.
    """
    values = {field.name: options.get(_option_name(field)) for field in fields(settings)}
    return {name: x for name, x in values.items() if x is not None and x is not False}


def _option_name(field: Field) -> str:
    return field.metadata.get("option", field.name)
