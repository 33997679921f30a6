"""The file by which what was sent to Immich can be undone."""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aesthetic_tv.errors import FormatError
from aesthetic_tv.files import FORMAT_VERSION, config_value, reading, write_json

from .client import RATINGS, checked_id
from .connection import server_in
from .plan import Change, Plan


@dataclass
class Undo:
    """What was meant to be changed.

    Attributes:
        server, user: whose photos they are.
        changes: with `before` and `after` as they were then.
        album: id of the album that photos were put into; empty for none, or none yet.
        made: whether that album was made then.
        added: photos that were put into it: the asset of each.
    """

    server: str
    user: str
    changes: tuple[Change, ...] = ()
    album: str = ""
    made: bool = False
    added: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan, server: str, user: str) -> "Undo":
        """For what a plan says."""
        return cls(server, user, plan.changes, plan.album_id or "", False, plan.best)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Undo":
        """Read an undo file.

        Raises:
            FormatError: it is none, or damaged.
        """
        path = Path(path)
        with reading(path.parent, path.name) as told:
            if "changes" not in told:
                raise FormatError(f"{path} is no undo file of `aesthetic-tv immich push`.")
            return cls(
                server=server_in(told, path),
                user=checked_id(told["user"]),
                changes=tuple(map(_change, config_value(told, "changes", list, path))),
                album=checked_id(told["album"]) if told["album"] else "",
                made=told["made"] is True,
                added={str(photo): checked_id(x) for photo, x in told["added"].items()},
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all.

        Raises:
            OutputError: it could not be written.
        """
        write_json(path, {"format_version": FORMAT_VERSION, **asdict(self)}, indent=1)


def new_name(folder: str | os.PathLike[str]) -> Path:
    """A name for an undo file of now that is free in a folder."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path, number = Path(folder) / f"immich-undo-{stamp}.json", 1
    while path.exists():
        number += 1
        path = path.with_name(f"immich-undo-{stamp}-{number}.json")
    return path


def _change(told: Mapping[str, Any]) -> Change:
    for rating in (told["before"], told["after"]):
        if rating is not None and (type(rating) is not int or rating not in RATINGS):
            raise ValueError(f"rating {rating!r}")
    return Change(
        photo=str(told["photo"]),
        asset=checked_id(told["asset"]),
        before=told["before"],
        after=told["after"],
        ours=told["ours"] is True,
    )
