"""`aesthetic-tv pull`: a repo of the Hub to the cache, or to a folder."""

from pathlib import Path
from typing import Annotated

import typer

from aesthetic_tv.cli.outcome import next_step, reports_errors

Revision = Annotated[
    str | None, typer.Option(help="Branch, tag or commit; the newest when not given.")
]


@reports_errors("What arrived whole is kept in the cache; run the same command again to go on.")
def pull(
    repo: Annotated[str, typer.Argument(help="What: owner/name.")],
    revision: Revision = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to copy it to; only fetched when not given.")
    ] = None,
) -> None:
    """Fetch a task vector, bank, taste or scorer from the Hub, checked against its hashes.

    Example: aesthetic-tv pull me/my-taste --out my-taste
    """
    from aesthetic_tv.files import atomic_folder
    from aesthetic_tv.hub.pushing import copy_files
    from aesthetic_tv.hub.repos import CONFIGS, EVERYTHING, RATINGS, resolve
    from aesthetic_tv.kinds import kind_of

    # Configs first: nothing large is fetched of a repo that holds nothing of ours.
    configs = resolve(repo, revision=revision, patterns=CONFIGS)
    kind = kind_of(configs.folder, repo)
    patterns = (*EVERYTHING, RATINGS) if kind.name == "Personalization" else EVERYTHING
    snapshot = resolve(repo, revision=configs.revision, patterns=patterns)
    folder = snapshot.folder
    if out is not None:
        with atomic_folder(out, marker=kind.marker) as temporary:
            copy_files(folder, temporary, patterns)
        folder = out
    at = f" at {snapshot.revision}" if snapshot.revision else ""
    typer.echo(f"{kind.name} {repo}{at}\n{folder}")
    if kind.name in ("Personalization", "AestheticScorer"):
        scorer = out or repo
        next_step("rank photos by it.", f"aesthetic-tv score PHOTOS --scorer {scorer} --out s.csv")
