"""Edits do what their name says, by the strength asked for, and nothing else."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from aesthetic_tv.assets.edits import EDITS, EditError, apply_edit
from aesthetic_tv.errors import AestheticTVError

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A smooth coloured scene with some detail, 96x72, away from black and white."""
    rng = np.random.default_rng(3)
    smooth = ndimage.gaussian_filter(rng.random((72, 96, 3)), (6, 6, 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    detail = ndimage.gaussian_filter(rng.random((72, 96, 1)), (0.7, 0.7, 0))
    return Image.fromarray((40 + 120 * smooth + 50 * detail).astype(np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, float)


def detail(image: Image.Image) -> float:
    return float(ndimage.laplace(pixels(image.convert("L"))).var())


def brightness(image: Image.Image) -> float:
    return float(pixels(image).mean())


def chroma(image: Image.Image) -> float:
    return float(np.ptp(pixels(image), axis=2).mean())


def spread(image: Image.Image) -> float:
    return float(pixels(image.convert("L")).std())


def redness(image: Image.Image) -> float:
    means = pixels(image).mean((0, 1))
    return float(means[0] - means[2])


def luminance(image: Image.Image) -> float:
    encoded = pixels(image) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return float((linear @ (0.2126, 0.7152, 0.0722)).mean())


@pytest.mark.parametrize("kind", EDITS)
def test_strength_zero_gives_an_identical_copy(photo, kind):
    result = apply_edit(photo, kind, 0)
    assert result is not photo
    assert result.tobytes() == photo.tobytes()


@pytest.mark.parametrize("kind", EDITS)
def test_the_range_ends_change_the_picture_and_keep_its_size(photo, kind):
    before = photo.tobytes()
    for strength in {EDITS[kind].low, EDITS[kind].high} - {0.0}:
        result = apply_edit(photo, kind, strength)
        assert (result.size, result.mode) == (photo.size, "RGB")
        assert result.tobytes() != before
    assert photo.tobytes() == before, "the input must stay as it was"


@pytest.mark.parametrize(
    ("kind", "measure", "direction"),
    [
        ("blur", detail, -1),
        ("noise", detail, 1),
        ("underexposure", brightness, -1),
        ("overexposure", brightness, 1),
        ("desaturation", chroma, -1),
        ("exposure", brightness, 1),
        ("saturation", chroma, 1),
        ("warmth", redness, 1),
        ("contrast", spread, 1),
    ],
)
def test_more_strength_has_more_effect(photo, kind, measure, direction):
    strengths = (-1.0, -0.5, *STRENGTHS) if EDITS[kind].two_sided else STRENGTHS
    values = [measure(apply_edit(photo, kind, strength)) for strength in strengths]
    assert np.all(np.diff(values) * direction > 0), values


@pytest.mark.parametrize("kind", ["crop", "jpeg", "tilt"])
def test_more_strength_moves_further_from_the_original(photo, kind):
    changes = [np.abs(pixels(apply_edit(photo, kind, s)) - pixels(photo)).mean() for s in STRENGTHS]
    # The change need not grow at every step, as the pixels move or are rounded to blocks.
    assert changes[0] == 0 < changes[1] < changes[-1]


@pytest.mark.parametrize("kind", EDITS)
def test_the_same_seed_gives_the_same_picture(photo, kind):
    first, second = (apply_edit(photo, kind, 0.6, seed=11) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_another_seed_gives_other_noise(photo):
    first, second = (apply_edit(photo, "noise", 0.6, seed=seed) for seed in (1, 2))
    assert first.tobytes() != second.tobytes()


def test_tilt_turns_either_way_depending_on_the_seed(photo):
    assert len({apply_edit(photo, "tilt", 0.6, seed=seed).tobytes() for seed in range(12)}) == 2


def test_tilt_shows_no_border():
    white = Image.new("RGB", (41, 23), "white")
    assert pixels(apply_edit(white, "tilt", 1.0)).min() == 255


def test_crop_keeps_the_centre():
    target = Image.new("RGB", (50, 50), "black")
    target.paste("white", (15, 15, 35, 35))  # the central 40 % of each side
    assert pixels(apply_edit(target, "crop", 1.0)).mean() > 240


def test_full_desaturation_is_grey_and_equals_saturation_minus_one(photo):
    grey = apply_edit(photo, "desaturation", 1.0)
    assert chroma(grey) == 0
    assert grey.tobytes() == apply_edit(photo, "saturation", -1.0).tobytes()


def test_one_sided_exposures_are_the_halves_of_the_two_sided_one(photo):
    for kind, sign in (("underexposure", -1), ("overexposure", 1)):
        expected = apply_edit(photo, "exposure", sign * 0.4)
        assert apply_edit(photo, kind, 0.4).tobytes() == expected.tobytes()


def test_exposure_is_in_stops_of_linear_light():
    grey = Image.new("RGB", (4, 4), (60, 60, 60))
    brighter = apply_edit(grey, "exposure", 0.4)  # 0.4 of 2.5 stops: twice the light
    assert luminance(brighter) / luminance(grey) == pytest.approx(2, rel=0.03)


def test_overexposure_clips_highlights(photo):
    assert (pixels(apply_edit(photo, "overexposure", 1.0)) == 255).mean() > 0.2


@pytest.mark.parametrize("strength", [-1.0, -0.4, 0.4, 1.0])
def test_warmth_keeps_luminance(photo, strength):
    warmer = apply_edit(photo, "warmth", strength)
    assert luminance(warmer) == pytest.approx(luminance(photo), rel=0.03)


@pytest.mark.parametrize("size", [(180, 180), (400, 300), (900, 700)])
def test_noise_looks_equally_strong_at_every_picture_size(size):
    noisy = apply_edit(Image.new("RGB", size, (128, 128, 128)), "noise", 0.5)
    factor = min(1.0, 224 / min(size))
    seen = noisy.resize([round(side * factor) for side in size], Image.Resampling.BILINEAR)
    assert pixels(seen)[..., 1].std() == pytest.approx(22.5, rel=0.15)


def test_blur_is_relative_to_the_short_side(photo):
    large = photo.resize((480, 360), Image.Resampling.BICUBIC)
    shrunk = apply_edit(large, "blur", 1.0).resize(photo.size, Image.Resampling.BOX)
    assert np.abs(pixels(shrunk) - pixels(apply_edit(photo, "blur", 1.0))).mean() < 3


@pytest.mark.parametrize("kind", EDITS)
@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_other_modes_come_back_as_rgb(photo, kind, mode):
    assert apply_edit(photo.convert(mode), kind, 0.5).mode == "RGB"


@pytest.mark.parametrize("kind", EDITS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (300, 3)])
def test_tiny_and_narrow_pictures_work(kind, size):
    for strength in (0.0, 0.3, 1.0):
        assert apply_edit(Image.new("RGB", size, (90, 140, 60)), kind, strength).size == size


@pytest.mark.parametrize("colour", ["black", "white"])
@pytest.mark.parametrize("kind", EDITS)
def test_flat_black_and_white_pictures_work(kind, colour):
    assert apply_edit(Image.new("RGB", (8, 8), colour), kind, 1.0).size == (8, 8)


def test_an_unknown_kind_is_named_with_the_known_ones(photo):
    with pytest.raises(EditError, match=r"'sparkle'.*blur.*warmth"):
        apply_edit(photo, "sparkle", 0.5)


@pytest.mark.parametrize("kind", EDITS)
@pytest.mark.parametrize("strength", [-1.01, 1.01, float("nan"), float("inf")])
def test_a_strength_out_of_range_is_refused(photo, kind, strength):
    with pytest.raises(EditError, match=r"out of range.*expected a number in"):
        apply_edit(photo, kind, strength)


def test_one_sided_edits_refuse_negative_strengths(photo):
    with pytest.raises(EditError, match=r"-0.5.*'blur'.*\[0, 1\]"):
        apply_edit(photo, "blur", -0.5)


def test_a_negative_seed_and_an_empty_picture_are_refused(photo):
    with pytest.raises(EditError, match="seed -1"):
        apply_edit(photo, "noise", 0.5, seed=-1)
    with pytest.raises(EditError, match="no pixels"):
        apply_edit(Image.new("RGB", (0, 5)), "blur", 0.5)


def test_edit_errors_can_be_caught_as_library_and_as_value_errors():
    assert issubclass(EditError, AestheticTVError)
    assert issubclass(EditError, ValueError)


def test_every_edit_describes_itself():
    for name, edit in EDITS.items():
        assert edit.name == name
        assert edit.low in (-1.0, 0.0)
        assert edit.high == 1.0
        assert edit.description
