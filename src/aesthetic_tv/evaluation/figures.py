"""The paper's figures from an evaluation."""

from pathlib import Path

from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation.results import Results
from aesthetic_tv.evaluation.statistics import gains, summary
from aesthetic_tv.evaluation.verdict import TASK
from aesthetic_tv.plots import coefficients_against_srocc, gain_per_person


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
