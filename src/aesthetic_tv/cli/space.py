"""`aesthetic-tv space`: the app as a Space of one's own."""

from typing import Annotated

import typer

from aesthetic_tv.cli.outcome import quiet_transformers, reports_errors

app = typer.Typer(no_args_is_help=True, help="The app on a page of your own, for everyone.")


@app.callback()
def _root() -> None:
    """Keep `push` a command of its own, though there is only one."""


@app.command()
@reports_errors("Run the same command again: it brings what is there up to date.")
def push(
    repo: Annotated[str, typer.Argument(help="Where to: owner/name.")],
    bank: Annotated[
        str | None,
        typer.Option(
            help="Task vectors to weigh: a Hub id or embedded:lite; what the Space has when not "
            "given, and embedded:lite for a new one."
        ),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new Space private.")] = False,
    replace_readme: Annotated[
        bool, typer.Option("--replace-readme", help="Replace a page that was edited there.")
    ] = False,
) -> None:
    """Make a Space where people rate photos and see their taste, or bring yours up to date.

    Log in first with `hf auth login`, or set HF_TOKEN.

    Example: aesthetic-tv space push me/personal-aesthetics --bank me/aesthetic-bank-b16
    """
    from aesthetic_tv.app.space import push_space

    quiet_transformers()
    commit = push_space(repo, bank=bank, private=private or None, replace_readme=replace_readme)
    typer.echo(f"Pushed in one commit, if anything differed: {commit.commit_url}")
    typer.echo(f"In a few minutes it runs on {commit.repo_url}.")
