"""How a bank's coefficients stand in one vector."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

Array = TypeVar("Array", np.ndarray, torch.Tensor)


@dataclass(frozen=True)
class Layout:
    """P = L K + R coefficients: alpha of the layers, row by row, then beta of the head directions.

    Args:
        layers: L.
        tasks: K.
        directions: R; 0 for a bank without head directions.
    """

    layers: int
    tasks: int
    directions: int = 0

    @property
    def weights(self) -> int:
        """L K."""
        return self.layers * self.tasks

    @property
    def size(self) -> int:
        """P."""
        return self.weights + self.directions

    def split(self, values: Array) -> tuple[Array, Array]:
        """(..., P) to alpha (..., L, K) and beta (..., R), both views."""
        first, second = values[..., : self.weights], values[..., self.weights :]
        return first.reshape(*values.shape[:-1], self.layers, self.tasks), second

    def in_common(self, slopes: np.ndarray) -> np.ndarray:
        """(..., P) to (..., K + R): slopes by what all layers of a task have in common, and by each
        head direction.
        """
        alpha, beta = self.split(slopes)
        return np.concatenate([alpha.sum(-2), beta], axis=-1)

    def spread_out(self, values: np.ndarray) -> np.ndarray:
        """The transpose of `in_common`: (..., K + R) to (..., P)."""
        alpha = np.repeat(values[..., None, : self.tasks], self.layers, axis=-2)
        flat = alpha.reshape(*values.shape[:-1], self.weights)
        return np.concatenate([flat, values[..., self.tasks :]], axis=-1)
