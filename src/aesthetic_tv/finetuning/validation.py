"""How well a scorer agrees with a database on photos that it was not trained on."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from aesthetic_tv.finetuning.photos import Examples, loader
from aesthetic_tv.personalization.agreement import srocc


@dataclass(frozen=True)
class Agreement:
    """Correlation of told and true scores on n photos, each in [-1, 1]."""

    srocc: float
    plcc: float
    n: int

    @classmethod
    def of(cls, told: np.ndarray, truth: np.ndarray) -> "Agreement":
        """Of scores (n,) and the true ones; a constant has correlation 0."""
        constant = np.ptp(told) == 0 or np.ptp(truth) == 0
        plcc = 0.0 if constant else float(np.corrcoef(told, truth)[0, 1])
        return cls(srocc(told, truth), plcc, len(truth))

    @property
    def standard_error(self) -> float:
        """Of `srocc`, were the true one 0."""
        return 1 / math.sqrt(self.n - 1) if self.n > 1 else math.inf


@dataclass
class Best:
    """The state with the highest validation SROCC so far; without validation, the last.

    Attributes:
        epoch: after which it was reached; 0 is before the first.
        agreement: its own, where there is a validation part.
        layers: by name.
    """

    epoch: int = -1
    agreement: Agreement | None = None
    layers: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)

    def offer(
        self, epoch: int, agreement: Agreement | None, layers: Callable[[], dict[str, torch.Tensor]]
    ) -> bool:
        """Keep the layers if they are better; tells whether they were."""
        known = self.agreement
        if agreement is not None and known is not None and agreement.srocc <= known.srocc:
            return False
        self.epoch, self.agreement, self.layers = epoch, agreement, layers()
        return True

    def state(self) -> dict[str, Any]:
        """All but the layers, for a checkpoint."""
        return {"epoch": self.epoch, "agreement": self.agreement and vars(self.agreement)}

    @classmethod
    def restored(cls, state: dict[str, Any], layers: dict[str, torch.Tensor]) -> "Best":
        """What `state` and the layers tell of."""
        known = state["agreement"]
        return cls(state["epoch"], known and Agreement(**known), layers)


@torch.no_grad()
def validate(model: Any, examples: Examples, accelerator: Any, batch: int, workers: int | None):
    """Scores of all photos, by all processes together, each photo once: `Agreement`."""
    was_training = model.training
    model.eval()
    normalize = accelerator.unwrap_model(model, keep_torch_compile=False).normalize
    batches = accelerator.prepare_data_loader(loader(examples, batch, workers=workers))
    told = [
        accelerator.gather_for_metrics(model(normalize(part["crops"])).scores) for part in batches
    ]
    model.train(was_training)
    truth = examples.truth.scores.double().numpy()
    return Agreement.of(torch.cat(told).double().cpu().numpy(), truth)
