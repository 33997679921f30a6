"""The ways to score a person's photos that an evaluation compares, by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation.case import Answer, Case
from aesthetic_tv.evaluation.rivals import RIVALS, Tuning, tuned
from aesthetic_tv.evaluation.statistics import TASK
from aesthetic_tv.personalization import SOLVERS, InstantSolver, LinearSolver, solver_named
from aesthetic_tv.personalization.linear_model import LinearModel
from aesthetic_tv.personalization.solver import Initialization, initialization_of
from aesthetic_tv.task_vectors import TaskVectorBank

SINGLE = "single"  # stands for all of them


@dataclass(frozen=True)
class Method:
    """One way to score.

    Args:
        name: as it is called in results.
        answer: scores of a case.
        slow: takes seconds a fit, so that an evaluation may leave it to a part of the people.
        needs_population: works with a bank that knows one alone.
    """

    name: str
    answer: Callable[[Case], Answer]
    slow: bool = False
    needs_population: bool = False


def generic(case: Case) -> Answer:
    """The bank's generic score, one taste for all: `population` where it knows one, otherwise
    `uniform`; what `TaskVectorBank.generic_score` gives.
    """
    return Answer.of_all(case.pool.linear.scores, case.split)


def mean(case: Case) -> Answer:
    """The mean of the scores of all single task models."""
    return Answer.of_all(case.pool.task_scores.mean(1), case.split)


def uniform(case: Case) -> Answer:
    """The merge at alpha = 1/K."""
    return Answer.of_all(case.pool.uniform_scores, case.split)


def population(case: Case) -> Answer:
    """The population's centre, with no personal data."""
    scores = case.pool.population_scores
    assert scores is not None  # the method needs a bank that knows a population
    return Answer.of_all(scores, case.split)


def single(case: Case, *, task: str) -> Answer:
    """One single task model."""
    column = case.pool.bank.names.index(task)
    return Answer.of_all(case.pool.task_scores[:, column], case.split)


def best_fit(case: Case) -> Answer:
    """The single task model that agrees best with the support set."""
    column = int(case.initial("best-fit")[0].argmax())
    return Answer.of_all(case.pool.task_scores[:, column], case.split)


def others(case: Case) -> Answer:
    """The mean of other people's ratings: what a perfect score for all would know, an oracle."""
    return Answer.of_all(case.others, case.split)


def adaptive(case: Case) -> Answer:
    """The adaptive initialization alone (paper eq. 4), merged."""
    return _merged(case, case.initial("adaptive"))


def solved(
    case: Case,
    *,
    solver: str,
    settings: Mapping[str, Any],
    initialization: Initialization | None = None,
) -> Answer:
    """The merged scorer of the coefficients that a solver finds.

    Args:
        case: the person.
        solver: its name; made with the case's seed.
        settings: of the solver, in place of its defaults.
        initialization: where it starts and what its prior is; the solver's own when `None`.
    """
    made = solver_named(solver, seed=case.seed % 2**32, **settings)
    start = initialization or initialization_of(made, case.pool.bank)
    solution = made.solve(case.problem(start))
    return _merged(case, solution.coefficients, solution.scores)


def instant(
    case: Case, *, solver: LinearSolver | None = None, initialization: Initialization | None = None
) -> Answer:
    """The fit within the linear model of the pool, on cached features."""
    problem = case.problem(initialization)
    assert problem.linear is not None
    fit = (solver or InstantSolver()).linear_fit(problem, problem.linear)
    return _within(case.pool.linear, fit.coefficients, case)


def instant_mse(case: Case) -> Answer:
    """As `instant` around the same prior, but by squared errors of the ratings, laid linearly on
    the range of the bins as the paper's MSE has them: regression with a Gaussian prior, whose
    noise is chosen by evidence.
    """
    problem, bank = case.problem(), case.pool.bank
    model = case.pool.linear.subset(case.split.support)
    prior = InstantSolver().prior(problem, model)
    (low, high), bins = case.scale, bank.base.config.bin_values
    targets = bins[0] + (case.ratings - low) / (high - low) * (bins[-1] - bins[0])
    residuals = targets - model.at(prior.centre)
    values, vectors = np.linalg.eigh(prior.gram(model.slopes))
    turned = vectors.T @ (residuals - residuals.mean())

    def surprise(noise: float) -> float:
        spread = values.clip(0) + noise
        return float((turned**2 / spread + np.log(spread)).sum())

    noise = min(np.logspace(-3, 2, 26) * residuals.var().clip(1e-6), key=surprise)
    dual = vectors @ (turned / (values.clip(0) + noise))
    alpha = prior.centre + prior.spread(dual @ model.slopes)
    return _within(case.pool.linear, alpha, case)


def tuning(case: Case, *, settings: Tuning) -> Answer:
    """The best-fit single task model, its weights trained on the support set (paper Table 5)."""
    bank = case.pool.bank
    start = bank.task_scorer(bank.names[int(case.initial("best-fit")[0].argmax())])
    scorer = tuned(start, case.support_pixels, case.preferences, replace(settings, seed=case.seed))
    return Answer(scorer.score_pixels(case.support_pixels), scorer.score_pixels(case.query_pixels))


def _merged(case: Case, alpha: torch.Tensor, known: np.ndarray | None = None) -> Answer:
    """The scores of the merged scorer; those of the support set may be known already."""
    scorer = case.pool.bank.merge(alpha)
    support = scorer.score_pixels(case.support_pixels) if known is None else known
    return Answer(support, scorer.score_pixels(case.query_pixels), alpha.numpy())


def _within(linear: LinearModel, alpha: np.ndarray, case: Case) -> Answer:
    scores = (
        linear.subset(case.split.support).at(alpha),
        linear.subset(case.split.query).at(alpha),
    )
    return Answer(*scores, case.pool.bank.shaped(torch.from_numpy(alpha)).numpy())


def _solved(
    name: str, slow: bool, solver: str, initialization: Initialization | None = None, **settings
) -> Method:
    answer = partial(solved, solver=solver, settings=settings, initialization=initialization)
    return Method(name, answer, slow)


_KNOWN = [
    Method("generic", generic),
    Method("mean", mean),
    Method("uniform", uniform),
    Method("population", population, needs_population=True),
    Method("others", others),
    Method("best-fit", best_fit),
    Method("adaptive", adaptive),
    _solved("newton", False, "newton"),
    _solved("newton-uniform", False, "newton", "uniform"),
    _solved("newton-adaptive", False, "newton", "adaptive"),
    _solved("newton-taskwise", False, "newton", "uniform", task_share=1.0),
    Method("instant", instant),
    Method("instant-mse", instant_mse),
    Method("instant-uniform", partial(instant, initialization="uniform")),
    Method("instant-adaptive", partial(instant, initialization="adaptive")),
    Method("instant-taskwise", partial(instant, solver=InstantSolver(task_share=1.0),
                                       initialization="uniform")),
    Method("instant-pairs", partial(instant, solver=InstantSolver(loss="bradley-terry"))),
    Method("instant-tasks", partial(instant, solver=InstantSolver(directions=False),
                                    initialization="uniform")),
    *(Method(name, answer) for name, answer in RIVALS.items()),
    _solved("paper", True, "paper"),
    _solved("paper-uniform", True, "paper", "uniform"),
    _solved("paper-best-fit", True, "paper", "best-fit"),
    _solved("paper-mse", True, "paper", "adaptive", loss="mse"),
    _solved("paper-taskwise", True, "paper", "adaptive", layerwise=False),
    Method("fine-tuning", partial(tuning, settings=Tuning()), slow=True),
    Method("lora", partial(tuning, settings=Tuning.lora()), slow=True),
]  # fmt: skip
METHODS: Mapping[str, Method] = {method.name: method for method in _KNOWN}


def methods_named(names: Iterable[str], bank: TaskVectorBank) -> dict[str, Method]:
    """The methods of these names; `single` stands for all single task models of the bank.

    Raises:
        SettingError: an unknown name, or a method that the bank knows too little for.
    """
    found = dict[str, Method]()
    for name in names:
        tasks = bank.names if name == SINGLE else ()
        if name.startswith(TASK):
            tasks = (name.removeprefix(TASK),)
        for task in tasks:
            if task not in bank.names:
                raise SettingError(
                    f"no task {task!r} in this bank; it has {', '.join(bank.names)}."
                )
            called = TASK + task
            found[called] = Method(called, partial(single, task=task))
        if tasks:
            continue
        method = METHODS.get(name)
        if method is None and name in SOLVERS:
            method = _solved(name, True, name)
        if method is None:
            raise SettingError(
                f"there is no method {name!r}; expected one of {SINGLE}, '{TASK}NAME', "
                f"{', '.join({**METHODS, **SOLVERS})}."
            )
        if method.needs_population and bank.population is None:
            raise SettingError(
                f"{name} needs a bank that knows a population; learn one with "
                "`aesthetic-tv bank population`, or leave this method out."
            )
        found[name] = method
    if not found:
        raise SettingError("name at least one method.")
    return found
