"""What others would do with a person's ratings, on the support set alone.

Most are a few lines over scikit-learn, tuned by the support set; where the bank knows a population,
they start from its scores as ours do. Two change the weights of one model: all of them, or low-rank
ones.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import BayesianRidge

from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation.case import Answer, Case
from aesthetic_tv.personalization.agreement import pair_accuracy
from aesthetic_tv.personalization.paper_solver import bradley_terry_loss
from aesthetic_tv.personalization.preferences import Preferences, standardized
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.devices import own_randomness
from aesthetic_tv.scorer.towers import adapted_modules

PENALTIES = tuple(np.logspace(-3, 3, 13).tolist())  # of ridge, against the mean squared length
NEIGHBOURS = (1, 2, 3, 5, 8, 13)
DIRECTIONS = 24  # leading principal ones, for Bayesian ridge
SHARES = tuple(np.linspace(0, 1, 11).tolist())


def ridge(case: Case) -> Answer:
    """Ridge regression of the ratings on the base tower's embeddings, its penalty by leaving one
    photo out, in closed form.
    """
    return Answer.of_all(_ridge(case, case.pool.embeds, _targets(case))[0], case.split)


def residual_ridge(case: Case) -> Answer:
    """The same, of what the generic score leaves of the ratings."""
    generic = _generic(case)
    residuals = _targets(case) - generic[case.split.support]
    fitted, _ = _ridge(case, case.pool.embeds, residuals - residuals.mean(), stay=True)
    return Answer.of_all(generic + fitted, case.split)


def weighted_scores(case: Case) -> Answer:
    """The scores of the single task models with learned weights: a ridge on K numbers."""
    scores = case.pool.task_scores
    spread = scores.std(0).clip(1e-12)
    return Answer.of_all(_ridge(case, scores / spread, _targets(case))[0], case.split)


def blend(case: Case) -> Answer:
    """A share of `ridge` and the rest of the generic score; the share that orders the pairs of the
    support set best, each photo scored by a ridge that did not know it.
    """
    generic, y = _generic(case), _targets(case)
    fitted, held_out = _ridge(case, case.pool.embeds, y)
    known = Preferences.from_ratings(dict(enumerate(y.tolist())))
    rated = generic[case.split.support]

    def right(share: float) -> float:
        return pair_accuracy(share * held_out + (1 - share) * (rated - rated.mean()), known)

    share = max(SHARES, key=right)  # of equals the least
    return Answer.of_all(share * fitted + (1 - share) * generic, case.split)


def neighbours(case: Case) -> Answer:
    """The mean rating of the k most similar rated photos, by cosine; k by leaving one out."""
    embeds = case.pool.embeds.astype(np.float64)
    embeds = embeds - embeds.mean(0)
    embeds /= np.linalg.norm(embeds, axis=1, keepdims=True).clip(1e-12)
    rows, y = case.split.support, _targets(case)
    alike = embeds @ embeds[rows].T  # (N, n)
    left_out = alike[rows] - 3 * np.eye(len(rows))

    def error(k: int) -> float:
        return float(((_of_nearest(left_out, y, k) - y) ** 2).sum())

    best = min((k for k in NEIGHBOURS if k < len(rows)), key=error, default=1)
    return Answer.of_all(_of_nearest(alike, y, best), case.split)


def bayesian_ridge(case: Case) -> Answer:
    """Bayesian ridge regression on the generic score and the leading principal directions, of what
    the generic score leaves: its own weight is 1 before any rating, not 0.
    """
    generic = _generic(case)
    features = np.column_stack([generic, _principal(case.pool)])
    residuals = _targets(case) - generic[case.split.support]
    model = BayesianRidge().fit(features[case.split.support], residuals)
    return Answer.of_all(generic + model.predict(features), case.split)


def gaussian_process(case: Case) -> Answer:
    """A Gaussian process over embeddings around the generic score; its width and sizes by marginal
    likelihood.
    """
    generic, embeds = _generic(case), case.pool.embeds.astype(np.float64)
    embeds = embeds - embeds.mean(0)
    embeds /= np.sqrt((embeds**2).sum(1).mean())
    rows = case.split.support
    kernel = ConstantKernel(0.3, (1e-3, 10)) * RBF(1.0, (0.3, 10)) + WhiteKernel(0.8, (0.05, 10))
    model = GaussianProcessRegressor(kernel, random_state=0)
    residuals = _targets(case) - generic[rows]
    model.fit(embeds[rows], residuals - residuals.mean())
    return Answer.of_all(generic + model.predict(embeds), case.split)


def _targets(case: Case) -> np.ndarray:
    return standardized(case.ratings, case.scale)


def _generic(case: Case) -> np.ndarray:
    """Scores of the best taste for all (N,), on the scale of the targets: a population's are steep
    as choices are; without one, the uniform merge spread like ratings that agree by half.
    """
    scores = case.pool.population_scores
    if scores is None:
        scores = case.pool.uniform_scores
    return 0.5 * (scores - scores.mean()) / max(float(scores.std()), 1e-12)


def _ridge(
    case: Case, features: np.ndarray, y: np.ndarray, *, stay: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Fitted values of all photos (N,), and of each support photo by the others (n,).

    Args:
        case: the person.
        features: (N, D).
        y: of the support set (n,), of mean 0.
        stay: no fit at all is one of the choices.
    """
    rows = case.split.support
    x = features.astype(np.float64) - features[rows].mean(0)
    gram = x[rows] @ x[rows].T
    scale = gram.trace() / len(rows)
    best, least = (np.zeros(len(rows)), np.zeros(len(rows))), float(y @ y) if stay else np.inf
    for penalty in PENALTIES:
        inverse = np.linalg.inv(gram + penalty * scale * np.eye(len(rows)))
        dual = inverse @ y
        missed = dual / inverse.diagonal()
        if float(missed @ missed) < least:
            best, least = (dual, y - missed), float(missed @ missed)
    dual, held_out = best
    return x @ (x[rows].T @ dual), held_out


def _of_nearest(alike: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    return y[np.argpartition(-alike, k - 1, axis=1)[:, :k]].mean(1)


@lru_cache(maxsize=2)
def _principal(pool: Any) -> np.ndarray:
    """Leading principal directions of all photos (N, r), on the scale of the first."""
    embeds = pool.embeds.astype(np.float64)
    found = PCA(min(DIRECTIONS, *embeds.shape), random_state=0).fit_transform(embeds)
    return found / found[:, 0].std().clip(1e-12)


RIVALS: dict[str, Callable[[Case], Answer]] = {
    "ridge": ridge,
    "residual-ridge": residual_ridge,
    "bayesian-ridge": bayesian_ridge,
    "gaussian-process": gaussian_process,
    "neighbours": neighbours,
    "blend": blend,
    "weighted-scores": weighted_scores,
}


@dataclass(frozen=True)
class Tuning:
    """AdamW on weights, with the loss of the coefficients: all pairs of the support set.

    Args:
        weights: `all`, or `lora`: low-rank changes of the linear layers (Hu et al. 2022).
        steps: each on the whole support set, up to `batch_size` photos.
        lr: learning rate.
        batch_size: photos a step.
        rank: of `lora`.
        seed: of batches, dropout and low-rank starts.
    """

    weights: Literal["all", "lora"] = "all"
    steps: int = 100
    lr: float = 1e-4
    batch_size: int = 32
    rank: int = 8
    seed: int = 0

    def __post_init__(self):
        if self.weights not in ("all", "lora"):
            raise SettingError(f"weights must be 'all' or 'lora', got {self.weights!r}.")
        if self.steps < 0 or not self.lr > 0 or self.batch_size < 2 or self.rank < 1:
            raise SettingError(
                f"steps are {self.steps}, lr {self.lr}, batch_size {self.batch_size}, rank "
                f"{self.rank}; expected 0 or more, above 0, 2 or more, 1 or more."
            )

    @classmethod
    def lora(cls) -> "Tuning":
        """Low-rank changes, with a learning rate of their own."""
        return cls(weights="lora", lr=1e-3)


def tuned(
    start: AestheticScorer,
    pixel_values: torch.Tensor,
    preferences: Preferences,
    settings: Tuning,
) -> AestheticScorer:
    """A scorer trained on one person's preferences.

    Args:
        start: stays as it is.
        pixel_values: the support set (n, 3, H, W).
        preferences: over the same photos.
        settings: how.

    Raises:
        SettingError: `lora` without peft.
    """
    with own_randomness(start.device):
        torch.manual_seed(settings.seed % 2**63)
        scorer = copy.deepcopy(start).requires_grad_()
        model: Any = scorer if settings.weights == "all" else _with_adapters(scorer, settings.rank)
        model.train()
        learned = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(learned, lr=settings.lr, weight_decay=0.0)
        for _ in range(settings.steps):
            rows = torch.randperm(len(pixel_values))[: settings.batch_size].numpy()
            part = preferences.subset(rows)
            if part is None:
                continue
            scores = model(pixel_values=pixel_values[rows].to(scorer.device)).scores.cpu()
            better, worse = torch.from_numpy(part.better), torch.from_numpy(part.worse)
            weights = torch.from_numpy(part.weights).float()
            loss = bradley_terry_loss(scores, better, worse, weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    if settings.weights == "lora":
        scorer = model.merge_and_unload()
    return scorer.eval()


def _with_adapters(scorer: AestheticScorer, rank: int) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise SettingError(
            "the method 'lora' needs peft; install it with `pip install aesthetic-tv[evaluation]`."
        ) from None
    modules = adapted_modules(scorer)
    return get_peft_model(scorer, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules))
