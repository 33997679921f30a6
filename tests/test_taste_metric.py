"""A taste of kilobytes as a metric, and as a model of transformers."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModel, pipeline

from aesthetic_tv import create_metric
from aesthetic_tv.errors import FormatError, PhotoError, ScorerError, SettingError
from aesthetic_tv.files import replaceable
from aesthetic_tv.personalization import Personalization, Personalizer
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVectorBank
from conftest import ALICE

RATINGS = [1.0, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]


@pytest.fixture(scope="module")
def embedded() -> TaskVectorBank:
    return TaskVectorBank.from_pretrained("embedded:tiny")


@pytest.fixture
def mine(embedded, photos) -> Personalization:
    rated = dict(zip(photos, RATINGS, strict=True))
    return Personalizer(embedded, "instant", folds=0).fit(rated, scale=(1, 5))


@pytest.fixture
def taste(mine, tmp_path):
    mine.save_pretrained(tmp_path / "my-taste")
    return tmp_path / "my-taste"


def tensors(photos) -> torch.Tensor:
    arrays = [np.asarray(Image.open(photo)) for photo in photos]
    return torch.stack([torch.from_numpy(x.copy()).permute(2, 0, 1) for x in arrays]).float() / 255


def test_a_metric_scores_files_images_and_tensors_alike(taste, mine, photos):
    metric = create_metric(taste, device="cpu")
    right = mine.score(photos)
    opened = [Image.open(photo) for photo in photos]
    for given in (photos, opened, tensors(photos), list(tensors(photos))):
        found = metric(given)
        assert found.dtype == torch.float32 and not found.requires_grad
        np.testing.assert_allclose(found, right, atol=5e-3)
    assert metric(photos[0]).shape == metric(tensors(photos)[0]).shape == (1,)
    assert metric.lower_better is False and metric.score_range == (1.0, 5.0)
    assert create_metric(taste, calibrated=False).score_range == (1.0, 10.0)
    assert "lower_better=False, score_range=(1, 5)" in repr(metric)
    with pytest.raises(PhotoError, match=r"gone\.jpg"):
        metric("gone.jpg")


def test_as_a_loss_it_is_lower_the_better_and_gradients_flow(taste, photos):
    loss = create_metric(taste, as_loss=True)
    assert loss.lower_better is True and loss.score_range == (1.0, 10.0)
    images = tensors(photos[:2]).requires_grad_()
    before = loss(images)
    before.backward()
    assert before.ndim == 0 and before > 0
    assert loss((images - 0.02 * images.grad.sign()).clamp(0, 1).detach()) < before
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    with pytest.raises(SettingError, match="a loss needs tensors"):
        loss(photos)


def test_a_scorer_at_hand_becomes_a_metric_on_any_device(tiny_scorer, photos):
    metric = create_metric(tiny_scorer, device=torch.device("cpu"))
    np.testing.assert_allclose(metric(photos), tiny_scorer.score(photos), rtol=1e-6)
    assert metric.double().scorer.dtype == torch.float64
    with pytest.raises(SettingError, match="leave bank out"):
        create_metric(tiny_scorer, bank="embedded:tiny")


def test_auto_classes_and_pipeline_take_a_taste_for_a_scorer(taste, mine, photos):
    right = mine.score(photos)
    scorer = AutoModel.from_pretrained(taste)
    assert type(scorer) is AestheticScorer
    np.testing.assert_array_equal(scorer.score(photos), right)
    processor = AutoImageProcessor.from_pretrained(taste, use_fast=False)
    pixels = processor(images=Image.open(photos[0]), return_tensors="pt")["pixel_values"]
    raw = mine.score(photos[:1], calibrated=False)[0]
    assert scorer(pixels).scores.item() == pytest.approx(raw, abs=1e-3)
    score = pipeline("aesthetic-scoring", model=str(taste))
    assert score(str(photos[0]))[0]["score"] == pytest.approx(right[0], abs=1e-5)
    assert AutoModel.from_pretrained(taste, dtype="bfloat16").dtype == torch.bfloat16
    assert AutoConfig.from_pretrained(taste).calibration_ratings[-1] == 5


def test_a_taste_on_the_hub_is_a_model_of_transformers_too(hub, mine, photos):
    mine.push_to_hub("alice/my-taste", token=ALICE)
    scorer = AutoModel.from_pretrained("alice/my-taste", token=ALICE)
    np.testing.assert_array_equal(scorer.score(photos), mine.score(photos))
    score = pipeline("aesthetic-scoring", model="alice/my-taste", token=ALICE)
    assert score(str(photos[0]))[0]["score"] == pytest.approx(mine.score(photos[:1])[0], abs=1e-5)


def test_a_taste_is_not_replaced_by_a_scorer(taste):
    assert replaceable(taste, "personalization_config.json")
    assert not replaceable(taste, "config.json")


def test_a_taste_stays_small_and_tells_no_path(taste, tmp_path):
    assert sum(path.stat().st_size for path in taste.iterdir()) < 20_000
    text = "".join(path.read_text("utf-8") for path in taste.glob("*.json"))
    assert str(tmp_path) not in text and "assets" not in text


def test_a_taste_without_these_configs_loads_and_one_with_damaged_ones_does_not(
    taste, mine, photos
):
    path = taste / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["calibration_ratings"][-1] = 50.0
    path.write_text(json.dumps(config), "utf-8")
    with pytest.raises((ScorerError, FormatError), match=r"config\.json is damaged"):
        Personalization.from_pretrained(taste)
    path.write_text("{", "utf-8")
    with pytest.raises((ScorerError, FormatError), match=r"config\.json is damaged"):
        AestheticScorer.from_pretrained(taste)
    path.unlink()
    (taste / "preprocessor_config.json").unlink()
    old = Personalization.from_pretrained(taste)
    np.testing.assert_array_equal(old.score(photos), mine.score(photos))
    old.save_pretrained(taste)  # whose bank is not at hand
    assert not path.exists()
    AestheticScorer.from_pretrained(taste)
