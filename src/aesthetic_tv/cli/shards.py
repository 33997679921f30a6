"""What the commands on shards share: options, and how they end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesthetic_tv.cli.options import Options
from aesthetic_tv.cli.outcome import (
    SKIPPED,
    Bars,
    next_step,
    quiet_transformers,
    warn,
)

if TYPE_CHECKING:
    from aesthetic_tv.scale.running import RunReport

PANEL = "Shards"
SHOWN = 20  # problems that are printed; the manifest has all
ENDINGS = (".tar", ".tar.gz", ".tgz", ".parquet", ".parq")


def _option(text: str, **more: Any) -> Any:
    return typer.Option(help=text, rich_help_panel=PANEL, **more)


SHARD_OPTIONS: Options = {
    "engine": (
        Annotated[str | None, _option("process (this one, the default) or ray.")],
        None,
    ),
    "workers": (Annotated[int | None, _option("Workers of Ray.", min=1)], None),
    "column": (
        Annotated[str | None, _option("Of parquet and data sets, with the photos.")],
        None,
    ),
    "config": (Annotated[str | None, _option("Of a data set on the Hub.")], None),
    "split": (Annotated[str | None, _option("Of a data set on the Hub; else all.")], None),
    "threads": (Annotated[int | None, _option("That decode; up to 8.", min=1)], None),
}
SCORE_OPTIONS: Options = {
    **SHARD_OPTIONS,
    "dtype": (
        Annotated[str | None, _option("float32, bfloat16 or float16; as saved, when not given.")],
        None,
    ),
    "revision": (Annotated[str | None, _option("Of a scorer on the Hub.")], None),
}


def are_shards(photos: Sequence[str], sharding: Mapping[str, Any]) -> bool:
    """Whether what is to be scored is shards, rather than an album."""
    marked = any(x.startswith("hf://") or x.lower().endswith(ENDINGS) for x in photos)
    return marked or any(x is not None for x in sharding.values())


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are."""
    return {name: value for name, value in options.items() if value is not None}


def score_many(
    photos: Sequence[str],
    scorer: str,
    out: Path | None,
    bank: str | None,
    overwrite: bool,
    options: Mapping[str, Any],
) -> None:
    """Score shards, and tell how it went."""
    from aesthetic_tv.errors import SettingError
    from aesthetic_tv.scale import score_shards

    if out is None:
        raise SettingError("shards are scored into a folder; name it with --out.")
    quiet_transformers()
    with Bars() as bars:
        report = score_shards(
            scorer,
            photos,
            out,
            bank=bank,
            overwrite=overwrite,
            progress=lambda done, total: bars("shards", done, total),
            **given(options),
        )
    _tell_scores(report)
    end_of_run(report)


def _tell_scores(report: "RunReport") -> None:
    scores = report.manifest["scores"]
    if scores["count"]:
        q = scores["quantiles"]
        typer.echo(
            f"Scores from {q['0']:.2f} to {q['1']:.2f}; half of the photos between {q['0.25']:.2f} "
            f"and {q['0.75']:.2f}, the middle at {q['0.5']:.2f}."
        )


def end_of_run(report: "RunReport", refused: Mapping[str, str] | None = None) -> None:
    """Tell what was done, name what was not, and exit with `SKIPPED` where that is anything."""
    manifest = report.manifest
    if report.num_kept:
        typer.echo(f"{report.num_kept} shards were scored before, and are kept.")
    typer.echo(
        f"{manifest['num_scored']} of {manifest['num_photos']} photos in "
        f"{manifest['num_shards_done']} of {manifest['num_shards']} shards scored, into "
        f"{report.out}."
    )
    for shard in report.shards:
        if "photos_at_once" in shard.notes:
            warn(f"{shard.shard}: memory held {shard.notes['photos_at_once']} photos at once.")
    for what, found in (
        ("tastes were refused", dict(refused or {})),
        ("shards have no output", report.problems),
    ):
        _name(what, found)
    if manifest["num_failed"]:
        _name(
            f"photos have no score ({manifest['num_failed']} in all; the outputs of `score` name "
            "each)",
            report.failures,
        )
    if refused or report.problems or manifest["num_failed"]:
        raise typer.Exit(SKIPPED)
    next_step("read what was found.", str(report.out / "manifest.json"))


def _name(what: str, found: Mapping[str, str]) -> None:
    if not found:
        return
    typer.secho(f"These {what}:", fg="yellow", err=True)
    for name, reason in list(found.items())[:SHOWN]:
        typer.secho(f"  {name}: {reason}", err=True)
    if len(found) > SHOWN:
        typer.secho(f"  and {len(found) - SHOWN} more; manifest.json has them.", err=True)
