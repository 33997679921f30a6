"""`aesthetic-tv export`: a taste for ONNX or OpenVINO, and what runs it without torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.outcome import Bars, next_step, quiet_transformers, reports_errors
from aesthetic_tv.cli.pull import Revision

if TYPE_CHECKING:
    from aesthetic_tv.export import ExportReport


@reports_errors("Nothing was written; what was there is as it was.")
def export(
    scorer: Annotated[str, typer.Argument(help="A taste, or any scorer: a folder or a Hub id.")],
    out: Annotated[Path, typer.Option(help="File to write: .onnx, or .xml of OpenVINO.")],
    format: Annotated[str, typer.Option(help="onnx or openvino.")] = "onnx",
    takes: Annotated[
        str,
        typer.Option(
            help="What goes in: photos, as decoded and of any size, or pixels, as the tower's "
            "image processor makes them."
        ),
    ] = "photos",
    precision: Annotated[
        str, typer.Option(help="Of the stored weights: float32, float16 or int8.")
    ] = "float32",
    calibration_photos: Annotated[
        Path | None,
        typer.Option(help="With int8: a folder of photos; products are then done in 8 bits too."),
    ] = None,
    runner: Annotated[
        Path | None,
        typer.Option(help="Also write a .pyz that scores photos by it without aesthetic-tv."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the taste, told in the file; the file's when not given.")
    ] = None,
    bank: Annotated[
        str | None, typer.Option(help="The bank of the taste, where it cannot be found by name.")
    ] = None,
    revision: Revision = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="How far scores may be from torch's, as a share of the scale."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Export a taste for other runtimes; it is checked against torch before it is kept.

    Example: aesthetic-tv export my-taste --format onnx --out my-taste.onnx
    """
    from aesthetic_tv.export import ExportSettings, check_output, export_scorer, write_runner
    from aesthetic_tv.scorer.photo_files import find_photos

    quiet_transformers()
    settings = ExportSettings(
        format=format,  # type: ignore[arg-type]
        takes=takes,  # type: ignore[arg-type]
        precision=precision,  # type: ignore[arg-type]
        calibration_photos=find_photos(calibration_photos) if calibration_photos else (),
        tolerance=tolerance,
    )
    check_output(out, settings, overwrite)
    loaded = load_exportable(scorer, bank, revision)
    with Bars() as bars:
        report = export_scorer(loaded, out, settings, name=name, overwrite=overwrite, progress=bars)
    print_report(report)
    if runner is not None:
        write_runner(runner, overwrite=overwrite)
        typer.echo(f"{runner}: scores photos by it; needs {_runtime(report)}, Pillow and numpy.")
    command = f"python {runner}" if runner else "python -m aesthetic_tv.runner"
    next_step("rank photos by it.", f"{command} {out} PHOTOS > ranking.csv")


def load_exportable(scorer: str, bank: str | None, revision: str | None):
    """Load a scorer of any kind.

    Raises:
        ScorerError: nothing of this name, or nothing that is a scorer.
        HubError: the Hub refused or failed; see its subclasses.
    """
    from aesthetic_tv import AestheticScorer
    from aesthetic_tv.errors import FormatError, ScorerError

    try:
        return AestheticScorer.from_pretrained(scorer, bank=bank, revision=revision)
    except (FormatError, ScorerError) as error:
        raise ScorerError(
            f"{scorer}: {error} Name the folder that `aesthetic-tv personalize` wrote, or a scorer "
            "or taste on the Hub."
        ) from error


def print_report(report: "ExportReport") -> None:
    """What was written, what goes in and comes out, and how near it is to torch."""
    told, files = report.description, " and ".join(map(str, report.files))
    typer.echo(f"{files}: {report.bytes / 1e6:.1f} MB, {told.precision}.")
    size = told.pixels.size if told.pixels else ("h", "w")
    takes = "photos, uint8 (n, H, W, 3) of any size"
    if told.takes == "pixels":
        takes = f"pixel values, float32 (n, 3, {size[0]}, {size[1]})"
    low, high = told.scale
    typer.echo(f"Takes {takes}; gives scores from {low:g} to {high:g}.")
    typer.echo(
        f"On {report.photos} made photos its scores are within {report.shown_difference:.1g} of "
        f"torch's (raw scores: {report.difference:.1g}, refused above {report.allowed:.1g})."
    )


def _runtime(report: "ExportReport") -> str:
    return "onnxruntime" if report.files[0].suffix == ".onnx" else "openvino"
