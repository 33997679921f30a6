"""One database of scored photos to one fine-tuned scorer, and so to one task vector."""

from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.photos import load_crops, normalize
from aesthetic_tv.finetuning.two_stage import Finetuned, finetune

__all__ = ["FinetuneConfig", "Finetuned", "finetune", "load_crops", "normalize"]
