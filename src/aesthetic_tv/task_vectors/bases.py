"""Finding the base that a task vector, or a bank, says it belongs to."""

from typing import Any

from aesthetic_tv.errors import BaseMismatchError
from aesthetic_tv.hub.repos import Access, hub_id
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors.task_vector import BaseReference


def load_base(reference: BaseReference, access: Access, what: str) -> AestheticScorer:
    """Fetch a base by the repo and revision noted down, in float32, and verify its fingerprint.

    Args:
        reference: of the base.
        access: cache, token, network.
        what: it is for, in errors.

    Raises:
        BaseMismatchError: nobody knows where the base is, or it is not the one noted down.
        HubError: see its subclasses.
    """
    repo_id, revision = reference.repo_id, reference.revision
    if repo_id is None:
        raise BaseMismatchError(
            f"{what} does not say where its base (fingerprint {reference.fingerprint[:12]}) is to "
            "be found; load the base yourself, or pass a bank on it as bank=."
        )
    hub_id(repo_id, what)
    hub: dict[str, Any] = {"revision": revision, **vars(access)}
    if reference.head_seed is None:
        base = AestheticScorer.from_pretrained(repo_id, dtype="float32", **hub)
    else:
        base = AestheticScorer.from_clip(repo_id, seed=reference.head_seed, **hub)
    found = BaseReference.of(base)
    if found.fingerprint != reference.fingerprint:
        raise BaseMismatchError(
            f"{what} belongs to a base with fingerprint {reference.fingerprint[:12]}, but "
            f"{found.repo_id or repo_id}@{found.revision or revision} has "
            f"{found.fingerprint[:12]}. Use {repo_id} at the revision it was made with, or ask "
            "its author which one that is."
        )
    return base
