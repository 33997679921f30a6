"""The Newton solver: scores are nearly linear in alpha, so fit alpha where they are, exactly.

Each round costs one forward and one backward pass over the support set (`jacobian`), then solves a
convex problem of n unknowns (`convex_fit`) in milliseconds, and searches the way there by the true
loss. Deterministic; stops by itself.

The instant solver is its first round alone: one point of linearization, the same for everyone. With
the features of an album at hand (`photo_features`), its fit takes milliseconds, and one search of
the way on the true loss goes on from there to a merged scorer.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization.convex_fit import preference_derivatives, preference_loss
from aesthetic_tv.personalization.linear_model import (
    LinearFit,
    LinearModel,
    fit_linear,
    linearize,
)
from aesthetic_tv.personalization.precision import (
    Precision,
    all_scores,
    check_precision,
    tower_dtype,
)
from aesthetic_tv.personalization.preferences import CHOICES_PER_RATING, Preferences
from aesthetic_tv.personalization.prior import DIRECTION_SHARE, CoefficientPrior
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
        task_share: share of the task vectors' spread in the prior that all layers of a task have in
            common, in [0, 1]; the rest is each layer's own. A population says that itself.
        directions: weigh the bank's head directions too; without, only what is fine-tuned on
            databases is weighed, as in the paper. A population says that itself.
        loss: of ratings: `normal`, scores with normal noise on the person's own scale, or
            `bradley-terry`, their order alone as in the paper. Pairs and rankings have the latter.
        rounds: points of linearization at most.
        tolerance: stop when a round lowers the objective by less than this share.
        precision: of products inside the tower; `auto` is bfloat16 where that is faster.
    """

    name: ClassVar[str] = "newton"

    strength: float | None = None
    task_share: float = 0.5
    directions: bool = True
    loss: Literal["normal", "bradley-terry"] = "normal"
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
        if self.loss not in ("normal", "bradley-terry"):
            raise SettingError(f"loss must be normal or bradley-terry, got {self.loss!r}.")
        check_precision(self.precision)

    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON."""
        return asdict(self)

    def told(self, preferences: Preferences) -> Preferences:
        """Preferences as this solver takes them."""
        return preferences if self.loss == "normal" else preferences.as_pairs()

    def prior(self, problem: Problem, model: LinearModel) -> CoefficientPrior:
        """The population's prior where the problem starts there, otherwise one scaled to it."""
        layout = problem.bank.layout
        if problem.population is not None:
            return CoefficientPrior.of_population(problem.population, layout)
        share = DIRECTION_SHARE if self.directions else 0.0
        return CoefficientPrior.scaled_to(
            problem.centre, layout, model.slopes, self.task_share, share
        )

    def linear_fit(self, problem: Problem, model: LinearModel) -> LinearFit:
        """The fit within a linear model of the support photos: n x n algebra, milliseconds."""
        strength, prior = self.strength, self.prior(problem, model)
        if problem.population is not None and problem.population.spread_is_known:
            strength = strength or POPULATION_STRENGTH
        return fit_linear(model, prior, self.told(problem.preferences), strength)

    def solve(self, problem: Problem, progress: Progress | None = None) -> Solution:
        """Fit alpha; where nothing speaks for another, the initialization comes back."""
        dtype = tower_dtype(self.precision, problem.bank.base)
        problem = replace(problem, preferences=self.told(problem.preferences))
        centre = problem.centre
        model = problem.linear or linearize(problem.bank, problem.pixel_values, centre, dtype)
        first = self.linear_fit(problem, model)
        objective = _Objective(problem, first, dtype)
        here, target = objective.start(model), first
        history = [here.value]
        for turn in range(self.rounds if np.isfinite(first.strength) else 0):
            if progress is not None:
                progress("fit", turn, self.rounds)
            if turn > 0:
                model = linearize(problem.bank, problem.pixel_values, here.alpha, dtype)
                target = fit_linear(model, first.prior, problem.preferences, first.strength)
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
        coefficients = problem.bank.shaped(torch.from_numpy(here.alpha).float())
        return Solution(coefficients, tuple(history), here.scores)


@dataclass(frozen=True)
class InstantSolver(NewtonSolver):
    """The Newton solver's first round alone."""

    name: ClassVar[str] = "instant"

    rounds: int = 1


@dataclass(frozen=True, eq=False)
class _Point:
    """Coefficients alpha = centre + S pull, the objective and the scores there."""

    alpha: np.ndarray
    pull: np.ndarray
    value: float
    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class _Objective:
    """The true loss of the merged scorer, and the prior."""

    problem: Problem
    fit: LinearFit
    dtype: torch.dtype

    def start(self, model: LinearModel) -> _Point:
        """The centre of the prior; its scores are known where the model is linearized there."""
        centre = self.fit.prior.centre
        nothing = np.zeros_like(centre)
        if np.allclose(centre, model.point, rtol=0, atol=1e-6):
            return self._point(centre, nothing, model.scores)
        return self.at(centre, nothing)

    def at(self, alpha: np.ndarray, pull: np.ndarray) -> _Point:
        """One pass over the support photos."""
        scorer = self.problem.bank.merge(alpha)
        scores = all_scores(scorer, self.problem.pixel_values, self.dtype).numpy()
        return self._point(alpha, pull, scores)

    def search(self, here: _Point, target: LinearFit, model: LinearModel) -> _Point:
        """The better of the full step and, where that is too long, the lowest point of the parabola
        through what is known; shorter ones while neither is below the start.
        """
        direction, pull = target.coefficients - here.alpha, target.pull - here.pull
        full = self.at(target.coefficients, target.pull)
        slope = self._slope(here, direction, pull, model)
        curvature = full.value - here.value - slope
        length = -slope / (2 * curvature) if curvature > 0 else 1.0
        if length > LONGEST:
            return full
        length, best = max(length, SHORTEST), full
        for _ in range(TRIALS):
            shorter = self.at(here.alpha + length * direction, here.pull + length * pull)
            best = min(best, shorter, key=lambda point: point.value)
            if best.value < here.value:
                break
            length /= 4
        return best

    def _point(self, alpha: np.ndarray, pull: np.ndarray, scores: np.ndarray) -> _Point:
        value = preference_loss(scores, self.problem.preferences)
        if np.isfinite(self._precision):
            # d^T S^-1 d of a deviation d = S v is d^T v, however singular S is
            value += self._precision / 2 * float((alpha - self.fit.prior.centre) @ pull)
        return _Point(alpha, pull, value, scores)

    @property
    def _precision(self) -> float:
        return CHOICES_PER_RATING * self.fit.strength / self.problem.preferences.choices

    def _slope(
        self, here: _Point, direction: np.ndarray, pull: np.ndarray, model: LinearModel
    ) -> float:
        """Derivative of the objective along a direction = S pull, at its start."""
        gradient, _ = preference_derivatives(here.scores, self.problem.preferences)
        falls = float(gradient @ (model.slopes @ direction))
        return falls + self._precision * float((here.alpha - self.fit.prior.centre) @ pull)
