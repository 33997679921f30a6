"""The Newton solver: the dual is exact, the prior holds, edge cases end well."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization import (
    InstantSolver,
    NewtonSolver,
    PaperSolver,
    Personalizer,
    Preferences,
    Problem,
)
from aesthetic_tv.personalization.convex_fit import (
    choose_strength,
    fit_dual,
    pair_loss,
    preference_loss,
)
from aesthetic_tv.personalization.linear_model import linearize
from aesthetic_tv.personalization.precision import tower_dtype
from aesthetic_tv.personalization.prior import CoefficientPrior
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank
from aesthetic_tv.task_vectors.layout import Layout
from conftest import make_bank, make_finetuned, make_scorer
from test_personalization import problem, raw_scores


@pytest.fixture
def linear():
    """Scores that are linear in 7 coefficients, and 20 rated photos."""
    random = np.random.default_rng(0)
    slopes, offset = random.normal(size=(20, 7)), random.normal(size=20)
    preferences = Preferences.from_ratings(dict(enumerate(random.integers(1, 6, 20).tolist())))
    return slopes, offset, preferences


def test_the_dual_is_the_minimum_of_the_primal(linear):
    slopes, offset, preferences = linear

    def primal(x):
        return preference_loss(offset + slopes @ x, preferences) + 0.1 / 2 * x @ x

    expected = minimize(primal, np.zeros(7), tol=1e-10).x
    dual = fit_dual(offset, slopes @ slopes.T, preferences, 0.1)
    np.testing.assert_allclose(slopes.T @ dual, expected, atol=1e-4)


def test_a_separable_support_set_stays_finite_and_a_stronger_prior_moves_less():
    slopes = np.arange(6.0)[:, None]
    preferences = Preferences.from_ratings(dict(enumerate(range(6))))
    moves = [
        float((slopes.T @ fit_dual(np.zeros(6), slopes @ slopes.T, preferences, strength))[0])
        for strength in (1e-6, 1e-3, 1, 1e3)
    ]
    assert np.isfinite(moves).all()
    assert moves == sorted(moves, reverse=True) and moves[-1] > 0


def test_the_evidence_wants_no_deviation_for_noise_and_much_for_a_signal():
    random = np.random.default_rng(1)
    slopes = random.normal(size=(60, 3))
    gram = slopes @ slopes.T / 3
    signal = Preferences.from_ratings(dict(enumerate((slopes @ [1.0, -1, 0.5]).tolist())))
    assert choose_strength(np.zeros(60), gram, signal) <= 0.1
    strengths = [
        choose_strength(
            np.zeros(60),
            gram,
            Preferences.from_ratings(dict(enumerate(random.permutation(60).tolist()))),
        )
        for _ in range(10)
    ]
    assert np.median(strengths) >= 3


def test_where_nothing_speaks_for_a_deviation_the_initialization_comes_back(tiny_bank, monkeypatch):
    monkeypatch.setattr(
        "aesthetic_tv.personalization.linear_model.choose_strength", lambda *_: np.inf
    )
    task = problem(tiny_bank)
    torch.testing.assert_close(NewtonSolver().solve(task).coefficients, task.initial)


def test_the_prior_is_the_sum_of_its_parts():
    random = np.random.default_rng(0)
    layout = Layout(5, 2, 3)
    prior = CoefficientPrior(np.zeros(13), layout, 0.3, 0.2, 0.7, random.normal(size=(5, 2)))
    common = layout.spread_out(np.eye(5)).T  # (13, 5)
    parts = np.diag([0.2, 0.2, 0.7, 0.7, 0.7]) + prior.factor @ prior.factor.T
    whole = np.diag([0.3] * 10 + [0.0] * 3) + common @ parts @ common.T
    v, slopes = random.normal(size=(6, 13)), random.normal(size=(4, 13))
    np.testing.assert_allclose(prior.spread(v), v @ whole)
    np.testing.assert_allclose(prior.gram(slopes, v), slopes @ whole @ v.T)
    white = prior.whitened(v)
    np.testing.assert_allclose(white @ white.T, v @ whole @ v.T)


def test_it_lowers_the_loss_at_least_as_far_as_the_papers_solver():
    tiny_bank = make_bank(3, size=0.005)
    task = problem(tiny_bank)
    newton = NewtonSolver(strength=1e-4).solve(task)
    paper = PaperSolver(iterations=100, dropout=False).solve(task)
    loss = [
        pair_loss(
            raw_scores(tiny_bank.merge(x.coefficients), task.pixel_values).astype(float),
            task.preferences,
        )
        for x in (newton, paper)
    ]
    assert loss[0] <= loss[1] + 0.02
    assert list(newton.loss) == sorted(newton.loss, reverse=True)


def test_it_is_deterministic(tiny_bank):
    task = problem(tiny_bank)
    first, second = (NewtonSolver().solve(task).coefficients for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_task_share_one_moves_all_layers_of_a_task_alike(tiny_bank):
    moved = NewtonSolver(strength=0.01, task_share=1.0, rounds=1).solve(problem(tiny_bank))
    torch.testing.assert_close(
        moved.coefficients, moved.coefficients[:1].expand_as(moved.coefficients)
    )


@pytest.mark.parametrize("tasks", [1, 30])
def test_one_task_and_thirty(tasks):
    bank = make_bank(tasks, size=0.02)
    solution = NewtonSolver(rounds=1).solve(problem(bank))
    assert torch.isfinite(solution.coefficients).all()
    assert solution.coefficients.shape == (len(bank.layers), tasks)


@pytest.mark.parametrize("ratings", [[1, 2], [3, 3, 3, 4], [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]], ids=str)
def test_two_photos_all_tied_but_one_and_repeated_photos(tiny_bank, ratings):
    torch.manual_seed(0)
    pixels = torch.randn(5, 3, 32, 32).repeat(2, 1, 1, 1)[: len(ratings)]
    task = dataclasses.replace(
        problem(tiny_bank),
        pixel_values=pixels,
        preferences=Preferences.from_ratings(dict(enumerate(ratings))),
    )
    solution = NewtonSolver().solve(task)
    assert torch.isfinite(solution.coefficients).all()


def test_scores_that_saturate_the_head_do_no_harm():
    bank = make_bank(2, size=1.0)
    task = problem(bank)
    far = Problem(bank, 100 * task.pixel_values, task.preferences, 10 * task.initial)
    assert torch.isfinite(NewtonSolver().solve(far).coefficients).all()


def test_it_serves_the_personalizer(tiny_bank, photos):
    ratings = {photo: 1 + i % 5 for i, photo in enumerate(photos)}
    mine = Personalizer(tiny_bank, solver="newton", initialization="uniform").fit(ratings)
    assert mine.solver["name"] == "newton"
    assert np.isfinite(mine.merge().score(photos)).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"strength": 0.0},
        {"task_share": 1.5},
        {"rounds": 0},
        {"tolerance": -1.0},
        {"precision": "float8"},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        NewtonSolver(**settings)


def test_two_nearly_equal_vectors_share_what_one_would_take():
    base = make_scorer()
    tuned = make_finetuned(base, 1, size=0.02)
    near = make_finetuned(tuned, 2, size=1e-6)
    bank = TaskVectorBank(
        base,
        [
            TaskVector.from_scorers(base, tuned, name="one"),
            TaskVector.from_scorers(base, near, name="other"),
        ],
    )
    found = NewtonSolver(strength=0.01).solve(problem(bank)).coefficients
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[:, 0], found[:, 1], rtol=0.02, atol=0.02)


def test_a_separable_support_set_moves_alpha_by_no_more_than_the_prior_bears():
    bank = make_bank(3, size=0.02)
    task = problem(bank)
    told = raw_scores(bank.merge(torch.full_like(task.initial, 0.8)), task.pixel_values)
    separable = Preferences.from_ratings(dict(enumerate(told.tolist())))
    found = NewtonSolver().solve(dataclasses.replace(task, preferences=separable))
    assert torch.isfinite(found.coefficients).all()
    assert found.coefficients.abs().max() < 100


def test_every_round_lowers_the_true_objective_and_the_scores_are_those_of_the_scorer():
    bank = make_bank(3, size=0.02)
    task = problem(bank)
    found = NewtonSolver(strength=1e-3, tolerance=0.0, rounds=4).solve(task)
    assert list(found.loss) == sorted(found.loss, reverse=True)
    assert len(found.loss) > 2
    scores = raw_scores(bank.merge(found.coefficients), task.pixel_values)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-4)


def test_bfloat16_in_the_tower_finds_nearly_the_same(tiny_bank):
    task = problem(tiny_bank)
    full, half = (
        NewtonSolver(strength=0.1, precision=precision).solve(task).scores
        for precision in ("float32", "bfloat16")
    )
    assert np.corrcoef(full, half)[0, 1] > 0.98


def test_instant_is_the_first_round(tiny_bank):
    task = problem(tiny_bank)
    instant = InstantSolver().solve(task).coefficients
    torch.testing.assert_close(instant, NewtonSolver(rounds=1).solve(task).coefficients)


@pytest.mark.parametrize("kind", ["uniform", "adaptive", "best-fit"])
def test_every_initialization_is_fitted_from_one_linearization(tiny_bank, photos, kind):
    ratings = {photo: 1 + i % 5 for i, photo in enumerate(photos)}
    mine = Personalizer(tiny_bank, initialization=kind).fit(ratings)
    assert mine.solver["initialization"] == kind
    assert torch.isfinite(mine.coefficients).all()


def test_task_scores_are_read_off_the_linear_model():
    bank = make_bank(3, size=0.002)
    pixels = problem(bank).pixel_values
    model = linearize(bank, pixels, bank.generic_point.numpy(), torch.float32)
    exact = bank.score_pixels(pixels)
    moved = np.abs(exact - model.scores[:, None]).max()
    np.testing.assert_allclose(model.task_scores(), exact, atol=0.2 * moved)


def test_the_precision_is_bfloat16_only_where_it_pays(tiny_scorer):
    assert tower_dtype("auto", tiny_scorer) == torch.float32
    assert tower_dtype("bfloat16", tiny_scorer) == torch.bfloat16
