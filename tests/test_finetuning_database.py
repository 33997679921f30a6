"""From a database to task vectors: what is refused, what is left out, what is noted down."""

import csv
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from aesthetic_tv import TaskVector
from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED, SKIPPED
from aesthetic_tv.databases import Database, Source, load
from aesthetic_tv.errors import OverlapError, SettingError
from aesthetic_tv.finetuning import FinetuneConfig, photos
from aesthetic_tv.finetuning.bases import named_base
from aesthetic_tv.finetuning.from_database import finetune_database
from aesthetic_tv.scorer import image_processor
from aesthetic_tv.scorer.images import crop
from aesthetic_tv.task_vectors import fingerprint
from aesthetic_tv.task_vectors.task_vector import layers_of
from conftest import ALICE, make_scorer

COUNT = 24
QUICK = FinetuneConfig(head_epochs=2, epochs=1, lr=1e-3, batch_size=8)
SOURCE = Source(score_range=(0, 255))


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Photos of rising brightness, their scores, themes and splits."""
    folder = tmp_path / "album"
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = []
    for i in range(COUNT):
        pixels = np.clip(40 + 7 * i + random.normal(0, 20, (40, 48, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"p{i:02d}.png")
        split = "test" if i % 6 == 2 else "validation" if i % 6 == 5 else "train"
        rows.append([f"p{i:02d}.png", 40 + 7 * i, ("sea", "the hills")[i // 3 % 2], split])
    write(folder, rows)
    return folder


def write(folder: Path, rows: list) -> None:
    with (folder / "scores.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["photo", "score", "theme", "split"], *rows])


def table(folder: Path) -> list:
    with (folder / "scores.csv").open(newline="") as file:
        return list(csv.reader(file))[1:]


def opened(folder: Path, **settings) -> Database:
    return load("folder", folder, source=SOURCE, **settings)


class TestLibrary:
    def test_a_vector_knows_what_it_was_trained_on_and_how_well_it_does(self, album, tiny_scorer):
        (trained,) = finetune_database(tiny_scorer, opened(album), QUICK, name="lights")
        vector = trained.vector
        assert vector.name == "lights" and vector.license is None
        assert vector.database["num_images"] == 16
        assert vector.database["split"] == "16 train, 4 validation, 4 test"
        assert vector.database["split_source"] == "official"
        assert vector.database["score_range"] == [0, 255]
        assert vector.training["lr"] == 1e-3 and vector.training["loss"] == "1*mse"
        assert vector.metrics["test_n"] == 4 and -1 <= vector.metrics["test_srocc"] <= 1
        vector.verify(tiny_scorer)

    def test_the_same_photos_and_scores_are_the_same_revision(self, album, tiny_scorer):
        def revision() -> str:
            (trained,) = finetune_database(tiny_scorer, opened(album), QUICK)
            return trained.vector.database["revision"]

        first = revision()
        assert first == revision()
        write(album, [[*row[:1], float(row[1]) / 2, *row[2:]] for row in table(album)])
        assert first != revision()

    def test_photos_too_many_for_memory_are_decoded_on_the_way(
        self, album, tiny_scorer, monkeypatch
    ):
        (kept,) = finetune_database(tiny_scorer, opened(album), QUICK)
        monkeypatch.setattr("aesthetic_tv.finetuning.from_database.IN_MEMORY", 0)
        (decoded,) = finetune_database(tiny_scorer, opened(album), QUICK)
        assert decoded.vector.content_sha256 == kept.vector.content_sha256

    @pytest.mark.parametrize("memory", [0, 1 << 30])
    def test_a_photo_that_cannot_be_decoded_is_left_out_by_name(
        self, album, tiny_scorer, monkeypatch, memory
    ):
        monkeypatch.setattr("aesthetic_tv.finetuning.from_database.IN_MEMORY", memory)
        whole = (album / "p03.png").read_bytes()
        (album / "p03.png").write_bytes(whole[: len(whole) // 2])
        (trained,) = finetune_database(tiny_scorer, opened(album, verify="exists"), QUICK)
        assert [photo for photo, _ in trained.problems] == ["p03.png"]
        assert "decoded" in trained.problems[0][1]
        assert trained.vector.database["num_images"] == 15
        assert trained.vector.database["left_out"] == 1

    def test_crops_are_what_the_scorer_sees_of_a_turned_photo(self, album, tiny_scorer):
        path = album / "p00.png"
        exif = Image.Exif()
        exif[0x0112] = 6
        with Image.open(path) as image:
            image.save(path, exif=exif)
        decoded = photos.DecodedCrops(opened(album).table, tiny_scorer.config.tower)
        expected = crop(path, image_processor(tiny_scorer.config.tower))
        assert np.array_equal(decoded[np.array([0])][0], expected)

    def test_a_photo_in_two_splits_is_refused_under_any_name(self, album, tiny_scorer):
        (album / "p02.png").write_bytes((album / "p00.png").read_bytes())
        with pytest.raises(OverlapError, match=r"p00\.png = p02\.png"):
            finetune_database(tiny_scorer, opened(album), QUICK)

    def test_a_loss_over_votes_needs_votes(self, album, tiny_scorer):
        with pytest.raises(SettingError, match="use mse, plcc or rank"):
            finetune_database(tiny_scorer, opened(album), FinetuneConfig(loss="emd"))

    def test_votes_are_learned_from_where_there_are_some(self, album, tiny_scorer):
        rows = [[*row, "[1, 2, 1]" if i else ""] for i, row in enumerate(table(album))]
        with (album / "scores.csv").open("w", newline="") as file:
            header = ["photo", "score", "theme", "split", "distribution"]
            csv.writer(file).writerows([header, *rows])
        source = Source(score_range=(0, 255), distribution_values=(0, 128, 255))
        database = load("folder", album, source=source)
        (trained,) = finetune_database(tiny_scorer, database, QUICK)
        assert trained.vector.training["loss"] == "1*emd"

    def test_a_database_without_held_out_parts_gives_a_vector_without_figures(
        self, album, tiny_scorer
    ):
        write(album, [[*row[:3], "train"] for row in table(album)])
        (trained,) = finetune_database(tiny_scorer, opened(album), QUICK)
        assert trained.vector.metrics == {} and trained.finetuned.best_epoch == 1


class TestBases:
    def test_a_clip_checkpoint_gets_the_head_of_the_seed(self, tiny_scorer, tmp_path):
        tiny_scorer.vision.save_pretrained(tmp_path / "clip")
        base = named_base(str(tmp_path / "clip"), head_seed=5)
        assert base.config.head_seed == 5
        assert all(
            torch.equal(a, b)
            for a, b in zip(base.vision.parameters(), tiny_scorer.vision.parameters(), strict=True)
        )

    def test_a_base_scorer_and_the_embedded_one_are_taken_as_they_are(self, tiny_scorer, tmp_path):
        tiny_scorer.save_pretrained(tmp_path / "base")
        base = named_base(str(tmp_path / "base"))
        assert fingerprint(layers_of(base)) == fingerprint(layers_of(tiny_scorer))
        assert named_base("embedded:tiny").config.tower.hidden_size == 128


@pytest.fixture
def command(album, tmp_path):
    """`aesthetic-tv finetune folder` with its least settings; more can be added."""
    make_scorer().save_pretrained(tmp_path / "base")

    def invoke(*more: object):
        places = ["--data", album, "--base", tmp_path / "base", "--out", tmp_path / "vector"]
        quick = ["--score-range", 0, 255, "--epochs", 1, "--head-epochs", 1, "--batch-size", 8]
        arguments = ["finetune", "folder", *places, *quick, *more]
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


class TestCommand:
    def test_it_saves_a_vector_with_its_log_and_its_learning_curve(self, command, tmp_path):
        result = command("--name", "lights", "--license", "mit")
        assert result.exit_code == 0, result.output
        folder = tmp_path / "vector"
        assert {path.name for path in folder.iterdir()} == {
            "task_vector_config.json",
            "task_vector.safetensors",
            "log.csv",
            "learning_curve.png",
        }
        vector = TaskVector.from_pretrained(folder, base=make_scorer())
        assert vector.name == "lights" and vector.license == "mit"
        with (folder / "log.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [line["stage"] for line in lines] == ["head", "all", "all"]
        assert not (tmp_path / "vector.run").exists()
        assert "n = 4" in result.output

    def test_one_vector_for_each_theme(self, command, tmp_path):
        result = command("--scores", "scores.csv", "--split-by", "theme")
        assert result.exit_code == 0, result.output
        names = {path.name for path in (tmp_path / "vector").iterdir()}
        assert names == {"sea", "the-hills"}
        vector = TaskVector.from_pretrained(tmp_path / "vector" / "sea")
        assert vector.name == "vector-sea" and vector.database["num_images"] == 8

    @pytest.mark.parametrize("how", ["relative", "absolute", "from here"])
    def test_the_table_of_scores_may_be_named_in_any_way(
        self, command, album, tmp_path, monkeypatch, how
    ):
        table = album / "scores.csv"
        if how == "from here":
            table = table.rename(tmp_path / "mine.csv")
            monkeypatch.chdir(tmp_path)
        name = {"relative": "scores.csv", "absolute": table, "from here": "mine.csv"}[how]
        result = command("--scores", name, "--split-by", "theme")
        assert result.exit_code == 0, result.output

    def test_one_vector_for_each_cluster(self, command, tmp_path):
        result = command("--split-by", "clusters", "--clusters", 2)
        assert result.exit_code == 0, result.output
        assert {path.name for path in (tmp_path / "vector").iterdir()} == {"cluster0", "cluster1"}

    def test_what_is_there_is_not_replaced_unasked(self, command, tmp_path):
        assert command().exit_code == 0
        before = (tmp_path / "vector" / "task_vector.safetensors").read_bytes()
        refused = command("--head-lr", 1e-2)
        assert refused.exit_code == FAILED and "--overwrite" in refused.output
        assert (tmp_path / "vector" / "task_vector.safetensors").read_bytes() == before
        assert command("--head-lr", 1e-2, "--overwrite").exit_code == 0
        assert (tmp_path / "vector" / "task_vector.safetensors").read_bytes() != before

    def test_a_stopped_run_is_gone_on_with_only_when_asked(self, command, tmp_path, monkeypatch):
        def stop(*arguments, **settings):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(importlib.import_module("aesthetic_tv.cli.finetune"), "_save", stop)
            stopped = command()
        assert stopped.exit_code == 130 and "--resume" in stopped.output
        refused = command()
        assert refused.exit_code == FAILED and "--resume" in refused.output
        changed = command("--resume", "--lr", 0.5)
        assert changed.exit_code == FAILED and "config.lr" in changed.output
        assert command("--resume").exit_code == 0
        assert (tmp_path / "vector" / "task_vector_config.json").is_file()

    def test_photos_that_are_missing_are_told_at_the_end(self, command, album):
        (album / "p04.png").unlink()
        result = command()
        assert result.exit_code == SKIPPED and "p04.png" in result.output

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda i, row: [row[0], "nice", *row[2:]], "number"),
            (lambda i, row: [row[0], 7, *row[2:]], "all 24 scores are 7"),
            (lambda i, row: [row[0], 999, *row[2:]], "0 to 255"),
            (lambda i, row: ["p00.png", *row[1:]], "p00.png"),
        ],
        ids=["not numeric", "all equal", "out of range", "two rows for one image"],
    )
    def test_scores_that_cannot_be_learned_from_are_refused(self, command, album, change, message):
        write(album, [change(i, row) for i, row in enumerate(table(album))])
        result = command()
        assert result.exit_code == FAILED
        assert "Error:" in result.output and message in result.output

    def test_a_column_that_is_not_there_is_named(self, command):
        result = command("--score-column", "beauty")
        assert result.exit_code == FAILED and "beauty" in result.output
        result = command("--scores", "scores.csv", "--split-by", "tag")
        assert result.exit_code == FAILED and "tag" in result.output

    def test_the_seeded_split_is_noted_down(self, command, tmp_path):
        assert command("--split", "seeded", "--seed", 3, "--test", 0.4).exit_code == 0
        told = TaskVector.from_pretrained(tmp_path / "vector").database["split_source"]
        assert told.startswith("seeded:3") and told.endswith("0.4")

    def test_it_pushes_what_it_made(self, command, hub, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", ALICE)
        result = command("--push-to-hub", "alice/lights")
        assert result.exit_code == 0, result.output
        assert TaskVector.from_pretrained("alice/lights").database["num_images"] == 16
