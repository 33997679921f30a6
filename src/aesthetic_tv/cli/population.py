"""`aesthetic-tv bank population`: give a bank what people have in common."""

from pathlib import Path
from typing import Annotated

import typer

from aesthetic_tv.cli.outcome import Bars, next_step, quiet_transformers, reports_errors


@reports_errors("Nothing was written; run the same command again to start over.")
def population(
    bank: Annotated[str, typer.Argument(help="A bank: a folder, a Hub id or embedded:tiny.")],
    database: Annotated[str, typer.Argument(help="A database's id, `folder` or `hub`.")],
    data: Annotated[
        str, typer.Option(help="Folder it is unpacked in; for `hub` the repo, OWNER/NAME.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to save the bank to.")],
    people: Annotated[
        bool,
        typer.Option("--people", help="Learn also how far people stray, from single scores."),
    ] = False,
    photos: Annotated[int, typer.Option(min=2, help="At most so many photos, evenly.")] = 500,
    score_column: Annotated[str | None, typer.Option(help="Of the scores, in a folder.")] = None,
) -> None:
    """Learn the taste that people have in common, and save the bank with it.

    Personalizations then start from there instead of from equal weights. Use photos that no vector
    of the bank was trained on: the test part is taken where the database has one.

    Example: aesthetic-tv bank population my-bank para --data /data/PARA --people --out my-bank-2
    """
    import numpy as np

    from aesthetic_tv import TaskVectorBank
    from aesthetic_tv.databases import Source, load
    from aesthetic_tv.personalization.population import fit_population
    from aesthetic_tv.scorer import image_processor, load_batches

    quiet_transformers()
    loaded = TaskVectorBank.from_pretrained(bank)
    source = None if score_column is None else Source(score=score_column)
    told = load(database, data, per_person=people, source=source)
    told = told.split("test") if "test" in told.table.unique("split") else told
    names, paths = np.asarray(told.table["photo"]), _paths(told.table)
    chosen = np.unique(names)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(photos, len(chosen))).astype(int)]
    at = {name: i for i, name in enumerate(chosen.tolist())}
    processor = image_processor(loaded.base.config.tower)
    (batch,) = load_batches([paths[name] for name in at], processor, batch_size=len(at))
    kept = {photo: row for row, photo in enumerate(batch.indices)}
    rows = np.array([kept.get(at.get(name, -1), -1) for name in names.tolist()])
    scores = told.scores
    given = {}
    if people:
        users = np.asarray(told.table["user"])
        for user in np.unique(users):
            mine = (users == user) & (rows >= 0)
            given[user] = (rows[mine], scores[mine])
        means = None
    else:
        means = np.full(len(batch.indices), np.nan)
        means[rows[rows >= 0]] = scores[rows >= 0]
    with Bars() as bars:
        bars("population", 0, 1)
        loaded.population = fit_population(loaded, batch.pixel_values, means, given)
    loaded.save_pretrained(out)
    typer.echo(
        f"Learned from {len(batch.indices)} photos"
        + (f" and {len(given)} people" if given else "")
        + f"; the bank is saved in {out}."
    )
    next_step(
        "learn a taste with it.",
        f"aesthetic-tv personalize PHOTOS --ratings ratings.csv --bank {out} --out my-taste",
    )
