"""One database of scored photos to one fine-tuned scorer, and so to one task vector."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from aesthetic_tv.finetuning.config import FinetuneConfig as FinetuneConfig
    from aesthetic_tv.finetuning.photos import load_crops as load_crops
    from aesthetic_tv.finetuning.photos import normalize as normalize
    from aesthetic_tv.finetuning.two_stage import Finetuned as Finetuned
    from aesthetic_tv.finetuning.two_stage import finetune as finetune

# Lazy: the command line reads the settings, and must not wait for torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["FinetuneConfig"],
        "photos": ["load_crops", "normalize"],
        "two_stage": ["Finetuned", "finetune"],
    },
)
