"""The tables and figures of the paper (Yun & Choo, ECCV 2024), as evaluations to run again."""

from collections.abc import Mapping
from dataclasses import dataclass

from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation import vectors


@dataclass(frozen=True)
class Experiment:
    """One table or figure.

    Args:
        id: such as `table4`.
        title: what it shows.
        methods: that it compares; the first is the paper's own.
        database: that the paper shows it on, where it is on one alone.
        shots: sizes of the support set.
        draws_figure: `similarity`, `vectors`, `coefficients` or `gain`; a table where `None`.
    """

    id: str
    title: str
    methods: tuple[str, ...]
    database: str = "flickr-aes"
    shots: tuple[int, ...] = (10, 100)
    draws_figure: str | None = None

    @property
    def needs_people(self) -> bool:
        """Whether it is made of people's ratings, and not of the bank alone."""
        return bool(self.methods)


_COMPARED = ("paper", "newton", "generic", "best-fit", "adaptive", "ridge")
_KNOWN = (
    Experiment("table2", "personal methods, across databases", _COMPARED),
    Experiment("table3", "personal methods, across databases", _COMPARED),
    Experiment("table4", "personal methods on one database", _COMPARED),
    Experiment(
        "table5",
        "coefficients against weights of one model: accuracy and seconds a fit",
        ("paper", "fine-tuning", "lora", "newton"),
    ),
    Experiment(
        "table6",
        "where the coefficients start",
        ("paper", "paper-uniform", "paper-best-fit", "newton-uniform", "newton-adaptive"),
    ),
    Experiment(
        "table7",
        "rank loss against squared errors; coefficients by layer against one for each task",
        ("paper", "paper-mse", "paper-taskwise", "newton-uniform", "newton-taskwise"),
    ),
    Experiment("models", "each database's model alone, as in the appendix", ("single", "mean")),
    Experiment("figure4", "how alike the task vectors are", (), draws_figure="similarity"),
    Experiment("figure5", "the number of task vectors", vectors.METHODS, draws_figure="vectors"),
    Experiment(
        "figure6",
        "coefficients against each model's own SROCC",
        ("newton", "single"),
        draws_figure="coefficients",
    ),
    Experiment("figure7", "the gain of each person", ("newton", "generic"), draws_figure="gain"),
)
EXPERIMENTS: Mapping[str, Experiment] = {experiment.id: experiment for experiment in _KNOWN}


def experiment_named(name: str) -> Experiment:
    """The experiment of this name.

    Raises:
        SettingError: there is none.
    """
    if name not in EXPERIMENTS:
        told = "\n".join(f"  {x.id}: {x.title}" for x in EXPERIMENTS.values())
        raise SettingError(f"there is no table or figure {name!r}; expected one of:\n{told}")
    return EXPERIMENTS[name]
