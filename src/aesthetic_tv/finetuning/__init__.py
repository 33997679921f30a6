"""One database of scored photos to one fine-tuned scorer, and so to one task vector."""

from aesthetic_tv.finetuning.two_stage import FinetuneConfig, finetune, load_crops, normalize

__all__ = ["FinetuneConfig", "finetune", "load_crops", "normalize"]
