"""Rewards for training generators with one person's taste, and what damps their being hacked.

`AestheticScorer.reward` is the reward itself. Here are the shapes that trainers call one by, and a
reward that is worth less where the person's ratings say little.

A generator that is trained for long leaves the photos that a scorer was learned from, and finds
images that score high and please nobody (reward hacking; Gao et al. 2023, "Scaling laws for reward
model overoptimization"). Scorers drawn from the posterior of a person's taste agree on photos like
the rated ones and part ways elsewhere: taking off their spread keeps the generator near what is
known (Coste et al. 2024, "Reward model ensembles help mitigate overoptimization").
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import nn

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization.instant import InstantFit
from aesthetic_tv.scorer import AestheticScorer, image_processor
from aesthetic_tv.scorer.decoding import as_photos, load_photo
from aesthetic_tv.scorer.tensor_pixels import Images, tensor_pixels

TINY = 1e-12  # under the root, whose slope at 0 is infinite
LEVELLED = 32  # photos of the album by which members are brought to one level
LITTLE = 0.01  # share of the variance that task vectors may have where it is left out


class Rewarding(Protocol):
    """A scorer, or what damps one."""

    def reward(self, images: Images, *, check: bool = True) -> torch.Tensor:
        """(n, 3, H, W) in [0, 1] to (n,)."""
        ...


# (images, prompts, metadata) to the rewards (n,) and what is to be logged.
ImageReward: TypeAlias = Callable[..., tuple[torch.Tensor, dict[str, Any]]]


class DampedReward(nn.Module):
    """A scorer's reward, less what is not known of the person there.

    reward = score - penalty x spread; at `penalty=0` it is `scorer.reward`. No weight receives
    gradients.

    Args:
        scorer: whose raw score is rewarded.
        penalty: k, at least 0.

    Raises:
        SettingError: a negative penalty.
    """

    def __init__(self, scorer: AestheticScorer, *, penalty: float = 1.0):
        super().__init__()
        if not penalty >= 0:
            raise SettingError(f"penalty must be 0 or more, got {penalty}.")
        self.scorer, self.penalty = scorer, penalty

    def reward(self, images: Images, *, check: bool = True) -> torch.Tensor:
        """Damped rewards, differentiable in the images.

        Args:
            images, check: as for `AestheticScorer.reward`.

        Returns:
            (n,) float32, higher is better.
        """
        score, spread = self.score_and_spread(images, check=check)
        return score - self.penalty * spread

    def score_and_spread(
        self, images: Images, *, check: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The raw score, and its standard deviation: (n,) each."""
        self.eval().requires_grad_(False)
        scorer = self.scorer
        pixels = tensor_pixels(images, image_processor(scorer.config), check=check)
        moved = pixels.to(scorer.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and pixels.requires_grad):
            embeds = scorer.embed(moved)
            score = _expected(scorer, scorer.head(embeds))
            spread = (self._variance(moved, embeds) + TINY).sqrt()
        return score.to(pixels.device), spread.to(pixels.device)

    def _variance(self, pixels: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        """Of the score of each image (n,), of its pixels and its embedding."""
        raise NotImplementedError

    def forward(self, images: Images) -> torch.Tensor:
        """As `reward`."""
        return self.reward(images)


class PosteriorReward(DampedReward):
    """Damped by the posterior of the weights of a bank's head directions.

    These weigh the embedding linearly, so that the variance of a score is a square of the
    embedding: exact for photos like the rated ones, and growing without bound away from them, where
    the head itself saturates and any scores drawn from it agree.

    Args:
        scorer: as for `DampedReward`.
        axes: v, float32 (R, D), the head directions.
        middle: m, float32 (D,), the embedding that none of them moves.
        factor: F, float32 (r, R), the posterior covariance of their weights as F^T F.
        penalty: as for `DampedReward`.
    """

    def __init__(
        self,
        scorer: AestheticScorer,
        axes: torch.Tensor,
        middle: torch.Tensor,
        factor: torch.Tensor,
        *,
        penalty: float = 1.0,
    ):
        super().__init__(scorer, penalty=penalty)
        self.register_buffer("ways", factor @ axes)  # (r, D)
        self.register_buffer("middle", middle)

    def _variance(self, pixels: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        ways: Any = self.ways
        middle: Any = self.middle
        return ((embeds.to(ways.dtype) - middle) @ ways.T).pow(2).sum(-1)


class EnsembleReward(DampedReward):
    """Damped by what several scorers do not agree on.

    Args:
        scorer: as for `DampedReward`.
        members: scorers of the same image processor, 2 or more; the more they differ in their
            towers, the less a generator can please all of them by what only one of them sees.
        levels: (m,) each member's score of an average photo, which is taken off: a taste is known
            but for a constant.
        penalty: as for `DampedReward`.

    Raises:
        SettingError: fewer than 2 members, another number of levels, or a negative penalty.
    """

    def __init__(
        self,
        scorer: AestheticScorer,
        members: Sequence[AestheticScorer],
        *,
        levels: Sequence[float] | None = None,
        penalty: float = 1.0,
    ):
        super().__init__(scorer, penalty=penalty)
        levels = [0.0] * len(members) if levels is None else list(levels)
        if len(members) < 2 or len(levels) != len(members):
            raise SettingError(
                f"an ensemble needs 2 members or more, and a level for each; got {len(members)} "
                f"members and {len(levels)} levels."
            )
        self.members = nn.ModuleList(members)
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32))

    def _variance(self, pixels: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        members: Any = self.members
        said = [_expected(self.scorer, member.head(member.embed(pixels))) for member in members]
        levels: Any = self.levels
        return (torch.stack(said) - levels[:, None]).var(0)


def damped_reward(
    fit: InstantFit, *, penalty: float = 1.0, members: int = 4, seed: int = 0
) -> DampedReward:
    """The reward of a person's instant fit, damped by its posterior.

    Where people are known to differ in head directions alone, as in `embedded:lite`, the spread is
    exact and costs nothing (`PosteriorReward`); otherwise scorers are drawn and merged
    (`EnsembleReward`), and each looks at every image.

    Args:
        fit: of the person.
        penalty: as for `DampedReward`.
        members: how many are drawn, where they are.
        seed: of the draws.

    Raises:
        PhotoError: scorers are drawn, and photos of the album cannot be read any more.
    """
    bank, centre, posterior = fit.album.bank, fit.fit.coefficients, fit.posterior
    scorer, directions = bank.merge(torch.from_numpy(centre).float()), bank.directions
    if directions is not None and not fit.fit.prior.layer:
        alpha, beta = bank.layout.split(posterior.factor())
        of_tasks, of_directions = (
            float(np.square(fit.album.model.slopes @ flat.T).sum())
            for flat in (_alone(bank.layout, alpha, 0 * beta), _alone(bank.layout, 0 * alpha, beta))
        )
        if of_tasks <= LITTLE * of_directions:
            ways = torch.from_numpy(beta).float()
            axes = directions.axes
            return PosteriorReward(scorer, axes, directions.middle, ways, penalty=penalty)
    draws = posterior.draws(members, seed)
    merged = [bank.merge(torch.from_numpy(centre + draw).float()) for draw in draws]
    # Of the merged scorers, since so far from the fit a linear model has other levels.
    step = max(1, len(fit.album) // LEVELLED)
    photos = fit.album.photos[::step][:LEVELLED]
    levels = [float(member.score(photos, calibrated=False).mean()) for member in merged]
    return EnsembleReward(scorer, merged, levels=levels, penalty=penalty)


def _alone(layout: Any, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return np.concatenate([alpha.reshape(len(alpha), -1), beta], axis=-1)


def _expected(scorer: AestheticScorer, bins: torch.Tensor) -> torch.Tensor:
    """Of distributions (n, num_bins): (n,)."""
    values: Any = scorer.bin_values
    return (bins * values.to(bins)).sum(-1)


def reward_function(rewarding: Rewarding, *, clamp: bool = True) -> ImageReward:
    """As trainers of diffusion models call a reward: `(images, prompts, metadata)` to
    `(rewards, {})`.

    This is the documented interface of DDPO's and AlignProp's trainers in TRL, and of Flow-GRPO;
    AlignProp sends gradients through it. Nothing of the prompt is rewarded: add a reward for what
    the image is of.

    Args:
        rewarding: an `AestheticScorer` or a `DampedReward`.
        clamp: bring images that leave [0, 1] back, as such trainers' decoders need; `False`
            refuses them.

    Returns:
        A function of images: a tensor (n, 3, H, W) or a list of (3, H, W), in [0, 1] or uint8; or
        PIL images, paths or arrays uint8 (H, W, 3), which carry no gradients.

    Example:
        >>> DDPOTrainer(config, reward_function(scorer), prompts, pipeline).train()
    """

    def rewards(
        images: Any, prompts: Any = None, metadata: Any = None, **_: Any
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        return rewarding.reward(as_images(images, clamp=clamp)), {}

    return rewards


def grpo_reward_function(
    rewarding: Rewarding, *, images: str = "images", clamp: bool = True
) -> Callable[..., list[float]]:
    """As TRL's GRPO-like trainers call a reward: by keywords, to a list of floats.

    They pass `prompts`, `completions` and each further column of the data set by its name; images
    are looked for under `images`, and then among the completions.

    Args:
        rewarding: an `AestheticScorer` or a `DampedReward`.
        images: keyword that holds the images.
        clamp: as for `reward_function`.
    """
    name = images

    def personal_reward(*, completions: Any = None, **columns: Any) -> list[float]:
        found = columns.get(name, completions)
        if found is None:
            raise SettingError(
                f"there are no images to reward: neither {name!r} nor 'completions' was passed, "
                f"only {', '.join(sorted(columns)) or 'nothing'}. Name the column by images=."
            )
        with torch.no_grad():
            return rewarding.reward(as_images(found, clamp=clamp)).float().cpu().tolist()

    return personal_reward


def as_images(images: Any, *, clamp: bool = False) -> Images:
    """Images as trainers have them, as `AestheticScorer.reward` takes them.

    Args:
        images: tensors in [0, 1] or uint8, or anything that `AestheticScorer.score` takes.
        clamp: bring tensors back to [0, 1]; what is no number stays and is refused later.
    """
    if isinstance(images, Mapping):
        raise SettingError("found a mapping in place of images; pass its images alone.")
    if isinstance(images, torch.Tensor):
        return _in_range(images, clamp)
    if isinstance(images, Sequence) and images and isinstance(images[0], torch.Tensor):
        return [_in_range(image, clamp) for image in images]
    loaded = [np.array(load_photo(photo)) for photo in as_photos(images)]
    return [torch.from_numpy(image).permute(2, 0, 1).float() / 255 for image in loaded]


def _in_range(image: torch.Tensor, clamp: bool) -> torch.Tensor:
    if image.dtype == torch.uint8:
        return image.float() / 255
    return image.clamp(0, 1) if clamp else image
