"""One walker for all commands: what is a photo, what is passed over, and what is named instead."""

import os
import sys
from pathlib import Path

import pytest

from aesthetic_tv.databases.photos import PhotoIndex
from aesthetic_tv.errors import PhotoError
from aesthetic_tv.personalization.ratings_file import read_ratings
from aesthetic_tv.scorer import photo_files
from aesthetic_tv.scorer.folder import score_folder
from aesthetic_tv.scorer.photo_files import PhotoFiles, find_photos, walk, way_out


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names(folder: Path) -> list[str]:
    return [photo.relative_to(folder).as_posix() for photo in find_photos(folder)]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    return touched(tmp_path / "album", "p0.jpg")


@pytest.fixture
def bare(monkeypatch):
    """Without what reads HEIC and RAW."""
    for module in ("pillow_heif", "rawpy"):
        monkeypatch.setitem(sys.modules, module, None)


class TestLinks:
    def test_a_linked_folder_is_looked_into(self, album, tmp_path):
        (album / "2023").symlink_to(touched(tmp_path / "nas", "p1.jpg", "sub/p2.jpg"))
        assert names(album) == ["2023/p1.jpg", "2023/sub/p2.jpg", "p0.jpg"]

    def test_a_link_that_leads_back_up_does_no_harm(self, album, tmp_path):
        touched(tmp_path, "outside.jpg", "album/sub/p1.jpg")
        (album / "again").symlink_to(album)
        (album / "sub" / "up").symlink_to(album)
        (album / "sub" / "above").symlink_to(tmp_path)
        assert names(album) == ["p0.jpg", "sub/p1.jpg"]

    def test_links_in_a_circle_come_to_an_end(self, album, tmp_path):
        one, two = touched(tmp_path / "one", "p1.jpg"), touched(tmp_path / "two", "p2.jpg")
        (one / "other").symlink_to(two)
        (two / "other").symlink_to(one)
        (album / "one").symlink_to(one)
        (album / "itself").symlink_to(album / "itself")
        assert names(album) == ["one/other/p2.jpg", "one/p1.jpg", "p0.jpg"]

    def test_a_folder_that_is_reached_twice_is_taken_once_by_its_own_path(self, album, tmp_path):
        touched(album, "z/p1.jpg")
        nas = touched(tmp_path / "nas", "2023/p2.jpg")
        (album / "a").symlink_to(album / "z")
        (album / "b").symlink_to(nas)
        (album / "c").symlink_to(nas / "2023")
        found = names(album)
        assert len(found) == 3
        assert "z/p1.jpg" in found

    def test_the_album_itself_may_be_a_link(self, album, tmp_path):
        (tmp_path / "link").symlink_to(album)
        assert names(tmp_path / "link") == ["p0.jpg"]

    def test_a_link_to_a_disk_that_is_not_there_is_named(self, album, tmp_path):
        (album / "2022").symlink_to(tmp_path / "unmounted")
        files = PhotoFiles.below(album)
        assert [photo.name for photo in files.photos] == ["p0.jpg"]
        assert "2022 (a link that leads nowhere)" in files.note


def test_a_folder_that_cannot_be_opened_is_named(album, monkeypatch):
    touched(album, "private/p1.jpg", "other/p2.jpg")
    scandir = os.scandir

    def guarded(place):
        if os.fspath(place).endswith("private"):
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", guarded)
    files = PhotoFiles.below(album)
    assert [photo.name for photo in files.photos] == ["p2.jpg", "p0.jpg"]
    assert "private (Permission denied)" in files.note
    with pytest.raises(PhotoError, match=r"private: cannot be opened \(Permission denied\)"):
        PhotoFiles.below(album / "private")


JUNK = (
    *("@eaDir/p0.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/a.jpg", "sub/@eaDir/a.jpg/b.jpg"),
    *("@Recycle/a.jpg", ".@__thumb/a.jpg", "$RECYCLE.BIN/S-1/a.jpg", ".Trash-1000/files/a.jpg"),
    *("__MACOSX/a.jpg", "lost+found/a.jpg", ".thumbnails/a.jpg", "System Volume Information/a.jpg"),
    *("._p0.jpg", "sub/._a.jpg", "A Smart Previews.lrdata/a.dng", "LOST.DIR/a.jpg"),
    *("B.photoslibrary/resources/derivatives/a.jpg", "PRIVATE/M4ROOT/THMBNL/a.jpg"),
)


def test_what_systems_keep_beside_photos_is_passed_over(album):
    touched(album, *JUNK, "B.photoslibrary/originals/0/a.jpg", "recycled paper/b.jpg")
    found = ["B.photoslibrary/originals/0/a.jpg", "p0.jpg", "recycled paper/b.jpg"]
    assert names(album) == found
    assert not PhotoFiles.below(album).note


def test_a_folder_that_was_asked_for_is_looked_into_whatever_its_name(tmp_path):
    trash = touched(tmp_path / ".hidden" / "#recycle", "a.jpg")
    assert names(trash) == ["a.jpg"]


def test_kinds_are_told_by_suffix_in_any_case(tmp_path):
    kinds = "JPG jpeg Jpe JFIF mpo avif TIF webp bmp heic HIF nef DNG".split()
    folder = touched(tmp_path / "album", *(f"a.{kind}" for kind in kinds), "a.mov", "a.xmp", "a")
    assert sorted(names(folder)) == sorted(f"a.{kind}" for kind in kinds)


def test_kinds_that_cannot_be_read_are_counted_with_the_way_out(album, bare):
    touched(album, *(f"DSC_{i}.NEF" for i in range(4)), "sub/e.jxl", "IMG_1.HEIC", "b.nef")
    files = PhotoFiles.below(album)
    assert [photo.name for photo in files.photos] == ["p0.jpg"]
    assert "7 files were left out, of kinds that cannot be read here" in files.note
    assert "5 .NEF (DSC_0.NEF, DSC_1.NEF, DSC_2.NEF, ...)" in files.note
    assert "1 .jxl (e.jxl)" in files.note
    assert 'To read .NEF: pip install "aesthetic-tv[raw]".' in files.note
    assert 'To read .HEIC: pip install "aesthetic-tv[heic]".' in files.note


def test_a_folder_of_nothing_else_says_so(tmp_path, bare):
    folder = touched(tmp_path / "phone", "IMG_1.HEIC")
    with pytest.raises(PhotoError, match=r"holds no photos .*1 \.HEIC .*aesthetic-tv\[heic\]"):
        find_photos(folder)
    assert [photo.name for photo in find_photos(folder, every_kind=True)] == ["IMG_1.HEIC"]


def test_kinds_have_no_way_out_where_they_can_be_read():
    assert way_out(".HEIC") is way_out(".nef") is way_out(".jpg") is way_out(".avif") is None
    assert way_out(".jxl") == "save it as JPEG first"


def test_scoring_tells_what_it_left_out(photos, tmp_path, tiny_scorer, bare):
    touched(photos[0].parent, "a.heic", "a.jxl")
    report = score_folder(tiny_scorer, photos[0].parent, tmp_path / "scores.csv")
    assert len(report.rows) == 12
    assert "1 .heic (a.heic) and 1 .jxl (a.jxl)" in report.left_out


def test_a_rated_photo_of_such_a_kind_is_known_by_its_name(album, tmp_path, bare):
    touched(album, "IMG_1.HEIC")
    (tmp_path / "ratings.csv").write_text("photo,rating\np0.jpg,1\nIMG_1.HEIC,5\n")
    assert list(read_ratings(tmp_path / "ratings.csv", album)) == [
        str(album / "p0.jpg"),
        str(album / "IMG_1.HEIC"),
    ]


def test_databases_find_photos_in_the_same_way(album, tmp_path):
    (album / "linked").symlink_to(touched(tmp_path / "nas", "p1.jpg", "953619"))
    (album / "again").symlink_to(album)
    touched(album, "@eaDir/p9.jpg")
    index = PhotoIndex([album])
    assert len(index) == 3
    assert index.find("p1.jpg") == album / "linked" / "p1.jpg"
    assert index.find("linked/953619") == album / "linked" / "953619"


def test_every_suffix_is_listed_once():
    assert len(set(photo_files.SUFFIXES)) == len(photo_files.SUFFIXES)


def test_files_that_are_none_are_passed_over(album):
    os.mkfifo(album / "pipe.jpg")
    assert [Path(path).name for path, _ in walk(album)] == ["p0.jpg"]
