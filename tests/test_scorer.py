"""The scorer is a plain transformers model with a reproducible head."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    pipeline,
)

from aesthetic_tv.errors import PhotoError, ScorerError
from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig, image_processor
from conftest import TINY, make_scorer


@pytest.fixture
def clip(tmp_path):
    """A full tiny CLIP checkpoint, text tower included."""
    torch.manual_seed(3)
    text = {
        "hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16,
        "num_attention_heads": 2, "vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    model = CLIPModel(CLIPConfig(vision_config=TINY, text_config=text, projection_dim=16))
    model.save_pretrained(tmp_path / "clip")
    return model, tmp_path / "clip"


def test_output_is_a_distribution_and_its_mean(tiny_scorer):
    output = tiny_scorer(torch.randn(5, 3, 32, 32))
    assert output.distribution.shape == (5, 10)
    torch.testing.assert_close(output.distribution.sum(1), torch.ones(5))
    expected = output.distribution @ torch.arange(1.0, 11.0)
    torch.testing.assert_close(output.scores, expected)
    torch.testing.assert_close(output.logits.softmax(1), output.distribution)
    assert output.loss is None


def test_loss_is_the_mean_squared_error_to_the_labels(tiny_scorer):
    pixels, labels = torch.randn(4, 3, 32, 32), torch.tensor([1.0, 5, 9, 3])
    output = tiny_scorer(pixels, labels=labels)
    torch.testing.assert_close(output.loss, ((output.scores - labels) ** 2).mean())


def test_save_and_load_give_the_same_scores(tiny_scorer, photos, tmp_path):
    expected = tiny_scorer.score(photos)
    tiny_scorer.save_pretrained(tmp_path / "scorer")
    for loader in (AestheticScorer, AutoModel, AutoModelForImageClassification):
        loaded = loader.from_pretrained(tmp_path / "scorer")
        assert isinstance(loaded, AestheticScorer)
        np.testing.assert_array_equal(loaded.score(photos), expected)
    assert isinstance(AutoConfig.from_pretrained(tmp_path / "scorer"), AestheticScorerConfig)


def test_transformers_own_image_classification_pipeline_gives_the_distribution(
    tiny_scorer, photos, tmp_path
):
    tiny_scorer.save_pretrained(tmp_path / "scorer")
    told = pipeline("image-classification", model=str(tmp_path / "scorer"))(
        str(photos[0]), top_k=10
    )
    mean = sum(float(bin_["label"]) * bin_["score"] for bin_ in told)
    assert mean == pytest.approx(tiny_scorer.score(photos[0])[0], abs=1e-5)


def test_from_clip_takes_the_vision_tower_and_draws_the_published_head(clip):
    model, folder = clip
    scorer = AestheticScorer.from_clip(folder, seed=7)
    ours = scorer.vision.state_dict()
    for name, tensor in model.vision_model.state_dict().items():
        torch.testing.assert_close(ours[f"vision_model.{name}"], tensor, rtol=0, atol=0)
    torch.testing.assert_close(
        scorer.vision.visual_projection.weight, model.visual_projection.weight
    )
    assert scorer.config.head_seed == 7
    again = AestheticScorer.from_clip(folder, seed=7)
    torch.testing.assert_close(again.head.hidden.weight, scorer.head.hidden.weight, rtol=0, atol=0)
    other = AestheticScorer.from_clip(folder, seed=8)
    assert not torch.equal(other.head.hidden.weight, scorer.head.hidden.weight)


def test_the_published_head_is_the_same_on_every_machine():
    scorer = make_scorer(seed=0)
    bound = 16**-0.5
    expected = np.random.RandomState(0).uniform(-bound, bound, size=(24, 16)).astype(np.float32)
    np.testing.assert_array_equal(scorer.head.hidden.weight.detach().numpy(), expected)


def test_from_clip_takes_a_vision_tower_alone(tmp_path):
    tower = CLIPVisionModelWithProjection(CLIPVisionConfig(**TINY))
    tower.save_pretrained(tmp_path / "tower")
    scorer = AestheticScorer.from_clip(tmp_path / "tower")
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(scorer(pixels).image_embeds, tower(pixels).image_embeds)


def test_from_clip_refuses_another_kind_of_model(tiny_scorer, tmp_path):
    tiny_scorer.save_pretrained(tmp_path / "scorer")
    with pytest.raises(ScorerError, match="aesthetic-scorer"):
        AestheticScorer.from_clip(tmp_path / "scorer")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_precision_scores_nearly_alike(tiny_scorer, photos, tmp_path, dtype):
    tiny_scorer.save_pretrained(tmp_path / "scorer")
    loaded = AestheticScorer.from_pretrained(tmp_path / "scorer", dtype=dtype)
    assert loaded.dtype == dtype
    np.testing.assert_allclose(loaded.score(photos), tiny_scorer.score(photos), atol=0.05)


def test_attention_is_sdpa(tiny_scorer):
    assert tiny_scorer.vision.vision_model.config._attn_implementation == "sdpa"


def test_preprocessing_is_the_authors(tiny_scorer):
    processor = image_processor(CLIPVisionConfig())
    assert processor.size["shortest_edge"] == 256
    assert (processor.crop_size["height"], processor.crop_size["width"]) == (224, 224)
    assert not getattr(processor, "do_flip", False)
    small = image_processor(tiny_scorer.config.tower)
    assert (small.size["shortest_edge"], small.crop_size["height"]) == (37, 32)


def test_score_names_every_photo_that_cannot_be_read(tiny_scorer, photos, tmp_path):
    bad = tmp_path / "notes.jpg"
    bad.write_text("hello")
    with pytest.raises(PhotoError) as error:
        tiny_scorer.score([photos[0], bad, tmp_path / "gone.jpg"])
    assert "notes.jpg" in str(error.value) and "gone.jpg" in str(error.value)


def test_what_can_be_read_is_scored_and_the_rest_named(tiny_scorer, photos, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    given, done = [photos[0], tmp_path / "broken.jpg", photos[1]], []
    scores, failures = tiny_scorer.score_readable(
        given, batch_size=2, progress=lambda *counts: done.append(counts), device="cpu"
    )
    assert scores[[0, 2]] == pytest.approx(tiny_scorer.score(photos[:2]), abs=1e-6)
    assert np.isnan(scores[1]) and list(failures) == [1]
    assert "broken.jpg" in str(failures[1]) and done == [(2, 3), (3, 3)]
    nothing, _ = tiny_scorer.score_readable([])
    assert nothing.shape == (0,)


def test_score_takes_one_photo_a_path_or_an_open_image(tiny_scorer, photos):
    by_path = tiny_scorer.score(str(photos[0]))
    assert by_path.shape == (1,)
    np.testing.assert_array_equal(tiny_scorer.score([Image.open(photos[0])]), by_path)


def test_scores_do_not_depend_on_the_batch(tiny_scorer, photos):
    whole = tiny_scorer.score(photos, batch_size=12)
    np.testing.assert_allclose(tiny_scorer.score(photos, batch_size=5), whole, atol=1e-5)


def test_calibration_maps_onto_the_persons_scale(tiny_scorer, photos, tmp_path):
    raw = tiny_scorer.score(photos)
    tiny_scorer.config.calibration_scores = [float(raw.min()), float(raw.max())]
    tiny_scorer.config.calibration_ratings = [1.0, 5.0]
    tiny_scorer.save_pretrained(tmp_path / "mine")
    mine = AestheticScorer.from_pretrained(tmp_path / "mine")
    calibrated = mine.score(photos)
    assert calibrated.min() == 1 and calibrated.max() == 5
    np.testing.assert_array_equal(np.argsort(calibrated), np.argsort(raw))
    np.testing.assert_array_equal(mine.score(photos, calibrated=False), raw)


@pytest.mark.parametrize(
    "settings",
    [
        {"bin_values": [1.0]},
        {"bin_values": [float(10 - i) for i in range(10)]},
        {"calibration_scores": [1.0, 2.0]},
        {"calibration_scores": [2.0, 1.0], "calibration_ratings": [1.0, 2.0]},
        {"head_dropout": 1.0},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(settings):
    with pytest.raises(Exception, match=r"bin_values|calibration|head_dropout"):
        AestheticScorerConfig(vision_config=TINY, **settings)


def test_weights_far_off_still_give_a_score(tiny_scorer):
    with torch.no_grad():
        tiny_scorer.head.output.bias.fill_(-500.0)  # every sigmoid is 0 in float32
        tiny_scorer.head.output.bias[3] = -400.0
    scores = tiny_scorer.score_pixels(torch.randn(2, 3, 32, 32))
    assert scores == pytest.approx([4.0, 4.0], abs=1e-4)
