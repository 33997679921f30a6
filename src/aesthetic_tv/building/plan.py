"""From a recipe to steps: what each takes from others, and what decides what comes out of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Any

from aesthetic_tv.building.recipe import Database, Recipe
from aesthetic_tv.errors import SettingError
from aesthetic_tv.scorer.hashing import content_sha256

# What each kind of step is called, in the order that they are gone through, and the version of its
# code: raised when another result comes of the same recipe, so that it is done again.
KINDS = {
    "fetch": 1,
    "prepare": 1,
    "base": 1,
    "finetune": 1,
    "population": 1,
    "evaluate": 1,
    "bank": 1,
    "push": 1,
}
BASE, POPULATION, EVALUATE, BANK, PUSH = "base", "population", "evaluate", "bank", "push"
PARTS = (POPULATION, "evaluation")  # what can be left out besides databases


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Args:
        name: such as `finetune koniq`.
        kind: one of `KINDS`.
        part: of the recipe: what decides what comes out, besides what it takes.
        needs: steps that it takes from; without one of them it waits.
        uses: steps that it takes from where they are done; without them it goes on.
        subject: id of the database, for a step of one.
        required: whether the bank waits for it.
    """

    name: str
    kind: str
    part: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    subject: str | None = None
    required: bool = field(default=True, compare=False)

    def key(self, digests: Mapping[str, str]) -> str:
        """What the journal knows it by.

        Args:
            digests: of what came out of the steps before, by name.
        """
        taken = {name: digests[name] for name in (*self.needs, *self.uses) if name in digests}
        return content_sha256(
            {"kind": self.kind, "version": KINDS[self.kind], "part": dict(self.part),
             "from": taken}
        )  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """The steps of a build, each after those that it takes from.

    Args:
        recipe: that it is of.
        steps: in order.
        left_out: databases and parts that were asked to be left out.
    """

    recipe: Recipe
    steps: tuple[Step, ...]
    left_out: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Step]:
        """The steps of a kind."""
        return [step for step in self.steps if step.kind == kind]

    @property
    def databases(self) -> list[Database]:
        """Those that it takes in."""
        return [self.recipe.of(step.subject) for step in self.of_kind("fetch") if step.subject]


def plan_of(
    recipe: Recipe,
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    push_to_hub: str | None = None,
    private: bool = False,
) -> Plan:
    """The steps of a recipe.

    Args:
        recipe: what to make.
        only: ids of databases to train on; all when none is named. Those that serve population and
            evaluation alone stay.
        without: databases, `population` or `evaluation` to leave out.
        push_to_hub: repo to push the bank to.
        private: make a new repo so.

    Raises:
        SettingError: a name that the recipe does not have; or nothing is left to train on.
    """
    ids = [part.id for part in recipe.databases]
    wanted = {_known(name, ids) for name in only}
    out = {_known(name, [*ids, *PARTS]) for name in without}
    kept = [
        part
        for part in recipe.databases
        if part.id not in out and (not wanted or part.id in wanted or not part.trains)
    ]
    trained = [part for part in kept if part.trains]
    if not trained:
        raise SettingError("no database is left to train on; name fewer with --without.")
    steps = [step for part in kept for step in _data_steps(part)]
    steps.append(Step(BASE, "base", asdict(recipe.tower)))
    steps += [_finetune_step(recipe, part) for part in trained]
    vectors = tuple(f"finetune {part.id}" for part in trained)
    steps += _bank_steps(recipe, {part.id for part in kept}, trained, vectors, out)
    if push_to_hub is not None:
        where = {"repo_id": push_to_hub, "private": private}
        steps.append(Step(PUSH, "push", where, (BANK,)))
    return Plan(recipe, tuple(steps), tuple(sorted(out)))


def _data_steps(part: Database) -> list[Step]:
    """Getting a database, and looking through it."""
    where = {
        name: value
        for name, value in asdict(part).items()
        if name in ("database", "folder", "hub", "made", "pictures", "revision")
    } | {"name": part.name}
    fetch = Step(f"fetch {part.id}", "fetch", where, (), (), part.id, part.required)
    how = {
        "columns": asdict(part.columns),
        "split": [part.split, part.validation, part.test],
        "id": part.id,
        "trains": part.trains,
    }
    prepare = Step(f"prepare {part.id}", "prepare", how, (fetch.name,), (), part.id, part.required)
    return [fetch, prepare]


def _finetune_step(recipe: Recipe, part: Database) -> Step:
    how = {
        "settings": recipe.config_of(part).that_changes_the_result(),
        "storage": recipe.storage,
        "license": part.license or recipe.license,
        "id": part.id,
    }
    needs = (f"prepare {part.id}", BASE)
    return Step(f"finetune {part.id}", "finetune", how, needs, (), part.id, part.required)


def _bank_steps(
    recipe: Recipe,
    kept: set[str],
    trained: Iterable[Database],
    vectors: tuple[str, ...],
    out: set[str],
) -> list[Step]:
    """Population, figures and the bank itself."""
    needed = tuple(f"finetune {part.id}" for part in trained if part.required)
    optional = tuple(name for name in vectors if name not in needed)
    base = (BASE, *needed)
    steps, more, perhaps = list[Step](), list[str](), list[str]()
    if recipe.population is not None and POPULATION not in out:
        sources = [name for name in recipe.population.databases if name in kept]
        part = asdict(recipe.population) | {"databases": sources}
        uses = (*optional, *(f"prepare {name}" for name in sources))
        # Of databases that may be missing, it may be too.
        required = not sources or any(recipe.of(name).required for name in sources)
        steps.append(Step(POPULATION, "population", part, base, uses, None, required))
        (more if required else perhaps).append(POPULATION)
    if "evaluation" not in out:
        people = [name for name in recipe.evaluation.people if name in kept]
        part = asdict(recipe.evaluation) | {"people": people}
        uses = (*optional, *perhaps, *(f"prepare {name}" for name in people))
        steps.append(Step(EVALUATE, "evaluate", part, (*base, *more), uses))
        more.append(EVALUATE)
    part = {"name": recipe.name, "title": recipe.title, "license": recipe.license}
    steps.append(Step(BANK, "bank", part, (*base, *more), (*optional, *perhaps)))
    return steps


def _known(name: str, names: Sequence[str]) -> str:
    """The one of these names that is meant: by itself, or by how it begins.

    Raises:
        SettingError: none, or several.
    """
    if name in names:
        return name
    begin = [other for other in names if other.startswith(name)]
    if len(begin) == 1:
        return begin[0]
    near = get_close_matches(name, names, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise SettingError(f"the recipe has no {name!r}; expected one of {', '.join(names)}.{hint}")
