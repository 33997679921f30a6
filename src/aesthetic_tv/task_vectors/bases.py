"""Finding the base that a task vector, or a bank, says it belongs to."""

import json
from typing import Any

from aesthetic_tv.errors import BaseMismatchError, FormatError
from aesthetic_tv.hub.repos import CONFIGS, Access, hub_id, resolve
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.towers import CLIP
from aesthetic_tv.task_vectors.task_vector import BaseReference


def base_of_checkpoint(name: str, kind: str | None, *, seed: int, **hub: Any) -> AestheticScorer:
    """A base on the tower of any checkpoint: of CLIP with the paper's preprocessing, of others with
    their own.

    Args:
        name: folder or Hub id.
        kind: its model type, as `kind_of` tells.
        seed: of head theta_0.
        **hub: `revision`, `token`, `cache_dir`, `local_files_only`.

    Raises:
        ScorerError: it holds no tower.
        HubError: see its subclasses.
    """
    make = AestheticScorer.from_clip if kind in ("clip", CLIP) else AestheticScorer.from_tower
    return make(name, seed=seed, **hub)


def kind_of(name: str, revision: str | None, access: Access) -> tuple[str | None, str | None]:
    """The model type of a folder or repo, and the commit that was looked at.

    Raises:
        FormatError: it has no config.json that can be read.
        HubError: see its subclasses.
    """
    configs = resolve(name, revision=revision, access=access, patterns=CONFIGS)
    try:
        kind = json.loads((configs.folder / "config.json").read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{name} has no config.json that can be read ({type(error).__name__}); expected a base "
            "scorer, or a vision model's checkpoint in transformers layout."
        ) from error
    return kind, configs.revision or revision


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
        kind, _ = kind_of(repo_id, revision, access)
        base = base_of_checkpoint(repo_id, kind, seed=reference.head_seed, **hub)
    found = BaseReference.of(base)
    if found.fingerprint != reference.fingerprint:
        raise BaseMismatchError(
            f"{what} belongs to a base with fingerprint {reference.fingerprint[:12]}, but "
            f"{found.repo_id or repo_id}@{found.revision or revision} has "
            f"{found.fingerprint[:12]}. Use {repo_id} at the revision it was made with, or ask "
            "its author which one that is."
        )
    return base
