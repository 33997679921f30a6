"""Data sets on the Hub, whole and as they stream, in the same schema as those on disk."""

from pathlib import Path

import pytest
from datasets import Dataset, Features, Image, List, Value

from aesthetic_tv.databases import FEATURES, Source, SplitSettings, load, stream
from aesthetic_tv.errors import DatabaseError, HubError, HubNotFoundError
from database_samples import PAMELA_PARTS, pamela, pamela_rows, photo_bytes

COLUMNS = Features(
    {
        "image": Image(),
        "mean_score": Value("float64"),
        "rating_counts": List(Value("int64")),
        "rater": Value("string"),
    }
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))


def rows(numbers, images=None) -> Dataset:
    numbers = list(numbers)
    data = {
        "image": images or [{"bytes": photo_bytes(n), "path": f"p{n}.jpg"} for n in numbers],
        "mean_score": [1.0 + n for n in numbers],
        "rating_counts": [[1, n % 3, 2] for n in numbers],
        "rater": ["ann" for _ in numbers],
    }
    return Dataset.from_dict(data, features=COLUMNS)


def parquet(folder: Path, **parts: Dataset) -> Path:
    (folder / "data").mkdir(parents=True)
    for split, part in parts.items():
        part.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.fixture
def repo(tmp_path: Path) -> str:
    return str(parquet(tmp_path / "repo", train=rows(range(8)), test=rows(range(8, 11))))


def test_a_data_set_is_read_into_the_one_schema(repo):
    database = load("hub", repo, source=Source(id="mine"))
    assert database.table.features == FEATURES
    assert list(database.scores) == [1.0 + n for n in range(11)]
    assert database.table[0]["photo"] == "p0.jpg"
    assert database.table[0]["image"].size == (8, 6)
    assert database.table[1]["distribution"] == [0.25, 0.25, 0.5]
    assert set(database.table["user"]) == {"ann"}
    assert set(database.table["database"]) == {"mine"}
    assert len(database.split("test")) == 3
    assert database.split_source == "official"


def test_a_data_set_of_one_split_is_divided_by_a_seed(tmp_path):
    folder = parquet(tmp_path / "one", train=rows(range(40)))
    database = load("hub", str(folder), split=SplitSettings(test=0.4))
    assert database.split_source == "seeded:0:0.1:0.4"
    assert 5 < len(database.split("test")) < 28


def test_images_that_are_missing_empty_or_broken_are_left_out_and_named(tmp_path):
    images = [
        {"bytes": photo_bytes(0), "path": "a.jpg"},
        {"bytes": b"", "path": "b.jpg"},
        {"bytes": b"no image", "path": "c.jpg"},
        {"bytes": photo_bytes(3), "path": "d.jpg"},
        {"bytes": photo_bytes(4), "path": "d.jpg"},
    ]
    folder = parquet(tmp_path / "bad", train=rows(range(5), images))
    database = load("hub", str(folder))
    assert [photo for photo, _ in database.problems] == ["train/000001", "train/000002"]
    assert len(database) == 3


def test_a_stream_gives_the_rows_of_the_whole(repo):
    source = Source(id="mine", score_range=(1, 9))
    streamed = list(stream(repo, source=source))
    whole = load("hub", repo, source=source)
    assert len(streamed) == len(whole) == 9
    for one, other in zip(streamed, whole.table, strict=True):
        assert one["image"].tobytes() == other["image"].tobytes()
        assert {k: v for k, v in one.items() if k != "image"} == {
            k: v for k, v in other.items() if k != "image"
        }


def test_a_stream_turns_scores_and_passes_over_those_off_the_scale(repo):
    source = Source(score_range=(1, 4), higher_is_better=False)
    first, *rest = stream(repo, source=source)
    assert first["score"] == 4
    assert first["distribution"] == pytest.approx([2 / 3, 0, 1 / 3])
    assert len(rest) == 3
    with pytest.raises(DatabaseError, match="score_range"):
        stream(repo, source=Source(higher_is_better=False))


@pytest.mark.parametrize("read", [lambda *a, **k: load("hub", *a, **k), stream])
def test_columns_that_are_not_there_are_told_before_the_first_row(repo, read):
    with pytest.raises(DatabaseError, match="expected one called 'fame'"):
        read(repo, source=Source(score="fame"))
    with pytest.raises(DatabaseError, match="no column of images; those are: image"):
        read(repo, source=Source(image="rater"))


def test_a_data_set_without_images_is_told(tmp_path):
    folder = parquet(tmp_path / "text", train=Dataset.from_dict({"score": [1.0, 2.0]}))
    with pytest.raises(DatabaseError, match="0 columns of images"):
        load("hub", str(folder))


def test_a_repo_on_the_hub_is_fetched(hub, tmp_path):
    from huggingface_hub import HfApi

    from conftest import ALICE

    folder = parquet(tmp_path / "repo", train=rows(range(4)), test=rows(range(4, 6)))
    api = HfApi(token=ALICE)
    api.create_repo("alice/photos", repo_type="dataset")
    api.upload_folder(repo_id="alice/photos", repo_type="dataset", folder_path=folder)
    assert len(load("hub", "alice/photos")) == 6


def test_a_repo_that_is_not_there_is_told(hub):
    with pytest.raises((HubNotFoundError, DatabaseError), match="alice/nothing"):
        load("hub", "alice/nothing")


def test_a_hub_that_cannot_be_reached_is_told(hub, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises((HubError, DatabaseError), match="alice/nothing"):
        load("hub", "alice/nothing")


PAMELA_COLUMNS = Features(
    {
        "image": Image(),
        "participant_id": Value("string"),
        "original_score": Value("int64"),
        "image_path": Value("string"),
    }
)


def pamela_part(part: str) -> Dataset:
    kept = [
        {key: row[key] for key in PAMELA_COLUMNS if key != "image"}
        | {"image": {"bytes": photo_bytes(row["image_id"]), "path": row["image_path"]}}
        for row in pamela_rows(part)
    ]
    return Dataset.from_list(kept, features=PAMELA_COLUMNS)


def seen_and_tested(database) -> tuple[int, set, set]:
    test = database.split("test")
    return len(database), set(test.table["photo"]), set(test.table["user"])


def test_pamela_is_the_same_of_tables_and_of_rows_with_images(tmp_path):
    pamela(tmp_path / "tables")
    rows = parquet(tmp_path / "rows", **{f"pamela_{p}": pamela_part(p) for p in PAMELA_PARTS})
    for per_person in (True, False):
        whole, other = (
            load("pamela", place, per_person=per_person) for place in (tmp_path / "tables", rows)
        )
        assert whole.split_source == other.split_source == "official"
        columns = ["photo", "score", "user", "split", "database"]
        told = [x.table.select_columns(columns).to_pandas() for x in (whole, other)]
        one, two = (x.sort_values(["user", "photo"], ignore_index=True) for x in told)
        assert one.equals(two)
        images = {row["photo"]: row["image"].tobytes() for row in whole.table}
        assert images == {row["photo"]: row["image"].tobytes() for row in other.table}


def test_pamela_is_fetched_from_the_hub_with_tables_beside_images(hub, tmp_path):
    from huggingface_hub import HfApi

    from conftest import ALICE

    pamela(tmp_path / "tables")
    api = HfApi(token=ALICE)
    api.create_repo("alice/generated", repo_type="dataset")
    api.upload_folder(
        repo_id="alice/generated", repo_type="dataset", folder_path=tmp_path / "tables"
    )
    database = load("pamela", "alice/generated", per_person=True)
    assert seen_and_tested(database) == (
        24,
        {"g_0005.png", "g_0006.png", "g_0007.png"},
        {"p1", "p2", "p4"},
    )


def test_a_repo_of_pamela_that_is_not_there_is_told(hub):
    with pytest.raises((HubNotFoundError, DatabaseError), match="alice/nothing"):
        load("pamela", "alice/nothing")
