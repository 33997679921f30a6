"""The base that everyone starts from, by its name."""

import json

from aesthetic_tv.errors import FormatError
from aesthetic_tv.hub.repos import CONFIGS, Access, resolve
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors.bank import EMBEDDED, TaskVectorBank


def named_base(name: str, *, revision: str | None = None, head_seed: int = 0) -> AestheticScorer:
    """Load a base in float32.

    Args:
        name: folder or Hub id of a base scorer, or of a CLIP checkpoint in transformers layout; or
            `embedded:tiny`, the base of the embedded bank.
        revision: branch, tag or commit on the Hub.
        head_seed: of the random head theta_0 on a CLIP checkpoint.

    Raises:
        FormatError: the folder or repo holds neither.
        ScorerError: it is damaged, or another kind of model.
        HubError: the Hub refused or failed; see its subclasses.
    """
    if name.startswith(EMBEDDED):
        return TaskVectorBank.from_pretrained(name).base
    configs = resolve(name, revision=revision, access=Access(), patterns=CONFIGS)
    revision = configs.revision or revision
    try:
        kind = json.loads((configs.folder / "config.json").read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{name} has no config.json that can be read ({type(error).__name__}); expected a base "
            "scorer, or a CLIP checkpoint in transformers layout."
        ) from error
    if kind == AestheticScorerConfig.model_type:
        return AestheticScorer.from_pretrained(name, revision=revision, dtype="float32")
    return AestheticScorer.from_clip(name, seed=head_seed, revision=revision)
