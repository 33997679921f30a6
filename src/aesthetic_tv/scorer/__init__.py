"""The scorer: a vision tower with a score head, and how photos reach it."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from .configuration_aesthetic_scorer import AestheticScorerConfig as AestheticScorerConfig
    from .images import load_batches as load_batches
    from .images import load_photo as load_photo
    from .images import pixel_values as pixel_values
    from .modeling_aesthetic_scorer import AestheticScorer as AestheticScorer
    from .modeling_aesthetic_scorer import AestheticScorerOutput as AestheticScorerOutput
    from .open_clip import ImportedTower as ImportedTower
    from .open_clip import import_open_clip as import_open_clip
    from .pipeline import AestheticScoringPipeline as AestheticScoringPipeline
    from .processors import image_processor as image_processor
    from .towers import trust_tower as trust_tower

# Lazy, so that the errors and the command line's --help do not wait for torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "configuration_aesthetic_scorer": ["AestheticScorerConfig"],
        "images": ["load_batches", "load_photo", "pixel_values"],
        "modeling_aesthetic_scorer": ["AestheticScorer", "AestheticScorerOutput"],
        "open_clip": ["ImportedTower", "import_open_clip"],
        "pipeline": ["AestheticScoringPipeline"],
        "processors": ["image_processor"],
        "towers": ["trust_tower"],
    },
)
