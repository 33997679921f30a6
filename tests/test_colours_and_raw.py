"""Colour profiles, HEIC and RAW: seen as the person sees them, or the way out is told."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.personalization.photo_features import content_digest
from aesthetic_tv.scorer import load_photo
from aesthetic_tv.scorer.colour import to_srgb
from photo_samples import ADOBE_RGB, DISPLAY_P3, PROPHOTO, SRGB, dng, profile

SPACES = {
    "Display P3": profile(DISPLAY_P3),
    "Adobe RGB": profile(ADOBE_RGB, 563 / 256),
    "ProPhoto": profile(PROPHOTO, 1.8),
}
RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Soft colours, of which none leaves sRGB."""
    coarse = np.random.default_rng(3).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size)


def wide(icc: bytes, image: Image.Image | None = None, mode: str = "RGB") -> Image.Image:
    """The same picture in the space of a profile, which it carries."""
    to = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    srgb = ImageCms.createProfile("sRGB")
    stored = ImageCms.profileToProfile(
        image or picture(), srgb, to, renderingIntent=1, outputMode=mode
    )
    stored.info["icc_profile"] = icc
    return stored


def off(found: Image.Image, expected: Image.Image) -> float:
    """Mean difference in levels."""
    return float(np.abs(np.asarray(found, int) - np.asarray(expected, int)).mean())


def halves() -> Image.Image:
    image = Image.new("RGB", (64, 48), RED)
    image.paste(BLUE, (32, 0, 64, 48))
    return image


class TestProfiles:
    @pytest.mark.parametrize("space", SPACES)
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
    def test_a_photo_is_the_same_in_every_space(self, tmp_path, space, suffix):
        stored = wide(SPACES[space])
        settings = {".png": {}, ".tif": {}, ".jpg": {"quality": 98, "subsampling": 0}}
        quality = settings.get(suffix, {"quality": 98})
        stored.save(tmp_path / f"p{suffix}", icc_profile=SPACES[space], **quality)
        assert off(load_photo(tmp_path / f"p{suffix}"), picture()) < 3
        assert off(load_photo(stored), picture()) < 2  # in memory
        assert off(stored, picture()) > 5

    def test_pixels_that_are_srgb_stay_bit_for_bit(self, tmp_path):
        own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        picture().save(tmp_path / "p.png", icc_profile=own)
        assert off(load_photo(tmp_path / "p.png"), picture()) == 0
        image = picture()
        image.info["icc_profile"] = own
        assert to_srgb(image) is image

    @pytest.mark.parametrize(
        "icc",
        [
            b"garbage",
            SPACES["Adobe RGB"][:300],
            profile(((0, 0, 0),) * 3),  # every colour is black
            profile(gamma=1.0),  # of greys
            profile(SRGB, gamma=200.0),  # nearly all is black
        ],
        ids=["no profile", "cut off", "black", "grey", "absurd"],
    )
    def test_a_profile_that_cannot_be_meant_is_passed_over(self, tmp_path, icc):
        picture().save(tmp_path / "p.png", icc_profile=icc)
        assert off(load_photo(tmp_path / "p.png"), picture()) == 0

    def test_grey_photos_have_profiles_too(self, tmp_path):
        grey, icc = picture().convert("L"), profile(gamma=1.0)
        stored = wide(icc, mode="L")
        stored.save(tmp_path / "p.png", icc_profile=icc)
        expected = ImageCms.profileToProfile(
            stored,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=1,
            outputMode="RGB",
        )
        assert off(load_photo(tmp_path / "p.png"), expected) < 1
        assert off(load_photo(tmp_path / "p.png"), stored.convert("RGB")) > 10
        deep = Image.fromarray((np.asarray(stored, np.uint16) * 257).astype(np.uint16))
        deep.save(tmp_path / "deep.png", icc_profile=icc)
        assert off(load_photo(tmp_path / "deep.png"), expected) < 1
        grey.save(tmp_path / "colours.png", icc_profile=profile(SRGB))  # of colours, on grey
        assert off(load_photo(tmp_path / "colours.png"), grey.convert("RGB")) < 8

    def test_palettes_and_transparency_keep_working(self, tmp_path):
        stored = wide(SPACES["ProPhoto"])
        palette = stored.quantize(64)
        palette.save(tmp_path / "palette.png", icc_profile=SPACES["ProPhoto"])
        colours = palette.convert("RGB")
        colours.info["icc_profile"] = SPACES["ProPhoto"]
        assert off(load_photo(tmp_path / "palette.png"), load_photo(colours)) == 0
        clear = stored.convert("RGBA")
        clear.putalpha(Image.new("L", clear.size, 255))
        clear.paste((0, 0, 0, 0), (0, 0, 32, 48))
        clear.save(tmp_path / "clear.png", icc_profile=SPACES["ProPhoto"])
        loaded = load_photo(tmp_path / "clear.png")
        assert loaded.getpixel((8, 8)) == (255, 255, 255)
        right = (32, 0, 64, 48)
        assert off(loaded.crop(right), picture().crop(right)) < 2

    def test_a_camera_that_only_writes_that_it_is_adobe_rgb_is_believed(self, tmp_path):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
        wide(SPACES["Adobe RGB"]).save(
            tmp_path / "_DSC1.JPG", exif=exif, quality=98, subsampling=0, icc_profile=None
        )
        assert "icc_profile" not in Image.open(tmp_path / "_DSC1.JPG").info
        assert off(load_photo(tmp_path / "_DSC1.JPG"), picture()) < 3

    def test_what_was_loaded_is_loaded_again_as_it_is(self):
        once = load_photo(wide(SPACES["ProPhoto"]))
        assert off(load_photo(once), once) == 0

    def test_a_large_photo_is_made_smaller_first_and_looks_the_same(self, tmp_path):
        large = wide(SPACES["Display P3"], picture((640, 480)))
        whole, small = load_photo(large), load_photo(large, short_side=32)
        assert min(small.size) >= 4 * 32 and small.size < whole.size
        assert off(small.resize((64, 48)), whole.resize((64, 48))) < 2

    def test_the_profile_is_part_of_what_an_image_in_memory_is(self):
        plain, other = picture(), picture()
        other.info["icc_profile"] = SPACES["ProPhoto"]
        assert content_digest(plain) != content_digest(other)
        other.info["icc_profile"] = ImageCms.ImageCmsProfile(
            ImageCms.createProfile("sRGB")
        ).tobytes()
        assert content_digest(plain) == content_digest(other)


class TestHeic:
    @pytest.fixture
    def heic(self, tmp_path: Path) -> Path:
        pillow_heif = pytest.importorskip("pillow_heif")
        exif = Image.Exif()
        exif[0x112] = 6  # the camera was turned, as phones are held
        stored = wide(SPACES["Display P3"])
        path = tmp_path / "IMG_0001.HEIC"
        pillow_heif.from_pillow(stored).save(path, quality=95, exif=exif.tobytes())
        return path

    def test_it_is_read_upright_and_in_srgb_as_a_file_and_as_bytes(self, heic):
        expected = picture().transpose(Image.Transpose.ROTATE_270)
        for photo in (heic, heic.read_bytes()):
            assert off(load_photo(photo), expected) < 6

    def test_a_wrong_name_does_not_matter(self, heic):
        assert load_photo(heic.rename(heic.with_suffix(".jpg"))).mode == "RGB"

    def test_without_pillow_heif_the_message_tells_what_to_install(self, heic, monkeypatch):
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        renamed = heic.with_suffix(".jpg")
        renamed.write_bytes(heic.read_bytes())
        for photo in (heic, heic.read_bytes(), renamed):
            with pytest.raises(PhotoError, match=r'pip install "aesthetic-tv\[heic\]"'):
                load_photo(photo)


class TestRaw:
    @pytest.fixture(autouse=True)
    def rawpy(self):
        return pytest.importorskip("rawpy")

    @staticmethod
    def mosaic() -> np.ndarray:
        """Red light on the left, blue on the right."""
        light = np.full((48, 64), 500, np.uint16)
        light[0::2, 0:32:2] = 60_000
        light[1::2, 33::2] = 60_000
        return light

    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    @pytest.mark.parametrize("embedded", [True, False], ids=["preview", "developed"])
    def test_it_is_read_upright(self, tmp_path, orientation, embedded):
        content = dng(self.mosaic(), halves() if embedded else None, orientation)
        (tmp_path / "a.dng").write_bytes(content)
        side = {1: (0.1, 0.5), 3: (0.9, 0.5), 6: (0.5, 0.1), 8: (0.5, 0.9)}[orientation]
        for photo in (tmp_path / "a.dng", content):
            loaded = load_photo(photo)
            whole = (64, 48) if embedded else (32, 24)
            assert loaded.size == (whole if orientation in (1, 3) else whole[::-1])
            red, _, blue = loaded.getpixel(
                (int(side[0] * loaded.width), int(side[1] * loaded.height))
            )
            assert red > blue + 100

    def test_a_preview_that_was_turned_by_the_camera_is_not_turned_again(self, tmp_path):
        turned = halves().transpose(Image.Transpose.ROTATE_270)
        exif = Image.Exif()
        exif[0x112] = 1
        turned.save(buffer := io.BytesIO(), "JPEG", exif=exif, quality=95)
        loaded = load_photo(dng(self.mosaic(), Image.open(buffer), 6))
        assert loaded.size == (48, 64)
        assert loaded.getpixel((24, 4))[0] > 200

    def test_a_small_preview_is_passed_over(self):
        assert load_photo(dng(self.mosaic(), halves().resize((16, 12)))).size == (32, 24)

    def test_what_is_no_raw_file_is_told(self, tmp_path):
        (tmp_path / "DSC_7.NEF").write_bytes(b"II*\0" + bytes(400))
        with pytest.raises(PhotoError, match=r"DSC_7\.NEF: cannot be decoded"):
            load_photo(tmp_path / "DSC_7.NEF")

    def test_a_jpeg_with_a_name_of_raw_is_a_jpeg(self, tmp_path):
        halves().save(tmp_path / "a.jpg")
        assert load_photo((tmp_path / "a.jpg").rename(tmp_path / "a.nef")).size == (64, 48)

    def test_without_rawpy_the_message_tells_what_to_install(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "rawpy", None)
        content = dng(self.mosaic(), halves())
        (tmp_path / "a.dng").write_bytes(content)
        for photo in (tmp_path / "a.dng", content):
            with pytest.raises(PhotoError, match=r'pip install "aesthetic-tv\[raw\]"'):
                load_photo(photo)
