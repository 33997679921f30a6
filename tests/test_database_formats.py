"""Each database, laid out as its makers ship it, in the one schema."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aesthetic_tv.databases import FEATURES, REGISTRY, SplitSettings, load, people
from aesthetic_tv.databases.pick_a_pic import comparisons
from aesthetic_tv.errors import DatabaseError, SettingError
from database_samples import WRITERS, flickr_aes, photo_bytes, photos, write
from database_samples import table as database_table

FORMATS = list(WRITERS)
PEOPLE = [name for name in FORMATS if REGISTRY[name].has_people]


@pytest.fixture
def sample(tmp_path: Path):
    def make(name: str) -> Path:
        WRITERS[name](tmp_path)
        return tmp_path

    return make


def splits(database) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in database.table.select_columns(["photo", "split"]):
        found.setdefault(row["split"], []).append(row["photo"])
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_every_database_is_read_into_the_one_schema(sample, name):
    database = load(name, sample(name))
    assert database.table.features == FEATURES
    assert database.problems == ()
    assert set(database.table["database"]) == {name}
    low, high = database.score_range
    assert all(low <= score <= high for score in database.scores)
    assert database.table[0]["image"].size == (8, 6)


@pytest.mark.parametrize("name", FORMATS)
def test_every_database_is_found_in_the_folder_its_archive_unpacks_to(sample, tmp_path, name):
    folder = sample(name)
    if name == "real-cur":
        return  # has no table to look for
    inner = tmp_path / "unpacked"
    inner.mkdir()
    for path in [p for p in folder.iterdir() if p != inner]:
        path.rename(inner / path.name)
    assert len(load(name, tmp_path)) > 0


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "real-cur"])
def test_missing_files_are_told_with_where_to_get_them_and_the_layout(tmp_path, name):
    with pytest.raises(DatabaseError) as caught:
        load(name, tmp_path)
    assert REGISTRY[name].homepage in str(caught.value)
    assert REGISTRY[name].layout[0] in str(caught.value)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DatabaseError, match="there is no such folder"):
        load("real-cur", tmp_path / "nowhere")


def test_an_unknown_database_is_told_with_those_there_are(tmp_path):
    with pytest.raises(DatabaseError, match=r"no database 'avaa'.*ava, tad66k"):
        load("avaa", tmp_path)


def test_ava_has_votes_of_ten_steps_their_mean_and_the_official_test_photos(sample):
    database = load("ava", sample("ava"))
    row = database.table[0]
    votes = [0, 1, 2, 3, 5, 3, 2, 1, 0, 0]
    assert row["distribution"] == pytest.approx([vote / 17 for vote in votes])
    assert row["score"] == pytest.approx(sum(v * s for s, v in enumerate(votes, 1)) / 17)
    assert database.distribution_values == tuple(range(1, 11))
    assert splits(database)["test"] == ["108.jpg", "109.jpg"]
    assert database.split_source == "official"


def test_ava_without_its_list_of_test_photos_is_divided_by_a_seed(sample):
    folder = sample("ava")
    (folder / "aesthetics_image_lists" / "generic_test.jpgl").unlink()
    assert load("ava", folder).split_source == "seeded:0:0.1:0.1"
    with pytest.raises(DatabaseError, match="without an official split"):
        load("ava", folder, split=SplitSettings("official"))


def test_tad66k_takes_the_merged_tables_and_not_those_of_single_themes(sample):
    assert {k: len(v) for k, v in splits(load("tad66k", sample("tad66k"))).items()} == {
        "train": 6,
        "test": 2,
    }


def test_koniq_has_its_official_sets_and_shares_of_votes_from_1_to_5(sample):
    database = load("koniq-10k", sample("koniq-10k"))
    assert {k: len(v) for k, v in splits(database).items()} == {
        "train": 5,
        "validation": 1,
        "test": 1,
    }
    assert database.table[0]["distribution"] == pytest.approx([0, 0.1, 0.2, 0.6, 0.1])
    assert database.distribution_values == (1, 2, 3, 4, 5)


def test_the_older_table_of_koniq_gives_scaled_scores_and_a_seeded_split(tmp_path):
    text = '"image_name","c1","c2","c3","c4","c5","c_total","MOS","SD","MOS_zscore"\n'
    text += '"1.jpg",0,0,25,73,7,105,3.8,0.5,77.4\n"2.jpg",0,3,45,47,1,96,3.5,0.6,68.7\n'
    write(tmp_path, {"koniq10k_scores_and_distributions.csv": text})
    write(tmp_path, {f"1024x768/{n}.jpg": photo_bytes(n) for n in (1, 2)})
    database = load("koniq-10k", tmp_path)
    assert list(database.scores) == [77.4, 68.7]
    assert database.split_source.startswith("seeded")


def test_aadb_finds_test_photos_that_have_their_score_before_the_name(sample):
    database = load("aadb", sample("aadb"))
    test = database.split("test")
    assert len(test) == 2
    stored = test.table.data.column("image").to_pylist()
    assert Path(stored[-1]["path"]).name.startswith("0.")
    assert "farm" in test.table[0]["photo"][:4]


def test_aadb_takes_the_photos_of_original_size_where_both_sizes_are_there(sample, tmp_path):
    folder = sample("aadb")
    shutil.copytree(folder / "datasetImages_originalSize", folder / "datasetImages_warp256")
    inner = tmp_path / "unpacked"
    inner.mkdir()
    for path in [path for path in folder.iterdir() if path != inner]:
        path.rename(inner / path.name)
    database = load("aadb", tmp_path)
    assert database.problems == ()
    stored = database.table.data.column("image").to_pylist()
    assert Path(stored[0]["path"]).parent.name == "datasetImages_originalSize"


def test_aadb_reads_its_matlab_table_where_the_lists_are_missing(sample):
    import numpy as np
    from scipy.io import savemat

    folder = sample("aadb")
    for path in (folder / "imgListFiles_label").iterdir():
        path.unlink()
    names = [path.name for path in sorted((folder / "datasetImages_originalSize").iterdir())]
    content = {
        "trainNameList": np.array(names[:4], dtype=object)[None],
        "trainScore": np.array([[0.1, 0.2, 0.3, 0.4]]),
        "testNameList": np.array(names[4:], dtype=object)[None],
        "testScore": np.array([[0.5, 0.6]]),
    }
    savemat(folder / "AADBinfo.mat", content)
    database = load("aadb", folder)
    assert len(database.split("train")) == 4
    assert list(database.split("test").scores) == [0.5, 0.6]


def test_eva_means_are_those_of_its_votes(sample):
    database = load("eva", sample("eva"))
    row = database.table[0]
    assert row["photo"] == "100.jpg"
    assert row["score"] == pytest.approx((0 + 3 + 6 + 9) / 4)
    assert [i for i, share in enumerate(row["distribution"]) if share] == [0, 3, 6, 9]
    assert database.distribution_values == tuple(range(11))


def test_para_has_half_steps_and_photos_in_folders_of_sessions(sample):
    database = load("para", sample("para"))
    assert database.distribution_values == (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5)
    assert sum(database.table[0]["distribution"]) == pytest.approx(1)
    stored = database.table.data.column("image").to_pylist()
    assert stored[5]["path"].endswith("imgs/session2/iaa_pub5_.jpg")
    assert splits(database)["test"] == ["iaa_pub6_.jpg", "iaa_pub7_.jpg"]


def test_paq_2_piq_keeps_the_larger_pictures_for_the_test(sample):
    folder = sample("paq-2-piq")
    test = ["voc_emotic_ava/AVA__1.jpg", "voc_emotic_ava/AVA__2.jpg"]
    assert splits(load("paq-2-piq", folder))["test"] == test
    (folder / "labels640.csv").unlink()
    assert load("paq-2-piq", folder).split_source.startswith("seeded")


def test_a_missing_validation_split_can_be_drawn_from_the_training_photos(sample):
    folder = sample("para")
    official = load("para", folder)
    drawn = load("para", folder, split=SplitSettings(validation=0.4, seed=3))
    assert drawn.split_source == "official, validation seeded:3:0.4"
    assert splits(drawn)["test"] == splits(official)["test"]
    assert 0 < len(splits(drawn)["validation"]) < 6


@pytest.mark.parametrize("name", PEOPLE)
def test_people_are_tables_in_the_one_schema_with_their_own_scores(sample, name):
    tables = people(name, sample(name))
    assert len(tables) > 1
    for user, database in tables.items():
        assert database.table.features == FEATURES
        assert set(database.table["user"]) == {user}
        assert len(set(database.table["photo"])) == len(database)
        assert database.score_range == REGISTRY[name].people_score_range


def test_people_of_para_have_the_official_split_of_the_photos(sample):
    ann = people("para", sample("para"))["A0"]
    assert splits(ann)["test"] == ["iaa_pub6_.jpg", "iaa_pub7_.jpg"]
    assert list(ann.scores[:4]) == [1, 2, 3, 4]


def test_people_of_aadb_come_from_the_results_of_mechanical_turk(sample):
    workers = people("aadb", sample("aadb"))
    first = {row["photo"]: row["score"] for row in workers["W0"].table}
    assert first == {"farm1_330_1940_ab_b.jpg": 1, "farm1_337_1947_ab_b.jpg": 5}


def test_people_of_real_cur_are_told_by_folders_or_by_a_table(sample):
    folder = sample("real-cur")
    by_folder = {user: len(database) for user, database in people("real-cur", folder).items()}
    lines = "worker,image,score\nann,IMG_0.jpg,1\nann,IMG_1.jpg,2\n"
    write(folder, {"labels.csv": lines})
    by_table = people("real-cur", folder)
    assert by_folder == {"ann": 6, "ben": 6}
    assert {user: list(database.scores) for user, database in by_table.items()} == {"ann": [1, 2]}


def test_a_database_of_means_alone_says_who_has_people(sample):
    with pytest.raises(DatabaseError, match="flickr-aes, para"):
        people("tad66k", sample("tad66k"))


def test_the_37_test_workers_of_flickr_aes_are_told_by_how_much_they_labelled(sample):
    folder = sample("flickr-aes")
    workers = people("flickr-aes", folder)
    test = [user for user, database in workers.items() if set(database.table["split"]) == {"test"}]
    assert test == [f"A{number:02d}" for number in range(37)]
    means = splits(load("flickr-aes", folder))
    assert {name.split("_")[1] for name in means["test"]} == {"1"}
    assert {name.split("_")[1] for name in means["train"]} == {"2"}


def test_no_training_worker_of_flickr_aes_keeps_a_photo_of_the_test_workers(sample):
    trained = people("flickr-aes", sample("flickr-aes"))["A39"]
    assert {name.split("_")[1] for name in trained.table["photo"]} == {"2"}


def test_flickr_aes_does_not_guess_test_workers_who_cannot_be_told(tmp_path):
    flickr_aes(tmp_path, test_workers=36)
    assert load("flickr-aes", tmp_path).split_source.startswith("seeded")
    write(tmp_path, {"test_workers_ID.csv": "ID\nA00\nA01\n"})
    listed = load("flickr-aes", tmp_path, per_person=True)
    assert listed.split_source == "official"
    assert set(listed.split("test").table["user"]) == {"A00", "A01"}


def test_columns_cannot_be_named_for_a_database_with_a_format_of_its_own(sample):
    from aesthetic_tv.databases import Source

    with pytest.raises(SettingError, match="a format of its own"):
        load("ava", sample("ava"), source=Source(score="x"))


def test_the_registry_never_leaves_a_licence_or_source_open():
    for entry in REGISTRY.values():
        assert entry.license
        if entry.id not in ("folder", "hub"):
            assert entry.homepage.startswith("https://")
            assert entry.citation
            assert entry.num_photos or entry.id == "pick-a-pic"  # whose makers count pairs


def test_the_registry_does_not_wait_for_large_libraries():
    heavy = "[name for name in ('torch', 'datasets', 'pandas') if name in sys.modules]"
    code = f"import sys; from aesthetic_tv.databases import REGISTRY; print({heavy})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_pamela_has_the_makers_parts_for_each_person(sample):
    rated = {
        user: splits(database) for user, database in people("pamela", sample("pamela")).items()
    }
    assert rated["p1"] == {
        "train": [f"g_{n:04d}.png" for n in range(4)],
        "validation": ["g_0004.png"],
        "test": ["g_0005.png", "g_0006.png"],
    }
    assert {user: list(parts) for user, parts in rated.items() if user > "p2"} == {
        "p3": ["validation"],
        "p4": ["test"],
    }


def test_no_image_of_pamela_that_anyone_is_tested_on_counts_as_training(sample):
    means = load("pamela", sample("pamela"))
    assert splits(means) == {
        "validation": [f"g_{n:04d}.png" for n in range(5)],
        "test": [f"g_{n:04d}.png" for n in range(5, 8)],
    }
    first = {row["photo"]: row["score"] for row in means.table}["g_0000.png"]
    assert first == pytest.approx((2 + 3 + 4) / 3)


def test_pamela_names_scores_off_its_scale_and_tables_without_a_column(sample):
    folder = sample("pamela")
    path = folder / "annotations" / "pamela_test_unseen.json"
    path.write_text(path.read_text().replace('"original_score": 1', '"original_score": 70'))
    assert "70 is out of range" in load("pamela", folder, per_person=True).problems[0][1]
    path.write_text(path.read_text().replace("original_score", "fame"))
    with pytest.raises(DatabaseError, match=r"pamela_test_unseen.*'original_score' or 'rating'"):
        load("pamela", folder, per_person=True)


def test_pamela_is_read_from_the_archive_of_its_images(sample, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr("datasets.config.EXTRACTED_DATASETS_PATH", str(elsewhere / "cache"))
    folder = sample("pamela")
    for what in (".", "images"):
        place = elsewhere / f"of {what}"
        shutil.make_archive(str(place / "PAMELA"), "zip", folder, what)
        if what == "images":
            shutil.copytree(folder / "annotations", place / "annotations")
        assert len(load("pamela", place, per_person=True)) == 24, what
    assert (elsewhere / "cache").is_dir()


@pytest.mark.parametrize("name", ["kadid-10k", "agiqa-3k"])
def test_no_picture_that_was_spoilt_and_no_prompt_is_on_both_sides_of_a_split(sample, name):
    parts = splits(load(name, sample(name), split=SplitSettings(test=0.4, validation=0.3)))
    shown = {"kadid-10k": lambda photo: photo[:3], "agiqa-3k": lambda photo: photo[-7:]}[name]
    sides = [{shown(photo) for photo in photos} for photos in parts.values()]
    assert len(sides) > 1
    assert len(set.union(*sides)) == sum(map(len, sides)) == 10


def test_kadid_calls_dmos_what_is_better_when_higher(sample):
    database = load("kadid-10k", sample("kadid-10k"))
    scores = {row["photo"]: row["score"] for row in database.table}
    assert scores["I01_01_01.png"] > scores["I01_01_03.png"]
    assert database.score_range == (1, 5)


def test_agiqa_takes_the_quality_and_not_how_well_it_fits_the_prompt(sample):
    scores = load("agiqa-3k", sample("agiqa-3k")).scores
    assert sorted(scores)[0] == 0.5
    assert len(set(scores)) == 30


def test_pick_a_pic_gives_win_rates_of_everyone_and_of_each_person(sample):
    folder = sample("pick-a-pic")
    means = {row["photo"]: row["score"] for row in load("pick-a-pic", folder).table}
    assert means["uid-0.jpg"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert means["uid-2.jpg"] == 1
    assert "uid-3.jpg" not in means  # its pair was not judged
    persons = people("pick-a-pic", folder)
    seen = {user: {row["photo"]: row["score"] for row in p.table} for user, p in persons.items()}
    assert seen["7"] == {"uid-0.jpg": 0.5, "uid-1.jpg": 0, "uid-2.jpg": 1, "uid-8.jpg": 0}
    assert seen["8"]["uid-0.jpg"] == 0.5
    assert set(seen) == {"7", "8", "9"}


def test_an_image_of_pick_a_pic_that_is_tested_on_counts_as_that_for_everyone(sample):
    folder = sample("pick-a-pic")
    parts = splits(load("pick-a-pic", folder))
    assert set(parts["test"]) == {"uid-2.jpg", "uid-8.jpg"}
    assert set(parts["validation"]) == {"uid-5.jpg", "uid-6.jpg", "uid-7.jpg"}
    every = load("pick-a-pic", folder, per_person=True)
    assert {row["split"] for row in every.table if row["photo"] == "uid-2.jpg"} == {"test"}


def test_the_pairs_of_pick_a_pic_are_to_be_had_as_they_were_judged(sample):
    pairs = comparisons(sample("pick-a-pic"))
    told = [tuple(row) for row in pairs.itertuples(index=False)]
    assert ("7", "uid-2.jpg", "uid-0.jpg", False, "train") in told
    assert ("8", "uid-0.jpg", "uid-1.jpg", True, "train") in told
    assert len(told) == 7


METAINFO = {
    "koniq-10k": (
        "meta_info_KonIQ10kDataset.csv",
        "img_name,mos,std,official_split",
        [
            (f"{n}.jpg", 60.5 + n, 0.5, part)
            for n, part in enumerate(["train"] * 4 + ["val", "test"])
        ],
        "1024x768",
    ),
    "spaq": (
        "meta_info_SPAQDataset.csv",
        "Image name,MOS,Brightness",
        [(f"{n:05d}.jpg", 20.5 + n, 1) for n in range(6)],
        "TestImage",
    ),
    "paq-2-piq": (
        "meta_info_FLIVEDataset.csv",
        "img_name/patch_name,mos,split",
        [(f"voc_emotic_ava/AVA__{n}.jpg", 60 + n, min(max(n - 3, 0), 2)) for n in range(6)]
        + [("patches/AVA__0_patch_1.jpg", 50, 0)],
        "database",
    ),
    "kadid-10k": (
        "meta_info_KADID10kDataset.csv",
        "ref_name,dist_name,dmos,std",
        [(f"I0{n}.png", f"I0{n}_01_01.png", 1.5 + n / 4, 0.3) for n in range(1, 7)],
        "images",
    ),
}


@pytest.mark.parametrize("name", METAINFO)
def test_the_tables_of_iqa_pytorch_are_read_where_a_mirror_has_photos_alone(tmp_path, name):
    file, header, rows, images = METAINFO[name]
    write(tmp_path, {file: database_table(header, rows)})
    named = 1 if name == "kadid-10k" else 0
    photos(tmp_path / images, [row[named] for row in rows])
    database = load(name, tmp_path)
    assert len(database) == 6
    assert database.problems == ()
    if name in ("koniq-10k", "paq-2-piq"):
        assert database.split_source == "official"
        assert {k: len(v) for k, v in splits(database).items()} == {
            "train": 4,
            "validation": 1,
            "test": 1,
        }
