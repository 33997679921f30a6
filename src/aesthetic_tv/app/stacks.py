"""Near duplicates of an album in the person's order: the best of each first."""

from collections.abc import Sequence

import numpy as np

from aesthetic_tv.app.answers import PICK, Answers
from aesthetic_tv.app.facts import Stacks
from aesthetic_tv.personalization.burst_taste import BurstTaste, pairs_of_ratings
from aesthetic_tv.photo_metadata.frame_traits import TRAITS


def ranked_stacks(
    stacks: Stacks, names: Sequence[str], scores: np.ndarray, answers: Answers
) -> list[list[str]]:
    """Groups of two or more, best first, as far as they were looked at.

    Args:
        stacks: of the album.
        names: of the photos that were looked at.
        scores: raw (n,).
        answers: of the person; what was picked, or preferred within a group, comes first.
    """
    place = {name: i for i, name in enumerate(names)}
    groups = [[place[name] for name in group if name in place] for group in stacks.groups]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return []
    unknown = np.full(len(TRAITS), np.nan)
    traits = np.tile(unknown, (len(names), 1))
    for name, row in (stacks.traits or {}).items():
        if name in place:
            traits[place[name]] = row
    ratings = {place[name]: stars for name, stars in answers.ratings.items() if name in place}
    pairs = [(place[a], place[b]) for a, b in answers.pairs if a in place and b in place]
    pairs += pairs_of_ratings(groups, ratings)
    taste = BurstTaste.fit(groups, scores, traits, pairs)
    picked = {place[name] for name, flag in answers.flags.items() if flag == PICK and name in place}
    return [
        [names[i] for i in sorted(burst.photos, key=lambda i: i not in picked)]
        for burst in taste.best_of()
    ]
