"""How well the scorer would have done with fewer ratings."""

from aesthetic_tv.app.answers import Answers
from aesthetic_tv.app.session import Session
from aesthetic_tv.personalization import InstantFit

STEPS = 6  # points of the curve
FEWEST = 5  # ratings


def agreement_by_count(session: Session) -> tuple[list[int], dict[str, list[float]]]:
    """Cross-validated SROCC of the person's scorer and of the generic one, after the first m
    ratings, for a few m.

    Returns:
        The counts m, and a curve of each; empty with too few ratings.
    """
    features, counted = session.features, session.counted.at(session.paths)
    ratings = list(counted.ratings.items())
    if features is None or len(ratings) < 2 * FEWEST:
        return [], {}
    last = len(ratings)
    wanted = sorted({FEWEST + round(i * (last - FEWEST) / (STEPS - 1)) for i in range(STEPS)})
    counts, personal, generic = list[int](), list[float](), list[float]()
    for count in wanted:
        preferences = Answers(dict(ratings[:count])).preferences()
        if preferences is None:
            continue
        found = InstantFit.of_preferences(features, preferences).figures()
        if found is not None:
            counts.append(count)
            personal.append(found.personal)
            generic.append(found.generic)
    return counts, {"personal": personal, "generic": generic}
