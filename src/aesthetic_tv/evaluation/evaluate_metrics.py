"""The metrics as those of Hugging Face's `evaluate`, over scipy: no Hub, no network.

Needs the extra `evaluation`.

    >>> from aesthetic_tv.evaluation.evaluate_metrics import SROCC
    >>> SROCC().compute(predictions=[1.0, 2.0, 3.0], references=[1, 3, 5])
    {'srocc': 1.0}
"""

from collections.abc import Callable
from typing import Any, ClassVar

import evaluate
from datasets import Features, Value

from aesthetic_tv.evaluation import metrics

INPUTS = "predictions: predicted scores; references: one person's ratings of the same photos."


class _Agreement(evaluate.Metric):
    """One function of `metrics` on all photos that were added."""

    agreement: ClassVar[Callable[..., float]]

    def _info(self) -> evaluate.MetricInfo:
        function = type(self).agreement
        return evaluate.MetricInfo(
            description=function.__doc__,
            citation="",
            inputs_description=INPUTS,
            features=Features({"predictions": Value("float64"), "references": Value("float64")}),
        )

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        function = type(self).agreement
        value = function(*metrics.checked(predictions, references), **options)
        return {function.__name__: value}


class SROCC(_Agreement):
    """Spearman's rank correlation."""

    agreement = staticmethod(metrics.srocc)


class PLCC(_Agreement):
    """Pearson's correlation."""

    agreement = staticmethod(metrics.plcc)


class Kendall(_Agreement):
    """Kendall's tau-b."""

    agreement = staticmethod(metrics.kendall)


class PairAccuracy(_Agreement):
    """Share of pairs in the right order."""

    agreement = staticmethod(metrics.pair_accuracy)


class TopKPrecision(_Agreement):
    """Of a culling; `compute(..., share=0.25)` says how much it keeps."""

    agreement = staticmethod(metrics.top_k_precision)


class CalibrationError(_Agreement):
    """Distance on the person's scale; `compute(..., scale=(1, 5))` says which."""

    agreement = staticmethod(metrics.calibration_error)
