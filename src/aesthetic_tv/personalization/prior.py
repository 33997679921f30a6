"""The prior on coefficients: a Gaussian with a part for layers, for tasks and for head directions,
and one of low rank for what people differ in.
"""

from dataclasses import dataclass

import numpy as np

from aesthetic_tv.task_vectors.layout import Layout
from aesthetic_tv.task_vectors.population import Population

LEAST = 1e-300  # in place of 0, for photos whose scores no coefficient moves
# A coefficient strays by five task vectors or so at most: where vectors hardly move the scores of
# the support photos, the linear model would otherwise ask for hundreds.
WIDEST = 25.0
# Of the spread of scores that is allowed where nothing is known of people: the rest is the layers'.
DIRECTION_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class CoefficientPrior:
    """(alpha, beta) ~ N(centre, S): each layer's own deviation has variance `layer`, what all
    layers of a task deviate in common has variance `task`, a head direction `direction`, and
    B B^T is added to what layers have in common and to head directions.

    Args:
        centre: float64 (P,).
        layout: of the P = L K + R coefficients.
        layer, task, direction: variances, at least 0.
        factor: B (K + R, r), or `None`.
        certainty: factor on the logits of chances that were stated by it, as people showed;
            `None` where that is not known.
    """

    centre: np.ndarray
    layout: Layout
    layer: float
    task: float
    direction: float = 0.0
    factor: np.ndarray | None = None
    certainty: float | None = None

    @classmethod
    def of_population(cls, population: Population, layout: Layout) -> "CoefficientPrior":
        """The prior that a bank's population stands for."""
        return cls(
            population.point.double().numpy(),
            layout,
            population.layer_variance,
            population.task_variance,
            population.direction_variance,
            None if population.factor is None else population.factor.double().numpy(),
            population.certainty,
        )

    @classmethod
    def scaled_to(
        cls,
        centre: np.ndarray,
        layout: Layout,
        slopes: np.ndarray,
        task_share: float,
        direction_share: float = DIRECTION_SHARE,
    ) -> "CoefficientPrior":
        """Variances by which the scores of these photos would spread by 1 on average, as far as
        coefficients need no variance above `WIDEST` for it.

        Args:
            centre: (P,).
            layout: of coefficients.
            slopes: J (n, P).
            task_share: of the spread by task vectors, in [0, 1]; the rest is the layers' own.
            direction_share: of all that spread, in [0, 1], where there are head directions.
        """
        centred = slopes - slopes.mean(0)
        alpha, beta = layout.split(centred)
        share = direction_share if layout.directions else 0.0

        def variance(part: np.ndarray, of_spread: float) -> float:
            spread = (part**2).sum(tuple(range(1, part.ndim))).mean() if part.size else 0.0
            return min(of_spread / max(spread, LEAST), WIDEST)

        return cls(
            centre,
            layout,
            variance(alpha, (1 - share) * (1 - task_share)),
            variance(alpha.sum(1), (1 - share) * task_share),
            variance(beta, share),
        )

    def spread(self, v: np.ndarray) -> np.ndarray:
        """S v for v (..., P)."""
        common = self.layout.in_common(v)
        weighted = common * self._variances
        if self.factor is not None:
            weighted += common @ self.factor @ self.factor.T
        spread = self.layout.spread_out(weighted)
        if self.layer > 0:
            spread[..., : self.layout.weights] += self.layer * v[..., : self.layout.weights]
        return spread

    def gram(self, slopes: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
        """J S J'^T (n, m), for J (n, P) and J' (m, P), which is J when not given."""
        first = self.whitened(slopes)
        return first @ (first if others is None else self.whitened(others)).T

    def whitened(self, slopes: np.ndarray) -> np.ndarray:
        """W, linear in J, with J S J'^T = W W'^T: (n, r) for J (n, P); as wide as S has parts."""
        common = self.layout.in_common(slopes)
        parts = [slopes[..., :0]]
        if self._variances.any():
            parts.append(common * np.sqrt(self._variances).astype(slopes.dtype))
        if self.factor is not None:
            parts.append(common @ self.factor.astype(slopes.dtype))
        if self.layer > 0:
            parts.append(np.sqrt(self.layer) * slopes[..., : self.layout.weights])
        return np.concatenate(parts, axis=-1)

    def coloured(self, white: np.ndarray) -> np.ndarray:
        """The transpose of `whitened`: (..., r) to (..., P). Of independent standard normals it
        makes deviations from the centre with covariance S.
        """
        common, at = 0.0, 0
        kinds = self.layout.tasks + self.layout.directions
        if self._variances.any():
            common, at = white[..., :kinds] * np.sqrt(self._variances), kinds
        if self.factor is not None:
            width = self.factor.shape[-1]
            common = common + white[..., at : at + width] @ self.factor.T
            at += width
        found = self.layout.spread_out(common + np.zeros((*white.shape[:-1], kinds)))
        if self.layer > 0:
            found[..., : self.layout.weights] += np.sqrt(self.layer) * white[..., at:]
        return found

    @property
    def _variances(self) -> np.ndarray:
        """Of what layers have in common, and of head directions: (K + R,)."""
        counts = (self.layout.tasks, self.layout.directions)
        return np.repeat((self.task, self.direction), counts)
