"""Baselines that change the weights of one model for one person: all of them, or low-rank ones."""

import copy
from dataclasses import dataclass
from typing import Any, Literal

import torch

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization import Preferences
from aesthetic_tv.personalization.paper_solver import bradley_terry_loss
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.towers import adapted_modules


@dataclass(frozen=True)
class Tuning:
    """AdamW on weights, with the loss of the coefficients: all pairs of the support set.

    Args:
        weights: `all`, or `lora`: low-rank changes of the linear layers (Hu et al. 2022).
        steps: each on the whole support set, up to `batch_size` photos.
        lr: learning rate.
        batch_size: photos a step.
        rank: of `lora`.
        seed: of batches, dropout and low-rank starts.
    """

    weights: Literal["all", "lora"] = "all"
    steps: int = 100
    lr: float = 1e-4
    batch_size: int = 32
    rank: int = 8
    seed: int = 0

    def __post_init__(self):
        if self.weights not in ("all", "lora"):
            raise SettingError(f"weights must be 'all' or 'lora', got {self.weights!r}.")
        if self.steps < 0 or not self.lr > 0 or self.batch_size < 2 or self.rank < 1:
            raise SettingError(
                f"steps are {self.steps}, lr {self.lr}, batch_size {self.batch_size}, rank "
                f"{self.rank}; expected 0 or more, above 0, 2 or more, 1 or more."
            )

    @classmethod
    def lora(cls) -> "Tuning":
        """Low-rank changes, with a learning rate of their own."""
        return cls(weights="lora", lr=1e-3)


def tuned(
    start: AestheticScorer,
    pixel_values: torch.Tensor,
    preferences: Preferences,
    settings: Tuning,
) -> AestheticScorer:
    """A scorer trained on one person's preferences.

    Args:
        start: stays as it is.
        pixel_values: the support set (n, 3, H, W).
        preferences: over the same photos.
        settings: how.

    Raises:
        SettingError: `lora` without peft.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed % 2**63)
        scorer = copy.deepcopy(start).requires_grad_()
        model: Any = scorer if settings.weights == "all" else _with_adapters(scorer, settings.rank)
        model.train()
        learned = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(learned, lr=settings.lr, weight_decay=0.0)
        for _ in range(settings.steps):
            rows = torch.randperm(len(pixel_values))[: settings.batch_size].numpy()
            part = preferences.subset(rows)
            if part is None:
                continue
            scores = model(pixel_values=pixel_values[rows]).scores
            better, worse = torch.from_numpy(part.better), torch.from_numpy(part.worse)
            weights = torch.from_numpy(part.weights).float()
            loss = bradley_terry_loss(scores, better, worse, weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    if settings.weights == "lora":
        scorer = model.merge_and_unload()
    return scorer.eval()


def _with_adapters(scorer: AestheticScorer, rank: int) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise SettingError(
            "the method 'lora' needs peft; install it with `pip install aesthetic-tv[evaluation]`."
        ) from None
    modules = adapted_modules(scorer)
    return get_peft_model(scorer, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules))
