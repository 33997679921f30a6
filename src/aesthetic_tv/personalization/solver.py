"""What every solver is given, where it starts, and the interfaces that it stands behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization.agreement import rank_correlation
from aesthetic_tv.personalization.linear_model import LinearFit, LinearModel
from aesthetic_tv.personalization.precision import Precision
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.task_vectors import Population, TaskVectorBank

Initialization = Literal["adaptive", "uniform", "best-fit", "population"]
TEMPERATURE = 10.0  # of the authors' script
Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True, eq=False)
class Problem:
    """One person's support set and where to start from.

    Args:
        bank: K task vectors with L layers.
        pixel_values: (n, 3, H, W) the support photos.
        preferences: over the same n photos.
        initial: coefficients at the start, float32 (L, K), or (P,) with those of head directions.
        population: what is known of people's coefficients, where `initial` is its centre.
        linear: a linear model of the support photos, where one is at hand.
    """

    bank: TaskVectorBank
    pixel_values: torch.Tensor
    preferences: Preferences
    initial: torch.Tensor
    population: Population | None = None
    linear: LinearModel | None = None

    @classmethod
    def starting(
        cls,
        bank: TaskVectorBank,
        pixel_values: torch.Tensor,
        preferences: Preferences,
        task_scores: np.ndarray,
        initialization: Initialization | None = None,
        *,
        temperature: float = TEMPERATURE,
        linear: LinearModel | None = None,
    ) -> "Problem":
        """The problem that starts at an initialization; its prior is the population's where that
        is the start.

        Args:
            bank, pixel_values, preferences, linear: as above.
            task_scores: raw scores of the task models on the support set (n, K).
            initialization: the bank's own when `None`, see `bank_initialization`.
            temperature: of `adaptive`.

        Raises:
            SettingError: an unknown initialization, a negative temperature, or no population.
        """
        kind = initialization or bank_initialization(bank)
        initial = initial_coefficients(
            kind, task_scores, preferences, len(bank.layers), temperature, bank.population
        )
        prior = bank.population if kind == "population" else None
        return cls(bank, pixel_values, preferences, initial, prior, linear)

    @property
    def centre(self) -> np.ndarray:
        """`initial` as a vector, float64 (P,)."""
        layout, initial = self.bank.layout, self.initial.double().numpy().reshape(-1)
        return np.pad(initial, (0, layout.size - len(initial)))


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver found.

    Args:
        coefficients: float32 (L, K), or (P,) for a bank with head directions.
        loss: the training loss after each step.
        scores: of the support photos (n,), where the solver knows them.
    """

    coefficients: torch.Tensor
    loss: tuple[float, ...] = ()
    scores: np.ndarray | None = None


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


def bank_initialization(bank: TaskVectorBank) -> Initialization:
    """`population` where the bank knows one, otherwise `uniform`."""
    return "uniform" if bank.population is None else "population"


def initialization_of(solver: "Solver", bank: TaskVectorBank) -> Initialization:
    """Where a solver starts when nothing else is said: where it says itself, or the bank's own."""
    return getattr(solver, "initialization", None) or bank_initialization(bank)


class Solver(Protocol):
    """Fits coefficients to preferences; deterministic for one problem and one setting.

    Attributes:
        name: in `solvers.SOLVERS`, and saved with the personalization.

    A solver may also have `initialization`, where it starts unless another start is asked for;
    without, it starts where the bank does.
    """

    name: ClassVar[str]

    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON, to be saved with the personalization."""

    def solve(self, problem: Problem, progress: Progress | None = None) -> Solution:
        """Fit alpha; `progress` is called with `("fit", step, steps)`."""


@runtime_checkable
class LinearSolver(Solver, Protocol):
    """A solver that also fits within a linear model of the support photos, in milliseconds: its
    figures are cross-validated there, and the instant mode can use it.
    """

    @property
    def precision(self) -> Precision:
        """Of the products inside the tower where the model is made."""

    def told(self, preferences: Preferences) -> Preferences:
        """Preferences as this solver takes them."""

    def linear_fit(self, problem: Problem, model: LinearModel) -> LinearFit:
        """The fit within a linear model of the support photos; needs no photos."""
