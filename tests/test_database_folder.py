"""Photos of one's own with a table: ways of writing it, and what is left out and why."""

import json
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from aesthetic_tv.databases import Source, SplitSettings, load
from aesthetic_tv.errors import DatabaseError, SettingError
from database_samples import photo_bytes, photos, write

NAMES = ["cat.jpg", "dog.JPG", "sub/sea, evening.png", "été.jpg", "IMG_1.jpeg"]
SCORES = [1.0, 2.5, 3.0, 4.0, 5.0]
PLAIN = "photo;score\n" + "".join(f"{n};{s}\n" for n, s in zip(NAMES, SCORES, strict=True))


@pytest.fixture
def album(tmp_path: Path) -> Path:
    photos(tmp_path / "images", NAMES)
    return tmp_path


def read(album: Path, text: str | bytes, name: str = "scores.csv", **source):
    write(album, {name: text})
    return load("folder", album, source=Source(**source) if source else None)


def scores(database) -> dict[str, float]:
    return dict(zip(database.table["photo"], database.scores, strict=True))


def complaint(album: Path, text: str | bytes, name: str = "scores.csv", **source) -> str:
    with pytest.raises(DatabaseError) as caught:
        read(album, text, name, **source)
    return str(caught.value)


COMMAS = PLAIN.replace("sub/sea, evening.png", '"sub/sea, evening.png"').replace(";", ",")


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        PLAIN.replace(".5", ",5"),
        PLAIN.replace(";", "\t"),
        PLAIN.replace(";", "="),
        COMMAS,
        COMMAS.replace(",5", ", 5").replace("photo,score", "photo, score"),
        PLAIN.replace("photo;score", " Image_Name ; MOS "),
        "\n" + PLAIN + "\n\n",
    ],
)
def test_ways_of_writing_the_same_table(album, text):
    database = read(album, text)
    assert scores(database) == dict(zip(NAMES, SCORES, strict=True))
    assert database.problems == ()


@pytest.mark.parametrize("name", ["s.json", "s.jsonl", "s.parquet", "s.xlsx", "s.tsv", "S.CSV"])
def test_tables_of_other_formats(album, name):
    rows = [{"photo": n, "score": s} for n, s in zip(NAMES, SCORES, strict=True)]
    if name == "s.json":
        write(album, {name: json.dumps(rows)})
    elif name == "s.jsonl":
        write(album, {name: "\n".join(map(json.dumps, rows))})
    elif name == "s.parquet":
        pd.DataFrame(rows).to_parquet(album / name)
    elif name == "s.xlsx":
        pd.DataFrame(rows).to_excel(album / name, index=False)
    else:
        write(album, {name: PLAIN.replace(";", "\t" if name == "s.tsv" else ";")})
    assert scores(load("folder", album)) == dict(zip(NAMES, SCORES, strict=True))


def test_json_may_map_photos_to_scores(album):
    assert scores(read(album, '{"cat.jpg": 1, "dog.JPG": 2}', "s.json")) == {
        "cat.jpg": 1,
        "dog.JPG": 2,
    }


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("cat", "cat.jpg"),
        ("CAT.JPG", "cat.jpg"),
        (" cat.jpg", "cat.jpg"),
        ("dog.jpg", "dog.JPG"),
        ("IMG_1.JPG", "IMG_1.jpeg"),
        ("sea, evening.png", "sub/sea, evening.png"),
        ("sub\\sea, evening.png", "sub/sea, evening.png"),
        ("./cat.jpg", "cat.jpg"),
        ("été.jpg", "été.jpg"),
    ],
)
def test_photos_are_found_by_what_tables_write_for_them(album, written, file):
    database = read(album, json.dumps([{"photo": written, "score": 1}, {"photo": "x", "score": 2}]),
                    "s.json")  # fmt: skip
    stored = database.table.data.column("image").to_pylist()
    assert Path(stored[0]["path"]) == album / "images" / file
    assert database.problems == (("x", "there is no such file."),)


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "images/../../secret.jpg", "..\\secret.jpg", "C:/secret.jpg"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(album, name):
    write(album.parent, {"secret.jpg": photo_bytes(7)})
    database = read(album, json.dumps({name: 1, "cat.jpg": 2, "dog.JPG": 3}), "s.json")
    assert [photo for photo, _ in database.problems] == [name]
    assert "refused" in database.problems[0][1]


def test_an_absolute_name_is_refused_too(album):
    secret = write(album.parent, {"secret.jpg": photo_bytes(7)}) / "secret.jpg"
    database = read(album, json.dumps({str(secret): 1, "cat.jpg": 2, "dog.JPG": 3}), "s.json")
    assert len(database) == 2


def test_the_table_that_a_person_names_may_lie_elsewhere(album, tmp_path_factory, monkeypatch):
    elsewhere = write(tmp_path_factory.mktemp("elsewhere"), {"scores.csv": PLAIN})
    named = load("folder", album, source=Source(table=str(elsewhere / "scores.csv")))
    monkeypatch.chdir(elsewhere)
    assert scores(named) == scores(load("folder", album, source=Source(table="scores.csv")))
    # The folder's own goes first.
    write(album, {"scores.csv": PLAIN.replace("5.0", "4.5")})
    assert max(load("folder", album, source=Source(table="scores.csv")).scores) == 4.5
    with pytest.raises(DatabaseError, match="holds no table other"):
        load("folder", album, source=Source(table="other.csv"))


def test_missing_empty_and_broken_photos_are_left_out_and_named(album):
    write(
        album / "images", {"empty.jpg": b"", "text.jpg": "no image", "cut.jpg": photo_bytes(1)[:40]}
    )
    text = PLAIN + "empty.jpg;1\ntext.jpg;2\ncut.jpg;3\ngone.jpg;4\n"
    database = read(album, text)
    assert len(database) == len(NAMES)
    reasons = dict(database.problems)
    assert reasons["empty.jpg"] == "the file is empty."
    assert reasons["gone.jpg"] == "there is no such file."
    assert "not an image" in reasons["text.jpg"]
    assert set(reasons) == {"empty.jpg", "gone.jpg", "text.jpg", "cut.jpg"}


def test_a_photo_that_is_cut_off_is_found_by_decoding_it_whole(album):
    file = BytesIO()
    Image.effect_noise((64, 64), 80).save(file, "JPEG")
    write(album / "images", {"cut.jpg": file.getvalue()[: file.tell() // 2]})
    write(album, {"s.csv": PLAIN + "cut.jpg;3\n"})
    assert len(load("folder", album, verify="header")) == len(NAMES) + 1
    full = load("folder", album, verify="full")
    assert [photo for photo, _ in full.problems] == ["cut.jpg"]
    with pytest.raises(SettingError, match="verify"):
        load("folder", album, verify="twice")


def test_two_files_of_one_name_are_not_chosen_between(album):
    photos(album / "images", ["a/same.jpg", "b/same.jpg"])
    database = read(album, PLAIN + "same.jpg;3\n")
    assert database.problems[0][1].startswith("2 files have this name")


def test_scores_that_are_no_numbers_or_off_the_scale_are_left_out_and_named(album):
    text = PLAIN + "x.jpg;good\ny.jpg;\nz.jpg;9\nw.jpg;nan\n"
    database = read(album, text, score_range=(1, 5))
    assert dict(database.problems) == {
        "x.jpg": "the score 'good' is not a number.",
        "y.jpg": "the score is empty.",
        "z.jpg": "the score 9 is out of range (1 to 5).",
        "w.jpg": "the score 'nan' is not a number.",
    }
    assert database.score_range == (1, 5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("photo,score\ncat.jpg,x\ndog.JPG,\n", "none of 2 scores can be used: cat.jpg"),
        ("photo,score\ncat.jpg,3\ndog.JPG,3\n", "all 2 scores are 3"),
        ("photo,score\n", "no rows"),
        ("", "is empty"),
        ("photo,likes\ncat.jpg,3\n", "expected one called 'score' or"),
        ("score,likes\n1,3\n", "expected one called 'photo' or"),
        ("photo,score,score\ncat.jpg,1,2\n", "score"),
        ("photo,score\ngone.jpg,1\nlost.jpg,2\n", "none of the 2 photos"),
        ("photo,score\ncat.jpg,1\ncat.jpg,2\n", "two different scores (cat.jpg: 1 and 2)"),
        ("photo,score\ncat.jpg,1\ndog,x,y,2\n", "line 3: 4 values where the header has 2"),
        ("photo,score,split\ncat.jpg,1,a\ndog.JPG,2,b\n", "the splits are called a, b"),
    ],
)
def test_what_is_said_about_tables_that_cannot_be_used(album, text, told):
    assert told in complaint(album, text)


@pytest.mark.parametrize("name", ["s.xlsx", "s.parquet", "s.json", "s.jsonl"])
def test_damaged_files_are_told(album, name):
    assert name in complaint(album, b"\x00damaged", name)


def test_a_folder_with_no_table_or_with_two_is_told(album):
    with pytest.raises(DatabaseError, match="holds no table"):
        load("folder", album)
    write(album, {"a.csv": PLAIN, "b.csv": PLAIN})
    with pytest.raises(DatabaseError, match=r"a\.csv, b\.csv"):
        load("folder", album)
    assert len(load("folder", album, source=Source(table="b.csv"))) == len(NAMES)


def test_the_same_row_twice_is_kept_once(album):
    assert len(read(album, PLAIN + "cat.jpg;1\n")) == len(NAMES)


def test_a_photo_by_two_spellings_is_one_photo(album):
    assert len(read(album, PLAIN + "CAT;1\n./images/cat.jpg;1\n")) == len(NAMES)
    told = complaint(album, PLAIN + "CAT;1.5\n")
    assert "(images/cat.jpg: 1 and 1.5)" in told and "(line 2 and line 7)" in told
    rows = "photo,user,score\ncat.jpg,ann,1\nCAT,ann,2\nCAT,ben,3\n"
    database = read(album, rows)
    assert list(database.scores) == [1, 3]
    twice = ("images/cat.jpg", "user ann scored it twice; the first score is kept.")
    assert database.problems == (twice,)


def test_a_table_that_names_photos_from_the_root_is_read(album):
    text = PLAIN.replace("\n", f"\n{album}/images/").rsplit("\n", 1)[0]
    assert len(read(album, text)) == len(NAMES)
    moved = PLAIN.replace("\n", "\nD:\\Fotos\\").rsplit("\n", 1)[0]
    assert len(read(album, moved)) == len(NAMES)


def test_two_scores_of_a_photo_are_told_with_their_lines(album):
    told = complaint(album, PLAIN + "cat.jpg;3\n")
    assert "keep one row of each (line 2 and line 7)" in told


def test_users_may_score_one_photo_differently_but_not_twice(album):
    text = "photo,rater,score\ncat.jpg,ann,1\ncat.jpg,ben,5\ndog.JPG,ann,3\ndog.JPG,ann,4\n"
    database = read(album, text)
    tables = database.people()
    assert {user: scores(table) for user, table in tables.items()} == {
        "ann": {"cat.jpg": 1, "dog.JPG": 3},
        "ben": {"cat.jpg": 5},
    }
    assert database.problems == (("dog.JPG", "user ann scored it twice; the first score is kept."),)


def test_mean_scores_have_no_people(album):
    with pytest.raises(DatabaseError, match="mean scores"):
        read(album, PLAIN).people()


def test_distributions_become_shares(album):
    text = (
        "photo;score;votes\ncat.jpg;1;[0, 3, 1]\ndog.JPG;2;1 1 2\nIMG_1.jpeg;2;\nété.jpg;1;0 0 0\n"
    )
    database = read(album, text)
    assert database.table["distribution"][:] == [[0, 0.75, 0.25], [0.25, 0.25, 0.5], None]
    assert database.distribution_values == (1, 2, 3)
    assert database.problems[0][0] == "été.jpg"
    assert "not a list of numbers" in complaint(album, text.replace("1 1 2", "one"))
    assert "steps" in complaint(album, text.replace("1 1 2", "1 2"))


def test_scores_that_are_better_when_lower_are_turned(album):
    text = "photo;score;votes\ncat.jpg;1;3 1 0\ndog.JPG;3;0 0 4\n"
    database = read(album, text, higher_is_better=False, score_range=(1, 3))
    assert list(database.scores) == [3, 1]
    assert database.table["distribution"][0] == [0, 0.25, 0.75]
    assert database.distribution_values == (1, 2, 3)


def test_columns_may_be_named(album):
    text = "pic,likes,who,part\ncat.jpg,1,ann,dev\ndog.JPG,2,ann,training\n"
    database = read(album, text, photo="pic", score="likes", user="who", split="part", id="mine")
    assert database.table[0]["split"] == "validation"
    assert database.table[0]["user"] == "ann"
    assert database.entry.id == database.table[0]["database"] == "mine"
    assert "'fame'" in complaint(album, text, photo="pic", score="fame")


def test_rows_of_an_unknown_split_are_left_out_and_named(album):
    text = "photo,score,split\ncat.jpg,1,train\ndog.JPG,2,test\nété.jpg,2,spare\n"
    database = read(album, text)
    assert database.problems == (
        ("été.jpg", "the split 'spare' is none of train, validation, test."),
    )


def test_a_seeded_split_depends_on_names_and_seed_alone(tmp_path):
    names = [f"{n}.jpg" for n in range(300)]
    photos(tmp_path / "images", names)

    def divided(some, **settings):
        rows = json.dumps({name: number for number, name in enumerate(some)})
        write(tmp_path, {"s.json": rows})
        database = load("folder", tmp_path, split=SplitSettings(**settings), verify="exists")
        return database, dict(zip(database.table["photo"], database.table["split"], strict=True))

    database, all_of_them = divided(names, validation=0.2, test=0.3)
    counts = pd.Series(all_of_them).value_counts()
    assert database.split_source == "seeded:0:0.2:0.3"
    assert 40 < counts["validation"] < 80
    assert 60 < counts["test"] < 120
    fewer = divided(names[::-2], validation=0.2, test=0.3)[1]
    assert fewer == {name: all_of_them[name] for name in fewer}
    assert divided(names, validation=0.2, test=0.3, seed=1)[1] != all_of_them
    assert set(divided(names, validation=0.2, test=0.0)[1].values()) == {"train", "validation"}


@pytest.mark.parametrize("settings", [{"test": 1.0}, {"validation": -0.1}, {"source": "mine"}])
def test_shares_that_leave_nothing_are_refused(settings):
    with pytest.raises(SettingError):
        SplitSettings(**settings)


def test_a_split_without_rows_is_told(album):
    with pytest.raises(DatabaseError, match="has no rows for validation"):
        read(album, "photo,score,split\ncat.jpg,1,train\ndog.JPG,2,test\n").split("validation")
    with pytest.raises(DatabaseError, match="no split 'dev'"):
        load("folder", album).split("dev")


def test_a_link_that_leads_back_up_does_not_trap_the_search(album):
    (album / "images" / "loop").symlink_to(album / "images")
    assert len(read(album, PLAIN)) == len(NAMES)
