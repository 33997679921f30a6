"""What became of each step of a build."""

from dataclasses import dataclass, field
from pathlib import Path

from aesthetic_tv.building.plan import Plan

DONE, KEPT, FAILED, WAITING, LEFT_OUT = "done", "kept", "failed", "waiting", "left out"


@dataclass
class Outcome:
    """What became of each step.

    Attributes:
        plan: that was run.
        folder: of the build.
        state: of each step: `DONE` now, `KEPT` from before, `FAILED`, `WAITING` for one that
            failed, or `LEFT_OUT`.
        reasons: why steps failed, wait or are left out.
    """

    plan: Plan
    folder: Path
    state: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all that the recipe requires is there."""
        return not {FAILED, WAITING} & set(self.state.values())

    def named(self, state: str) -> list[str]:
        """The steps in a state."""
        return [name for name, found in self.state.items() if found == state]
