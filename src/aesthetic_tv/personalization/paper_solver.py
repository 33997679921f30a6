"""The paper's solver: stochastic gradient steps on alpha through the merged model.

Yun & Choo (ECCV 2024), sections 4.2 and 4.3, with the settings of the authors' script. Faithful and
slow: each step is a forward and a backward pass.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import softplus

from aesthetic_tv.errors import PreferenceError, SettingError
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.personalization.solver import Initialization, Problem, Progress, Solution
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.devices import own_randomness


@dataclass(frozen=True)
class PaperSolver:
    """AdamW on alpha, head dropout on.

    Args:
        iterations: steps.
        lr: learning rate.
        batch_size: photos per step; all pairs among them are used.
        loss: `bradley-terry`, or `mse` for the paper's Table 7 (needs ratings).
        layerwise: one coefficient for each layer and task; `False`: one for each task.
        dropout: keep the head's dropout on, as the authors do.
        seed: of batches and dropout.
    """

    name: ClassVar[str] = "paper"
    initialization: ClassVar[Initialization] = "adaptive"

    iterations: int = 500
    lr: float = 1e-2
    batch_size: int = 32
    loss: Literal["bradley-terry", "mse"] = "bradley-terry"
    layerwise: bool = True
    dropout: bool = True
    seed: int = 0

    def __post_init__(self):
        if self.iterations < 0:
            raise SettingError(f"iterations must be 0 or more, got {self.iterations}.")
        if self.batch_size < 2:
            raise SettingError(f"batch_size must be 2 or more, got {self.batch_size}.")
        if not self.lr > 0:
            raise SettingError(f"lr must be above 0, got {self.lr}.")
        if self.loss not in ("bradley-terry", "mse"):
            raise SettingError(f"loss must be 'bradley-terry' or 'mse', got {self.loss!r}.")

    def settings(self) -> Mapping[str, Any]:
        """The settings as JSON."""
        return asdict(self)

    def solve(self, problem: Problem, progress: Progress | None = None) -> Solution:
        """Fit alpha; the last iterate, never the best one.

        Raises:
            PreferenceError: `loss="mse"` without ratings.
        """
        with own_randomness(problem.bank.device):
            torch.manual_seed(self.seed)
            return self._solve(problem, progress)

    def _solve(self, problem: Problem, progress: Progress | None) -> Solution:
        model = _with_same_layers(problem.bank.base)
        model.head.train(self.dropout)
        layout = problem.bank.layout
        initial, beta = layout.split(torch.from_numpy(problem.centre).float())
        alpha = initial if self.layerwise else initial.mean(0, keepdim=True)
        alpha = alpha.clone().requires_grad_()
        optimizer = torch.optim.AdamW([alpha], lr=self.lr, weight_decay=0.0)
        targets = _on_bins(problem) if self.loss == "mse" else None
        history = []
        batches = _batches(problem.preferences, self.batch_size, self.seed)
        for step in range(1, self.iterations + 1):
            rows, part = next(batches)
            weights = alpha.expand(layout.layers, -1)
            layers = problem.bank.merged_layers(torch.cat([weights.reshape(-1), beta]))
            layers = {name: layer.to(model.device) for name, layer in layers.items()}
            pixels = problem.pixel_values[rows].to(model.device)
            scores = functional_call(model, layers, (pixels,)).scores.cpu()
            loss = _pair_loss(scores, part) if targets is None else mse_loss(scores, targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append(loss.item())
            if progress is not None:
                progress("fit", step, self.iterations)
        found = alpha.detach().expand(layout.layers, -1).reshape(-1)
        return Solution(problem.bank.shaped(torch.cat([found, beta])), tuple(history))


def _with_same_layers(base: AestheticScorer) -> AestheticScorer:
    """A copy to be switched to training without touching the base. Each step brings layers of its
    own, so the copy shares those of the base.
    """
    shared = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in base.parameters()}
    return copy.deepcopy(base, cast(dict, shared))


def _pair_loss(scores: torch.Tensor, preferences: Preferences) -> torch.Tensor:
    better, worse = torch.from_numpy(preferences.better), torch.from_numpy(preferences.worse)
    return bradley_terry_loss(scores, better, worse, torch.from_numpy(preferences.weights).float())


def _on_bins(problem: Problem) -> torch.Tensor:
    """Ratings mapped linearly from the person's scale onto the range of the bins: (n,)."""
    preferences = problem.preferences
    if preferences.ratings is None or preferences.scale is None or preferences.compared:
        besides = " and comparisons" if preferences.compared and preferences.on_scale else ""
        raise PreferenceError(
            "loss='mse' needs ratings alone, but these preferences are "
            f"{preferences.kind}{besides}; use loss='bradley-terry'."
        )
    low, high = preferences.scale
    bins = problem.bank.base.config.bin_values
    share = (preferences.ratings - low) / (high - low)
    return torch.from_numpy(bins[0] + share * (bins[-1] - bins[0])).float()


def _batches(
    preferences: Preferences, batch_size: int, seed: int
) -> Iterator[tuple[np.ndarray, Preferences]]:
    """Endless epochs of photos and the preferences among them; batches without a pair are passed
    over. Sparse pairs are drawn as pairs, since few random photos would share one.
    """
    random = np.random.default_rng(seed)
    while True:
        if preferences.compared:
            order = random.permutation(len(preferences.better))
            chunks = np.array_split(order, max(1, -(-2 * len(order) // batch_size)))
            ends = np.stack([preferences.better, preferences.worse], axis=1)
            groups = [np.unique(ends[chunk]) for chunk in chunks]
        else:
            order = random.permutation(len(preferences))
            groups = np.array_split(order, -(-len(order) // batch_size))
        for rows in groups:
            part = preferences.subset(rows)
            if part is not None:
                yield rows, part


def bradley_terry_loss(
    scores: torch.Tensor, better: torch.Tensor, worse: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Weighted mean of softplus(-(s_better - s_worse)) over all pairs (paper eq. 3).

    Args:
        scores: (n,).
        better, worse: (P,) positions in `scores`.
        weights: (P,) above 0.
    """
    losses = softplus(scores[worse] - scores[better])
    return (weights * losses).sum() / weights.sum()


def mse_loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean squared error to the ratings on the scale of the bins; the paper's Table 7 compares.

    Args:
        scores, targets: (n,).
    """
    return ((scores - targets) ** 2).mean()
