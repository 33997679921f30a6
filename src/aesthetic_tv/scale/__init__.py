"""Many photos and many people: batches for any engine, shards, and one pass for all people."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from .people_shards import score_people_shards as score_people_shards
    from .score_batch import ScoreBatch as ScoreBatch
    from .score_batch import ScoreStage as ScoreStage
    from .score_shards import score_shards as score_shards

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "people_shards": ["score_people_shards"],
        "score_batch": ["ScoreBatch", "ScoreStage"],
        "score_shards": ["score_shards"],
    },
)
