"""Every picture that the toolkit draws, on matplotlib's object interface: no global state."""

from aesthetic_tv.plots.evaluation import (
    coefficients_against_srocc,
    gain_per_person,
    methods_by_ratings,
    methods_compared,
    number_of_vectors,
)
from aesthetic_tv.plots.sheets import contact_sheet
from aesthetic_tv.plots.task_vectors import learning_curve, similarity_matrix
from aesthetic_tv.plots.taste import coefficient_map, rank_change, ratings_curve, score_histograms

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
