"""`aesthetic-tv import-open-clip`: an open_clip checkpoint becomes a base scorer."""

from pathlib import Path
from typing import Annotated

import typer

from aesthetic_tv.cli.outcome import next_step, quiet_transformers, reports_errors
from aesthetic_tv.cli.pull import Revision

Activation = Annotated[
    str | None,
    typer.Option(help="gelu or quick_gelu, in place of what the model's config or name tells."),
]


@reports_errors("Nothing was written; run the same command again to start over.")
def import_open_clip(
    checkpoint: Annotated[
        str,
        typer.Argument(help="Checkpoint file, or a folder or Hub id in open_clip's layout."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to save the base to.")],
    head_seed: Annotated[int, typer.Option(min=0, help="Of the random head theta_0.")] = 0,
    activation: Activation = None,
    revision: Revision = None,
) -> None:
    """Make a base, a CLIP vision tower with a random head, of an open_clip checkpoint.

    Example: aesthetic-tv import-open-clip laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K --out base-l14
    """
    from aesthetic_tv.errors import OutputError
    from aesthetic_tv.files import atomic_folder, replaceable
    from aesthetic_tv.scorer.open_clip import import_open_clip as convert

    quiet_transformers()
    if out.exists() and not replaceable(out, "config.json"):  # before anything is fetched
        raise OutputError(f"{out} exists and holds no scorer; it is left alone. Name another one.")
    imported = convert(checkpoint, seed=head_seed, activation=activation, revision=revision)
    with atomic_folder(out, marker="config.json") as temporary:
        imported.scorer.save_pretrained(temporary)
    tower = imported.scorer.config.tower
    typer.echo(
        f"Tower: {tower.num_hidden_layers} layers, {tower.hidden_size} wide, patches of "
        f"{tower.patch_size}, {tower.image_size} pixels, embeddings of {tower.projection_dim}.\n"
        f"Activation: {tower.hidden_act}, told by {imported.activation_told_by}.\n"
        f"Left out: {imported.text_tensors} tensors of the text tower.\n"
        f"Head: random, of seed {head_seed}.\n"
        f"Saved in {out}."
    )
    command = f"aesthetic-tv import-authors clip_*.pth --base {out} --out bank"
    next_step("import the checkpoints that were fine-tuned from it.", command)
