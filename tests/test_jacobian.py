"""The Jacobian by coefficients equals autograd's, for every kind of layer and every tower."""

import copy
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.func import functional_call

from aesthetic_tv.personalization import jacobian as module
from aesthetic_tv.personalization import jacobian_modules
from aesthetic_tv.personalization.jacobian import jacobian
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from conftest import make_bank, make_scorer

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
CONVOLUTIONS = {
    "model_type": "efficientnet",
    "image_size": 32,
    "width_coefficient": 0.25,
    "depth_coefficient": 0.2,
    "hidden_dim": 320,
    "in_channels": [32, 16, 24],
    "out_channels": [16, 24, 40],
    "kernel_sizes": [3, 5, 5],
    "strides": [1, 2, 2],
    "num_block_repeats": [1, 2, 5],
    "expand_ratios": [1, 6, 6],
    "hidden_act": "relu6",
}
DINOV2 = TINY | {"model_type": "dinov2"}
DINOV3 = TINY | {"model_type": "dinov3_vit"}
AIMV2 = TINY | {"model_type": "aimv2_vision_model"}
# A tower, and its modules that have no rule.
FAMILIES = {
    "CLIP": (TINY | {"projection_dim": 16}, {"CLIPVisionEmbeddings"}),
    "MetaCLIP 2": (
        TINY | {"model_type": "metaclip_2_vision_model", "projection_dim": 16},
        {"MetaClip2VisionEmbeddings"},
    ),
    "SigLIP": (
        TINY | {"model_type": "siglip_vision_model"},
        {
            "SiglipVisionEmbeddings",
            "MultiheadAttention",
            "SiglipMultiheadAttentionPoolingHead",
        },
    ),
    "DINOv2": (DINOV2, {"Dinov2Embeddings"}),
    "DINOv2, gated, interpolated positions": (
        DINOV2 | {"use_swiglu_ffn": True, "image_size": 64},
        {"Dinov2Embeddings"},
    ),
    "DINOv2 with registers": (
        TINY | {"model_type": "dinov2_with_registers"},
        {"Dinov2WithRegistersEmbeddings"},
    ),
    "DINOv3": (DINOV3 | {"num_register_tokens": 2}, {"DINOv3ViTEmbeddings"}),
    "DINOv3, gated": (DINOV3 | {"use_gated_mlp": True}, {"DINOv3ViTEmbeddings"}),
    "AIMv2": (AIMV2, {"Aimv2VisionEmbeddings", "Aimv2AttentionPoolingHead"}),
    "AIMv2, native": (AIMV2 | {"is_native": True}, {"Aimv2AttentionPoolingHead"}),
    "EfficientNet": (CONVOLUTIONS, set()),
    "EfficientNet-Lite": (CONVOLUTIONS | {"squeeze_expansion_ratio": 0.0}, set()),
    "ConvNeXt, not a family": (
        {"model_type": "convnext", "hidden_sizes": [16, 32], "depths": [1, 2], "num_stages": 2},
        {"ConvNextLayer", "ConvNextLayerNorm"},
    ),
    "Swin, not a family": (
        {"model_type": "swin", "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4],
         "window_size": 4, "image_size": 32, "patch_size": 4},
        {"SwinLayer", "SwinAttention"},
    ),
}  # fmt: skip


def random_scorer(**tower) -> AestheticScorer:
    """A tiny scorer that has no weight, scale or statistic at its initial value."""
    torch.manual_seed(0)
    width = {"embedding_size": 32} if tower.get("model_type") in ("convnext", "swin") else {}
    config = AestheticScorerConfig(vision_config=tower, head_hidden_size=24, **width)
    return disturbed(AestheticScorer(config).eval())


def disturbed(scorer: AestheticScorer) -> AestheticScorer:
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        for layer in scorer.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
    return scorer


def random_vectors(scorer: AestheticScorer, tasks: int = 3) -> dict[str, torch.Tensor]:
    return {n: 0.05 * torch.randn(tasks, *p.shape) for n, p in scorer.named_parameters()}


def photo_by_photo(scorer, pixels, stacked):
    """J (n, L, K) from the gradient of each score by all weights."""
    rows = []
    for photo in pixels:
        score = scorer(photo[None]).scores.sum()
        weights = [scorer.get_parameter(name) for name in stacked]
        found = torch.autograd.grad(score, weights, allow_unused=True, materialize_grads=True)
        pairs = zip(found, stacked.values(), strict=True)
        rows.append(torch.stack([(g * tau).flatten(1).sum(1) for g, tau in pairs]))
    return torch.stack(rows)


def by_coefficients(bank, alpha, pixels):
    """J (n, L, K) by differentiating the merged scores by the coefficients."""
    alpha = alpha.clone().requires_grad_()
    scores = functional_call(bank.base, bank.merged_layers(alpha), (pixels,)).scores
    rows = [torch.autograd.grad(score, alpha, retain_graph=True)[0] for score in scores]
    return scores.detach(), torch.stack(rows)


def check_every_layer(names, found, expected):
    assert found.shape == expected.shape
    negligible = 1e-6 * expected.norm()  # the bias of a key moves nothing but rounding errors
    for row, name in enumerate(names):
        error = (found[:, row] - expected[:, row]).norm()
        assert error < 1e-4 * expected[:, row].norm() + negligible, name


def check_silently(scorer, photos=5):
    """J of the scorer equals autograd's, and nothing is warned of."""
    stacked, pixels = random_vectors(scorer), torch.randn(photos, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
        scores, found = jacobian(scorer, pixels, stacked)
    torch.testing.assert_close(scores, scorer(pixels).scores)
    check_every_layer(stacked, found, photo_by_photo(scorer, pixels, stacked))


@pytest.fixture
def case():
    bank = make_bank(3)
    torch.manual_seed(0)
    alpha = torch.rand(len(bank.layers), 3)
    return bank, alpha, torch.randn(5, 3, 32, 32)


def test_every_layer_equals_autograd(case):
    bank, alpha, pixels = case
    scores, found = jacobian(bank.merge(alpha), pixels, bank.stacked)
    expected_scores, expected = by_coefficients(bank, alpha, pixels)
    torch.testing.assert_close(scores, expected_scores)
    check_every_layer(bank.layers, found, expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_of_every_family_equals_autograd(family):
    tower, _ = FAMILIES[family]
    check_silently(random_scorer(**tower))


@pytest.mark.parametrize("family", FAMILIES)
def test_few_modules_have_no_rule(family, monkeypatch):
    tower, expected = FAMILIES[family]
    called = []

    class Noted(jacobian_modules.Call):
        def __init__(self, module, *rest):
            called.append(type(module).__name__)
            super().__init__(module, *rest)

    monkeypatch.setattr(module, "Call", Noted)
    scorer = random_scorer(**tower)
    jacobian(scorer, torch.randn(3, 3, 32, 32), random_vectors(scorer))
    assert set(called) == expected


@pytest.mark.parametrize("family", ["CLIP", "SigLIP", "EfficientNet"])
def test_without_any_rule_modules_are_differentiated_by_themselves(family, monkeypatch):
    monkeypatch.setattr(jacobian_modules, "RULES", {})
    monkeypatch.setattr(jacobian_modules, "SCALES", {})
    check_silently(random_scorer(**FAMILIES[family][0]))


@pytest.mark.parametrize("family", ["SigLIP", "EfficientNet"])
def test_one_photo_alone(family):
    check_silently(random_scorer(**FAMILIES[family][0]), photos=1)


CONVOLUTION_KINDS = {
    "dense": {},
    "strided, padded on one side": {"stride": 2, "padding": (1, 0)},
    "dilated": {"dilation": 2, "padding": 2},
    "same, even kernel": {"kernel_size": 4, "padding": "same"},
    "patches that leave a rim": {"kernel_size": 3, "stride": 3},
    "one pixel": {"kernel_size": 1},
    "one pixel, strided": {"kernel_size": 1, "stride": 2},
    "groups": {"groups": 2},
    "depthwise, strided": {"groups": 4, "stride": 2, "padding": 1, "bias": False},
    "depthwise, two filters a channel": {"groups": 4, "out_channels": 8},
    "reflected": {"padding": 1, "padding_mode": "reflect"},
}


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", CONVOLUTION_KINDS)
def test_convolutions(kind, memory_format):
    torch.manual_seed(0)
    settings = {"in_channels": 4, "out_channels": 6, "kernel_size": 3}
    if CONVOLUTION_KINDS[kind].get("groups") == 4:
        settings["out_channels"] = 4
    convolution = nn.Conv2d(**settings | CONVOLUTION_KINDS[kind])

    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = convolution

        def forward(self, tokens):
            maps = tokens.reshape(-1, 4, 32, 4)
            maps = self.convolution(maps.contiguous(memory_format=memory_format))
            return tokens + maps.flatten(1).sin().mean(1)[:, None, None] * tokens

    check_silently(scorer_with(Part()))


def test_batches_and_chunks_change_nothing(case, monkeypatch):
    bank, alpha, pixels = case
    scorer = bank.merge(alpha)
    whole = jacobian(scorer, pixels, bank.stacked)
    steps = []
    monkeypatch.setattr(jacobian_modules, "CHUNK", 1)
    parts = jacobian(
        scorer, pixels, bank.stacked, memory_budget=1, progress=lambda *step: steps.append(step)
    )
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert steps == [(i, 5) for i in range(1, 6)]


def test_chunks_change_nothing_in_convolutions(monkeypatch):
    monkeypatch.setattr(jacobian_modules, "CHUNK", 1)
    monkeypatch.setattr(jacobian_modules, "PHOTOS", 2)
    check_silently(random_scorer(**CONVOLUTIONS))


def test_what_a_photo_takes_is_measured_once_for_scorers_of_a_kind(case, monkeypatch):
    bank, alpha, pixels = case
    measured, sizes = [], [4, 1000]
    monkeypatch.setattr(module, "_measured", {})
    monkeypatch.setattr(module, "_bytes_kept", lambda *_: measured.append(1) or sizes.pop(0))
    steps = []
    for scorer in (bank.base, bank.merge(alpha)):
        jacobian(scorer, pixels, bank.stacked, memory_budget=8, progress=lambda *s: steps.append(s))
    assert len(measured) == 1
    assert steps == [(2, 5), (4, 5), (5, 5)] * 2
    larger = torch.randn(2, 3, 64, 64)
    assert module.batch_size(random_scorer(**DINOV2), larger, torch.float32, 2000) == 2


def test_a_photo_takes_what_the_backward_pass_needs():
    kept = [
        module._bytes_kept(random_scorer(**TINY | size), torch.zeros(1, 3, 32, 32), torch.float32)
        for size in ({}, {"num_hidden_layers": 4})
    ]
    tokens, width, wide = 17, TINY["hidden_size"], TINY["intermediate_size"]
    block = 4 * tokens * (14 * width + 3 * wide)  # bytes, by counting a block's tensors
    assert kept[1] - kept[0] == pytest.approx(2 * block, rel=0.3)


def test_the_scorer_is_left_as_it_was(case):
    bank, alpha, pixels = case
    scorer = bank.merge(alpha)
    scorer.head.requires_grad_(False)
    before = [p.requires_grad for p in scorer.parameters()]
    jacobian(scorer, pixels, bank.stacked)
    assert [p.requires_grad for p in scorer.parameters()] == before
    assert all(p.grad is None for p in scorer.parameters())
    assert not any(m._forward_hooks for m in scorer.modules())


def test_layers_without_a_vector_are_passed_over(case):
    bank, alpha, pixels = case
    scorer = bank.merge(alpha)
    _, whole = jacobian(scorer, pixels, bank.stacked)
    some = [5, 2, len(bank.layers) - 1]  # in any order
    stacked = {bank.layers[row]: bank.stacked[bank.layers[row]] for row in some}
    torch.testing.assert_close(jacobian(scorer, pixels, stacked)[1], whole[:, some])


@pytest.mark.parametrize("family", ["CLIP", "SigLIP", "DINOv2", "AIMv2", "EfficientNet"])
def test_bfloat16_is_near(family):
    scorer = random_scorer(**FAMILIES[family][0])
    stacked, pixels = random_vectors(scorer), torch.randn(5, 3, 32, 32)
    _, exact = jacobian(scorer, pixels, stacked)
    _, products = jacobian(scorer, pixels, stacked, dtype=torch.bfloat16)
    _, all_of_it = jacobian(copy.deepcopy(scorer).to(torch.bfloat16), pixels, stacked)
    for found in (products, all_of_it):
        assert (found - exact).norm() / exact.norm() < 0.05


# Parts of a made-up tower, which take and give tokens (B, 16, 32).


class CalledTwice(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(32, 32)
        self.token = Token()

    def forward(self, tokens):
        return self.linear(self.token(self.linear(self.token(tokens))).tanh())


class ChangedInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.linear, self.token = nn.LayerNorm(32), nn.Linear(32, 32), Token()

    def forward(self, tokens):
        return self.linear(self.token(self.norm(tokens).mul_(2)).relu_()).relu_()


class Token(nn.Module):
    """Has no rule."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(32))

    def forward(self, tokens):
        return tokens + self.token * tokens.mean(1, keepdim=True)


class SeveralOutputs(nn.Module):
    """One computed from another, one that is not a tensor, one that is used by nobody."""

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(32, 32) / 6)
            self.other = nn.Parameter(torch.randn(32))

        def forward(self, tokens, *, scale):
            first = scale * tokens @ self.weight
            return {"first": first, "second": (first * self.other).sum(1), "third": None,
                    "unused": 2 * first}  # fmt: skip

    def __init__(self):
        super().__init__()
        self.inner = self.Inner()

    def forward(self, tokens):
        output = self.inner(tokens, scale=0.5)
        return output["first"] + output["second"][:, None].sin()


class UnusedLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.mask_token = nn.Parameter(torch.randn(32))
        self.linear = nn.Linear(32, 32)
        self.never_called = nn.Linear(32, 32)
        self.for_nothing = nn.Linear(32, 32)

    def forward(self, tokens):
        self.for_nothing(tokens)
        return self.linear(tokens)


class FusedAttention(nn.Module):
    """Its last linear layer is used but not called."""

    def __init__(self, photos_first=True):
        super().__init__()
        self.photos_first = photos_first
        self.attention = nn.MultiheadAttention(32, 2, batch_first=photos_first)

    def forward(self, tokens):
        tokens = tokens if self.photos_first else tokens.transpose(0, 1)
        tokens = self.attention(tokens, tokens, tokens)[0]
        return tokens if self.photos_first else tokens.transpose(0, 1)


class TokensFirst(FusedAttention):
    def __init__(self):
        super().__init__(photos_first=False)


class TiedLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.there, self.back = nn.Linear(32, 32), nn.Linear(32, 32)
        self.back.weight = self.there.weight

    def forward(self, tokens):
        return self.back(self.there(tokens).sin())


class Positions(nn.Module):
    """A table that is called without the photos, and given to a module with them."""

    class Added(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.randn(32))

        def forward(self, tokens, table, mask):
            return torch.where(mask[..., None], tokens + self.scale * table, tokens)

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(16, 32)
        self.added = self.Added()

    def forward(self, tokens):
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool)
        return self.added(tokens, self.table(torch.arange(16)), mask)


class MisleadingName(nn.Module):
    class GroupedRMSNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(32))

        def forward(self, tokens):
            groups = tokens.unflatten(-1, (4, 8))
            squares = groups.square().mean(-1, keepdim=True)
            return self.weight * (groups / (squares + 1e-3).sqrt()).flatten(-2)

    def __init__(self):
        super().__init__()
        self.norm = self.GroupedRMSNorm()

    def forward(self, tokens):
        return self.norm(tokens).sin()


class Parametrized(nn.Module):
    class Squares(nn.Module):
        def forward(self, weight):
            return weight.square()

    def __init__(self):
        super().__init__()
        self.linear, self.adapted = nn.Linear(32, 32), Adapted(32, 32)
        nn.utils.parametrize.register_parametrization(self.linear, "weight", self.Squares())

    def forward(self, tokens):
        return self.adapted(self.linear(tokens))


class Adapted(nn.Linear):
    """Computes something else than its parent does."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.more = nn.Parameter(torch.randn(32))

    def forward(self, tokens):
        return super().forward(tokens * self.more)


PARTS = [CalledTwice, ChangedInPlace, SeveralOutputs, UnusedLayers, FusedAttention, TiedLayers,
         Positions, MisleadingName, Parametrized]  # fmt: skip


class WithAndWithoutPhotos(nn.Module):
    """A linear layer that a learned query passes through as well as the tokens."""

    def __init__(self):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, 32))
        self.linear = nn.Linear(32, 32)

    def forward(self, tokens):
        return self.linear(tokens) * self.linear(self.query)


class ReadsNumbers(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(32))

    def forward(self, tokens):
        return tokens * self.weight if tokens.sum().item() < 1e9 else tokens


class Tower(nn.Module):
    """Patches, then a part; changes in place what its first layer gives."""

    def __init__(self, part: nn.Module):
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, stride=8)
        self.part = part

    def forward(self, pixels):
        tokens = self.patches(pixels).relu_().flatten(2).mT  # (B, 16, 32)
        return SimpleNamespace(image_embeds=self.part(tokens).sin().mean(1)[:, :16])


def scorer_with(part: nn.Module) -> AestheticScorer:
    scorer = make_scorer()
    scorer.vision = Tower(part).eval()
    return scorer


@pytest.mark.parametrize("photos", [5, 16], ids=["", "as many photos as tokens"])
@pytest.mark.parametrize("part", PARTS)
def test_made_up_modules(part, photos):
    torch.manual_seed(0)
    check_silently(scorer_with(part()), photos)


def test_tokens_may_come_first():
    torch.manual_seed(0)
    check_silently(scorer_with(TokensFirst()), photos=5)


@pytest.mark.parametrize("part", [WithAndWithoutPhotos, ReadsNumbers, TokensFirst])
def test_what_cannot_be_told_apart_by_photo_is_differentiated_all_the_same(part):
    torch.manual_seed(0)
    scorer = scorer_with(part())
    # As many photos as tokens: of those that come first it cannot be known.
    stacked, pixels = random_vectors(scorer), torch.randn(16, 3, 32, 32)
    with pytest.warns(UserWarning, match="cannot be told apart by photo"):
        _, found = jacobian(scorer, pixels, stacked)
    check_every_layer(stacked, found, photo_by_photo(scorer, pixels, stacked))
    assert all(p.requires_grad for p in scorer.parameters())
