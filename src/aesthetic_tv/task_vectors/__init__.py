"""Task vectors, their arithmetic, and banks of them."""

from aesthetic_tv.task_vectors.authors import (
    ImportedBank,
    ImportedTask,
    ImportSettings,
    import_authors,
)
from aesthetic_tv.task_vectors.bank import BankReference, TaskVectorBank
from aesthetic_tv.task_vectors.fingerprint import fingerprint
from aesthetic_tv.task_vectors.folder_compression import Compressed, compress_folder
from aesthetic_tv.task_vectors.head_directions import HeadDirections
from aesthetic_tv.task_vectors.population import Population
from aesthetic_tv.task_vectors.task_vector import BaseReference, TaskVector

__all__ = [
    "BankReference",
    "BaseReference",
    "Compressed",
    "HeadDirections",
    "ImportSettings",
    "ImportedBank",
    "ImportedTask",
    "Population",
    "TaskVector",
    "TaskVectorBank",
    "compress_folder",
    "fingerprint",
    "import_authors",
]
