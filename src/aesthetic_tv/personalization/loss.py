"""What the coefficients are fitted to."""

import torch
from torch.nn.functional import softplus


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
