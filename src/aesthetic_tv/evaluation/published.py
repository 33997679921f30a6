"""What was published: the paper's tables and figures (Yun & Choo, ECCV 2024), as evaluations to run
again; and numbers for the method and those before it, to stand beside measured ones.

Only numbers that were seen in a source are here, and `source` says in which; no others are at hand.
The sources so far repeat the paper's numbers (arXiv 2407.07176), without standard deviations and
without the number of the table: look a number up there before citing it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aesthetic_tv.errors import SettingError

# Tables of personal methods, and the protocol they are measured by; of the others nothing is known.
COMPARISONS = ("table2", "table3", "table4", "flickr-aes")
OWN = "paper"  # the paper's own method, as an evaluation calls it

_CULLING = "repeated in a review of tools for photo culling, as the paper's cross-database result"
_CURATION = (
    "repeated in a review of methods for photo curation, in a table of SROCC with 10 and 100 "
    "photos of a person; whether the people's database was trained on is not said"
)


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
# Best single tasks and centres of populations are of the whole bank; these are not.
_ANY_PART = ("uniform", "best-fit", "instant")
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
    Experiment("figure5", "the number of task vectors", _ANY_PART, draws_figure="vectors"),
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
        known = "\n".join(f"  {x.id}: {x.title}" for x in EXPERIMENTS.values())
        raise SettingError(f"there is no table or figure {name!r}; expected one of:\n{known}")
    return EXPERIMENTS[name]


@dataclass(frozen=True)
class Published:
    """One published figure.

    Attributes:
        method: `paper`, or the name its authors gave it.
        database: of the people tested, as the registry calls it.
        shots: ratings of each person.
        srocc: mean over people.
        source: where the figure was seen.
        sd: over draws, where the source gives it.
    """

    method: str
    database: str
    shots: int
    srocc: float
    source: str
    sd: float | None = None

    @property
    def shown(self) -> str:
        """As it is shown."""
        return f"{self.srocc:.3f}" + ("" if self.sd is None else f" ± {self.sd:.3f}")


FIGURES = (
    Published(OWN, "aadb", 10, 0.556, _CULLING),
    Published(OWN, "aadb", 100, 0.654, _CULLING),
    Published(OWN, "real-cur", 10, 0.577, _CULLING),
    Published(OWN, "real-cur", 100, 0.621, _CULLING),
    Published(OWN, "flickr-aes", 10, 0.668, _CURATION),
    Published(OWN, "flickr-aes", 100, 0.748, _CURATION),
    Published("PAM", "flickr-aes", 10, 0.513, _CURATION),
    Published("PAM", "flickr-aes", 100, 0.524, _CURATION),
    Published("PA-IAA", "flickr-aes", 10, 0.543, _CURATION),
    Published("PA-IAA", "flickr-aes", 100, 0.639, _CURATION),
    Published("PA-IAA", "real-cur", 10, 0.443, _CURATION),
    Published("PA-IAA", "real-cur", 100, 0.562, _CURATION),
    Published("BLG-PIAA", "flickr-aes", 10, 0.561, _CURATION),
    Published("BLG-PIAA", "flickr-aes", 100, 0.669, _CURATION),
    Published("BLG-PIAA", "real-cur", 10, 0.448, _CURATION),
    Published("BLG-PIAA", "real-cur", 100, 0.578, _CURATION),
    Published("TAPP-PIAA", "flickr-aes", 10, 0.591, _CURATION),
    Published("TAPP-PIAA", "flickr-aes", 100, 0.685, _CURATION),
)


def published(table: str, database: str) -> tuple[Published, ...]:
    """The figures at hand for a table of the paper, or a named protocol, and the database of the
    people tested.

    The sources do not say which of the `COMPARISONS` a figure is from, so each has all of its
    database; nothing is at hand for any other table.
    """
    if table not in COMPARISONS:
        return ()
    return tuple(figure for figure in FIGURES if figure.database == database)


@dataclass(frozen=True)
class PublishedModel:
    """One published figure of a model of mean scores, on a database's test part.

    Attributes:
        method: the name its authors gave it.
        database: as the registry calls it.
        srocc, plcc: on photos that it was not trained on.
        source: where the figures were seen.
    """

    method: str
    database: str
    srocc: float
    plcc: float
    source: str


_ONE_ALIGN = "model card of q-future/one-align, e04a520"
MODELS = (
    PublishedModel("MUSIQ", "koniq-10k", 0.916, 0.928, _ONE_ALIGN),
    PublishedModel("Q-Align (IQA)", "koniq-10k", 0.937, 0.945, _ONE_ALIGN),
    PublishedModel("LIQE", "spaq", 0.922, 0.919, _ONE_ALIGN),
    PublishedModel("Q-Align (IQA)", "spaq", 0.931, 0.933, _ONE_ALIGN),
    PublishedModel("CONTRIQUE", "kadid-10k", 0.934, 0.937, _ONE_ALIGN),
    PublishedModel("Q-Align (IQA)", "kadid-10k", 0.934, 0.934, _ONE_ALIGN),
    PublishedModel("Aesthetic Predictor, trained on AVA", "ava", 0.721, 0.723, _ONE_ALIGN),
    PublishedModel("VILA", "ava", 0.774, 0.774, _ONE_ALIGN),
    PublishedModel("Q-Align (IAA)", "ava", 0.822, 0.817, _ONE_ALIGN),
    PublishedModel("Q-Align, not trained on it", "agiqa-3k", 0.731, 0.791, _ONE_ALIGN),
)


def of_database(database: str) -> tuple[PublishedModel, ...]:
    """The published figures of models of mean scores at hand for a database."""
    return tuple(model for model in MODELS if model.database == database)
