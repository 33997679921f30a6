"""`aesthetic-tv import-authors`: the checkpoints of the paper's authors become a bank."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.import_open_clip import Activation
from aesthetic_tv.cli.outcome import next_step, quiet_transformers, reports_errors

if TYPE_CHECKING:
    from aesthetic_tv.task_vectors import ImportedTask


@reports_errors("Nothing was written; run the same command again to start over.")
def import_authors(
    checkpoints: Annotated[
        list[Path], typer.Argument(help="clip_L_3fc_ava.pth and the like, of one architecture.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to save the bank to.")],
    base: Annotated[
        str | None,
        typer.Option(
            help="CLIP model they were fine-tuned from: open_clip checkpoint file, folder or Hub "
            "id; the one in the authors' script when not given."
        ),
    ] = None,
    head: Annotated[
        str, typer.Option(help="Head theta_0, which nobody published: mean, seeded or first.")
    ] = "mean",
    head_seed: Annotated[int, typer.Option(min=0, help="Of the seeded head.")] = 0,
    activation: Activation = None,
    license: Annotated[
        str | None, typer.Option(help="Licence of the checkpoints, to be noted down.")
    ] = None,
) -> None:
    """Make a bank of the checkpoints that the paper's authors publish.

    Example: aesthetic-tv import-authors clip_L_3fc_ava.pth clip_L_3fc_tad.pth --out bank-authors
    """
    from aesthetic_tv.task_vectors import ImportSettings
    from aesthetic_tv.task_vectors import import_authors as convert

    quiet_transformers()
    settings = ImportSettings(base, head, head_seed, activation, license)
    imported = convert(checkpoints, out, settings, progress=_tell)
    hidden_act, told_by = imported.hidden_act
    typer.echo(
        f"Base: {imported.base}, activation {hidden_act}, told by {told_by}.\n{imported.note}\n"
        f"{len(imported.tasks)} task vectors are saved in {out}."
    )
    if far := [task.name for task in imported.tasks if task.far]:
        typer.secho(
            f"{', '.join(far)}: too far from the base to have been fine-tuned from it. Name the "
            "right one with --base.",
            fg="yellow",
            err=True,
        )
    command = f"aesthetic-tv personalize ALBUM --ratings ratings.csv --bank {out} --out my-taste"
    next_step("learn a taste with it.", command)


def _tell(task: "ImportedTask") -> None:
    typer.echo(
        f"{task.name}: from {task.file}; {task.relative_length:.1%} of the base's length; "
        f"{task.text_tensors} tensors of the text tower left out."
    )
