"""From a database to what people have in common, for a bank of task vectors."""

from collections.abc import Callable

import numpy as np

from aesthetic_tv.databases import Database
from aesthetic_tv.errors import DatabaseError
from aesthetic_tv.finetuning.photos import DECODERS, DecodedCrops
from aesthetic_tv.personalization.learned_population import fit_population
from aesthetic_tv.task_vectors import Population, TaskVectorBank
from aesthetic_tv.task_vectors.head_directions import HeadDirections


def population_of(
    bank: TaskVectorBank,
    database: Database,
    *,
    most: int = 500,
    directions: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Population, dict[str, str]]:
    """The population's centre from a database's scores, and from single persons' its spread too.

    Args:
        bank: the task vectors; none should have been trained on these photos.
        database: mean scores, or one row for each user and photo.
        most: photos that are taken, evenly from first to last.
        directions: head directions that the bank is given first, unless it has some.
        progress: called with (steps done, steps).

    Returns:
        The population, and the photos that cannot be decoded, with the reason.

    Raises:
        DatabaseError: fewer than two photos can be decoded.
    """
    rows = database.table.select_columns(["photo", "user"]).to_pandas()
    names, first = np.unique(rows["photo"].to_numpy(dtype=str), return_index=True)
    taken = np.linspace(0, len(names) - 1, min(most, len(names))).astype(int)
    names, first = names[taken], first[taken]
    crops, failed = DecodedCrops(database.table, bank.base.config).attempt(first, DECODERS)
    good = np.setdiff1d(np.arange(len(names)), list(failed))
    failures = {str(names[place]): reason for place, reason in failed.items()}
    if len(good) < 2:
        raise DatabaseError(
            f"{database.entry.id}: {len(good)} photos can be decoded; expected 2 or more. "
            + "; ".join(list(failures.values())[:3])
        )
    if progress is not None:
        progress(1, 2)
    place = {name: i for i, name in enumerate(names[good].tolist())}
    at = np.array([place.get(name, -1) for name in rows["photo"]])
    scores, users = database.scores, rows["user"].to_numpy(dtype=object)
    pixels = bank.base.normalize(crops[good])
    if directions and bank.directions is None:
        bank.population, bank.directions = None, HeadDirections.of(bank.base, pixels, directions)
    if rows["user"].isna().all():
        means = np.full(len(good), np.nan)
        means[at[at >= 0]] = scores[at >= 0]
        population = fit_population(bank, pixels, means)
    else:
        of_user = {user: (users == user) & (at >= 0) for user in dict.fromkeys(users)}
        people = {user: (at[kept], scores[kept]) for user, kept in of_user.items()}
        population = fit_population(bank, pixels, people=people)
    if progress is not None:
        progress(2, 2)
    return population, failures
