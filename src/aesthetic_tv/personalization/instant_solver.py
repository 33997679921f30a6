"""The instant solver: one point of linearization, the same for everyone.

With the features of an album cached (`photo_features`), the fit itself takes milliseconds; this
solver goes on from there to a merged scorer, by one search of the way on the true loss.
"""

from dataclasses import dataclass
from typing import ClassVar

from aesthetic_tv.personalization.newton_solver import NewtonSolver


@dataclass(frozen=True)
class InstantSolver(NewtonSolver):
    """The Newton solver's first round alone."""

    name: ClassVar[str] = "instant"

    rounds: int = 1
