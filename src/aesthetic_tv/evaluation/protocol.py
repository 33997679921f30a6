"""Who is evaluated on how much, how often, and by which methods."""

from dataclasses import dataclass, field
from typing import Any

from aesthetic_tv.errors import SettingError


def _told(default: Any, text: str, **more: Any) -> Any:
    """A field that is an option of the command line too."""
    return field(default=default, metadata={"help": text, "least": 1, **more})


@dataclass(frozen=True)
class Protocol:
    """Who is fitted on how much, how often, and by which methods.

    Args:
        shots: sizes of the support set; the paper has 10 and 100.
        trials: draws for each person and size.
        methods: names, see `methods.METHODS`; `single` stands for all single task models.
        people: how many of the people, drawn at random; all of them when `None`.
        slow_people, slow_trials: for methods that take seconds a fit: the first of the people and
            of the draws; all of them when `None`.
        seed: of people, splits and methods.
    """

    shots: tuple[int, ...] = (10, 100)
    trials: int = _told(10, "Draws for each person and size.")
    methods: tuple[str, ...] = ("generic", "newton")
    people: int | None = _told(None, "So many people, at random.", option="limit")
    slow_people: int | None = _told(None, "So many of them for methods that take long.")
    slow_trials: int | None = _told(None, "So many draws for them.")
    seed: int = _told(0, "Of people, splits and methods.", least=0)

    def __post_init__(self):
        counts = (self.people, self.slow_people, self.slow_trials)
        if any(count is not None and count < 1 for count in counts):
            raise SettingError(
                f"people, slow_people and slow_trials are {counts}; expected 1 or more, or None."
            )
