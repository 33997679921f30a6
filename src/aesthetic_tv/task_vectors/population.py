"""What is known of people's coefficients before one of them has rated anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.files import config_value, read_hashed, write_hashed
from aesthetic_tv.task_vectors.layout import Layout

FILE = "population.safetensors"


@dataclass(frozen=True, eq=False, repr=False)
class Population:
    """People's coefficients as a Gaussian: (alpha, beta) ~ N(centre, S), saved with the bank.

    S is a sum: every layer's own deviation from the centre has the variance `layer_variance`, what
    all layers of a task deviate in common `task_variance`, every head direction
    `direction_variance`, each independent of the others; and B B^T of low rank says in which
    directions people differ together.

    Args:
        centre: of alpha, float32 (L, K); with that of beta, the best single taste for all.
        layer_variance, task_variance: of alpha, 0 or more, in units in which n ratings weigh n
            against the prior's 1.
        learned_from: what it was learned from, for the card: JSON, no names and no ratings.
        directions: centre of beta, float32 (R,); `None` for a bank without head directions.
        direction_variance: of beta, 0 or more.
        certainty: factor on the logits of chances stated around this population, under which they
            were right as often as they said; `None` where that is not known.
        factor: B, float32 (K + R, r): rows for what all layers of a task have in common, then for
            each head direction; `None`: there is no such part.
    """

    centre: torch.Tensor
    layer_variance: float
    task_variance: float
    learned_from: Mapping[str, Any] = field(default_factory=dict)
    directions: torch.Tensor | None = None
    direction_variance: float = 0.0
    factor: torch.Tensor | None = None
    certainty: float | None = None

    def __post_init__(self):
        if not all(torch.isfinite(tensor).all() for tensor in self._tensors().values()):
            raise SettingError("a population holds values that are not finite.")
        variances = (self.layer_variance, self.task_variance, self.direction_variance)
        spread = sum(variances) + (0 if self.factor is None else float(self.factor.norm()))
        if not min(variances) >= 0 or not spread > 0:
            raise SettingError(
                "the variances of a population must be 0 or more, and not all 0; got "
                f"{', '.join(map(str, variances))} for layers, tasks and head directions."
            )

        if self.certainty is not None and not 0 < self.certainty < float("inf"):
            raise SettingError(f"certainty is {self.certainty}; expected a number above 0.")

    def __repr__(self) -> str:
        layers, tasks = self.centre.shape
        people, parts = self.learned_from.get("num_people"), [f"{layers} layers x {tasks} tasks"]
        if self.directions is not None:
            parts.append(f"{len(self.directions)} head directions")
        if self.factor is not None:
            parts.append(f"people differ in {self.factor.shape[-1]} ways")
        parts.append(f"learned from {people:,} people" if people else "learned from mean scores")
        return f"Population({', '.join(parts)})"

    def check(self, layout: Layout) -> None:
        """Raise a `SettingError` unless it is of a bank of this layout."""
        expected: dict[str, tuple[int, ...]] = {"centre": (layout.layers, layout.tasks)}
        if layout.directions:
            expected["directions"] = (layout.directions,)
        if self.factor is not None:
            expected["factor"] = (layout.tasks + layout.directions, self.factor.shape[-1])
        found = {name: tuple(tensor.shape) for name, tensor in self._tensors().items()}
        if found != expected:
            raise SettingError(f"a population for this bank has {expected}; found {found}.")

    @property
    def point(self) -> torch.Tensor:
        """The centre as a vector (P,)."""
        flat = self.centre.reshape(-1)
        return flat if self.directions is None else torch.cat([flat, self.directions])

    @property
    def variance(self) -> float:
        """Of one coefficient of a layer, but for what `factor` adds."""
        return self.layer_variance + self.task_variance

    def _tensors(self) -> dict[str, torch.Tensor]:
        named = {"centre": self.centre, "directions": self.directions, "factor": self.factor}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    @property
    def spread_is_known(self) -> bool:
        """Whether the variances were learned from single persons: mean scores tell the centre
        alone.
        """
        return self.learned_from.get("num_people") != 0

    def save(self, folder: Path) -> dict[str, Any]:
        """Write it to the folder of a bank; returns the entry for its config."""
        tensors = self._tensors()
        if self.factor is not None:  # a spread need not be known better
            tensors["factor"] = self.factor.half()
        written = write_hashed(folder / FILE, tensors)
        more = {} if self.directions is None else {"direction_variance": self.direction_variance}
        if self.certainty is not None:
            more["certainty"] = self.certainty
        return {
            "path": FILE,
            "content_sha256": written,
            "layer_variance": self.layer_variance,
            "task_variance": self.task_variance,
            **more,
            "learned_from": dict(self.learned_from),
        }

    @classmethod
    def load(cls, config: Path, entry: Any, layout: Layout) -> "Population":
        """The population of the bank whose config file and entry these are.

        Args:
            config: the bank's config file.
            entry: what `save` returned.
            layout: of the bank.

        Raises:
            FormatError: not an entry of ours, a file that is missing or damaged, or another shape.
        """
        if not isinstance(entry, dict) or entry.get("path") != FILE:
            raise FormatError(f"{config}: population is {entry!r}; expected one in {FILE}.")
        stored = read_hashed(config.parent / FILE)
        tensors = {name: tensor.float() for name, tensor in stored.tensors.items()}
        if "centre" not in tensors or not tensors.keys() <= {"centre", "directions", "factor"}:
            raise FormatError(
                f"{config.parent / FILE} holds {', '.join(tensors) or 'nothing'}; expected the "
                "centre of a population. Fetch the whole bank again."
            )
        try:
            found = cls(
                tensors.pop("centre"),
                float(config_value(entry, "layer_variance", (int, float), config)),
                float(config_value(entry, "task_variance", (int, float), config)),
                config_value(entry, "learned_from", dict, config),
                direction_variance=float(entry.get("direction_variance", 0.0)),
                certainty=None if "certainty" not in entry else float(entry["certainty"]),
                **tensors,
            )
            found.check(layout)
        except (SettingError, TypeError, ValueError) as error:
            raise FormatError(f"{config}: {error} Fetch the whole bank again.") from error
        stored.check(entry.get("content_sha256"))
        return found
