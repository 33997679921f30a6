"""From rated photos to a personalization."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from aesthetic_tv.errors import PreferenceError, SettingError
from aesthetic_tv.personalization.calibration import fit_calibration
from aesthetic_tv.personalization.coefficients import (
    TEMPERATURE,
    Initialization,
    initial_coefficients,
)
from aesthetic_tv.personalization.honesty import Figures, cross_validate
from aesthetic_tv.personalization.newton_solver import NewtonSolver
from aesthetic_tv.personalization.paper_solver import PaperSolver
from aesthetic_tv.personalization.personalization import Personalization
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.personalization.solver import Problem, Progress, Solution, Solver
from aesthetic_tv.scorer import image_processor, load_batches
from aesthetic_tv.scorer.images import Photo
from aesthetic_tv.task_vectors import TaskVectorBank

SOLVERS: Mapping[str, type[PaperSolver | NewtonSolver]] = {
    "paper": PaperSolver,
    "newton": NewtonSolver,
}


@dataclass(frozen=True)
class Personalizer:
    """Learns a person's taste as a weighted sum of a bank's task vectors.

    Args:
        bank: the task vectors.
        solver: `paper`, `newton`, or a solver with settings of its own.
        initialization: where alpha starts: `adaptive`, `uniform` or `best-fit`.
        temperature: of the adaptive initialization.
        folds: of the cross-validation behind the figures; 0 leaves it out. Each is one more fit.
        seed: of folds and of a solver that is only named.

    Example:
        >>> mine = Personalizer(bank).fit({"a.jpg": 5, "b.jpg": 2, "c.jpg": 4})
        >>> mine.save_pretrained("my-taste")
    """

    bank: TaskVectorBank
    solver: str | Solver = "paper"
    initialization: Initialization = "adaptive"
    temperature: float = TEMPERATURE
    folds: int = 5
    seed: int = 0

    def __post_init__(self):
        if isinstance(self.solver, str) and self.solver not in SOLVERS:
            raise SettingError(
                f"solver must be one of {', '.join(SOLVERS)}, or a solver object; "
                f"got {self.solver!r}."
            )
        if self.folds < 0 or self.folds == 1:
            raise SettingError(f"folds must be 0 (none), or 2 or more; got {self.folds}.")

    def fit(
        self,
        ratings: Mapping[Any, float] | None = None,
        *,
        pairs: Iterable[tuple[Photo, Photo]] | None = None,
        ranking: Sequence[Photo] | None = None,
        scale: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> Personalization:
        """Fit coefficients to one person's preferences, given in one of three ways.

        Args:
            ratings: rating of each photo, higher is better.
            pairs: (better, worse) photos.
            ranking: photos, best first; a list inside holds photos of equal rank.
            scale: lowest and highest rating there can be; those given when not said.
            progress: called with (stage, done, total).

        Returns:
            The personalization; photos that could not be read are left out and named in `skipped`.

        Raises:
            PreferenceError: not exactly one kind of preferences, or nothing to learn from.
            SettingError: a setting out of range.
        """
        given = [x for x in (ratings, pairs, ranking) if x is not None]
        if len(given) != 1:
            raise PreferenceError(
                f"Give ratings, pairs or a ranking, one of the three; found {len(given)}."
            )
        if ratings is not None:
            preferences = Preferences.from_ratings(ratings, scale=scale)
        elif pairs is not None:
            preferences = Preferences.from_pairs(pairs)
        else:
            preferences = Preferences.from_ranking(ranking or [])
        pixel_values, readable, skipped = self._load(preferences.photos)
        usable = preferences.subset(readable) if len(readable) >= 2 else None
        if usable is None:
            raise PreferenceError(
                f"Only {len(readable)} of {len(preferences)} photos could be read, and there is no "
                "preference among them: " + "; ".join(skipped.values())
            )
        if skipped:
            warnings.warn(f"{len(skipped)} rated photos could not be read.", stacklevel=2)
        return self.fit_pixels(pixel_values, usable, skipped=skipped, progress=progress)

    def fit_pixels(
        self,
        pixel_values: torch.Tensor,
        preferences: Preferences,
        *,
        skipped: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Personalization:
        """As `fit`, with photos that are already loaded: (n, 3, H, W)."""
        task_scores = self.bank.score_pixels(pixel_values)  # (n, K)
        figures = self._figures(pixel_values, preferences, task_scores, progress)
        solution = self._solve(pixel_values, preferences, task_scores, progress)
        calibration = None
        if preferences.ratings is not None and preferences.scale is not None:
            raw = self.bank.merge(solution.coefficients).score_pixels(pixel_values)
            calibration = fit_calibration(raw, preferences.ratings, preferences.scale)
        solver = self._solver()
        return Personalization(
            solution.coefficients,
            self.bank.layers,
            self.bank.names,
            self.bank.reference,
            {
                "name": solver.name,
                **solver.settings(),
                "initialization": self.initialization,
                "temperature": self.temperature,
            },
            calibration,
            figures,
            self.bank,
            skipped or {},
            _ratings(preferences),
        )

    def _solver(self) -> Solver:
        if isinstance(self.solver, str):
            return SOLVERS[self.solver](seed=self.seed)
        return self.solver

    def _load(self, photos: Sequence[Photo]) -> tuple[torch.Tensor, list[int], dict[str, str]]:
        """Pixel values of the photos that can be read, their positions, and why others cannot."""
        parts, readable, skipped = [], list[int](), dict[str, str]()
        processor = image_processor(self.bank.base.config.tower)
        for batch in load_batches(photos, processor):
            readable += batch.indices
            skipped |= {str(photos[i]): str(error) for i, error in batch.failures.items()}
            if batch.indices:
                parts.append(batch.pixel_values)
        return torch.cat(parts) if parts else torch.empty(0), readable, skipped

    def _solve(self, pixel_values, preferences, task_scores, progress) -> Solution:
        initial = initial_coefficients(
            self.initialization,
            task_scores,
            preferences,
            len(self.bank.layers),
            self.temperature,
        )
        problem = Problem(self.bank, pixel_values, preferences, initial)
        return self._solver().solve(problem, progress)

    def _figures(self, pixel_values, preferences, task_scores, progress) -> Figures | None:
        folds = min(self.folds, len(preferences))
        fold = 0

        def fit_and_score(train: np.ndarray, part: Preferences) -> np.ndarray:
            nonlocal fold
            fold += 1
            stage = f"fold {fold} of {folds}"
            inner = None
            if progress is not None:
                inner = lambda _, done, total: progress(stage, done, total)  # noqa: E731
            solution = self._solve(pixel_values[train], part, task_scores[train], inner)
            return self.bank.merge(solution.coefficients).score_pixels(pixel_values)

        return cross_validate(
            preferences, task_scores.mean(1), fit_and_score, folds=folds, seed=self.seed
        )


def _ratings(preferences: Preferences) -> dict[Any, float] | None:
    """What a person may choose to share; a ranking's places are no ratings."""
    if preferences.kind != "ratings" or preferences.ratings is None:
        return None
    return dict(zip(preferences.photos, preferences.ratings.tolist(), strict=True))
