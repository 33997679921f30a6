"""Make the bank `embedded:lite`: EfficientNet-Lite0 as the base, and task vectors on it.

    python scripts/free_pictures.py --out build/free_pictures
    python scripts/embedded_bank/make_lite.py --out build/lite

About an hour on 2 cores; started again, it goes on with the task that it was at. Needs the packages
that `convert_lite.py` names. Every task is learned from freely licensed photographs and rendered
scenes alone: photographic judgements of pictures with edits of known strength, and what the network
itself says that unedited crops show. No person's opinion is in it.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from content import GROUPS, group_log_odds
from convert_lite import MEAN, STD, convert
from judgements import JUDGEMENTS
from make_bank import held_out_scores
from pictures import SMALLEST, make_pictures
from PIL import Image
from scipy.stats import rankdata

from aesthetic_tv.finetuning import FinetuneConfig, finetune, load_crops
from aesthetic_tv.personalization import srocc
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank

SIZE = 224
# Groups of the network's classes that become tasks of content; the others show little here.
CONTENT = ("animals", "plants", "landscape", "buildings", "vehicles")
SETTINGS = FinetuneConfig(
    head_epochs=30, epochs=1, lr=1e-4, layer_decay=0.9, loss="plcc+mse", score_range=(0.0, 1.0)
)
# The network learned to overlook light and colour, from its first layers. (Ten times the rate tells
# them better still, but then the sum of all tasks ranks nothing any more.)
TONES = replace(SETTINGS, lr=3e-4, layer_decay=1.0)
# Light is learned from photographs alone, each lit better or worse on purpose: among pictures with
# a fault of any kind, one in seven is.
LIGHT = replace(TONES, epochs=2)
BATCH = 32


@cache
def make_base(seed: int = 0) -> AestheticScorer:
    """The published network with a random head, in numbers that float16 can hold."""
    tower, _ = convert(0, SIZE)
    square = {"height": SIZE, "width": SIZE}
    processor = {
        "image_processor_type": "EfficientNetImageProcessor",
        "do_resize": True, "size": square, "resample": 3, "do_center_crop": False,
        "crop_size": square, "do_rescale": True, "rescale_factor": 1 / 255,
        "rescale_offset": False, "do_normalize": True, "image_mean": list(MEAN),
        "image_std": list(STD), "include_top": False,
    }  # fmt: skip
    config = AestheticScorerConfig(vision_config=tower.config, processor=processor)
    scorer = AestheticScorer(config, tower)
    scorer.reset_head(seed)
    with torch.no_grad():
        for tensor in (*scorer.parameters(), *scorer.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
    return scorer.eval()


def crops_of_photographs(folder: Path, base: AestheticScorer, count: int, seed: int) -> np.ndarray:
    """Random parts of the photographs, unedited, as the tower sees them: uint8 (n, 3, H, W)."""
    random = np.random.default_rng(seed)
    photographs = [
        image
        for path in sorted(folder.glob("*.jpg"))
        if min((image := Image.open(path).convert("RGB")).size) >= SMALLEST
    ]
    parts = []
    for number in range(count):
        image = photographs[number % len(photographs)]
        size = np.array(image.size)
        part = size * random.uniform(0.5, 1.0)
        corner = random.uniform(0, size - part)
        parts.append(image.crop((*corner.astype(int), *(corner + part).astype(int))))
    return load_crops(parts, base.config)


@cache
def unedited_crops(folder: Path, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Crops, and the network's log-odds of what they show."""
    base = make_base()
    crops = crops_of_photographs(folder, base, count, seed)
    return crops, content_scores(base, crops)


@cache
def edited_pictures(photographs: Path, count: int, seed: int):
    """As of `embedded:tiny`: half rendered scenes, half parts of photographs, with edits."""
    return make_pictures(count, photographs, seed=seed, workers=1)


@cache
def lit_pictures(photographs: Path, count: int, seed: int):
    """Parts of photographs, all of them lit anew."""
    return make_pictures(
        count, photographs, seed=seed, workers=1, scenes=0.0, certain=("exposure",)
    )


@torch.inference_mode()
def content_scores(base: AestheticScorer, crops: np.ndarray) -> np.ndarray:
    """What the published network says of each crop: log-odds that it shows each group (n, G)."""
    _, classes = convert(0, SIZE)
    parts = [
        classes(base.embed(base.normalize(crops[start : start + BATCH])))
        for start in range(0, len(crops), BATCH)
    ]
    return group_log_odds(torch.cat(parts)).double().numpy()


def examples_of(name: str, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Crops (n, 3, H, W) of a task and their scores in [0, 1], by rank: tasks of equal spread."""
    if name in JUDGEMENTS:
        if name == "light":
            pictures = lit_pictures(options.photographs, 3 * options.pictures, 3)
        else:
            pictures = edited_pictures(options.photographs, options.pictures, 1)
        crops, scores = pictures.crops, JUDGEMENTS[name](pictures.facts)
    else:
        crops, content = unedited_crops(options.photographs, options.crops, 2)
        scores = content[:, list(GROUPS).index(name)]
    return crops, (rankdata(scores) - 0.5) / len(scores)


def make_vector(name: str, options: argparse.Namespace) -> TaskVector:
    """Fine-tune on one task; the last tenth of the pictures is held out."""
    base = make_base()
    folder = options.out.with_name(options.out.name + "-vectors") / name
    if folder.exists():
        return TaskVector.from_pretrained(folder, base=base)
    crops, scores = examples_of(name, options)
    train = len(crops) * 9 // 10
    config = {"colour": TONES, "light": LIGHT}.get(name, SETTINGS)
    scorer = finetune(base, crops[:train], scores[:train], config)
    told = held_out_scores(scorer, crops[train:])
    metrics = {"held_out_srocc": round(srocc(told, scores[train:]), 4)}
    print(name, metrics, flush=True)
    kind = "judgement" if name in JUDGEMENTS else "content"
    vector = TaskVector.from_scorers(
        base,
        scorer,
        name=name,
        database={
            "id": f"{kind}:{name}",
            "num_images": train,
            "split": "first nine tenths of the pictures",
        },
        training=asdict(config),
        metrics=metrics,
        license="apache-2.0",
    )
    vector.save_pretrained(folder)
    return vector


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, default=Path("build/free_pictures"))
    parser.add_argument("--out", type=Path, default=Path("build/lite"))
    parser.add_argument("--pictures", type=int, default=1000, help="edited ones")
    parser.add_argument("--crops", type=int, default=720, help="unedited ones")
    parser.add_argument("--storage", default="int4")
    parser.add_argument("--tasks", nargs="+", default=[*JUDGEMENTS, *CONTENT])
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawn, torch.set_num_threads, (1,)) as pool:
        jobs = [pool.submit(make_vector, name, options) for name in options.tasks]
        vectors = [job.result() for job in jobs]
    TaskVectorBank(make_base(), vectors).save_pretrained(options.out, storage=options.storage)


if __name__ == "__main__":
    main()
