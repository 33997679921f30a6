"""Personal image aesthetics: a scorer of your own taste from 10 to 100 rated photos."""

from typing import TYPE_CHECKING

import lazy_loader

from aesthetic_tv.kinds import KINDS as _KINDS
from aesthetic_tv.scorer.checkpoint import ASSEMBLERS as _ASSEMBLERS
from aesthetic_tv.scorer.registration import register as _register
from aesthetic_tv.version import __version__ as __version__

if TYPE_CHECKING:
    from aesthetic_tv.personalization import Figures as Figures
    from aesthetic_tv.personalization import InstantFit as InstantFit
    from aesthetic_tv.personalization import NewtonSolver as NewtonSolver
    from aesthetic_tv.personalization import PaperSolver as PaperSolver
    from aesthetic_tv.personalization import Personalization as Personalization
    from aesthetic_tv.personalization import Personalizer as Personalizer
    from aesthetic_tv.personalization import PhotoFeatures as PhotoFeatures
    from aesthetic_tv.personalization import Preferences as Preferences
    from aesthetic_tv.personalization import fit_population as fit_population
    from aesthetic_tv.rewards import damped_reward as damped_reward
    from aesthetic_tv.rewards import reward_function as reward_function
    from aesthetic_tv.scorer import AestheticScorer as AestheticScorer
    from aesthetic_tv.scorer import AestheticScorerConfig as AestheticScorerConfig
    from aesthetic_tv.scorer.folder import score_folder as score_folder
    from aesthetic_tv.task_vectors import TaskVector as TaskVector
    from aesthetic_tv.task_vectors import TaskVectorBank as TaskVectorBank
    from aesthetic_tv.taste_metric import TasteMetric as TasteMetric
    from aesthetic_tv.taste_metric import create_metric as create_metric
    from aesthetic_tv.taste_regressor import TasteRegressor as TasteRegressor

_register()
_ASSEMBLERS.update({kind.marker: kind.load_scorer for kind in _KINDS if kind.assembler})

# Lazy: importing the package must not import torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["errors"],
    submod_attrs={
        "personalization": [
            "Figures",
            "InstantFit",
            "NewtonSolver",
            "PaperSolver",
            "Personalization",
            "Personalizer",
            "PhotoFeatures",
            "Preferences",
            "fit_population",
        ],
        "rewards": ["damped_reward", "reward_function"],
        "scorer": ["AestheticScorer", "AestheticScorerConfig"],
        "scorer.folder": ["score_folder"],
        "task_vectors": ["TaskVector", "TaskVectorBank"],
        "taste_metric": ["TasteMetric", "create_metric"],
        "taste_regressor": ["TasteRegressor"],
    },
)
