"""Pictures of the best and the worst served person: their photos in the personal order and in the
generic one.
"""

import os
from pathlib import Path

import numpy as np

from aesthetic_tv.errors import FormatError
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.evaluation.results import Results
from aesthetic_tv.evaluation.statistics import gains
from aesthetic_tv.evaluation.verdict import verdicts
from aesthetic_tv.plots import contact_sheet

SHOWN = 24  # photos of a sheet


def contact_sheets(results: Results, people: People, folder: Path) -> dict[str, Path]:
    """Draw the query photos of two people, in the first draw of the most shots.

    Args:
        results: of an evaluation of these people.
        people: with their photos.
        folder: to write the pictures to.

    Returns:
        The pictures by caption; none where the evaluation has no personal method beside one that
        is the same for everyone, or where photos came without files.

    Raises:
        FormatError: the results are of other people.
    """
    told = verdicts(results.fits)
    paths = [photo for photo in people.photos if isinstance(photo, str | os.PathLike)]
    if not told or len(paths) < len(people.photos):
        return {}
    verdict = max(told, key=lambda verdict: verdict.shots)
    gained = gains(results.fits, verdict.personal, verdict.population, verdict.shots)
    rows = {name: row for row, name in enumerate(people.names)}
    persons = {person.name: person for person in people.persons}
    sheets = {}
    for kind, name in (("best", gained.idxmax()), ("worst", gained.idxmin())):
        if name not in persons or set(results.splits.photos) - set(rows):
            raise FormatError(
                f"the evaluation is of other people or photos; give those of "
                f"{results.config.get('database')}."
            )
        scores = results.persons[name].scores[str(verdict.shots)]
        query = results.splits.of_person[name][verdict.shots][0].query
        personal, generic = (np.array(scores[x]) for x in (verdict.personal, verdict.population))
        shown = np.linspace(0, len(query) - 1, min(SHOWN, len(query))).astype(int)
        chosen = np.argsort(-personal, kind="stable")[shown]  # evenly from best to worst
        places = [rows[results.splits.photos[query[at]]] for at in chosen]
        ratings = dict(zip(persons[name].rows.tolist(), persons[name].ratings, strict=True))
        path = folder / f"{kind}.png"
        contact_sheet(
            [paths[place] for place in places],
            personal[chosen],
            generic[chosen],
            path,
            ratings={paths[place]: float(ratings[place]) for place in places},
        )
        caption = (
            f"The {kind} served of {len(gained)} people: SROCC {gained[name]:+.2f} by "
            f"{verdict.personal} against {verdict.population}, {verdict.shots} ratings, mean over "
            "draws. Photos of the first draw that were not learned from; below each, the person's "
            "own rating."
        )
        sheets[caption] = path
    return sheets
