"""When photos were taken, of every kind of file, and of none that says nothing."""

import struct

import pytest
from PIL import ExifTags, Image

from aesthetic_tv.photo_metadata.capture import Capture, capture, captures
from photo_samples import dng

TAKEN = Capture(1717178699.25, 7200.0, "X-T5", -2.0)  # 18:04:59.25 on the 31st of May 2024


@pytest.fixture
def exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "X-T5"
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    tags[0x9003], tags[0x9291] = "2024:05:31 18:04:59", "25"
    tags[0x9011], tags[0x9204] = "+02:00", -2.0
    return exif


@pytest.fixture
def picture() -> Image.Image:
    return Image.new("RGB", (64, 48), "red")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_what_pillow_reads(tmp_path, exif, picture, suffix):
    picture.save(tmp_path / f"a.{suffix}", exif=exif)
    assert capture(tmp_path / f"a.{suffix}") == TAKEN
    assert TAKEN.time == 1717178699.25 - 7200


def test_heic(tmp_path, exif, picture):
    pytest.importorskip("pillow_heif").register_heif_opener()
    picture.save(tmp_path / "a.heic", exif=exif)
    assert capture(tmp_path / "a.heic") == TAKEN


@pytest.mark.parametrize(("suffix", "magic"), [("nef", None), ("orf", b"OR"), ("rw2", b"\0U")])
def test_raw_that_is_tiff_as_its_maker_has_it(tmp_path, exif, suffix, magic):
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    if magic is not None:
        content = content[:2] + magic + content[4:]
    (tmp_path / f"a.{suffix}").write_bytes(content)
    assert capture(tmp_path / f"a.{suffix}") == TAKEN


def test_fujis_raw_by_the_jpeg_in_it(tmp_path, exif, picture):
    picture.save(tmp_path / "a.jpg", exif=exif)
    jpeg = (tmp_path / "a.jpg").read_bytes()
    header = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 100, len(jpeg))
    (tmp_path / "a.raf").write_bytes(header.ljust(100, b"\0") + jpeg)
    assert capture(tmp_path / "a.raf") == TAKEN


def test_raw_without_a_time_has_its_camera_alone(tmp_path):
    import numpy as np

    (tmp_path / "a.dng").write_bytes(dng(np.zeros((32, 32), np.uint16)))
    assert capture(tmp_path / "a.dng") == Capture(camera="Model")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("2024-05-31T18:04:59", 1717178699.0),
        ("2024:05:31 18:04:59\0", 1717178699.0),
        ("0000:00:00 00:00:00", None),
        ("2024:02:31 10:00:00", None),
        ("    :  :     :  :  ", None),
        ("yesterday", None),
    ],
)
def test_times_as_programs_write_them(tmp_path, picture, told, expected):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[0x9003] = told
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert capture(tmp_path / "a.jpg").local == expected


def test_a_scan_has_the_time_it_was_scanned_and_no_edit_counts(tmp_path, picture):
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = "2025:01:01 00:00:00"
    picture.save(tmp_path / "edited.jpg", exif=exif)
    exif.get_ifd(ExifTags.IFD.Exif)[0x9004] = "2024:05:31 18:04:59"
    picture.save(tmp_path / "scanned.jpg", exif=exif)
    found = captures([tmp_path / "edited.jpg", tmp_path / "scanned.jpg"])
    assert [photo.local for photo in found] == [None, 1717178699.0]


def test_what_says_nothing_or_is_no_photo(tmp_path, picture):
    picture.save(tmp_path / "plain.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe1\0\x10Exif\0\0II")
    (tmp_path / "broken.nef").write_bytes(b"II*\0\xff\xff\xff\xff")
    names = ("plain.jpg", "broken.jpg", "broken.nef", "nowhere.jpg")
    assert captures([tmp_path / name for name in names]) == [Capture()] * 4
