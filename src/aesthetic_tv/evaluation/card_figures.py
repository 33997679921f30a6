"""The figures of an evaluation that go into a bank's config, and from there into its card."""

from typing import Any

from aesthetic_tv.errors import BaseMismatchError
from aesthetic_tv.evaluation.results import Results
from aesthetic_tv.evaluation.statistics import summary
from aesthetic_tv.task_vectors import TaskVectorBank


def card_figures(results: Results, bank: TaskVectorBank, metric: str = "srocc") -> list[dict]:
    """Mean over people of each method at each number of shots, with its 95 % interval.

    Args:
        results: of an evaluation of this bank.
        bank: whose card it is.
        metric: which of the metrics.

    Raises:
        BaseMismatchError: the evaluation is of another bank.
    """
    then, now = results.config["bank"], bank.reference
    same = then["base_fingerprint"] == now.base_fingerprint and then["vectors"] == now.vectors
    if not same:
        raise BaseMismatchError(
            f"the evaluation is of a bank with the vectors {', '.join(then['vectors'])} on base "
            f"{then['base_fingerprint'][:12]}; this one has {', '.join(now.vectors)} on "
            f"{now.base_fingerprint[:12]}, or vectors of another content. Evaluate this bank."
        )
    return [_figure(results, row, metric) for row in summary(results.fits, metric).itertuples()]


def _figure(results: Results, row: Any, metric: str) -> dict[str, Any]:
    return {
        "database": results.config["database"],
        "splits_sha256": results.config["splits_sha256"],
        "method": row.method,
        "shots": int(row.shots),
        "metric": metric,
        "mean": round(float(row.mean), 4),
        "low": round(float(row.low), 4),
        "high": round(float(row.high), 4),
        "people": int(row.people),
        "draws": int(row.draws),
    }
