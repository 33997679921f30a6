"""Fine-tuning on a data set on the Hub, fetched whole or streamed, by one process or by two."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value
from huggingface_hub import HfApi
from PIL import Image as Picture
from typer.testing import CliRunner

from aesthetic_tv import TaskVector
from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED
from aesthetic_tv.databases import Source, load
from aesthetic_tv.databases.hub import fetch_share
from aesthetic_tv.errors import HubError, SettingError
from conftest import ALICE, make_scorer
from hub_server import RefusedError
from test_finetuning_processes import environment

COUNT, SHARDS = 24, 3
FEATURES = Features({"picture": Image(), "mean_score": Value("float64")})


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))  # of other processes
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def repo(hub, tmp_path) -> str:
    """Photos of rising brightness without names, in shards of different sizes."""
    random = np.random.default_rng(0)
    folder = tmp_path / "repo" / "data"
    folder.mkdir(parents=True)
    for shard, numbers in enumerate(np.split(np.arange(COUNT), [5, 15])):
        rows = [
            {
                "picture": Picture.fromarray(
                    np.clip(40 + 7 * i + random.normal(0, 20, (40, 48, 3)), 0, 255).astype(np.uint8)
                ),
                "mean_score": 40.0 + 7 * i,
            }
            for i in numbers
        ]
        table = Dataset.from_list(rows, features=FEATURES)
        table.to_parquet(folder / f"train-{shard:05d}-of-{SHARDS:05d}.parquet")
    api = HfApi(token=ALICE)
    api.create_repo("alice/photos", repo_type="dataset")
    api.upload_folder(repo_id="alice/photos", repo_type="dataset", folder_path=tmp_path / "repo")
    return "alice/photos"


def arguments(tmp_path: Path, out: str, *more: object) -> list[str]:
    if not (tmp_path / "base").exists():
        make_scorer().save_pretrained(tmp_path / "base")
    columns = ["--image-column", "picture", "--score-column", "mean_score"]
    quick = ["--score-range", 0, 255, "--epochs", 1, "--head-epochs", 1, "--batch-size", 8]
    split = ["--test", 0.2, "--validation", 0.2]
    places = ["--data", "alice/photos", "--base", tmp_path / "base", "--out", tmp_path / out]
    return [str(part) for part in ("hub", *places, *columns, *quick, *split, *more)]


def run(*options: str):
    return CliRunner().invoke(app, ["finetune", *options])


def head_loss(folder: Path) -> float:
    with (folder / "log.csv").open(newline="") as file:
        return next(float(line["loss"]) for line in csv.DictReader(file))


def vector(folder: Path) -> TaskVector:
    return TaskVector.from_pretrained(folder)


def test_a_data_set_on_the_hub_becomes_a_vector_on_the_hub(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", ALICE)
    result = run(*arguments(tmp_path, "vector", "--push-to-hub", "alice/lights"))
    assert result.exit_code == 0, result.output
    pushed = TaskVector.from_pretrained("alice/lights")
    assert pushed.content_sha256 == vector(tmp_path / "vector").content_sha256
    assert pushed.database["id"] == "hub" and pushed.database["split_source"].startswith("seeded")
    counts = [int(part.split()[0]) for part in pushed.database["split"].split(", ")]
    assert sum(counts) == COUNT


def test_what_is_learned_does_not_depend_on_streaming(repo, tmp_path):
    assert run(*arguments(tmp_path, "whole")).exit_code == 0
    result = run(*arguments(tmp_path, "streamed", "--streaming"))
    assert result.exit_code == 0, result.output
    whole, streamed = vector(tmp_path / "whole"), vector(tmp_path / "streamed")
    assert streamed.database["revision"] == whole.database["revision"]
    assert streamed.content_sha256 == whole.content_sha256


def test_streamed_rows_are_those_of_the_whole_in_order(repo):
    source = Source(score="mean_score")
    whole = load("hub", repo, source=source)
    streamed = load("hub", repo, source=Source(score="mean_score", streaming=True))
    assert len(whole) == COUNT
    for one, other in zip(whole.table, streamed.table, strict=True):
        assert one["image"].tobytes() == other["image"].tobytes()
        assert one | {"image": 0} == other | {"image": 0}


def test_each_process_streams_its_share_and_none_a_shard_that_is_there(repo, hub, tmp_path):
    def shards() -> list[str]:
        return sorted(path.name[:11] for path in (tmp_path / "cache").rglob("*.arrow"))

    fetch_share(repo, Source(), 1, 2)
    assert shards() == ["train-00001"]
    fetch_share(repo, Source(), 0, 2)
    assert shards() == ["train-00000", "train-00001", "train-00002"]
    hub.log.clear()
    load("hub", repo, source=Source(score="mean_score", streaming=True))
    # The columns are looked up in the first.
    assert not [line for line in hub.log if "GET" in line and re.search("train-0000[12]", line)]


def test_a_stream_that_breaks_off_leaves_no_half_of_a_shard(repo, hub, tmp_path):
    hub.fault(r"GET .*train-00001", RefusedError(403))
    with pytest.raises(HubError):
        fetch_share(repo, Source(), 0, 1)
    assert [path.name[:11] for path in (tmp_path / "cache").rglob("*train*")] == ["train-00000"]
    hub.faults.clear()
    assert len(load("hub", repo, source=Source(score="mean_score", streaming=True))) == COUNT


def test_a_folder_is_not_streamed(tmp_path):
    with pytest.raises(SettingError, match="nothing to stream"):
        fetch_share(str(tmp_path), Source(), 0, 1)


@pytest.mark.slow
def test_two_processes_stream_together_and_learn_what_one_does(repo, tmp_path):
    assert run(*arguments(tmp_path, "alone")).exit_code == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*launch, "-m", "aesthetic_tv.finetuning"]
    done = subprocess.run(
        [*command, *arguments(tmp_path, "together", "--streaming")],
        env=environment(), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    alone, together = vector(tmp_path / "alone"), vector(tmp_path / "together")
    assert together.training["num_processes"] == 2
    assert together.database["revision"] == alone.database["revision"]
    # The head is trained alike by every process; the second stage has dropout of each one's own.
    assert head_loss(tmp_path / "together") == pytest.approx(head_loss(tmp_path / "alone"))
    assert together.metrics["test_n"] == alone.metrics["test_n"]


def test_a_column_that_is_not_there_is_told(repo, tmp_path):
    result = run(*arguments(tmp_path, "none", "--streaming", "--score-column", "beauty"))
    assert result.exit_code == FAILED and "beauty" in result.output
    assert "mean_score" in result.output
