"""How sure stated chances should be, learned from people and photos that are new to the prior."""

import numpy as np

from aesthetic_tv.personalization.linear_model import LinearModel, fit_linear
from aesthetic_tv.personalization.people_prior import (
    Ratings,
    among,
    common_taste,
    folds_of_groups,
    means_of,
    newcomers_prior,
    scale_of,
    those_who_differ,
)
from aesthetic_tv.personalization.posterior import Posterior, fit_certainty, logits
from aesthetic_tv.personalization.preferences import Preferences

FEW = 10  # ratings that are few


def certainty_of_people(model: LinearModel, people: Ratings, groups: np.ndarray) -> float | None:
    """The factor under which chances that are stated after `FEW` ratings are right as often as they
    say, for people and photos that the prior was not learned from: half of the people and
    two thirds of the groups of photos teach the others' prior, by turns.

    Args:
        model: of the photos (n,), near coefficients 0.
        people: of each, positions of the rated photos, and the ratings.
        groups: (n,) photos that are held out together.

    Returns:
        The factor; `None` with too few people or photos to know it.
    """
    names = list(people)
    order = np.random.default_rng(len(names)).permutation(len(names))
    halves = [[names[i] for i in order[half::2]] for half in range(2)]
    thirds = [out for repeat, out in folds_of_groups(groups, 3) if repeat == 0]
    found = [
        logits
        for out in thirds
        for half in range(2)
        for logits in _logits_of_others(
            model,
            groups,
            ~out,
            {name: people[name] for name in halves[half]},
            {name: people[name] for name in halves[1 - half]},
            scale_of(people),
        )
    ]
    if not found:
        return None
    return fit_certainty(np.concatenate(found), sum(map(len, found)))


def _logits_of_others(
    model: LinearModel,
    groups: np.ndarray,
    known: np.ndarray,
    teachers: Ratings,
    others: Ratings,
    scale: tuple[float, float],
) -> list[np.ndarray]:
    """Logits of the right orders of photos, stated for each of the others by a prior that their
    teachers taught with the photos `known` (n,).
    """
    rows = np.flatnonzero(known)
    taught = those_who_differ(among(rows, teachers))
    means, counts = means_of(len(rows), taught)
    rated = np.isfinite(means)
    if len(taught) < 2 or rated.sum() < 2 or np.ptp(means[rated]) == 0:
        return []
    slopes = model.slopes[rows]
    taste = common_taste(
        slopes[rated], model.layout, means[rated], counts[rated], groups[rows][rated]
    )
    means = np.nan_to_num(means)
    prior = newcomers_prior(taste, slopes, model.layout, taught, means, counts)
    new = np.flatnonzero(~known)
    unseen = model.subset(new)
    found, middle = list[np.ndarray](), unseen.slopes.mean(0)
    for photos, ratings in among(new, others).values():
        drawn = np.random.default_rng(len(ratings)).permutation(len(ratings))
        first, rest = drawn[:FEW], drawn[FEW:]
        if len(rest) < 2 or min(np.ptp(ratings[first]), np.ptp(ratings[rest])) == 0:
            continue
        support = unseen.subset(photos[first])
        preferences = Preferences.from_ratings(
            dict(enumerate(ratings[first].tolist())), scale=scale
        )
        fit = fit_linear(support, prior, preferences, 1.0)
        posterior = Posterior.after(
            support, fit.coefficients, prior, fit.strength, preferences, middle
        )
        query = unseen.subset(photos[rest])
        scores = query.at(fit.coefficients)
        better, worse = np.nonzero(ratings[rest][:, None] > ratings[rest][None, :])
        variance = posterior.gap_variances(query.slopes, better, worse)
        found.append(logits(scores[better] - scores[worse], variance))
    return found
