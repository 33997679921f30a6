"""All kinds of folders that the package saves, loads and pushes, by the file that marks them."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aesthetic_tv.errors import FormatError


@dataclass(frozen=True)
class Kind:
    """One of them.

    Args:
        name: of its class.
        marker: file that only such a folder has.
        module: of the class; imported when it is needed, for it imports torch.
        assembler: module whose `load_scorer` puts a scorer together from such a folder.
    """

    name: str
    marker: str
    module: str
    assembler: str | None = None

    def load(self, folder: Path) -> Any:
        """What such a folder holds."""
        return getattr(importlib.import_module(self.module), self.name).from_pretrained(folder)

    def load_scorer(self, name_or_folder: Any, **options: Any) -> Any:
        """The scorer that such a folder or repo stands for."""
        assert self.assembler is not None
        return importlib.import_module(self.assembler).load_scorer(name_or_folder, **options)


KINDS = (
    Kind(
        "TaskVector",
        "task_vector_config.json",
        "aesthetic_tv.task_vectors",
        "aesthetic_tv.task_vectors.loading",
    ),
    Kind("TaskVectorBank", "bank_config.json", "aesthetic_tv.task_vectors"),
    Kind(
        "Personalization",
        "personalization_config.json",
        "aesthetic_tv.personalization",
        "aesthetic_tv.personalization.personalization",
    ),
    Kind("AestheticScorer", "config.json", "aesthetic_tv.scorer"),
)


def kind_of(folder: Path, what: str) -> Kind:
    """What a folder holds.

    Args:
        folder: to look into.
        what: how to call it in the message.

    Raises:
        FormatError: nothing of ours.
    """
    for kind in KINDS:
        if (folder / kind.marker).is_file():
            return kind
    raise FormatError(
        f"{what} holds none of {', '.join(kind.marker for kind in KINDS)}; expected a task vector, "
        "bank, personalization or scorer."
    )
