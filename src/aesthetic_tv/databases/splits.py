"""Splits drawn by a seed where a database has none: by the photo's name, so that none moves."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from aesthetic_tv.errors import DatabaseError, SettingError


@dataclass(frozen=True)
class SplitSettings:
    """How photos are divided.

    Args:
        source: "official", as the makers divided them; "seeded"; or "auto", official where there
            is one and seeded otherwise.
        seed: of the draw.
        validation: share of the photos for validation; where the makers keep a test split but no
            validation split, the share of their training photos. A tenth when seeded and nothing
            from an official split, when not given.
        test: share of the photos for the test, when seeded.
    """

    source: Literal["auto", "official", "seeded"] = "auto"
    seed: int = 0
    validation: float | None = None
    test: float = 0.1

    def __post_init__(self):
        if self.source not in ("auto", "official", "seeded"):
            raise SettingError(
                f"split is {self.source!r}; expected 'auto', 'official' or 'seeded'."
            )
        shares = (self.validation or 0.0, self.test)
        if not all(0 <= share < 1 for share in shares) or sum(shares) >= 1:
            raise SettingError(
                f"validation and test shares are {shares[0]} and {shares[1]}; expected numbers "
                "from 0 that leave something for training."
            )


def divide(
    photos: Iterable[str], official: pd.Series | None, settings: SplitSettings, database: str
) -> tuple[pd.Series, str]:
    """The split of each row, and where it comes from (as `Database.split_source` has it).

    Args:
        photos: name of each row's photo, or of what it shows; rows of one name get one split.
        official: the makers' split of each row; `None` where there is none.
        settings: what is asked for.
        database: its id, for the error.

    Raises:
        DatabaseError: the official split is asked for, and there is none.
    """
    names = pd.Series(list(photos), dtype=object)
    if official is None and settings.source == "official":
        raise DatabaseError(
            f"{database} comes without an official split, or its list of test photos is missing; "
            "let it be drawn by a seed."
        )
    if official is not None and settings.source != "seeded":
        split = official.reset_index(drop=True).astype(object)
        share = settings.validation
        if not share or (split == "validation").any():
            return split, "official"
        drawn = (split == "train") & (names.map(lambda name: _place(name, settings.seed)) < share)
        split = split.mask(drawn, "validation")
        return split, f"official, validation seeded:{settings.seed}:{share:g}"
    validation = 0.1 if settings.validation is None else settings.validation
    places = names.map(lambda name: _place(name, settings.seed))
    split = pd.Series("train", index=names.index, dtype=object)
    split = split.mask(places < validation + settings.test, "validation")
    split = split.mask(places < settings.test, "test")
    return split, f"seeded:{settings.seed}:{validation:g}:{settings.test:g}"


def _place(name: str, seed: int) -> float:
    """A number in [0, 1) that depends on name and seed alone, wherever and whenever it is drawn."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
