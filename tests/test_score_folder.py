"""Scoring a folder: one table, whole or not at all, and nothing lost to an interruption."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from aesthetic_tv.errors import OutputError, PhotoError, SettingError
from aesthetic_tv.scorer import folder as folder_module
from aesthetic_tv.scorer.folder import find_photos, score_folder
from conftest import make_finetuned, make_scorer


class Killed(BaseException):
    """Stands in for a kill: nothing catches it."""


def killed_after(batches: int, batch_size: int = 3):
    def progress(done: int, total: int) -> None:
        if done >= batches * batch_size:
            raise Killed

    return progress


@pytest.fixture
def album(photos: list[Path]) -> Path:
    """Twelve photos, and among them one that cannot be read."""
    (photos[0].parent / "p05b.jpg").write_bytes(photos[5].read_bytes()[:300])
    return photos[0].parent


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class TestFindPhotos:
    def test_sorted_recursive_and_without_hidden_files(self, tmp_path):
        for name in ("b.JPG", "sub/a.png", ".hidden.jpg", ".git/x.jpg", "notes.txt", "c.webp"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        found = [photo.relative_to(tmp_path).as_posix() for photo in find_photos(tmp_path)]
        assert found == ["b.JPG", "c.webp", "sub/a.png"]

    def test_a_link_that_leads_nowhere_is_found_so_that_it_can_be_named(self, tmp_path):
        (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
        assert find_photos(tmp_path) == [tmp_path / "gone.jpg"]

    def test_files_come_back_sorted_and_once(self, photos):
        assert find_photos([photos[2], photos[0], photos[2]]) == [photos[0], photos[2]]

    def test_what_is_wrong_with_a_folder_is_said(self, tmp_path):
        (tmp_path / "file.txt").touch()
        with pytest.raises(PhotoError, match="holds no photos"):
            find_photos(tmp_path)
        with pytest.raises(PhotoError, match="no such folder"):
            find_photos(tmp_path / "nowhere")
        with pytest.raises(PhotoError, match="is a file"):
            find_photos(tmp_path / "file.txt")
        with pytest.raises(PhotoError, match="no photos were given"):
            find_photos([])


class TestTable:
    def test_scores_ranks_and_named_skips(self, album, tmp_path, tiny_scorer, photos):
        report = score_folder(tiny_scorer, album, tmp_path / "scores.csv", batch_size=3)
        table = rows(tmp_path / "scores.csv")
        assert [row["photo"] for row in table] == sorted(p.name for p in album.iterdir())
        (skipped,) = [row for row in table if row["skipped"]]
        assert skipped["photo"] == "p05b.jpg"
        assert (skipped["score"], skipped["rank"]) == ("", "")
        assert str(tmp_path) not in skipped["skipped"]
        assert report.skipped == {"p05b.jpg": skipped["skipped"]}
        scored = [row for row in table if not row["skipped"]]
        expected = tiny_scorer.score(photos, batch_size=3)
        found = [float(row["score"]) for row in scored]
        np.testing.assert_allclose(found, expected, atol=2e-5)
        by_rank = sorted(scored, key=lambda row: int(row["rank"]))
        assert [int(row["rank"]) for row in by_rank] == list(range(1, 13))
        assert [float(row["score"]) for row in by_rank] == sorted(found, reverse=True)
        assert [row.photo for row in report.ranking] == [row["photo"] for row in by_rank]

    def test_scores_are_on_the_persons_scale_and_ranks_do_not_tie_there(
        self, album, tmp_path, tiny_scorer
    ):
        tiny_scorer.config.calibration_scores = [0.0, 0.1]
        tiny_scorer.config.calibration_ratings = [1.0, 5.0]
        report = score_folder(tiny_scorer, album, tmp_path / "scores.csv")
        assert {row.score for row in report.ranking} == {5.0}
        assert [row.rank for row in report.ranking] == list(range(1, 13))

    def test_json_and_parquet_say_the_same_as_csv(self, album, tmp_path, tiny_scorer):
        parquet = pytest.importorskip("pyarrow.parquet")
        for suffix in ("csv", "json", "parquet"):
            score_folder(tiny_scorer, album, tmp_path / f"scores.{suffix}")
        from_json = json.loads((tmp_path / "scores.json").read_text())
        assert parquet.read_table(tmp_path / "scores.parquet").to_pylist() == from_json
        as_text = [
            {key: "" if value is None else str(value) for key, value in row.items()}
            for row in from_json
        ]
        assert as_text == rows(tmp_path / "scores.csv")

    def test_files_of_two_folders_are_named_from_the_one_they_share(
        self, album, photos, tmp_path, tiny_scorer
    ):
        (album / "sub").mkdir()
        moved = photos[0].rename(album / "sub" / "moved.jpg")
        report = score_folder(tiny_scorer, [moved, photos[1]], tmp_path / "scores.csv")
        assert [row.photo for row in report.rows] == ["p01.jpg", "sub/moved.jpg"]

    def test_a_folder_of_nothing_readable_still_gives_a_table(self, tmp_path, tiny_scorer):
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad" / "a.jpg").touch()
        report = score_folder(tiny_scorer, tmp_path / "bad", tmp_path / "scores.csv")
        assert report.skipped == {"a.jpg": "is empty."}
        assert rows(tmp_path / "scores.csv")[0]["skipped"] == "is empty."

    def test_a_score_that_is_no_number_is_a_skip(self, album, tmp_path, tiny_scorer):
        with torch.no_grad():
            tiny_scorer.head.output.bias.fill_(float("nan"))
        report = score_folder(tiny_scorer, album, tmp_path / "scores.csv")
        assert not report.ranking
        assert "which is no score" in report.skipped["p00.jpg"]

    def test_progress_tells_every_batch(self, album, tmp_path, tiny_scorer):
        told = []
        score_folder(
            tiny_scorer,
            album,
            tmp_path / "scores.csv",
            batch_size=5,
            progress=lambda done, total: told.append((done, total)),
        )
        assert told == [(0, 13), (5, 13), (10, 13), (13, 13)]


class TestOutput:
    def test_an_existing_table_is_refused_before_any_photo_is_scored(
        self, album, tmp_path, tiny_scorer
    ):
        out = tmp_path / "scores.csv"
        out.write_text("mine")
        with pytest.raises(OutputError, match="exists"):
            score_folder(tiny_scorer, album, out, progress=killed_after(0))
        assert out.read_text() == "mine"
        score_folder(tiny_scorer, album, out, overwrite=True)
        assert out.read_text().startswith("photo,score,rank,skipped\n")

    @pytest.mark.parametrize("name", ["scores.xlsx", "scores", "folder.csv"])
    def test_an_impossible_table_is_refused(self, album, tmp_path, tiny_scorer, name):
        (tmp_path / "folder.csv").mkdir()
        with pytest.raises(OutputError):
            score_folder(tiny_scorer, album, tmp_path / name, overwrite=True)

    def test_batch_size(self, album, tmp_path, tiny_scorer):
        with pytest.raises(SettingError, match="batch_size is 0"):
            score_folder(tiny_scorer, album, tmp_path / "scores.csv", batch_size=0)

    @pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
    def test_a_full_disk_leaves_the_old_table_and_the_finished_batches(
        self, album, tmp_path, tiny_scorer, monkeypatch, suffix
    ):
        out = tmp_path / f"scores.{suffix}"
        out.write_text("old")

        def full(self, target):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", full)
            with pytest.raises(OutputError, match="No space left"):
                score_folder(tiny_scorer, album, out, overwrite=True)
        assert out.read_text() == "old"
        assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
            out.name,
            f".{out.name}.progress.jsonl",
        }
        report = score_folder(tiny_scorer, album, out, overwrite=True, resume=True)
        assert report.num_resumed == 13

    def test_a_full_disk_on_the_way_says_how_to_go_on(
        self, album, tmp_path, tiny_scorer, monkeypatch
    ):
        out = tmp_path / "scores.csv"
        add = folder_module.Journal._write

        def full(journal, line):
            if "scores" in line and journal.path.read_text().count("\n") >= 3:
                raise OSError(28, "No space left on device")
            add(journal, line)

        with monkeypatch.context() as patch:
            patch.setattr(folder_module.Journal, "_write", full)
            with pytest.raises(OutputError, match=r"No space left.*--resume"):
                score_folder(tiny_scorer, album, out, batch_size=3)
        assert not out.exists()
        report = score_folder(tiny_scorer, album, out, batch_size=3, resume=True)
        assert report.num_resumed == 6


class TestResume:
    @pytest.fixture
    def whole(self, album, tmp_path, tiny_scorer) -> bytes:
        score_folder(tiny_scorer, album, tmp_path / "whole.csv", batch_size=3)
        return (tmp_path / "whole.csv").read_bytes()

    @pytest.fixture
    def out(self, album, tmp_path, tiny_scorer) -> Path:
        """Killed after two of five batches."""
        with pytest.raises(Killed):
            score_folder(
                tiny_scorer, album, tmp_path / "out.csv", batch_size=3, progress=killed_after(2)
            )
        assert not (tmp_path / "out.csv").exists()
        return tmp_path / "out.csv"

    @staticmethod
    def journal(out: Path) -> Path:
        return out.with_name(f".{out.name}.progress.jsonl")

    def test_the_same_bytes_as_an_uninterrupted_run(self, whole, out, album, tiny_scorer):
        seen = []
        report = score_folder(
            tiny_scorer,
            album,
            out,
            batch_size=3,
            resume=True,
            progress=lambda done, total: seen.append(done),
        )
        assert seen == [6, 9, 12, 13]
        assert report.num_resumed == 6
        assert out.read_bytes() == whole
        assert not self.journal(out).exists()

    @pytest.mark.parametrize("lost", [1, 7, 60])
    def test_a_torn_last_line_is_scored_again(self, whole, out, album, tiny_scorer, lost):
        content = self.journal(out).read_bytes()
        self.journal(out).write_bytes(content[:-lost])
        report = score_folder(tiny_scorer, album, out, batch_size=3, resume=True)
        assert report.num_resumed == 3
        assert out.read_bytes() == whole

    def test_killed_twice(self, whole, out, album, tiny_scorer):
        self.journal(out).write_bytes(self.journal(out).read_bytes() + b'{"scores": {"6"')
        with pytest.raises(Killed):
            score_folder(
                tiny_scorer, album, out, batch_size=3, resume=True, progress=killed_after(3)
            )
        report = score_folder(tiny_scorer, album, out, batch_size=3, resume=True)
        assert report.num_resumed == 9
        assert out.read_bytes() == whole

    @pytest.mark.parametrize("content", [b"", b"{", b"not json\n", b"[1]\n"])
    def test_a_journal_without_a_header_is_no_journal(
        self, whole, out, album, tiny_scorer, content
    ):
        self.journal(out).write_bytes(content)
        assert score_folder(tiny_scorer, album, out, batch_size=3, resume=True).num_resumed == 0
        assert out.read_bytes() == whole

    def test_resume_without_a_journal_starts_fresh(self, whole, album, tmp_path, tiny_scorer):
        out = tmp_path / "fresh.csv"
        score_folder(tiny_scorer, album, out, batch_size=3, resume=True)
        assert out.read_bytes() == whole

    def test_without_resume_the_journal_is_written_over(self, whole, out, album, tiny_scorer):
        assert score_folder(tiny_scorer, album, out, batch_size=3).num_resumed == 0
        assert out.read_bytes() == whole

    def refusal(self, scorer, album, out, **settings) -> str:
        before = self.journal(out).read_bytes()
        with pytest.raises(OutputError) as caught:
            score_folder(scorer, album, out, resume=True, **{"batch_size": 3} | settings)
        assert self.journal(out).read_bytes() == before
        assert "without `resume`" in str(caught.value)
        return str(caught.value)

    def test_another_scorer_is_refused(self, out, album, tiny_scorer):
        assert "the scorer (" in self.refusal(make_finetuned(make_scorer(), 1), album, out)
        tiny_scorer.config.calibration_scores = [4.0, 6.0]
        tiny_scorer.config.calibration_ratings = [1.0, 5.0]
        assert "the scorer (" in self.refusal(tiny_scorer, album, out)

    def test_another_batch_size_is_refused(self, out, album, tiny_scorer):
        message = self.refusal(tiny_scorer, album, out, batch_size=4)
        assert "the batch size (3 then, 4 now)" in message

    def test_other_photos_are_refused_and_named(self, out, album, photos, tiny_scorer):
        photos[0].unlink()
        photos[1].write_bytes(photos[2].read_bytes())
        photos[3].rename(album / "new.jpg")
        message = self.refusal(tiny_scorer, album, out)
        assert "1 photo new (new.jpg)" in message
        assert "2 photos gone (p00.jpg, p03.jpg)" in message
        assert "1 photo changed (p01.jpg)" in message
