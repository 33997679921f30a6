"""The transformers pipeline `aesthetic-scoring`."""

from typing import Any

import torch
from transformers import AutoModel, Pipeline
from transformers.image_utils import load_image
from transformers.pipelines import PIPELINE_REGISTRY

from .images import image_processor, pixel_values

TASK = "aesthetic-scoring"


class AestheticScoringPipeline(Pipeline):
    """Photos to scores on the person's own scale, where the scorer has one; higher is better.

    Example:
        >>> score = pipeline("aesthetic-scoring", model="me/my-taste-full")
        >>> score("photo.jpg")
        [{"score": 4.2, "raw_score": 6.1}]
    """

    _load_processor = False
    _load_image_processor = True
    _load_feature_extractor = False
    _load_tokenizer = False

    def _sanitize_parameters(self, **unknown: Any) -> tuple[dict, dict, dict]:
        if unknown:
            raise TypeError(f"{TASK} takes no option {', '.join(unknown)}.")
        return {}, {}, {}

    def preprocess(self, photo: Any) -> dict[str, torch.Tensor]:
        """A path, URL or PIL image to pixel values (1, 3, H, W)."""
        if isinstance(photo, str) and photo.startswith(("http://", "https://")):
            photo = load_image(photo)
        # Not the processor of the repo, which depends on the installation: these are the very
        # pixels of `AestheticScorer.score`.
        return {"pixel_values": pixel_values(photo, image_processor(self.model.config.tower))[None]}

    def _forward(self, model_inputs: dict[str, torch.Tensor]) -> Any:
        return self.model(**model_inputs)

    def postprocess(self, model_outputs: Any) -> list[dict[str, float]]:
        """One entry: `score` on the person's scale, `raw_score` on the scale of the bins."""
        raw = model_outputs.scores.double().cpu().numpy()  # (1,)
        return [{"score": float(self.model.calibrate(raw)[0]), "raw_score": float(raw[0])}]


if TASK not in PIPELINE_REGISTRY.supported_tasks:
    PIPELINE_REGISTRY.register_pipeline(
        TASK, pipeline_class=AestheticScoringPipeline, pt_model=AutoModel, type="image"
    )
