"""`aesthetic-tv push`: a saved folder, or a file of ratings, to the Hub."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aesthetic_tv.cli.outcome import next_step, quiet_transformers, reports_errors

Private = Annotated[bool, typer.Option("--private", help="Make a new repo private.")]
Branch = Annotated[str | None, typer.Option(help="Branch to push to; made if it is not there.")]
Tag = Annotated[str | None, typer.Option(help="Tag to put on the commit.")]


@reports_errors("Nothing was pushed; run the same command again to start over.")
def push(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of a task vector, bank, taste or scorer; or a ratings file."),
    ],
    repo: Annotated[str, typer.Argument(help="Where to: owner/name.")],
    private: Private = False,
    branch: Branch = None,
    tag: Tag = None,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="Propose the commit instead of pushing it.")
    ] = False,
    replace_card: Annotated[
        bool, typer.Option("--replace-card", help="Replace a README.md that the repo has.")
    ] = False,
    include_ratings: Annotated[
        bool,
        typer.Option("--include-ratings", help="Push the ratings that a taste was saved with."),
    ] = False,
) -> None:
    """Push a saved task vector, bank, taste or scorer to the Hub, with a card.

    A file of ratings becomes a data set of file names and ratings; the photos stay here. Log in
    first with `hf auth login`, or set HF_TOKEN.

    Example: aesthetic-tv push my-taste me/my-taste --private
    """
    from aesthetic_tv.personalization.ratings_file import read_ratings
    from aesthetic_tv.personalization.shared_ratings import push_preferences
    from aesthetic_tv.saved_folders import push_folder

    quiet_transformers()
    settings: dict[str, Any] = {"branch": branch, "tag": tag, "create_pr": pull_request}
    settings |= {"keep_readme": not replace_card, "private": private or None}
    commit = (
        push_preferences(read_ratings(source), repo, **settings)
        if source.is_file()
        else push_folder(
            source, repo, settings, replace_card=replace_card, include_ratings=include_ratings
        )
    )
    typer.echo(f"Pushed in one commit: {commit.pr_url or commit.commit_url}")
    fetch = f"aesthetic-tv pull {commit.repo_url.repo_id}"
    if source.is_file():
        fetch = f"hf download --repo-type dataset {commit.repo_url.repo_id}"
    next_step("load it anywhere.", f"{fetch} --revision {commit.oid}")
