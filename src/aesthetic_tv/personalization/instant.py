"""The instant mode: fit, rank, and ask what to rate next, on cached photo features."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from aesthetic_tv import notebook
from aesthetic_tv.frames import data_frame
from aesthetic_tv.personalization.active import pairs_to_compare, photos_to_rate
from aesthetic_tv.personalization.honesty import Figures
from aesthetic_tv.personalization.linear_model import LinearFit
from aesthetic_tv.personalization.newton_solver import NewtonSolver
from aesthetic_tv.personalization.personalization import Personalization
from aesthetic_tv.personalization.personalizer import Personalizer
from aesthetic_tv.personalization.photo_features import PhotoFeatures
from aesthetic_tv.personalization.posterior import Posterior, logits
from aesthetic_tv.personalization.preferences import Preferences, Ratings
from aesthetic_tv.personalization.solver import LinearSolver, Progress
from aesthetic_tv.photo_metadata.best import first_choices
from aesthetic_tv.scorer.images import Photo


@dataclass(frozen=True)
class RankedPhoto:
    """One photo of a ranking.

    Args:
        photo: as it was given.
        score: raw score within the linear model.
        deviation: standard deviation of the score against the album's mean.
    """

    photo: Photo
    score: float
    deviation: float


@dataclass(frozen=True, eq=False, repr=False)
class InstantFit:
    """One person's taste on an album, within the linear model: made and remade in milliseconds.

    Attributes:
        album: features of the N photos.
        preferences: what the person said.
        support: positions of the rated photos in the album (n,).
        fit: coefficients, prior and its strength.
        scores: of the album (N,).
        solver: its settings of the prior.
    """

    album: PhotoFeatures
    preferences: Preferences
    support: np.ndarray
    fit: LinearFit
    scores: np.ndarray
    solver: LinearSolver

    @classmethod
    def of(
        cls,
        album: PhotoFeatures,
        ratings: Ratings | None = None,
        *,
        pairs: Iterable[tuple[Photo, Photo]] | None = None,
        ranking: Sequence[Photo] | None = None,
        scale: tuple[float, float] | None = None,
        solver: LinearSolver | None = None,
    ) -> "InstantFit":
        """Fit to one person's preferences, given in one of three ways.

        Args:
            album: features, with all rated photos among them.
            ratings, pairs, ranking, scale: as for `Personalizer.fit`.
            solver: its settings of the prior; the Newton solver's own when not given.

        Raises:
            PreferenceError: as for `Personalizer.fit`, or a photo that is not in the album.
        """
        return cls.of_preferences(album, Preferences.of(ratings, pairs, ranking, scale), solver)

    @classmethod
    def of_preferences(
        cls, album: PhotoFeatures, preferences: Preferences, solver: LinearSolver | None = None
    ) -> "InstantFit":
        """As `of`, of preferences over photos of the album.

        Raises:
            PreferenceError: a photo that is not in the album.
        """
        support = album.positions(preferences.photos)
        solver = solver or NewtonSolver()
        model = album.model.subset(support)
        fit = Personalizer(album.bank, solver).fit_linear(model, preferences)
        return cls(album, preferences, support, fit, album.model.at(fit.coefficients), solver)

    def __repr__(self) -> str:
        return (
            f"InstantFit({self.preferences.described}, in an album of {len(self.album):,} photos)"
        )

    def _repr_html_(self) -> str:
        best = self.ranking()[: notebook.SHOWN]
        captions = [f"{x.score:.2f} ± {x.deviation:.2f}" for x in best]
        sheet = notebook.contact_sheet([x.photo for x in best], captions)
        figures = self.figures()
        verdict = "Best first." if figures is None else f"{figures.verdict} Best first."
        return notebook.card(repr(self), notebook.said(verdict), sheet)

    def to_frame(self) -> Any:
        """A pandas DataFrame of the album, best first: photo, score, deviation, and the rating
        where there is one.

        Raises:
            SettingError: pandas is not installed.
        """
        order = np.argsort(-self.scores, kind="stable")
        ratings = np.full(len(self.album), np.nan)
        for row, rating in self.preferences.on_scale.items():
            ratings[self.support[row]] = rating
        return data_frame(
            {
                "photo": [self.album.photos[row] for row in order],
                "score": self.scores[order],
                "deviation": self.deviations[order],
                "rating": ratings[order],
            }
        )

    @cached_property
    def posterior(self) -> Posterior:
        """What is known of the scores."""
        return Posterior.after(
            self.album.model.subset(self.support),
            self.fit.coefficients,
            self.fit.prior,
            self.fit.strength,
            self.solver.told(self.preferences),
            self.album.middle,
        )

    @cached_property
    def deviations(self) -> np.ndarray:
        """Standard deviation of each score against the album's mean (N,)."""
        return np.sqrt(self.posterior.variances(self.album.model.slopes))

    def ranking(self, among: Sequence[Photo] | None = None) -> list[RankedPhoto]:
        """The album, best first, with how sure each score is.

        Args:
            among: these photos alone.
        """
        rows = self._rows(among)
        return [
            RankedPhoto(self.album.photos[i], float(self.scores[i]), float(self.deviations[i]))
            for i in rows[np.argsort(-self.scores[rows], kind="stable")]
        ]

    def pair_probability(self, first: Photo, second: Photo) -> float:
        """How likely the person is to prefer the first of two photos of the album, in [0, 1]."""
        a, b = self.album.positions([first, second])
        both = self.album.model.slopes[[a, b]]
        (variance,) = self.posterior.gap_variances(both, np.array([0]), np.array([1]))
        return float(self.posterior.pair_probability(self.scores[a] - self.scores[b], variance))

    def best_of(self, group: Sequence[Photo]) -> list[tuple[Photo, float]]:
        """Near duplicates, best first, each with the chance that the person would choose it.

        What the photos have in common makes no difference: a chance is of how they differ.

        Args:
            group: photos of the album, as a burst that `photo_metadata.bursts` found.
        """
        rows = self._rows(group)
        rows = rows[np.argsort(-self.scores[rows], kind="stable")]
        first, second = np.divmod(np.arange(len(rows) ** 2), len(rows))
        variances = self.posterior.gap_variances(self.album.model.slopes[rows], first, second)
        gaps = self.scores[rows][first] - self.scores[rows][second]
        known = self.posterior.certainty * logits(gaps, variances)
        chances = first_choices(known.reshape(len(rows), len(rows)))
        return [(self.album.photos[i], float(p)) for i, p in zip(rows, chances, strict=True)]

    def suggest_next(self, count: int = 1, among: Sequence[Photo] | None = None) -> list[Photo]:
        """The photos whose rating would be most informative about the person's taste.

        Args:
            count: how many; fewer where there are no more.
            among: photos that may be asked for; those that the person said nothing of when not
                given.
        """
        slopes = self.album.model.slopes
        candidates = self._open() if among is None else self._rows(among)
        rows = photos_to_rate(self.posterior, slopes, candidates, count)
        return [self.album.photos[row] for row in rows]

    def suggest_pairs(
        self,
        count: int = 1,
        among: Sequence[Photo] | None = None,
        known: Iterable[tuple[Photo, Photo]] = (),
    ) -> list[tuple[Photo, Photo]]:
        """The pairs whose comparison would be most informative about the person's taste.

        Args:
            count: how many; no photo stands in two of them.
            among: photos that may be asked for; the whole album when not given.
            known: pairs, either way round, that are not asked for.
        """
        slopes = self.album.model.slopes
        rows = self._rows(among)
        left_out = [tuple(self.album.positions(pair).tolist()) for pair in known]
        found = pairs_to_compare(self.posterior, slopes, self.scores, rows, count, known=left_out)
        return [(self.album.photos[a], self.album.photos[b]) for a, b in found]

    def figures(self, folds: int = 5) -> Figures | None:
        """Cross-validated: personal against generic; `None` when there is too little to say."""
        personalizer = Personalizer(self.album.bank, self.solver, folds=folds)
        return personalizer.linear_figures(self.album.model.subset(self.support), self.preferences)

    def polish(self, progress: Progress | None = None) -> Personalization:
        """From here to an exact merged scorer: a few passes over the rated photos alone.

        Args:
            progress: called with (stage, done, total).
        """
        personalizer = Personalizer(self.album.bank, self.solver)
        model = self.album.model.subset(self.support)
        return personalizer.fit_photos(self.preferences, linear=model, progress=progress)

    def _rows(self, photos: Sequence[Photo] | None) -> np.ndarray:
        """Positions of some photos, or of all, each once and in the album's order."""
        if photos is None:
            return np.arange(len(self.album))
        return np.unique(self.album.positions(photos))

    def _open(self) -> np.ndarray:
        return np.setdiff1d(np.arange(len(self.album)), self.support)


def stacked_coefficients(fits: Iterable[InstantFit]) -> torch.Tensor:
    """Coefficients of several people, float32 (U, P), for `PhotoFeatures.score_people`."""
    return torch.stack([torch.from_numpy(fit.fit.coefficients).float() for fit in fits])
