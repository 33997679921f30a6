"""Where the coefficients start: alpha before any of them is learned."""

from typing import Literal, get_args

import numpy as np
import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization.agreement import rank_correlation
from aesthetic_tv.personalization.preferences import Preferences

Initialization = Literal["adaptive", "uniform", "best-fit"]
TEMPERATURE = 10.0  # of the authors' script


def adaptive(correlations: np.ndarray, temperature: float = TEMPERATURE) -> np.ndarray:
    """alpha_k = softmax_k(T rho_k) (paper eq. 4), float64 (K,), sums to 1.

    Args:
        correlations: rho (K,), of each task model's scores to the support set.
        temperature: T, at least 0; 0 gives 1/K each, infinity the best model alone.
    """
    if not temperature >= 0:
        raise SettingError(f"temperature must be 0 or more, got {temperature}.")
    if np.isinf(temperature):
        return np.eye(len(correlations))[int(np.argmax(correlations))]
    weights = np.exp(temperature * (correlations - correlations.max()))
    return weights / weights.sum()


def initial_coefficients(
    initialization: Initialization,
    scores: np.ndarray,
    preferences: Preferences,
    num_layers: int,
    temperature: float = TEMPERATURE,
) -> torch.Tensor:
    """The start of alpha, the same for all layers (paper eq. 4 and 6): float32 (L, K).

    Args:
        initialization: `adaptive` (softmax of the correlations), `uniform` (1/K each) or
            `best-fit` (the best correlated task alone).
        scores: (n, K) raw scores of the task models on the support set.
        preferences: of the same n photos.
        num_layers: L.
        temperature: of `adaptive`.

    Raises:
        SettingError: an unknown initialization or a negative temperature.
    """
    if initialization not in get_args(Initialization):
        raise SettingError(
            f"initialization must be one of {', '.join(get_args(Initialization))}, "
            f"got {initialization!r}."
        )
    temperature = {"uniform": 0.0, "best-fit": np.inf}.get(initialization, temperature)
    correlations = np.array([rank_correlation(column, preferences) for column in scores.T])
    alpha = torch.tensor(adaptive(correlations, temperature), dtype=torch.float32)
    return alpha.repeat(num_layers, 1)
