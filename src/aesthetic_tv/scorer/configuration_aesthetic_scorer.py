"""Configuration of `AestheticScorer`."""

from dataclasses import field
from itertools import pairwise
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import CLIPVisionConfig, PreTrainedConfig

from .towers import family_of, tower_config


@strict
class AestheticScorerConfig(PreTrainedConfig):
    """Sizes of the tower and the head, and the scale that scores are told on.

    Args:
        vision_config: the vision tower; by its `model_type` any that `towers.FAMILIES` or
            transformers has, and without one the CLIP vision tower with projection.
        embedding_size: width D of the tower's embedding, where its own configuration does not tell.
        processor: settings of the image processor that the tower's checkpoint names; `None` is the
            paper's for a CLIP tower.
        head_hidden_size: width of the head's hidden layer (512 in the authors' `3fc` head).
        bin_values: score of each bin of the distribution, rising (1..10, as in AVA's votes).
        head_dropout: dropout before the head's last layer, active in training only.
        head_seed: seed of the published random head theta_0; `None` when the head was trained.
        tower_repo_id: the checkpoint that the tower was taken from.
        tower_revision: its 40-hex commit.
        tower_layout: `open_clip` where the tower was converted from that layout; `None` where it is
            as `from_clip` or `from_tower` loads it.
        calibration_scores: rising raw scores, the knots of the map onto a person's own scale.
        calibration_ratings: the rating at each knot, rising.
        weights_sha256: of each weights file beside a saved config, by name.
    """

    model_type = "aesthetic-scorer"
    sub_configs_defaults: ClassVar[dict[str, Any]] = {"vision_config": CLIPVisionConfig}

    vision_config: dict | PreTrainedConfig | None = None
    embedding_size: int | None = None
    processor: dict[str, Any] | None = None
    head_hidden_size: int = 512
    bin_values: list[float] = field(default_factory=lambda: [float(v) for v in range(1, 11)])
    head_dropout: float = 0.5
    head_seed: int | None = None
    tower_repo_id: str | None = None
    tower_revision: str | None = None
    tower_layout: str | None = None
    calibration_scores: list[float] | None = None
    calibration_ratings: list[float] | None = None
    weights_sha256: dict[str, str] | None = None

    def __post_init__(self, **kwargs):
        kwargs.pop("config_sha256", None)  # of the file, and stale as soon as this is changed
        if __name__.startswith("aesthetic_tv."):
            # transformers would ask for trust in a repo's pipeline, though ours is here already.
            kwargs.pop("custom_pipelines", None)
        if isinstance(self.vision_config, dict):
            self.vision_config = tower_config(self.vision_config)
        if self.id2label is None and "num_labels" not in kwargs:
            self.id2label = {i: f"{value:g}" for i, value in enumerate(self.bin_values)}
            self.label2id = {label: i for i, label in self.id2label.items()}
        super().__post_init__(**kwargs)

    @property
    def tower(self) -> Any:
        """The tower's configuration, built."""
        assert isinstance(self.vision_config, PreTrainedConfig)
        return self.vision_config

    @property
    def width(self) -> int:
        """D, the width of the tower's embedding.

        Raises:
            ValueError: neither configuration tells.
        """
        field = family_of(self.tower).width
        width = self.embedding_size if field is None else getattr(self.tower, field)
        if width is None:
            raise ValueError(
                f"embedding_size is not set, and a {self.tower.model_type!r} does not tell how "
                "wide its embedding is; make the base with AestheticScorer.from_tower."
            )
        return width

    def validate_architecture(self):
        """Part of `@strict`-powered validation."""
        if len(self.bin_values) < 2 or not _rising(self.bin_values):
            raise ValueError(
                f"bin_values must be two or more rising numbers, got {self.bin_values}."
            )
        if not 0 <= self.head_dropout < 1:
            raise ValueError(f"head_dropout must be in [0, 1), got {self.head_dropout}.")
        knots, ratings = self.calibration_scores, self.calibration_ratings
        if (knots is None) != (ratings is None):
            raise ValueError("calibration_scores and calibration_ratings go together; one is None.")
        if knots is None or ratings is None:
            return
        if (
            len(knots) != len(ratings)
            or len(knots) < 2
            or not _rising(knots)
            or not _rising(ratings)
        ):
            raise ValueError(
                "calibration_scores and calibration_ratings must be equally long rising lists of "
                f"at least two numbers, got {knots} and {ratings}."
            )


def _rising(values: list[float]) -> bool:
    return all(low < high for low, high in pairwise(values))
