"""The paper's figures from an evaluation."""

from pathlib import Path

import pandas as pd

from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation.results import Results
from aesthetic_tv.evaluation.statistics import differences, gains, summary
from aesthetic_tv.evaluation.verdict import TASK, is_personal
from aesthetic_tv.plots import coefficients_against_srocc, gain_per_person, methods_by_ratings


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


def ratings_figure(fits: pd.DataFrame, reference: str, path: Path) -> None:
    """Every personal method by the number of ratings, and what it gains over a reference that is
    the same for everyone.

    Raises:
        SettingError: no personal method, or not the reference, in the fits.
    """
    methods = [name for name in dict.fromkeys(fits["method"]) if is_personal(name)]
    if not methods or not (fits["method"] == reference).any():
        raise SettingError(f"expected personal methods beside {reference}; found {methods}.")
    table = summary(fits, "srocc")
    curves = {
        method: {
            row.shots: (row.mean, row.low, row.high)
            for row in table[table["method"] == method].itertuples()
        }
        for method in methods
    }
    gained: dict[str, dict] = {method: {} for method in methods}
    for gap in differences(fits, methods, reference):
        gained[gap.method][gap.shots] = (gap.mean, gap.low, gap.high)
    start = table[table["method"] == reference].iloc[0]
    told = (float(start["mean"]), float(start["low"]), float(start["high"]))
    methods_by_ratings(curves, gained, (reference, told), path)
