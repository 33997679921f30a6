"""The base that everyone starts from, by its name."""

from typing import Any

from aesthetic_tv.assets import EMBEDDED
from aesthetic_tv.hub.repos import Access
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors.bank import TaskVectorBank
from aesthetic_tv.task_vectors.bases import base_of_checkpoint, kind_of


def named_base(
    name: str,
    *,
    revision: str | None = None,
    head_seed: int = 0,
    local_files_only: bool = False,
) -> AestheticScorer:
    """Load a base in float32.

    Args:
        name: folder or Hub id of a base scorer, or of any vision model's checkpoint in transformers
            layout; or `embedded:lite`, the base of an embedded bank.
        revision: branch, tag or commit on the Hub.
        head_seed: of the random head theta_0 on a checkpoint of a tower.
        local_files_only: never use the network.

    Raises:
        FormatError: the folder or repo holds neither.
        ScorerError: it is damaged, or another kind of model.
        HubError: the Hub refused or failed; see its subclasses.
    """
    if name.startswith(EMBEDDED):
        return TaskVectorBank.from_pretrained(name).base
    access = Access(local_files_only=local_files_only)
    kind, revision = kind_of(name, revision, access)
    hub: dict[str, Any] = {"revision": revision, "local_files_only": local_files_only}
    if kind == AestheticScorerConfig.model_type:
        return AestheticScorer.from_pretrained(name, dtype="float32", **hub)
    return base_of_checkpoint(name, kind, seed=head_seed, **hub)
