"""What each kind of step does, but for fetching (`obtaining`) and figures (`figures`)."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from aesthetic_tv.building import lite
from aesthetic_tv.building.data import apart_from, cut, facts_of, with_splits_apart
from aesthetic_tv.building.figures import EVALUATIONS, people_figures_of
from aesthetic_tv.building.plan import BASE, EVALUATE, POPULATION, Step
from aesthetic_tv.building.recipe import Tower
from aesthetic_tv.building.work import (
    BANK_FOLDER,
    BASE_FOLDER,
    POPULATION_FOLDER,
    RUNS,
    VECTORS,
    Product,
    Work,
)
from aesthetic_tv.errors import DatabaseError
from aesthetic_tv.files import FORMAT_VERSION, atomic_folder, read_config, write_csv, write_json
from aesthetic_tv.finetuning.bases import named_base
from aesthetic_tv.finetuning.checkpoint import RunFolder
from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.database_population import population_of
from aesthetic_tv.finetuning.from_database import finetune_database
from aesthetic_tv.finetuning.two_stage import Run
from aesthetic_tv.hub.pushing import write_card
from aesthetic_tv.saved_folders import push_folder
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.scorer.devices import choose_device, trains_in_bfloat16
from aesthetic_tv.task_vectors import Population, TaskVector, TaskVectorBank
from aesthetic_tv.task_vectors.head_directions import HeadDirections
from aesthetic_tv.task_vectors.task_vector import CONFIG_NAME, BaseReference

WEIGHTS = "task_vector.safetensors"
POPULATION_CONFIG = "population_config.json"
STATE_EVERY = {"cpu": 100}  # steps; elsewhere as below: a state of ViT-B is 1.4 GB
STATE_ELSEWHERE = 2000
KEY_SHOWN = 12
# Of a run, not of what came out of it.
CIRCUMSTANCES = ("seconds",)


def prepare(work: Work, step: Step) -> Product:
    """Look through a database: photos, splits, what cannot be used."""
    assert step.subject is not None
    part = work.recipe.of(step.subject)
    if part.pictures:
        return Product({}, {"photos": part.pictures.count})
    database = work.database(step.subject)
    facts = facts_of(database)
    if part.trains and facts["splits"].get("train", 0) < 2:
        raise DatabaseError(
            f"{part.id}: {facts['splits']} photos by split ({facts['split_source']}); expected two "
            "or more to train on."
        )
    if database.problems:
        path = work.folder / "logs" / f"left-out-{part.id}.csv"
        write_csv(path, [("photo", "reason"), *database.problems])
    return Product({}, facts)


def base(work: Work, step: Step) -> Product:
    """The tower with a random head, saved for all steps after it."""
    scorer = make_base(work.recipe.tower)
    folder = work.folder / BASE_FOLDER
    origin = scorer.origin
    with atomic_folder(folder, marker="config.json") as temporary:
        scorer.save_pretrained(temporary)
    reference = BaseReference.of(scorer)
    parameters = sum(parameter.numel() for parameter in scorer.parameters())
    facts = {"origin": origin, "reference": asdict(reference), "parameters": parameters}
    return work.product([BASE_FOLDER], facts)


def make_base(tower: Tower) -> AestheticScorer:
    """The base of a recipe.

    Raises:
        ScorerError, FormatError: the checkpoint holds no tower, or is damaged.
        HubError: see its subclasses.
    """
    if tower.made is not None:
        return lite.make_base(tower.head_seed)
    if tower.checkpoint is not None:
        return named_base(tower.checkpoint, revision=tower.revision, head_seed=tower.head_seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(tower.head_seed)
        config = AestheticScorerConfig(vision_config=dict(tower.config or {}))
        scorer = AestheticScorer(config).eval()
    scorer.reset_head(tower.head_seed)
    return scorer


def finetune(work: Work, step: Step, key: str, *, is_main: bool = True) -> None:
    """Train the vector of a database and save it; a run that was stopped is gone on with.

    Args:
        work: the build.
        step: of the database.
        key: of the step: whose state may be gone on with.
        is_main: whether this process writes.
    """
    assert step.subject is not None
    part = work.recipe.of(step.subject)
    config = trained_with(work.recipe.config_of(part))
    if part.pictures:
        vector = lite.make_vector(work, part, config)
        if is_main:
            vector.save_pretrained(work.vector_folder(part.id), storage=work.recipe.storage)
        return
    state = RunFolder(run_folder(work, part.id, key), is_main)
    database, repeated = with_splits_apart(work.database(part.id))
    (trained,) = finetune_database(
        work.base(),
        database,
        config,
        Run(state, True, {}, lambda stage, *done: work.tell(f"{part.id}, {stage}", *done)),
        name=part.id,
        license=part.license or work.recipe.license,
    )
    told = trained.vector
    vector = replace(
        told,
        training={k: x for k, x in told.training.items() if k not in CIRCUMSTANCES},
        database={**told.database, **origin_of(work, part.id), "repeated_photos": repeated},
    )
    if is_main:
        whole = replace(trained, vector=vector)
        whole.save_pretrained(work.vector_folder(part.id), storage=work.recipe.storage)
        problems = dict(trained.problems)
        if problems:
            path = work.folder / "logs" / f"undecodable-{part.id}.csv"
            write_csv(path, [("photo", "reason"), *problems.items()])


def trained_with(config: FinetuneConfig) -> FinetuneConfig:
    """The settings as this machine runs them: states between epochs, and bfloat16 on GPUs that
    have it, twice as fast and as good for fine-tuning.
    """
    device = choose_device()
    if config.checkpoint_every is None:
        config = replace(config, checkpoint_every=STATE_EVERY.get(device.type, STATE_ELSEWHERE))
    if config.mixed_precision is None and trains_in_bfloat16(device):
        config = replace(config, mixed_precision="bf16")
    return config


def run_folder(work: Work, name: str, key: str) -> Path:
    """Where the state of a training is, of this key alone."""
    return work.folder / RUNS / f"{name}-{key[:KEY_SHOWN]}"


def finetuned(work: Work, step: Step, key: str) -> Product:
    """What `finetune` left, for the journal; its state is not needed any more."""
    assert step.subject is not None
    folder = work.vector_folder(step.subject)
    config = read_config(folder, CONFIG_NAME)
    facts = {
        "metrics": config.get("metrics", {}),
        "num_images": config.get("database", {}).get("num_images"),
        "training": config.get("training", {}),
        "content_sha256": config.get("content_sha256"),
    }
    place = f"{VECTORS}/{step.subject}"
    return work.product([f"{place}/{WEIGHTS}", f"{place}/{CONFIG_NAME}"], facts)


def forget_runs(work: Work, name: str, keep: str | None = None) -> None:
    """Delete the states of a database's trainings, but for one."""
    for path in (work.folder / RUNS).glob(f"{name}-*"):
        key = path.stem.removeprefix(f"{name}-")
        if len(key) == KEY_SHOWN and (keep is None or key != keep[:KEY_SHOWN]):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:  # a lock
                path.unlink(missing_ok=True)


def origin_of(work: Work, name: str) -> dict[str, Any]:
    """Where a database came from and on what terms, for vector and card."""
    facts = work.facts(f"fetch {name}")
    told = {key: facts[key] for key in ("source", "terms", "homepage") if facts.get(key)}
    note = work.recipe.of(name).note
    return told | ({"note": note} if note else {})


def bank_of(work: Work, *, population: bool = True) -> TaskVectorBank:
    """Base and vectors that are there, with the population where it is learned."""
    start = work.base()
    vectors = [TaskVector.from_pretrained(work.vector_folder(name)) for name in work.trained()]
    bank = TaskVectorBank(start, vectors)
    if population and POPULATION in work.done:
        place = work.folder / POPULATION_FOLDER
        config = read_config(place, POPULATION_CONFIG)
        path = place / POPULATION_CONFIG
        if config.get("head_directions") is not None:
            bank.directions = HeadDirections.load(path, config["head_directions"])
        bank.population = Population.load(path, config["population"], bank.layout)
    return bank


def population(work: Work, step: Step) -> Product:
    """What people have in common, of the first database that is there."""
    part = work.recipe.population
    assert part is not None
    names = [name for name in step.part["databases"] if f"prepare {name}" in work.done]
    if not names:
        raise DatabaseError(
            f"none of the databases of the population is there "
            f"({', '.join(step.part['databases']) or 'none is left'}). Get one, or go on with "
            "--without population."
        )
    bank = bank_of(work, population=False)
    whole = cut(work.database(names[0], people=part.people), part.split)
    told, shared = apart_from(whole, [work.database(name) for name in _with_files(work)])
    found, failed = population_of(
        bank,
        told,
        most=part.most,
        directions=part.directions,
        progress=lambda done, total: work.tell("population", done, total),
    )
    whence = {**found.learned_from, "database": names[0], "split": part.split}
    found = replace(found, learned_from=whence)
    place = work.folder / POPULATION_FOLDER
    with atomic_folder(place, marker=POPULATION_CONFIG) as temporary:
        entries = {
            "format_version": FORMAT_VERSION,
            "head_directions": bank.directions and bank.directions.save(temporary),
            "population": found.save(temporary),
        }
        write_json(temporary / POPULATION_CONFIG, entries)
    facts = {**whence, "shared_with_training": shared, "undecodable": len(failed)}
    return work.product([POPULATION_FOLDER], facts)


def _with_files(work: Work) -> list[str]:
    """Trained databases whose photos can be looked at."""
    return [name for name in work.trained() if not work.recipe.of(name).pictures]


def bank(work: Work, step: Step) -> Product:
    """Base, vectors, population and figures in one folder, with a card."""
    whole = bank_of(work)
    if EVALUATE in work.done:
        whole.evaluations = people_figures_of(work.folder / EVALUATIONS)
    with atomic_folder(work.folder / BANK_FOLDER, marker="bank_config.json") as temporary:
        place = temporary / "bank"
        whole.save_pretrained(place)
        write_card(whole.card, place, f"OWNER/{step.part['name']}")
        for path in list(place.iterdir()):
            path.rename(temporary / path.name)
        place.rmdir()
    facts = {"vectors": list(whole.names), "fingerprint": whole.base_reference.fingerprint}
    similarity = [[round(float(x), 4) for x in row] for row in whole.similarity()]
    return work.product([BANK_FOLDER], facts | {"similarity": similarity})


def push(work: Work, step: Step) -> Product:
    """The bank to the Hub, with a card under its own name."""
    settings = {"private": step.part["private"] or None}
    commit = push_folder(
        work.folder / BANK_FOLDER, step.part["repo_id"], settings, replace_card=True
    )
    return Product({}, {"url": commit.commit_url, "commit": commit.oid})


DO = {
    "prepare": prepare,
    "base": base,
    "population": population,
    "bank": bank,
    "push": push,
}
assert BASE == BASE_FOLDER
