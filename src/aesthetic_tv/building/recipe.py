"""What a bank is made of: one dataclass for each part of a recipe, checked where it is made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from aesthetic_tv.databases.registry import REGISTRY
from aesthetic_tv.errors import SettingError
from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.defaults import SIZES, defaults_for

STORAGES = ("float32", "float16", "bfloat16", "int8", "int4", "int3", "int2")
SPLITS = ("train", "validation", "test", "all")
TOWERS_MADE = ("lite0",)
RULES = ("light", "colour", "contrast", "people")  # what made photos are scored by


@dataclass(frozen=True)
class Tower:
    """The model that everyone starts from; one of `checkpoint`, `config` and `made`.

    Args:
        checkpoint: Hub id or folder of a vision model in transformers layout, or of a base scorer.
        revision: branch, tag or commit of it; the newest when not given. The commit that was
            loaded is noted down in the bank.
        config: sizes of a tower with random weights, as transformers has them, and `model_type`.
        made: `lite0`, the published EfficientNet-Lite0, from its package.
        head_seed: of the random head theta_0, and of the weights of a `config`.
    """

    checkpoint: str | None = None
    revision: str | None = None
    config: Mapping[str, Any] | None = None
    made: str | None = None
    head_seed: int = 0

    def __post_init__(self):
        given = [name for name in ("checkpoint", "config", "made") if getattr(self, name)]
        if len(given) != 1:
            raise SettingError(
                f"a tower is one of checkpoint, config and made; found "
                f"{' and '.join(given) or 'none of them'}."
            )
        if self.revision is not None and self.checkpoint is None:
            raise SettingError("a revision is of a checkpoint; this tower has none.")
        _one_of("made", self.made, TOWERS_MADE)


@dataclass(frozen=True)
class Made:
    """Photos that are drawn by a rule, with scores that are known.

    Args:
        rule: what the score follows; `people` gives each of some invented people a taste.
        photos: how many.
        seed: of all of it.
        people: how many of them, for the rule `people`.
    """

    rule: str
    photos: int = 160
    seed: int = 0
    people: int = 12

    def __post_init__(self):
        _one_of("rule", self.rule, RULES)
        if self.photos < 20 or self.people < 1:
            raise SettingError(
                f"photos are {self.photos} and people {self.people}; expected 20 and 1 or more."
            )


@dataclass(frozen=True)
class Pictures:
    """Freely licensed photographs and rendered scenes, edited by known amounts, and a task on
    them; what the embedded bank is made from (`scripts/embedded_bank`).

    Args:
        task: a judgement, or a group of the network's classes.
        count: pictures with edits, for judgements.
        crops: unedited ones, for groups of classes.
    """

    task: str
    count: int = 1000
    crops: int = 720


@dataclass(frozen=True)
class Columns:
    """Which columns of a table to read, for a folder or a data set on the Hub; the usual names
    are found by themselves.
    """

    table: str | None = None
    photo: str | None = None
    image: str | None = None
    score: str | None = None
    distribution: str | None = None
    user: str | None = None
    split: str | None = None
    score_range: tuple[float, ...] | None = None
    higher_is_better: bool = True
    config: str | None = None


@dataclass(frozen=True)
class Database:
    """One database, and so one task vector.

    Args:
        id: the vector's name in the bank, and what `--only` and `--without` call it.
        database: its name in the registry (`aesthetic-tv database list`); that of `id` when not
            given. Of a `folder`, `hub`, `made` or `pictures` it needs none.
        folder: photos of your own with a table; relative to the recipe.
        hub: a data set on the Hub with images and scores.
        made: photos that are drawn here.
        pictures: of the embedded bank.
        revision: of the source on the Hub, instead of the one that is known.
        columns: of a `folder` or `hub`.
        split: `auto`, `official` or `seeded`.
        validation: share of the photos that chooses the weights.
        test: share that is looked at once, at the end.
        required: whether the bank waits for it; one that is not is gone on without.
        trains: whether a vector is trained on it; otherwise it serves population and evaluation.
        license: of its vector; that of the recipe when not given.
        finetuning: settings that differ from the recipe's.
        note: for people who read the recipe or the card.
    """

    id: str
    database: str | None = None
    folder: str | None = None
    hub: str | None = None
    made: Made | None = None
    pictures: Pictures | None = None
    revision: str | None = None
    columns: Columns = field(default_factory=Columns)
    split: str = "auto"
    validation: float = 0.1
    test: float = 0.1
    required: bool = True
    trains: bool = True
    license: str | None = None
    finetuning: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self):
        if not self.id or not self.id.replace("-", "").replace("_", "").isalnum():
            raise SettingError(f"id is {self.id!r}; expected letters, digits, - and _.")
        given = [name for name in ("folder", "hub", "made", "pictures") if getattr(self, name)]
        if len(given) > 1 or (given and self.database):
            raise SettingError(
                f"{self.id}: {' and '.join([*given, *(['database'] if self.database else [])])} "
                "are given; a database comes from one place."
            )
        if not given:
            _one_of("database", self.name, tuple(x for x in REGISTRY if x not in ("folder", "hub")))
        _one_of("split", self.split, ("auto", "official", "seeded"))
        for name in ("validation", "test"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(f"{name} is {getattr(self, name)}; expected a share below 1.")
        check_finetuning(self.finetuning)

    @property
    def name(self) -> str:
        """Of the registry: `folder` or `hub` for what has no format of its own."""
        if self.folder or self.made or self.pictures:
            return "folder"
        return "hub" if self.hub else self.database or self.id

    @property
    def is_fetched(self) -> bool:
        """Whether it is one of the registry, to be fetched or laid down by hand."""
        return self.name not in ("folder", "hub")


@dataclass(frozen=True)
class PopulationPart:
    """The taste that people have in common, and how far they stray from it.

    Args:
        databases: ids; the first of these that is there is learned from. Its photos must be ones
            that no vector was trained on: a database with `trains: false`, or a split.
        people: single persons' scores, so that how far they stray is learned too.
        split: of the photos: `train`, `validation`, `test` or `all`.
        most: photos that are taken.
        directions: head directions that the bank is given; 0 gives none.
    """

    databases: tuple[str, ...]
    people: bool = False
    split: str = "all"
    most: int = 500
    directions: int = 192

    def __post_init__(self):
        _one_of("split", self.split, SPLITS)
        if not self.databases or self.most < 2 or self.directions < 0:
            raise SettingError(
                f"databases are {list(self.databases)}, most {self.most} and directions "
                f"{self.directions}; expected one or more, 2 and 0 or more."
            )


@dataclass(frozen=True)
class EvaluationPart:
    """What is measured of the bank.

    Args:
        most: photos of each database's test part that vectors and bank are compared on.
        people: ids of databases with single persons' scores; those that are there are used.
        split: whose photos: a part that population and vectors did not learn from.
        shots, trials, limit, methods: as `aesthetic-tv evaluate` has them.
    """

    most: int = 500
    people: tuple[str, ...] = ()
    split: str = "test"
    shots: tuple[int, ...] = (10,)
    trials: int = 3
    limit: int = 50
    methods: tuple[str, ...] = ("generic", "instant")

    def __post_init__(self):
        _one_of("split", self.split, SPLITS)
        if min(self.most, self.trials, self.limit, *self.shots) < 1 or not self.shots:
            raise SettingError("most, trials, limit and shots are counts of 1 or more.")


@dataclass(frozen=True)
class Recipe:
    """All that a bank is made of.

    Args:
        name: of the bank.
        title: what it is, in a line.
        license: of its vectors; there is no default.
        tower: that everyone starts from.
        databases: in the order of the bank's vectors.
        size: of the tower, `tiny`, `base` or `large`: whose settings of fine-tuning are taken
            where the recipe says nothing else.
        finetuning: fields of `FinetuneConfig` that differ from those.
        population: left out when not given.
        evaluation: of the bank.
        storage: of the vectors.
    """

    name: str
    title: str
    license: str
    tower: Tower
    databases: tuple[Database, ...]
    size: str = "base"
    finetuning: Mapping[str, Any] = field(default_factory=dict)
    population: PopulationPart | None = None
    evaluation: EvaluationPart = field(default_factory=EvaluationPart)
    storage: str = "int8"

    def __post_init__(self):
        _one_of("storage", self.storage, STORAGES)
        _one_of("size", self.size, SIZES)
        check_finetuning(self.finetuning)
        ids = [part.id for part in self.databases]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice or not any(part.trains for part in self.databases):
            raise SettingError(
                f"two databases are called {twice[0]!r}." if twice
                else "no database trains a vector; a bank needs one or more."
            )  # fmt: skip
        named = (*(self.population.databases if self.population else ()), *self.evaluation.people)
        for name in named:
            _one_of("a database of population or evaluation", name, tuple(ids))

    def config_of(self, part: Database) -> FinetuneConfig:
        """The settings that a database is fine-tuned with."""
        settings = {**self.finetuning, **part.finetuning}
        return replace(defaults_for(self.size), **settings)

    def of(self, name: str) -> Database:
        """The database of an id."""
        return next(part for part in self.databases if part.id == name)

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        from difflib import get_close_matches

        near = get_close_matches(str(value), allowed, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise SettingError(f"{name} is {value!r}; expected one of {', '.join(allowed)}.{hint}")


def check_finetuning(settings: Mapping[str, Any]) -> None:
    """Refuse settings that `FinetuneConfig` does not have, or values that it refuses.

    Raises:
        SettingError: names the first.
    """
    known = tuple(item.name for item in fields(FinetuneConfig))
    for name in settings:
        _one_of("a setting of finetuning", name, known)
    try:
        FinetuneConfig(**settings)
    except TypeError as error:
        raise SettingError(f"finetuning: {error}.") from None
