"""What a scorer is trained to make small, each over the whole batch of all processes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from aesthetic_tv.errors import SettingError

TERM = re.compile(r"\s*(?:(?P<weight>\d*\.?\d+(?:e-?\d+)?)\s*\*\s*)?(?P<name>[a-z]+)\s*")
EPSILON = 1e-8


class Batch(NamedTuple):
    """Scores (n,) on the scale of the bins, and distributions over them (n, num_bins)."""

    scores: torch.Tensor
    distribution: torch.Tensor

    def rows(self, start: int | None, stop: int | None = None) -> "Batch":
        """Those from `start` to before `stop`."""
        return Batch(self.scores[start:stop], self.distribution[start:stop])


def emd(told: Batch, truth: Batch) -> torch.Tensor:
    """Squared earth mover's distance (Hou et al. 2016): squared differences of the cumulative
    distributions, summed over bins, mean over photos.
    """
    gaps = told.distribution.cumsum(dim=1) - truth.distribution.cumsum(dim=1)  # (n, num_bins)
    return gaps.square().sum(dim=1).mean()


def mse(told: Batch, truth: Batch) -> torch.Tensor:
    """Mean squared error of the scores."""
    return nn.functional.mse_loss(told.scores, truth.scores)


def plcc(told: Batch, truth: Batch) -> torch.Tensor:
    """(1 - Pearson's correlation) / 2, in [0, 1]; 1/2 where the true scores are all equal."""
    told_gaps = told.scores - told.scores.mean()
    true_gaps = truth.scores - truth.scores.mean()
    # Within the root: the slope of a root at 0 is infinite.
    lengths = (told_gaps.square().sum() * true_gaps.square().sum() + EPSILON).sqrt()
    return (1 - (told_gaps * true_gaps).sum() / lengths) / 2


def rank(told: Batch, truth: Batch) -> torch.Tensor:
    """Bradley-Terry over all pairs with y_i > y_j: mean of softplus(-(s_i - s_j)) (paper eq. 3);
    0 where there is no such pair.
    """
    ordered = truth.scores[:, None] > truth.scores[None, :]  # (n, n)
    gaps = told.scores[:, None] - told.scores[None, :]
    return (nn.functional.softplus(-gaps) * ordered).sum() / ordered.sum().clamp_min(1)


LOSSES: Mapping[str, Callable[[Batch, Batch], torch.Tensor]] = {
    "emd": emd,
    "mse": mse,
    "plcc": plcc,
    "rank": rank,
}


@dataclass(frozen=True)
class Loss:
    """A weighted sum of losses: names and weights."""

    terms: tuple[tuple[str, float], ...]

    def __call__(self, told: Batch, truth: Batch) -> torch.Tensor:
        """The loss of a batch, a scalar."""
        if self.terms[1:] or self.terms[0][1] != 1:
            return torch.stack([w * LOSSES[name](told, truth) for name, w in self.terms]).sum()
        return LOSSES[self.terms[0][0]](told, truth)  # a product less, there and back

    @property
    def needs_distributions(self) -> bool:
        """Whether it says anything only of databases with votes."""
        return any(name == "emd" for name, _ in self.terms)


def parse_loss(text: str) -> Loss:
    """`emd+0.5*rank` to the sum that it means.

    Raises:
        SettingError: a name that is not one of `LOSSES`, a weight of 0, or no sum at all.
    """
    terms = [TERM.fullmatch(part) for part in text.split("+")]
    parsed = tuple((term["name"], float(term["weight"] or 1)) for term in terms if term)
    known = all(name in LOSSES and weight > 0 for name, weight in parsed)
    if len(parsed) < len(terms) or not known:
        raise SettingError(
            f"loss is {text!r}; expected auto, {', '.join(LOSSES)}, or a weighted sum of them "
            "such as emd+0.5*rank."
        )
    return Loss(parsed)
