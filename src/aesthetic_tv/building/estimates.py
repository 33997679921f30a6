"""What a build takes before it is begun: bytes, room on the disk, hours.

Hours on this machine come from a probe of 20 steps with the real tower, where it is here. Hours on
named GPUs are arithmetic: what a step costs over what the card does, and nothing was run on them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from aesthetic_tv.building.recipe import Recipe, Tower
from aesthetic_tv.databases.registry import REGISTRY
from aesthetic_tv.errors import AestheticTVError
from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.optimization import parameter_groups
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.devices import choose_device, own_randomness, trains_in_bfloat16, wait_for
from aesthetic_tv.scorer.processors import image_processor, output_size

PROBE_STEPS, PROBE_SECONDS = 20, 60.0
TRAINING = 3.0  # a training step beside a forward pass: there, and twice that back
HELD_OUT = 0.2  # of the photos, seen once an epoch or once at the end
# Sizes in few bits, for room on the disk: bytes a weight, scales included.
BYTES_A_WEIGHT = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "int8": 1.02, "int4": 0.52,
                  "int3": 0.4, "int2": 0.27}  # fmt: skip
STATE = 16  # bytes a weight of a training's state: weights, two moments, best or average


@dataclass(frozen=True)
class Card:
    """A GPU, for an estimate.

    Args:
        name: of it.
        flops: dense, of bfloat16, a second, as its maker says.
        share: of these that fine-tuning a ViT reaches, about.
        cores: of the processor beside it, which read the photos.
        dollars: an hour of renting it costs, about.
    """

    name: str
    flops: float
    share: float
    cores: int
    dollars: float


CARDS = (
    Card("H100", 989e12, 0.30, 16, 2.5),
    Card("RTX 4090", 165e12, 0.40, 8, 0.4),
)
READ = 100.0  # photos a second and core, about: a JPEG of a megapixel, decoded and made smaller
# What the mirrors have of a database, where it is not all of it.
SHARE_FETCHED = {"ava": 0.1}
# Multiplications and additions of one forward pass of one photo at 224 pixels, times two.
FORWARD = {"tiny": 1e9, "base": 35e9, "large": 162e9}


def passes(photos: float, config: FinetuneConfig) -> float:
    """Forward passes that fine-tuning on photos takes: embeddings once, then each epoch there and
    back, and the held-out ones.
    """
    return photos * (1 + config.epochs * (TRAINING + HELD_OUT))


def photos_of(recipe: Recipe, name: str) -> int | None:
    """Photos of a database, by the makers' count; `None` where nobody says."""
    part = recipe.of(name)
    if part.made is not None:
        return part.made.photos
    if part.pictures is not None:
        return part.pictures.count
    count = REGISTRY[part.name].num_photos if part.name in REGISTRY else None
    return None if count is None else int(count * SHARE_FETCHED.get(part.name, 1))


def card_hours(recipe: Recipe, names: Sequence[str]) -> dict[str, float | None]:
    """Hours that training on databases takes on each of `CARDS`, the longer of its arithmetic and
    of reading the photos; `None` where a number of photos is not known.
    """
    counts = [photos_of(recipe, name) for name in names]
    if None in counts:
        return {card.name: None for card in CARDS}
    forward = read = 0.0
    for name, count in zip(names, counts, strict=True):
        config = recipe.config_of(recipe.of(name))
        forward += passes(count or 0, config)
        read += (count or 0) * (1 + config.epochs * (1 + HELD_OUT))
    return {
        card.name: max(
            forward * FORWARD[recipe.size] / (card.flops * card.share), read / (READ * card.cores)
        )
        / 3600
        for card in CARDS
    }


def tower_here(tower: Tower, folder: Any = None) -> AestheticScorer | None:
    """The base, where it can be had without any network; `None` where it cannot.

    Args:
        tower: of the recipe.
        folder: of a build that may have made it already.
    """
    from aesthetic_tv.building.steps import make_base
    from aesthetic_tv.finetuning.bases import named_base

    try:
        if folder is not None and (folder / "base" / "config.json").is_file():
            return named_base(str(folder / "base"))
        if tower.checkpoint is not None:
            return named_base(
                tower.checkpoint,
                revision=tower.revision,
                head_seed=tower.head_seed,
                local_files_only=True,
            )
        return make_base(tower)
    except (AestheticTVError, OSError):
        return None


def probe(base: AestheticScorer, config: FinetuneConfig) -> float:
    """Photos a second that this machine trains on, by up to 20 steps on random pixels.

    Args:
        base: stays as it is.
        config: whose batches and rates.
    """
    device = choose_device()
    with own_randomness(device):
        scorer: Any = AestheticScorer(base.config)
        scorer.load_state_dict(base.state_dict())
        scorer.to(device).train()
        groups = parameter_groups(
            scorer, lr=config.lr, layer_decay=config.layer_decay, weight_decay=0.01
        )
        optimizer = torch.optim.AdamW(groups, fused=True)
        size = output_size(image_processor(base.config))
        count = config.micro_batch
        pixels = torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, device=device)
        bf16 = trains_in_bfloat16(device)
        done, began = 0, 0.0
        for step in range(PROBE_STEPS + 1):
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                loss = scorer(scorer.normalize(pixels)).scores.float().square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            wait_for(device)
            if step == 0:  # which warms up
                began = time.perf_counter()
                continue
            done += count
            if time.perf_counter() - began > PROBE_SECONDS:
                break
    return done / (time.perf_counter() - began)


def disk_bytes(recipe: Recipe, parameters: int, vectors: int) -> int:
    """Room that vectors, bank and the state of a training take, besides databases."""
    each = parameters * BYTES_A_WEIGHT[recipe.storage]
    return int(2 * vectors * each + 2 * parameters * 4 + STATE * parameters)
