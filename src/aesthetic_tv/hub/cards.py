"""The cards (README.md) of all that goes to the Hub, from the templates in `hub_cards/`."""

import re
from collections.abc import Mapping, Sequence
from functools import singledispatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aesthetic_tv import __version__
from aesthetic_tv.hub.repos import RATINGS
from aesthetic_tv.hub.shipped import shipped
from aesthetic_tv.personalization import Figures, Personalization, Preferences
from aesthetic_tv.plots import coefficient_map, similarity_matrix
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank
from aesthetic_tv.task_vectors.bank import EMBEDDED

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
FRAMEWORKS = ("transformers", "torch", "huggingface_hub", "safetensors")
TASK = "image-classification"
METRICS = {"srocc": "spearmanr", "plcc": "pearsonr", "pair_accuracy": "accuracy"}
PICTURE = "similarity.png"
MAP = "coefficients.png"
CURVE = "learning_curve.png"  # of a training, where one was drawn


def write(thing: Any, folder: Path, repo_id: str) -> None:
    """Write README.md, and its pictures, beside the files of what goes to `repo_id`."""
    (folder / "README.md").write_text(card(thing, folder, repo_id), "utf-8")


@singledispatch
def card(thing: Any, folder: Path, repo_id: str) -> str:
    """The card's text; pictures are written to `folder`.

    Args:
        thing: a task vector, bank, personalization, scorer or preferences.
        folder: that the card will stand in, with the files that are pushed.
        repo_id: `owner/name`.
    """
    raise TypeError(f"there is no card for a {type(thing).__name__}")


@card.register
def _(vector: TaskVector, folder: Path, repo_id: str) -> str:
    database = str(vector.database.get("id") or "")
    results = [
        _result(name, value, database or "unknown", database or "not noted down")
        for name, value in vector.metrics.items()
        if not name.endswith("_n")  # how many photos another one was measured on
    ]
    data = _model_data(repo_id, vector.base.repo_id, "adapter", vector.license, results, [database])
    return _render(
        "task_vector.md",
        data,
        repo_id,
        vector.license,
        vector=vector,
        base=vector.base,
        curve=CURVE if (folder / CURVE).is_file() else None,
    )


@card.register
def _(bank: TaskVectorBank, folder: Path, repo_id: str) -> str:
    similarity_matrix(bank.names, bank.similarity(), folder / PICTURE)
    databases = [str(vector.database.get("id") or "") for vector in bank.vectors]
    base = bank.base_reference
    licenses = {vector.license for vector in bank.vectors}
    license = licenses.pop() if len(licenses) == 1 else None
    return _render(
        "bank.md",
        _model_data(repo_id, base.repo_id, "adapter", license, [], databases),
        repo_id,
        license,
        bank=bank,
        base=base,
        notes=sorted({str(v.training["note"]) for v in bank.vectors if v.training.get("note")}),
        picture=PICTURE,
        by_reference=all(v.repo_id for v in bank.vectors) and not (folder / "vectors").is_dir(),
    )


@card.register
def _(mine: Personalization, folder: Path, repo_id: str) -> str:
    coefficient_map(mine.layers, mine.tasks, mine.coefficients.numpy(), folder / MAP)
    data = _model_data(
        repo_id, _on_hub(mine.bank_reference.repo_id), "adapter", None, _honest(mine.figures), []
    )
    with_ratings = (folder / RATINGS).is_file()
    return _render(
        "personalization.md",
        data,
        repo_id,
        None,
        mine=mine,
        figures=mine.figures,
        picture=MAP,
        with_ratings=with_ratings,
    )


@card.register
def _(scorer: AestheticScorer, folder: Path, repo_id: str) -> str:
    merged = scorer.merged_from
    base, relation = scorer.config.tower_repo_id, "finetune"
    if merged is not None:
        base, relation = _on_hub(merged["repo_id"]), "merge"
    figures = None if merged is None else merged["figures"]
    data = _model_data(repo_id, base, relation, None, _honest(figures), [])
    return _render(
        "scorer.md", data, repo_id, None, merged=merged, figures=figures, config=scorer.config
    )


@card.register
def _(preferences: Preferences, folder: Path, repo_id: str) -> str:
    data = DatasetCardData(
        task_categories=[TASK],
        tags=["image-aesthetics", "aesthetic-tv"],
        configs=[{"config_name": "default", "data_files": RATINGS}],
    )
    return _render("preferences.md", data, repo_id, None, preferences=preferences)


def _model_data(
    repo_id: str,
    base: str | None,
    relation: str,
    license: str | None,
    results: Sequence[EvalResult],
    datasets: Sequence[str],
) -> ModelCardData:
    """The card's head: only what is known, and a licence only where one was given."""
    known = sorted({name for name in datasets if HUB_NAME.fullmatch(name)})
    return ModelCardData(
        base_model=base,
        base_model_relation=relation if base else None,
        datasets=known or None,
        eval_results=list(results) or None,
        library_name="aesthetic-tv",
        license=license,
        model_name=repo_id.split("/")[-1] if results else None,
        pipeline_tag=TASK,
        tags=["image-aesthetics", "task-vectors"],
    )


def _result(name: str, value: float, dataset: str, dataset_name: str) -> EvalResult:
    return EvalResult(
        task_type=TASK,
        dataset_type=dataset,
        dataset_name=dataset_name,
        metric_type=METRICS.get(name.rsplit("_", 1)[-1], METRICS.get(name, name)),
        metric_value=float(value),
        metric_name=name,
    )


def _honest(figures: Figures | None) -> list[EvalResult]:
    if figures is None:
        return []
    told = "one person's preferences, cross-validated"
    kind = METRICS[figures.metric]
    values = {"personal": figures.personal, "generic": figures.generic}
    return [
        EvalResult(
            task_type=TASK,
            dataset_type="personal-preferences",
            dataset_name=told,
            metric_type=kind,
            metric_value=value,
            metric_name=f"{figures.metric}, {name}",
        )
        for name, value in values.items()
    ]


def _on_hub(repo_id: str | None) -> str | None:
    return None if repo_id is None or repo_id.startswith(EMBEDDED) else repo_id


def _render(
    template: str,
    data: ModelCardData | DatasetCardData,
    repo_id: str,
    license: str | None,
    **values: Any,
) -> str:
    # A name that is missing in a template is an error, not an empty space in someone's card.
    environment = Environment(
        loader=FileSystemLoader(shipped("hub_cards")), undefined=StrictUndefined, autoescape=False
    )
    text = environment.get_template(template).render(
        card_data=data.to_yaml(), repo_id=repo_id, license=license, versions=_versions(), **values
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _versions() -> Mapping[str, str]:
    return {"aesthetic_tv": __version__} | {name: version(name) for name in FRAMEWORKS}
