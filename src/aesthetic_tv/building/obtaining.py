"""Where the photos of a database come from: the Hub, a folder, a rule, or laid out by hand."""

from dataclasses import replace
from pathlib import Path

from huggingface_hub import HfApi

from aesthetic_tv.building import lite
from aesthetic_tv.building.journal import BYTES, LISTING, digest_of
from aesthetic_tv.building.made_photos import make_photos
from aesthetic_tv.building.plan import Plan, Step
from aesthetic_tv.building.recipe import Database as Part
from aesthetic_tv.building.work import DATA, Product, Work
from aesthetic_tv.databases.fetching import fetch
from aesthetic_tv.databases.folder import find_table
from aesthetic_tv.databases.registry import entry
from aesthetic_tv.databases.sources import DatabaseSource, source_of
from aesthetic_tv.errors import DatabaseError, SettingError
from aesthetic_tv.hub.failures import told_clearly


def obtain(work: Work, step: Step) -> Product:
    """Get a database; what lies in the data folder by hand is taken as it is.

    Raises:
        SourceError, ArchiveError: it cannot be fetched, or what came is broken; says from where,
            and the way out.
        DatabaseError: a folder of the recipe that is not there.
        HubError: see its subclasses.
    """
    assert step.subject is not None
    part = work.recipe.of(step.subject)
    if part.made is not None:
        folder = work.folder / DATA / part.id
        make_photos(part.made, folder)
        return Product(
            {f"{DATA}/{part.id}": digest_of(folder, BYTES) or ""},
            {"folder": str(folder), "source": f"drawn by the rule {part.made.rule}"},
        )
    if part.pictures is not None:
        return lite.fetch_pictures(work)
    if part.folder is not None:
        return _own_folder(work, part)
    if part.hub is not None:
        return _hub_rows(part)
    return _known(work, part)


def _own_folder(work: Work, part: Part) -> Product:
    """A folder that the recipe names: what it lists decides whether it is the same as before."""
    places = [(place / str(part.folder)).resolve() for place in (work.origin, work.data_dir)]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise DatabaseError(
            f"{part.id}: there is no folder {' and no '.join(map(str, places))}; the recipe names "
            "it, relative to itself or to the data folder (--data-dir)."
        )
    outputs = {str(folder): digest_of(folder, LISTING) or ""}
    if part.columns.table is not None:
        table = find_table(folder, part.columns.table)
        outputs[str(table)] = digest_of(table, BYTES) or ""
    return Product(outputs, {"folder": str(folder), "source": "a folder of the maker's own"})


def _hub_rows(part: Part) -> Product:
    """A data set with images and scores in its rows: its commit is noted down."""
    repo = str(part.hub)
    if Path(repo).is_dir():
        return Product({repo: digest_of(Path(repo), LISTING) or ""}, {"folder": repo})
    with told_clearly(repo, part.revision):
        found = HfApi().dataset_info(repo, revision=part.revision)
    return Product({}, {"folder": repo, "revision": found.sha, "source": f"{repo}@{found.sha}"})


def _known(work: Work, part: Part) -> Product:
    """A database of the registry."""
    source = source_with(part)
    found = fetch(
        source,
        work.data_dir,
        keep_archives=work.settings.keep_archives,
        progress=lambda stage, done, total: work.tell(f"{part.id}, {stage}", done, total),
    )
    told = {
        "folder": str(found.folder),
        "revision": found.revision,
        "source": "laid out by hand" if found.is_own else f"{source.repo_id}@{found.revision}",
        "terms": str(source.terms),
        "homepage": entry(part.name).homepage,
    }
    return Product({str(found.folder): digest_of(found.folder, LISTING) or ""}, told)


def source_with(part: Part) -> DatabaseSource:
    """Where a database of the registry is published, at the revision that the recipe names."""
    source = source_of(part.name)
    return source if part.revision is None else replace(source, revision=part.revision)


def sources_of(plan: Plan) -> dict[str, DatabaseSource]:
    """The published sources that a plan takes from, by the ids of its databases."""
    return {part.id: source_with(part) for part in plan.databases if part.is_fetched}


def check_terms(plan: Plan, accepted: list[str], accept: bool) -> list[str]:
    """Refuse to start before terms are agreed to that makers ask to agree to.

    Args:
        plan: whose sources.
        accepted: names of databases whose terms were agreed to before.
        accept: agree to all of these now.

    Returns:
        Names of databases that are agreed to now.

    Raises:
        SettingError: the terms, and how to agree.
    """
    asked = {
        source.name: source.terms for source in sources_of(plan).values() if source.terms.accept
    }
    open_ones = {name: terms for name, terms in asked.items() if name not in accepted}
    if open_ones and not accept:
        listed = "".join(f"\n  {name}: {terms}" for name, terms in open_ones.items())
        raise SettingError(
            f"the makers of {len(open_ones)} databases ask to agree to their terms first:{listed}\n"
            "Read them. Then agree with --accept-terms, or leave databases out with --without."
        )
    return [*accepted, *open_ones]
