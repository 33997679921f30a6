"""The report of an evaluation: one HTML page that needs nothing else, and Markdown with plots."""

import base64
import html
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aesthetic_tv.databases.registry import REGISTRY
from aesthetic_tv.evaluation.figures import ratings_figure
from aesthetic_tv.evaluation.metrics import METRICS
from aesthetic_tv.evaluation.protocol import protocol_of
from aesthetic_tv.evaluation.published import published
from aesthetic_tv.evaluation.statistics import (
    ORACLES,
    POPULATION_LEVEL,
    TASK,
    Verdict,
    common,
    differences,
    gains,
    is_personal,
    share_better,
    summary,
    verdicts,
)
from aesthetic_tv.evaluation.table_files import write_tables
from aesthetic_tv.files import atomic_path
from aesthetic_tv.plots import coefficients_against_srocc, gain_per_person, methods_compared

NAMES = {
    "srocc": "SROCC",
    "plcc": "PLCC",
    "kendall": "Kendall's tau",
    "pair_accuracy": "pair accuracy",
    "top_k_precision": "precision of the best quarter",
    "calibration_error": "calibration error",
}
EXPLAINED = (
    "SROCC is Spearman's rank correlation of the scores with a person's own ratings, on photos "
    "that the score was not fitted on: 1 is that person's order, 0 is chance."
)
CHOSEN = "The best of several methods were chosen by these very results, which flatters them. "
NO_VERDICT = (
    "The run has no personal method beside a score that is the same for everyone, so it cannot say "
    "whether a personal one is better."
)
ORACLE = " others is the mean of other people's ratings of the tested photos: an oracle."
PLOTS = "plots"  # folder of the pictures, beside the Markdown
TABLES = "tables"  # folder of each table as csv and LaTeX
ANY_TABLE = ("folder", "hub")  # databases that are whatever a person has
COUNTS = {"num_people": "people", "num_photos": "photos"}


class Evaluated(Protocol):
    """What a report is written of: `results.Results`."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Of the run."""

    @property
    def fits(self) -> pd.DataFrame:
        """One row for each person, shots, draw and method."""

    def mean_weights(self, method: str, shots: int) -> np.ndarray | None:
        """Mean coefficient of each task (K,); `None` of a method without any."""


@dataclass(frozen=True)
class Table:
    """Cells as they are shown; the first column is text, the others are numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG file, and what it shows."""

    path: Path
    caption: str

    @property
    def data(self) -> str:
        """The file as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode()


@dataclass
class Section:
    """A heading, and what stands below it."""

    title: str
    text: str = ""
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)


def write_report(
    results: Evaluated,
    folder: str | os.PathLike[str],
    *,
    contact_sheets: Mapping[str, Path] | None = None,
    reference: str = "generic",
) -> Path:
    """Write `report.html`, `report.md`, `plots/*.png`, and each table as `tables/*.csv` and
    `tables/*.tex`; the same results give the same bytes.

    Args:
        results: the config of a run and its fits.
        folder: to write to; other files in it are left alone.
        contact_sheets: pictures of people's photos by caption, PNG; these show the photos.
        reference: what all methods are compared with, besides the best population score.

    Returns:
        The path of the HTML page.

    Raises:
        SettingError: the table of fits lacks a column or has a row twice.
        OutputError: a file could not be written.
    """
    folder = Path(folder)
    found = verdicts(results.fits)
    sections = [
        *_protocol(results),
        _methods(results.fits, folder),
        *_learning(results.fits, found, folder),
        *_tables(results.fits, found, reference),
        *_people(results.fits, found, folder),
        *_coefficients(results, found, folder),
        *_sheets(contact_sheets or {}, folder),
        _config(results.config),
    ]
    values = {
        "title": _title(results.config) + _by(results.config),
        "verdicts": [str(verdict) for verdict in found],
        "no_verdict": NO_VERDICT,
        "explained": (CHOSEN if found else "") + EXPLAINED,
        "sections": sections,
    }
    write_tables(sections, folder / TABLES)
    for name in ("report.html", "report.md"):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(_render(name, values), "utf-8", "backslashreplace")
    return folder / "report.html"


def _render(name: str, values: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = _markdown
    text = environment.get_template(f"{name}.j2").render(plots=PLOTS, **values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _markdown(text: str) -> str:
    """Text as it is, in a line of Markdown: names come from outside."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", plain)


def _title(config: Mapping[str, Any]) -> str:
    """What was evaluated: whose photos and people, and how many."""
    database = config.get("database")
    if isinstance(database, Mapping):
        database = database.get("id") or database.get("name")
    known = REGISTRY.get(str(database))
    data = config.get("data") or (known.title if known is not None else database)
    if known is not None and known.id in ANY_TABLE and not config.get("data"):
        data = "photos of a folder" if known.id == "folder" else "a data set of the Hub"
    counts = [f"{config[key]:,} {what}" for key, what in COUNTS.items() if config.get(key)]
    title = "Evaluation" + (f" on {data}" if data else "")
    return title + (f", {' and '.join(counts)}" if counts else "")


def _by(config: Mapping[str, Any]) -> str:
    return f", by the protocol {config['protocol']}" if config.get("protocol") else ""


def _protocol(results: Evaluated) -> Iterator[Section]:
    """Which published layout the run has, its own metrics of each group of people, and what others
    published by it.
    """
    named = protocol_of(results.config)
    if named is None:
        return
    text = f"{named.title[0].upper()}{named.title[1:]}. Source: {named.source}."
    section = Section(f"Protocol {named.id}", text + (f" Note: {named.note}" if named.note else ""))
    rows = []
    groups: Mapping[str, pd.DataFrame] = getattr(results, "fits_of_groups", {"": results.fits})
    for group, fits in groups.items():
        for metric in named.metrics:
            for _, row in summary(fits, metric).iterrows():
                cells = [row["method"], str(row["shots"]), group or "all", NAMES[metric]]
                measured = [_number(row["mean"]), _interval(row["low"], row["high"])]
                rows.append([*cells, *measured, str(row["people"])])
    columns = ["method", "shots", "people", "metric", "mean", "95% interval", "number of people"]
    section.tables.append(Table(columns, rows, "In the metrics that the protocol is reported in."))
    found = published(named.id, str(results.config.get("database")))
    cited = [[x.method, str(x.shots), x.shown, x.source] for x in found]
    if cited:
        columns = ["method", "shots", "published SROCC", "seen"]
        section.tables.append(Table(columns, cited, "As published by others; none is ours."))
    yield section


def _methods(fits: pd.DataFrame, folder: Path) -> Section:
    """All methods in one picture."""
    table = summary(fits, "srocc")
    panels = {
        f"{shots} shots": {
            row["method"]: (row["mean"], row["low"], row["high"]) for _, row in part.iterrows()
        }
        for shots, part in table.groupby("shots")
    }
    names = list(table["method"].unique())
    picture = folder / PLOTS / "methods.png"
    methods_compared(
        panels,
        picture,
        impersonal=[name for name in names if not is_personal(name) and name not in ORACLES],
        oracles=[name for name in names if name in ORACLES],
    )
    caption = (
        "Mean SROCC over people with its 95% bootstrap interval over people; the dotted line is "
        "the best of those that are the same for everyone. Intervals of two methods may overlap "
        "although their paired difference is clear."
    )
    return Section("All methods", pictures=[Picture(picture, caption)])


def _learning(fits: pd.DataFrame, found: list[Verdict], folder: Path) -> Iterator[Section]:
    """What each further rating brings, where there are several numbers of them."""
    personal = fits[fits["method"].map(is_personal)]
    if personal["shots"].nunique() < 2:
        return
    picture = folder / PLOTS / "learning.png"
    title = "SROCC by the number of ratings"
    reference = found[-1].population if found else None
    ratings_figure(fits, reference, picture)
    if reference is None:
        caption = "Mean SROCC over people, with 95% bootstrap intervals over people."
        yield Section(title, pictures=[Picture(picture, caption)])
        return
    caption = (
        "Left: mean SROCC over people, with 95% bootstrap intervals over people. Right: what each "
        f"person gains over {reference}, which is the same for everyone, with paired "
        "intervals; what falls far below it is cut off."
    )
    yield Section(title, pictures=[Picture(picture, caption)])


def _tables(fits: pd.DataFrame, found: list[Verdict], reference: str) -> Iterator[Section]:
    """Means, other metrics and paired differences, for each number of shots."""
    best = {verdict.shots: verdict.population for verdict in found}
    for shots, part in fits.groupby("shots"):
        section = Section(f"{shots} ratings of each person")
        table = summary(part, "srocc")
        oracle = ORACLE if set(ORACLES) & set(table["method"]) else ""
        note = "Means over people, of each one's mean over draws." + oracle
        section.tables.append(_means(table, note))
        shared = common(part, "srocc")
        if len(table) and len(shared) and len(shared) < int(part["srocc"].notna().sum()):
            note = "Only the people and draws that every method has."
            section.tables.append(_means(summary(shared, "srocc"), note))
        section.tables.append(_other_metrics(part, list(table["method"])))
        known = set(table["method"])
        for name in dict.fromkeys([best.get(int(shots), reference), reference]):
            if name in known and len(known) > 1:
                others = [method for method in table["method"] if method != name]
                section.tables.append(_differences(part, others, name))
        yield section


def _means(table: pd.DataFrame, note: str) -> Table:
    columns = ["method", "mean SROCC", "95% interval", "SD over draws", "SD over people", "people",
               "draws", "seconds a fit"]  # fmt: skip
    rows = [
        [
            row["method"],
            _number(row["mean"]),
            _interval(row["low"], row["high"]),
            _number(row["sd_draws"]),
            _number(row["sd_people"]),
            str(row["people"]),
            str(row["draws"]),
            f"{row['seconds']:.3g}",
        ]
        for _, row in table.iterrows()
    ]
    return Table(columns, rows, note)


def _other_metrics(fits: pd.DataFrame, methods: Sequence[str]) -> Table:
    people = fits.groupby(["method", "person"])[list(METRICS)].mean()
    means = people.groupby("method").mean()
    rows = [[method, *map(_number, means.loc[method])] for method in methods]
    note = "Means over people. Of the calibration error, a share of the scale, less is better."
    return Table(["method", *(NAMES[name] for name in METRICS)], rows, note)


def _differences(fits: pd.DataFrame, methods: Sequence[str], reference: str) -> Table:
    rows = [
        [
            gap.method,
            f"{gap.mean:+.3f}",
            _interval(gap.low, gap.high, "+.3f"),
            f"{gap.better:.0%}",
            f"{gap.p_value:.2g}",
            str(gap.people),
            str(gap.draws),
        ]
        for gap in differences(fits, methods, reference)
    ]
    columns = ["method", f"SROCC less {reference}", "95% interval", "people better", "p", "people",
               "draws"]  # fmt: skip
    note = (
        f"Each method less {reference}, on the people and draws that both have. p: Wilcoxon's "
        "signed-rank test over people, of each comparison alone."
    )
    return Table(columns, rows, note)


def _people(fits: pd.DataFrame, found: list[Verdict], folder: Path) -> Iterator[Section]:
    """For how many people personal is better, and by how much."""
    rows = []
    for method in dict.fromkeys(fits["method"]):
        if found and is_personal(method) and set(POPULATION_LEVEL) & set(fits["method"]):
            for share in share_better(fits, method):
                rows.append(
                    [
                        method,
                        str(share.shots),
                        share.against,
                        f"{share.share:.0%}",
                        _interval(share.low, share.high, ".0%"),
                        str(share.people),
                    ]
                )
    if not rows:
        return
    rows.sort(key=lambda row: int(row[1]))
    section = Section(
        "For how many people",
        "The share of people whom a personal score serves better than one that is the same for "
        "everyone: than the one that is best on the mean over all people, and than whichever of "
        f"{', '.join(POPULATION_LEVEL)} turned out best for each person, which nobody could know "
        "beforehand.",
    )
    columns = ["method", "shots", "against", "people better", "95% interval", "people"]
    section.tables.append(Table(columns, rows, "Wilson's intervals; equal counts half."))
    for verdict in found:
        picture = folder / PLOTS / f"gain-{verdict.shots}.png"
        gained = gains(fits, verdict.personal, verdict.population, verdict.shots)
        gain_per_person(
            gained.to_numpy(), picture, method=verdict.personal, reference=verdict.population
        )
        caption = f"Each person's gain with {verdict.shots} ratings, mean over draws."
        section.pictures.append(Picture(picture, caption))
    yield section


def _coefficients(results: Evaluated, found: list[Verdict], folder: Path) -> Iterator[Section]:
    """Which tasks the personal methods lean on, where the single task models were evaluated."""
    section = Section("Coefficients of the tasks")
    tasks = [TASK + name for name in results.config.get("bank", {}).get("vectors", ())]
    for verdict in found:
        table = summary(results.fits[results.fits["shots"] == verdict.shots], "srocc")
        alone = table.set_index("method")["mean"]
        weights = results.mean_weights(verdict.personal, verdict.shots)
        if weights is None or len(weights) != len(tasks) or not {*tasks} <= {*alone.index}:
            continue
        picture = folder / PLOTS / f"coefficients-{verdict.shots}.png"
        names = [name.removeprefix(TASK) for name in tasks]
        coefficients_against_srocc(names, alone[tasks].to_list(), weights.tolist(), picture)
        caption = f"{verdict.personal} with {verdict.shots} ratings."
        section.pictures.append(Picture(picture, caption))
    if section.pictures:
        yield section


def _sheets(sheets: Mapping[str, Path], folder: Path) -> Iterator[Section]:
    if not sheets:
        return
    section = Section("Photos of single people")
    for number, (caption, source) in enumerate(sheets.items(), 1):
        copy = folder / PLOTS / f"sheet-{number}.png"
        with atomic_path(copy) as temporary:
            shutil.copyfile(source, temporary)
        section.pictures.append(Picture(copy, caption))
    yield section


def _config(config: Mapping[str, Any]) -> Section:
    """All that the run was made with: settings, seeds, versions, machine."""
    rows = [[name, value] for name, value in _flat(config)]
    return Section("How it was made", tables=[Table(["setting", "value"], rows)])


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(map(str, value))
        else:
            yield name, value if isinstance(value, str) else json.dumps(value)


def _number(value: float) -> str:
    return "n/a" if np.isnan(value) else f"{value:.3f}"


def _interval(low: float, high: float, form: str = ".3f") -> str:
    return f"{low:{form}} to {high:{form}}"
