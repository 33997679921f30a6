"""Whether stated chances are as sure as they should be: one factor on their logits.

Scores are drawn towards what is known beforehand, so that the order of two photos is right more
often than their gap says; where nothing was known beforehand, less often. How much so is learned
from people on photos they did not rate, and from each one's own ratings, foretold from the others
(temperature scaling; Guo et al. 2017, "On calibration of modern neural networks").
"""

import numpy as np
from scipy.optimize import minimize_scalar

from aesthetic_tv.personalization.preferences import RATING_NOISE, TOLD

# Standard deviations of the logarithm of one person's factor: around that of other people, and
# around 1 where there were none.
AROUND_PEOPLE, AROUND_NOTHING = 1 / 4, 1.0
LOGARITHMS = (-3.0, 3.0)


def logits(gap: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Of preferring the first of two photos: the logistic choice averaged over a Gaussian gap of
    scores, by MacKay's approximation.

    MacKay (1992), "The evidence framework applied to classification networks".

    Args:
        gap: mean difference of the scores, first less second.
        variance: of that difference.
    """
    return gap / np.sqrt(1 + np.pi / 8 * variance)


def fit_certainty(
    told: np.ndarray, choices: float, usual: float = 1.0, spread: float = np.inf
) -> float:
    """The factor on logits under which what was found is most likely.

    Args:
        told: logits of orders that were found right (m,), negative where they were not.
        choices: how many independent choices they are.
        usual: the factor before anything is found.
        spread: standard deviation of its logarithm.
    """
    if not len(told):
        return usual

    def surprise(logarithm: float) -> float:
        missed = np.logaddexp(0.0, -np.exp(logarithm) * told).mean()
        return choices * missed + ((logarithm - np.log(usual)) / spread) ** 2 / 2

    return float(np.exp(minimize_scalar(surprise, bounds=LOGARITHMS, method="bounded").x))


def own_certainty(
    targets: np.ndarray, offset: np.ndarray, known: np.ndarray, usual: float | None
) -> float:
    """The factor for one person: each rating is foretold from the others, and the orders compared.

    Args:
        targets: where the ratings put the scores (n,), as by `Preferences.targets`.
        offset: scores at the centre of the prior (n,).
        known: the prior's covariance of the scores (n, n).
        usual: other people's factor; `None` where it is not known.
    """
    # The level stays that of all ratings: without a photo, the mean of the others would lean away
    # from it, and make every order look worse than it is.
    inverse = np.linalg.inv(known + RATING_NOISE * np.eye(len(targets)))
    left_out = 1 / inverse.diagonal()
    missed = (targets - targets.mean()) - (offset - offset.mean())
    foretold = targets - left_out * (inverse @ missed)
    variance = (left_out - RATING_NOISE).clip(0)
    better, worse = np.nonzero(targets[:, None] > targets[None, :])
    told = logits(foretold[better] - foretold[worse], variance[better] + variance[worse])
    spread = AROUND_NOTHING if usual is None else AROUND_PEOPLE
    return fit_certainty(told, TOLD * len(targets), usual or 1.0, spread)
