"""Step 1 of 3: pre-train the tiny tower and publish it, with a random head, as the base.

    python scripts/free_pictures.py --out build/free_pictures
    python scripts/embedded_bank/make_base.py --photographs build/free_pictures --out build/base

About 20 minutes on 2 cores.
"""

import argparse
import json
from pathlib import Path

import torch
from pictures import make_pictures
from pretrain import new_scorer, pretrain

from aesthetic_tv.files import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, default=Path("build/free_pictures"))
    parser.add_argument("--out", type=Path, default=Path("build/base"))
    parser.add_argument("--pictures", type=int, default=24_000)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pictures = make_pictures(options.pictures, options.photographs, seed=options.seed)
    scorer = new_scorer(options.seed)
    explained = pretrain(scorer, pictures, epochs=options.epochs, lr=options.lr, seed=options.seed)
    with torch.no_grad():  # the bank ships in float16: the base is what float16 can hold
        for parameter in scorer.parameters():
            parameter.copy_(parameter.half())
    scorer.save_pretrained(options.out)
    settings = {k: v for k, v in vars(options).items() if k not in ("photographs", "out")}
    write_json(options.out / "training.json", {"settings": settings, "explained": explained})
    print(json.dumps({name: round(share, 2) for name, share in explained.items()}, indent=1))


if __name__ == "__main__":
    main()
