"""Near duplicates share a group, different photos do not; what cannot be read stops nothing."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from aesthetic_tv.evaluation import duplicates
from aesthetic_tv.evaluation.duplicates import BITS, PhotoHashes
from aesthetic_tv.personalization.photo_features import content_digest


def landscape(seed, size=(240, 180)):
    """Blobs of all sizes, as photos have them: more of the coarse than of the fine."""
    random = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3))
    for cells in (3, 6, 12, 24):
        grid = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer, dtype=float) / cells
    return Image.fromarray(np.uint8(np.clip(total / 0.63, 0, 255)))


def versions(image):
    width, height = image.size
    margin = width // 50
    yield "smaller", image.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    yield "larger", image.resize((width * 2, height * 2), Image.Resampling.BICUBIC)
    yield "cropped", image.crop((margin, margin, width - margin, height - margin))
    yield "brighter", ImageEnhance.Brightness(image).enhance(1.15)
    yield "grey", image.convert("L")


def test_the_same_photo_in_other_forms_shares_a_group_and_others_do_not(tmp_path):
    paths, expected = [], []
    for seed in range(6):
        image = landscape(seed)
        for name, version in [("original", image), *versions(image)]:
            paths.append(tmp_path / f"{seed}-{name}.jpg")
            version.save(paths[-1], quality=80)
            expected.append(seed)
        paths.append(tmp_path / f"{seed}.png")
        image.save(paths[-1])
        expected.append(seed)
    assert PhotoHashes.of(paths).groups().tolist() == expected


def test_images_in_memory_are_hashed_as_files_are(tmp_path):
    image = landscape(0)
    image.save(tmp_path / "a.png")
    assert PhotoHashes.of([image, landscape(1), tmp_path / "a.png"]).groups().tolist() == [0, 1, 0]


def test_a_photo_turned_by_its_exif_is_the_same_photo(tmp_path):
    image = landscape(3)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees to the right
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert PhotoHashes.of([image, tmp_path / "turned.jpg"]).groups().tolist() == [0, 0]


def test_photos_without_structure_are_told_by_their_content(tmp_path):
    colours = [(200, 0, 0), (0, 0, 200), (200, 0, 0)]
    for i, colour in enumerate(colours):
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"{i}.png")
    hashes = PhotoHashes.of([tmp_path / f"{i}.png" for i in range(3)])
    assert not hashes.hashed.any()
    assert hashes.groups().tolist() == [0, 1, 0]
    assert not hashes.failures
    assert [content_digest(tmp_path / f"{i}.png") for i in range(3)] == list(hashes.digests)


def test_what_cannot_be_read_is_named_and_stops_nothing(tmp_path):
    landscape(0).save(tmp_path / "good.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "again.jpg").write_bytes(b"no photo")
    photos = [tmp_path / f"{name}.jpg" for name in ("good", "broken", "nowhere", "again", "lost")]
    hashes = PhotoHashes.of([*photos, photos[0]])
    assert set(hashes.failures) == {1, 2, 3, 4}
    assert "not an image" in str(hashes.failures[1])
    assert "nowhere.jpg: cannot be read" in str(hashes.failures[2])
    # The same broken bytes are one content; two missing files are not.
    assert hashes.groups().tolist() == [0, 1, 2, 1, 3, 0]


@pytest.mark.parametrize("block", [1, 7, 1024])
def test_pairs_are_those_of_counting_bits_one_by_one(monkeypatch, block):
    monkeypatch.setattr(duplicates, "BLOCK", block)
    random = np.random.default_rng(0)
    centres = random.random((6, BITS)) < 0.5
    bits = np.repeat(centres, 5, axis=0) ^ (random.random((30, BITS)) < 0.12)
    hashed = np.ones(30, dtype=bool)
    hashed[4] = False
    hashes = PhotoHashes((None,) * 30, bits, hashed)
    for limit in (0, 25, 36, 60):
        expected = [
            [i, j]
            for i in range(30)
            for j in range(i + 1, 30)
            if hashed[i] and hashed[j] and (bits[i] != bits[j]).sum() <= limit
        ]
        assert hashes.pairs(limit).tolist() == expected


def test_a_chain_of_pairs_is_one_group():
    bits = np.zeros((4, BITS), dtype=bool)
    bits[1, :30] = bits[2, :60] = True
    bits[3] = True
    hashes = PhotoHashes(tuple("abcd"), bits, np.ones(4, dtype=bool))
    assert hashes.pairs(36).tolist() == [[0, 1], [1, 2]]
    assert hashes.groups(36).tolist() == [0, 0, 0, 1]


def test_no_photos_have_no_groups():
    assert PhotoHashes.of([]).groups().tolist() == []
