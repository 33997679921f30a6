"""Shards: one output each, whole or not at all, kept when run again; bad ones named."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset, Features
from datasets import Image as ImageFeature
from pyarrow import parquet
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED, SKIPPED
from aesthetic_tv.errors import OutputError, SettingError
from aesthetic_tv.scale import score_shards
from aesthetic_tv.scale import statistics as statistics_module
from aesthetic_tv.scale.outputs import made_by
from aesthetic_tv.scale.patterns import expand
from aesthetic_tv.scale.statistics import Counts, ordered, summarize, unordered
from conftest import ALICE, make_scorer
from hub_server import Repo
from scale_samples import contents, tars, write_parquet, write_tar

ULPS = 8


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def rows(path: Path) -> list[dict]:
    return parquet.read_table(path).to_pylist()


@pytest.fixture
def shards(tmp_path, photos) -> Path:
    tars(tmp_path / "shards", photos, 3)
    return tmp_path / "shards"


@pytest.fixture
def saved(tmp_path, tiny_scorer) -> Path:
    tiny_scorer.save_pretrained(tmp_path / "scorer")
    return tmp_path / "scorer"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))


def test_braces_and_globs_name_many_shards(tmp_path):
    assert expand("a/{08..10}.tar") == ["a/08.tar", "a/09.tar", "a/10.tar"]
    assert expand("{8..10}") == ["8", "9", "10"]
    assert expand("{b,a}-{1..0}") == ["b-1", "b-0", "a-1", "a-0"]
    for name in ("y.tar", "x.tar", "z.txt"):
        (tmp_path / name).touch()
    assert [Path(x).name for x in expand(f"{tmp_path}/*.tar")] == ["x.tar", "y.tar"]
    with pytest.raises(SettingError, match="more than 1,000,000"):
        expand("{0..99999999999}")


class TestKinds:
    def test_every_kind_has_the_scores_of_score(self, tiny_scorer, photos, tmp_path):
        packed = {photo.name: photo.read_bytes() for photo in photos}
        write_tar(tmp_path / "plain.tar", packed)
        write_tar(tmp_path / "small.tar.gz", packed)
        write_parquet(tmp_path / "rows.parquet", photos)
        names = [photo.name for photo in photos]
        paths = pa.table({"path": [f"photos/{name}" for name in names]})
        parquet.write_table(paths, tmp_path / "paths.parquet")
        places = ["plain.tar", "small.tar.gz", "rows.parquet", "paths.parquet", "photos"]
        report = score_shards(
            tiny_scorer, [str(tmp_path / place) for place in places], tmp_path / "out"
        )
        assert not report.problems and not report.failures
        expected = tiny_scorer.score(photos).astype(np.float32)
        for stem in ("plain", "small", "rows", "paths", "photos"):
            found = rows(tmp_path / "out" / f"{stem}.parquet")
            assert [Path(row["photo"]).name for row in found] == names, stem
            assert np.array_equal(np.float32([row["score"] for row in found]), expected)
            assert {row["error"] for row in found} == {""}
        assert report.manifest["num_scored"] == 60

    def test_a_data_set_on_the_hub_is_streamed_part_by_part(self, hub, tiny_scorer, photos):
        features, files = Features({"thumb": ImageFeature()}), {}
        for part in range(2):
            mine = photos[part * 6 : part * 6 + 6]
            data = [{"bytes": photo.read_bytes(), "path": photo.name} for photo in mine]
            file = io.BytesIO()
            Dataset.from_dict({"thumb": data}, features=features).to_parquet(file)
            files[f"data/train-{part:05d}-of-00002.parquet"] = file.getvalue()
        repo = hub.repos["dataset", "alice/photos"] = Repo(
            "alice/photos", False, hub.store, "dataset"
        )
        repo.branches["main"] = repo.commit(files)
        out = photos[0].parent.parent / "out"
        report = score_shards(tiny_scorer, "hf://datasets/alice/photos", out)
        assert [x.output for x in report.shards] == [
            f"train-0000{part}-of-00002.parquet" for part in range(2)
        ]
        found = [row for x in report.shards for row in rows(out / x.output)]
        assert [row["photo"] for row in found] == [photo.name for photo in photos]
        expected = np.float32(tiny_scorer.score(photos))
        np.testing.assert_array_max_ulp(np.float32([x["score"] for x in found]), expected, ULPS)
        assert score_shards(tiny_scorer, "hf://datasets/alice/photos", out).num_kept == 2
        with pytest.raises(SettingError, match="has the splits train"):
            score_shards(tiny_scorer, "hf://datasets/alice/photos", out, split="dev")


class TestBadInput:
    def test_each_bad_shard_is_named_and_the_others_go_on(self, saved, shards, tmp_path, photos):
        whole = (shards / "00001.tar").read_bytes()
        (shards / "00001.tar").write_bytes(whole[: len(whole) // 2 - len(whole) // 2 % 512 + 100])
        photo = photos[0].read_bytes()
        write_tar(shards / "b" / "00002.tar", {"x.jpg": photo})
        write_parquet(shards / "thumbs.parquet", photos, column="thumb")
        good = write_parquet(shards / "rows.parquet", photos).read_bytes()
        (shards / "cut.parquet").write_bytes(good[:-100])
        endless = write_tar(shards / "endless.tar", {"x.jpg": photo}).read_bytes()
        last = 512 + -(-len(photo) // 512) * 512
        (shards / "endless.tar").write_bytes(endless[:last])
        (shards / "notes.txt").write_text("x")
        (shards / "empty").mkdir()
        out = tmp_path / "out"
        given = [f"{shards}/{{00000..00003}}.tar", *(str(shards / x) for x in (
            "b/00002.tar", "thumbs.parquet", "rows.parquet", "cut.parquet", "endless.tar",
            "notes.txt", "empty"))]  # fmt: skip
        result = run("score", *given, "--scorer", saved, "--out", out)
        assert result.exit_code == SKIPPED, result.output
        manifest = json.loads((out / "manifest.json").read_text())
        told = {Path(x["shard"]).relative_to(shards).as_posix(): x for x in manifest["shards"]}
        problems = {name: x["problem"] for name, x in told.items() if x["problem"]}
        assert set(problems) == {
            "00001.tar", "00002.tar", "00003.tar", "b/00002.tar", "thumbs.parquet", "cut.parquet",
            "endless.tar", "notes.txt", "empty"}  # fmt: skip
        assert "cut off" in problems["00001.tar"] and "cut off" in problems["endless.tar"]
        assert "would be that of" in problems["00002.tar"]
        assert "no such file" in problems["00003.tar"]
        assert "columns are id, thumb" in problems["thumbs.parquet"]
        assert "damaged or cut off" in problems["cut.parquet"]
        assert "no kind that is known" in problems["notes.txt"]
        assert "holds no photos" in problems["empty"]
        assert sorted(contents(out)) == ["00000.parquet", "manifest.json", "rows.parquet"]
        for name in problems:
            assert name in result.output
        again = run("score", *given, "--scorer", saved, "--out", out, "--column", "thumb")
        assert again.exit_code == FAILED  # made otherwise

    def test_members_that_are_no_photos_are_named_row_by_row(self, tiny_scorer, tmp_path, photos):
        photo = photos[0].read_bytes()
        members = {"a.jpg": photo, "a.json": b"{}", "b.jpg": b"text", "c.txt": b"c", "d.JPG": photo}
        write_tar(tmp_path / "mixed.tar", members)
        report = score_shards(tiny_scorer, str(tmp_path / "mixed.tar"), tmp_path / "out")
        found = {row["photo"]: row for row in rows(tmp_path / "out" / "mixed.parquet")}
        assert list(found) == ["a.jpg", "b.jpg", "c", "d.JPG"]
        assert "not an image" in found["b.jpg"]["error"]
        assert found["c"]["error"] == "has no photo, only c.txt"
        assert np.isnan(found["b.jpg"]["score"]) and found["d.JPG"]["score"] > 0
        assert report.manifest["num_failed"] == 2 and not report.problems
        assert len(report.failures) == 2

    def test_a_path_in_parquet_leads_nowhere_else(self, tiny_scorer, tmp_path, photos):
        (tmp_path / "in").mkdir()
        paths = pa.table({"path": [str(photos[0]), "../photos/p00.jpg"]})
        parquet.write_table(paths, tmp_path / "in" / "paths.parquet")
        score_shards(tiny_scorer, str(tmp_path / "in" / "paths.parquet"), tmp_path / "out")
        found = rows(tmp_path / "out" / "paths.parquet")
        assert all("refused" in row["error"] for row in found)

    def test_an_output_never_replaces_a_shard_or_what_is_not_ours(
        self, tiny_scorer, tmp_path, photos
    ):
        (tmp_path / "in").mkdir()
        place = write_parquet(tmp_path / "in" / "rows.parquet", photos)
        before = place.read_bytes()
        other = write_parquet(tmp_path / "in" / "other.parquet", photos)
        report = score_shards(tiny_scorer, [str(place), str(photos[0].parent)], tmp_path / "in")
        assert "would replace the shard" in report.problems[str(place)]
        write_tar(tmp_path / "tars" / "other.tar", {"x.jpg": photos[0].read_bytes()})
        with pytest.raises(OutputError, match="no output of this command"):
            score_shards(tiny_scorer, str(tmp_path / "tars" / "other.tar"), tmp_path / "in")
        assert place.read_bytes() == before == other.read_bytes()

    def test_nothing_to_score_is_an_error(self, tiny_scorer, tmp_path):
        with pytest.raises(SettingError, match="There is nothing to score"):
            score_shards(tiny_scorer, str(tmp_path / "*.tar"), tmp_path / "out")
        with pytest.raises(SettingError, match="engine is 'spark'"):
            (tmp_path / "x.tar").touch()
            score_shards(tiny_scorer, str(tmp_path / "x.tar"), tmp_path / "out", engine="spark")


class TestResume:
    def test_what_is_whole_is_kept_and_the_rest_done_again(self, tiny_scorer, shards, tmp_path):
        out = tmp_path / "out"
        score_shards(tiny_scorer, f"{shards}/*.tar", out)
        first = contents(out)
        (out / "00000.parquet").unlink()
        damaged = bytearray(first["00001.parquet"])
        damaged[40] ^= 255
        (out / "00001.parquet").write_bytes(damaged)
        report = score_shards(tiny_scorer, f"{shards}/*.tar", out)
        assert report.num_kept == 1
        assert contents(out) == first
        tail = first["00002.parquet"]
        (out / "00002.parquet").write_bytes(tail[: len(tail) // 2] + tail[-2000:-4])
        assert score_shards(tiny_scorer, f"{shards}/*.tar", out).num_kept == 2
        assert contents(out) == first

    def test_a_shard_that_changed_is_scored_again(self, tiny_scorer, shards, tmp_path, photos):
        score_shards(tiny_scorer, f"{shards}/*.tar", tmp_path / "out")
        write_tar(shards / "00001.tar", {"new.jpg": photos[0].read_bytes()})
        report = score_shards(tiny_scorer, f"{shards}/*.tar", tmp_path / "out")
        assert report.num_kept == 2 and report.manifest["num_photos"] == 9

    def test_another_scorer_is_refused_unless_asked(self, tiny_scorer, shards, tmp_path):
        score_shards(tiny_scorer, f"{shards}/*.tar", tmp_path / "out")
        before, other = contents(tmp_path / "out"), make_scorer(seed=4)
        with pytest.raises(OutputError, match="fingerprint"):
            score_shards(other, f"{shards}/*.tar", tmp_path / "out")
        assert contents(tmp_path / "out") == before
        score_shards(other, f"{shards}/*.tar", tmp_path / "out", overwrite=True)
        about = made_by(tmp_path / "out" / "00000.parquet")
        assert about["settings"]["fingerprint"] not in json.loads(before["manifest.json"])

    @pytest.mark.slow
    def test_a_kill_at_any_moment_costs_no_byte(self, saved, tmp_path, photos):
        tars(tmp_path / "many", photos * 2, 12)
        pattern, random = f"{tmp_path}/many/*.tar", np.random.default_rng(0)
        score_shards(saved, pattern, tmp_path / "whole", batch_size=1)
        code = (
            "import sys\nfrom aesthetic_tv.scale import score_shards\n"
            "score_shards(sys.argv[1], sys.argv[2], sys.argv[3], batch_size=1)"
        )
        out, interrupted = tmp_path / "out", 0
        for _ in range(3):
            command = [sys.executable, "-c", code, str(saved), pattern, str(out)]
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            before = len(list(out.glob("*.parquet")))
            while process.poll() is None and len(list(out.glob("*.parquet"))) == before:
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            interrupted += process.wait() == -signal.SIGKILL
        assert interrupted
        report = score_shards(saved, pattern, out, batch_size=1)
        assert report.num_kept > 0
        assert contents(out) == contents(tmp_path / "whole")
        assert not [path for path in out.iterdir() if path.name.endswith(".tmp")]


class TestStatistics:
    def test_quantiles_mean_and_histogram_are_exact_whatever_the_parts(self):
        values = np.random.default_rng(0).normal(5, 2, 5001).astype(np.float32)
        values[::50] = -values[::50]
        values[:7] = np.nan
        whole = summarize(lambda: [values])
        assert whole == summarize(lambda: np.array_split(values[::-1], 13))
        good = np.sort(values[7:])
        assert whole["count"] == len(good)
        assert whole["mean"] == pytest.approx(good.astype(float).mean(), rel=1e-12)
        for share, found in whole["quantiles"].items():
            place = max(0, int(np.ceil(float(share) * len(good))) - 1)
            assert found == good[place]
        assert sum(whole["histogram"]["counts"]) == len(good)
        counts = np.histogram(good, bins=whole["histogram"]["edges"])[0]
        assert whole["histogram"]["counts"] == counts.tolist()

    def test_no_scores_and_equal_scores(self):
        assert summarize(lambda: [np.float32([np.nan])]) == {"count": 0}
        same = summarize(lambda: [np.float32([5, 5, 5])])
        assert same["histogram"]["counts"][0] == 3 and same["quantiles"]["0.5"] == 5

    def test_integers_are_in_the_order_of_floats_and_counts_add_up(self):
        values = np.float32([-np.inf, -3e38, -1, -1e-45, 0, 1e-45, 1, 3e38, np.inf])
        assert (np.diff(ordered(values).astype(np.int64)) > 0).all()
        assert np.array_equal(unordered(ordered(values)), values)
        parts = Counts(), Counts()
        parts[0].add(values[:4])
        parts[1].add(values[4:])
        whole = Counts()
        whole.add(values)
        assert parts[0].merge(parts[1]).mean == whole.mean == pytest.approx(-1e-45 / 7, abs=1e-30)
        assert statistics_module.BINS == 50


class TestCommand:
    def test_shards_and_album_by_one_command(self, saved, shards, tmp_path, photos):
        result = run("score", f"{shards}/*.tar", "--scorer", saved, "--out", tmp_path / "out")
        assert result.exit_code == 0, result.output
        assert "12 of 12 photos in 3 of 3 shards scored" in result.output
        again = run("score", f"{shards}/*.tar", "--scorer", saved, "--out", tmp_path / "out")
        assert "3 shards were scored before" in again.output
        album = photos[0].parent
        table = run("score", album, "--scorer", saved, "--out", tmp_path / "scores.csv")
        assert table.exit_code == 0 and (tmp_path / "scores.csv").is_file()

    def test_the_scorer_of_the_hub_is_pinned_in_the_manifest(self, hub, shards, tmp_path):
        make_scorer().push_to_hub("alice/scorer", token=ALICE)
        result = run("score", f"{shards}/*.tar", "--scorer", "alice/scorer",
                     "--out", tmp_path / "out")  # fmt: skip
        assert result.exit_code == 0, result.output
        settings = json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]
        assert len(settings["revision"]) == 40 and settings["scorer"] == "alice/scorer"


@pytest.mark.slow
def test_ray_writes_the_bytes_that_one_process_writes(saved, tmp_path, photos):
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    tars(tmp_path / "shards", photos, 4)
    pattern = f"{tmp_path}/shards/*.tar"
    score_shards(saved, pattern, tmp_path / "one")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        report = score_shards(saved, pattern, tmp_path / "many", engine="ray")
    finally:
        ray.shutdown()
    assert not report.problems
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
