"""What a taste is made of, seen on an album: how much of each task every photo has, and how much
more of it a person likes than others do.

A task's slope, d s / d alpha summed over layers, holds besides the task what every fine-tuned model
has in common with the others and with the generic score; without that the photos are ordered more
as the task's own model orders them. On the 60 sample photos (`embedded:lite`, mean over its 11
tasks), SROCC with the task's own model: .58 with all of it, .73 / .79 / .79 less 0.5 / 0.75 / 1 of
the mean; on `embedded:tiny` .71, .66 / .61 / .54.
"""

import numpy as np

from aesthetic_tv.personalization.linear_model import LinearModel

IN_COMMON = 0.75  # of the mean over tasks, which is taken off
ROUNDING = 1e-10  # of the scores' squares, below which a difference is none


def trait_scores(model: LinearModel) -> np.ndarray:
    """How much of each task every photo has.

    Args:
        model: of an album's N photos.

    Returns:
        (N, K), each column of mean 0 and deviation 1; 0 where no photo has more than another.
    """
    slopes = model.layout.in_common(model.slopes)[:, : model.layout.tasks]
    own = slopes - IN_COMMON * slopes.mean(1, keepdims=True)
    centred = own - own.mean(0)
    spread = centred.std(0)
    return centred / np.where(spread > 0, spread, np.inf)


def likings(
    traits: np.ndarray, mine: np.ndarray, generic: np.ndarray, deviations: np.ndarray
) -> np.ndarray:
    """How much more a person likes each trait than the generic score does.

    It is the correlation, over the album, of the trait with what the person's scores add to the
    generic ones, drawn to 0 as far as that is not known: after three ratings almost all of it.

    Args:
        traits: (N, K), as of `trait_scores`.
        mine, generic: scores (N,).
        deviations: standard deviations of the person's (N,).

    Returns:
        (K,) in [-1, 1].
    """
    added = mine - generic
    added = added - added.mean()
    spread = float((added**2).mean())
    if spread <= ROUNDING * float((mine**2).mean()):
        return np.zeros(traits.shape[1])
    known = spread / (spread + float((deviations**2).mean()))
    return np.sqrt(known) * (traits.T @ added) / (len(added) * np.sqrt(spread))
