"""The pictures of an evaluation: the paper's figures, and the photos of the best and the worst
served person in the personal order and in the generic one.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.evaluation.results import Results
from aesthetic_tv.evaluation.statistics import (
    TASK,
    differences,
    gains,
    is_personal,
    summary,
    verdicts,
)
from aesthetic_tv.plots import (
    coefficients_against_srocc,
    contact_sheet,
    gain_per_person,
    methods_by_ratings,
)

SHOWN = 24  # photos of a sheet


def coefficients_figure(results: Results, method: str, shots: int, path: Path) -> None:
    """Figure 6: mean coefficient of each task against the SROCC of its model alone.

    Raises:
        SettingError: the method has no coefficients.
    """
    weights = results.mean_weights(method, shots)
    if weights is None:
        raise SettingError(f"{method} has no coefficients; take newton, instant or paper.")
    table = summary(results.fits[results.fits["shots"] == shots], "srocc").set_index("method")
    names = list(results.config["bank"]["vectors"])
    alone = [float(table["mean"][TASK + name]) for name in names]
    coefficients_against_srocc(names, alone, weights.tolist(), path)


def gain_figure(results: Results, method: str, reference: str, shots: int, path: Path) -> None:
    """Figure 7: what each person gains by a method over a reference."""
    gained = gains(results.fits, method, reference, shots)
    gain_per_person(gained.to_numpy(), path, method=method, reference=reference)


def ratings_figure(fits: pd.DataFrame, reference: str | None, path: Path) -> None:
    """Every personal method by the number of ratings, and what it gains over a reference that is
    the same for everyone, where there is one.

    Raises:
        SettingError: no personal method, or not the reference, in the fits.
    """
    methods = [name for name in dict.fromkeys(fits["method"]) if is_personal(name)]
    if not methods or (reference is not None and not (fits["method"] == reference).any()):
        raise SettingError(f"expected personal methods beside {reference}; found {methods}.")
    table = summary(fits, "srocc")
    curves = {
        method: {
            row.shots: (row.mean, row.low, row.high)
            for row in table[table["method"] == method].itertuples()
        }
        for method in methods
    }
    if reference is None:
        methods_by_ratings(curves, curves, None, path)
        return
    gained: dict[str, dict] = {method: {} for method in methods}
    for gap in differences(fits, methods, reference):
        gained[gap.method][gap.shots] = (gap.mean, gap.low, gap.high)
    start = table[table["method"] == reference].iloc[0]
    level = (float(start["mean"]), float(start["low"]), float(start["high"]))
    methods_by_ratings(curves, gained, (reference, level), path)


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
    found = verdicts(results.fits)
    paths = [photo for photo in people.photos if isinstance(photo, str | os.PathLike)]
    if not found or len(paths) < len(people.photos):
        return {}
    verdict = max(found, key=lambda verdict: verdict.shots)
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
            titles=(f"By {verdict.personal}", f"By {verdict.population}"),
        )
        caption = (
            f"The {kind} served of {len(gained)} people: SROCC {gained[name]:+.2f} by "
            f"{verdict.personal} against {verdict.population}, {verdict.shots} ratings, mean over "
            "draws. Photos of the first draw that were not learned from; below each, the person's "
            "own rating."
        )
        sheets[caption] = path
    return sheets
