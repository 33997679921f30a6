"""How the paper's authors lay out a checkpoint, and which head theta_0 is put under theirs.

From github.com/YeolJ00/Personalized-Aesthetics: an open_clip model as `backbone`, a head as
`score_predictor.projection`, files called `clip_L_3fc_ava.pth`. No files are touched here.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations

import torch

from aesthetic_tv.errors import ScorerError, SettingError
from aesthetic_tv.scorer.open_clip_layout import check_shapes, prefix_of, sort_names

HEAD_ANCHOR = "score_predictor.projection.0.weight"
HEAD = {
    HEAD_ANCHOR: "head.hidden.weight",
    "score_predictor.projection.0.bias": "head.hidden.bias",
    "score_predictor.projection.3.weight": "head.output.weight",
    "score_predictor.projection.3.bias": "head.output.bias",
}
NUM_BINS = 10
FILE = re.compile(r"clip_[A-Za-z0-9]+_\dfc_(?P<task>\w+)")
DATABASES = {
    "ava": "AVA",
    "aes": "FLICKR-AES",
    "tad": "TAD66K",
    "para": "PARA",
    "koniq": "KonIQ-10k",
    "spaq": "SPAQ",
}
# What the authors' script starts from, by width and patch of the tower.
BASES = {
    (768, 16): "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K",
    (1024, 14): "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K",
}
HEADS = ("mean", "seeded", "first")
ALIKE = 0.1  # cosine of two heads above which they began from one draw; else it is about 0.00

Head = dict[str, torch.Tensor]


def task_of(stem: str) -> tuple[str, str | None]:
    """Name of the task, and the database where the file's name tells it.

    >>> task_of("clip_L_3fc_ava")
    ('ava', 'AVA')
    """
    found = FILE.fullmatch(stem)
    task = found["task"] if found else stem
    return task, DATABASES.get(task)


def split_tensors(
    tensors: Mapping[str, torch.Tensor], what: str
) -> tuple[dict[str, torch.Tensor], Head, int]:
    """Tower by open_clip's own names, head by a scorer's names, and the count of the text tower's.

    Raises:
        ScorerError: a part is missing, or there is a tensor that belongs to none; it is named.
    """
    names = sort_names(tensors, what)
    prefix = prefix_of(names.rest, HEAD_ANCHOR, what)
    tower = {own: tensors[name] for own, name in names.tower.items()}
    hidden = tensors[prefix + HEAD_ANCHOR].shape[0]
    if "visual.proj" not in tower:
        raise ScorerError(f"{what} lacks visual.proj, which makes the embedding for the head.")
    shapes = ((hidden, tower["visual.proj"].shape[-1]), (hidden,), (NUM_BINS, hidden), (NUM_BINS,))
    expected = {prefix + name: shape for name, shape in zip(HEAD, shapes, strict=True)}
    check_shapes({name: tuple(tensors[name].shape) for name in names.rest}, expected, what)
    return tower, {HEAD[n]: tensors[prefix + n].float() for n in HEAD}, len(names.text)


def starting_head(heads: Sequence[Head], kind: str, seeded: Head) -> Head:
    """Head theta_0, which the authors publish none of.

    A merge has the head (1 - sum_k alpha_k) theta_0 + sum_k alpha_k theta_k. So each theta_0 gives
    back every checkpoint, and the same merge of all of them, wherever the coefficients of a layer
    sum to 1, as every initialization does. Beyond that, `mean` and `first` keep to what the trained
    heads span, while `seeded` mixes in a head that nobody trained.

    Args:
        heads: of the K checkpoints.
        kind: one of `HEADS`.
        seeded: the published random head.

    Raises:
        SettingError: another kind.
    """
    if kind == "seeded":
        return seeded
    if kind == "first":
        return heads[0]
    if kind == "mean":
        stacks = {name: torch.stack([head[name] for head in heads]) for name in heads[0]}
        return {name: stack.double().mean(dim=0).float() for name, stack in stacks.items()}
    raise SettingError(f"head must be one of {', '.join(HEADS)}, got {kind!r}.")


def head_similarity(heads: Sequence[Head]) -> float:
    """Mean cosine between the hidden layers of each two heads; 1 for a single one.

    Near 0 their hidden units have nothing to do with each other: each head was drawn anew, and
    averaging them averages unlike units.
    """
    rows = [head["head.hidden.weight"].flatten() for head in heads]
    pairs = [torch.cosine_similarity(a, b, dim=0).item() for a, b in combinations(rows, 2)]
    return sum(pairs) / len(pairs) if pairs else 1.0


def note(kind: str, count: int, similarity: float, seed: int) -> str:
    """What a vector's config, and the cards, say of theta_0."""
    chosen = {
        "mean": f"the mean of the heads of the {count} checkpoints",
        "seeded": f"the published random head of seed {seed}",
        "first": "the head of the first checkpoint",
    }[kind]
    told = (
        f"Head theta_0 is {chosen}, since the authors publish none. The choice changes no single "
        "checkpoint, and no merge whose coefficients sum to 1 in the head's layers."
    )
    if count == 1:
        return told
    alike = "one common start" if similarity > ALIKE else "a start of its own for each"
    return (
        f"{told} The hidden layers of the heads have a mean cosine of {similarity:.2f}, which "
        f"tells of {alike}."
    )
