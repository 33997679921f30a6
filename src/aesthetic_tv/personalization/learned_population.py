"""Learn what people have in common, from mean scores or from many people's ratings.

A centre that is learned from many people beats one that is guessed from ten ratings; how far people
stray from it says how much ten ratings may move one of them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch

from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.personalization.agreement import srocc
from aesthetic_tv.personalization.linear_model import LinearModel, fit_linear, linearize
from aesthetic_tv.personalization.newton_solver import POPULATION_STRENGTH, NewtonSolver
from aesthetic_tv.personalization.people_certainty import FEW, certainty_of_people
from aesthetic_tv.personalization.people_prior import (
    COMMON,
    NOISE,
    PHOTO,
    Ratings,
    among,
    common_taste,
    means_of,
    newcomers_prior,
    steepness,
    those_who_differ,
)
from aesthetic_tv.personalization.precision import tower_dtype
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.personalization.solver import Problem
from aesthetic_tv.task_vectors import Population, TaskVectorBank
from aesthetic_tv.task_vectors.layout import Layout

TRIED = tuple(np.logspace(3, -2, 11).tolist())  # strengths, most to least
CENTRE_FOLDS = 5
EQUAL = 0.005  # rank correlations that differ by less say the same
SHARES = (0.0, 0.5, 1.0)  # of the layers' common part, that are tried


def fit_population(
    bank: TaskVectorBank,
    pixel_values: torch.Tensor,
    scores: np.ndarray | None = None,
    people: Mapping[Any, tuple[np.ndarray, np.ndarray]] | None = None,
    *,
    solver: NewtonSolver | None = None,
    groups: np.ndarray | None = None,
) -> Population:
    """The population's centre from mean scores, and its variances from people's ratings.

    Use photos that no vector of the bank was trained on: on those it was, a vector's scores are
    better than they are elsewhere, and the centre would lean on it too much.

    Args:
        bank: the task vectors.
        pixel_values: N photos (N, 3, H, W).
        scores: their mean scores (N,); those of the people, each on a standard scale, when not
            given.
        people: of each person, positions of the photos that were rated, and the ratings.
        solver: of the centre; when not given, the way that foretells the mean scores of held-out
            photos best: a ridge regression along head directions, where the bank has them, or one
            weight a task for all layers, or layer-wise ones.
        groups: (N,) photos of one group are held out together for that, such as those of one theme;
            single photos when not given.

    Raises:
        PreferenceError: neither scores nor people, or nothing to learn from.
    """
    people = those_who_differ(people or {})
    kind = f"{len(people)} people's ratings" if people else "mean scores"
    if bank.directions is not None and solver is None:
        return _along_directions(bank, pixel_values, scores, people, groups, kind)
    if scores is None:
        scores = mean_scores(len(pixel_values), people)
    rows = np.flatnonzero(np.isfinite(scores))
    preferences = Preferences.from_ratings(dict(zip(rows.tolist(), scores[rows], strict=True)))
    uniform = torch.full((len(bank.layers), len(bank.names)), 1 / len(bank.names))
    dtype = tower_dtype("auto" if solver is None else solver.precision, bank.base)
    problem = Problem(bank, pixel_values[rows], preferences, uniform)
    linear = linearize(bank, pixel_values[rows], problem.centre, dtype)
    rated_groups = None if groups is None else np.asarray(groups)[rows]
    solver = solver or choose_solver(linear, np.asarray(scores)[rows], rated_groups)
    centre = solver.solve(replace(problem, linear=linear)).coefficients
    model = linearize(bank, pixel_values, centre.double().numpy().reshape(-1), dtype)
    prior = learn_spread(model, people) if people else _usual_spread(model)
    learned_from = {"kind": kind, "num_photos": len(rows), "num_people": len(people)}
    return _centred(bank.layout, prior.centre, prior, learned_from)


def _along_directions(
    bank: TaskVectorBank,
    pixel_values: torch.Tensor,
    scores: np.ndarray | None,
    people: Ratings,
    groups: np.ndarray | None,
    kind: str,
) -> Population:
    """The population of a bank with head directions; see `people_prior`."""
    layout, dtype = bank.layout, tower_dtype("auto", bank.base)
    of_people, raters = means_of(len(pixel_values), people)
    means, counts = of_people, raters
    if scores is not None:  # of people of whom nothing else is known
        known = np.asarray(scores, dtype=np.float64)
        spread = max(float(np.nanstd(known)), 1e-12)
        means, counts = COMMON * (known - np.nanmean(known)) / spread, np.full(len(known), np.inf)
    rows = np.flatnonzero(np.isfinite(means))
    if len(rows) < 2 or np.ptp(means[rows]) == 0:
        raise PreferenceError(
            f"{len(rows)} photos have ratings that differ; expected 2 or more to learn from."
        )
    groups = np.arange(len(means)) if groups is None else np.asarray(groups)
    origin = linearize(bank, pixel_values[rows], np.zeros(layout.size), dtype)
    taste = common_taste(origin.slopes, layout, means[rows], counts[rows], groups[rows])
    learned_from = {"kind": kind, "num_photos": len(rows), "num_people": len(people)}
    point = steepness(NOISE + PHOTO) * taste.coefficients
    if not people:
        return _centred(layout, point, _usual_spread(replace(origin, point=point)), learned_from)
    slopes = linearize(bank, pixel_values, point, dtype).slopes
    prior = newcomers_prior(taste, slopes, layout, people, np.nan_to_num(of_people), raters)
    rated = among(rows, people)
    certainty = certainty_of_people(origin, rated, groups[rows]) if scores is None else None
    return _centred(layout, prior.centre, replace(prior, certainty=certainty), learned_from)


def _centred(
    layout: Layout, point: np.ndarray, prior: CoefficientPrior, learned_from: dict[str, Any]
) -> Population:
    """A population around a point (P,), with the spread of a prior."""
    alpha, beta = layout.split(torch.from_numpy(point).float())
    return Population(
        alpha.contiguous(),
        prior.layer,
        prior.task,
        learned_from,
        beta.contiguous() if layout.directions else None,
        prior.direction,
        None if prior.factor is None else torch.from_numpy(prior.factor).float(),
        prior.certainty,
    )


def choose_solver(
    model: LinearModel, scores: np.ndarray, groups: np.ndarray | None = None
) -> NewtonSolver:
    """The solver of a centre that ranks held-out photos best, by cross-validation within a linear
    model; of equals the one that tells layers apart least, with the strongest prior.

    Args:
        model: of the photos, around uniform coefficients.
        scores: their mean scores (n,).
        groups: (n,) photos of one group are held out together; single photos when not given.
    """
    best, highest = NewtonSolver(task_share=1.0, loss="bradley-terry"), -np.inf
    if len(scores) <= 2 * FEW:  # which would choose by chance
        return best
    groups = np.arange(len(scores)) if groups is None else np.unique(groups, return_inverse=True)[1]
    folds = min(CENTRE_FOLDS, groups.max() + 1)
    if folds == 1:  # nothing of another group to foretell
        return best
    drawn = np.random.default_rng(len(scores)).permutation(groups.max() + 1) % folds
    parts = [
        (np.flatnonzero(drawn[groups] != fold), np.flatnonzero(drawn[groups] == fold))
        for fold in range(folds)
    ]
    splits = [
        (train, known.as_pairs(), test, truth)
        for part in parts
        for train, known, test, truth in [_split(np.arange(len(scores)), scores, *part)]
    ]
    for share in SHARES[::-1]:
        priors = [
            CoefficientPrior.scaled_to(model.point, model.layout, model.slopes[train], share)
            for train, *_ in splits
        ]
        for strength in TRIED:
            agreement = [
                _held_out(model, prior, *split, strength=strength)
                for prior, split in zip(priors, splits, strict=True)
            ]
            if (found := float(np.mean(agreement))) > highest + EQUAL:
                best, highest = replace(best, strength=strength, task_share=share), found
    return best


def mean_scores(count: int, people: Mapping[Any, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Mean over people of their standardized ratings (count,); NaN where nobody rated a photo.

    Raises:
        PreferenceError: no people.
    """
    if not people:
        raise PreferenceError("Give mean scores, or ratings by person; found neither.")
    total, raters = np.zeros(count), np.zeros(count)
    for rows, ratings in people.values():
        spread = np.std(ratings)
        if spread > 0:
            total[rows] += (ratings - np.mean(ratings)) / spread
            raters[rows] += 1
    return np.divide(total, raters, out=np.full(count, np.nan), where=raters > 0)


def learn_spread(
    model: LinearModel, people: Mapping[Any, tuple[np.ndarray, np.ndarray]]
) -> CoefficientPrior:
    """The prior around the model's point that ranks held-out photos best, over all people.

    Ten of each person's photos foretell the others, and half of them the other half. The narrowest
    prior is taken whose mean rank correlation is within one standard error of the best, so that
    ratings move nobody where moving has not been shown to help. (The held-out loss would also
    reward deviations that only stretch the scores.)

    Args:
        model: of the photos, linearized at the centre.
        people: as for `fit_population`.
    """
    splits = [split for rows, ratings in people.values() for split in _splits(rows, ratings)]
    if not splits:
        return _usual_spread(model)
    priors, found = list[CoefficientPrior](), list[list[float]]()
    for strength in TRIED:
        for share in SHARES:
            whole = CoefficientPrior.scaled_to(model.point, model.layout, model.slopes, share)
            layer, task = whole.layer / strength, whole.task / strength
            priors.append(CoefficientPrior(model.point, model.layout, layer, task))
            found.append([_held_out(model, priors[-1], *split) for split in splits])
    agreement = np.array(found)  # (priors, splits), narrowest prior first
    best = agreement[agreement.mean(1).argmax()]
    error = (best - agreement).std(1) / np.sqrt(len(splits))
    near = np.flatnonzero(best.mean() - agreement.mean(1) <= error)
    return priors[near[0]]


def _usual_spread(model: LinearModel) -> CoefficientPrior:
    """As where no population is known; how much of it counts, each person's ratings decide."""
    return CoefficientPrior.scaled_to(model.point, model.layout, model.slopes, 0.5)


# Photos and preferences to fit, photos and ratings to foretell.
Split: TypeAlias = tuple[np.ndarray, Preferences, np.ndarray, np.ndarray]


def _split(rows: np.ndarray, ratings: np.ndarray, train: np.ndarray, test: np.ndarray) -> Split:
    """Ratings of the photos `rows`, split by positions among them."""
    known = Preferences.from_ratings(dict(enumerate(ratings[train].tolist())))
    return rows[train], known, rows[test], ratings[test]


def _splits(rows: np.ndarray, ratings: np.ndarray) -> list[Split]:
    """Photos and preferences to fit, photos and ratings to foretell, four times: two draws of
    `FEW`, and each half; without those where either is of one rating.
    """
    random = np.random.default_rng(len(rows))
    orders = [random.permutation(len(rows)) for _ in range(3)]
    half = len(rows) // 2
    cuts = [(orders[0], FEW), (orders[1], FEW), (orders[2], half), (orders[2][::-1], half)]
    parts = [(order[:count], order[count:]) for order, count in cuts]
    return [
        _split(rows, ratings, train, test)
        for train, test in parts
        if min(len(train), len(test)) >= 2
        and min(np.ptp(ratings[train]), np.ptp(ratings[test])) > 0
    ]


def _held_out(
    model: LinearModel,
    prior: CoefficientPrior,
    train: np.ndarray,
    known: Preferences,
    test: np.ndarray,
    truth: np.ndarray,
    strength: float = POPULATION_STRENGTH,
) -> float:
    """SROCC on the photos `test` of a fit to others."""
    fit = fit_linear(model.subset(train), prior, known, strength)
    return srocc(model.subset(test).at(fit.coefficients), truth)
