"""Photos found by what people and programs write for them."""

import os
from pathlib import Path

import pytest

from aesthetic_tv.errors import PhotoError
from aesthetic_tv.photo_names import PhotoNames, folder_in_common

NAMES = ("cat.jpg", "2023/Cliff.JPG", "2023/é.png", "2024/sub/cliff 2.jpg", "a.b.jpg",
         "100CANON/IMG_1.JPG", "101CANON/IMG_1.JPG", "both/x.jpg", "both/x.heic",
         "both/y.JPG", "both/Y.jpg", "x 1.jpg", "in/x 1.png")  # fmt: skip


@pytest.fixture
def names(tmp_path: Path) -> PhotoNames:
    folder = tmp_path / "Album"
    folder.mkdir()
    return PhotoNames.below(folder, [folder / name for name in NAMES])


def found(names: PhotoNames, name: str, whence: str = "") -> str | None:
    path = names.find(name, whence)
    return None if path is None else Path(path).relative_to(names.folder).as_posix()


@pytest.mark.parametrize(
    ("written", "photo"),
    [
        ("cat.jpg", "cat.jpg"),
        (" ./cat.jpg ", "cat.jpg"),
        ("CAT.JPG", "cat.jpg"),
        ("cat", "cat.jpg"),
        ("cat.jpeg", "cat.jpg"),
        ("cliff.jpg", "2023/Cliff.JPG"),
        ("2023\\cliff", "2023/Cliff.JPG"),
        ("e\u0301.png", "2023/é.png"),
        ("É.PNG", "2023/é.png"),
        ("sub/cliff 2", "2024/sub/cliff 2.jpg"),
        ("2023/../cat.jpg", "cat.jpg"),
        ("a.b", "a.b.jpg"),
        ("100canon/img_1.jpg", "100CANON/IMG_1.JPG"),
        ("both/x.jpg", "both/x.jpg"),
        ("x.heic", "both/x.heic"),
        ("both/Y.jpg", "both/Y.jpg"),
        ("Album/cat.jpg", "cat.jpg"),
        ("album\\2023\\Cliff.jpg", "2023/Cliff.JPG"),
        ("x 1.png", "in/x 1.png"),  # its own name in a folder goes before another suffix here
        ("2022/cliff.jpg", None),
        ("Album/cliff.jpg", None),
        ("dog.jpg", None),
        ("../cat.jpg", None),
        ("/elsewhere/cat.jpg", None),
        ("C:\\elsewhere\\cat.jpg", None),
    ],
)
def test_a_photo_is_found_where_only_one_fits(names, written, photo):
    assert found(names, written) == photo


def test_paths_from_the_root_and_from_where_one_stands(names, tmp_path, monkeypatch):
    assert found(names, f"{names.folder}/2023/Cliff.JPG") == "2023/Cliff.JPG"
    assert found(names, f"{tmp_path.name}/Album/cat.jpg") == "cat.jpg"
    assert found(names, f"{tmp_path}/Album/../cat.jpg") is None
    (tmp_path / "link").symlink_to(names.folder)
    linked = PhotoNames.below(tmp_path / "link", [tmp_path / "link" / "cat.jpg"])
    assert linked.find(f"{names.folder}/cat.jpg") == str(tmp_path / "link/cat.jpg")
    monkeypatch.chdir(tmp_path)
    there = PhotoNames.below(Path("Album"), [Path("Album/cat.jpg")])
    assert there.find("./Album/cat.jpg") == there.find(f"{tmp_path}/Album/cat.jpg")
    assert there.find("cat") == str(Path("Album/cat.jpg"))
    monkeypatch.chdir(names.folder)
    here = PhotoNames.below(Path(), [Path("cat.jpg"), Path("2023/Cliff.JPG")])
    assert here.find(f"{names.folder}/cat.jpg") == here.find("Album/cat.jpg") == "cat.jpg"
    assert here.find("cliff") == os.path.join("2023", "Cliff.JPG")  # noqa: PTH118


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("IMG_1.JPG", r"2 files .*\(100CANON/IMG_1\.JPG, 101CANON/IMG_1\.JPG\); write the path"),
        ("both/x", r"2 files have this name \(both/x\.heic, both/x\.jpg\)"),
        ("both/y.jpg", r"2 files have this name \(both/Y\.jpg, both/y\.JPG\)"),
        ("  ", "the name is empty"),
        ("cat.jpg,5\ndog.jpg", "quotation mark that opens before 'cat.jpg,5' is never closed"),
    ],
)
def test_what_fits_several_or_is_no_name_is_refused(names, written, told):
    with pytest.raises(PhotoError, match=told):
        names.find(written)


def test_names_from_another_machines_root_are_read_from_what_they_share(names):
    table = ["D:\\Fotos\\cat.jpg", "D:\\Fotos\\2023\\Cliff.JPG", "D:\\Fotos\\2022\\x 1.jpg"]
    whence = folder_in_common(table)
    assert whence == "D:/Fotos/"
    assert [found(names, name, whence) for name in table] == ["cat.jpg", "2023/Cliff.JPG", None]
    assert folder_in_common(["/m/p/a/x.jpg", "b.jpg", "/m/p/ab/y.jpg"]) == "/m/p/"
    assert folder_in_common(["b.jpg"]) == "" == folder_in_common([])


@pytest.mark.parametrize(
    ("unknown", "photo"),
    [
        ("caat.jpg", "cat.jpg"),
        ("2022/clif.jpg", "2023/Cliff.JPG"),
        ("101CANOM/IMG_1.JPG", "101CANON/IMG_1.JPG"),
        ("zzzzzzzz.png", None),
        ("?", None),
    ],
)
def test_the_closest_photo_is_suggested_by_its_path(names, unknown, photo):
    assert names.suggest(unknown) == photo


def test_two_files_that_differ_in_unicodes_form_alone_are_told_apart(tmp_path):
    both = PhotoNames(tmp_path, {"\u00e9.jpg": "one", "e\u0301.jpg": "two"})
    assert both.find("\u00e9.jpg") == "one" and both.find("e\u0301.jpg") == "two"
    with pytest.raises(PhotoError, match="2 files"):
        both.find("\u00c9.jpg")
