"""Step 2 of 3: fine-tune the base on six judgements and save the bank.

    python scripts/embedded_bank/make_bank.py --base build/base --out build/tiny

About 15 minutes on 2 cores. Each judgement sees pictures of its own; a tenth is held out.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from judgements import JUDGEMENTS
from pictures import make_pictures

from aesthetic_tv.finetuning import FinetuneConfig, finetune
from aesthetic_tv.personalization import srocc
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank

NOISE = 0.03  # of the range of a judgement: real mean scores are never exact


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, default=Path("build/free_pictures"))
    parser.add_argument("--base", type=Path, default=Path("build/base"))
    parser.add_argument("--out", type=Path, default=Path("build/tiny"))
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    options = parser.parse_args()
    base = AestheticScorer.from_pretrained(options.base, dtype=torch.float32)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawn, torch.set_num_threads, (1,)) as pool:
        jobs = [
            pool.submit(task_vector, base, name, options, 1000 + k)
            for k, name in enumerate(JUDGEMENTS)
        ]
        vectors = [job.result() for job in jobs]
    TaskVectorBank(base, vectors).save_pretrained(options.out, storage="int4")


def task_vector(base: AestheticScorer, name: str, options, seed: int) -> TaskVector:
    """Fine-tune on one judgement of pictures of its own."""
    pictures = make_pictures(options.pictures, options.photographs, seed=seed, workers=1)
    random = np.random.default_rng(seed)
    noise = NOISE * random.standard_normal(len(pictures))
    scores = np.clip(JUDGEMENTS[name](pictures.facts) + noise, 0, 1)
    train = len(pictures) * 9 // 10
    config = FinetuneConfig(
        epochs=options.epochs,
        lr=options.lr,
        layer_decay=1.0,  # the base is young: nothing in it to preserve
        score_range=(0.0, 1.0),
        seed=seed,
    )
    scorer = finetune(base, pictures.crops[:train], scores[:train], config)
    told = held_out_scores(scorer, pictures.crops[train:])
    metrics = {"held_out_srocc": round(srocc(told, scores[train:]), 4)}
    print(name, metrics, flush=True)
    return TaskVector.from_scorers(
        base,
        scorer,
        name=name,
        database={
            "id": f"judgement:{name}",
            "num_images": train,
            "split": "first nine tenths of the pictures of this seed",
        },
        training=asdict(config) | {"seed": seed},
        metrics=metrics,
        license="apache-2.0",
    )


def held_out_scores(scorer: AestheticScorer, crops: np.ndarray) -> np.ndarray:
    """Raw scores of pictures: (n,)."""
    parts = np.split(crops, range(64, len(crops), 64))
    return np.concatenate([scorer.score_pixels(scorer.normalize(part)) for part in parts])


if __name__ == "__main__":
    main()
