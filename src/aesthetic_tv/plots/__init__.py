"""Every picture that the toolkit draws, on matplotlib's object interface: no global state."""

from aesthetic_tv.plots.sheets import contact_sheet
from aesthetic_tv.plots.task_vectors import similarity_matrix
from aesthetic_tv.plots.training import learning_curve

__all__ = ["contact_sheet", "learning_curve", "similarity_matrix"]
