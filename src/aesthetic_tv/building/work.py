"""What all steps of a build share: its folder, its recipe, and what earlier steps made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from aesthetic_tv.building.data import load_part
from aesthetic_tv.building.journal import BYTES, Journal, digest_of
from aesthetic_tv.building.plan import BASE, Plan, plan_of
from aesthetic_tv.building.recipe import Recipe
from aesthetic_tv.databases import Database
from aesthetic_tv.finetuning.bases import named_base
from aesthetic_tv.scorer import AestheticScorer

Progress: TypeAlias = Callable[[str, int, int], None]  # stage, done, total

VECTORS, RUNS, LOGS, BANK_FOLDER, BASE_FOLDER = "vectors", "runs", "logs", "bank", "base"
DATA, POPULATION_FOLDER, EVALUATION_FOLDER = "data", "population", "evaluation"


@dataclass(frozen=True)
class BuildSettings:
    """How a build is run.

    Args:
        only, without: ids of databases, as `plan_of` has them.
        data_dir: where databases lie and are fetched to; `data` in the build's folder if not given.
        keep_archives: do not delete what was fetched once it is unpacked.
        accept_terms: the terms that some databases' makers ask to agree to are agreed to.
        push_to_hub: repo to push the bank to.
        private: make a new repo so.
        processes: that train at once; one for each GPU, or one, when not given.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    data_dir: Path | None = None
    keep_archives: bool = False
    accept_terms: bool = False
    push_to_hub: str | None = None
    private: bool = False
    processes: int | None = None

    def plan(self, recipe: Recipe) -> Plan:
        """The steps of a recipe, as `plan_of` has them.

        Raises:
            SettingError: names that the recipe does not have.
        """
        return plan_of(
            recipe,
            only=self.only,
            without=self.without,
            push_to_hub=self.push_to_hub,
            private=self.private,
        )


@dataclass(frozen=True)
class Product:
    """What a step made.

    Args:
        outputs: digests by path.
        facts: what is to be told of it.
    """

    outputs: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """A build that is going on.

    Args:
        plan: its steps.
        folder: of the build.
        origin: folder that the recipe's own paths are relative to.
        journal: what is done.
        settings: how it is run.
        tell: how far it is.
        done: steps that are done in this run, now or before; the journal may know more, of a plan
            with other databases.
    """

    plan: Plan
    folder: Path
    origin: Path
    journal: Journal
    settings: BuildSettings
    tell: Progress
    done: set[str] = field(default_factory=set)

    @property
    def recipe(self) -> Recipe:
        """What is made."""
        return self.plan.recipe

    @property
    def data_dir(self) -> Path:
        """Where databases lie."""
        return self.settings.data_dir or self.folder / DATA

    def facts(self, step: str) -> Mapping[str, Any]:
        """What a step told; nothing where the journal does not have it."""
        entry = self.journal.entries.get(step)
        return {} if entry is None else entry.facts

    def database(self, name: str, *, people: bool = False) -> Database:
        """A database by its id, as the steps before found it."""
        folder = self.facts(f"fetch {name}")["folder"]
        return load_part(self.recipe.of(name), folder, people=people)

    def trained(self) -> list[str]:
        """Ids of the databases whose vectors are there, in the order of the bank."""
        steps = self.plan.of_kind("finetune")
        return [step.subject for step in steps if step.subject and step.name in self.done]

    def vector_folder(self, name: str) -> Path:
        """Where the vector of a database is."""
        return self.folder / VECTORS / name

    def base(self) -> AestheticScorer:
        """The scorer that everyone starts from."""
        base = named_base(str(self.folder / BASE_FOLDER))
        origin = self.facts(BASE).get("origin")
        if origin is not None:
            base.origin = (origin[0], origin[1])
        return base

    def product(self, paths: list[str], facts: Mapping[str, Any] | None = None) -> Product:
        """What a step made, by its files and folders below the build's."""
        found = {path: digest_of(self.folder / path, BYTES) for path in paths}
        return Product({path: told for path, told in found.items() if told}, facts or {})
