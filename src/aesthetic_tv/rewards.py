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


class Rewarding(Protocol):
    """A scorer, or what damps one."""

    def reward(self, images: Images, *, check: bool = True) -> torch.Tensor:
        """(n, 3, H, W) in [0, 1] to (n,)."""
        ...


# (images, prompts, metadata) to the rewards (n,) and what is to be logged.
ImageReward: TypeAlias = Callable[..., tuple[torch.Tensor, dict[str, Any]]]


class DampedReward(nn.Module):
    """A scorer's reward, less what an ensemble of scorers does not agree on.

    reward = score - penalty x standard deviation over the members; at `penalty=0` it is
    `scorer.reward`. No member's weights receive gradients.

    Args:
        scorer: whose raw score is rewarded.
        members: scorers of the same processor, 2 or more; or heads, of scorers that share the
            tower of `scorer`, which then looks at each image once.
        penalty: k, at least 0.
        levels: (m,) each member's score of an average photo, which is taken off: a taste is known
            but for a constant.

    Raises:
        SettingError: fewer than 2 members, another number of levels, or a negative penalty.
    """

    def __init__(
        self,
        scorer: AestheticScorer,
        members: Sequence[nn.Module],
        *,
        penalty: float = 1.0,
        levels: Sequence[float] | None = None,
    ):
        super().__init__()
        levels = [0.0] * len(members) if levels is None else list(levels)
        if len(members) < 2 or len(levels) != len(members) or not penalty >= 0:
            raise SettingError(
                "a damped reward needs 2 members or more, a level for each, and a penalty of 0 or "
                f"more; got {len(members)} members, {len(levels)} levels, penalty {penalty}."
            )
        self.scorer, self.members = scorer, nn.ModuleList(members)
        self.penalty = penalty
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32))
        self.requires_grad_(False).eval()

    @classmethod
    def of_fit(
        cls, fit: InstantFit, *, members: int = 8, penalty: float = 1.0, seed: int = 0
    ) -> "DampedReward":
        """Of a person's instant fit: members are drawn from its posterior and merged.

        Where people are known to differ in head directions alone, as in `embedded:lite`, members
        share one tower, and cost next to nothing.

        Args:
            fit: of the person.
            members: how many are drawn.
            penalty: as for the class.
            seed: of the draws.
        """
        bank, centre = fit.album.bank, fit.fit.coefficients
        draws = fit.posterior.draws(members, seed)  # (m, P)
        scorer = bank.merge(torch.from_numpy(centre).float())
        weights = bank.layout.split(draws)[0]  # (m, L, K)
        tower = np.array([not name.startswith("head.") for name in bank.layers])
        merged = (bank.merge(torch.from_numpy(centre + draw).float()) for draw in draws)
        if weights[:, tower].any():
            found: list[nn.Module] = list(merged)
        else:
            found = [member.head for member in merged]
        levels = draws @ fit.album.middle
        return cls(scorer, found, penalty=penalty, levels=levels.tolist())

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
        """The raw score, and the standard deviation of what the members say: (n,) each."""
        self.eval()
        scorer = self.scorer
        pixels = tensor_pixels(images, image_processor(scorer.config), check=check)
        moved = pixels.to(scorer.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and pixels.requires_grad):
            embeds = scorer.embed(moved)
            score = _expected(scorer, scorer.head(embeds))
            said = torch.stack([self._said(member, moved, embeds) for member in self.members])
            variance = (said - self.levels[:, None]).var(0)
        return score.to(pixels.device), (variance + TINY).sqrt().to(pixels.device)

    def _said(self, member: Any, pixels: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        if isinstance(member, AestheticScorer):
            return _expected(self.scorer, member.head(member.embed(pixels)))
        return _expected(self.scorer, member(embeds))

    def forward(self, images: Images) -> torch.Tensor:
        """As `reward`."""
        return self.reward(images)


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
