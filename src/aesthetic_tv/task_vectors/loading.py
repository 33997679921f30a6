"""Banks and task vectors that are only named, loaded where they are needed."""

import os
from typing import Any

import torch

from aesthetic_tv.errors import BaseMismatchError
from aesthetic_tv.hub.repos import Access
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors.bank import TaskVectorBank
from aesthetic_tv.task_vectors.bases import load_base
from aesthetic_tv.task_vectors.task_vector import TaskVector


def resolve_bank(
    bank: "TaskVectorBank | str | os.PathLike[str] | None",
    what: str,
    *,
    revision: str | None = None,
    access: Access | None = None,
) -> TaskVectorBank:
    """The bank itself, loaded where it is only named.

    Raises:
        BaseMismatchError: `None`: nobody knows where the bank of `what` is to be found.
    """
    if bank is None:
        raise BaseMismatchError(
            f"{what} does not say where its bank is to be found; pass it as bank=."
        )
    if isinstance(bank, TaskVectorBank):
        return bank
    access = access or Access()
    return TaskVectorBank.from_pretrained(
        bank,
        revision=revision,
        **vars(access),
    )


def load_scorer(
    name_or_folder: str | os.PathLike[str],
    *,
    bank: "TaskVectorBank | str | os.PathLike[str] | None" = None,
    dtype: torch.dtype | None = None,
    revision: str | None = None,
    access: Access | None = None,
) -> AestheticScorer:
    """The fine-tuned scorer of a task vector, put on the base of `bank`, or on the base that the
    vector names.
    """
    access = access or Access()
    vector = TaskVector.from_pretrained(
        name_or_folder,
        revision=revision,
        **vars(access),
    )
    what = f"task vector {name_or_folder}"
    if bank is not None:
        base = resolve_bank(bank, what, access=access).base
    else:
        base = load_base(vector.base, access, what)
    scorer: Any = vector.apply(base)
    return scorer if dtype is None else scorer.to(dtype=dtype)
