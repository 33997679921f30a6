"""From one person's preferences to a personal scorer."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from aesthetic_tv.personalization.agreement import pair_accuracy as pair_accuracy
    from aesthetic_tv.personalization.agreement import srocc as srocc
    from aesthetic_tv.personalization.calibration import Calibration as Calibration
    from aesthetic_tv.personalization.honesty import Figures as Figures
    from aesthetic_tv.personalization.instant import InstantFit as InstantFit
    from aesthetic_tv.personalization.instant import RankedPhoto as RankedPhoto
    from aesthetic_tv.personalization.learned_population import fit_population as fit_population
    from aesthetic_tv.personalization.newton_solver import InstantSolver as InstantSolver
    from aesthetic_tv.personalization.newton_solver import NewtonSolver as NewtonSolver
    from aesthetic_tv.personalization.paper_solver import PaperSolver as PaperSolver
    from aesthetic_tv.personalization.personalization import Personalization as Personalization
    from aesthetic_tv.personalization.personalizer import Personalizer as Personalizer
    from aesthetic_tv.personalization.photo_features import PhotoFeatures as PhotoFeatures
    from aesthetic_tv.personalization.preferences import Preferences as Preferences
    from aesthetic_tv.personalization.solver import LinearSolver as LinearSolver
    from aesthetic_tv.personalization.solver import Problem as Problem
    from aesthetic_tv.personalization.solver import Solution as Solution
    from aesthetic_tv.personalization.solver import Solver as Solver
    from aesthetic_tv.personalization.solvers import SOLVERS as SOLVERS
    from aesthetic_tv.personalization.solvers import solver_named as solver_named

# Lazy, so that a ratings file is read, and refused, without waiting for torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "agreement": ["pair_accuracy", "srocc"],
        "calibration": ["Calibration"],
        "honesty": ["Figures"],
        "instant": ["InstantFit", "RankedPhoto"],
        "learned_population": ["fit_population"],
        "newton_solver": ["InstantSolver", "NewtonSolver"],
        "paper_solver": ["PaperSolver"],
        "personalization": ["Personalization"],
        "personalizer": ["Personalizer"],
        "photo_features": ["PhotoFeatures"],
        "preferences": ["Preferences"],
        "solver": ["LinearSolver", "Problem", "Solution", "Solver"],
        "solvers": ["SOLVERS", "solver_named"],
    },
)
