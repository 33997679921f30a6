"""How many photos go through a tower at once."""

import numpy as np
import pytest
import torch

from aesthetic_tv.scorer import image_processor, load_batches, passes


@pytest.fixture
def seen(tiny_scorer, monkeypatch):
    """Photos of each pass through the tower of `tiny_scorer`."""
    sizes = list[int]()
    hook = tiny_scorer.vision.register_forward_pre_hook(
        lambda module, args, kwargs: sizes.append(len((*args, *kwargs.values())[0])),
        with_kwargs=True,
    )
    monkeypatch.setattr(passes, "_largest", {})
    yield sizes
    hook.remove()


def room_for(photos: int, scorer, monkeypatch) -> None:
    passes.photos_at_once(scorer, torch.zeros(1, 3, 32, 32))
    (largest,) = passes._largest.values()
    monkeypatch.setattr(passes, "BLOCK", photos * largest)


def test_a_cpu_takes_as_many_as_are_fast_and_the_scores_are_the_same(
    tiny_scorer, seen, monkeypatch
):
    pixels = torch.randn(8, 3, 32, 32)
    whole = tiny_scorer(pixels).scores.detach().numpy()
    room_for(3, tiny_scorer, monkeypatch)
    seen.clear()
    with torch.inference_mode():
        scores = tiny_scorer.score_pixels(pixels)
    assert seen == [3, 3, 2]
    assert scores == pytest.approx(whole, abs=1e-5)
    with torch.no_grad():
        assert tiny_scorer(pixels).scores.numpy() == pytest.approx(whole, abs=1e-5)


def test_a_photo_that_does_not_fit_has_a_pass_of_its_own(tiny_scorer, seen, monkeypatch):
    room_for(1, tiny_scorer, monkeypatch)
    monkeypatch.setattr(passes, "BLOCK", passes.BLOCK // 2)
    seen.clear()
    with torch.no_grad():
        tiny_scorer.embed(torch.randn(2, 3, 32, 32))
    assert seen == [1, 1]


def test_what_needs_gradients_is_left_whole(tiny_scorer, seen, monkeypatch):
    room_for(1, tiny_scorer, monkeypatch)
    seen.clear()
    tiny_scorer(torch.randn(4, 3, 32, 32)).scores.sum().backward()
    assert seen == [4]
    tiny_scorer.zero_grad()


def test_it_is_measured_once_and_by_what_is_computed(tiny_scorer, seen):
    with torch.no_grad():
        for _ in range(3):
            tiny_scorer.embed(torch.randn(4, 3, 32, 32))
    assert seen == [1, 4, 4, 4]
    (largest,) = passes._largest.values()
    config = tiny_scorer.config.tower
    tokens = (config.image_size // config.patch_size) ** 2 + 1
    widest = 4 * tokens * config.intermediate_size  # bytes; weights are larger, and do not count
    assert largest == widest < max(p.nbytes for p in tiny_scorer.parameters())


def test_crops_score_as_the_pixel_values_they_become(tiny_scorer, photos):
    (batch,) = load_batches(photos, image_processor(tiny_scorer.config))
    assert batch.crops.dtype == torch.uint8
    with torch.inference_mode():
        found = [tiny_scorer.score_pixels(x) for x in (batch.crops, batch.pixel_values)]
    assert np.array_equal(*found)
