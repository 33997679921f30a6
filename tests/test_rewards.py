"""What trainers of generators call, and a reward that is worth less where little is known."""

import numpy as np
import pytest
import torch
from PIL import Image

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization import InstantFit, PhotoFeatures
from aesthetic_tv.personalization.newton_solver import NewtonSolver
from aesthetic_tv.rewards import (
    EnsembleReward,
    PosteriorReward,
    as_images,
    damped_reward,
    grpo_reward_function,
    reward_function,
)
from aesthetic_tv.scorer import image_processor, load_batches
from aesthetic_tv.scorer.tensor_pixels import tensor_pixels
from aesthetic_tv.task_vectors import TaskVectorBank
from aesthetic_tv.task_vectors.head_directions import HeadDirections
from aesthetic_tv.task_vectors.population import Population
from conftest import make_bank

IMAGES = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0))


def directed_bank(photos) -> TaskVectorBank:
    """A bank where people differ in head directions alone, as they do in the embedded one."""
    bank = make_bank(2)
    pixels = next(load_batches(photos, image_processor(bank.base.config))).pixel_values
    directions = HeadDirections.of(bank.base, pixels, 6)
    ways = 0.5 * torch.randn(2 + len(directions), 4, generator=torch.Generator().manual_seed(1))
    ways[:2] = 0
    centre = torch.full((len(bank.layers), 2), 0.5)
    population = Population(centre, 0.0, 0.0, directions=torch.zeros(len(directions)), factor=ways)
    return TaskVectorBank(bank.base, bank.vectors, population=population, directions=directions)


@pytest.fixture
def fit(photos) -> InstantFit:
    album = PhotoFeatures.compute(directed_bank(photos), photos)
    return InstantFit.of(album, {photo: 1 + i % 5 for i, photo in enumerate(photos[:6])})


@pytest.fixture
def plain_fit(tiny_bank, photos) -> InstantFit:
    album = PhotoFeatures.compute(tiny_bank, photos)
    solver = NewtonSolver(strength=1.0)
    rated = {photo: 1 + i % 5 for i, photo in enumerate(photos[:6])}
    return InstantFit.of(album, rated, solver=solver)


@pytest.mark.parametrize("which", ["fit", "plain_fit"])
def test_draws_have_the_covariance_of_the_posterior(which, request):
    fit = request.getfixturevalue(which)
    posterior, slopes = fit.posterior, fit.album.model.slopes
    factor = (slopes - fit.album.middle) @ posterior.factor().T
    right = posterior.covariance(slopes, slopes)
    np.testing.assert_allclose(factor @ factor.T, right, atol=1e-4 * np.abs(right).max())
    drawn = (slopes - fit.album.middle) @ posterior.draws(20_000, seed=3).T
    assert np.corrcoef(np.cov(drawn).ravel(), right.ravel())[0, 1] > 0.99
    np.testing.assert_array_equal(posterior.draws(2, seed=3), posterior.draws(2, seed=3))


def test_the_spread_is_that_of_the_posterior_on_photos_like_the_rated_ones(fit, photos):
    reward = damped_reward(fit)
    assert isinstance(reward, PosteriorReward)
    images = as_images(photos)
    score, spread = reward.score_and_spread(images)
    fitted = fit.album.bank.merge(torch.from_numpy(fit.fit.coefficients).float())
    np.testing.assert_allclose(score, fitted.reward(images), atol=1e-6)
    directions, factor = fit.album.bank.directions, fit.posterior.factor()
    embeds = scored_embeds(reward.scorer, images)
    ways = torch.from_numpy(factor[:, fit.album.bank.layout.weights :]).float()
    right = ((embeds - directions.middle) @ directions.axes.T @ ways.T).norm(dim=1)
    np.testing.assert_allclose(spread, right, rtol=1e-4)


def scored_embeds(scorer, images) -> torch.Tensor:
    with torch.no_grad():
        return scorer.embed(tensor_pixels(images, image_processor(scorer.config)))


def test_the_spread_grows_without_bound_away_from_photos(fit, photos):
    reward = damped_reward(fit)
    embeds = scored_embeds(reward.scorer, as_images(photos))
    far = reward.middle + 100 * (embeds - reward.middle)
    near, beyond = (reward._variance(embeds, x).sqrt() for x in (embeds, far))
    np.testing.assert_allclose(beyond, 100 * near, rtol=1e-3)


def test_an_ensemble_is_drawn_where_task_vectors_are_uncertain(plain_fit, photos):
    reward = damped_reward(plain_fit, members=8)
    assert isinstance(reward, EnsembleReward)
    assert len(reward.members) == 8
    _, spread = reward.score_and_spread(as_images(photos))
    images = as_images(photos)
    said = torch.stack([member.reward(images) for member in reward.members])
    said = said - said.mean(1, keepdim=True)  # a taste is known but for a constant
    np.testing.assert_allclose(spread, said.std(0), rtol=0.03)
    others = damped_reward(plain_fit, members=8, seed=1).score_and_spread(as_images(photos))[1]
    assert not torch.equal(spread, others)


@pytest.mark.parametrize("which", ["fit", "plain_fit"])
def test_a_penalty_takes_off_the_spread_and_gradients_follow(which, request):
    fit = request.getfixturevalue(which)
    plain, damped = damped_reward(fit, penalty=0), damped_reward(fit, penalty=2)
    score, spread = damped.score_and_spread(IMAGES)
    assert (spread > 0).all()
    np.testing.assert_allclose(plain.reward(IMAGES), plain.scorer.reward(IMAGES), atol=1e-6)
    np.testing.assert_allclose(damped(IMAGES), score - 2 * spread, atol=1e-6)
    images = IMAGES.clone().requires_grad_()
    for kind in (plain, damped):
        kind.double()
        leaf = images.detach().double().requires_grad_()
        (gradient,) = torch.autograd.grad(kind.reward(leaf).sum(), leaf)
        way = torch.randn_like(leaf)
        with torch.no_grad():
            up, down = (kind.reward(leaf + s * way, check=False).sum() for s in (1e-5, -1e-5))
        assert (gradient * way).sum().item() == pytest.approx(((up - down) / 2e-5).item(), rel=1e-2)
    assert not any(parameter.requires_grad for parameter in damped.parameters())


def test_settings_of_a_damped_reward_are_checked(tiny_scorer):
    with pytest.raises(SettingError, match="2 members"):
        EnsembleReward(tiny_scorer, [tiny_scorer])
    with pytest.raises(SettingError, match="1 levels"):
        EnsembleReward(tiny_scorer, [tiny_scorer, tiny_scorer], levels=[1.0])
    with pytest.raises(SettingError, match="0 or more, got -1"):
        EnsembleReward(tiny_scorer, [tiny_scorer, tiny_scorer], penalty=-1)


def test_ddpo_and_alignprop_call_it_with_images_prompts_and_metadata(tiny_scorer):
    reward = reward_function(tiny_scorer)
    rewards, told = reward(IMAGES, ("a cat",) * 3, ({},) * 3)
    assert told == {}
    torch.testing.assert_close(rewards, tiny_scorer.reward(IMAGES))
    images = (1.2 * IMAGES).requires_grad_()  # a decoder leaves the range
    reward(images, None, None)[0].sum().backward()
    assert images.grad is not None and images.grad.abs().max() > 0
    with pytest.raises(SettingError, match="images / 255"):
        reward_function(tiny_scorer, clamp=False)(255 * IMAGES)


def test_images_come_as_trainers_have_them(tiny_scorer, photos):
    reward, right = reward_function(tiny_scorer), tiny_scorer.score(photos[:3], calibrated=False)
    opened = [Image.open(photo) for photo in photos[:3]]
    arrays = [np.asarray(image) for image in opened]
    tensors = [torch.from_numpy(array.copy()).permute(2, 0, 1) for array in arrays]
    for given in (photos[:3], opened, arrays, np.stack(arrays), tensors, torch.stack(tensors)):
        np.testing.assert_allclose(reward(given, (), ())[0], right, atol=2e-3)
    with pytest.raises(SettingError, match="mapping"):
        reward({"images": IMAGES})


def test_grpo_calls_it_by_keywords_and_gets_floats(tiny_scorer):
    reward = grpo_reward_function(tiny_scorer, images="picture")
    right = tiny_scorer.reward(IMAGES).tolist()
    of_column = reward(prompts=["a"] * 3, completions=["b"] * 3, picture=list(IMAGES), step=1)
    of_completions = reward(prompts=["a"] * 3, completions=IMAGES)
    assert all(isinstance(value, float) for value in of_column)
    assert of_column == pytest.approx(right) and of_completions == pytest.approx(right)
    with pytest.raises(SettingError, match="only prompts"):
        reward(prompts=["a"])
