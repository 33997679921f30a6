"""A reward in one call: the processor's pixels in torch, gradients to the images alone."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name

from aesthetic_tv.errors import ScorerError, SettingError
from aesthetic_tv.scorer.images import crop
from aesthetic_tv.scorer.processors import normalization, unscaled
from aesthetic_tv.scorer.tensor_pixels import resizing_of, tensor_pixels
from conftest import make_scorer
from tower_samples import SAMPLES

SHAPES = [(48, 64), (64, 48), (37, 300), (20, 22)]  # height, width: down and up, and a strip
PROCESSORS = {name: sample.processor for name, sample in SAMPLES.items()} | {
    "lanczos": ("SiglipImageProcessorPil", {"size": {"height": 32, "width": 32}, "resample": 1}),
    "nearest": ("ViTImageProcessorPil", {"size": {"height": 32, "width": 32}, "resample": 0}),
    "squeezed by ConvNeXt": ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 384}}),
    "not resized": (
        "CLIPImageProcessorPil",
        {"do_resize": False, "crop_size": {"height": 20, "width": 20}},
    ),
}
CALIBRATED = {"calibration_scores": [4.0, 5.0, 6.0], "calibration_ratings": [1.0, 2.0, 5.0]}


def photo(height: int, width: int, seed: int = 0) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    noise = random.normal(0, 20, (height, width, 3))
    levels = np.asarray(coarse.resize((width, height))) + noise
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def processor(name: str):
    kind, settings = PROCESSORS[name]
    return get_image_processor_class_from_name(kind)(**settings)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", PROCESSORS)
def test_pixels_are_those_of_the_towers_processor(name, shape):
    image, made = photo(*shape), processor(name)
    right = np.asarray(made(images=image, **unscaled(made))["pixel_values"][0], dtype=float)
    if name not in ("lanczos", "nearest"):  # there the ends of a strip are no matter
        right = crop(image, made).astype(float)
    rounded, smooth = (
        255 * resizing_of(made)(tensor(image)[None], rounded=rounded)[0].numpy()
        for rounded in (True, False)
    )
    assert np.abs(rounded - right).max() < 1.01
    assert (np.abs(rounded - right) > 0.5).mean() < 0.01
    assert np.abs(smooth - right).max() < 1.4


def test_normalized_pixels_are_the_processors():
    made = processor("efficientnet")  # which normalizes twice
    image = photo(48, 64)
    right = made(images=image, return_tensors="pt")["pixel_values"]
    assert (tensor_pixels(tensor(image), made, rounded=True) - right).abs().max() < 0.08


def test_reward_is_the_score_of_the_same_photos(tiny_scorer):
    images = [photo(48, 64, seed) for seed in range(3)]
    scores = tiny_scorer.score(images, calibrated=False)
    batch = torch.stack([tensor(image) for image in images])
    np.testing.assert_allclose(tiny_scorer.reward(batch, rounded=True), scores, atol=2e-4)
    np.testing.assert_allclose(tiny_scorer.reward(batch), scores, atol=2e-3)


def test_images_of_several_sizes_and_one_image(tiny_scorer):
    images = [tensor(photo(*shape)) for shape in SHAPES]
    together = tiny_scorer.reward(images)
    assert together.shape == (4,)
    for image, reward in zip(images, together, strict=True):
        assert tiny_scorer.reward(image).item() == pytest.approx(reward.item(), abs=1e-5)
    assert tiny_scorer.reward(torch.empty(0, 3, 40, 40)).shape == (0,)


@pytest.mark.parametrize("shape", [(40, 56), (20, 24)], ids=["down", "up"])
def test_gradient_equals_finite_differences_through_the_resize(shape):
    scorer = make_scorer().double()
    torch.manual_seed(0)
    images = (0.2 + 0.6 * torch.rand(2, 3, *shape)).double().requires_grad_()
    (gradient,) = torch.autograd.grad(scorer.reward(images).sum(), images)
    for _ in range(6):
        way = torch.randn_like(images)
        step = 1e-6 * way
        with torch.no_grad():
            up, down = (scorer.reward(images + s, check=False).sum() for s in (step, -step))
        slope = ((up - down) / 2e-6).item()
        assert (gradient * way).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-10)


def test_rounding_leaves_the_gradient(tiny_scorer):
    images = torch.stack([tensor(photo(48, 64))]).requires_grad_()
    smooth, rounded = (
        torch.autograd.grad(tiny_scorer.reward(images, rounded=x).sum(), images)[0]
        for x in (False, True)
    )
    assert torch.nn.functional.cosine_similarity(smooth.ravel(), rounded.ravel(), dim=0) > 0.99


def test_a_generator_learns_and_the_scorer_stays_as_it_is(tiny_scorer):
    before = {name: x.clone() for name, x in tiny_scorer.state_dict().items()}
    tiny_scorer.train()  # dropout would make the reward a draw
    images = torch.full((2, 3, 48, 48), 0.5, requires_grad=True)
    first = tiny_scorer.reward(images).mean()
    for _ in range(10):
        (gradient,) = torch.autograd.grad(tiny_scorer.reward(images).sum(), images)
        images = (images + 0.05 * gradient.sign()).clamp(0, 1).detach().requires_grad_()
    assert tiny_scorer.reward(images).mean() > first + 0.01
    assert all(torch.equal(before[name], x) for name, x in tiny_scorer.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in tiny_scorer.parameters())


def test_gradients_are_to_be_had_after_photos_were_scored(tiny_scorer):
    normalization.cache_clear()
    resizing_of.cache_clear()
    tiny_scorer.score(photo(48, 64))  # in inference mode, whose tensors take no gradients
    with torch.inference_mode():
        tiny_scorer.reward(torch.rand(1, 3, 40, 40))
    images = torch.rand(1, 3, 40, 40, requires_grad=True)
    tiny_scorer.reward(images).sum().backward()
    assert images.grad is not None and images.grad.abs().max() > 0


def test_images_without_gradients_keep_no_graph(tiny_scorer):
    assert not tiny_scorer.reward(torch.rand(1, 3, 40, 40)).requires_grad
    with torch.no_grad():
        assert not tiny_scorer.reward(torch.rand(1, 3, 40, 40, requires_grad=True)).requires_grad


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_of_images_scorer_and_autocast(tiny_scorer, dtype):
    images = torch.stack([tensor(photo(48, 64, seed)) for seed in range(3)])
    right = tiny_scorer.reward(images)
    of_images = tiny_scorer.reward(images.to(dtype).requires_grad_())
    with torch.autocast("cpu", dtype=dtype):
        of_autocast = tiny_scorer.reward(images)
    of_scorer = tiny_scorer.to(dtype).reward(images)
    for found in (of_images, of_autocast, of_scorer):
        assert found.dtype == torch.float32
        assert (found - right).abs().max() < 0.05
    of_images.sum().backward()


def test_calibrated_rewards_are_on_the_persons_scale_and_have_its_slope():
    scorer = make_scorer()
    raw = torch.tensor([3.0, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0], dtype=torch.float64)
    for knot, value in CALIBRATED.items():
        setattr(scorer.config, knot, value)
    raw.requires_grad_()
    rated = scorer._on_scale(raw)
    np.testing.assert_allclose(rated.detach(), scorer.calibrate(raw.detach().numpy()))
    (slopes,) = torch.autograd.grad(rated.sum(), raw)
    np.testing.assert_allclose(slopes[[0, 2, 4, 6]], [0, 1, 3, 0])
    images = torch.stack([tensor(photo(48, 64, seed)) for seed in range(3)])
    right = scorer.calibrate(scorer.reward(images).double().numpy())
    np.testing.assert_allclose(scorer.reward(images, calibrated=True), right, atol=1e-5)


GOOD = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (GOOD * 255, "images / 255"),
        (GOOD * 2 - 1, r"\(images \+ 1\) / 2"),
        (GOOD * 500 - 100, "clamp"),
        (torch.full((1, 3, 40, 40), torch.nan), "diverged"),
        (torch.where(GOOD > 0.999, torch.inf, GOOD), "diverged"),
        ((GOOD * 255).to(torch.uint8), "uint8.*255"),
        (GOOD.movedim(1, -1), "movedim"),
        (GOOD[:, :1], r"\(2, 1, 40, 40\)"),
        ([GOOD], r"\(2, 3, 40, 40\)"),
        ([GOOD[0], "a.jpg"], "str among the images"),
        (["a.jpg"], "str among the images"),
        ([], "list in place of images"),
        (GOOD.numpy(), "ndarray in place"),
    ],
    ids=range(13),
)
def test_images_of_another_kind_are_refused_with_what_to_do(tiny_scorer, images, told):
    with pytest.raises(SettingError, match=told):
        tiny_scorer.reward(images)


def test_the_range_check_can_be_left_out(tiny_scorer):
    assert tiny_scorer.reward(GOOD * 2, check=False).shape == (2,)
    assert tiny_scorer.reward(GOOD + 0.5 / 255).shape == (2,)  # as rounding may leave it


@pytest.mark.parametrize(
    "settings", [{"resample": 4}, {"crop_size": {"height": 64, "width": 64}}], ids=["box", "padded"]
)
def test_a_processor_that_torch_cannot_follow_is_refused(settings):
    made = get_image_processor_class_from_name("CLIPImageProcessorPil")(
        **{"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}} | settings
    )
    with pytest.raises(ScorerError, match="cannot be done in torch"):
        tensor_pixels(GOOD, made)


def test_the_reward_travels_as_remote_code(tiny_scorer, tmp_path):
    tiny_scorer.save_pretrained(tmp_path / "scorer", remote_code=True)
    code = (
        "import sys, torch; from transformers import AutoModel;"
        "scorer = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True);"
        "assert 'aesthetic_tv' not in sys.modules;"
        "print(scorer.reward(torch.full((1, 3, 40, 40), 0.5)).item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "scorer")],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    right = tiny_scorer.reward(torch.full((1, 3, 40, 40), 0.5))
    assert float(done.stdout) == pytest.approx(right.item(), abs=1e-5)
