"""From a database in the one schema to task vectors with their facts, saved beside their logs."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from aesthetic_tv.databases import SPLITS, Database, check_overlap
from aesthetic_tv.errors import DatabaseError, SettingError
from aesthetic_tv.files import atomic_folder
from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.log import write_csv
from aesthetic_tv.finetuning.losses import Loss, parse_loss
from aesthetic_tv.finetuning.photos import DECODERS, IN_MEMORY, Crops, DecodedCrops, Examples
from aesthetic_tv.finetuning.targets import targets
from aesthetic_tv.finetuning.two_stage import Finetuned, Grouping, Run, finetune_examples
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVector
from aesthetic_tv.task_vectors.task_vector import CONFIG_NAME

LOG_NAME, CURVE_NAME = "log.csv", "learning_curve.png"


@dataclass(frozen=True)
class TrainedVector:
    """A task vector and the training that it came from.

    Attributes:
        vector: with what it was trained on, how, and how well it does on held-out photos.
        finetuned: scorer, log and figures.
        problems: (photo, reason) of photos that were left out since they cannot be decoded.
    """

    vector: TaskVector
    finetuned: Finetuned
    problems: tuple[tuple[str, str], ...] = ()

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, storage: str | None = None
    ) -> None:
        """Save the vector, with `log.csv` and `learning_curve.png` beside it.

        Args:
            folder: made, or replaced when it already holds a task vector.
            storage: as for `TaskVector.save_pretrained`.

        Raises:
            OutputError: the folder holds something else or cannot be written.
        """
        from aesthetic_tv.plots import learning_curve

        with atomic_folder(folder, marker=CONFIG_NAME) as temporary:
            self.vector.save_pretrained(temporary, storage=storage)
            write_csv(temporary / LOG_NAME, self.finetuned.lines)
            lines = [asdict(line) for line in self.finetuned.lines]
            learning_curve(
                lines,
                temporary / CURVE_NAME,
                title=f"{self.vector.name}: {self.finetuned.num_photos['train']} photos",
                best_epoch=self.finetuned.best_epoch,
            )


def finetune_database(
    base: AestheticScorer,
    database: Database,
    config: FinetuneConfig | None = None,
    run: Run | None = None,
    *,
    name: str | None = None,
    grouping: Grouping | None = None,
    license: str | None = None,
) -> list[TrainedVector]:
    """Fine-tune copies of the base on a database, and take their task vectors.

    Args:
        base: stays as it is.
        database: its training part is learned from, its validation part chooses the weights, its
            test part is looked at once, at the end.
        config: settings.
        run: where and how.
        name: of the vector; the database's id when not given.
        grouping: splits the database into several tasks, as `by_label` and `by_clusters`.
        license: of the vectors; there is no default.

    Returns:
        One vector, or one for each task.

    Raises:
        DatabaseError: two rows for one photo, or nothing that can be decoded.
        OverlapError: a photo is in two splits.
        SettingError: scores that cannot be learned from, or a loss that needs votes.
        ResumeError, DivergedError, OutputError: as for `finetune_examples`.
    """
    config, run = config or FinetuneConfig(), run or Run()
    config = replace(config, score_range=config.score_range or database.score_range)
    rows = database.table.select_columns(["photo", "score", "distribution", "split"]).to_pandas()
    _check_rows(database, rows)
    loss = _loss(config.loss, rows["distribution"])
    truth = targets(
        rows["score"].to_numpy(dtype=np.float64),
        config.score_range,
        base.config.bin_values,
        distributions=list(rows["distribution"]),
        distribution_values=database.distribution_values,
    )
    names, split = rows["photo"].tolist(), rows["split"].to_numpy(dtype=object)
    decoded = DecodedCrops(database.table, base.config)
    crops, failures = _in_memory(decoded)
    split[list(failures)] = "unreadable"

    def tell(broken: Sequence[int]) -> None:
        failures.update((row, decoded.attempt(np.array([row]))[1].get(0, "")) for row in broken)

    digest = _digest(rows)
    run = replace(run, facts={"data": digest, "name": name, **run.facts})
    results = finetune_examples(
        base,
        Examples(crops, truth, names),
        split,
        loss,
        config,
        run,
        grouping=grouping,
        unreadable=tell,
    )
    problems = tuple((names[row], reason) for row, reason in sorted(failures.items()))
    known = _database_facts(database, digest, problems)
    whole = name or database.entry.id
    return [
        TrainedVector(
            TaskVector.from_scorers(
                base,
                result.scorer,
                name=f"{whole}-{result.name}" if result.name else whole,
                database=known | {"num_images": result.num_photos["train"]} | _split(result),
                training=_training(config, loss, result),
                metrics=_metrics(result),
                license=license,
            ),
            result,
            problems,
        )
        for result in results
    ]


def _check_rows(database: Database, rows: Any) -> None:
    twice = sorted(set(rows["photo"][rows["photo"].duplicated()]))
    if twice:
        raise DatabaseError(
            f"{database.entry.id} has two or more rows for {len(twice)} photos "
            f"({', '.join(twice[:3])}); expected one. Of scores by single persons, take their mean "
            "or one person's table."
        )
    held = [name for name in SPLITS if (rows["split"] == name).any()]
    for one, other in combinations(held, 2):
        check_overlap(database.split(one), database.split(other))


def _loss(text: str, distributions: Any) -> Loss:
    voted = bool(distributions.notna().any())
    loss = parse_loss(("emd" if voted else "mse") if text == "auto" else text)
    if loss.needs_distributions and not voted:
        raise SettingError(
            "loss emd needs distributions of votes, and this database has none; use mse, plcc or "
            "rank."
        )
    return loss


def _in_memory(decoded: DecodedCrops) -> tuple[Crops, dict[int, str]]:
    """All crops where they fit, and why a row has none; otherwise they are decoded in each epoch.

    Raises:
        DatabaseError: no photo can be decoded.
    """
    if decoded.num_bytes > IN_MEMORY:
        return decoded, {}
    crops, failures = decoded.attempt(np.arange(len(decoded)), DECODERS)
    if len(failures) == len(decoded):
        raise DatabaseError(f"no photo can be decoded; the first: {failures[0]}")
    return crops, failures


def _digest(rows: Any) -> str:
    """SHA-256 over what is learned from: names, scores, votes and splits."""
    state = hashlib.sha256()
    for photo, score, votes, split in rows.itertuples(index=False):
        shares = None if votes is None else [float(share) for share in votes]
        state.update(json.dumps([photo, float(score), shares, split]).encode() + b"\n")
    return state.hexdigest()


def _database_facts(database: Database, digest: str, problems: Sequence[Any]) -> dict[str, Any]:
    entry = database.entry
    return {
        "id": entry.id,
        "revision": getattr(entry, "revision", None) or f"sha256:{digest}",
        "license": entry.license,
        "score_range": list(database.score_range),
        "left_out": len(database.problems) + len(problems),
        "split_source": database.split_source,
    }


def _split(result: Finetuned) -> dict[str, Any]:
    return {"split": ", ".join(f"{count} {name}" for name, count in result.num_photos.items())}


def _training(config: FinetuneConfig, loss: Loss, result: Finetuned) -> dict[str, Any]:
    return config.that_changes_the_result() | {
        "loss": "+".join(f"{weight:g}*{name}" for name, weight in loss.terms),
        "steps": result.steps,
        "best_epoch": result.best_epoch,
        "num_processes": result.num_processes,
        "mixed_precision": result.mixed_precision,
        "seconds": round(result.seconds, 1),
    }


def _metrics(result: Finetuned) -> Mapping[str, float]:
    """SROCC, PLCC and number of photos of the held-out parts."""
    parts = {"validation": result.validation, "test": result.test}
    return {
        f"{part}_{key}": value
        for part, agreement in parts.items()
        if agreement is not None
        for key, value in vars(agreement).items()
    }
