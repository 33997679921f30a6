"""An exported graph in the runtime that its file is for."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aesthetic_tv.errors import ExportError
from aesthetic_tv.runner.description import KEY, Description
from aesthetic_tv.scorer.hashing import sha256

# One batch to raw and calibrated scores, by the graph's names.
Run = Callable[[np.ndarray], dict[str, np.ndarray]]
PACKAGES = {".onnx": "onnxruntime", ".xml": "openvino"}
EXTRAS = {".onnx": "onnx", ".xml": "openvino"}


def opened(path: Path, threads: int | None = None) -> tuple[Description, Run]:
    """What an export says of itself, and what runs it.

    Args:
        path: `.onnx`, or the `.xml` of OpenVINO with its `.bin` beside it.
        threads: of the processor; all when not given.

    Raises:
        ExportError: there is no such file, its runtime is not installed, or it is no export of a
            scorer, or a damaged one.
    """
    if path.suffix not in PACKAGES:
        raise ExportError(f"{path} is no export: expected a file that ends in .onnx or .xml.")
    if not path.is_file():
        raise ExportError(f"{path}: there is no such file.")
    package = PACKAGES[path.suffix]
    try:
        runtime = importlib.import_module(package)
    except ImportError as error:
        raise ExportError(
            f"{path} needs {package}, which cannot be imported ({error}); "
            f"`pip install {package}` or `pip install 'aesthetic-tv[{EXTRAS[path.suffix]}]'`."
        ) from error
    opener = _in_onnxruntime if path.suffix == ".onnx" else _in_openvino
    try:
        return opener(runtime, path, threads)
    except ExportError:
        raise
    except Exception as error:  # of the runtimes' own classes, which are as many as their versions
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ExportError(
            f"{path} cannot be opened by {package} ({reason}). It is damaged or cut off: copy or "
            "export it again."
        ) from error


def _in_onnxruntime(runtime: Any, path: Path, threads: int | None) -> tuple[Description, Run]:
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    if KEY not in told:
        raise ExportError(_of_another(path))
    names = [output.name for output in session.get_outputs()]
    (given,) = (taken.name for taken in session.get_inputs())

    def run(values: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(None, {given: values}), strict=True))

    return Description.from_json(told[KEY], str(path)), run


def _in_openvino(runtime: Any, path: Path, threads: int | None) -> tuple[Description, Run]:
    core = runtime.Core()
    # Mapped, the file could not be replaced on Windows while it is open.
    core.set_property({"ENABLE_MMAP": False})
    model = core.read_model(str(path))
    if not model.has_rt_info([KEY]):
        raise ExportError(_of_another(path))
    description = Description.from_json(str(model.get_rt_info([KEY]).value), str(path))
    for end, expected in description.parts.items():
        _check_part(path.with_suffix(end), expected)
    # Processors with bfloat16 would take it for float32, at a cost of some hundredths of a score.
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = core.compile_model(model, "CPU", settings)
    names = [output.any_name for output in compiled.outputs]

    def run(values: np.ndarray) -> dict[str, np.ndarray]:
        found = compiled([values])
        return {name: np.array(found[name]) for name in names}

    return description, run


def _check_part(path: Path, expected: str) -> None:
    found = sha256(path)
    if found != expected:
        raise ExportError(
            f"{path} is not what the file beside it was written with: its hash is {found[:12]}, "
            f"expected {expected[:12]}. Copy both again, or export again."
        )


def _of_another(path: Path) -> str:
    return (
        f"{path} says nothing of itself under {KEY!r}, so it is no export of a scorer; make one "
        "with `aesthetic-tv export`."
    )
