"""The cards (README.md) of all that goes to the Hub, made from the templates in `hub_cards/`.

What a card says is known to the classes themselves: each has a method `card`.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aesthetic_tv.assets import EMBEDDED
from aesthetic_tv.hub.shipped import shipped
from aesthetic_tv.version import __version__

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
FRAMEWORKS = ("transformers", "torch", "huggingface_hub", "safetensors")
TASK = "image-classification"
METRICS = {"srocc": "spearmanr", "plcc": "pearsonr", "pair_accuracy": "accuracy"}


def model_data(
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


def result(name: str, value: float, dataset: str, dataset_name: str) -> EvalResult:
    """One figure in a card's head."""
    return EvalResult(
        task_type=TASK,
        dataset_type=dataset,
        dataset_name=dataset_name,
        metric_type=METRICS.get(name.rsplit("_", 1)[-1], METRICS.get(name, name)),
        metric_value=float(value),
        metric_name=name,
    )


def evaluated_results(figures: Sequence[Mapping[str, Any]]) -> list[EvalResult]:
    """What methods reach on single people's ratings, as an evaluation noted it down."""
    return [
        EvalResult(
            task_type=TASK,
            dataset_type=figure["database"],
            dataset_name=f"{figure['database']}, single people's ratings",
            metric_type=METRICS.get(figure["metric"], figure["metric"]),
            metric_value=figure["mean"],
            metric_name=f"{figure['metric']}, {figure['method']}, {figure['shots']} ratings",
        )
        for figure in figures
    ]


def honest_results(figures: Any) -> list[EvalResult]:
    """What a taste and the generic scorer reach on one person's own preferences.

    Args:
        figures: with `metric`, `personal` and `generic`; `None` where nothing was measured.
    """
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


def on_hub(repo_id: str | None) -> str | None:
    """The id, unless it is that of a bank in the package."""
    return None if repo_id is None or repo_id.startswith(EMBEDDED) else repo_id


def render_card(
    template: str,
    data: ModelCardData | DatasetCardData,
    repo_id: str,
    license: str | None,
    **values: Any,
) -> str:
    """The card from a template of `hub_cards/`.

    Args:
        template: its name.
        data: the head.
        repo_id: `owner/name`.
        license: as it was given; `None` where it was not.
        **values: that the template shows.
    """
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
