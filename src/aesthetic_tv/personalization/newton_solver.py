"""The Newton solver: scores are nearly linear in alpha, so fit alpha where they are, exactly.

Each round costs one forward and one backward pass over the support set (`jacobian`), then solves a
convex problem of n unknowns (`convex_fit`) in milliseconds. Deterministic; stops by itself.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization.convex_fit import choose_strength, fit_dual, pair_loss
from aesthetic_tv.personalization.jacobian import jacobian
from aesthetic_tv.personalization.solver import Problem, Progress, Solution

LINE_SEARCH = (1.0, 0.5, 0.25, 0.125)


@dataclass(frozen=True)
class NewtonSolver:
    """Convex fits around a few points of linearization, with a Gaussian prior on alpha.

    Args:
        strength: precision of the prior, in units in which the support scores would spread by 1;
            `None` chooses it by cross-validation on the support set.
        task_share: share of the prior's spread that all layers of a task have in common, in
            [0, 1]; the rest is each layer's own.
        rounds: points of linearization at most.
        tolerance: stop when a round lowers the objective by less than this share.
        seed: of the cross-validation's folds.
    """

    name: ClassVar[str] = "newton"

    strength: float | None = None
    task_share: float = 0.5
    rounds: int = 3
    tolerance: float = 0.01
    seed: int = 0

    def __post_init__(self):
        if self.strength is not None and not self.strength > 0:
            raise SettingError(f"strength must be above 0, or None; got {self.strength}.")
        if not 0 <= self.task_share <= 1:
            raise SettingError(f"task_share must be in [0, 1], got {self.task_share}.")
        if self.rounds < 1:
            raise SettingError(f"rounds must be 1 or more, got {self.rounds}.")
        if not self.tolerance >= 0:
            raise SettingError(f"tolerance must be 0 or more, got {self.tolerance}.")

    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON."""
        return asdict(self)

    def solve(self, problem: Problem, progress: Progress | None = None) -> Solution:
        """Fit alpha; where nothing beats the initialization, that is what comes back."""
        preferences = problem.preferences
        centre = problem.initial.double().numpy()  # (L, K)
        alpha, prior, strength, history = centre, None, self.strength, list[float]()
        for turn in range(self.rounds):
            scores, slopes = _linearize(problem, alpha)
            if progress is not None:
                progress("fit", turn + 1, self.rounds)
            if prior is None:
                prior = _Prior.scaled_to(slopes, self.task_share)
            offset = scores + np.tensordot(slopes, centre - alpha, 2)
            gram = prior.gram(slopes)
            if strength is None:
                choice = choose_strength(offset, gram, preferences, seed=self.seed)
                strength = choice.strength
            if not np.isfinite(strength):
                break  # the support set does not speak for any deviation
            value = pair_loss(scores, preferences) + strength / 2 * prior.penalty(alpha - centre)
            history += [] if history else [value]
            dual = fit_dual(offset, gram, preferences, strength)
            target = centre + prior.spread(np.tensordot(dual, slopes, 1))
            found = _line_search(problem, alpha, target, centre, prior, strength)
            if found is None or found[1] >= value:
                break
            alpha, reached = found
            history.append(reached)
            if value - reached < self.tolerance * abs(value):
                break
        return Solution(torch.from_numpy(alpha).float(), tuple(history))


@dataclass(frozen=True)
class _Prior:
    """S: deviations of alpha (L, K) have variance `task` in common for all layers of a task, and
    variance `layer` of each layer's own.
    """

    layer: float
    task: float

    @classmethod
    def scaled_to(cls, slopes: np.ndarray, task_share: float) -> "_Prior":
        """Variances for which the support scores spread by 1 on average."""
        centred = slopes - slopes.mean(0)
        own = (centred**2).sum((1, 2)).mean()
        shared = (centred.sum(1) ** 2).sum(1).mean()
        return cls((1 - task_share) / max(own, 1e-300), task_share / max(shared, 1e-300))

    def spread(self, v: np.ndarray) -> np.ndarray:
        """S v for v (L, K)."""
        return self.layer * v + self.task * v.sum(0, keepdims=True)

    def gram(self, slopes: np.ndarray) -> np.ndarray:
        """J S J^T (n, n), for J (n, L, K)."""
        flat, shared = slopes.reshape(len(slopes), -1), slopes.sum(1)
        return self.layer * flat @ flat.T + self.task * shared @ shared.T

    def penalty(self, deviation: np.ndarray) -> float:
        """deviation^T S^-1 deviation, by Sherman and Morrison; without the layers' own part, only
        what they have in common can deviate.
        """
        if self.layer == 0:
            return float((deviation.mean(0) ** 2).sum() / self.task)
        layers = len(deviation)
        shrink = self.task / (self.layer + layers * self.task)
        total = (deviation**2).sum() - shrink * (deviation.sum(0) ** 2).sum()
        return float(total / self.layer)


def _linearize(problem: Problem, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n,) and J (n, L, K) at alpha, float64."""
    scorer = problem.bank.merge(alpha)
    scores, slopes = jacobian(scorer, problem.pixel_values, problem.bank.stacked)
    return scores.double().numpy(), slopes.double().numpy()


def _line_search(
    problem: Problem,
    alpha: np.ndarray,
    target: np.ndarray,
    centre: np.ndarray,
    prior: _Prior,
    strength: float,
) -> tuple[np.ndarray, float] | None:
    """The first point on the way to the target where the true objective stops falling."""
    best = None
    for length in LINE_SEARCH:
        point = alpha + length * (target - alpha)
        scores = problem.bank.merge(point).score_pixels(problem.pixel_values)
        value = pair_loss(scores, problem.preferences)
        value += strength / 2 * prior.penalty(point - centre)
        if best is not None and value >= best[1]:
            break
        best = (point, value)
    return best
