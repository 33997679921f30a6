"""From rated photos to a personalization."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from aesthetic_tv.errors import PhotoError, PreferenceError, SettingError
from aesthetic_tv.personalization.calibration import Calibration, fit_calibration
from aesthetic_tv.personalization.honesty import Figures, FitAndScore, cross_validate
from aesthetic_tv.personalization.linear_model import LinearFit, LinearModel, linearize
from aesthetic_tv.personalization.personalization import Personalization
from aesthetic_tv.personalization.precision import tower_dtype
from aesthetic_tv.personalization.preferences import Preferences, Ratings
from aesthetic_tv.personalization.solver import (
    TEMPERATURE,
    Initialization,
    LinearSolver,
    Problem,
    Progress,
    Solution,
    Solver,
    initialization_of,
)
from aesthetic_tv.personalization.solvers import solver_named
from aesthetic_tv.photo_urls import fetch_photo, is_url
from aesthetic_tv.scorer import image_processor, load_batches
from aesthetic_tv.scorer.decoding import Photo, photo_names
from aesthetic_tv.task_vectors import TaskVectorBank


@dataclass(frozen=True)
class Personalizer:
    """Learns a person's taste as a weighted sum of a bank's task vectors.

    Args:
        bank: the task vectors.
        solver: a name of `solvers.SOLVERS`: `newton`, `instant`, `paper`; or a solver with settings
            of its own.
        initialization: where alpha starts: `population`, `uniform`, `adaptive` or `best-fit`; when
            not given, where the solver says: `adaptive` for the paper's, and for the others
            `population` where the bank knows one and `uniform` where it does not.
        temperature: of the adaptive initialization.
        folds: of the cross-validation behind the figures; 0 leaves it out. Solvers that fit linear
            models cross-validate there, in milliseconds; the paper's solver fits anew.
        seed: of folds and of a solver that is only named.

    Example:
        >>> mine = Personalizer(bank).fit({"a.jpg": 5, "b.jpg": 2, "c.jpg": 4})
        >>> mine.save_pretrained("my-taste")
    """

    bank: TaskVectorBank
    solver: str | Solver = "newton"
    initialization: Initialization | None = None
    temperature: float = TEMPERATURE
    folds: int = 5
    seed: int = 0

    def __post_init__(self):
        self._solver()  # refuses an unknown name
        if self.folds < 0 or self.folds == 1:
            raise SettingError(f"folds must be 0 (none), or 2 or more; got {self.folds}.")

    def fit(
        self,
        ratings: Ratings | None = None,
        *,
        pairs: Iterable[tuple[Photo, Photo]] | None = None,
        ranking: Sequence[Photo] | None = None,
        scale: tuple[float, float] | None = None,
        progress: Progress | None = None,
        allow_urls: bool = False,
    ) -> Personalization:
        """Fit coefficients to one person's preferences, given in one of three ways.

        Args:
            ratings: rating of each photo, higher is better: a mapping, a pandas Series whose index
                names the photos, a pandas DataFrame or rows of a data set with a column of photos
                and one of ratings, or (photo, rating) pairs. Photos are paths, PIL images, the
                bytes of files, arrays uint8 (H, W, 3) or tensors (3, H, W).
            pairs: (better, worse) photos; they may come beside ratings or a ranking.
            ranking: photos, best first; a list inside holds photos of equal rank.
            scale: lowest and highest rating there can be; those given when not said.
            progress: called with (stage, done, total).
            allow_urls: fetch photos named by `http://` or `https://`, of hosts on the public
                internet; otherwise they are left out like photos that cannot be read.

        Returns:
            The personalization; photos that could not be read are left out and named in `skipped`.

        Raises:
            PreferenceError: not exactly one kind of preferences, or nothing to learn from.
            SettingError: a setting out of range.
        """
        preferences = Preferences.of(ratings, pairs, ranking, scale)
        return self.fit_photos(preferences, progress=progress, allow_urls=allow_urls)

    def fit_photos(
        self,
        preferences: Preferences,
        *,
        linear: LinearModel | None = None,
        progress: Progress | None = None,
        allow_urls: bool = False,
    ) -> Personalization:
        """As `fit`, of preferences over photos.

        Args:
            preferences: their photos are read.
            linear: a linear model of the same photos at the bank's generic coefficients, where one
                is at hand; it saves a pass.
            progress, allow_urls: as for `fit`.
        """
        pixel_values, readable, skipped = self._load(preferences.photos, allow_urls)
        usable = preferences.subset(readable) if len(readable) >= 2 else None
        if usable is None:
            raise PreferenceError(
                f"Only {len(readable)} of {len(preferences)} photos could be read, and there is no "
                "preference among them: " + "; ".join(skipped.values())
            )
        if skipped:
            warnings.warn(f"{len(skipped)} rated photos could not be read.", stacklevel=3)
        linear = None if linear is None else linear.subset(readable)
        return self.fit_pixels(
            pixel_values, usable, linear=linear, skipped=skipped, progress=progress
        )

    def fit_pixels(
        self,
        pixel_values: torch.Tensor,
        preferences: Preferences,
        *,
        linear: LinearModel | None = None,
        skipped: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Personalization:
        """As `fit_photos`, with photos that are already loaded: (n, 3, H, W)."""
        solver = self._solver()
        if isinstance(solver, LinearSolver):
            linear = linear or self._linearize(solver, pixel_values)
            task_scores = linear.task_scores()
            figures = self.linear_figures(linear, preferences)
        else:
            linear, task_scores = None, self.bank.score_pixels(pixel_values)
            figures = self._refitted_figures(
                solver, pixel_values, preferences, task_scores, progress
            )
        problem = self._problem(pixel_values, preferences, task_scores, linear)
        solution = solver.solve(problem, progress)
        layout = self.bank.layout
        flat = solution.coefficients.reshape(-1)
        directions = layout.split(flat)[1] if len(flat) == layout.size else flat[:0]
        return Personalization(
            layout.split(flat)[0],
            self.bank.layers,
            self.bank.names,
            self.bank.reference,
            {
                "name": solver.name,
                **solver.settings(),
                "initialization": self._initialization(solver),
                "temperature": self.temperature,
            },
            self._calibration(solution, pixel_values, preferences),
            figures,
            self.bank,
            skipped or {},
            preferences.by_photo,
            directions if directions.any() else None,
        )

    def fit_linear(self, model: LinearModel, preferences: Preferences) -> LinearFit:
        """The fit within a linear model of the support photos, in milliseconds; needs no photos.

        Raises:
            SettingError: the solver is not one that fits linear models.
        """
        solver = self._solver()
        if not isinstance(solver, LinearSolver):
            raise SettingError(f"solver {solver.name!r} cannot fit a linear model; use 'newton'.")
        nothing = torch.empty(0)
        problem = self._problem(nothing, preferences, model.task_scores(), model)
        return solver.linear_fit(problem, model)

    def linear_figures(self, model: LinearModel, preferences: Preferences) -> Figures | None:
        """Personal against generic, cross-validated within a linear model of the support photos."""

        def fit_and_score(train: np.ndarray, part: Preferences) -> np.ndarray:
            return model.at(self.fit_linear(model.subset(train), part).coefficients)

        return self._cross_validated(preferences, model.scores, fit_and_score)

    def _solver(self) -> Solver:
        if isinstance(self.solver, str):
            return solver_named(self.solver, seed=self.seed)
        return self.solver

    def _initialization(self, solver: Solver) -> Initialization:
        return self.initialization or initialization_of(solver, self.bank)

    def _load(
        self, photos: Sequence[Photo], allow_urls: bool = False
    ) -> tuple[torch.Tensor, list[int], dict[str, str]]:
        """Pixel values of the photos that can be read, their positions, and why others cannot."""
        parts, readable, skipped = [], list[int](), dict[str, str]()
        processor, names = image_processor(self.bank.base.config), photo_names(photos)
        photos, unfetched = _fetched(photos, allow_urls)
        for batch in load_batches(photos, processor, names=names):
            readable += batch.indices
            skipped |= {names[i]: unfetched.get(i, str(e)) for i, e in batch.failures.items()}
            if batch.indices:
                parts.append(batch.pixel_values)
        return torch.cat(parts) if parts else torch.empty(0), readable, skipped

    def _linearize(self, solver: LinearSolver, pixel_values: torch.Tensor) -> LinearModel:
        dtype = tower_dtype(solver.precision, self.bank.base)
        point = self.bank.generic_point.double().numpy()
        return linearize(self.bank, pixel_values, point, dtype)

    def _problem(
        self,
        pixel_values: torch.Tensor,
        preferences: Preferences,
        task_scores: np.ndarray,
        linear: LinearModel | None = None,
    ) -> Problem:
        return Problem.starting(
            self.bank,
            pixel_values,
            preferences,
            task_scores,
            self._initialization(self._solver()),
            temperature=self.temperature,
            linear=linear,
        )

    def _calibration(
        self, solution: Solution, pixel_values: torch.Tensor, preferences: Preferences
    ) -> Calibration | None:
        rated = preferences.on_scale
        if not rated or preferences.scale is None:
            return None
        scores = solution.scores
        if scores is None:
            scores = self.bank.merge(solution.coefficients).score_pixels(pixel_values)
        ratings = np.array(list(rated.values()))
        return fit_calibration(scores[list(rated)], ratings, preferences.scale)

    def _refitted_figures(
        self,
        solver: Solver,
        pixel_values: torch.Tensor,
        preferences: Preferences,
        task_scores: np.ndarray,
        progress: Progress | None,
    ) -> Figures | None:
        folds = min(self.folds, len(preferences))
        fold = 0

        def fit_and_score(train: np.ndarray, part: Preferences) -> np.ndarray:
            nonlocal fold
            fold += 1
            stage = f"fold {fold} of {folds}"
            inner = None
            if progress is not None:
                inner = lambda _, done, total: progress(stage, done, total)  # noqa: E731
            problem = self._problem(pixel_values[train], part, task_scores[train])
            coefficients = solver.solve(problem, inner).coefficients
            return self.bank.merge(coefficients).score_pixels(pixel_values)

        generic = self.bank.generic_scorer().score_pixels(pixel_values)
        return self._cross_validated(preferences, generic, fit_and_score)

    def _cross_validated(
        self, preferences: Preferences, generic: np.ndarray, fit_and_score: FitAndScore
    ) -> Figures | None:
        return cross_validate(preferences, generic, fit_and_score, folds=self.folds, seed=self.seed)


def _fetched(photos: Sequence[Photo], allowed: bool) -> tuple[list[Photo], dict[int, str]]:
    """Photos, those on the web as the bytes of their files, or none, and then why; by position."""
    found, failures = list(photos), dict[int, str]()
    for i, photo in enumerate(photos):
        if not isinstance(photo, str) or not is_url(photo):
            continue
        found[i] = b""
        if not allowed:
            failures[i] = f"{photo}: is on the web; allow_urls=True fetches it."
            continue
        try:
            found[i] = fetch_photo(photo)
        except PhotoError as error:
            failures[i] = str(error)
    return found, failures
