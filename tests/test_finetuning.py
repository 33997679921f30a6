"""Fine-tuning: learns what the scores say, leaves the base alone, refuses scores that cannot be."""

import numpy as np
import pytest
import torch
from PIL import Image

from aesthetic_tv.errors import PhotoError, SettingError
from aesthetic_tv.finetuning import FinetuneConfig, finetune, load_crops, normalize
from aesthetic_tv.personalization import srocc
from aesthetic_tv.scorer import image_processor, pixel_values
from aesthetic_tv.task_vectors import TaskVector, fingerprint
from aesthetic_tv.task_vectors.task_vector import layers_of
from conftest import make_scorer

QUICK = FinetuneConfig(head_epochs=1, epochs=1, batch_size=8)


def bright_and_dark(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise of random brightness, and that brightness as the score, 0 to 100."""
    random = np.random.default_rng(seed)
    brightness = random.uniform(40, 215, count)
    noise = random.normal(0, 30, (count, 3, 32, 32))
    crops = np.clip(brightness[:, None, None, None] + noise, 0, 255).astype(np.uint8)
    return crops, 100 * (brightness - 40) / 175


def test_a_scorer_learns_what_the_scores_say(tiny_scorer):
    crops, scores = bright_and_dark(96)
    config = FinetuneConfig(head_epochs=5, epochs=8, lr=2e-3, batch_size=16, score_range=(0, 100))
    scorer = finetune(tiny_scorer, crops, scores, config)
    unseen, truth = bright_and_dark(40, seed=1)
    told = scorer(normalize(unseen)).scores.detach().numpy()
    assert srocc(told, truth) > 0.8
    on_bins = 1 + 9 * truth / 100
    assert np.abs(told - on_bins).mean() < np.abs(5.5 - on_bins).mean()


def test_the_base_stays_as_it_was_and_the_result_is_a_task_vector_away(tiny_scorer):
    before = fingerprint(layers_of(tiny_scorer))
    crops, scores = bright_and_dark(16)
    scorer = finetune(tiny_scorer, crops, scores, QUICK)
    assert fingerprint(layers_of(tiny_scorer)) == before
    assert TaskVector.from_scorers(tiny_scorer, scorer).norm() > 0
    assert not scorer.training and scorer.config.head_seed is None


def test_one_seed_is_one_result_and_the_global_seed_is_left_alone(tiny_scorer):
    crops, scores = bright_and_dark(16)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = layers_of(finetune(tiny_scorer, crops, scores, QUICK))
    assert torch.equal(torch.rand(1), expected)
    second = layers_of(finetune(tiny_scorer, crops, scores, QUICK))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_no_epochs_train_the_head_alone(tiny_scorer):
    crops, scores = bright_and_dark(16)
    scorer = finetune(tiny_scorer, crops, scores, FinetuneConfig(head_epochs=2, epochs=0))
    vector = TaskVector.from_scorers(tiny_scorer, scorer)
    moved = {name for name, tau in vector.layers.items() if tau.abs().max() > 0}
    assert moved and all(name.startswith("head.") for name in moved)


def test_progress_counts_every_step(tiny_scorer):
    crops, scores = bright_and_dark(20)
    steps = []
    finetune(tiny_scorer, crops, scores, QUICK, progress=lambda *step: steps.append(step))
    assert [step[1:] for step in steps if step[0] == "all layers"] == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("scores", "config", "message"),
    [
        (np.zeros(15), QUICK, "16 scores, one per photo"),
        (np.full(16, np.nan), QUICK, "finite"),
        (np.ones(16), QUICK, "different scores"),
        (np.arange(16.0), FinetuneConfig(score_range=(0, 10)), "range 0 to 10"),
    ],
)
def test_scores_that_cannot_be_learned_from_are_refused(tiny_scorer, scores, config, message):
    with pytest.raises(SettingError, match=message):
        finetune(tiny_scorer, bright_and_dark(16)[0], scores, config)


@pytest.mark.parametrize(
    "settings",
    [{"lr": 0.0}, {"epochs": -1}, {"batch_size": 0}, {"warmup": 1.0}, {"score_range": (5.0, 1.0)}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        FinetuneConfig(**settings)


def test_crops_are_what_the_scorer_sees(tiny_scorer, photos):
    crops = load_crops(photos, tiny_scorer.config.tower)
    assert crops.shape == (12, 3, 32, 32) and crops.dtype == np.uint8
    seen = pixel_values(photos[3], image_processor(tiny_scorer.config.tower))
    torch.testing.assert_close(normalize(crops)[3], seen, rtol=0, atol=1e-5)


def test_a_bad_photo_is_named(photos, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "fine.png")
    (tmp_path / "bad.jpg").write_bytes(b"")
    with pytest.raises(PhotoError, match=r"bad\.jpg"):
        load_crops([tmp_path / "fine.png", tmp_path / "bad.jpg"], make_scorer().config.tower)
