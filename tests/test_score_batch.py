"""Batches from any engine get the scores that `score` gives."""

import multiprocessing
import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from datasets import Dataset, Features
from datasets import Image as ImageFeature
from PIL import Image

from aesthetic_tv.errors import FormatError, ScorerError, SettingError
from aesthetic_tv.scale import ScoreBatch, ScoreStage
from aesthetic_tv.scale import photo_stream as stream_module
from aesthetic_tv.scale import pinned as pinned_module
from aesthetic_tv.scorer import AestheticScorer
from conftest import ALICE, make_scorer

ULPS = 8  # that the order of sums may move a float32


@pytest.fixture
def score(tiny_scorer) -> ScoreBatch:
    return ScoreBatch(tiny_scorer, batch_size=32)


@pytest.fixture
def expected(tiny_scorer, photos) -> np.ndarray:
    return tiny_scorer.score(photos).astype(np.float32)


class TestKindsOfBatches:
    def test_bytes_paths_arrays_and_images_have_the_scores_of_score(self, score, photos):
        scorer = score.scorer
        arrays = [np.asarray(Image.open(photo)) for photo in photos]
        for column in (
            [str(photo) for photo in photos],
            [photo.read_bytes() for photo in photos],
            [{"bytes": photo.read_bytes(), "path": None} for photo in photos],
            arrays,
            np.stack(arrays),
            [Image.open(photo) for photo in photos],
        ):
            found = score({"image": column})["score"]
            same = column if not isinstance(column[0], dict) else [x["bytes"] for x in column]
            assert found.dtype == np.float32
            assert np.array_equal(found, scorer.score(same).astype(np.float32))

    def test_a_dict_a_table_and_a_frame_come_back_as_they_came(self, score, photos, expected):
        rows = {"path": [str(photo) for photo in photos], "id": list(range(len(photos)))}
        for batch in (rows, pa.table(rows), pd.DataFrame(rows)):
            found = score(batch)
            assert type(found) is type(batch)
            assert np.array_equal(np.asarray(found["score"]), expected)
            assert list(found["id"]) == list(batch["id"])
            assert set(map(str, found["error"])) == {""}
        assert "score" not in rows
        table = score(pa.RecordBatch.from_pydict(rows))
        assert table.column_names == ["path", "id", "score", "error"]

    def test_photos_can_be_left_out_of_what_is_handed_on(self, tiny_scorer, photos):
        score = ScoreBatch(tiny_scorer, keep_photos=False, score_column="liked")
        assert set(score({"path": [str(photos[0])], "id": [1]})) == {"id", "liked", "error"}

    def test_datasets_map_takes_it_as_it_is(self, score, photos, expected):
        features = Features({"image": ImageFeature()})
        rows = Dataset.from_dict({"image": [str(photo) for photo in photos]}, features=features)
        found = rows.map(score, batched=True, batch_size=len(photos), keep_in_memory=True)
        assert np.array_equal(np.float32(found["score"]), expected)

    def test_what_is_no_batch_or_lacks_the_column_is_refused_by_name(self, score):
        with pytest.raises(SettingError, match="a batch is a list"):
            score([1, 2])
        with pytest.raises(SettingError, match="columns are id, url"):
            score({"id": [1], "url": ["x"]})
        with pytest.raises(SettingError, match="expected one called 'thumb'"):
            ScoreBatch(score.pinned, column="thumb")({"image": []})

    def test_an_empty_batch_has_no_scores(self, score):
        assert len(score({"image": []})["score"]) == 0


def test_broken_photos_have_no_score_and_a_reason_and_the_others_theirs(score, photos, expected):
    column = [photo.read_bytes() for photo in photos]
    column[3] = b"no image"
    column[5] = None
    column[7] = 3.5
    found = score({"bytes": column})
    broken = np.isnan(found["score"])
    assert np.flatnonzero(broken).tolist() == [3, 5, 7]
    assert "not an image" in found["error"][3]
    assert "nothing" in found["error"][5] and "a float" in found["error"][7]
    assert [error for error, x in zip(found["error"], broken, strict=True) if not x] == [""] * 9
    np.testing.assert_array_max_ulp(found["score"][~broken], expected[~broken], ULPS)


def test_how_rows_are_cut_moves_no_more_than_the_last_digits(score, photos, expected):
    for size in (1, 5, 7):
        parts = [photos[i : i + size] for i in range(0, len(photos), size)]
        found = np.concatenate([score({"path": list(map(str, part))})["score"] for part in parts])
        np.testing.assert_array_max_ulp(found, expected, ULPS)


class TestWorkers:
    def test_it_travels_and_loads_its_scorer_once_in_a_process(
        self, tiny_scorer, photos, expected, tmp_path, monkeypatch
    ):
        tiny_scorer.save_pretrained(tmp_path / "scorer")
        score, loads = ScoreBatch(tmp_path / "scorer"), []
        load = AestheticScorer.from_pretrained
        monkeypatch.setattr(
            AestheticScorer,
            "from_pretrained",
            lambda *args, **options: loads.append(args) or load(*args, **options),
        )
        for _ in range(3):
            there = pickle.loads(pickle.dumps(score))
            assert np.array_equal(there({"path": list(map(str, photos))})["score"], expected)
        assert len(loads) == 1
        assert len(pickle.dumps(score)) < 2000

    def test_a_scorer_in_memory_travels_with_its_weights(self, score, photos, expected):
        told = pickle.dumps(score)
        pinned_module._ARRIVED.clear()
        there = pickle.loads(told)
        assert there.scorer is not score.scorer
        assert np.array_equal(there({"path": list(map(str, photos))})["score"], expected)
        assert pickle.loads(told).scorer is there.scorer

    @pytest.mark.slow
    def test_a_pool_of_processes_gives_the_same(self, tiny_scorer, photos, expected, tmp_path):
        tiny_scorer.save_pretrained(tmp_path / "scorer")
        batches = [{"path": [str(photo)]} for photo in photos]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.map(ScoreBatch(tmp_path / "scorer"), batches, chunksize=6)
        scores = np.concatenate([batch["score"] for batch in found])
        np.testing.assert_array_max_ulp(scores, expected, ULPS)


class TestPinned:
    def test_a_scorer_that_changes_on_the_hub_in_mid_run_is_not_mixed_in(self, hub, photos):
        first = make_scorer()
        first.push_to_hub("alice/scorer", token=ALICE)
        score = ScoreBatch("alice/scorer")
        assert len(score.pinned.revision) == 40
        make_scorer(seed=3).push_to_hub("alice/scorer", token=ALICE)
        pinned_module._LOADED.clear()
        column = {"path": list(map(str, photos))}
        assert np.array_equal(score(column)["score"], first.score(photos).astype(np.float32))
        newer = ScoreBatch("alice/scorer")(column)["score"]
        assert np.abs(newer - score(column)["score"]).max() > 0.01

    def test_a_folder_that_changes_in_mid_run_is_refused(self, tmp_path):
        make_scorer().save_pretrained(tmp_path / "scorer")
        score = ScoreBatch(tmp_path / "scorer")
        make_scorer(seed=3).save_pretrained(tmp_path / "scorer")
        with pytest.raises(ScorerError, match="was changed since this run began"):
            _ = score.scorer

    def test_what_cannot_be_is_refused_when_it_is_made(self, tiny_scorer, tmp_path):
        for settings in (
            {"batch_size": 0},
            {"dtype": "int8"},
            {"revision": "main"},
            {"score_column": "error"},
        ):
            with pytest.raises(SettingError):
                ScoreBatch(tiny_scorer, **settings)
        with pytest.raises(FormatError, match="no folder here"):
            ScoreBatch(tmp_path / "nowhere")
        with pytest.raises(SettingError, match="expected one of auto"):
            _ = ScoreBatch(tiny_scorer, device="abacus").scorer


def test_a_batch_that_memory_does_not_hold_is_halved_and_told_of_once(
    score, photos, expected, monkeypatch
):
    whole = AestheticScorer.score_pixels

    def small_memory(scorer, pixels, *, batch_size=32):
        if len(pixels) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(scorer, pixels, batch_size=batch_size)

    monkeypatch.setattr(AestheticScorer, "score_pixels", small_memory)
    with pytest.warns(UserWarning, match="do not fit into memory") as told:
        found = score({"path": list(map(str, photos))})["score"]
    assert [str(x.message)[:9] for x in told] == ["12 photos", "6 photos "]
    assert score.fitting == 3
    np.testing.assert_array_max_ulp(found, expected, ULPS)
    score({"path": list(map(str, photos))})  # and no further warning, which would be an error


def test_what_is_not_of_memory_is_not_tried_again(score, photos, monkeypatch):
    assert not stream_module.out_of_memory(RuntimeError("shapes differ"))
    assert stream_module.out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))

    def broken(*_, **__):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(AestheticScorer, "score_pixels", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        score({"path": list(map(str, photos))})


def test_half_precision_is_that_of_the_scorer_in_half_precision(tiny_scorer, photos, tmp_path):
    tiny_scorer.save_pretrained(tmp_path / "scorer")
    found = ScoreBatch(tmp_path / "scorer", dtype="bfloat16")({"path": list(map(str, photos))})
    half = AestheticScorer.from_pretrained(tmp_path / "scorer").to(dtype=torch.bfloat16)
    assert np.array_equal(found["score"], half.score(photos).astype(np.float32))


def test_a_stage_sets_up_and_gives_each_object_its_score(tiny_scorer, photos, expected):
    stage = ScoreStage(scorer=tiny_scorer)
    items = [SimpleNamespace(image_data=None, image_path=str(photo)) for photo in photos]
    items.append(SimpleNamespace(image_data=np.zeros((2, 2)), image_path="", metadata={"a": 1}))
    stage.setup()
    done = stage.process(SimpleNamespace(data=items)).data
    found = np.float32([item.aesthetic_score for item in done])
    np.testing.assert_array_max_ulp(found[:-1], expected, ULPS)
    assert np.isnan(found[-1]) and "float64" in done[-1].metadata["score_error"]


@pytest.mark.slow
def test_ray_data_maps_batches_with_it(tiny_scorer, photos, expected, tmp_path):
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    tiny_scorer.save_pretrained(tmp_path / "scorer")
    rows = [{"id": i, "bytes": photo.read_bytes()} for i, photo in enumerate(photos)]
    rows.append({"id": 99, "bytes": b"no image"})
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        found = (
            ray.data.from_items(rows)
            .map_batches(
                ScoreBatch,
                fn_constructor_kwargs={"scorer": str(tmp_path / "scorer")},
                concurrency=1,
                batch_size=5,
            )
            .take_all()
        )
    finally:
        ray.shutdown()
    scores = {row["id"]: row["score"] for row in found}
    assert np.isnan(scores.pop(99))
    np.testing.assert_array_max_ulp(np.float32([scores[i] for i in range(12)]), expected, ULPS)
