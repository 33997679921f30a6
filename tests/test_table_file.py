"""Tables as spreadsheets, exiftool and people write them, whatever they are read for."""

import json
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from aesthetic_tv.databases import Source
from aesthetic_tv.databases.folder import read
from aesthetic_tv.errors import DatabaseError, RatingsFileError, TableError
from aesthetic_tv.personalization.ratings_file import read_rated, read_ratings
from aesthetic_tv.table_file import read_table

PLAIN = "photo,rating\ncat.jpg,5\nsub/dog.jpg,2.5\nété.jpg,1\n"
FOUND = {"cat.jpg": 5.0, "sub/dog.jpg": 2.5, "été.jpg": 1.0}


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    (folder / "sub").mkdir(parents=True)
    for name in FOUND:
        (folder / name).touch()
    return folder


def both(album: Path, path: Path) -> tuple[dict[str, float], dict[str, float]]:
    """What ratings and scores make of one table."""
    ratings = read_ratings(path, album)
    rows = read(album, Source(table=str(path))).rows
    return (
        {Path(photo).relative_to(album).as_posix(): rating for photo, rating in ratings.items()},
        dict(zip(rows["photo"], map(float, rows["score"]), strict=True)),
    )


def complaints(album: Path, path: Path) -> list[str]:
    told = []
    with pytest.raises(RatingsFileError) as caught:
        read_ratings(path, album)
    told.append(str(caught.value))
    with pytest.raises(DatabaseError) as caught_too:
        read(album, Source(table=str(path)))
    return [*told, str(caught_too.value)]


SEMICOLONS = PLAIN.replace(",", ";").replace("2.5", "2,5")


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        PLAIN.encode("cp1252"),
        SEMICOLONS.encode("cp1252"),
        ("sep=;\n" + SEMICOLONS).encode("utf-8-sig"),
        ("sep=;\r\n" + SEMICOLONS.replace("\n", "\r\n")).encode("utf-16"),
        ('"SEP=;"\r' + SEMICOLONS.replace("\n", "\r")).encode("cp1252"),
        ("sep=\t\n" + SEMICOLONS.replace(";", "\t")).encode(),
        SEMICOLONS.replace(";", "|").encode(),
        SEMICOLONS.replace(";", ";;").encode(),
        PLAIN.replace("2.5", '"2,5"').encode(),
        PLAIN.replace("photo,", "photo, note a; note b; note c,")
        .replace(".jpg,", ".jpg,,")
        .encode(),
    ],
)
def test_ways_in_which_programs_save_a_table(album, tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    assert both(album, tmp_path / "t.csv") == (FOUND, FOUND)


@pytest.mark.parametrize("rating", ["rating", "Score", "STARS", "mos", "mean_score", "XMP:Rating"])
@pytest.mark.parametrize(
    "photo",
    ["photo", "Image", "file", "File Name", "file_name", "filename", "path", "image_name", "name",
     "SourceFile", "Image-Path"],
)  # fmt: skip
def test_one_table_serves_as_ratings_and_as_scores_by_any_usual_header(
    album, tmp_path, photo, rating
):
    (tmp_path / "t.csv").write_text(PLAIN.replace("photo,rating", f"{photo},{rating}"))
    assert both(album, tmp_path / "t.csv") == (FOUND, FOUND)


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet", "t.json", "t.jsonl", "t.tsv", "T.TXT"])
def test_one_table_serves_as_both_in_any_format(album, tmp_path, name):
    path = tmp_path / name
    rows = [{"file name": photo, "Rating": rating} for photo, rating in FOUND.items()]
    if path.suffix == ".xlsx":
        pd.DataFrame(rows).to_excel(path, index=False)
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        path.write_text(PLAIN.replace(",", "\t" if path.suffix == ".tsv" else " "))
    assert both(album, path) == (FOUND, FOUND)


def test_a_sheet_begins_where_its_first_row_is_and_may_have_text_for_numbers(album, tmp_path):
    from openpyxl import Workbook

    book = Workbook()
    book.create_sheet("notes")
    sheet = book.worksheets[1]
    given = {3: ["photo", "note", "rating"], 4: ["cat.jpg", None, "4,5"],
             6: ["sub\\dog.jpg", "x", None], 7: ["nobody.jpg", 1, 2]}  # fmt: skip
    for row, cells in given.items():
        for column, value in enumerate(cells, 1):
            sheet.cell(row, column, value)
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(RatingsFileError, match=r"row 7: there is no photo 'nobody\.jpg'"):
        read_ratings(tmp_path / "t.xlsx", album)
    (album / "nobody.jpg").touch()
    rated = read_rated(tmp_path / "t.xlsx", album)
    assert list(rated.ratings.values()) == [4.5, 2] and rated.unrated == 1
    (tmp_path / "t.csv").write_bytes((tmp_path / "t.xlsx").read_bytes())
    assert read_rated(tmp_path / "t.csv", album) == rated


def test_without_openpyxl_it_is_said_what_to_install(album, tmp_path, monkeypatch):
    pd.DataFrame({"photo": ["cat.jpg"], "rating": [5]}).to_excel(tmp_path / "t.xlsx", index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    for told in complaints(album, tmp_path / "t.xlsx"):
        assert "t.xlsx: reading .xlsx needs openpyxl; `pip install openpyxl`" in told


@pytest.mark.parametrize(
    "start", ["./", "album/", "{album}/", "/Volumes/Card/DCIM/", "C:\\Fotos\\"]
)
def test_the_table_that_exiftool_writes(album, tmp_path, start):
    start = start.format(album=album)
    lines = [f"{start}cat.jpg,5", f"{start}sub/dog.jpg,-1", f"{start}été.jpg,",
             f"{start}film.mov,", f"{start}film.mp4,-", f"{start}été.jpg,0"]  # fmt: skip
    (tmp_path / "t.csv").write_text("\n".join(["SourceFile,Rating", *lines]))
    rated = read_rated(tmp_path / "t.csv", album)
    assert rated.ratings == {str(album / "cat.jpg"): 5, str(album / "sub/dog.jpg"): -1}
    assert rated.unrated == 4
    rows = read(album, Source(table=str(tmp_path / "t.csv"))).rows
    assert rows["score"].tolist() == ["5", "-1", "", "", "", ""]


def test_a_rating_of_0_counts_in_other_tables(album, tmp_path):
    (tmp_path / "t.csv").write_text("photo,rating\ncat.jpg,0\nété.jpg,\n")
    assert read_rated(tmp_path / "t.csv", album).ratings == {str(album / "cat.jpg"): 0}


def test_the_same_line_twice_is_kept_once_and_another_rating_is_refused(album, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("photo,rating\ncat.jpg,5\nCAT,5.0\nsub/dog.jpg,1\n")
    assert list(read_ratings(path, album).values()) == [5, 1]
    path.write_text("photo,rating\ncat.jpg,5\nsub/dog.jpg,1\ncat.jpg,4\n")
    with pytest.raises(
        RatingsFileError, match=r"line 4: 'cat\.jpg' is rated 4 here and 5 at line 2"
    ):
        read_ratings(path, album)


def test_lines_are_counted_from_the_files_first_whatever_stands_before(album, tmp_path):
    text = 'sep=;\n\nphoto;note;rating\ncat.jpg;"a\nb";5\ncat.jpg;;bad\ndog.jpg;"oh;3\n'
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(RatingsFileError) as caught:
        read_ratings(tmp_path / "t.csv", album)
    assert "line 6: the rating is 'bad'" in str(caught.value)
    assert "line 7: the quotation mark that opens before 'oh;3' is never closed" in str(
        caught.value
    )


def test_names_with_commas_stay_as_they_are_in_a_table_with_decimal_commas(album, tmp_path):
    (album / "1,5").touch()
    text = "photo;score;votes\n1,5.jpg;2,25;3,5\n1,5;3,125;0,2\nx;1;\n"
    (tmp_path / "t.csv").write_text(text)
    rows = read(album, Source(table=str(tmp_path / "t.csv"))).rows
    assert rows["photo"].tolist()[:2] == ["1,5.jpg", "1,5"]
    assert rows["score"].tolist() == ["2.25", "3.125", "1"]


def test_a_number_as_the_name_of_a_photo_has_no_point(album, tmp_path):
    (album / "953619.jpg").touch()
    frame = pd.DataFrame({"image_id": [953619.0], "mos": [3.5]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert both(album, tmp_path / "t.parquet")[1] == {"953619": 3.5}
    assert read_ratings(tmp_path / "t.parquet", album) == {str(album / "953619.jpg"): 3.5}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.jsonl", '{"photo": "a", "score": 1}\n{"photo', "line 2 is not valid JSON"),
        ("t.json", '{"a": {"b": 1}}', "expected {"),
        ("t.json", '[{"photo": "a", "score": 1}, 7]', "entry 2: expected a row such as"),
        ("t.csv", "photo,score\na,1,2,3\n", "line 2: 4 values where the header has 2"),
        ("t.csv", "photo;score\na;1;2\n", "put a name that holds a semicolon in double quotes"),
        ("t.doc", "", "expected a table ending in .csv"),
    ],
)
def test_what_is_said_of_other_shapes_is_the_same_for_all(album, tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    assert all(told in complaint for complaint in complaints(album, tmp_path / name))


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(TableError, match=r"t\.csv cannot be read"):
        read_table(tmp_path / "t.csv")


def test_two_hundred_unknown_names_among_twenty_thousand_photos_take_no_time(tmp_path, monkeypatch):
    photos = [tmp_path / f"d{i // 500:03d}" / f"IMG_{i:05d}.jpg" for i in range(20_000)]
    monkeypatch.setattr(
        "aesthetic_tv.personalization.ratings_file.find_photos", lambda folder, **_kinds: photos
    )
    lines = [f"IMG_{50_000 + i}.jpg,{i % 5}" for i in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["photo,rating", *lines]))
    started = time.process_time()
    with pytest.raises(RatingsFileError) as caught:
        read_ratings(tmp_path / "t.csv", tmp_path)
    assert time.process_time() - started < 4  # under one where nothing else runs
    told = str(caught.value)
    assert "200 lines cannot be used" in told and told.count("did you mean 'd") == 10
