"""One person's taste as a scikit-learn estimator: photos in, ratings out.

For `cross_val_score`, `GridSearchCV` and their kin. Most of `check_estimator` feeds matrices of
random numbers, which are no photos; the checks of parameters, `clone` and `repr` hold, and the
tests run them. Needs scikit-learn (the extra `evaluation`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import NotFittedError

from aesthetic_tv.assets import DEFAULT_BANK
from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.personalization import Personalizer
from aesthetic_tv.personalization.agreement import srocc
from aesthetic_tv.scorer.decoding import Photo, as_photos
from aesthetic_tv.task_vectors.loading import resolve_bank


class TasteRegressor(RegressorMixin, BaseEstimator):
    """`Personalizer` with scikit-learn's manners.

    Args:
        bank: a `TaskVectorBank`, or the name or folder of one.
        solver, initialization, temperature, seed: as for `Personalizer`.
        scale: lowest and highest rating there can be; those given when not said.
        folds: of the figures of each fit; none here, since scikit-learn judges itself.

    Attributes:
        personalization_: what was learned.

    Example:
        >>> cross_val_score(TasteRegressor(), photos, ratings, cv=5)  # SROCC of each fold
    """

    def __init__(
        self,
        bank: Any = DEFAULT_BANK,
        *,
        solver: Any = "newton",
        initialization: Any = None,
        temperature: float = 10.0,
        seed: int = 0,
        scale: tuple[float, float] | None = None,
        folds: int = 0,
    ):
        self.bank = bank
        self.solver = solver
        self.initialization = initialization
        self.temperature = temperature
        self.seed = seed
        self.scale = scale
        self.folds = folds

    def fit(self, X: Sequence[Photo], y: Sequence[float]) -> "TasteRegressor":  # noqa: N803
        """Learn from rated photos.

        Args:
            X: n photos, as for `AestheticScorer.score`.
            y: (n,) their ratings, higher is better.

        Raises:
            PreferenceError: another number of ratings, or nothing to learn from.
            SettingError: a setting out of range.
        """
        photos, ratings = as_photos(X), np.asarray(y, dtype=float)
        if ratings.shape != (len(photos),):
            raise PreferenceError(
                f"there are {len(photos)} photos and ratings of shape {ratings.shape}; give one "
                "rating for each photo."
            )
        personalizer = Personalizer(
            resolve_bank(self.bank, "this estimator"),
            self.solver,
            self.initialization,
            self.temperature,
            self.folds,
            self.seed,
        )
        rated = zip(photos, ratings.tolist(), strict=True)
        self.personalization_ = personalizer.fit(list(rated), scale=self.scale)
        return self

    def predict(self, X: Sequence[Photo]) -> np.ndarray:  # noqa: N803
        """Scores on the person's own scale: float64 (n,).

        Raises:
            NotFittedError: `fit` comes first.
            PhotoError: names every photo that cannot be read.
        """
        if not hasattr(self, "personalization_"):
            raise NotFittedError("this TasteRegressor has seen no ratings; call fit first.")
        return self.personalization_.score(as_photos(X))

    def score(
        self,
        X: Sequence[Photo],  # noqa: N803
        y: Sequence[float],
        sample_weight: None = None,
    ) -> float:
        """Agreement with ratings, SROCC, where scikit-learn's regressors have R^2: a taste is an
        order.

        Args:
            X, y: photos and their ratings.
            sample_weight: not supported.
        """
        if sample_weight is not None:
            raise PreferenceError("photos are not weighted here; leave sample_weight out.")
        return float(srocc(self.predict(X), np.asarray(y, dtype=float)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        tags.non_deterministic = False
        return tags
