"""Near duplicates share a group, others do not, and the order given makes no difference."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from aesthetic_tv.errors import SettingError
from aesthetic_tv.photo_metadata.best import best_of, first_choices
from aesthetic_tv.photo_metadata.bursts import CROWD, bursts, bursts_of
from aesthetic_tv.photo_metadata.capture import bracketed, capture
from aesthetic_tv.photo_metadata.likeness import BITS, LAYOUT, Looks, layout, perceptual_hash
from aesthetic_tv.photo_metadata.shots import shots
from test_duplicates import landscape

DAY = 1_717_178_699.0


def looks(*images: Image.Image) -> Looks:
    return Looks.of(images)


def moved(image: Image.Image, share: float) -> Image.Image:
    """The camera turned a little to the right."""
    width, height = image.size
    left = share * width
    box = (left, 0, left + 0.85 * width, 0.85 * height)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def synthetic(bits: np.ndarray) -> Looks:
    """Photos of these hashes, whose layouts have nothing in common."""
    noise = np.random.default_rng(1).normal(size=(len(bits), LAYOUT, LAYOUT)).astype(np.float32)
    return Looks(bits, noise, np.ones(len(bits), bool))


def write(path, image, when="2024:05:31 18:04:59", fraction="0", bias=None, model="X-T5"):
    exif = Image.Exif()
    exif[0x0110] = model
    tags = exif.get_ifd(0x8769)
    if when:
        tags[0x9003], tags[0x9291] = when, fraction
    if bias is not None:
        tags[0x9204] = bias
    image.save(path, quality=92, exif=exif)
    return path


class TestLikeness:
    def test_bits_are_those_of_imagehash(self):
        imagehash = pytest.importorskip("imagehash")
        for seed in range(20):
            image = landscape(seed)
            assert (perceptual_hash(image) == imagehash.phash(image, 12).hash.ravel()).all()

    def test_a_blank_page_tells_nothing(self):
        found = looks(Image.new("RGB", (64, 48), "white"), landscape(0))
        assert found.known.tolist() == [False, True]
        assert found.distance(0, 0) == BITS
        assert found.correlation(0, 1) == -1

    def test_layouts_are_found_where_the_camera_moved(self):
        found = looks(moved(landscape(0), 0.02), moved(landscape(0), 0.12), landscape(1))
        assert found.distance(0, 1) > 44
        assert found.correlation(0, 1) > 0.8
        assert found.correlation(0, 2) < 0.5
        assert layout(landscape(0)).shape == (LAYOUT, LAYOUT)

    def test_only_those_asked_for_are_looked_at(self):
        found = Looks.of([landscape(0), b"no photo", landscape(1)], among=[1, 2])
        assert found.known.tolist() == [False, False, True]
        assert list(found.failures) == [1]


class TestBursts:
    def test_frames_within_seconds_are_one_burst_and_a_later_one_is_not(self):
        frame = landscape(0)
        images = [
            frame,
            moved(frame, 0.02),
            landscape(1),
            ImageEnhance.Brightness(frame).enhance(0.8),
        ]
        times = [DAY, DAY + 1, DAY + 1.5, DAY + 100]
        found = bursts("abcd", times=times, looks=looks(*images))
        assert found == [[0, 1], [2], [3]]

    def test_the_order_makes_no_difference_and_each_photo_is_in_one_group(self):
        random = np.random.default_rng(0)
        count = 300
        bits = np.repeat(random.random((60, BITS)) < 0.5, 5, axis=0) ^ (
            random.random((count, BITS)) < 0.1
        )
        seen = synthetic(bits)
        times = [None if i % 7 == 0 else DAY + i // 10 for i in range(count)]
        names = [f"{i}.jpg" for i in range(count)]
        expected = None
        for seed in range(4):
            order = np.random.default_rng(seed).permutation(count) if seed else np.arange(count)
            found = bursts(
                [names[i] for i in order],
                times=[times[i] for i in order],
                looks=Looks(seen.bits[order], seen.layouts[order], seen.known[order]),
            )
            assert sorted(place for group in found for place in group) == list(range(count))
            sets = {frozenset(int(order[place]) for place in group) for group in found}
            expected = expected or sets
            assert sets == expected
        assert max(map(len, expected)) > 2

    def test_a_long_pan_parts_where_nothing_of_its_first_frame_is_left(self):
        wide = Image.new("RGB", (2400, 200))
        for seed in range(10):
            wide.paste(landscape(seed, (240, 200)), (240 * seed, 0))
        frames = [wide.crop((x, 0, x + 300, 200)) for x in range(0, 1500, 15)]
        found = bursts(range(100), times=[DAY + 0.1 * i for i in range(100)], looks=looks(*frames))
        assert 1 < len(found) < 80
        seen = looks(*frames)
        for group in found:
            for place in group:
                alike = seen.distance(group[0], place) <= 44
                assert alike or seen.correlation(group[0], place) >= 0.6

    def test_a_hand_before_the_lens_does_not_part_a_burst(self):
        images = [landscape(0), landscape(1), landscape(0)]
        found = bursts("abc", times=[DAY, DAY + 1, DAY + 2], looks=looks(*images))
        assert found == [[0, 2], [1]]

    def test_a_bracket_is_one_group_and_told_as_such(self, tmp_path):
        frame = landscape(0)
        paths = [
            write(tmp_path / f"{i}.jpg", ImageEnhance.Brightness(frame).enhance(2.0**bias),
                  fraction=str(i), bias=float(bias))
            for i, bias in enumerate((0, -2, 1))
        ]  # fmt: skip
        assert bursts_of(paths) == [[0, 1, 2]]
        assert bracketed([capture(path) for path in paths])
        assert not bracketed([capture(paths[0])] * 3)

    def test_twins_without_a_time_join_the_photo_they_were_made_of(self, tmp_path):
        frame = landscape(0)
        original = write(tmp_path / "a.jpg", frame)
        landscape(1).save(tmp_path / "b.png")
        frame.resize((120, 90)).save(tmp_path / "small.jpg", quality=70)
        ImageEnhance.Color(frame).enhance(0).save(tmp_path / "grey.png")
        paths = [original, *(tmp_path / name for name in ("b.png", "small.jpg", "grey.png"))]
        assert sorted(map(sorted, bursts_of(paths))) == [[0, 2, 3], [1]]

    def test_without_times_frames_that_differ_as_in_a_burst_stay_apart(self):
        images = [moved(landscape(0), 0), moved(landscape(0), 0.1)]
        assert bursts("ab", times=[None, float("nan")], looks=looks(*images)) == [[0], [1]]

    def test_a_clock_that_stands_still_puts_nothing_together(self):
        random = np.random.default_rng(0)
        seen = synthetic(np.repeat(random.random((CROWD + 1, BITS)) < 0.5, 1, axis=0))
        seen.layouts[:] = seen.layouts[0]  # all alike, were they frames of one moment
        count = len(seen)
        assert len(bursts(range(count), times=[DAY] * count, looks=seen)) == count
        few = Looks(seen.bits[:100], seen.layouts[:100], seen.known[:100])
        assert len(bursts(range(100), times=[DAY] * 100, looks=few)) == 1

    def test_a_clock_that_was_set_back_still_tells_frames_of_one_burst(self):
        images = [landscape(seed) for seed in (0, 0, 1, 1)]
        times = [DAY, DAY + 1, 0.0, 1.0]
        assert bursts("abcd", times=times, looks=looks(*images)) == [[0, 1], [2, 3]]

    def test_frames_of_two_cameras_are_one_only_when_the_same_picture(self):
        frame = landscape(0)
        images = [moved(frame, 0), moved(frame, 0.1), moved(frame, 0)]
        found = bursts("abc", times=[DAY] * 3, looks=looks(*images), cameras=["A", "B", "C"])
        assert found == [[0, 2], [1]]

    def test_raw_and_jpeg_are_one_photo(self, tmp_path):
        frame = landscape(0)
        paths = [write(tmp_path / f"{i}.jpg", frame, fraction=str(i)) for i in range(2)]
        raw = tmp_path / "0.nef"
        raw.write_bytes(b"II*\0")
        album = shots([*paths, raw])
        assert bursts_of([shot.photo for shot in album]) == [[0, 1]]
        assert album[0].files == (paths[0], raw)

    def test_ten_thousand_photos_with_and_without_times(self):
        bits = np.random.default_rng(0).random((10_000, BITS)) < 0.5
        bits[5000:] = bits[:5000]
        seen = synthetic(bits)
        twins = bursts(range(10_000), times=[None] * 10_000, looks=seen)
        assert len(twins) == 5000
        timed = bursts(range(10_000), times=[60.0 * i for i in range(10_000)], looks=seen)
        assert len(timed) == 10_000

    def test_broken_photos_are_alone_and_no_photos_have_no_groups(self, tmp_path):
        (tmp_path / "a.jpg").write_bytes(b"no photo")
        (tmp_path / "b.jpg").write_bytes(b"no photo")
        assert bursts_of([tmp_path / "a.jpg", tmp_path / "b.jpg"]) == [[0], [1]]
        assert bursts_of([]) == []

    def test_what_cannot_be_is_refused(self):
        with pytest.raises(SettingError, match="seconds"):
            bursts("a", times=[1.0], looks=looks(landscape(0)), seconds=-1)
        with pytest.raises(SettingError, match="2 photos, 1 times"):
            bursts("ab", times=[1.0], looks=looks(landscape(0), landscape(1)))


class TestBest:
    def test_chances_are_those_of_scores(self):
        scores = np.array([0.3, 2.0, -1.0, 5.0])
        (burst, alone) = best_of([[0, 1, 2], [3]], scores)
        assert burst.photos == (1, 0, 2)
        weights = np.exp([2.0, 0.3, -1.0])
        assert burst.chances == pytest.approx(weights / weights.sum())
        assert alone.photos == (3,)
        assert alone.chances == (1.0,)

    def test_a_certain_gap_is_a_certain_choice_and_no_gap_none(self):
        assert first_choices(np.zeros((4, 4))) == pytest.approx(np.full(4, 0.25))
        gap = np.array([[0, 2000.0], [-2000.0, 0]])
        assert first_choices(gap) == pytest.approx([1, 0])

    def test_blur_and_grain_are_told_apart_by_traits(self):
        from aesthetic_tv.photo_metadata.frame_traits import TRAITS, frame_traits, traits_of

        frame = landscape(0)
        soft = frame.filter(ImageFilter.GaussianBlur(2))
        dark = ImageEnhance.Brightness(frame).enhance(0.6)
        rows = [frame_traits(image) for image in (frame, soft, dark)]
        fine, light = TRAITS.index("finest detail"), TRAITS.index("lightness")
        assert rows[0][fine] > rows[1][fine]
        assert rows[0][light] > rows[2][light] + 0.1
        found = traits_of([frame, b"none", frame], among=[0, 1])
        assert np.isfinite(found).all(1).tolist() == [True, False, False]
