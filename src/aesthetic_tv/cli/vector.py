"""`aesthetic-tv vector`: look at task vectors, and calculate with them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.compress import compress
from aesthetic_tv.cli.outcome import quiet_transformers, reports_errors
from aesthetic_tv.cli.pull import Revision

if TYPE_CHECKING:
    from aesthetic_tv import TaskVector

app = typer.Typer(no_args_is_help=True, help="Look at task vectors, and calculate with them.")
app.command()(compress)

Vector = Annotated[str, typer.Argument(help="A task vector: a folder or a Hub id.")]
Vectors = Annotated[list[str], typer.Argument(help="Two or more: folders or Hub ids.")]
Out = Annotated[Path, typer.Option(help="Folder to save the result to.")]
Name = Annotated[str | None, typer.Option(help="Name of the result; its formula when not given.")]
NOTHING = "Nothing was written; run the same command again to start over."


@app.command()
@reports_errors(NOTHING)
def info(vector: Vector, revision: Revision = None) -> None:
    """Tell what a task vector is of, and where it belongs.

    Example: aesthetic-tv vector info me/aesthetic-vector-ava
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from aesthetic_tv import TaskVector

    quiet_transformers()
    loaded = TaskVector.from_pretrained(vector, revision=revision)
    base = loaded.base
    place = f"{base.repo_id}@{base.revision}" if base.repo_id else "not on the Hub"
    sizes = [tau.numel() for tau in loaded.layers.values()]
    facts = {
        "name": loaded.name,
        "commit": loaded.revision or "a local folder",
        "content": loaded.content_sha256,
        "base": f"{place} (fingerprint {base.fingerprint[:12]})",
        "layers": f"{len(sizes)}, {sum(sizes):,} numbers",
        "length": f"{loaded.norm():.4g}",
        "licence": loaded.license or "none given",
    }
    for title, values in (("database", loaded.database), ("metrics", loaded.metrics)):
        facts[title] = ", ".join(f"{key} {value}" for key, value in values.items()) or "none noted"
    table = Table(show_header=False, box=None)
    for key, value in facts.items():
        table.add_row(key, Text(value, overflow="fold"))
    Console().print(table)


@app.command()
@reports_errors(NOTHING)
def similarity(
    vectors: Vectors,
    picture: Annotated[Path | None, typer.Option(help="Also draw it to this PNG file.")] = None,
) -> None:
    """Tell how alike task vectors are: the cosine between each two, from -1 to 1.

    Example: aesthetic-tv vector similarity vector-a vector-b
    """
    import numpy as np

    loaded = _load(vectors)
    rows = [[one.cosine_similarity(other) for other in loaded] for one in loaded]
    print_similarity([vector.name for vector in loaded], rows)
    if picture is not None:
        from aesthetic_tv.plots import similarity_matrix

        similarity_matrix([vector.name for vector in loaded], np.array(rows), picture)
        typer.echo(f"Drawn in {picture}.")


@app.command()
@reports_errors(NOTHING)
def add(vectors: Vectors, out: Out, name: Name = None) -> None:
    """Add task vectors up.

    Example: aesthetic-tv vector add vector-a vector-b --out sum
    """
    first, *others = _load(vectors)
    total = first
    for other in others:
        total = total + other
    _save(total, out, name)


@app.command()
@reports_errors(NOTHING)
def negate(vector: Vector, out: Out, name: Name = None) -> None:
    """Turn a task vector round, to move away from its task.

    Example: aesthetic-tv vector negate vector-a --out minus-a
    """
    (loaded,) = _load([vector], least=1)
    _save(-loaded, out, name)


@app.command()
@reports_errors(NOTHING)
def scale(
    vector: Vector,
    factor: Annotated[float, typer.Option(help="What to multiply by.")],
    out: Out,
    name: Name = None,
) -> None:
    """Make a task vector longer or shorter.

    Example: aesthetic-tv vector scale vector-a --factor 0.5 --out half-a
    """
    (loaded,) = _load([vector], least=1)
    _save(factor * loaded, out, name)


def print_similarity(names: list[str], rows: list[list[float]]) -> None:
    """The matrix as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", *names)
    for name, row in zip(names, rows, strict=True):
        table.add_row(name, *(f"{value:+.2f}" for value in row))
    Console().print(table)


def _load(names: list[str], least: int = 2) -> "list[TaskVector]":
    from aesthetic_tv import TaskVector
    from aesthetic_tv.errors import SettingError

    if len(names) < least:
        raise SettingError(f"found {len(names)} task vector; expected two or more.")
    quiet_transformers()
    return [TaskVector.from_pretrained(name) for name in names]


def _save(vector: "TaskVector", out: Path, name: str | None) -> None:
    from dataclasses import replace

    if name is not None:
        vector = replace(vector, name=name)
    vector.save_pretrained(out)
    typer.echo(f"{vector.name} is saved in {out}.")
