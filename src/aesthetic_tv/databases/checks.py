"""Judging the rows of a table: which can be used, and why the others cannot."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from aesthetic_tv.databases.registry import Range
from aesthetic_tv.databases.tables import PLACE
from aesthetic_tv.errors import DatabaseError

SHOWN = 5  # examples in a message

Problems = list[tuple[str, str]]


def check_scores(
    rows: pd.DataFrame, score_range: Range | None, database: str
) -> tuple[pd.DataFrame, Range, Problems]:
    """Rows whose score is a number on the scale, as float64.

    Args:
        rows: the columns photo and score, and perhaps user and distribution.
        score_range: of the scale; lowest and highest score found when not given.
        database: its id, for the errors.

    Returns:
        The rows kept, the scale, and (photo, reason) of those left out.

    Raises:
        DatabaseError: no row can be used, or all scores are equal.
    """
    scores = pd.to_numeric(rows["score"], errors="coerce").astype(np.float64)
    finite = np.isfinite(scores)
    low, high = score_range or (scores[finite].min(), scores[finite].max())
    inside = scores.between(low, high)
    problems = [
        (str(row.photo), _bad_score(row.score, number, low, high))
        for row, number in zip(rows[~inside].itertuples(), scores[~inside], strict=True)
    ]
    if not inside.any():
        raise DatabaseError(
            f"{database}: none of {len(rows)} scores can be used: {listed(problems)}."
        )
    kept = rows[inside].assign(score=scores[inside]).reset_index(drop=True)
    if kept["score"].nunique() == 1 and len(kept) > 1:
        raise DatabaseError(
            f"{database}: all {len(kept)} scores are {kept['score'].iloc[0]:g}; there is nothing "
            "to learn from them."
        )
    if not low < high:
        raise DatabaseError(f"{database}: one score alone has no scale; give the score range.")
    return kept, (float(low), float(high)), problems


def _bad_score(given: object, number: float, low: float, high: float) -> str:
    if np.isfinite(number):
        return f"the score {number:g} is out of range ({low:g} to {high:g})."
    return "the score is empty." if given == "" else f"the score {given!r} is not a number."


def check_twice(rows: pd.DataFrame, database: str) -> tuple[pd.DataFrame, Problems]:
    """One row for each photo (for each user and photo where users are given).

    The same score twice is kept once. A user who scored a photo twice differently has the first
    score kept.

    Returns:
        The rows kept, and (photo, reason) of those left out.

    Raises:
        DatabaseError: a photo has two scores, and no users are given to tell them apart.
    """
    per_user = "user" in rows
    keys = ["user", "photo"] if per_user else ["photo"]
    kept = rows.drop_duplicates([*keys, "score"])
    again = kept.duplicated(keys)
    if not again.any():
        return kept.reset_index(drop=True), []
    if not per_user:
        names = kept.loc[again, "photo"].unique()
        examples = [
            (name, " and ".join(f"{s:g}" for s in kept.loc[kept["photo"] == name, "score"][:3]))
            for name in names[:SHOWN]
        ]
        raise DatabaseError(
            f"{database}: {len(names)} photos have two different scores ({listed(examples)}); keep "
            f"one row of each{_places(kept, names)}, or name the column of users who gave them."
        )
    problems = [
        (str(row.photo), f"user {row.user} scored it twice; the first score is kept.")
        for row in kept[again].itertuples()
    ]
    return kept[~again].reset_index(drop=True), problems


def _places(rows: pd.DataFrame, names: Sequence[str]) -> str:
    """Where the rows of the first photos stand, as far as that is known."""
    if PLACE not in rows:
        return ""
    places = [" and ".join(rows.loc[rows["photo"] == name, PLACE][:3]) for name in names[:SHOWN]]
    return f" ({'; '.join(places)})"


def check_distributions(
    rows: pd.DataFrame, values: Sequence[float] | None, database: str
) -> tuple[pd.DataFrame, Problems]:
    """Distributions as shares that sum to 1; a row without votes has none.

    Returns:
        The rows kept, and (photo, reason) of those left out.

    Raises:
        DatabaseError: rows have different numbers of steps, or others than there are values.
    """
    if "distribution" not in rows:
        return rows.assign(distribution=None), []
    given = rows["distribution"].notna().to_numpy()
    steps = {len(votes) for votes in rows["distribution"][given]}
    if len(steps) > 1 or (values is not None and steps and steps != {len(values)}):
        expected = f"{len(values)} in each" if values is not None else "the same in each"
        raise DatabaseError(
            f"{database}: distributions have {' and '.join(map(str, sorted(steps)))} steps; "
            f"expected {expected}."
        )
    votes = np.array(rows["distribution"][given].to_list(), dtype=np.float64)  # (given, steps)
    votes = votes.reshape(given.sum(), -1)
    total = votes.sum(axis=1, keepdims=True)
    good = (np.isfinite(votes) & (votes >= 0)).all(axis=1) & (total[:, 0] > 0)
    keep = ~given
    keep[given] = good
    if not keep.any():
        raise DatabaseError(
            f"{database}: no row has votes that can be used: {listed(_voteless(rows))}."
        )
    some = rows.index[given & keep]
    shares = pd.Series(list(votes[good] / total[good]), index=some, dtype=object)
    shares = shares.reindex(rows.index).astype(object).where(keep & given, None)
    return rows.assign(distribution=shares)[keep].reset_index(drop=True), _voteless(rows[~keep])


def _voteless(rows: pd.DataFrame) -> Problems:
    reason = "the votes are not all numbers from 0, or there are none."
    return [(str(photo), reason) for photo in rows["photo"]]


def listed(problems: Sequence[tuple[str, str]]) -> str:
    """A few problems as text, and how many more there are."""
    shown = "; ".join(f"{photo}: {reason.removesuffix('.')}" for photo, reason in problems[:SHOWN])
    more = len(problems) - SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown
