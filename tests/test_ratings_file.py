"""Ratings files: what just works, and what is said about each line that does not."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aesthetic_tv.errors import OutputError, PhotoError, RatingsFileError
from aesthetic_tv.personalization.ratings_file import read_ratings, write_ratings

NAMES = ["cat.jpg", "dog.jpg", "sea, evening.jpg", "2023/cliff.jpg", "2023/cat2.jpg", "été.jpg"]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Only names count here, so that empty files will do."""
    folder = tmp_path / "album"
    (folder / "2023").mkdir(parents=True)
    for name in NAMES:
        (folder / name).touch()
    return folder


def read(album: Path, text: str | bytes, name: str = "ratings.csv") -> dict[str, float]:
    path = album.parent / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ratings = read_ratings(path, album)
    return {Path(photo).relative_to(album).as_posix(): value for photo, value in ratings.items()}


def complaint(album: Path, text: str | bytes, name: str = "ratings.csv") -> str:
    with pytest.raises(RatingsFileError) as caught:
        read(album, text, name)
    return str(caught.value)


PLAIN = "photo,rating\ncat.jpg,5\ndog.jpg,2.5\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", " , "),
        PLAIN.replace(",", ", ")
        .upper()
        .replace("CAT.JPG", "cat.jpg")
        .replace("DOG.JPG", "dog.jpg"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", ";").replace("2.5", "2,5"),
        PLAIN.replace(",", "\t"),
        'photo,rating\n"cat.jpg","5"\n"dog.jpg" , "2.5"\n',
        "\n" + PLAIN.replace("\n", "\n\n,\n"),
        "when,Stars,FileName,note\nmon,5,cat.jpg,a\ntue,2.5,dog.jpg,b\n",
        "photo,rating\n./cat.jpg,5\nalbum/dog.jpg,2.5e0",
        PLAIN.encode("utf-16"),
    ],
)
def test_ways_of_writing_the_same_ratings(album, text):
    assert read(album, text) == {"cat.jpg": 5.0, "dog.jpg": 2.5}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.tsv", PLAIN.replace(",", "\t")),
        ("r.json", '{"cat.jpg": 5, "dog.jpg": 2.5}'),
        ("r.json", '[{"image": "cat.jpg", "Score": 5}, {"image": "dog.jpg", "Score": " 2.5 "}]'),
        ("R.JSON", '\ufeff{"cat.jpg": 5, "dog.jpg": 2.5}'),
    ],
)
def test_other_formats(album, name, text):
    assert read(album, text, name) == {"cat.jpg": 5.0, "dog.jpg": 2.5}


def test_parquet(album):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"Photo": ["cat.jpg", "dog.jpg"], "stars": [5, 2]})
    parquet.write_table(table, album.parent / "r.parquet")
    assert list(read_ratings(album.parent / "r.parquet", album).values()) == [5.0, 2.0]
    content = (album.parent / "r.parquet").read_bytes()
    assert "not a whole parquet file" in complaint(album, content[:-20], "cut.parquet")


def test_a_photo_in_a_subfolder_goes_by_its_bare_name_while_that_is_unique(album):
    assert read(album, "photo,rating\ncliff.jpg,1\n") == {"2023/cliff.jpg": 1.0}
    assert read(album, "photo,rating\n2023\\cliff.jpg,1\n") == {"2023/cliff.jpg": 1.0}
    (album / "2024").mkdir()
    (album / "2024" / "cliff.jpg").touch()
    message = complaint(album, "photo,rating\ncliff.jpg,1\n")
    assert "2023/cliff.jpg, 2024/cliff.jpg" in message


def test_the_two_ways_unicode_writes_an_accent_are_one_name(album):
    assert read(album, "photo,rating\ne\u0301te\u0301.jpg,3\n") == {"été.jpg": 3.0}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("caat.jpg,3", "line 2: there is no photo 'caat.jpg' below"),
        ("caat.jpg,3", "did you mean 'cat.jpg'?"),
        ("2022/cliff.jpg,3", "did you mean '2023/cliff.jpg'?"),
        ("zzzzzz.jpg,3", "write a name relative to that folder"),
        ("cat.jpg,", "line 2: the rating is empty"),
        ("cat.jpg", "line 2: the rating is empty"),
        (",3", "line 2: the photo's name is empty"),
        ("cat.jpg,nan", "line 2: the rating is nan; write a number"),
        ("cat.jpg,-inf", "line 2: the rating is -inf"),
        ("cat.jpg,1e999", "line 2: the rating is '1e999'"),
        ("cat.jpg,good", "line 2: the rating is 'good', which is not a number"),
        ("cat.jpg,5/5", "'5/5', which is not a number"),
        ('cat.jpg,"3,500"', "'3,500', which is not a number; a comma may set off thousands"),
        ("cat.jpg,3,5", "3 values where the header has 2"),
        ("sea, evening.jpg,5", "double quotes"),
        ('"cat.jpg,3\ndog.jpg,2', "quotation mark that opens before 'cat.jpg,3' is never closed"),
    ],
)
def test_a_bad_line_is_named_with_what_to_write_instead(album, line, said):
    assert said in complaint(album, f"photo,rating\n{line}\n")


def test_a_duplicate_names_both_lines(album):
    message = complaint(album, "photo,rating\ncat.jpg,5\ndog.jpg,1\n./CAT.jpg,4\n")
    assert "line 4: './CAT.jpg' is rated 4 here and 5, as 'cat.jpg', at line 2" in message
    assert "entry 2" in complaint(album, '{"cat.jpg": 5, "cat.jpg": 4}', "r.json")


def test_all_bad_lines_are_told_at_once_up_to_ten(album):
    lines = "".join(f"nobody{i}.png,1\n" for i in range(13))
    message = complaint(album, "photo,rating\n" + lines)
    assert message.count("\n") == 11
    assert "13 lines cannot be used" in message
    assert "line 11:" in message
    assert "line 12:" not in message
    assert message.endswith("and 3 more.")


def test_line_numbers_count_blank_and_broken_lines(album):
    message = complaint(album, '\n\nphoto,rating\r\n\r\n"sea, evening.jpg",1\ncat.jpg,bad\n')
    assert "line 6:" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat.jpg,5\n", "missing is one of the photos (photo, image, SourceFile, file, "),
        ("photo,taste\ncat.jpg,5\n", "missing is one of the ratings (rating, score, mos, "),
        ("photo,rating,Rating,rating\ncat.jpg,5,4,3\n", "two columns called 'rating'"),
        ("", "is empty"),
        (b"PK\x03\x04", "not a whole .xlsx table"),
        (b"\xd0\xcf\x11\xe0", "Excel's old format; save it as .xlsx"),
        ("photo,rating\ncat.jpg,\0", "line 2 is not text"),
        ("photo,rating\ncat.jpg,5\n".encode("utf-16")[:-1], "not a whole text in utf-16"),
        ("photo,rating\n", "holds no ratings"),
        (b"photo,rating\n\xe9pave.jpg,4\n", "not UTF-8, and was read as Windows-1252"),
    ],
)
def test_a_file_that_is_no_table_of_ratings(album, text, said):
    assert said in complaint(album, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"cat.jpg": 5', "not valid JSON"),
        ("5", 'expected {"cat.jpg": 5, ...}'),
        ("[5]", "entry 1: expected a row"),
        ('[{"cat": 1}]', "entry 1 names the columns 'cat'"),
        ('{"cat.jpg": NaN}', "entry 1: the rating is NaN"),
        ('{"cat.jpg": true}', "entry 1: the rating is 'true', which is not a number"),
        ('{"cat.jpg": null}', "entry 1: the rating is empty"),
    ],
)
def test_bad_json(album, text, said):
    assert said in complaint(album, text, "r.json")


def test_files_and_folders_that_are_not_there(album, tmp_path):
    with pytest.raises(RatingsFileError, match="no such ratings file"):
        read_ratings(tmp_path / "nowhere.csv", album)
    (tmp_path / "ratings.ods").touch()
    with pytest.raises(RatingsFileError, match=r"expected a table ending in \.csv"):
        read_ratings(tmp_path / "ratings.ods", album)
    with pytest.raises(PhotoError, match="no such folder"):
        read_ratings(tmp_path / "ratings.csv", tmp_path / "nowhere")


def test_ratings_that_cannot_be_written_leave_the_old_file(album, tmp_path):
    target = tmp_path / "r.csv"
    write_ratings(target, {"cat.jpg": 5})
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_ratings(tmp_path / "file" / "r.csv", {"cat.jpg": 1})
    assert target.read_text() == "photo,rating\ncat.jpg,5\n"


# Letters, punctuation that csv must quote, and signs beyond the basic plane; no separators of
# paths or lines, which file names do not have on every system.
name_characters = st.characters(
    exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="/\\\0"
)
stems = st.text(name_characters, min_size=1, max_size=12).filter(
    lambda stem: stem.strip() == stem and not stem.startswith(".")
)
finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ratings=st.dictionaries(stems, finite, min_size=1, max_size=5),
    bom=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
    before=st.sampled_from(["", " ", "   "]),
    blank=st.booleans(),
)
def test_what_was_written_reads_back_the_same_however_it_was_mangled(
    tmp_path_factory, ratings, bom, line_end, before, blank
):
    import unicodedata

    names = {unicodedata.normalize("NFC", stem): value for stem, value in ratings.items()}
    folder = tmp_path_factory.mktemp("album")
    for stem in names:
        (folder / f"{stem}.jpg").touch()
    path = folder / "ratings.csv"
    write_ratings(path, {f"{stem}.jpg": value for stem, value in names.items()})
    lines = path.read_text("utf-8").split("\n")[:-1]
    ends = (line_end * 2 if blank else line_end).join([*(before + line for line in lines), ""])
    path.write_bytes(("\ufeff" if bom else "").encode() + ends.encode())
    read_back = read_ratings(path, folder)
    assert read_back == {str(folder / f"{stem}.jpg"): value for stem, value in names.items()}


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60), suffix=st.sampled_from([".csv", ".tsv", ".json"]))
def test_nothing_but_our_own_errors_whatever_the_file_holds(tmp_path_factory, text, suffix):
    folder = tmp_path_factory.mktemp("album")
    (folder / "cat.jpg").touch()
    path = folder / f"ratings{suffix}"
    path.write_bytes(text.encode("utf-8", "replace"))
    try:
        ratings = read_ratings(path, folder)
    except RatingsFileError:
        return
    assert json.dumps(list(ratings)) == json.dumps([str(folder / "cat.jpg")])
