"""How a scorer is fine-tuned: one dataclass, checked where it is made, saved with the vector."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from aesthetic_tv.errors import SettingError

PRECISIONS = (None, "no", "fp16", "bf16")
TRAINING, RUNNING = "Training", "Running"  # panels of the command line's help


def _told(default: Any, text: str, panel: str = TRAINING, **more: Any) -> Any:
    """A field that is an option of the command line too."""
    return field(default=default, metadata={"help": text, "panel": panel, **more})


def _free(default: Any, text: str) -> Any:
    """One that says how the work is done, and not what comes out of it."""
    return _told(default, text, RUNNING, changes_result=False)


@dataclass(frozen=True)
class FinetuneConfig:
    """How a scorer is fine-tuned.

    Args:
        head_epochs: passes over the cached embeddings, head only.
        head_lr: peak learning rate of the head in that stage.
        epochs: passes over the photos, tower and head.
        lr: peak learning rate of the head and the tower's output in that stage; for a CLIP tower.
        layer_decay: each layer further down learns at this share of the rate of the one above it
            (Dong et al. 2022 find 0.6 to 0.8 for CLIP); 1 is one rate for all.
        loss: `emd`, `mse`, `plcc`, `rank`, or a weighted sum such as `emd+0.5*rank`; `auto` is
            `emd` where the database has distributions and `mse` where not.
        batch_size: photos per optimizer step, of all processes together.
        accumulation: parts that a batch is gone through in, for towers that leave little memory.
        weight_decay: of AdamW, on matrices; norms, biases and embeddings have none.
        warmup: share of the steps over which the learning rate rises, before its cosine fall.
        max_grad_norm: gradients are scaled down to this norm.
        ema: decay of a moving average of the weights, which is then what is validated and kept.
        patience: epochs without a better validation SROCC after which the second stage ends.
        flip: mirror half of the photos (a mirrored photo is another composition).
        crop: least share of each side that a random crop keeps (a cropped photo is another
            composition); 1 crops nothing.
        score_range: lowest and highest score of the database; mapped onto the lowest and highest
            bin. `None` takes the range of the database, or of the scores given.
        mixed_precision: `no`, `fp16` or `bf16`; `None` leaves it to `accelerate launch`.
        activation_checkpointing: compute activations twice instead of storing them.
        compile: backend of `torch.compile`, such as `inductor`; `no` does not compile.
        checkpoint_every: optimizer steps after which the state is saved, besides each epoch.
        log_every: optimizer steps that a line of the log tells the mean loss of.
        workers: processes that decode photos; `None` decides, 0 decodes between the steps.
        seed: of order, dropout, flips and crops.
    """

    head_epochs: int = _told(20, "Passes with the head alone.")
    head_lr: float = _told(1e-3, "Learning rate then.")
    epochs: int = _told(5, "Passes with all layers.")
    lr: float = _told(2e-5, "Learning rate then, at the top.")
    layer_decay: float = _told(0.75, "Share of it that each layer down learns at.")
    loss: str = _told("auto", "emd, mse, plcc, rank, or a sum: emd+0.5*rank.")
    batch_size: int = _told(32, "Photos a step, of all processes together.")
    accumulation: int = _told(1, "Parts of a batch.")
    weight_decay: float = _told(0.01, "Of AdamW.")
    warmup: float = _told(0.1, "Share of steps of rising rate.")
    max_grad_norm: float = _told(1.0, "Gradients are scaled down to this norm.")
    ema: float | None = _told(None, "Decay of averaged weights.")
    patience: int | None = _told(None, "Epochs without progress to stop after.")
    flip: bool = _told(False, "Mirror half of the photos.")
    crop: float = _told(1.0, "Least share of a side kept.")
    score_range: tuple[float, float] | None = None
    mixed_precision: str | None = _told(None, "no, fp16 or bf16.", RUNNING)
    activation_checkpointing: bool = _told(False, "Spare memory for time.", RUNNING)
    compile: str = _told("no", "Backend of torch.compile.", RUNNING)
    checkpoint_every: int | None = _free(None, "Steps between states.")
    log_every: int = _free(10, "Steps a line of the log.")
    workers: int | None = _free(None, "Processes that decode photos.")
    seed: int = _told(0, "Of splits, order and dropout.")

    def __post_init__(self):
        self._check_numbers()
        for name in ("ema", "patience", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingError(f"{name} must be above 0 or None, got {value}.")
        if self.ema is not None and self.ema >= 1:
            raise SettingError(f"ema must be below 1, got {self.ema}.")
        if self.workers is not None and self.workers < 0:
            raise SettingError(f"workers must be 0 or more or None, got {self.workers}.")
        if self.batch_size % self.accumulation:
            raise SettingError(
                f"accumulation must divide batch_size, got {self.accumulation} and "
                f"{self.batch_size}."
            )
        if self.score_range is not None:
            object.__setattr__(self, "score_range", tuple(self.score_range))
            if not self.score_range[0] < self.score_range[1]:
                raise SettingError(f"score_range must rise, got {self.score_range}.")
        if self.mixed_precision not in PRECISIONS:
            raise SettingError(
                f"mixed_precision must be no, fp16, bf16 or None, got {self.mixed_precision!r}."
            )
        if self.loss != "auto":
            # The command line reads its options off this class, and must not wait for torch.
            from aesthetic_tv.finetuning.losses import parse_loss

            parse_loss(self.loss)

    def _check_numbers(self) -> None:
        above = ("head_lr", "lr", "batch_size", "accumulation", "max_grad_norm", "log_every")
        for name in above:
            if not getattr(self, name) > 0:
                raise SettingError(f"{name} must be above 0, got {getattr(self, name)}.")
        for name in ("head_epochs", "epochs", "weight_decay", "seed"):
            if not getattr(self, name) >= 0:
                raise SettingError(f"{name} must be 0 or more, got {getattr(self, name)}.")
        if not 0 <= self.warmup < 1:
            raise SettingError(f"warmup must be in [0, 1), got {self.warmup}.")
        for name in ("layer_decay", "crop"):
            if not 0 < getattr(self, name) <= 1:
                raise SettingError(f"{name} must be in (0, 1], got {getattr(self, name)}.")

    @property
    def micro_batch(self) -> int:
        """Photos of one part of a batch, of all processes together."""
        return self.batch_size // self.accumulation

    def that_changes_the_result(self) -> dict[str, Any]:
        """The settings that decide what comes out, as JSON has them."""
        free = {item.name for item in fields(self) if not item.metadata.get("changes_result", True)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name not in free
        }
