"""What a build would do, without doing it: nothing is fetched, and nothing written."""

from dataclasses import dataclass
from pathlib import Path

from aesthetic_tv.building.estimates import (
    CARDS,
    READ,
    card_hours,
    disk_bytes,
    passes,
    photos_of,
    probe,
    tower_here,
)
from aesthetic_tv.building.journal import Journal
from aesthetic_tv.building.obtaining import source_with
from aesthetic_tv.building.plan import Plan, Step
from aesthetic_tv.building.recipe import Recipe
from aesthetic_tv.building.training import arrange, num_devices
from aesthetic_tv.building.work import DATA, BuildSettings
from aesthetic_tv.databases.fetching import fetched, needed_bytes
from aesthetic_tv.errors import DatabaseError
from aesthetic_tv.finetuning.defaults import size_of

PARAMETERS = {"tiny": 5_000_000, "base": 87_000_000, "large": 304_000_000}
Line = tuple[str, str, str, str]


@dataclass(frozen=True)
class Expected:
    """A plan in words.

    Attributes:
        lines: step, what it does, bytes to fetch, whether it is done.
        notes: titles and texts.
        terms: of databases, by name.
    """

    lines: tuple[Line, ...]
    notes: tuple[tuple[str, str], ...]
    terms: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Bytes:
    """What fetching a database takes; `None` where it cannot be told."""

    download: int | None
    disk: int | None
    text: str


def expected(recipe: Recipe, folder: Path, settings: BuildSettings) -> Expected:
    """What a build would take.

    Args:
        recipe: to be made.
        folder: of the build, which may have been begun.
        settings: how.

    Raises:
        SettingError: names that the recipe does not have.
    """
    plan = settings.plan(recipe)
    known = Journal(folder, writes=False).entries if folder.is_dir() else {}
    data_dir = settings.data_dir or folder / DATA
    bytes_of = {part.id: _needed(plan, part.id, data_dir) for part in plan.databases}
    lines = tuple(
        (
            step.name,
            _what(recipe, step),
            bytes_of[step.subject].text if step.kind == "fetch" and step.subject else "",
            "in the journal" if step.name in known else "to do",
        )
        for step in plan.steps
    )
    terms = tuple(
        (part.id, str(source_with(part).terms)) for part in plan.databases if part.is_fetched
    )
    base = tower_here(recipe.tower, folder)
    parameters = PARAMETERS[recipe.size]
    if base is not None:
        parameters = sum(tensor.numel() for tensor in base.parameters())
    notes = [_room(recipe, plan, bytes_of, parameters)]
    names = [str(step.subject) for step in plan.of_kind("finetune")]
    notes.append(("time here", _time_here(recipe, names, base, settings.processes)))
    notes.append(("on GPUs, estimated, not run", _on_cards(recipe, names)))
    if base is not None and size_of(parameters) != recipe.size:
        said = f"{parameters:,} parameters; the recipe's settings are for `size: {recipe.size}`"
        notes.append(("tower", said))
    return Expected(lines, tuple(notes), terms)


def _needed(plan: Plan, name: str, data_dir: Path) -> _Bytes:
    part = plan.recipe.of(name)
    if not part.is_fetched:
        return _Bytes(0, 0, "nothing" if not part.hub else "streamed by datasets")
    source = source_with(part)
    try:
        if fetched(source, data_dir) is not None:
            return _Bytes(0, 0, "here")
        if source.by_hand is not None:
            return _Bytes(0, 0, "by hand")
        found = needed_bytes(source)
        whence = "" if found.is_exact else ", as known"
        return _Bytes(found.download, found.disk, f"{_gb(found.download)}{whence}")
    except DatabaseError:
        if source.bytes is not None:
            grown = int(2.1 * source.bytes)
            return _Bytes(source.bytes, grown, f"{_gb(source.bytes)}, as known (no network)")
        return _Bytes(None, None, "not known (no network)")


def _what(recipe: Recipe, step: Step) -> str:
    if step.kind == "base":
        tower = recipe.tower
        return str(tower.checkpoint or tower.made or "a tower with random weights")
    if step.kind == "fetch":
        part = recipe.of(str(step.subject))
        optional = "" if part.required else "; gone on without it if it is not there"
        if part.made:
            return f"{part.made.photos} photos, drawn here"
        return f"{part.folder or part.hub or part.name}{optional}"
    if step.kind == "finetune":
        config = recipe.config_of(recipe.of(str(step.subject)))
        count = photos_of(recipe, str(step.subject))
        photos = f"{count:,} photos" if count else "photos by the table"
        return f"{photos}, {config.head_epochs} epochs of the head, {config.epochs} of all layers"
    if step.kind == "push":
        return str(step.part["repo_id"])
    return ""


def _room(
    recipe: Recipe, plan: Plan, bytes_of: dict[str, _Bytes], parameters: int
) -> tuple[str, str]:
    unknown = [name for name, found in bytes_of.items() if found.download is None]
    download = sum(found.download or 0 for found in bytes_of.values())
    disk = sum(found.disk or 0 for found in bytes_of.values())
    own = disk_bytes(recipe, parameters, len(plan.of_kind("finetune")))
    more = f", and {', '.join(unknown)} besides" if unknown else ""
    return (
        "bytes",
        f"{_gb(download)} to fetch{more}; up to {_gb(disk)} on the disk for databases, "
        f"{_gb(own)} for vectors, bank and the state of a training",
    )


def _time_here(recipe: Recipe, names: list[str], base: object, processes: int | None) -> str:
    counts = {name: photos_of(recipe, name) for name in names}
    unknown = [name for name, count in counts.items() if count is None]
    if base is None:
        return "cannot be told before the tower is fetched"
    rate = probe(base, recipe.config_of(recipe.of(names[0])))  # type: ignore[arg-type]
    times = [
        passes(count, recipe.config_of(recipe.of(name))) / 3 / rate
        for name, count in counts.items()
        if count is not None
    ]
    devices = num_devices(processes)
    way = arrange(times, devices)
    shown = f"{rate:.3g} photos a second by a probe of 20 steps here"
    total = sum(times) if devices == 1 else way.seconds[way.way]
    how = "" if devices == 1 else f", {devices} processes {way.way}"
    besides = f"; {', '.join(unknown)} not counted" if unknown else ""
    return f"{shown}: about {_hours(total / 3600)}{how}, if photos are read as fast{besides}"


def _on_cards(recipe: Recipe, names: list[str]) -> str:
    known = [name for name in names if photos_of(recipe, name)]
    told = []
    for card, hours in zip(CARDS, card_hours(recipe, known).values(), strict=True):
        if hours is None:
            return "the number of photos is not known"
        dollars = f"{hours * card.dollars:.2f}"
        told.append(f"{card.name} {_hours(hours)} (${dollars} at ${card.dollars:g} an hour)")
    return "; ".join(told) + (
        f"; the longer of its arithmetic and of reading {READ:g} photos a second and core"
    )


def _hours(hours: float) -> str:
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} seconds"
    return f"{hours * 60:.0f} minutes" if hours < 1 else f"{hours:.1f} hours"


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size > 1e7 else f"{size / 1e6:.2f} MB"
