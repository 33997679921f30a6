"""The stars that photos have already: where they may stand, which one counts, what is broken."""

import os
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, TiffImagePlugin, features

from aesthetic_tv.errors import MetadataError, PhotoError
from aesthetic_tv.photo_metadata.embedded import read_embedded
from aesthetic_tv.photo_metadata.stars import read_stars
from aesthetic_tv.photo_metadata.xmp import (
    MOST_BYTES,
    MOST_ELEMENTS,
    told_by_packet,
    told_by_percent,
)
from aesthetic_tv.photo_metadata.xmp_edit import spliced, with_stars
from metadata_tools import write_by_exiftool, write_by_exiv2
from photo_samples import dng
from sidecar_samples import LAYOUTS, RDF, packet, rated

RATING, RATING_PERCENT = 0x4746, 0x4749


def save(path: Path, stars: object = None, exif: dict[int, object] | None = None) -> Path:
    """A tiny photo of the kind its suffix says, with these stars in it."""
    image, options = Image.new("RGB", (16, 12), (90, 120, 30)), {}
    xmp = b"" if stars is None else rated(stars)
    if path.suffix in (".png", ".tif"):
        if path.suffix == ".png":
            options["pnginfo"] = info = PngImagePlugin.PngInfo()
            if xmp:
                info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        elif xmp:
            options["tiffinfo"] = tags = TiffImagePlugin.ImageFileDirectory_v2()
            tags[700] = xmp
    elif xmp:
        options["xmp"] = xmp
    if exif:
        options["exif"] = made = Image.Exif()
        made.update(exif)
    image.save(path, **options)
    return path


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    return folder


def stars_of(album: Path) -> dict[str, float]:
    return {Path(photo).name: stars for photo, stars in read_stars(album).ratings.items()}


# One packet


@pytest.mark.parametrize("program", LAYOUTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_layouts_of_programs_in_any_encoding_of_xmp(program, encoding):
    told = told_by_packet(LAYOUTS[program].encode(encoding))
    assert (told.stars, told.rejected, told.problem) == (3, False, "")


@pytest.mark.parametrize(
    ("content", "stars", "rejected"),
    [
        (packet('xmp:Rating="0"'), 0, False),
        (packet('xmp:Rating=""'), None, False),
        (packet(), None, False),
        (packet('xmp:Rating="-1"'), None, True),
        (packet('xmp:Rating=" 4.0 "'), 4, False),
        (packet('xmp:Rating="3.5"'), 3.5, False),
        (packet(inside="<xmp:Rating>\n 2 </xmp:Rating>"), 2, False),
        (packet('M:Rating="99"', namespaces='xmlns:M="http://ns.microsoft.com/photo/1.0/"'), 5, 0),
        (packet('M:Rating="25"', namespaces='xmlns:M="http://ns.microsoft.com/photo/1.0"'), 2, 0),
        (
            packet(
                'xmp:Rating="4" d:PickLabel="1"',
                namespaces='xmlns:d="http://www.digikam.org/ns/1.0/"',
            ),
            4,
            True,
        ),
        (
            packet(
                'm:pick="-1"', namespaces='xmlns:m="http://ns.adobe.com/xmp/1.0/DynamicMedia/"'
            ),
            None,
            True,
        ),
        # Of what the photo was made from, no stars of its own.
        (packet(inside='<a:b xmlns:a="q"><rdf:Description xmp:Rating="5"/></a:b>'), None, False),
        (f'<rdf:RDF {RDF}><rdf:Description xmlns:q="http://ns.adobe.com/xap/1.0/" q:Rating="5"/>'
         "</rdf:RDF>", 5, False),
    ],
)  # fmt: skip
def test_what_a_packet_says(content, stars, rejected):
    told = told_by_packet(content.encode())
    assert (told.stars, told.rejected, told.problem) == (stars, bool(rejected), "")


@pytest.mark.parametrize("value", ["7", "-2", "0.5", "five", "nan", "1e9"])
def test_a_rating_that_is_none_is_named_and_is_not_taken(value):
    told = told_by_packet(rated(value))
    assert told.stars is None
    assert value in told.problem


@pytest.mark.parametrize(
    ("percent", "stars"), [(0, 0), (1, 1), (25, 2), (50, 3), (75, 4), (99, 5), (100, 5), ("63", 4)]
)
def test_percentages_of_windows(percent, stars):
    assert told_by_percent(percent).stars == stars


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 9))
    + b"]><x>&a8;</x>"
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0\0\0\0", "empty"),
        (rated(3)[:-60], "no whole XML"),
        (b"<a><b></a>", "no whole XML"),
        (b"<a/>", "rdf:RDF"),
        (BOMB, "entities"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b"\xff\xfe<\0a", "no text"),
        (b"\xef\xbb\xbf\xff\xff", "no text"),
        (rated(3)[:-12] + b"\xff" + rated(3)[-12:], "no text in utf-8"),
        (b" " * (MOST_BYTES + 1), "bytes"),
        (b"<a>" * 50_000, "XML"),
        (b"<a>" * (MOST_ELEMENTS + 1), "elements"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "rdf:RDF"),
        (b'<?xml version="1.0" encoding="rot13"?><a/>', "no text"),
    ],
)
def test_what_is_no_xmp_is_refused(content, reason):
    with pytest.raises(MetadataError, match=reason):
        told_by_packet(content)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), st.integers(0, 10**6), st.binary(max_size=6), st.data())
def test_a_packet_that_was_changed_anywhere_is_read_or_refused_by_name(program, at, new, data):
    content = LAYOUTS[program].encode(data.draw(st.sampled_from(["utf-8", "utf-16"])))
    at %= len(content)
    damaged = content[:at] + new + content[at + data.draw(st.integers(0, 30)) :]
    with suppress(MetadataError):
        told_by_packet(damaged)
        assert told_by_packet(spliced(damaged, with_stars(damaged, 5))).stars == 5


# Inside of photos


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif", ".heic"])
def test_stars_inside_of_photos(tmp_path, suffix):
    if suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    elif suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    assert read_embedded(save(tmp_path / f"a{suffix}", 4)).xmp.stars == 4
    assert not read_embedded(save(tmp_path / f"b{suffix}")).xmp.speaks


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_stars_in_exif(tmp_path, suffix):
    assert read_embedded(save(tmp_path / f"a{suffix}", exif={RATING: 5})).exif.stars == 5
    percent = {RATING_PERCENT: 75}
    assert read_embedded(save(tmp_path / f"b{suffix}", exif=percent)).exif.stars == 4


def test_png_with_its_metadata_behind_the_pixels(tmp_path):
    content = save(tmp_path / "a.png", 2).read_bytes()
    start = content.index(b"iTXt") - 4
    end = start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    chunk, tail = content[start:end], content.index(b"IEND") - 4
    moved = content[:start] + content[end:tail] + chunk + content[tail:]
    (tmp_path / "a.png").write_bytes(moved)
    assert read_embedded(tmp_path / "a.png").xmp.stars == 2


def test_raw_files(tmp_path):
    """A camera's TIFF, those that only begin otherwise, Fuji's with its JPEG, Canon's boxes."""
    tiff = save(tmp_path / "a.tif", 3).read_bytes()
    jpeg = save(tmp_path / "a.jpg", 3).read_bytes()
    fuji = b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + struct.pack(">II", 100, len(jpeg))
    uuid = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + rated(3)
    boxes = struct.pack(">I", 20) + b"ftypcrx " + bytes(8) + struct.pack(">I", 8) + b"free"
    canon = boxes + struct.pack(">IIQ", 1, 0x75756964, len(uuid) + 16) + uuid
    files = {
        "a.nef": tiff,
        "a.orf": b"IIRO" + tiff[4:],
        "a.rw2": b"IIU\0" + tiff[4:],
        "a.raf": fuji.ljust(100, b"\0") + jpeg,
        "a.cr3": canon,
        "a.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I", 8 + len(uuid)) + b"uuid" + uuid,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert read_embedded(tmp_path / name).xmp.stars == 3, name
    (tmp_path / "a.x3f").write_bytes(b"FOVb" + bytes(100))
    assert not read_embedded(tmp_path / "a.x3f").reached


@pytest.mark.parametrize("kind", [".jpg", ".png", ".tif", ".webp", ".cr3", ".raf", ".gif"])
def test_damaged_photos_are_refused_or_say_nothing(tmp_path, kind):
    (tmp_path / "a.tif").write_bytes(save(tmp_path / "b.tif", 3).read_bytes()[:40])
    starts = {
        ".jpg": b"\xff\xd8\xff\xe1\xff\xff",
        ".png": b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffiTXt",
        ".tif": b"II*\0\x10\0\0\0" + b"\xff" * 40,
        ".webp": b"RIFF\xff\xff\xff\xffWEBPVP8X",
        ".cr3": b"\0\0\0\x05ftypcrx ",
        ".raf": b"FUJIFILMCCD-RAW" + b"\xff" * 90,
        ".gif": b"",
    }
    path = tmp_path / f"x{kind}"
    path.write_bytes(starts[kind])
    try:
        found = read_embedded(path)
    except MetadataError as error:
        assert str(error)
    else:
        assert not found.xmp.speaks


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_a_photo_that_was_changed_anywhere_is_read_or_refused_by_name(at, new):
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".jpg", ".png", ".webp", ".tif"):
            path = save(Path(folder) / f"a{suffix}", 4, {RATING: 4})
            content = path.read_bytes()
            place = at % min(len(content), 900)
            path.write_bytes(content[:place] + new + content[place + len(new) :])
            with suppress(MetadataError):
                read_embedded(path)


def test_stars_that_exiftool_wrote(album):
    """XMP, EXIF and Windows' in files of all kinds, and sidecars of its own."""
    kinds = [".jpg", ".png", ".webp", ".tif"]
    settings = {
        "xmp": ["-xmp:rating=4"],
        "exif": ["-exif:rating=2"],
        "percent": ["-xmp-microsoft:ratingpercent=99"],
        "both": ["-rating=3", "-exif:rating=1"],
    }
    wanted, jobs = dict[str, float](), []
    for suffix in kinds:
        for (name, tags), stars in zip(settings.items(), (4, 2, 5, 3), strict=True):
            path = save(album / f"{name}{suffix}")
            jobs.append((path, tags))
            wanted[path.name] = stars
    (album / "raw.dng").write_bytes(dng(_mosaic(), Image.new("RGB", (640, 512))))
    jobs.append((album / "raw.dng", ["-rating=5"]))
    wanted["raw.dng"] = 5
    save(album / "beside.jpg")
    jobs.append((album / "beside.jpg", ["-rating=1", "-o", album / "beside.xmp"]))
    wanted["beside.jpg"] = 1
    write_by_exiftool(jobs)
    assert stars_of(album) == wanted


def test_stars_that_exiv2_wrote(album):
    """digiKam and darktable write by it."""
    files = [save(album / f"a{suffix}") for suffix in (".jpg", ".png", ".webp", ".tif")]
    write_by_exiv2(files, "Xmp.xmp.Rating 4")
    assert stars_of(album) == {path.name: 4 for path in files}
    (album / "a.png.xmp").write_bytes(rated(1))
    write_by_exiv2([album / "a.png.xmp"], "Xmp.xmp.Rating 2")
    assert stars_of(album)["a.png"] == 2


def _mosaic():
    import numpy as np

    return np.zeros((512, 640), np.uint16)


# Which one counts


def test_a_sidecar_counts_before_xmp_and_that_before_exif(album):
    save(album / "a.jpg", 2, {RATING: 1})
    (album / "a.jpg.xmp").write_bytes(rated(5))
    save(album / "b.jpg", 2, {RATING: 1})
    save(album / "c.jpg", exif={RATING: 1})
    found = read_stars(album)
    assert stars_of(album) == {"a.jpg": 5, "b.jpg": 2, "c.jpg": 1}
    assert found.origins == {"sidecar": 1, "xmp": 1, "exif": 1}


def test_no_stars_in_a_sidecar_are_a_word_and_in_a_photo_are_none(album):
    save(album / "a.jpg", 4)
    (album / "a.xmp").write_bytes(rated(0))
    save(album / "b.jpg", 0, {RATING: 3})
    found = read_stars(album)
    assert stars_of(album) == {"b.jpg": 3}
    assert found.unrated == 1


@pytest.mark.parametrize("name", ["IMG_1.xmp", "IMG_1.JPG.xmp", "img_1.XMP", "IMG_1.jpg.XMP"])
def test_names_of_sidecars_in_any_capitals(album, name):
    save(album / "IMG_1.jpg").rename(album / "IMG_1.JPG")
    (album / name).write_bytes(rated(4))
    assert stars_of(album) == {"IMG_1.JPG": 4}


def test_of_two_sidecars_that_differ_the_newest_counts_and_it_is_told(album):
    save(album / "a.jpg")
    for name, stars, when in (("a.jpg.xmp", 2, 1000), ("a.xmp", 5, 2000)):
        (album / name).write_bytes(rated(stars))
        os.utime(album / name, (when, when))
    found = read_stars(album)
    assert stars_of(album) == {"a.jpg": 5}
    assert "a.xmp 5, a.jpg.xmp 2" in next(iter(found.conflicts.values()))
    os.utime(album / "a.jpg.xmp", (3000, 3000))
    assert stars_of(album) == {"a.jpg": 2}


def test_two_sidecars_that_agree_or_of_which_one_is_silent_are_no_conflict(album):
    save(album / "a.jpg")
    (album / "a.jpg.xmp").write_bytes(rated(4))
    (album / "a.xmp").write_bytes(packet().encode())
    assert not read_stars(album).conflicts
    (album / "a.xmp").write_bytes(rated(4))
    assert not read_stars(album).conflicts
    assert stars_of(album) == {"a.jpg": 4}


def test_raw_and_jpeg_are_one_photo_with_the_sidecars_of_both(album):
    for i, name in enumerate(["DSC_1.xmp", "DSC_2.NEF.xmp", "DSC_3.jpg.xmp"], 1):
        save(album / f"DSC_{i}.jpg")
        (album / f"DSC_{i}.NEF").write_bytes(save(album / "x.tif").read_bytes())
        (album / name).write_bytes(rated(i))
    (album / "x.tif").unlink()
    found = read_stars(album)
    assert stars_of(album) == {"DSC_1.jpg": 1, "DSC_2.jpg": 2, "DSC_3.jpg": 3}
    assert len(found.photos) == 3


def test_stars_that_the_camera_put_into_raw_count_for_its_jpeg(album):
    save(album / "DSC_1.jpg")
    (album / "DSC_1.nef").write_bytes(save(album / "x.tif", 4).read_bytes())
    (album / "x.tif").unlink()
    assert stars_of(album) == {"DSC_1.jpg": 4}


def test_a_short_sidecar_belongs_to_one_of_two_photos_of_its_name(album):
    save(album / "a.jpg")
    save(album / "a.png")
    (album / "a.xmp").write_bytes(rated(4))
    assert stars_of(album) == {"a.jpg": 4}


def test_rejected_photos_and_labels(album):
    save(album / "a.jpg", -1)
    save(album / "b.jpg")
    (album / "b.xmp").write_text(LAYOUTS["lightroom"], "utf-8")
    found = read_stars(album)
    assert [Path(photo).name for photo in found.rejected] == ["a.jpg"]
    assert {Path(photo).name: x for photo, x in found.labels.items()} == {"b.jpg": "Red"}
    assert found.summary() == (
        "1 of 2 photos have stars, 1 rejected (1 in sidecars, 1 in XMP in the photo)."
    )


def test_what_is_broken_is_named_and_the_rest_is_read(album):
    save(album / "a.jpg", 2)
    (album / "a.xmp").write_bytes(rated(5)[:-30])
    save(album / "b.jpg", 9)
    (album / "c.jpg").write_bytes(b"\xff\xd8\xff")
    save(album / "d.jpg", 3)
    found = read_stars(album)
    assert stars_of(album) == {"a.jpg": 2, "d.jpg": 3}
    problems = {Path(file).name: reason for file, reason in found.problems.items()}
    assert set(problems) == {"a.xmp", "b.jpg", "c.jpg"}
    assert "no whole XML" in problems["a.xmp"]
    assert "'9'" in problems["b.jpg"]


def test_what_is_no_file_is_no_sidecar(album):
    """A pipe would wait for ever."""
    save(album / "a.jpg")
    os.mkfifo(album / "a.xmp")
    (album / "a.jpg.xmp").mkdir()
    assert len(read_stars(album).problems) == 2


def test_kinds_that_are_not_reached_are_counted(album):
    (album / "a.x3f").write_bytes(b"FOVb" + bytes(100))
    (album / "a.xmp").write_bytes(rated(2))
    found = read_stars(album)
    assert found.unreached == {".x3f": 1}
    assert found.summary().endswith("Only sidecars were read of 1 .x3f.")
    assert stars_of(album) == {"a.x3f": 2}


def test_a_folder_without_photos_is_refused(album):
    with pytest.raises(PhotoError):
        read_stars(album)
