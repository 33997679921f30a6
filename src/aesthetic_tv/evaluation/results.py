"""The folder of an evaluation: its config, its splits, and one file for each person; and what of it
goes into a bank's config, and from there into the bank's card.

A person's file holds the figures of each fit; of the first draw also the scores themselves, for
the pictures of the report. Files are written whole: a kill loses one person's last fits at most.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aesthetic_tv.errors import BaseMismatchError, FormatError
from aesthetic_tv.evaluation.metrics import METRICS
from aesthetic_tv.evaluation.splits import FILE as SPLITS_FILE
from aesthetic_tv.evaluation.splits import Splits
from aesthetic_tv.evaluation.statistics import KEY, summary
from aesthetic_tv.files import FORMAT_VERSION, config_value, reading, write_json
from aesthetic_tv.task_vectors import TaskVectorBank

CONFIG = "evaluation_config.json"
PERSONS = "persons"
# What methods are called: since 2, `generic` is the bank's generic score everywhere, and the mean
# of the single models, which it was called here before, is `mean`.
NAMES, RENAMED = 2, {"generic": "mean"}


@dataclass
class PersonFile:
    """What is known of one person so far.

    Args:
        person: who.
        fits: one for each shots, draw and method: these, `seconds`, and each metric.
        scores: of the query set in the first draw, by shots and method.
        weights: mean coefficient of each task, by method and shots, one list for each draw.
    """

    person: str
    fits: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    weights: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path, person: str) -> "PersonFile":
        """The person's file, or an empty one.

        Raises:
            FormatError: it is damaged.
        """
        path = folder / PERSONS / _file_name(person)
        return _read(path) if path.exists() else cls(person)

    @property
    def done(self) -> set[tuple[int, int, str]]:
        """(shots, draw, method) of all fits."""
        return {(fit["shots"], fit["draw"], fit["method"]) for fit in self.fits}

    def save(self, folder: Path) -> None:
        """Write the person's file."""
        content = {"format_version": FORMAT_VERSION, "names": NAMES, **vars(self)}
        write_json(folder / PERSONS / _file_name(self.person), content, indent=None)


@dataclass(frozen=True, eq=False)
class Results:
    """What an evaluation found.

    Args:
        config: what was evaluated, and how.
        fits: one row for each person, shots, draw and method: these columns, `seconds`, `METRICS`.
        splits: who was fitted and tested on which photos.
        persons: by name.
    """

    config: Mapping[str, Any]
    fits: pd.DataFrame
    splits: Splits
    persons: Mapping[str, PersonFile] = field(repr=False)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Results":
        """The results in a folder, of all people that are done so far.

        Raises:
            FormatError: the folder holds no evaluation, or a damaged one, or nobody is done.
        """
        folder = Path(folder)
        config = read_evaluation(folder)
        splits = Splits.load(folder / SPLITS_FILE)
        persons = {
            name: PersonFile.load(folder, name)
            for name in splits.of_person
            if (folder / PERSONS / _file_name(name)).exists()
        }
        rows = [{"person": name, **fit} for name, x in persons.items() for fit in x.fits]
        if not rows:
            raise FormatError(f"{folder} holds no results yet; go on with `aesthetic-tv evaluate`.")
        fits = pd.DataFrame(rows, columns=[*KEY, "seconds", *METRICS])
        return cls(config, fits.astype(dict.fromkeys(METRICS, float)), splits, persons)

    @property
    def fits_of_groups(self) -> Mapping[str, pd.DataFrame]:
        """The fits by the groups that the splits tell people apart by, such as `seen`; under ""
        all of them, where they tell of none.
        """
        group_of = self.splits.group_of
        if not group_of:
            return {"": self.fits}
        return dict(tuple(self.fits.groupby(self.fits["person"].map(group_of))))

    def mean_weights(self, method: str, shots: int) -> np.ndarray | None:
        """Mean coefficient of each task over all people and draws (K,); `None` without any."""
        drawn = [
            weights
            for person in self.persons.values()
            for weights in person.weights.get(method, {}).get(str(shots), [])
        ]
        return np.mean(drawn, axis=0) if drawn else None


def read_evaluation(folder: Path) -> dict[str, Any]:
    """The config of an evaluation, with methods by their names of today.

    Raises:
        FormatError: missing or damaged.
    """
    with reading(folder, CONFIG) as config:
        if config.get("names", 1) < NAMES and isinstance(config.get("methods"), list):
            config["methods"] = [RENAMED.get(method, method) for method in config["methods"]]
        return config


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the config of an evaluation."""
    write_json(folder / CONFIG, {"format_version": FORMAT_VERSION, "names": NAMES, **config})


def _read(path: Path) -> PersonFile:
    with reading(path.parent, path.name) as content:
        return _made(path, content)


def _made(path: Path, content: dict[str, Any]) -> PersonFile:
    values = {
        name: config_value(content, name, kind, path)
        for name, kind in (("person", str), ("fits", list), ("scores", dict), ("weights", dict))
    }
    if _file_name(values["person"]) != path.name:
        raise FormatError(f"{path} belongs to another person; delete it, and go on.")
    return PersonFile(**(values if content.get("names", 1) >= NAMES else _renamed(values)))


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """With the methods of an earlier version by their names of today."""

    def name(method: str) -> str:
        return RENAMED.get(method, method)

    fits = [{**fit, "method": name(fit["method"])} for fit in values["fits"]]
    scores = {
        shots: {name(method): found for method, found in of_method.items()}
        for shots, of_method in values["scores"].items()
    }
    weights = {name(method): found for method, found in values["weights"].items()}
    return {**values, "fits": fits, "scores": scores, "weights": weights}


def _file_name(person: str) -> str:
    """A name that is safe whatever people are called."""
    return hashlib.sha256(person.encode()).hexdigest()[:24] + ".json"


def card_figures(results: Results, bank: TaskVectorBank, metric: str = "srocc") -> list[dict]:
    """Mean over people of each method at each number of shots, with its 95 % interval.

    Args:
        results: of an evaluation of this bank.
        bank: whose card it is.
        metric: which of the metrics.

    Raises:
        BaseMismatchError: the evaluation is of another bank.
    """
    then, now = results.config["bank"], bank.reference
    same = then["base_fingerprint"] == now.base_fingerprint and then["vectors"] == now.vectors
    if not same:
        raise BaseMismatchError(
            f"the evaluation is of a bank with the vectors {', '.join(then['vectors'])} on base "
            f"{then['base_fingerprint'][:12]}; this one has {', '.join(now.vectors)} on "
            f"{now.base_fingerprint[:12]}, or vectors of another content. Evaluate this bank."
        )
    return [_figure(results, row, metric) for row in summary(results.fits, metric).itertuples()]


def _figure(results: Results, row: Any, metric: str) -> dict[str, Any]:
    return {
        "database": results.config["database"],
        "splits_sha256": results.config["splits_sha256"],
        "method": row.method,
        "shots": int(row.shots),
        "metric": metric,
        "mean": round(float(row.mean), 4),
        "low": round(float(row.low), 4),
        "high": round(float(row.high), 4),
        "people": int(row.people),
        "draws": int(row.draws),
    }
