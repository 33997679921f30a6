"""What to ask next: the photos, or pairs, whose answers would teach most about the person."""

from collections.abc import Sequence
from itertools import islice

from aesthetic_tv.app.answers import Pair
from aesthetic_tv.app.session import Scope, Session
from aesthetic_tv.personalization import PhotoFeatures

AHEAD = 12  # questions that the page is given at a time
OPENING = 60  # photos whose order is settled before anything is known


class Asking:
    """The next questions of one session.

    Args:
        session: of the person.
    """

    def __init__(self, session: Session):
        self._session = session
        self._opening: tuple[PhotoFeatures, list[str]] | None = None

    def photos(self, scope: Scope = "all", count: int = AHEAD) -> list[str]:
        """Photos to rate, the one that teaches most first; none answered, none twice."""
        session = self._session
        settled = session.answers.settled.union(session.broken)
        taste = session.taste(scope)
        found = [] if taste is None else taste.next_photos(count, settled)
        if len(found) < count:  # before there is a taste, or where photos are not looked at yet
            left = (name for name in self._order(scope) if name not in settled.union(found))
            found += islice(left, count - len(found))
        return found

    def pairs(self, scope: Scope = "all", count: int = AHEAD) -> list[Pair]:
        """Pairs to compare, likewise."""
        session = self._session
        answers = session.answers
        known = {frozenset(pair) for pair in answers.pairs} | answers.passed_pairs
        left_out = answers.passed.union(session.broken, answers.flags)
        taste = session.taste(scope)
        found = [] if taste is None else taste.next_pairs(count, known, left_out)
        if len(found) == count:
            return found
        known |= {frozenset(pair) for pair in found}
        order = [name for name in self._order(scope) if name not in left_out]
        fresh = [name for name in order if name not in answers.known]
        return found + _new_pairs(fresh, order, known, count - len(found))

    def _order(self, scope: Scope) -> list[str]:
        """The photos in scope, those that tell most of anybody first."""
        session = self._session
        features, names = session.features, session.names(scope)
        if features is None:
            return names
        if self._opening is None or self._opening[0] is not features:
            named = dict(zip(map(str, features.photos), session.named_in(features), strict=True))
            first = features.suggest_first(min(OPENING, len(features)))
            self._opening = (features, [named[str(photo)] for photo in first])
        wanted, first_names = set(names), set(self._opening[1])
        opening = [name for name in self._opening[1] if name in wanted]
        return opening + [name for name in names if name not in first_names]


def _new_pairs(
    fresh: Sequence[str], order: Sequence[str], known: set[frozenset[str]], count: int
) -> list[Pair]:
    """Pairs that are not known yet: of photos that nothing was said of first, and as long as there
    are such, no photo in two of them.
    """
    found = list[Pair]()
    for first, second in zip(fresh[::2], fresh[1::2], strict=False):
        if frozenset((first, second)) not in known:
            found.append((first, second))
        if len(found) == count:
            return found
    known = known | {frozenset(pair) for pair in found}
    candidates = [*fresh, *(name for name in order if name not in set(fresh))]
    for first in candidates:
        for second in candidates:
            if first != second and frozenset((first, second)) not in known:
                found.append((first, second))
                known.add(frozenset((first, second)))
                if len(found) == count:
                    return found
    return found
