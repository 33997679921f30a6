"""A scorer called as metrics of image quality are, pyiqa's and torchmetrics': one function."""

import os
from typing import Any

import torch
from torch import nn

from aesthetic_tv.errors import SettingError
from aesthetic_tv.scorer import AestheticScorer


class TasteMetric(nn.Module):
    """Images to scores, or to a loss.

    Args:
        scorer: of a person, or a generic one.
        as_loss: give a loss that gradients flow through, instead of scores.
        calibrated: on the person's own scale where the scorer has one. `None` is that for scores,
            and the raw score for a loss: the person's scale is flat beyond the photos rated.

    Attributes:
        lower_better: of what is called for: `False` for scores, `True` as a loss.
        score_range: the lowest and the highest score there can be.
    """

    def __init__(
        self, scorer: AestheticScorer, *, as_loss: bool = False, calibrated: bool | None = None
    ):
        super().__init__()
        self.scorer = scorer
        self.as_loss = as_loss
        self.calibrated = not as_loss if calibrated is None else calibrated
        self.requires_grad_(False).eval()

    @property
    def lower_better(self) -> bool:
        """Whether lower is better."""
        return self.as_loss

    @property
    def score_range(self) -> tuple[float, float]:
        """The lowest and the highest score there can be."""
        config = self.scorer.config
        own = config.calibration_ratings if self.calibrated else None
        values = own or config.bin_values
        return float(values[0]), float(values[-1])

    def forward(self, images: Any) -> torch.Tensor:
        """Scores of images; as a loss, how far their mean is from the best score there can be.

        Args:
            images: a tensor (n, 3, H, W) or (3, H, W) in [0, 1], or a list of (3, H, W); or, but
                for a loss, all that `AestheticScorer.score` takes: paths, PIL images, ...

        Returns:
            float32 (n,); as a loss, a scalar of 0 or more.

        Raises:
            SettingError: tensors outside [0, 1], or photos that are no tensors for a loss.
            PhotoError: names every photo that cannot be read.
        """
        several = isinstance(images, list | tuple) and len(images) > 0
        tensors = isinstance(images, torch.Tensor) or (
            several and all(isinstance(image, torch.Tensor) for image in images)
        )
        if self.as_loss:
            if not tensors:
                raise SettingError(
                    f"a loss needs tensors in [0, 1] for gradients; found {type(images).__name__}."
                )
            rewards = self.scorer.reward(images, calibrated=self.calibrated)
            return self.score_range[1] - rewards.mean()
        if tensors:
            with torch.no_grad():
                scores = self.scorer.reward(images, calibrated=self.calibrated, rounded=True)
            return scores.float()
        found = self.scorer.score(images, calibrated=self.calibrated)
        return torch.from_numpy(found).float()

    def extra_repr(self) -> str:
        """As `torch.nn.Module`."""
        low, high = self.score_range
        return f"lower_better={self.lower_better}, score_range=({low:g}, {high:g})"


def create_metric(
    name: str | os.PathLike[str] | AestheticScorer,
    *,
    device: torch.device | str | None = None,
    as_loss: bool = False,
    calibrated: bool | None = None,
    **loading: Any,
) -> TasteMetric:
    """A metric of anything that stands for a scorer.

    Args:
        name: folder or Hub id of a scorer, a personalization or a task vector; or a scorer.
        device: where it computes; the CPU when not given.
        as_loss, calibrated: as for `TasteMetric`.
        **loading: as for `AestheticScorer.from_pretrained`: `bank`, `revision`, `token`, ...

    Raises:
        ScorerError, FormatError, HubError: as for `AestheticScorer.from_pretrained`.

    Example:
        >>> taste = create_metric("my-taste", device="cuda")
        >>> taste("photo.jpg"), taste(images), taste.lower_better
    """
    scorer = name
    if not isinstance(scorer, AestheticScorer):
        scorer = AestheticScorer.from_pretrained(scorer, **loading)
    elif loading:
        raise SettingError(f"a scorer is loaded already; leave {', '.join(loading)} out.")
    metric = TasteMetric(scorer, as_loss=as_loss, calibrated=calibrated)
    return metric if device is None else metric.to(device)
