"""From one person's preferences to a personal scorer."""

from aesthetic_tv.personalization.agreement import pair_accuracy, srocc
from aesthetic_tv.personalization.calibration import Calibration
from aesthetic_tv.personalization.honesty import Figures
from aesthetic_tv.personalization.instant import InstantFit, RankedPhoto
from aesthetic_tv.personalization.learned_population import fit_population
from aesthetic_tv.personalization.newton_solver import InstantSolver, NewtonSolver
from aesthetic_tv.personalization.paper_solver import PaperSolver
from aesthetic_tv.personalization.personalization import Personalization
from aesthetic_tv.personalization.personalizer import Personalizer
from aesthetic_tv.personalization.photo_features import PhotoFeatures
from aesthetic_tv.personalization.preferences import Preferences
from aesthetic_tv.personalization.solver import LinearSolver, Problem, Solution, Solver
from aesthetic_tv.personalization.solvers import SOLVERS, solver_named

__all__ = [
    "SOLVERS",
    "Calibration",
    "Figures",
    "InstantFit",
    "InstantSolver",
    "LinearSolver",
    "NewtonSolver",
    "PaperSolver",
    "Personalization",
    "Personalizer",
    "PhotoFeatures",
    "Preferences",
    "Problem",
    "RankedPhoto",
    "Solution",
    "Solver",
    "fit_population",
    "pair_accuracy",
    "solver_named",
    "srocc",
]
