"""The solvers by name. A new one is a file beside these, and a line in `SOLVERS`."""

from dataclasses import fields, is_dataclass
from typing import Any

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization.newton_solver import InstantSolver, NewtonSolver
from aesthetic_tv.personalization.paper_solver import PaperSolver
from aesthetic_tv.personalization.solver import Solver

SOLVERS: dict[str, type[Solver]] = {
    solver.name: solver
    for solver in (
        NewtonSolver,
        InstantSolver,
        PaperSolver,
    )
}


def solver_named(name: str, *, seed: int = 0, **settings: Any) -> Solver:
    """The solver of this name.

    Args:
        name: of `SOLVERS`.
        seed: of a solver that draws.
        **settings: of its dataclass, in place of their defaults.

    Raises:
        SettingError: there is none, or it has no such setting.
    """
    known = solver_settings(name)
    unknown = [setting for setting in settings if setting not in known]
    if unknown:
        raise SettingError(
            f"solver {name!r} has no setting {', '.join(unknown)}; it has "
            f"{', '.join(known) or 'none'}."
        )
    if "seed" in known:
        settings = {"seed": seed, **settings}
    return SOLVERS[name](**settings)


def solver_settings(name: str) -> tuple[str, ...]:
    """Names of the settings of a solver that is a dataclass; of another, none.

    Raises:
        SettingError: there is no such solver.
    """
    if name not in SOLVERS:
        raise SettingError(
            f"solver must be one of {', '.join(SOLVERS)}, or a solver object; got {name!r}."
        )
    kind = SOLVERS[name]
    return tuple(field.name for field in fields(kind) if field.init) if is_dataclass(kind) else ()
