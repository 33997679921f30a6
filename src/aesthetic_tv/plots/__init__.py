"""Every picture that the toolkit draws, on matplotlib's object interface: no global state."""

from aesthetic_tv.plots.agreement import ratings_curve
from aesthetic_tv.plots.coefficients import coefficient_map
from aesthetic_tv.plots.evaluation import (
    coefficients_against_srocc,
    gain_per_person,
    methods_by_ratings,
    methods_compared,
    number_of_vectors,
)
from aesthetic_tv.plots.ranks import rank_change
from aesthetic_tv.plots.scores import score_histograms
from aesthetic_tv.plots.sheets import contact_sheet
from aesthetic_tv.plots.task_vectors import similarity_matrix
from aesthetic_tv.plots.training import learning_curve

__all__ = [
    "coefficient_map",
    "coefficients_against_srocc",
    "contact_sheet",
    "gain_per_person",
    "learning_curve",
    "methods_by_ratings",
    "methods_compared",
    "number_of_vectors",
    "rank_change",
    "ratings_curve",
    "score_histograms",
    "similarity_matrix",
]
