"""Where the coefficients start: alpha before any of them is learned."""

from typing import Literal, get_args

import numpy as np
import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization.agreement import rank_correlation
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.task_vectors import Population

Initialization = Literal["adaptive", "uniform", "best-fit", "population"]
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
    population: Population | None = None,
) -> torch.Tensor:
    """The start of alpha, float32 (L, K); the same for all layers (paper eq. 4 and 6), but for a
    population's centre, which may weigh head directions too: float32 (P,).

    Args:
        initialization: `adaptive` (softmax of the correlations), `uniform` (1/K each), `best-fit`
            (the best correlated task alone) or `population` (the centre of the bank's).
        scores: (n, K) raw scores of the task models on the support set.
        preferences: of the same n photos.
        num_layers: L.
        temperature: of `adaptive`.
        population: of the bank, for `population`.

    Raises:
        SettingError: an unknown initialization, a negative temperature, or no population.
    """
    if initialization not in get_args(Initialization):
        raise SettingError(
            f"initialization must be one of {', '.join(get_args(Initialization))}, "
            f"got {initialization!r}."
        )
    if initialization == "population":
        if population is None:
            raise SettingError(
                "initialization='population' needs a bank that knows one; learn it with "
                "fit_population, or use 'uniform'."
            )
        return population.centre if population.directions is None else population.point
    temperature = {"uniform": 0.0, "best-fit": np.inf}.get(initialization, temperature)
    correlations = np.array([rank_correlation(column, preferences) for column in scores.T])
    alpha = torch.tensor(adaptive(correlations, temperature), dtype=torch.float32)
    return alpha.repeat(num_layers, 1)
