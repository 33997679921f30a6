"""From a scorer to a file for another runtime, checked against torch before it takes its place."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch

from aesthetic_tv.errors import ExportError, OutputError, ScorerError, SettingError
from aesthetic_tv.export.graph import INPUTS, NAMES, Input, ScoreGraph
from aesthetic_tv.export.onnx import store_in, traced_onnx, write_onnx
from aesthetic_tv.export.openvino import WEIGHTS, traced_openvino, write_openvino
from aesthetic_tv.export.tracing import sample
from aesthetic_tv.files import atomic_path
from aesthetic_tv.runner import Description, ExportedScorer, PixelSettings
from aesthetic_tv.scorer.decoding import DECODING, Photo
from aesthetic_tv.scorer.images import MAX_ASPECT, pixel_values
from aesthetic_tv.scorer.modeling_aesthetic_scorer import AestheticScorer
from aesthetic_tv.scorer.processors import (
    image_processor,
    normalization,
    output_size,
    resized_side,
)
from aesthetic_tv.scorer.tensor_pixels import resizing_of
from aesthetic_tv.task_vectors.fingerprint import fingerprint
from aesthetic_tv.version import __version__

Format: TypeAlias = Literal["onnx", "openvino"]
Precision: TypeAlias = Literal["float32", "float16", "int8"]
FORMATS: tuple[Format, ...] = get_args(Format)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}
# How far raw scores may be from torch's, as a share of the scale of the bins.
TOLERANCES: dict[Precision, float] = {"float32": 1e-4, "float16": 5e-3, "int8": 5e-2}
MADE_SIZES = ((96, 64), (64, 200), (300, 301), (20, 20))  # of made photos, height and width
PILLOW_NAMES = {"nearest-exact": "nearest"}  # of filters, where torch calls them otherwise


@dataclass(frozen=True)
class ExportSettings:
    """How a scorer is exported.

    Args:
        format: `onnx` or `openvino`.
        takes: `photos` as decoded, uint8 (n, H, W, 3) of any size; or `pixels`, float32
            (n, 3, h, w), as the image processor makes them.
        precision: of the stored weights: `float32`, `float16` or `int8`.
        calibration_photos: with `int8`, photos to find the ranges of activations on; then products
            are done in 8 bits too, which is faster and less exact.
        tolerance: how far scores may be from torch's, as a share of the scale; by the
            precision when not given.
    """

    format: Format = "onnx"
    takes: Input = "photos"
    precision: Precision = "float32"
    calibration_photos: Sequence[Photo] = ()
    tolerance: float | None = None

    def __post_init__(self):
        known = {"format": FORMATS, "takes": INPUTS, "precision": PRECISIONS}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise SettingError(
                    f"{name} is {getattr(self, name)!r}; expected {', '.join(values)}."
                )
        if self.format == "openvino" and self.precision == "int8":
            raise SettingError(
                "OpenVINO's own 8 bits need another package (nncf); export ONNX with int8, which "
                "OpenVINO reads too, or OpenVINO with float16."
            )
        if self.calibration_photos and self.precision != "int8":
            raise SettingError(
                f"calibration photos are for int8, and the precision is {self.precision}."
            )
        if self.tolerance is not None and not self.tolerance > 0:
            raise SettingError(f"tolerance is {self.tolerance}; expected more than 0.")


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Args:
        files: the export, and what stands beside it.
        bytes: of all of them.
        description: what the export says of itself.
        difference: the largest from torch's raw scores, on made photos.
        shown_difference: the same of scores on the person's own scale.
        photos: how many were made.
        allowed: above which nothing would have been written.
    """

    files: tuple[Path, ...]
    bytes: int
    description: Description
    difference: float
    shown_difference: float
    photos: int
    allowed: float


def check_output(
    out: str | os.PathLike[str], settings: ExportSettings, overwrite: bool = False
) -> None:
    """Raise unless there is a place for the export.

    Raises:
        SettingError: the name does not end as the format's do.
        OutputError: something is there, and is not to be replaced.
    """
    out, suffix = Path(out), SUFFIXES[settings.format]
    if out.suffix != suffix:
        raise SettingError(f"{out}: a file of {settings.format} ends in {suffix}; name it so.")
    for path in _files(out, settings):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file.")
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists; add --overwrite, or name another file.")


def _files(out: Path, settings: ExportSettings) -> tuple[Path, ...]:
    return (out,) if settings.format == "onnx" else (out, out.with_suffix(WEIGHTS))


def export_scorer(
    scorer: AestheticScorer,
    out: str | os.PathLike[str],
    settings: ExportSettings | None = None,
    *,
    name: str | None = None,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> ExportReport:
    """Export a scorer, run what was written on made photos, and put it in its place when its scores
    are torch's.

    Args:
        scorer: of any kind that has weights.
        out: file to write, `.onnx`, or `.xml` of OpenVINO, whose `.bin` stands beside it.
        settings: how; the defaults when not given.
        name: of the taste, told in the export.
        overwrite: replace what is there.
        progress: called with (stage, stages done, stages in all).

    Raises:
        ScorerError: no scorer.
        SettingError: the file's name does not fit the format.
        OutputError: something is there already, or it could not be written.
        ExportError: a package is missing, an operator cannot be exported, or the scores are
            another's; nothing was written.
    """
    settings = settings or ExportSettings()
    if not isinstance(scorer, AestheticScorer):
        raise ScorerError(
            f"found {type(scorer).__name__}; only an AestheticScorer can be exported: of a taste "
            "or task vector, AestheticScorer.from_pretrained makes one."
        )
    out = Path(out)
    check_output(out, settings, overwrite)
    told = progress or (lambda stage, done, total: None)
    scorer = _exact(scorer)
    told("tracing", 0, 3)
    graph = ScoreGraph(scorer, settings.takes).eval()
    model = _traced(graph, settings)
    description = describe(scorer, settings, name or out.stem)
    with atomic_path(out) as temporary:
        told("writing", 1, 3)
        if settings.format == "onnx":
            if not settings.calibration_photos:
                store_in(model, settings.precision)
            write_onnx(model, temporary, description)
        else:
            write_openvino(model, temporary, description, settings.precision)
        del model
        told("checking", 2, 3)
        report = _checked(graph, temporary, out, settings)
        for path in report.files[1:]:  # before the file that names its hash
            with atomic_path(path) as beside:
                temporary.with_suffix(path.suffix).replace(beside)
    told("checking", 3, 3)
    return report


def _exact(scorer: AestheticScorer) -> AestheticScorer:
    """The scorer in float32, on the processor, ready to be traced; a copy where it is not."""
    if scorer.dtype == torch.float32 and scorer.device.type == "cpu":
        return scorer.eval()
    config = type(scorer.config).from_dict(scorer.config.to_dict())
    copy = AestheticScorer(config)
    copy.load_state_dict({key: value.float().cpu() for key, value in scorer.state_dict().items()})
    return copy.float().eval()


def _traced(graph: ScoreGraph, settings: ExportSettings):
    inputs = sample(graph, _size(graph.scorer))
    if settings.format == "openvino":
        return traced_openvino(graph, inputs)
    photos = settings.calibration_photos
    calibration = [_graph_input(graph, photo) for photo in photos] if photos else None
    return traced_onnx(graph, inputs, calibration)


def _size(scorer: AestheticScorer) -> tuple[int, int]:
    height, width = output_size(image_processor(scorer.config))
    return height, width


def _graph_input(graph: ScoreGraph, photo: Photo) -> dict[str, torch.Tensor]:
    """A photo as the graph takes it, a batch of one."""
    from aesthetic_tv.scorer.decoding import load_photo

    processor = image_processor(graph.scorer.config)
    if graph.takes == "pixels":
        values = pixel_values(photo, processor)
    else:
        values = torch.from_numpy(np.array(load_photo(photo, short_side=resized_side(processor))))
    return {NAMES[graph.takes]: values[None]}


def describe(scorer: AestheticScorer, settings: ExportSettings, name: str) -> Description:
    """What an export of a scorer says of itself."""
    config, ratings = scorer.config, scorer.config.calibration_ratings
    scale = ratings or config.bin_values
    tower = {
        "model_type": config.tower.model_type,
        "repo_id": config.tower_repo_id,
        "revision": config.tower_revision,
    }
    processor = image_processor(config)
    return Description(
        name=name,
        takes=settings.takes,
        precision=settings.precision + ("-activations" if settings.calibration_photos else ""),
        tower={key: value for key, value in tower.items() if value is not None},
        weights_sha256=fingerprint(scorer.state_dict()),
        scale=(float(scale[0]), float(scale[-1])),
        calibrated=ratings is not None,
        pixels=_pixel_settings(processor),
        processor=json.loads(processor.to_json_string()),
        decoding=DECODING,
        library_version=__version__,
    )


def _pixel_settings(processor) -> PixelSettings | None:
    try:
        resizing = resizing_of(processor)
    except ScorerError:
        return None
    mean, deviation = (tuple(map(float, part.flatten())) for part in normalization(processor))
    mode, (height, width) = resizing.mode, output_size(processor)
    return PixelSettings(
        size=(height, width),
        resize=None if mode is None else tuple(resizing.size),
        resample=None if mode is None else PILLOW_NAMES.get(mode, mode),
        longest=MAX_ASPECT if resizing.strips else None,
        mean=mean,  # type: ignore[arg-type]
        deviation=deviation,  # type: ignore[arg-type]
        short_side=resized_side(processor),
    )


def _checked(graph: ScoreGraph, written: Path, out: Path, settings: ExportSettings) -> ExportReport:
    """Run what was written beside torch.

    Raises:
        ExportError: the scores differ by more than is allowed.
    """
    exported = ExportedScorer(written)
    bins = graph.scorer.config.bin_values
    share = settings.tolerance or TOLERANCES[settings.precision]
    allowed = share * (bins[-1] - bins[0])
    raw, shown, photos = 0.0, 0.0, 0
    for batch in made_batches(graph):
        with torch.inference_mode():
            right = graph(**{NAMES[graph.takes]: batch})
        values = batch.numpy()
        apart = [
            np.abs(exported.score_array(values, calibrated=calibrated) - right[key].numpy()).max()
            for key, calibrated in (("raw_scores", False), ("scores", True))
        ]
        raw, shown = max(raw, float(apart[0])), max(shown, float(apart[1]))
        photos += len(values)
        if not apart[0] <= allowed:  # nor where it is no number
            raise ExportError(
                f"{out}: scores of the export differ from torch's by {apart[0]:.3g} on made "
                f"photos; up to {allowed:.3g} is allowed for {settings.precision}. Nothing was "
                "written. Try another precision, or allow more with --tolerance."
            )
    paths = _files(out, settings)
    size = sum(written.with_suffix(path.suffix).stat().st_size for path in paths)
    return ExportReport(paths, size, exported.description, raw, shown, photos, allowed)


def made_batches(graph: ScoreGraph) -> list[torch.Tensor]:
    """Photos of soft shapes and noise, as the graph takes them: batches of one and of three, of
    several sizes where it takes any.
    """
    random = np.random.default_rng(0)
    if graph.takes == "photos":
        made = [_made_photos(random, 1 + 2 * (i % 2), *size) for i, size in enumerate(MADE_SIZES)]
        return [torch.from_numpy(photos) for photos in made]
    processor, size = image_processor(graph.scorer.config), _size(graph.scorer)
    mean, deviation = normalization(processor)
    batches = []
    for count in (1, 3):
        levels = torch.from_numpy(_made_photos(random, count, *size)).permute(0, 3, 1, 2)
        batches.append(((levels.float() / 255 - mean) / deviation).contiguous())
    return batches


def _made_photos(random: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """uint8 (count, height, width, 3)."""
    down, across = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
    photos = []
    for _ in range(count):
        waves, phase = random.uniform(5, 40, (2, 3)), random.uniform(0, 6, (2, 3))
        soft = np.sin(down / waves[0] + phase[0]) * np.cos(across / waves[1] + phase[1])
        level = random.uniform(60, 190, 3) + 60 * soft + random.normal(0, 20, (height, width, 3))
        photos.append(level.clip(0, 255).astype(np.uint8))
    return np.stack(photos)
