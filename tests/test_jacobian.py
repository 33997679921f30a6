"""The Jacobian by coefficients equals autograd's, for every kind of layer."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from aesthetic_tv.personalization import jacobian as module
from aesthetic_tv.personalization.jacobian import jacobian
from conftest import make_bank


def by_autograd(bank, alpha, pixels):
    """J (n, L, K) by differentiating the merged scores, photo by photo."""
    alpha = alpha.clone().requires_grad_()
    scores = functional_call(bank.base, bank.merged_layers(alpha), (pixels,)).scores
    rows = [torch.autograd.grad(score, alpha, retain_graph=True)[0] for score in scores]
    return scores.detach(), torch.stack(rows)


@pytest.fixture
def case():
    bank = make_bank(3)
    torch.manual_seed(0)
    alpha = torch.rand(len(bank.layers), 3)
    return bank, alpha, torch.randn(5, 3, 32, 32)


def test_every_layer_equals_autograd(case):
    bank, alpha, pixels = case
    scores, found = jacobian(bank.merge(alpha), pixels, bank.stacked)
    expected_scores, expected = by_autograd(bank, alpha, pixels)
    assert found.shape == (5, len(bank.layers), 3)
    torch.testing.assert_close(scores, expected_scores)
    negligible = 1e-6 * expected.norm()  # the bias of a key moves nothing but rounding errors
    for row, name in enumerate(bank.layers):
        error = (found[:, row] - expected[:, row]).norm()
        assert error < 1e-4 * expected[:, row].norm() + negligible, name


def test_batches_and_chunks_change_nothing(case, monkeypatch):
    bank, alpha, pixels = case
    scorer = bank.merge(alpha)
    whole = jacobian(scorer, pixels, bank.stacked)
    steps = []
    monkeypatch.setattr(module, "CHUNK", 1)
    parts = jacobian(
        scorer, pixels, bank.stacked, memory_budget=1, progress=lambda *step: steps.append(step)
    )
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert steps == [(i, 5) for i in range(1, 6)]


def test_the_scorer_is_left_as_it_was(case):
    bank, alpha, pixels = case
    scorer = bank.merge(alpha)
    jacobian(scorer, pixels, bank.stacked)
    assert all(p.requires_grad and p.grad is None for p in scorer.parameters())
    assert not any(m._forward_hooks for m in scorer.modules())


def test_a_layer_without_a_rule_is_differentiated_all_the_same(case, monkeypatch):
    bank, alpha, pixels = case
    rules = {kind: rule for kind, rule in module.RULES.items() if kind is not nn.LayerNorm}
    monkeypatch.setattr(module, "RULES", rules)
    with pytest.warns(UserWarning, match="no rule"):
        _, found = jacobian(bank.merge(alpha), pixels, bank.stacked)
    torch.testing.assert_close(found, by_autograd(bank, alpha, pixels)[1], rtol=1e-3, atol=1e-5)


def test_bfloat16_is_near(case):
    bank, alpha, pixels = case
    _, exact = jacobian(bank.merge(alpha), pixels, bank.stacked)
    half = bank.merge(alpha).to(torch.bfloat16)
    _, found = jacobian(half, pixels, bank.stacked)
    assert (found - exact).norm() / exact.norm() < 0.05
