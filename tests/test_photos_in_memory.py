"""Photos that come as images, arrays or bytes: as those of files, named without their content."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aesthetic_tv import InstantFit, Personalizer, PhotoFeatures
from aesthetic_tv.databases import Source, load, stream
from aesthetic_tv.errors import PhotoError, PreferenceError
from aesthetic_tv.evaluation.duplicates import PhotoHashes
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.evaluation.photo_pool import DecodedPeople
from aesthetic_tv.finetuning import load_crops
from aesthetic_tv.personalization import photo_features
from aesthetic_tv.personalization.photo_features import content_digest
from aesthetic_tv.scorer import journal
from aesthetic_tv.scorer.folder import score_folder
from conftest import make_bank
from test_database_hub import parquet, rows


@pytest.fixture
def arrays(photos: list[Path]) -> list[np.ndarray]:
    return [np.asarray(Image.open(photo)) for photo in photos]


def cut(photo: Path) -> Image.Image:
    """Opened, with the end of its file missing."""
    return Image.open(io.BytesIO(most(photo)))


def most(photo: Path) -> bytes:
    """The file without its end."""
    content = photo.read_bytes()
    return content[: len(content) * 2 // 3]


def test_arrays_and_bytes_score_like_the_photos(photos, arrays, tiny_scorer):
    known = tiny_scorer.score(photos)
    assert tiny_scorer.score([photo.read_bytes() for photo in photos]) == pytest.approx(known)
    assert tiny_scorer.score(arrays) == pytest.approx(known)
    assert tiny_scorer.score(np.stack(arrays)) == pytest.approx(known)
    assert tiny_scorer.score(map(str, photos)) == pytest.approx(known)
    assert tiny_scorer.score(np.array(list(map(str, photos)))) == pytest.approx(known)
    for one in (photos[0], str(photos[0]), photos[0].read_bytes(), arrays[0]):
        assert tiny_scorer.score(one) == pytest.approx(known[:1])
    assert tiny_scorer.score(bytearray(photos[0].read_bytes())) == pytest.approx(known[:1])
    grey = tiny_scorer.score(arrays[0][..., 0])
    assert grey == pytest.approx(tiny_scorer.score(arrays[0][..., :1]))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (np.zeros((3, 480, 640), np.uint8), "array of uint8 (3, 480, 640)"),
        (np.zeros((480, 640, 3), np.float32), "array of float32 (480, 640, 3)"),
        (np.zeros((0, 640, 3), np.uint8), "array of uint8 (0, 640, 3)"),
        (np.zeros(100_000, np.uint8), "is no photo"),
        (bytes(100_000), "not an image Pillow can read"),
        (b"", "is empty"),
        ("data:image/png;base64," + "A" * 100_000, "(100,022 characters)"),
        (np.zeros((48, 64, 3), np.uint8).tolist(), "image 1 of 48: list is no photo"),
        (torch.zeros(2, 48, 64), "tensor of float32 (2, 48, 64)"),
        (torch.full((3, 48, 64), 2.0), "values from 2 to 2"),
        (torch.zeros(3, 48, 64, dtype=torch.int64), "tensor of int64 (3, 48, 64)"),
        (None, "NoneType is no photo"),
        ([3], "image 1 of 1: int is no photo"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_is_no_photo_is_refused_in_a_few_words(tiny_scorer, given, told):
    with pytest.raises(PhotoError) as refused:
        tiny_scorer.score(given)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_broken_image_is_named_by_its_place(photos, tiny_scorer, tiny_bank):
    images = [Image.open(photo).copy() for photo in photos[:9]]
    for score in (tiny_scorer.score, tiny_bank.score, tiny_bank.generic_score):
        with pytest.raises(PhotoError, match=r"^image 3 of 10: cannot be decoded"):
            score([*images[:2], cut(photos[9]), *images[2:]])
    with pytest.raises(PhotoError, match=r"^image 1 of 2: cannot be decoded"):
        load_crops([cut(photos[0]), images[0]], tiny_scorer.config)


def test_an_image_that_knows_its_file_is_named_by_it(photos, tiny_scorer):
    photos[0].write_bytes(most(photos[0]))
    with pytest.raises(PhotoError, match=r"^.*p00\.jpg: cannot be decoded"):
        tiny_scorer.score([Image.open(photos[0])])


def test_no_photos_have_no_scores(tiny_scorer, tiny_bank):
    assert tiny_scorer.score([]).shape == (0,)
    assert tiny_bank.score([]).shape == (0, 3)
    assert tiny_bank.generic_score([]).shape == (0,)
    assert load_crops([], tiny_scorer.config).shape == (0, 3, 32, 32)
    with pytest.raises(PreferenceError, match="No photos were given"):
        PhotoFeatures.compute(tiny_bank, [])


@pytest.mark.parametrize("batch", [32, 1])
def test_photos_of_one_content_that_is_broken_are_each_named(
    photos, tiny_bank, tmp_path, monkeypatch, batch
):
    monkeypatch.setattr(photo_features, "BATCH", batch)
    empty = [tmp_path / f"e{i}.jpg" for i in range(3)]
    for path in empty:
        path.touch()
    broken = bytes(100)
    album = PhotoFeatures.compute(tiny_bank, [photos[0], *empty, broken, broken])
    expected = [*map(str, empty), "image 5 of 6", "image 6 of 6"]
    assert list(album.skipped) == expected
    assert {why.removeprefix(f"{name}: ") for name, why in album.skipped.items()} == {
        "is empty.",
        "is not an image Pillow can read.",
    }
    assert len(album) == 1


def test_broken_images_are_named_when_a_taste_is_learned(photos, tiny_bank):
    images = [Image.open(photo).copy() for photo in photos[:3]]
    ratings = {photos[3].read_bytes(): 5, photos[4].read_bytes(): 1, bytes(50): 3}
    with pytest.warns(UserWarning, match="1 rated photos could not be read"):
        mine = Personalizer(tiny_bank, folds=0).fit(ratings)
    assert list(mine.skipped) == ["image 3 of 3"]
    album = PhotoFeatures.compute(tiny_bank, images)
    with pytest.raises(PreferenceError, match=r"^image 1 of 1: not among the 3 photos"):
        album.positions([Image.new("RGB", (8, 8))])
    assert album.positions([images[2].copy()]).tolist() == [2]  # read again


def test_a_taste_is_learned_from_pairs_and_rankings_of_images(photos, tiny_bank):
    images = [Image.open(photo).copy() for photo in photos[:6]]
    choices = [(0, 1), (2, 3), (4, 1), (0, 1)]
    personalizer = Personalizer(tiny_bank, folds=0)
    for given in (images, photos[:6]):
        pairs = personalizer.fit(pairs=[(given[a], given[b]) for a, b in choices])
        ranking = personalizer.fit(ranking=[given[0], given[1:3], *given[3:]])
        fitted = InstantFit.of(
            PhotoFeatures.compute(tiny_bank, given), pairs=[(given[0], given[1])]
        )
        found = [pairs.coefficients, ranking.coefficients, fitted.support]
        if given is images:
            expected = found
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)
    with pytest.raises(PreferenceError, match="two different photos") as refused:
        personalizer.fit(pairs=[(images[0], images[0])])
    assert len(str(refused.value)) < 200
    with pytest.raises(PreferenceError, match="stands twice"):
        personalizer.fit(ranking=[images[0], images[1], images[0]])


def test_hashes_of_broken_images_name_them(photos):
    hashes = PhotoHashes.of([Image.open(photos[0]), cut(photos[1]), b"nothing"])
    assert list(hashes.failures) == [1, 2]
    assert str(hashes.failures[1]).startswith("image 2 of 3: cannot be decoded")


def test_images_that_only_differ_in_their_colours_differ():
    one, two = Image.new("P", (4, 4), 1), Image.new("P", (4, 4), 1)
    one.putpalette([0, 0, 0, 255, 0, 0])
    two.putpalette([0, 0, 0, 0, 0, 255])
    assert content_digest(one) != content_digest(two)
    assert content_digest(one) == content_digest(one.copy())


class TestHubRows:
    @pytest.fixture(autouse=True)
    def own_cache(self, tmp_path, monkeypatch):
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))

    @pytest.fixture
    def repo(self, tmp_path, photos) -> str:
        """A data set whose third photo is cut off."""
        images = [{"bytes": photo.read_bytes(), "path": photo.name} for photo in photos]
        images[2]["bytes"] = most(photos[2])
        return str(parquet(tmp_path / "repo", train=rows(range(12), images)))

    def test_a_cut_photo_of_people_is_left_out_by_name(self, repo, tiny_scorer):
        database = load("hub", repo, source=Source(user="rater"))
        people = DecodedPeople.of(People.of(database), tiny_scorer.config).people
        assert len(people.photos) == 11
        (reason,) = [why for name, why in people.problems if name == "p02.jpg"]
        assert reason.startswith("p02.jpg: cannot be decoded")

    def test_a_stream_passes_it_over_with_a_warning(self, repo):
        with pytest.warns(UserWarning, match=r"p02\.jpg is left out: cannot be decoded"):
            assert len(list(stream(repo))) == 11


def test_a_cache_of_an_older_version_is_made_again(tiny_bank, photos, tmp_path, monkeypatch):
    cache = tmp_path / "album.features.safetensors"
    monkeypatch.setattr(photo_features, "VERSION", 1)
    PhotoFeatures.compute(tiny_bank, photos[:2], cache=cache)
    monkeypatch.undo()
    told = list[tuple[int, int]]()
    PhotoFeatures.compute(tiny_bank, photos[:2], cache=cache, progress=lambda *n: told.append(n))
    assert told == [(2, 2)]
    with pytest.raises(PreferenceError):
        PhotoFeatures.compute(make_bank(), [b"nothing"], cache=cache)
    PhotoFeatures.compute(tiny_bank, photos[:2], cache=cache, progress=lambda *n: told.append(n))
    assert len(told) == 1


def test_a_run_that_read_photos_otherwise_is_not_gone_on_with(
    photos, tmp_path, tiny_scorer, monkeypatch
):
    def stopped(done: int, total: int) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    out = tmp_path / "scores.csv"
    monkeypatch.setattr(journal, "DECODING", 1)
    with pytest.raises(KeyboardInterrupt):
        score_folder(tiny_scorer, photos[0].parent, out, batch_size=3, progress=stopped)
    monkeypatch.undo()
    with pytest.raises(OSError, match=r"how photos are read \(1 then, 2 now\)"):
        score_folder(tiny_scorer, photos[0].parent, out, batch_size=3, resume=True)
