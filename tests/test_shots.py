"""Files that are one photo."""

from pathlib import Path

from aesthetic_tv.photo_metadata.shots import Shot, shots


def test_raw_belongs_to_the_jpeg_of_its_name():
    jpeg, raw = Path("a/DSC_1.JPG"), Path("a/dsc_1.nef")
    assert shots([jpeg, raw]) == [Shot(jpeg, (raw,))] == shots([raw, jpeg])


def test_raw_in_another_folder_or_alone_is_a_photo_of_its_own():
    files = [Path("a/1.jpg"), Path("b/1.nef"), Path("b/2.nef")]
    assert [shot.files for shot in shots(files)] == [(file,) for file in files]


def test_two_photos_of_one_name_stay_two_and_the_jpeg_has_the_raw():
    png, jpeg, raw = Path("1.png"), Path("1.jpg"), Path("1.cr3")
    assert shots([png, jpeg, raw]) == [Shot(png), Shot(jpeg, (raw,))]


def test_every_file_is_in_exactly_one_shot():
    files = [
        Path(f"{folder}/{n}{suffix}")
        for folder in "ab"
        for n in range(3)
        for suffix in (".jpg", ".NEF", ".heic", ".dng")
    ]
    found = [file for shot in shots(files) for file in shot.files]
    assert sorted(found) == sorted(files)
