"""A page that tells what a build made: steps, figures beside published ones, curves, sources."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment

from aesthetic_tv.building.figures import ALL, HELD_OUT
from aesthetic_tv.building.outcome import Outcome
from aesthetic_tv.building.plan import BANK, EVALUATE, POPULATION
from aesthetic_tv.building.work import EVALUATION_FOLDER, LOGS, VECTORS, Work
from aesthetic_tv.errors import FormatError
from aesthetic_tv.evaluation.published import of_database
from aesthetic_tv.files import atomic_path, read_config
from aesthetic_tv.finetuning.from_database import CURVE_NAME, LOG_NAME

REPORT = "report.html"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ recipe.name }}</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #ddd; }
img { max-width: 100%; } .failed, .waiting { color: #b00020; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
</style></head><body>
<h1>{{ recipe.title }}</h1>
<p>Recipe {{ recipe.name }}, licence {{ recipe.license }}, vectors in {{ recipe.storage }}.</p>
<h2>Steps</h2>
<table><tr><th>step<th>state<th>seconds<th></tr>
{% for step in steps %}<tr><td>{{ step.name }}<td class="{{ step.state }}">{{ step.state }}
<td class="number">{{ step.seconds }}<td>{{ step.reason }}</tr>
{% endfor %}</table>
{% if held_out %}<h2>Photos that no vector was trained on</h2>
<p>SROCC of each single model, and of all of them as one (bank), on each database's test part.
Published figures are of other protocols and whole test parts: a look to the side, no more.</p>
<table><tr><th>test part of<th>photos{% for name in models %}<th>{{ name }}{% endfor %}<th>published
</tr>{% for row in held_out %}<tr><td>{{ row.name }}<td class="number">{{ row.n }}
{% for value in row.sroccs %}<td class="number">{{ value }}{% endfor %}<td>{{ row.published }}</tr>
{% endfor %}</table>{% endif %}
{% if similarity %}<h2>How alike the vectors are</h2>
<table><tr><th>{% for name in vectors %}<th>{{ name }}{% endfor %}</tr>
{% for row in similarity %}<tr><th>{{ vectors[loop.index0] }}
{% for value in row %}<td class="number">{{ "%+.2f" | format(value) }}{% endfor %}</tr>
{% endfor %}</table>{% endif %}
{% if population %}<h2>Population</h2>
<p>{% for key, value in population.items() %}{{ key }} {{ value }}{{ ", " if not loop.last }}
{% endfor %}</p>{% endif %}
{% if people %}<h2>People</h2>
<table><tr><th>people of<th>ratings<th>method<th>SROCC<th>95 % over people<th>people x draws</tr>
{% for x in people %}<tr><td>{{ x.database }}<td class="number">{{ x.shots }}<td>{{ x.method }}
<td class="number">{{ "%.3f" | format(x.mean) }}
<td>{{ "%.3f" | format(x.low) }} to {{ "%.3f" | format(x.high) }}
<td>{{ x.people }} x {{ x.draws }}</tr>{% endfor %}</table>{% endif %}
{% for name, reason in skipped.items() %}<p>People of {{ name }}: not measured. {{ reason }}</p>
{% endfor %}<h2>Databases</h2>
<table><tr><th>database<th>photos<th>left out<th>source<th>terms</tr>
{% for x in databases %}<tr><td>{{ x.id }}<td class="number">{{ x.photos }}
<td class="number">{{ x.left_out }}<td>{{ x.source }}<td>{{ x.terms }}</tr>{% endfor %}</table>
{% for name in curves %}<h2>{{ name }}</h2>
<p><img src="{{ folder }}/{{ name }}/{{ curve }}" alt="learning curve of {{ name }}"><br>
<a href="{{ folder }}/{{ name }}/{{ log }}">log.csv</a>{% if name in has_log %},
<a href="{{ logs }}/finetune-{{ name }}.log">messages</a>{% endif %}</p>
{% endfor %}</body></html>
"""


def write_report(work: Work, outcome: Outcome) -> Path:
    """Write the page of a build, whole or not.

    Raises:
        OutputError: it cannot be written.
    """
    bank = work.facts(BANK) if BANK in work.done else {}
    values = {
        "recipe": work.recipe,
        "steps": [_step(work, outcome, step.name) for step in work.plan.steps],
        "vectors": bank.get("vectors"),
        "similarity": bank.get("similarity"),
        "skipped": work.facts(EVALUATE).get("skipped", {}) if EVALUATE in work.done else {},
        "population": work.facts(POPULATION) if POPULATION in work.done else {},
        "databases": [_database(work, part.id) for part in work.plan.databases],
        "curves": [
            name
            for name in work.trained()
            if (work.vector_folder(name) / CURVE_NAME).is_file()
        ],
        "has_log": [
            name
            for name in work.trained()
            if (work.folder / LOGS / f"finetune-{name}.log").is_file()
        ],
        "folder": VECTORS, "curve": CURVE_NAME, "log": LOG_NAME, "logs": LOGS,
        **_figures(work),
    }  # fmt: skip
    text = Environment(autoescape=True).from_string(_PAGE).render(values)
    path = work.folder / REPORT
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")
    return path


def _step(work: Work, outcome: Outcome, name: str) -> dict[str, Any]:
    entry = work.journal.entries.get(name)
    return {
        "name": name,
        "state": outcome.state.get(name, ""),
        "reason": outcome.reasons.get(name, ""),
        "seconds": "" if entry is None or name not in work.done else f"{entry.seconds:.1f}",
    }


def _database(work: Work, name: str) -> dict[str, Any]:
    facts = {**work.facts(f"prepare {name}"), **work.facts(f"fetch {name}")}
    shown = ("photos", "left_out", "source", "terms")
    return {"id": name} | {key: facts.get(key, "") for key in shown}


def _figures(work: Work) -> dict[str, Any]:
    """Held-out figures and those of people, where they were measured."""
    folder = work.folder / EVALUATION_FOLDER
    try:
        held_out = read_config(folder, HELD_OUT)["databases"]
        people = read_config(folder, "people.json")["figures"]
    except FormatError:
        return {}
    models = [*next(iter(held_out.values()), {})]
    return {
        "models": models,
        "people": people,
        "held_out": [_row(work, name, found, models) for name, found in held_out.items()],
    }


def _row(work: Work, name: str, found: Mapping[str, Any], models: list[str]) -> dict[str, Any]:
    known = of_database(work.recipe.of(name).name) if name in _ids(work) else ()
    return {
        "name": name,
        "n": found.get(ALL, {}).get("n", ""),
        "sroccs": [f"{found[model]['srocc']:.3f}" for model in models],
        "published": "; ".join(f"{x.method} {x.srocc:.3f} ({x.source})" for x in known),
    }


def _ids(work: Work) -> list[str]:
    return [part.id for part in work.recipe.databases]
