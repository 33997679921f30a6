"""What is known of people's coefficients before one of them has rated anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.files import config_value, read_tensors, write_tensors

FILE = "population.safetensors"


@dataclass(frozen=True, eq=False)
class Population:
    """People's coefficients as a Gaussian: alpha ~ N(centre, S), saved with the bank.

    S gives every layer's own deviation from the centre the variance `layer_variance`, and what all
    layers of a task deviate in common `task_variance`; tasks are independent.

    Args:
        centre: mu, float32 (L, K); the coefficients of the best single taste for all.
        layer_variance, task_variance: of alpha, 0 or more and not both 0, in units in which n
            ratings weigh n against the prior's 1.
        learned_from: what it was learned from, for the card: JSON, no names and no ratings.
    """

    centre: torch.Tensor
    layer_variance: float
    task_variance: float
    learned_from: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if not torch.isfinite(self.centre).all():
            raise SettingError("the centre of a population holds values that are not finite.")
        if not min(self.layer_variance, self.task_variance) >= 0 or not self.variance > 0:
            raise SettingError(
                "the variances of a population must be 0 or more, and not both 0; got "
                f"{self.layer_variance} and {self.task_variance}."
            )

    @property
    def variance(self) -> float:
        """Of one coefficient."""
        return self.layer_variance + self.task_variance

    @property
    def spread_is_known(self) -> bool:
        """Whether the variances were learned from single persons: mean scores tell the centre
        alone.
        """
        return self.learned_from.get("num_people") != 0

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the centre to the folder of a bank; returns the entry for its config."""
        write_tensors(folder / FILE, {"centre": self.centre})
        return {
            "path": FILE,
            "layer_variance": self.layer_variance,
            "task_variance": self.task_variance,
            "learned_from": dict(self.learned_from),
        }

    @classmethod
    def load(cls, config: Path, entry: Any, shape: tuple[int, int]) -> "Population":
        """The population of the bank whose config file and entry these are.

        Args:
            config: the bank's config file.
            entry: what `save` returned.
            shape: (L, K) of the bank.

        Raises:
            FormatError: not an entry of ours, a file that is missing or damaged, or another shape.
        """
        if not isinstance(entry, dict) or entry.get("path") != FILE:
            raise FormatError(f"{config}: population is {entry!r}; expected one in {FILE}.")
        centre = read_tensors(config.parent / FILE).get("centre")
        if centre is None or tuple(centre.shape) != shape:
            found = "none" if centre is None else tuple(centre.shape)
            raise FormatError(
                f"{config.parent / FILE}: expected a centre of shape {shape}, one row for each "
                f"layer and one column for each task; found {found}. Fetch the whole bank again."
            )
        try:
            return cls(
                centre.float(),
                float(config_value(entry, "layer_variance", (int, float), config)),
                float(config_value(entry, "task_variance", (int, float), config)),
                config_value(entry, "learned_from", dict, config),
            )
        except SettingError as error:
            raise FormatError(f"{config}: {error}") from error
