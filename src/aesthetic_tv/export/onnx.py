"""One `.onnx` file: traced by transformers' exporter, its weights in 32, 16 or 8 bits."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aesthetic_tv.errors import ExportError
from aesthetic_tv.export.graph import ScoreGraph
from aesthetic_tv.export.tracing import dynamic, require, traced
from aesthetic_tv.runner.description import KEY, Description

PACKAGES, EXTRA = ("onnx", "onnxscript", "onnxruntime"), "onnx"
LARGEST = 2**31 - 2**20  # bytes that protobuf takes, less room for the graph
SMALL = 1024  # numbers; fewer are not worth storing in few bits
HALF_MAX = 65504.0
# Operators whose constants are weights, and their axis of outputs.
WEIGHT_AXES = {"Conv": 0, "ConvTranspose": 1, "MatMul": -1, "Gemm": -1}


def traced_onnx(
    graph: ScoreGraph,
    inputs: dict[str, torch.Tensor],
    calibration: Iterable[dict[str, Any]] | None = None,
) -> Any:
    """The graph as an `onnx_ir.Model`.

    Args:
        graph: in evaluation mode.
        inputs: as by `tracing.sample`.
        calibration: inputs of photos; with these all large products are done in 8 bits, in ranges
            found on them.

    Raises:
        ExportError: a package is missing, or an operator cannot be exported.
    """
    require(PACKAGES, EXTRA)
    from transformers.exporters import (
        OnnxConfig,
        OnnxExporter,
        OnnxRuntimeQuantizer,
        OnnxRuntimeStaticConfig,
    )

    quantizer = None
    if calibration is not None:
        settings = OnnxRuntimeStaticConfig(
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            per_channel=True,
            # Products of two photos' values, as of attention, stay exact, and so does resampling.
            extra_options={"MatMulConstBOnly": True},
        )
        quantizer = OnnxRuntimeQuantizer(settings, calibration_dataset=list(calibration))
    config = OnnxConfig(dynamic=True, dynamic_shapes=dynamic(graph), quantizer=quantizer)
    return traced(OnnxExporter, graph, inputs, config)


def store_in(model: Any, precision: str) -> None:
    """Store the weights in fewer bits; what is computed is computed in float32.

    Args:
        model: an `onnx_ir.Model`; changed.
        precision: `float32` leaves it alone, `float16` rounds, `int8` has a scale for each output.

    Raises:
        ExportError: a weight that float16 cannot hold.
    """
    if precision == "float32":
        return
    import onnx_ir

    for name, value in list(model.graph.initializers.items()):
        tensor = value.const_value
        if tensor is None or tensor.dtype != onnx_ir.DataType.FLOAT or tensor.size < SMALL:
            continue
        if precision == "float16":
            node, held = _half(onnx_ir, name, value)
        else:
            axis = _output_axis(value)
            if axis is None:
                continue
            node, held = _eight_bit(onnx_ir, name, value, axis)
        made = node.outputs[0]
        made.name, made.type, made.shape = f"{name}_float32", value.type, value.shape
        for user, place in tuple(value.uses()):
            user.replace_input_with(place, made)
        del model.graph.initializers[name]
        for stored in held:
            model.graph.register_initializer(stored)
        model.graph.insert_before(model.graph[0], node)


def _half(onnx_ir: Any, name: str, value: Any) -> tuple[Any, list[Any]]:
    weights = value.const_value.numpy()
    if float(np.abs(weights).max()) > HALF_MAX:
        raise ExportError(
            f"the weights {name} reach {np.abs(weights).max():.3g}, beyond what float16 holds "
            f"({HALF_MAX:.0f}); export with --precision float32."
        )
    stored = _initializer(onnx_ir, name, weights.astype(np.float16))
    return onnx_ir.node("Cast", [stored], {"to": int(onnx_ir.DataType.FLOAT)}), [stored]


def _eight_bit(onnx_ir: Any, name: str, value: Any, axis: int) -> tuple[Any, list[Any]]:
    """Symmetric, with a scale for each index along an axis."""
    weights = value.const_value.numpy()
    others = tuple(i for i in range(weights.ndim) if i != axis % weights.ndim)
    scales = np.abs(weights).max(others, keepdims=True).astype(np.float32) / 127
    scales[scales == 0] = 1
    codes = np.clip(np.rint(weights / scales), -127, 127).astype(np.int8)
    stored = _initializer(onnx_ir, name, codes)
    scale = _initializer(onnx_ir, f"{name}_scale", scales.reshape(-1))
    node = onnx_ir.node("DequantizeLinear", [stored, scale], {"axis": axis % weights.ndim})
    return node, [stored, scale]


def _initializer(onnx_ir: Any, name: str, values: np.ndarray) -> Any:
    tensor = onnx_ir.tensor(values, name=name)
    return onnx_ir.Value(
        name=name, shape=tensor.shape, type=onnx_ir.TensorType(tensor.dtype), const_value=tensor
    )


def _output_axis(value: Any) -> int | None:
    """The axis of outputs of a weight; `None` for other constants, or where its users differ."""
    axes = set()
    for user, place in value.uses():
        axis = WEIGHT_AXES.get(user.op_type) if place == 1 else None
        if user.op_type == "Gemm" and "transB" in user.attributes:
            axis = 0 if user.attributes["transB"].value else -1
        axes.add(axis)
    return axes.pop() if len(axes) == 1 else None


def write_onnx(model: Any, path: Path, description: Description) -> None:
    """One file, with what it says of itself.

    Raises:
        ExportError: more than protobuf's 2 GB.
    """
    import onnx_ir

    size = sum(
        value.const_value.nbytes
        for value in model.graph.initializers.values()
        if value.const_value is not None
    )
    if size > LARGEST:
        raise ExportError(
            f"its weights take {size / 1e9:.1f} GB, and one file of ONNX holds 2.1; export with "
            "--precision float16 or int8, or --format openvino."
        )
    _forget_the_source(model)
    model.metadata_props[KEY] = description.to_json()
    model.producer_name, model.producer_version = "aesthetic_tv", description.library_version
    onnx_ir.save(model, str(path))


def _forget_the_source(model: Any) -> None:
    """Take out which line of which file, on whose disk, each operator was traced from."""
    for graph in (model.graph, *model.functions.values()):
        for node in graph:
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
