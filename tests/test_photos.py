"""Every kind of picture people have: scored rightly, or refused by name with the reason."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.scorer import image_processor, load_batches, load_photo
from aesthetic_tv.scorer.images import PIXEL_LIMIT

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def close(found: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 6) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(found, expected, strict=True))


def halves(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + pixels + chunk(b"IEND", b"")


class TestRefused:
    def test_zero_bytes(self, tmp_path):
        path = tmp_path / "empty.jpg"
        path.touch()
        with pytest.raises(PhotoError, match=r"empty\.jpg: is empty"):
            load_photo(path)

    def test_not_an_image(self, tmp_path):
        path = tmp_path / "notes.jpg"
        path.write_text("These are notes.")
        with pytest.raises(PhotoError, match=r"notes\.jpg: is not an image"):
            load_photo(path)

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".gif"])
    def test_truncated(self, tmp_path, suffix):
        path = tmp_path / f"cut{suffix}"
        noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(PhotoError, match=f"cut{suffix}: "):
            load_photo(path)

    def test_missing_and_a_link_that_leads_nowhere(self, tmp_path):
        (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
        for name in ("link.jpg", "gone.jpg"):
            with pytest.raises(PhotoError, match=f"{name}: there is no such file"):
                load_photo(tmp_path / name)

    def test_a_folder_with_the_name_of_a_photo(self, tmp_path):
        (tmp_path / "folder.jpg").mkdir()
        with pytest.raises(PhotoError, match=r"folder\.jpg: cannot be decoded"):
            load_photo(tmp_path / "folder.jpg")

    def test_a_decompression_bomb_names_the_limit(self, tmp_path):
        path = tmp_path / "bomb.png"
        path.write_bytes(png_header(30_000, 30_000))
        with pytest.raises(PhotoError, match=f"more than {PIXEL_LIMIT:,} pixels"):
            load_photo(path)

    def test_the_others_of_the_batch_are_read(self, tmp_path, photos, tiny_scorer):
        (tmp_path / "empty.jpg").touch()
        mixed = [photos[0], tmp_path / "empty.jpg", photos[1]]
        processor = image_processor(tiny_scorer.config.vision_config)
        (batch,) = load_batches(mixed, processor)
        assert batch.indices == [0, 2]
        assert list(batch.failures) == [1]


class TestRead:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_is_applied(self, tmp_path, orientation):
        upright = halves()
        undo = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }
        stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored.save(tmp_path / "turned.jpg", exif=exif, quality=95)
        loaded = load_photo(tmp_path / "turned.jpg")
        assert loaded.size == upright.size
        assert close(loaded.getpixel((8, 24)), RED)
        assert close(loaded.getpixel((56, 24)), BLUE)

    def test_cmyk(self, tmp_path):
        halves().convert("CMYK").save(tmp_path / "print.jpg", quality=95)
        loaded = load_photo(tmp_path / "print.jpg")
        assert loaded.mode == "RGB"
        assert close(loaded.getpixel((8, 24)), RED, 12)

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_sixteen_bits_keep_their_tones(self, tmp_path, suffix):
        ramp = np.linspace(0, 65535, 64).astype(np.uint16)
        Image.fromarray(np.tile(ramp, (48, 1))).save(tmp_path / f"deep{suffix}")
        loaded = np.asarray(load_photo(tmp_path / f"deep{suffix}"))
        assert np.abs(loaded[0, :, 0].astype(float) - ramp / 257).max() <= 1

    def test_transparency_is_laid_on_white(self, tmp_path):
        image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
        image.paste((*GREEN, 255), (16, 0, 32, 32))
        image.save(tmp_path / "alpha.png")
        image.quantize(4).save(tmp_path / "palette.png")
        image.convert("LA").save(tmp_path / "grey_alpha.png")
        for name in ("alpha.png", "palette.png"):
            loaded = load_photo(tmp_path / name)
            assert close(loaded.getpixel((4, 4)), WHITE), name
            assert close(loaded.getpixel((28, 4)), GREEN), name
        assert load_photo(tmp_path / "grey_alpha.png").getpixel((4, 4)) == WHITE

    def test_palette_with_a_transparent_colour(self, tmp_path):
        image = Image.new("P", (8, 8), 1)
        image.putpalette([*BLUE, *RED])
        image.paste(0, (0, 0, 4, 8))
        image.save(tmp_path / "palette.png", transparency=0)
        loaded = load_photo(tmp_path / "palette.png")
        assert loaded.getpixel((1, 1)) == WHITE
        assert loaded.getpixel((6, 1)) == RED

    @pytest.mark.parametrize("mode", ["L", "1"])
    def test_grey_and_black_and_white(self, tmp_path, mode):
        Image.new(mode, (16, 16), 255).save(tmp_path / "grey.png")
        assert load_photo(tmp_path / "grey.png").getpixel((3, 3)) == WHITE

    def test_the_first_frame_of_an_animation(self, tmp_path):
        frames = [Image.new("RGB", (24, 24), colour) for colour in (RED, GREEN, BLUE)]
        frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
        assert load_photo(tmp_path / "moving.gif").getpixel((3, 3)) == RED

    @pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (1, 20_000), (3000, 40)])
    def test_extreme_shapes_are_scored(self, tmp_path, tiny_scorer, size):
        Image.new("RGB", size, RED).save(tmp_path / "shape.png")
        (score,) = tiny_scorer.score(tmp_path / "shape.png")
        (plain,) = tiny_scorer.score(Image.new("RGB", (40, 40), RED))
        assert score == pytest.approx(plain, abs=1e-4)

    def test_a_large_jpeg_is_decoded_small_without_a_change_of_score(self, tmp_path, tiny_scorer):
        photo = halves((1600, 1200))
        photo.save(tmp_path / "large.jpg", quality=95)
        (small,) = tiny_scorer.score(tmp_path / "large.jpg")
        (whole,) = tiny_scorer.score(Image.open(tmp_path / "large.jpg"))
        assert small == pytest.approx(whole, abs=0.01)


def test_score_names_every_photo_that_cannot_be_read(tmp_path: Path, photos, tiny_scorer):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    with pytest.raises(PhotoError, match=r"(?s)a\.jpg.*b\.jpg"):
        tiny_scorer.score([photos[0], tmp_path / "a.jpg", tmp_path / "b.jpg"])
