"""From a fit within the linear model to the exact scorer, and what that says of photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aesthetic_tv.personalization import InstantFit, Personalization
from aesthetic_tv.personalization.solver import Progress
from aesthetic_tv.scorer import AestheticScorer

MOST_SCORED = 500  # photos of an album that are put in the exact order; more take too long here
BATCH = 16


@dataclass(frozen=True, eq=False)
class Polished:
    """A person's exact scorer.

    Args:
        personalization: what is saved and pushed.
        scorer: base plus weighted task vectors.
        scores: raw, of the album's photos by path; of none where the album is too large.
    """

    personalization: Personalization
    scorer: AestheticScorer
    scores: Mapping[str, float]


def polish(fit: InstantFit, progress: Progress | None = None) -> Polished:
    """Fit the exact scorer from where the linear fit is, and score the album with it.

    Args:
        fit: of the person.
        progress: called with (stage, done, total).
    """
    mine = fit.polish(progress)
    scorer, album = mine.merge(), [str(photo) for photo in fit.album.photos]
    scored = album if len(album) <= MOST_SCORED else []
    return Polished(mine, scorer, scores_of(scorer, scored, progress))


def scores_of(
    scorer: AestheticScorer, photos: Sequence[str], progress: Progress | None = None
) -> dict[str, float]:
    """Raw score of each photo that can be read, by path."""
    told = None if progress is None else partial(progress, "scoring")
    raw, failures = scorer.score_readable(photos, batch_size=BATCH, calibrated=False, progress=told)
    scores = dict(zip(photos, raw.tolist(), strict=True))
    return {photo: scores[photo] for place, photo in enumerate(photos) if place not in failures}
