"""Settings that are good without a search, by the size of the tower.

The two stages (head alone, then all layers) are the paper's (section 4.1). What stands beside each
number is why; `benchmarks/finetuning_settings.py` compares them with their absence on a small task.
"""

from aesthetic_tv.errors import SettingError
from aesthetic_tv.finetuning.config import FinetuneConfig

SIZES = ("tiny", "base", "large")
MILLION = 10**6

_DEFAULTS = {
    # Under 20 million parameters, or trained from scratch: little in it to preserve.
    "tiny": FinetuneConfig(
        head_epochs=20,  # of embeddings that are computed once: seconds
        epochs=5,
        lr=3e-4,  # a young tower moves far before it forgets anything
        layer_decay=1.0,  # its first layers are no better than its last: all learn alike
        batch_size=32,
        ema=None,  # too few steps for an average to be of anything but the way there
        patience=2,  # two epochs without progress: the rest would fit the noise of the raters
    ),
    # ViT-B: 86 million.
    "base": FinetuneConfig(
        head_epochs=20,
        epochs=5,  # the paper's vectors are of a few; early stop takes the best of them
        lr=2e-5,  # 10 times less than for a head: features of 13 billion photos are not given up
        layer_decay=0.75,  # Dong et al. 2022: 0.6 to 0.8 is best for CLIP; edges stay, ideas move
        batch_size=64,  # a correlation or rank of 64 photos tells more than of 32
        ema=0.999,  # the mean of the last 1,000 steps: as good as a smaller rate, without the wait
        patience=2,
    ),
    # ViT-L: 304 million, twice as deep.
    "large": FinetuneConfig(
        head_epochs=20,
        epochs=3,  # it fits a database in fewer passes, and each takes 3.5 times as long
        lr=1e-5,  # wider layers move further for the same rate
        layer_decay=0.85,  # over 24 blocks the lowest learn at 0.02; 0.75 would leave 0.001
        batch_size=64,
        accumulation=2,  # 24 GB hold 32 photos with their activations
        ema=0.999,
        patience=1,  # of three epochs
    ),
}


def defaults_for(size: str) -> FinetuneConfig:
    """The settings for towers of a size.

    Args:
        size: one of `SIZES`.

    Raises:
        SettingError: another.
    """
    if size not in _DEFAULTS:
        raise SettingError(f"size is {size!r}; expected one of {', '.join(SIZES)}.")
    return _DEFAULTS[size]


def size_of(parameters: int) -> str:
    """The size that a number of parameters belongs to."""
    if parameters < 20 * MILLION:
        return "tiny"
    return "base" if parameters < 150 * MILLION else "large"
