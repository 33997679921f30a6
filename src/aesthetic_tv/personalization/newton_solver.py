"""The Newton solver: scores are nearly linear in alpha, so fit alpha where they are, exactly.

Each round costs one forward and one backward pass over the support set (`jacobian`), then solves a
convex problem of n unknowns (`convex_fit`) in milliseconds, and searches the way there by the true
loss. Deterministic; stops by itself.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization.convex_fit import pair_derivatives, pair_loss
from aesthetic_tv.personalization.linear_model import LinearModel, fit_linear, linearize
from aesthetic_tv.personalization.precision import (
    Precision,
    all_scores,
    check_precision,
    tower_dtype,
)
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.personalization.solver import Problem, Progress, Solution

SHORTEST, LONGEST = 0.1, 0.9  # first steps that are tried besides the full one
TRIALS = 5
POPULATION_STRENGTH = 1.0  # a population's variances are in units of its own


@dataclass(frozen=True)
class NewtonSolver:
    """Convex fits around a few points of linearization, with a Gaussian prior on alpha.

    Args:
        strength: c: the prior weighs c against the n of the ratings, where it lets the support
            scores spread by 1; `None` takes the population's own where it starts from one that was
            learned from people, and otherwise chooses it by evidence.
        task_share: share of the prior's spread that all layers of a task have in common, in
            [0, 1]; the rest is each layer's own. A population says that itself.
        rounds: points of linearization at most.
        tolerance: stop when a round lowers the objective by less than this share.
        precision: of products inside the tower; `auto` is bfloat16 where that is faster.
    """

    name: ClassVar[str] = "newton"

    strength: float | None = None
    task_share: float = 0.5
    rounds: int = 3
    tolerance: float = 0.01
    precision: Precision = "auto"

    def __post_init__(self):
        if self.strength is not None and not self.strength > 0:
            raise SettingError(f"strength must be above 0, or None; got {self.strength}.")
        if not 0 <= self.task_share <= 1:
            raise SettingError(f"task_share must be in [0, 1], got {self.task_share}.")
        if self.rounds < 1:
            raise SettingError(f"rounds must be 1 or more, got {self.rounds}.")
        if not self.tolerance >= 0:
            raise SettingError(f"tolerance must be 0 or more, got {self.tolerance}.")
        check_precision(self.precision)

    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON."""
        return asdict(self)

    def prior(self, problem: Problem, model: LinearModel) -> CoefficientPrior:
        """The population's prior where the problem starts there, otherwise one scaled to it."""
        if problem.population is not None:
            return CoefficientPrior.of_population(problem.population)
        centre = problem.initial.double().numpy()
        return CoefficientPrior.scaled_to(centre, model.slopes, self.task_share)

    def linear_fit(self, problem: Problem, model: LinearModel) -> "LinearFit":
        """The fit within a linear model of the support photos: n x n algebra, milliseconds."""
        strength, prior = self.strength, self.prior(problem, model)
        if problem.population is not None and problem.population.spread_is_known:
            strength = strength or POPULATION_STRENGTH
        alpha, strength = fit_linear(model, prior, problem.preferences, strength)
        return LinearFit(alpha, prior, strength)

    def solve(self, problem: Problem, progress: Progress | None = None) -> Solution:
        """Fit alpha; where nothing speaks for another, the initialization comes back."""
        dtype = tower_dtype(self.precision, problem.bank.base)
        alpha = problem.initial.double().numpy()
        model = problem.linear or linearize(problem.bank, problem.pixel_values, alpha, dtype)
        first = self.linear_fit(problem, model)
        objective = _Objective(problem, first, dtype)
        here, target = objective.start(alpha, model), first.coefficients
        history = [here.value]
        for turn in range(self.rounds if np.isfinite(first.strength) else 0):
            if progress is not None:
                progress("fit", turn, self.rounds)
            if turn > 0:
                model = linearize(problem.bank, problem.pixel_values, here.alpha, dtype)
                target, _ = fit_linear(model, first.prior, problem.preferences, first.strength)
            reached = objective.search(here, target, model)
            gain = here.value - reached.value
            if gain <= 0:
                break
            here = reached
            history.append(here.value)
            if gain < self.tolerance * abs(here.value):
                break
        if progress is not None:
            progress("fit", self.rounds, self.rounds)
        return Solution(torch.from_numpy(here.alpha).float(), tuple(history), here.scores)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """What the linear model says.

    Args:
        coefficients: alpha, float64 (L, K).
        prior: what was known of it before.
        strength: of the prior against the n of the ratings; infinity: nothing speaks for another
            alpha than its centre.
    """

    coefficients: np.ndarray
    prior: CoefficientPrior
    strength: float


@dataclass(frozen=True, eq=False)
class _Point:
    alpha: np.ndarray
    value: float
    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class _Objective:
    """The true loss of the merged scorer, and the prior."""

    problem: Problem
    fit: LinearFit
    dtype: torch.dtype

    def start(self, alpha: np.ndarray, model: LinearModel) -> _Point:
        """The point to start from; its scores are known where the model is linearized there."""
        if np.allclose(alpha, model.point, rtol=0, atol=1e-6):
            return self._point(alpha, model.scores)
        return self.at(alpha)

    def at(self, alpha: np.ndarray) -> _Point:
        """One pass over the support photos."""
        scorer = self.problem.bank.merge(alpha)
        return self._point(alpha, all_scores(scorer, self.problem.pixel_values, self.dtype).numpy())

    def search(self, here: _Point, target: np.ndarray, model: LinearModel) -> _Point:
        """The better of the full step and, where that is too long, the lowest point of the parabola
        through what is known; shorter ones while neither is below the start.
        """
        direction = target - here.alpha
        full = self.at(target)
        slope = self._slope(here, direction, model)
        curvature = full.value - here.value - slope
        length = -slope / (2 * curvature) if curvature > 0 else 1.0
        if length > LONGEST:
            return full
        length, best = max(length, SHORTEST), full
        for _ in range(TRIALS):
            shorter = self.at(here.alpha + length * direction)
            best = min(best, shorter, key=lambda point: point.value)
            if best.value < here.value:
                break
            length /= 4
        return best

    def _point(self, alpha: np.ndarray, scores: np.ndarray) -> _Point:
        value = pair_loss(scores, self.problem.preferences)
        if np.isfinite(self._weight):
            value += self._weight * self._penalty(alpha)
        return _Point(alpha, value, scores)

    @property
    def _weight(self) -> float:
        return self.fit.strength / len(self.problem.preferences) / 2

    def _penalty(self, alpha: np.ndarray) -> float:
        return self.fit.prior.penalty(alpha - self.fit.prior.centre)

    def _slope(self, here: _Point, direction: np.ndarray, model: LinearModel) -> float:
        """Derivative of the objective along a direction, at its start."""
        gradient, _ = pair_derivatives(here.scores, self.problem.preferences)
        falls = float(gradient @ np.tensordot(model.slopes, direction, 2))
        bent = self._penalty(here.alpha + direction) - self._penalty(here.alpha)
        return falls + self._weight * (bent - self.fit.prior.penalty(direction))
