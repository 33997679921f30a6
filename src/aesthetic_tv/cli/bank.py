"""`aesthetic-tv bank`: make banks of task vectors, and look at them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesthetic_tv.cli.build import build
from aesthetic_tv.cli.outcome import next_step, quiet_transformers, reports_errors
from aesthetic_tv.cli.population import population
from aesthetic_tv.cli.pull import Revision
from aesthetic_tv.cli.vector import NOTHING, print_similarity

if TYPE_CHECKING:
    from aesthetic_tv import TaskVectorBank

app = typer.Typer(no_args_is_help=True, help="Make banks of task vectors, and look at them.")
app.command()(build)
app.command()(population)

Bank = Annotated[str, typer.Argument(help="A bank: a folder, a Hub id or embedded:lite.")]
Vectors = Annotated[list[str], typer.Argument(help="Task vectors: folders or Hub ids.")]
Out = Annotated[Path, typer.Option(help="Folder to save the bank to.")]
ByReference = Annotated[
    bool,
    typer.Option("--by-reference", help="List vectors by repo and commit instead of copying them."),
]


@app.command()
@reports_errors(NOTHING)
def create(
    vectors: Vectors,
    out: Out,
    base: Annotated[
        str | None, typer.Option(help="The base scorer; the one the vectors name when not given.")
    ] = None,
    by_reference: ByReference = False,
) -> None:
    """Put task vectors on one base into a bank.

    Example: aesthetic-tv bank create me/vector-a me/vector-b --out my-bank
    """
    from aesthetic_tv import AestheticScorer, TaskVector, TaskVectorBank
    from aesthetic_tv.hub.repos import Access
    from aesthetic_tv.task_vectors.bases import load_base

    quiet_transformers()
    loaded = [TaskVector.from_pretrained(name) for name in vectors]
    if base is not None:
        start = AestheticScorer.from_pretrained(base, dtype="float32")
    else:
        start = load_base(loaded[0].base, Access(), f"task vector {vectors[0]}")
    _save(TaskVectorBank(start, loaded), out, by_reference)


@app.command()
@reports_errors(NOTHING)
def add(bank: Bank, vectors: Vectors, out: Out, by_reference: ByReference = False) -> None:
    """Add task vectors to a bank; the bank itself stays as it is.

    Tastes belong to the bank they were learned with, and stay there.

    Example: aesthetic-tv bank add my-bank me/vector-c --out my-larger-bank
    """
    from aesthetic_tv import TaskVector, TaskVectorBank

    quiet_transformers()
    before = TaskVectorBank.from_pretrained(bank)
    more = [TaskVector.from_pretrained(name) for name in vectors]
    _save(TaskVectorBank(before.base, [*before.vectors, *more]), out, by_reference)


@app.command()
@reports_errors(NOTHING)
def evaluated(
    bank: Bank,
    folder: Annotated[Path, typer.Argument(help="Folder of an `aesthetic-tv evaluate` of it.")],
    out: Out,
) -> None:
    """Give a bank the figures of its evaluation, for its card.

    Example: aesthetic-tv bank evaluated my-bank report --out my-bank
    """
    from aesthetic_tv import TaskVectorBank
    from aesthetic_tv.evaluation.results import Results, card_figures

    quiet_transformers()
    loaded = TaskVectorBank.from_pretrained(bank)
    figures = card_figures(Results.load(folder), loaded)
    others = [x for x in loaded.evaluations if x["database"] != figures[0]["database"]]
    loaded.evaluations = [*others, *figures]
    loaded.save_pretrained(out)
    typer.echo(f"{len(figures)} figures on {figures[0]['database']}; saved in {out}.")
    next_step("share it.", f"aesthetic-tv push {out} OWNER/NAME")


@app.command()
@reports_errors(NOTHING)
def info(bank: Bank, revision: Revision = None) -> None:
    """Tell which task vectors a bank holds, and how alike they are.

    Example: aesthetic-tv bank info embedded:lite
    """
    from rich.console import Console
    from rich.table import Table

    from aesthetic_tv import TaskVectorBank

    quiet_transformers()
    loaded = TaskVectorBank.from_pretrained(bank, revision=revision)
    base = loaded.base_reference
    place = f"{base.repo_id}@{base.revision}" if base.repo_id else "kept in the bank"
    typer.echo(f"commit: {loaded.revision or 'a local folder'}")
    typer.echo(f"base: {place} (fingerprint {base.fingerprint[:12]})")
    table = Table("task", "database", "licence", "content")
    for vector in loaded.vectors:
        database = str(vector.database.get("id", "not noted"))
        content = vector.content_sha256[:12]
        table.add_row(vector.name, database, vector.license or "none given", content)
    Console().print(table)
    print_similarity(list(loaded.names), loaded.similarity().tolist())
    if loaded.population is not None:
        told = ", ".join(f"{key} {value}" for key, value in loaded.population.learned_from.items())
        typer.echo(f"population: {told}")


def _save(bank: "TaskVectorBank", out: Path, by_reference: bool) -> None:
    bank.save_pretrained(out, by_reference=by_reference)
    typer.echo(f"{len(bank.vectors)} task vectors ({', '.join(bank.names)}) are saved in {out}.")
    next_step("share it.", f"aesthetic-tv push {out} OWNER/NAME")
