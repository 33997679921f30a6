"""Photos in two sets that must share none are told by their content, whatever they are called."""

import pytest

from aesthetic_tv.databases import check_overlap, load
from aesthetic_tv.errors import OverlapError
from database_samples import photo_bytes, photos, write


def database(folder, names):
    lines = "".join(f"{name},{number}\n" for number, name in enumerate(names))
    write(folder, {"scores.csv": "photo,score\n" + lines})
    return load("folder", folder)


def test_the_same_content_under_another_name_is_refused_with_the_list(tmp_path):
    photos(tmp_path / "a", ["a.jpg", "b.jpg", "c.jpg"])
    write(tmp_path / "b", {"x.jpg": photo_bytes(1), "y.jpg": photo_bytes(9)})
    one, two = (
        database(tmp_path / "a", ["a.jpg", "b.jpg", "c.jpg"]),
        database(tmp_path / "b", ["x.jpg", "y.jpg"]),
    )
    with pytest.raises(OverlapError, match=r"1 photo is in both.*\n.*b.jpg = x.jpg") as caught:
        check_overlap(one, two)
    assert [(pair.first, pair.second) for pair in caught.value.overlaps] == [("b.jpg", "x.jpg")]


def test_different_photos_pass(tmp_path):
    photos(tmp_path / "a", ["a.jpg", "b.jpg"])
    write(tmp_path / "b", {"a.jpg": photo_bytes(8), "b.jpg": photo_bytes(9)})
    names = ["a.jpg", "b.jpg"]
    check_overlap(database(tmp_path / "a", names), database(tmp_path / "b", names).table)


def test_a_long_list_is_shortened(tmp_path):
    names = [f"{n}.jpg" for n in range(14)]
    photos(tmp_path, names)
    one = database(tmp_path, names)
    with pytest.raises(OverlapError, match="and 4 more") as caught:
        check_overlap(one, one)
    assert len(caught.value.overlaps) == 14
