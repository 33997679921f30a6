"""From wherever a person's word stands to ratings, and from scores to stars."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesthetic_tv.errors import RatingsFileError, SettingError
from aesthetic_tv.personalization.album_ratings import (
    comparisons_beside,
    find_ratings,
    read_comparisons,
)
from aesthetic_tv.personalization.stars import (
    on_stars,
    parse_shares,
    stars_by_calibration,
    stars_by_shares,
    stars_of_scores,
)
from aesthetic_tv.photo_metadata import beside_album
from aesthetic_tv.photo_metadata.stars import read_stars
from aesthetic_tv.photo_metadata.stars_plan import plan_stars
from sidecar_samples import rated
from test_stars_read import save


@pytest.fixture
def album(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(beside_album, "user_data_path", lambda name: tmp_path / "own")
    folder = tmp_path / "album"
    folder.mkdir()
    for i, stars in enumerate((1, 5, 3, 0, -1)):
        save(folder / f"{i}.jpg", stars)
    return folder


def named(found) -> dict[str, float]:
    return {Path(photo).name: rating for photo, rating in found.ratings.items()}


IN_PHOTOS = {"0.jpg": 1, "1.jpg": 5, "2.jpg": 3}


@pytest.mark.parametrize("way", [None, "xmp", "album", "album/."])
def test_stars_in_the_photos_are_ratings(album, way, monkeypatch):
    monkeypatch.chdir(album.parent)
    found = find_ratings("album", way)
    assert named(found) == IN_PHOTOS
    assert found.scale == (1, 5)
    assert found.source.startswith("3 of 5 photos have stars, 1 rejected")
    assert found.notes == ("1 rejected photo: left out.",)


def test_rejected_photos_may_count(album):
    found = find_ratings(album, "xmp", rejected=1)
    assert named(found) == IN_PHOTOS | {"4.jpg": 1}
    assert find_ratings(album, "xmp", rejected=0).scale == (0, 5)


def test_what_the_app_kept_counts_before_the_stars(album):
    (album.parent / "album.ratings.csv").write_text("photo,rating\n3.jpg,4\n0.jpg,2\n")
    (album.parent / "album.comparisons.csv").write_text("better,worse\n1.jpg,2.jpg\n")
    found = find_ratings(album)
    assert named(found) == {"3.jpg": 4, "0.jpg": 2}
    assert found.pairs == ((str(album / "1.jpg"), str(album / "2.jpg")),)
    assert "2 ratings in" in found.source
    assert "1 comparison in" in found.source
    assert named(find_ratings(album, "xmp")) == IN_PHOTOS
    assert find_ratings(album, album.parent / "album.ratings.csv").pairs == found.pairs


def test_comparisons_alone_and_in_the_persons_own_folder(album):
    kept = beside_album.album_places(album, ".ratings.csv")[1]
    kept.parent.mkdir(parents=True)
    comparisons_beside(kept).write_text("better,worse\n1.jpg,2.jpg\n2.jpg,0.jpg\n")
    found = find_ratings(album)
    assert (found.ratings, len(found.pairs), len(found.known)) == ({}, 2, 3)
    assert find_ratings(album, comparisons_beside(kept)).pairs == found.pairs


def test_of_two_comparisons_of_the_same_photos_the_last_counts(album, tmp_path):
    (tmp_path / "c.csv").write_text("better,worse\n1.jpg,2.jpg\n\n2.jpg,1.jpg\n")
    assert read_comparisons(tmp_path / "c.csv") == (("2.jpg", "1.jpg"),)
    assert read_comparisons(album / "0.jpg") is None


@pytest.mark.parametrize("line", ["1.jpg", "1.jpg,1.jpg", "1.jpg,", "1.jpg,9.jpg", "1.jpg,./1.JPG"])
def test_bad_lines_of_comparisons_are_named(album, tmp_path, line):
    (tmp_path / "c.csv").write_text(f"better,worse\n0.jpg,1.jpg\n{line}\n")
    with pytest.raises(RatingsFileError, match="line 3"):
        read_comparisons(tmp_path / "c.csv", album)


def test_stars_that_were_written_for_the_person_are_not_learned_from(album):
    found = read_stars(album)
    plan_stars(found, {str(album / "3.jpg"): 5}, album=album).write()
    again = find_ratings(album)
    assert named(again) == IN_PHOTOS
    assert again.notes[0] == "1 photo with stars that `apply` wrote: left out."
    (album / "3.jpg.xmp").write_bytes(rated(2))  # the person thinks otherwise
    assert named(find_ratings(album)) == IN_PHOTOS | {"3.jpg": 2}


def test_an_album_without_a_word_is_told_what_to_do(tmp_path, album):
    for i in range(3):
        (album / f"{i}.jpg").unlink()
    (album / "3.xmp").write_bytes(b"<x")
    with pytest.raises(RatingsFileError) as caught:
        find_ratings(album)
    told = str(caught.value)
    assert "none of 2 photos has stars, 1 is rejected" in told
    assert "aesthetic-tv rate" in told
    assert "3.xmp: is no whole XML" in told


def test_another_folder_is_refused(album, tmp_path):
    with pytest.raises(SettingError, match="name a table"):
        find_ratings(album, tmp_path)


# From scores to stars


@given(
    st.lists(st.floats(-9, 9), min_size=1, max_size=60, unique=True),
    st.lists(st.integers(0, 9), min_size=5, max_size=5).filter(any),
)
def test_each_share_holds_to_within_one_photo_and_the_better_never_has_fewer(scores, parts):
    shares = [100 * part / sum(parts) for part in parts]
    stars = stars_by_shares(np.array(scores), shares)
    counts = Counter(stars.tolist())
    for number, share in enumerate(shares, 1):
        assert abs(counts[number] - share * len(scores) / 100) <= 1 + 1e-6
    order = np.argsort(scores)
    assert (np.diff(stars[order]) >= 0).all()


def test_equal_scores_have_equal_stars():
    assert stars_by_shares(np.full(7, 2.5)).tolist() == [3] * 7
    assert stars_by_shares(np.zeros(0)).tolist() == []


def test_scores_on_the_persons_scale_are_rounded():
    scores = np.array([0.2, 1.4, 1.5, 2.49, 3.5, 4.5, 9])
    assert stars_by_calibration(scores).tolist() == [1, 1, 2, 2, 4, 5, 5]


def test_a_calibration_counts_where_it_leads_to_stars():
    raw = np.arange(10.0)
    by_five = stars_of_scores(raw, lambda x: 1 + x * 4 / 9, [1, 5])
    assert by_five[0].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    by_shares = stars_of_scores(raw, lambda x: 10 * x, [0, 100])
    assert by_shares[0].tolist() == [1, 2, 2, 3, 3, 3, 3, 4, 4, 5]
    assert "10, 20, 40, 20, 10 %" in by_shares[1]
    asked = stars_of_scores(raw, lambda x: x, [1, 5], (100, 0, 0, 0, 0))
    assert asked[0].tolist() == [1] * 10
    assert not on_stars(None)
    assert not on_stars([3, 3.5])


@pytest.mark.parametrize("text", ["10,20,40,20", "10,20,40,20,20", "a,b,c,d,e", "-10,30,40,30,10"])
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(SettingError, match="which make 100"):
        parse_shares(text)


def test_shares_are_read():
    assert parse_shares("10,20%, 40,20 ,10") == (10, 20, 40, 20, 10)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(SettingError):
        stars_by_shares(np.array([1, np.nan]))
