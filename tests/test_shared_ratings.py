"""Ratings that a person chooses to share: by file name, only when asked, and never a path."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from huggingface_hub import hf_hub_download
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED
from aesthetic_tv.errors import FormatError, HubConflictError, PreferenceError, RatingsFileError
from aesthetic_tv.personalization import PaperSolver, Personalization, Personalizer
from aesthetic_tv.personalization.ratings_file import bare_names, read_ratings
from aesthetic_tv.personalization.shared_ratings import push_preferences
from conftest import ALICE, make_bank
from hub_server import HubServer, RefusedError

REPO = "alice/my-ratings"


@pytest.fixture
def bank(hub: HubServer):
    bank = make_bank(2)
    bank.push_to_hub("alice/bank", token=ALICE)
    return bank


@pytest.fixture
def ratings(photos) -> dict[Path, float]:
    return {photo: 1.0 + i % 5 for i, photo in enumerate(photos)}


@pytest.fixture
def by_name(ratings) -> dict[str, float]:
    return {photo.name: rating for photo, rating in ratings.items()}


@pytest.fixture
def personalizer(bank) -> Personalizer:
    return Personalizer(bank, solver=PaperSolver(iterations=1), folds=0)


@pytest.fixture
def mine(personalizer, ratings) -> Personalization:
    return personalizer.fit(ratings)


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def push_by_command(*arguments: object):
    return CliRunner().invoke(app, ["push", *map(str, arguments)], env={"HF_TOKEN": ALICE})


# With a personalization


def test_by_default_no_ratings_are_saved(mine, tmp_path, photos):
    mine.save_pretrained(tmp_path / "mine")
    names = {path.name for path in (tmp_path / "mine").iterdir()}
    taste = {"personalization_config.json", "personalization.safetensors"}
    assert names == taste | {"config.json", "preprocessor_config.json"}
    config = json.loads((tmp_path / "mine/personalization_config.json").read_text())
    assert "ratings" not in config
    assert photos[0].name.encode() not in contents(tmp_path / "mine")
    assert Personalization.from_pretrained(tmp_path / "mine").ratings is None


def test_ratings_are_saved_by_name_when_asked(mine, by_name, tmp_path, photos):
    mine.save_pretrained(tmp_path / "mine", include_ratings=True)
    config = json.loads((tmp_path / "mine/personalization_config.json").read_text())
    assert config["ratings"] == "ratings.csv"
    assert read_ratings(tmp_path / "mine/ratings.csv") == by_name
    assert photos[0].parent.name.encode() not in contents(tmp_path / "mine")
    loaded = Personalization.from_pretrained(tmp_path / "mine")
    assert loaded.ratings == by_name
    assert photos[0].name not in repr(loaded)
    loaded.save_pretrained(tmp_path / "mine")
    assert not (tmp_path / "mine/ratings.csv").exists()


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([r"C:\me\x.jpg", "/home/me/y.jpg"], ["x.jpg", "y.jpg"]),
        (["a/x.jpg", "b/x.jpg", "c/y.jpg"], ["a/x.jpg", "b/x.jpg", "y.jpg"]),
        (["/home/me/p/a/x.jpg", "/home/me/p/b/x.jpg"], ["a/x.jpg", "b/x.jpg"]),
        (["/me/p/x.jpg", "/me/p/b/x.jpg", "/me/p/b/y.jpg"], ["x.jpg", "b/x.jpg", "y.jpg"]),
        (["/p/a/1/x.jpg", "/p/a/2/x.jpg", "/p/b/1/x.jpg"], ["a/1/x.jpg", "2/x.jpg", "b/1/x.jpg"]),
        (["../a/x.jpg", "../b/x.jpg"], ["a/x.jpg", "b/x.jpg"]),
        (["D:\\a\\x.jpg", "D:\\b\\x.jpg"], ["a/x.jpg", "b/x.jpg"]),
    ],
)
def test_a_shared_name_has_only_the_folders_that_tell_it_apart(paths, names):
    named = bare_names({path: 1 + i for i, path in enumerate(paths)})
    assert named == {name: 1 + i for i, name in enumerate(names)}


def test_what_has_no_name_to_share_is_refused():
    for photo in (7, "", "/"):
        with pytest.raises(PreferenceError, match="has no file name"):
            bare_names({photo: 1.0})
    with pytest.raises(PreferenceError, match=r"a/x\.jpg and \./a/x\.jpg are both called a/x\.jpg"):
        bare_names({"a/x.jpg": 1, "./a/x.jpg": 2})


def test_ratings_of_equal_names_are_found_again_among_photos_that_were_not_rated(
    personalizer, photos, tmp_path
):
    album, rated = tmp_path / "album", {}
    for i, photo in enumerate(photos):
        target = album / f"{100 + i // 4}CANON" / f"IMG_{i % 4}.JPG"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(photo.read_bytes())
        if i not in (4, 9):
            rated[str(target)] = 1.0 + i % 5
    personalizer.fit(rated).save_pretrained(tmp_path / "mine", include_ratings=True)
    assert read_ratings(tmp_path / "mine/ratings.csv", album) == rated
    assert str(tmp_path).encode() not in contents(tmp_path / "mine")
    again = Personalization.from_pretrained(tmp_path / "mine")
    again.save_pretrained(tmp_path / "again", include_ratings=True)
    assert read_ratings(tmp_path / "again/ratings.csv", album.parent) == rated


def test_pairs_and_rankings_have_no_ratings_to_include(personalizer, photos, tmp_path):
    for given in ({"ranking": photos}, {"pairs": [(photos[0], photos[1])]}):
        mine = personalizer.fit(**given)
        with pytest.raises(PreferenceError, match="no ratings to include"):
            mine.save_pretrained(tmp_path / "mine", include_ratings=True)
        with pytest.raises(PreferenceError, match="no ratings to include"):
            mine.push_to_hub("alice/taste", include_ratings=True, token=ALICE)
    assert not (tmp_path / "mine").exists()


def test_a_push_brings_ratings_only_when_asked_and_the_next_takes_them_back(mine, by_name, hub):
    settings = {"token": ALICE, "keep_readme": False}
    mine.push_to_hub("alice/taste", include_ratings=True, **settings)
    files = hub.model("alice/taste").files()
    assert "chose to share the 12 ratings" in files["README.md"].decode()
    assert Personalization.from_pretrained("alice/taste").ratings == by_name
    mine.push_to_hub("alice/taste", **settings)
    files = hub.model("alice/taste").files()
    assert "ratings.csv" not in files
    assert "no paths and no ratings" in files["README.md"].decode()
    assert Personalization.from_pretrained("alice/taste").ratings is None


def test_a_saved_folder_is_pushed_with_its_ratings_only_when_asked(mine, by_name, hub, tmp_path):
    mine.save_pretrained(tmp_path / "mine", include_ratings=True)
    result = push_by_command(tmp_path / "mine", "alice/taste")
    assert result.exit_code == 0, result.output
    assert "ratings.csv" not in hub.model("alice/taste").files()
    assert Personalization.from_pretrained("alice/taste").ratings is None
    result = push_by_command(tmp_path / "mine", "alice/taste", "--include-ratings")
    assert result.exit_code == 0, result.output
    out = tmp_path / "back"
    assert CliRunner().invoke(app, ["pull", "alice/taste", "--out", str(out)]).exit_code == 0
    assert Personalization.from_pretrained(out).ratings == by_name


def test_a_folder_without_ratings_has_none_to_push(mine, hub, tmp_path):
    mine.save_pretrained(tmp_path / "mine")
    (tmp_path / "mine/ratings.csv").write_text("photo,rating\n/home/me/x.jpg,3\n")
    result = push_by_command(tmp_path / "mine", "alice/taste", "--include-ratings")
    assert result.exit_code == FAILED and "no ratings to include" in result.stderr
    assert ("model", "alice/taste") not in hub.repos


@pytest.mark.parametrize("named", ["../ratings.csv", "other.csv", 7])
def test_a_config_cannot_name_another_file(mine, tmp_path, named):
    mine.save_pretrained(tmp_path / "mine", include_ratings=True)
    path = tmp_path / "mine/personalization_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"ratings": named}))
    with pytest.raises(FormatError, match=r"expected ratings\.csv"):
        Personalization.from_pretrained(tmp_path / "mine")


def test_ratings_that_vanished_are_told(mine, tmp_path):
    mine.save_pretrained(tmp_path / "mine", include_ratings=True)
    (tmp_path / "mine/ratings.csv").unlink()
    with pytest.raises(FormatError, match="no such ratings file"):
        Personalization.from_pretrained(tmp_path / "mine")


# As a data set


def read_back(name: str, cache: Path) -> str:
    path = hf_hub_download(REPO, name, repo_type="dataset", cache_dir=cache)
    return Path(path).read_text()


def test_preferences_are_read_back_with_the_real_client(hub, ratings, by_name, tmp_path):
    commit = push_preferences(ratings, REPO, scale=(1, 10), token=ALICE)
    repo = hub.dataset(REPO)
    assert repo.history[1:] == [commit.oid]
    assert {*repo.files()} == {".gitattributes", "README.md", "ratings.csv"}
    rows = list(csv.DictReader(read_back("ratings.csv", tmp_path).splitlines()))
    assert {row["photo"]: float(row["rating"]) for row in rows} == by_name
    _, head, text = read_back("README.md", tmp_path).split("---\n", 2)
    configs = yaml.safe_load(head)["configs"]
    assert configs == [{"config_name": "default", "data_files": "ratings.csv"}]
    assert "12 photos" in text and "between 1 and\n10" in text
    assert f'load_dataset("{REPO}")' in text and "No licence is given" in text


def test_a_ratings_file_is_pushed_as_a_data_set(hub, tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("score;image\n5;/home/me/a.jpg\n2;trip/b.jpg\n")
    result = push_by_command(path, REPO, "--private", "--tag", "v1")
    assert result.exit_code == 0, result.output
    repo = hub.dataset(REPO)
    assert repo.private and repo.tags["v1"] in result.stdout
    assert f"hf download --repo-type dataset {REPO}" in result.stdout
    assert repo.files()["ratings.csv"] == b"photo,rating\na.jpg,5\nb.jpg,2\n"


def test_nothing_is_pushed_of_ratings_that_cannot_be_used(hub, tmp_path):
    for text, told in {"photo,rating\na.jpg,five\n": "not a number", "photo,rating\n": "no rati",
                       "photo,rating\na.jpg,3\nb.jpg,3\n": "All 2 ratings"}.items():  # fmt: skip
        (tmp_path / "ratings.csv").write_text(text)
        result = push_by_command(tmp_path / "ratings.csv", REPO)
        assert result.exit_code == FAILED and told in result.stderr, result.stderr
    assert hub.repos == {}


def test_a_push_of_preferences_that_fails_is_one_error(hub, by_name):
    hub.fault("/commit/", RefusedError(412))
    with pytest.raises(HubConflictError, match=f"{REPO} was changed by someone else"):
        push_preferences(by_name, REPO, token=ALICE)
    assert len(hub.dataset(REPO).history) == 1


def test_without_a_folder_of_photos_names_stay_as_they_are(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("photo,rating\n./a/x.jpg,1\na\\y.jpg,2\n")
    assert read_ratings(path) == {"a/x.jpg": 1.0, "a/y.jpg": 2.0}
    path.write_text("photo,rating\n,1\nx.jpg,2\nx.jpg,3\n")
    with pytest.raises(RatingsFileError, match=r"(?s)name is empty.*rated 3 here and 2"):
        read_ratings(path)
