"""Does the number of task vectors help (paper Figure 5)? The same evaluation on parts of a bank."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from aesthetic_tv.evaluation.metrics import bootstrap_interval
from aesthetic_tv.evaluation.photo_pool import DecodedPeople, Progress
from aesthetic_tv.evaluation.published import EXPERIMENTS
from aesthetic_tv.evaluation.running import Protocol, evaluate
from aesthetic_tv.task_vectors import TaskVectorBank


def parts_of(bank: TaskVectorBank, orders: int, seed: int) -> list[tuple[int, int, list[int]]]:
    """Number of vectors, order, and which vectors: the first 1, 2, ... K in random orders; all of
    them once.
    """
    count = len(bank.vectors)
    random = np.random.default_rng(seed)
    drawn = [random.permutation(count).tolist() for _ in range(orders)]
    parts = [
        (size, number, sorted(order[:size]))
        for size in range(1, count)
        for number, order in enumerate(drawn)
    ]
    return [*parts, (count, 0, list(range(count)))]


def number_of_vectors(
    bank: TaskVectorBank,
    people: DecodedPeople,
    protocol: Protocol,
    folder: Path,
    *,
    orders: int = 3,
    progress: Progress = lambda stage, done, total: None,
) -> pd.DataFrame:
    """Fits on 1 to K vectors, in several random orders of adding them.

    Args:
        bank: of K vectors; its population is left out, since it is one of all K.
        people: for all parts the same, with the same splits.
        protocol: for each part; without methods that take seconds a fit this takes minutes.
        folder: to keep each part's evaluation in; gone on with if there.
        orders: how many.
        progress: called with (stage, done, total).

    Returns:
        The fits of all parts, with the columns `vectors` and `order` more.
    """
    found = []
    parts = parts_of(bank, orders, protocol.seed)
    for place, (size, order, chosen) in enumerate(parts):
        progress("banks", place, len(parts))
        part = TaskVectorBank(bank.base, [bank.vectors[k] for k in chosen])
        results = evaluate(part, people, protocol, folder / f"{size:02d}-{order}")
        found.append(results.fits.assign(vectors=size, order=order))
    progress("banks", len(parts), len(parts))
    return pd.concat(found, ignore_index=True)


def curves(
    fits: pd.DataFrame,
    shots: int,
    methods: Sequence[str] = EXPERIMENTS["figure5"].methods,
    metric: str = "srocc",
) -> Mapping[str, list[tuple[float, float, float]]]:
    """Mean over people and its 95 % interval at 1, 2, ... K vectors, for each method."""
    found = {}
    chosen = fits[fits["shots"] == shots]
    for method in methods:
        part = chosen[chosen["method"] == method]
        found[method] = [
            (float(means.mean()), *bootstrap_interval(means.to_numpy()))
            for _, one in part.groupby("vectors")
            for means in [one.groupby("person")[metric].mean()]
        ]
    return found
