"""The transformers pipeline `aesthetic-scoring`."""

from typing import Any

from transformers import AutoModel, Pipeline
from transformers.image_utils import load_image
from transformers.pipelines import PIPELINE_REGISTRY

from .images import pixel_values
from .processors import image_processor

TASK = "aesthetic-scoring"


class AestheticScoringPipeline(Pipeline):
    """Photos to scores on the person's own scale, where the scorer has one; higher is better.

    Example:
        >>> score = pipeline("aesthetic-scoring", model="me/my-taste-full")
        >>> score("photo.jpg")
        [{"score": 4.2, "raw_score": 6.1}]
    """

    _load_processor: Any = False
    _load_image_processor: Any = True
    _load_feature_extractor: Any = False
    _load_tokenizer: Any = False

    def _sanitize_parameters(self, **unknown) -> tuple[dict, dict, dict]:
        if unknown:
            raise TypeError(f"{TASK} takes no option {', '.join(unknown)}.")
        return {}, {}, {}

    def preprocess(self, input_: Any, **_) -> dict[str, Any]:
        """A path, URL or PIL image to pixel values (1, 3, H, W)."""
        if isinstance(input_, str) and input_.startswith(("http://", "https://")):
            input_ = load_image(input_)
        # Not the processor of the repo, which depends on the installation: these are the very
        # pixels of `AestheticScorer.score`.
        return {"pixel_values": pixel_values(input_, image_processor(self.model.config))[None]}

    def _forward(self, input_tensors: Any, **_) -> Any:
        return self.model(**input_tensors)

    def postprocess(self, model_outputs: Any, **_) -> list[dict[str, float]]:
        """One entry: `score` on the person's scale, `raw_score` on the scale of the bins."""
        scorer: Any = self.model
        raw = model_outputs.scores.double().cpu().numpy()  # (1,)
        return [{"score": float(scorer.calibrate(raw)[0]), "raw_score": float(raw[0])}]


if TASK not in PIPELINE_REGISTRY.supported_tasks:
    PIPELINE_REGISTRY.register_pipeline(
        TASK, pipeline_class=AestheticScoringPipeline, pt_model=AutoModel, type="image"
    )
