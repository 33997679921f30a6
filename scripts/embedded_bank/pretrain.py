"""Pre-train the tiny tower from scratch: from a picture, tell all that is known of it."""

import math

import numpy as np
import torch
from pictures import FACTS, Pictures
from torch import nn
from tqdm import tqdm

from aesthetic_tv.finetuning import normalize
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig

TOWER = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "projection_dim": 128,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "gelu",
}


def new_scorer(seed: int) -> AestheticScorer:
    """An untrained tiny scorer (1.28 M parameters) whose patch filters are cosines."""
    torch.manual_seed(seed)
    scorer = AestheticScorer(AestheticScorerConfig(vision_config=TOWER))
    patches = scorer.vision.vision_model.embeddings.patch_embedding
    with torch.no_grad():
        patches.weight.copy_(_cosine_filters(*patches.weight.shape[:1], patches.weight.shape[-1]))
    scorer.reset_head(seed)
    return scorer


def _cosine_filters(count: int, side: int) -> torch.Tensor:
    """(count, 3, side, side): a start that already sees colour, tone, edges, and fine grain.

    Random filters over 3072 inputs see noise only; the low cosines carry the picture, and cosines
    of ever higher frequency let the layers above tell sharp from soft. Each is scaled by its
    frequency, against the 1/f fall of natural pictures.
    """
    random = np.random.RandomState(0)
    low = sorted(((u, v) for u in range(8) for v in range(8)), key=lambda f: f[0] + f[1])
    high = [tuple(random.randint(0, side, 2)) for _ in range(4 * count)]
    high = [f for f in dict.fromkeys(high) if max(f) >= 8]
    tone, red_green, yellow_blue = (1, 1, 1), (1, -1, 0), (0.5, 0.5, -1)
    plan = [(f, tone) for f in low[: count * 5 // 16]]
    plan += [(f, hue) for f in low[: count // 10] for hue in (red_green, yellow_blue)]
    plan += [(f, tone) for f in high]
    t = (np.arange(side) + 0.5) * math.pi / side
    filters = []
    for (u, v), hue in plan[:count]:
        wave = np.outer(np.cos(v * t), np.cos(u * t))
        kernel = np.asarray(hue)[:, None, None] * wave
        gain = min(0.5 + math.hypot(u, v), 12) / side
        filters.append(kernel / np.linalg.norm(kernel) * gain)
    return torch.tensor(np.stack(filters), dtype=torch.float32)


def pretrain(scorer: AestheticScorer, pictures: Pictures, *, epochs: int, lr: float, seed: int):
    """Regress every fact, standardized, from the embedding through a linear layer that is dropped
    afterwards. Changes the scorer's tower in place; returns the share of variance explained of
    each fact on the last twentieth of the pictures, which is held out.
    """
    torch.manual_seed(seed)
    table = np.stack([pictures.facts[name] for name in FACTS], axis=1)
    mean, std = np.nanmean(table, 0), np.nanstd(table, 0) + 1e-6
    targets = torch.from_numpy(((table - mean) / std).astype(np.float32))
    known = ~torch.isnan(targets)
    targets = targets.nan_to_num()
    held_out = len(pictures) // 20
    train = len(pictures) - held_out
    probe = nn.Linear(TOWER["projection_dim"], len(FACTS))
    tower = scorer.vision.train()
    parameters = [*tower.parameters(), *probe.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.05)
    batch = 64
    steps = epochs * (train // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.08)
    bar = tqdm(total=steps, desc="pre-training")
    for _ in range(epochs):
        for rows in torch.randperm(train)[: train // batch * batch].split(batch):
            rows = rows.sort().values
            pixels = normalize(pictures.crops[rows.numpy()])
            error = (probe(tower(pixels).image_embeds) - targets[rows]) ** 2
            loss = error[known[rows]].mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            bar.update()
            if bar.n % 50 == 0:
                bar.set_postfix(loss=f"{loss.item():.3f}")
    bar.close()
    scorer.eval()
    with torch.inference_mode():
        rows = torch.arange(train, len(pictures))
        told = torch.cat(
            [
                probe(tower(normalize(pictures.crops[r.numpy()])).image_embeds)
                for r in rows.split(64)
            ]
        )
    error = torch.where(known[rows], (told - targets[rows]) ** 2, torch.nan)
    spread = torch.where(known[rows], targets[rows] ** 2, torch.nan)
    explained = 1 - error.nanmean(0) / spread.nanmean(0)
    return dict(zip(FACTS, explained.tolist(), strict=True))
