"""`aesthetic-tv vector compress`: store a task vector, or a bank, in few bits a weight."""

from pathlib import Path
from typing import Annotated

import typer

from aesthetic_tv.cli.outcome import next_step, quiet_transformers, reports_errors


@reports_errors("The folder that was there is as it was.")
def compress(
    folder: Annotated[Path, typer.Argument(help="A task vector or a bank.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    bits: Annotated[int, typer.Option(help="For each weight: 8, 4, 3 or 2.")] = 4,
) -> None:
    """Store a task vector, or a bank, in few bits a weight.

    Example: aesthetic-tv vector compress my-vector --bits 4 --out my-vector-int4
    """
    from aesthetic_tv.task_vectors import compress_folder

    quiet_transformers()
    for report in compress_folder(folder, out, bits):
        typer.echo(
            f"{report.name}: {report.bytes / 1e6:.1f} MB, {report.share:.1%} of float32; "
            f"relative error {report.relative_error:.1%}."
        )
    next_step("put it in the place of the larger one.", str(out))
