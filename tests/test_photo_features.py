"""Photo features: what the tower says, kept by content, computed once."""

import numpy as np
import pytest
import torch
from PIL import Image

from aesthetic_tv.errors import FeatureFileError, FormatError, PreferenceError, SettingError
from aesthetic_tv.personalization import PhotoFeatures
from aesthetic_tv.personalization import photo_features as module
from aesthetic_tv.personalization.linear_model import linearize
from aesthetic_tv.scorer import image_processor, load_batches
from conftest import make_bank


@pytest.fixture
def passes(monkeypatch):
    """How many photos went through the tower, batch by batch."""
    counts = list[int]()
    real = module.coefficient_slopes

    def counted(bank, scorer, pixel_values, **kwargs):
        counts.append(len(pixel_values))
        return real(bank, scorer, pixel_values, **kwargs)

    monkeypatch.setattr(module, "coefficient_slopes", counted)
    return counts


def test_features_are_the_linear_model_at_the_generic_coefficients(tiny_bank, photos):
    album = PhotoFeatures.compute(tiny_bank, photos)
    (batch,) = load_batches(photos, image_processor(tiny_bank.base.config.tower))
    point = tiny_bank.generic_coefficients.numpy()
    expected = linearize(tiny_bank, batch.pixel_values, point, torch.float32)
    np.testing.assert_allclose(album.scores, expected.scores, rtol=1e-5)
    np.testing.assert_allclose(album.model.slopes, expected.slopes, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(album.scores, tiny_bank.generic_score(photos), rtol=1e-5)


def test_a_photo_costs_one_pass_however_often_it_comes(tiny_bank, photos, tmp_path, passes):
    cache = tmp_path / "album.features.safetensors"
    first = PhotoFeatures.compute(tiny_bank, photos[:8], cache=cache)
    assert sum(passes) == 8
    again = PhotoFeatures.compute(tiny_bank, photos[:8], cache=cache)
    assert sum(passes) == 8
    np.testing.assert_array_equal(again.model.slopes, first.model.slopes)
    more = PhotoFeatures.compute(tiny_bank, photos, cache=cache)
    assert sum(passes) == 12
    assert more.photos == tuple(photos)


def test_a_renamed_photo_is_known_by_its_content_and_a_changed_one_is_new(
    tiny_bank, photos, tmp_path, passes
):
    cache = tmp_path / "features.safetensors"
    PhotoFeatures.compute(tiny_bank, photos[:3], cache=cache)
    photos[0].rename(tmp_path / "renamed.jpg")
    Image.new("RGB", (64, 48), "red").save(photos[1])
    album = PhotoFeatures.compute(
        tiny_bank, [tmp_path / "renamed.jpg", photos[1], photos[2]], cache=cache
    )
    assert passes == [3, 1]
    alone = PhotoFeatures.compute(tiny_bank, [photos[1]])
    np.testing.assert_allclose(album.model.slopes[1], alone.model.slopes[0], atol=1e-5)


def test_the_order_is_that_of_the_photos_not_of_the_cache(tiny_bank, photos, tmp_path):
    cache = tmp_path / "features.safetensors"
    forwards = PhotoFeatures.compute(tiny_bank, photos, cache=cache)
    backwards = PhotoFeatures.compute(tiny_bank, photos[::-1], cache=cache)
    np.testing.assert_array_equal(backwards.scores, forwards.scores[::-1])
    np.testing.assert_array_equal(backwards.model.slopes, forwards.model.slopes[::-1])


def test_bad_photos_are_named_and_the_others_kept(tiny_bank, photos, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    missing = tmp_path / "missing.jpg"
    album = PhotoFeatures.compute(tiny_bank, [broken, *photos[:2], missing])
    assert album.photos == tuple(photos[:2])
    assert set(album.skipped) == {str(broken), str(missing)}
    with pytest.raises(PreferenceError, match=r"broken\.jpg"):
        PhotoFeatures.compute(tiny_bank, [broken])


def test_images_in_memory_and_photos_of_equal_content(tiny_bank, photos):
    image = Image.open(photos[0]).convert("RGB")
    album = PhotoFeatures.compute(tiny_bank, [image, photos[1], image.copy()])
    assert len(album) == 3
    np.testing.assert_array_equal(album.model.slopes[0], album.model.slopes[2])
    assert album.positions([image]).tolist() == [0]


def test_the_cache_of_another_bank_or_point_is_refused_and_left_alone(tiny_bank, photos, tmp_path):
    cache = tmp_path / "features.safetensors"
    PhotoFeatures.compute(tiny_bank, photos[:2], cache=cache)
    before = cache.read_bytes()
    with pytest.raises(FeatureFileError, match="Name another file"):
        PhotoFeatures.compute(make_bank(2), photos[:2], cache=cache)
    assert cache.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"something else", None], ids=["empty", "other", "cut"])
def test_a_damaged_cache_is_refused(tiny_bank, photos, tmp_path, content):
    cache = tmp_path / "features.safetensors"
    PhotoFeatures.compute(tiny_bank, photos[:2], cache=cache)
    cache.write_bytes(cache.read_bytes()[:-10] if content is None else content)
    with pytest.raises(FormatError, match="holds no photo features"):
        PhotoFeatures.compute(tiny_bank, photos[:2], cache=cache)


def test_a_kill_loses_a_minute_of_work_at_most(tiny_bank, photos, tmp_path, monkeypatch):
    cache = tmp_path / "features.safetensors"
    monkeypatch.setattr(module, "SAVED_EVERY", 0.0)
    monkeypatch.setattr(module, "BATCH", 4)

    def killed(done, total):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PhotoFeatures.compute(tiny_bank, photos, cache=cache, progress=killed)
    told = []
    PhotoFeatures.compute(
        tiny_bank, photos, cache=cache, progress=lambda *numbers: told.append(numbers)
    )
    assert told == [(4, 4)]


def test_scores_of_many_people_are_one_product(tiny_bank, photos):
    album = PhotoFeatures.compute(tiny_bank, photos)
    people = np.random.default_rng(0).normal(size=(5, len(tiny_bank.layers), 3))
    together = album.score_people(people)
    assert together.shape == (5, 12)
    for scores, alpha in zip(together, people, strict=True):
        np.testing.assert_allclose(scores, album.model.at(alpha.reshape(-1)), rtol=1e-4)


def test_an_unknown_precision_is_refused(tiny_bank, photos):
    with pytest.raises(SettingError, match="precision"):
        PhotoFeatures.compute(tiny_bank, photos, precision="float8")


def test_bfloat16_is_near_float32(photos):
    bank = make_bank(2)
    half, full = (
        PhotoFeatures.compute(bank, photos, precision=precision).model.slopes
        for precision in ("bfloat16", "float32")
    )
    assert np.linalg.norm(half - full) < 0.05 * np.linalg.norm(full)


def test_features_of_two_albums_are_those_of_both(tiny_bank, photos):
    whole = PhotoFeatures.compute(tiny_bank, photos)
    parts = PhotoFeatures.compute(tiny_bank, photos[:5]) + PhotoFeatures.compute(
        tiny_bank, photos[5:]
    )
    assert parts.photos == whole.photos
    assert parts.scores == pytest.approx(whole.scores, abs=1e-5)
    with pytest.raises(FeatureFileError, match="two banks"):
        whole + PhotoFeatures.compute(make_bank(), photos)
