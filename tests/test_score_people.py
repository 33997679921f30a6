"""Many people in one pass: the scores of the linear model, the best photos of each, and the gap to
merged scorers told.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED, SKIPPED
from aesthetic_tv.errors import PreferenceError, SettingError
from aesthetic_tv.personalization import PhotoFeatures
from aesthetic_tv.scale import score_people_shards
from aesthetic_tv.scale.people import BestPhotos, People
from aesthetic_tv.scale.people_job import PeopleSettings
from aesthetic_tv.task_vectors import TaskVectorBank
from conftest import make_bank
from scale_samples import contents, make_people, tars


@pytest.fixture
def saved(tmp_path) -> Path:
    make_bank().save_pretrained(tmp_path / "bank")
    return tmp_path / "bank"


@pytest.fixture
def bank(saved) -> TaskVectorBank:
    return TaskVectorBank.from_pretrained(saved)


@pytest.fixture
def tastes(bank, tmp_path) -> Path:
    return make_people(bank, tmp_path / "tastes", 4)


@pytest.fixture
def shards(tmp_path, photos) -> str:
    (photos[0].parent / "p05b.jpg").write_bytes(photos[5].read_bytes()[:300])
    tars(tmp_path / "shards", sorted(photos[0].parent.iterdir()), 3)
    return f"{tmp_path}/shards/*.tar"


def expected(bank, tastes, photos) -> tuple[PhotoFeatures, People, np.ndarray]:
    features, people = PhotoFeatures.compute(bank, photos), People.below(tastes, bank)
    return features, people, features.score_people(people.coefficients)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_best_of_each_are_those_of_score_people(bank, saved, tastes, shards, photos, tmp_path):
    out = tmp_path / "out"
    report = score_people_shards(shards, saved, tastes, out, settings=PeopleSettings(top=5))
    _, people, scores = expected(bank, tastes, photos)
    found = parquet.read_table(out / "best_of_all.parquet").to_pandas()
    for person, name in enumerate(people.names):
        mine = found[found.person == name]
        order = np.argsort(-scores[person], kind="stable")[:5]
        assert [Path(x).name for x in mine.photo] == [photos[i].name for i in order]
        assert list(mine["rank"]) == [1, 2, 3, 4, 5]
        np.testing.assert_allclose(mine.raw_score, scores[person][order], atol=1e-5)
        calibrated = people.calibrate(scores)[person][order]
        np.testing.assert_allclose(mine.score, calibrated, atol=1e-5)
    assert report.manifest["settings"]["model"] == "linear"
    assert report.manifest["num_failed"] == 1
    assert list(report.failures) == [f"{tmp_path}/shards/00001.tar: p05b.jpg"]


@pytest.mark.parametrize(("kind", "loss"), [("float16", 4e-3), ("float32", 1e-5)])
def test_a_table_has_every_score_of_every_person(
    kind, loss, bank, saved, tastes, shards, photos, tmp_path
):
    settings = PeopleSettings(table=kind)
    report = score_people_shards(shards, saved, tastes, tmp_path / "out", settings=settings)
    _, people, scores = expected(bank, tastes, photos)
    files = [tmp_path / "out" / x.output for x in report.shards]
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    good = np.array([row["scores"] for row in rows if not row["error"]], dtype=np.float64)
    np.testing.assert_allclose(good.T, people.calibrate(scores), atol=loss)
    (bad,) = [row for row in rows if row["error"]]
    assert bad["photo"] == "p05b.jpg" and np.isnan(bad["scores"]).all()
    assert list(report.people) == list(people.names) == report.manifest["people"]
    assert not (tmp_path / "out" / "best_of_all.parquet").exists()


def test_the_gap_to_merged_scorers_is_told_as_it_is(bank, saved, tastes, shards, photos, tmp_path):
    report = score_people_shards(shards, saved, tastes, tmp_path / "out", check=6)
    _, people, scores = expected(bank, tastes, photos)
    check = report.manifest["check"]
    assert check["photos"] == 6 and len(check["people"]) == 3
    for name, told in check["people"].items():
        person = people.names.index(name)
        merged = people.tastes[person].merge(bank)
        gap = np.abs(merged.score(photos[:6], calibrated=False) - scores[person][:6])
        assert told["largest"] == pytest.approx(gap.max(), abs=1e-4)
        assert told["largest"] > 1e-4  # the linear model is no merged one
    assert 0 < check["float16_loss"] < 1e-2


def test_tastes_of_another_bank_are_refused_by_name_and_the_rest_go_on(
    bank, saved, tastes, shards, tmp_path
):
    other = make_bank(tasks=2, size=0.2)
    make_people(other, tmp_path / "others", 1)
    (tmp_path / "others" / "p000").rename(tastes / "stranger")
    (tastes / "empty").mkdir()
    result = run("score-people", f"{tmp_path}/shards/00000.tar", "--bank", saved, "--people",
                 tastes, "--out", tmp_path / "out", "--top", 2)  # fmt: skip
    assert result.exit_code == SKIPPED, result.output
    assert "stranger: " in result.output and "empty: holds no" in result.output
    assert "4 people, by the linear model" in result.output
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert set(manifest["refused"]) == {"stranger", "empty"}
    with pytest.raises(PreferenceError, match="no taste of this bank"):
        People.below(tmp_path / "shards", bank)
    none = run("score-people", shards, "--bank", saved, "--people", tmp_path / "nowhere",
               "--out", tmp_path / "none")  # fmt: skip
    assert none.exit_code == FAILED and not (tmp_path / "none").exists()


def test_a_run_goes_on_where_it_stopped_with_the_same_bytes(saved, tastes, shards, tmp_path):
    out = tmp_path / "out"
    score_people_shards(shards, saved, tastes, out)
    first = contents(out)
    for name in ("00001.parquet", "best_of_all.parquet", "manifest.json"):
        (out / name).unlink()
    report = score_people_shards(shards, saved, tastes, out)
    assert report.num_kept == 2
    assert contents(out) == first


def test_best_photos_are_those_of_a_sort_and_names_are_forgotten():
    scores = np.random.default_rng(0).integers(0, 50, (3, 4000)).astype(np.float32)
    best = BestPhotos(3, 7)
    for start in range(0, 4000, 100):
        names = [f"photo {i}" for i in range(start, start + 100)]
        best.add(names, scores[:, start : start + 100])
        assert len(best.photos) <= 2 * 3 * 7 + 200
    order = np.argsort(-scores, axis=1, kind="stable")[:, :7]
    assert np.array_equal(best.places, order)
    assert [best.photos[i] for i in best.places[0]] == [f"photo {i}" for i in order[0]]


def test_settings_that_cannot_be_are_refused():
    for settings in ({"top": 0}, {"table": "int8"}, {"slopes": "float64"}, {"precision": "int8"}):
        with pytest.raises(SettingError):
            PeopleSettings(**settings)
