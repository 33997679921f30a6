"""Options that tell which columns of a table to read, the same for every command on databases."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from aesthetic_tv.cli.options import Command, gathered

if TYPE_CHECKING:
    from aesthetic_tv.databases import Source

Given: TypeAlias = Mapping[str, Any]  # options of a table
NONE: Given = MappingProxyType({})
ANY_TABLE = ("folder", "hub")  # ids that stand for whatever the options describe
PANEL = "Columns, of `folder` and `hub`"


def _option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=PANEL)


Table = Annotated[
    str | None,
    _option("Table of scores, where a folder has more than one, or it lies elsewhere.",
            "--scores", "--table"),
]  # fmt: skip
PhotoColumn = Annotated[str | None, _option("Of the photos' file names.")]
ImageColumn = Annotated[
    str | None, _option("Of the images, on the Hub; of the photos' file names in a folder.")
]
ScoreColumn = Annotated[str | None, _option("Of the scores.")]
DistributionColumn = Annotated[str | None, _option("Of the votes, or their shares.")]
UserColumn = Annotated[str | None, _option("Of who gave the score.")]
SplitColumn = Annotated[str | None, _option("Of the split.")]
ScoreRange = Annotated[
    tuple[float, float] | None,
    _option("Lowest and highest score there can be.", "--score-range", "--scale"),
]
LowerIsBetter = Annotated[bool, _option("Turn the scores round.", "--lower-is-better")]
Subset = Annotated[str | None, _option("Configuration of a data set on the Hub.", "--config")]
Revision = Annotated[str | None, _option("Branch, tag or commit of a data set on the Hub.")]
Streaming = Annotated[
    bool,
    _option("Stream a data set on the Hub to disk, shard by shard; its files are not kept.",
            "--streaming"),
]  # fmt: skip

# What these options are called in `Source`.
FIELDS = {
    "table": "table",
    "photo_column": "photo",
    "image_column": "image",
    "score_column": "score",
    "distribution_column": "distribution",
    "user_column": "user",
    "split_column": "split",
    "score_range": "score_range",
    "subset": "config",
    "revision": "revision",
}


_OPTIONS = {
    "table": (Table, None),
    "photo_column": (PhotoColumn, None),
    "image_column": (ImageColumn, None),
    "score_column": (ScoreColumn, None),
    "distribution_column": (DistributionColumn, None),
    "user_column": (UserColumn, None),
    "split_column": (SplitColumn, None),
    "score_range": (ScoreRange, None),
    "lower_is_better": (LowerIsBetter, False),
    "subset": (Subset, None),
    "revision": (Revision, None),
    "streaming": (Streaming, False),
}


def of_table(*names: str) -> Callable[[Command], Command]:
    """Give a command some of these options, all when none is named, as its `of_table`."""
    return gathered("of_table", {name: _OPTIONS[name] for name in names or _OPTIONS})


def source_of(database: str, options: Mapping[str, Any]) -> "Source | None":
    """What the options say of a table; `None` where they say nothing.

    Args:
        database: its id.
        options: of the command, by the names above.
    """
    from aesthetic_tv.databases import Source

    given = {FIELDS[key]: options[key] for key in FIELDS if options.get(key) is not None}
    if database != "hub" and "image" in given:  # the photos of a folder stand in no column
        given.setdefault("photo", given.pop("image"))
    if options.get("lower_is_better"):
        given["higher_is_better"] = False
    if options.get("streaming"):
        given["streaming"] = True
    return Source(**given) if given else None


def table_of(data: str, table: str | None) -> Path | None:
    """The file that `--scores` names: in the folder of photos, or by itself."""
    from aesthetic_tv.databases.folder import find_table

    return None if table is None else find_table(Path(data), table)
