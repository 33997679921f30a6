"""A scorer's graph through transformers' exporters, with errors that name what stopped them."""

import contextlib
import importlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from aesthetic_tv.errors import AestheticTVError, ExportError
from aesthetic_tv.export.graph import NAMES, ScoreGraph

OPERATOR = re.compile(r"\b(?:aten|prims)[.:]+\w+")
# A batch of one would be taken for a number that never changes; sizes that differ, since equal ones
# would be taken for one size.
BATCH, PROBE_SIZE = 2, (90, 120)
LONGEST_REASON = 300


def sample(graph: ScoreGraph, size: tuple[int, int]) -> dict[str, torch.Tensor]:
    """What the graph is traced with.

    Args:
        graph: to be traced.
        size: height and width that the tower sees.
    """
    if graph.takes == "photos":
        values = torch.arange(BATCH * PROBE_SIZE[0] * PROBE_SIZE[1] * 3) % 256
        return {NAMES[graph.takes]: values.byte().view(BATCH, *PROBE_SIZE, 3)}
    return {NAMES[graph.takes]: torch.zeros(BATCH, 3, *size)}


def dynamic(graph: ScoreGraph) -> dict[str, Any]:
    """Which sizes may be others than those of the sample: the batch, and a photo's sides."""
    free = torch.export.Dim.DYNAMIC
    axes = {0: free, 1: free, 2: free} if graph.takes == "photos" else {0: free}
    return {NAMES[graph.takes]: axes}


def require(packages: tuple[str, ...], extra: str) -> None:
    """Raise `ExportError` that says how to install what is missing."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ExportError(
                f"this export needs {package}, which cannot be imported ({error}); "
                f"`pip install 'aesthetic-tv[{extra}]'`."
            ) from error


def traced(exporter: type, graph: ScoreGraph, inputs: dict[str, torch.Tensor], config: Any) -> Any:
    """The exporter's own program.

    Args:
        exporter: class of transformers.
        graph: in evaluation mode.
        inputs: as by `sample`.
        config: the exporter's settings.

    Raises:
        ExportError: an operator that the format does not have, by its name, or whatever else
            stopped the exporter.
    """
    try:
        with _quiet(), torch.no_grad():
            made: Any = exporter()
            return made.export(graph, inputs, config).program
    except AestheticTVError:
        raise
    except Exception as error:  # as many kinds as exporters have stages
        raise ExportError(refusal(error, type(graph.scorer.vision).__name__)) from error


def refusal(error: BaseException, tower: str) -> str:
    """What to say of an exporter's error."""
    chain, seen = list[str](), error
    while seen is not None and len(chain) < 10:
        chain.append(str(seen))
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]
    # What is innermost is nearest to the operator.
    found = [name for text in reversed(chain) for name in OPERATOR.findall(text)]
    if found:
        return (
            f"the operator {found[0]} of this scorer ({tower}) has no counterpart in this format. "
            "Try the other format, or a newer onnxscript or openvino."
        )
    reason = next((text for text in reversed(chain) if text.strip()), type(error).__name__)
    return f"{tower} could not be exported: {' '.join(reason.split())[:LONGEST_REASON]}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' progress, notes to developers, and warnings of other libraries."""
    verbosity, disabled = transformers_logging.get_verbosity(), logging.root.manager.disable
    transformers_logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        transformers_logging.set_verbosity(verbosity)
