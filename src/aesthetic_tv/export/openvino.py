"""An `.xml` and its `.bin`: traced by transformers' exporter for OpenVINO."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from aesthetic_tv.export.graph import ScoreGraph
from aesthetic_tv.export.tracing import dynamic, require, traced
from aesthetic_tv.runner.description import KEY, Description
from aesthetic_tv.scorer.hashing import sha256

PACKAGES, EXTRA = ("openvino",), "openvino"
WEIGHTS = ".bin"


def traced_openvino(graph: ScoreGraph, inputs: dict[str, torch.Tensor]) -> Any:
    """The graph as an `openvino.Model`.

    Args:
        graph: in evaluation mode.
        inputs: as by `tracing.sample`.

    Raises:
        ExportError: the package is missing, or an operator cannot be exported.
    """
    require(PACKAGES, EXTRA)
    from transformers.exporters import OpenVINOConfig, OpenVINOExporter

    config = OpenVINOConfig(dynamic=True, dynamic_shapes=dynamic(graph))
    return traced(OpenVINOExporter, graph, inputs, config)


def write_openvino(model: Any, path: Path, description: Description, precision: str) -> None:
    """Both files, the `.bin` beside the `.xml`, which says what it says of itself and the hash of
    the other.

    Args:
        model: an `openvino.Model`.
        path: of the `.xml`.
        description: less the hash.
        precision: `float32` or `float16`.
    """
    import openvino

    half = precision == "float16"
    openvino.save_model(model, path, compress_to_fp16=half)
    weights = sha256(path.with_suffix(WEIGHTS))
    whole = replace(description, parts={WEIGHTS: weights})
    model.set_rt_info(whole.to_json(), [KEY])
    openvino.save_model(model, path, compress_to_fp16=half)
