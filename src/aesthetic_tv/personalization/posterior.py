"""How sure a linear fit is: Laplace's approximation around it, in n x n algebra; and whether the
chances stated by it are as sure as they should be: one factor on their logits, the certainty.

Scores are drawn towards what is known beforehand, so that the order of two photos is right more
often than their gap says; where nothing was known beforehand, less often. How much so is learned
from people on photos they did not rate, and from each one's own ratings, foretold from the others
(temperature scaling; Guo et al. 2017, "On calibration of modern neural networks").
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from aesthetic_tv.personalization.convex_fit import STRENGTHS, preference_derivatives
from aesthetic_tv.personalization.linear_model import LinearModel
from aesthetic_tv.personalization.preferences import CHOICES_PER_RATING, RATING_NOISE, Preferences
from aesthetic_tv.personalization.prior import CoefficientPrior

# Standard deviations of the logarithm of one person's certainty: around that of other people, and
# around 1 where there were none.
AROUND_PEOPLE, AROUND_NOTHING = 1 / 4, 1.0
LOGARITHMS = (-3.0, 3.0)  # that are tried


@dataclass(frozen=True, eq=False)
class Posterior:
    """Covariances of the scores of any photos, given a person's ratings of some.

    A score is known but for a constant that all photos share, so slopes are taken from `middle`,
    the mean of an album: variances are those of a score against the album's mean score.

    Args:
        prior: on the coefficients.
        strength: of the prior, finite.
        middle: (P,), subtracted from the slopes.
        support: the n rated photos, whitened as by `_whitened` (n, r); none before any rating.
        learned: (n, n), what the ratings take away: (I + W P)^-1 W, where P is the prior's
            covariance of the support scores and W the curvature of the loss.
        certainty: factor on the logits of stated chances.
    """

    prior: CoefficientPrior
    strength: float
    middle: np.ndarray
    support: np.ndarray
    learned: np.ndarray
    certainty: float = 1.0

    @classmethod
    def before(
        cls, prior: CoefficientPrior, middle: np.ndarray, strength: float = 1.0
    ) -> "Posterior":
        """The prior itself, when nobody has rated anything."""
        nothing = prior.whitened(np.empty((0, *middle.shape), dtype=middle.dtype))
        certainty = prior.certainty or 1.0
        return cls(prior, strength, middle, nothing, np.empty((0, 0)), certainty)

    @classmethod
    def after(
        cls,
        model: LinearModel,
        alpha: np.ndarray,
        prior: CoefficientPrior,
        strength: float,
        preferences: Preferences,
        middle: np.ndarray,
    ) -> "Posterior":
        """After a fit.

        Args:
            model: of the n support photos.
            alpha: the fit (P,).
            prior, strength: of the fit; of a fit that did not leave the centre, the greatest
                strength there is, so that what is not known is not taken for certain.
            preferences: over the same photos.
            middle: mean slopes of the album (P,).
        """
        strength = min(strength, max(x for x in STRENGTHS if np.isfinite(x)))
        support = prior.whitened(model.slopes) - prior.whitened(middle)
        count = len(model)
        curvature = preferences.choices * preference_derivatives(model.at(alpha), preferences)[1]
        known = support @ support.T / (CHOICES_PER_RATING * strength)
        learned = np.linalg.solve(np.eye(count) + curvature @ known, curvature)
        certainty, targets = prior.certainty or 1.0, preferences.targets
        if targets is not None:
            rows = preferences.rated  # not those that were compared alone
            offset, rated = model.at(prior.centre)[rows], known[np.ix_(rows, rows)]
            certainty = own_certainty(targets, offset, rated, prior.certainty)
        return cls(prior, strength, middle, support, learned, certainty)

    def variances(self, slopes: np.ndarray) -> np.ndarray:
        """Of the scores of m photos with slopes (m, P): (m,)."""
        white = self._whitened(slopes)
        before = np.einsum("ij,ij->i", white, white)
        cross = self._with_support(white)
        taken = np.einsum("ij,ij->i", cross @ self.learned, cross)
        return np.maximum(before / (CHOICES_PER_RATING * self.strength) - taken, 0.0)

    def covariance(self, slopes: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Between the scores of m and of p photos: (m, p)."""
        first = self._whitened(slopes)
        second = first if others is slopes else self._whitened(others)
        before = first @ second.T / (CHOICES_PER_RATING * self.strength)
        return before - self._with_support(first) @ self.learned @ self._with_support(second).T

    def gap_variances(
        self, slopes: np.ndarray, first: np.ndarray, second: np.ndarray
    ) -> np.ndarray:
        """Of the differences of scores between pairs among m photos: (p,), at least 0.

        Args:
            slopes: of the photos (m, P).
            first, second: positions of each pair's photos (p,).
        """
        between = self.covariance(slopes, slopes)
        own = between.diagonal()
        return np.maximum(own[first] + own[second] - 2 * between[first, second], 0.0)

    def columns(self, slopes: np.ndarray) -> Callable[[int], np.ndarray]:
        """The columns (m,) of `covariance` among m photos, each made when it is asked for."""
        white = self._whitened(slopes)
        cross, scale = self._with_support(white), CHOICES_PER_RATING * self.strength
        return lambda row: white @ white[row] / scale - cross @ (self.learned @ cross[row])

    def factor(self) -> np.ndarray:
        """F (r, P), the posterior covariance of the coefficients as F^T F: with J less `middle`,
        J F^T F J^T is `covariance`.
        """
        scale = CHOICES_PER_RATING * self.strength
        width = self.prior.whitened(self.middle).shape[-1]
        # What ratings take away lies in the span of the n rated photos: across it the prior stays.
        axes, triangle = np.linalg.qr(self.support.T.astype(np.float64))  # (r, m), (m, n)
        taken = triangle @ self.learned @ triangle.T / scale
        shares, turned = np.linalg.eigh((taken + taken.T) / 2)
        along = axes @ turned
        kept = np.sqrt((1 - shares).clip(0, 1))
        white = np.eye(width) + (along * (kept - 1)) @ along.T
        return self.prior.coloured(white / np.sqrt(scale))

    def draws(self, count: int, seed: int = 0) -> np.ndarray:
        """Deviations of the coefficients from the fit, drawn from the posterior: (count, P).

        Args:
            count: how many.
            seed: of the draws.
        """
        factor = self.factor()
        return np.random.default_rng(seed).standard_normal((count, len(factor))) @ factor

    def pair_probability(self, gap: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Probability that the first of two photos is preferred, if either is, in [0, 1].

        Args:
            gap: mean difference of the scores, first less second.
            variance: of that difference.
        """
        return expit(self.certainty * logits(gap, variance))

    def _whitened(self, slopes: np.ndarray) -> np.ndarray:
        return self.prior.whitened(slopes) - self.prior.whitened(self.middle)

    def _with_support(self, white: np.ndarray) -> np.ndarray:
        return white @ self.support.T / (CHOICES_PER_RATING * self.strength)


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
    found: np.ndarray, choices: float, usual: float = 1.0, spread: float = np.inf
) -> float:
    """The factor on logits under which the orders that were found are most likely.

    Args:
        found: logits stated for the orders that were found (m,), negative where the other order
            was the likelier.
        choices: how many independent choices they are.
        usual: the most likely factor before any order is known.
        spread: standard deviation of its logarithm.
    """
    if not len(found):
        return usual

    def surprise(logarithm: float) -> float:
        missed = np.logaddexp(0.0, -np.exp(logarithm) * found).mean()
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
    found = logits(foretold[better] - foretold[worse], variance[better] + variance[worse])
    spread = AROUND_NOTHING if usual is None else AROUND_PEOPLE
    return fit_certainty(found, CHOICES_PER_RATING * len(targets), usual or 1.0, spread)
