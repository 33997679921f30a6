"""The best photos of an album in a folder: whole, once, with what belongs to them, nothing lost."""

import csv
import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED, SKIPPED
from aesthetic_tv.errors import OutputError, SettingError
from aesthetic_tv.personalization.burst_taste import BurstTaste, pairs_of_ratings
from aesthetic_tv.personalization.instant import InstantFit
from aesthetic_tv.personalization.photo_features import PhotoFeatures
from aesthetic_tv.photo_metadata import keepers as keepers_module
from aesthetic_tv.photo_metadata.best import best_of
from aesthetic_tv.photo_metadata.keepers import Keeper, KeepersPlan, choose, kept_files
from aesthetic_tv.photo_metadata.shots import shots
from aesthetic_tv.photo_metadata.sidecars import Sidecars
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.photo_files import find_photos
from conftest import make_bank
from test_bursts import write
from test_duplicates import landscape


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A burst of three in `trip`, one of them with RAW and sidecars; two single photos."""
    folder = tmp_path / "album"
    (folder / "trip").mkdir(parents=True)
    for frame in range(3):
        write(folder / "trip" / f"DSC_{frame}.jpg", landscape(0), fraction=str(frame))
        (folder / "trip" / f"DSC_{frame}.NEF").write_bytes(b"II*\0 raw of %d" % frame)
        (folder / "trip" / f"DSC_{frame}.jpg.xmp").write_text(f"sidecar {frame}")
        (folder / "trip" / f"dsc_{frame}.XMP").write_text(f"short sidecar {frame}")
    write(folder / "a.jpg", landscape(1), when="2024:06:01 10:00:00")
    write(folder / "b.jpg", landscape(2), when="2024:06:01 11:00:00")
    return folder


@pytest.fixture
def scorer(tmp_path: Path) -> Path:
    make_bank().task_scorer("task1").save_pretrained(tmp_path / "scorer")
    return tmp_path / "scorer"


def run(*arguments: object):
    return CliRunner().invoke(app, ["pick", *map(str, arguments)])


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "keepers.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def plan_of(album: Path, *names: str) -> KeepersPlan:
    found = {shot.photo: shot for shot in shots(find_photos(album, every_kind=True))}
    sidecars = Sidecars.of(found.values())
    return KeepersPlan.of(album, [kept_files(found[album / name], sidecars) for name in names])


class TestCommand:
    def test_one_of_each_burst_with_raw_and_sidecars_and_the_album_as_it_was(
        self, album, scorer, tmp_path
    ):
        before, to = files(album), tmp_path / "keepers"
        done = run(album, "--scorer", scorer, "--to", to)
        assert done.exit_code == 0, done.output
        assert files(album) == before
        table = rows(to)
        assert len(table) == 3
        assert [float(row["score"]) for row in table] == sorted(
            (float(row["score"]) for row in table), reverse=True
        )
        (burst,) = [row for row in table if row["of"] == "3"]
        assert 1 / 3 <= float(burst["sure"]) < 1
        kept = burst["photo"].removesuffix(".jpg")
        names = {f"{kept}.jpg", f"{kept}.NEF", f"{kept}.jpg.xmp", f"{kept.lower()}.XMP"}
        found = files(to)
        assert set(found) == names | {"a.jpg", "b.jpg", "keepers.csv"}
        assert all(found[name] == before[name] for name in found if name != "keepers.csv")

    def test_again_adds_nothing_and_scores_nothing(self, album, scorer, tmp_path, monkeypatch):
        to = tmp_path / "keepers"
        assert run(album, "--scorer", scorer, "--to", to).exit_code == 0
        before = files(to)

        def fail(*args, **kwargs):
            raise AssertionError

        monkeypatch.setattr(AestheticScorer, "score_pixels", fail)
        done = run(album, "--scorer", scorer, "--to", to)
        assert done.exit_code == 0, done.output
        assert "0 files were copied" in done.output
        assert files(to) == before

    def test_scores_that_cannot_be_kept_stop_nothing(self, album, scorer, tmp_path):
        (tmp_path / ".keepers.scores.json").mkdir()
        done = run(album, "--scorer", scorer, "--to", tmp_path / "keepers")
        assert done.exit_code == 0, done.output
        assert "cannot be kept" in done.stderr
        assert len(rows(tmp_path / "keepers")) == 3

    def test_without_bursts_each_photo_counts_and_more_of_a_burst_can(
        self, album, scorer, tmp_path
    ):
        run(album, "--scorer", scorer, "--to", tmp_path / "all", "--no-bursts")
        assert len(rows(tmp_path / "all")) == 5
        run(album, "--scorer", scorer, "--to", tmp_path / "two", "--per-burst", 2)
        assert len(rows(tmp_path / "two")) == 4
        run(album, "--scorer", scorer, "--to", tmp_path / "one", "--best", 1)
        assert len(rows(tmp_path / "one")) == 1
        run(album, "--scorer", scorer, "--to", tmp_path / "close", "--seconds", 0)
        assert len(rows(tmp_path / "close")) == 5

    def test_ones_own_ratings_choose_inside_a_burst(self, album, scorer, tmp_path):
        lines = ["photo,rating", "trip/DSC_0.jpg,3", "trip/DSC_1.jpg,2", "trip/DSC_2.jpg,4"]
        for best in range(3):
            lines[1 + best] = f"trip/DSC_{best}.jpg,5"
            (tmp_path / "ratings.csv").write_text("\n".join(lines))
            to = tmp_path / f"keepers{best}"
            done = run(album, "--scorer", scorer, "--to", to, "--ratings", tmp_path / "ratings.csv")
            assert done.exit_code == 0, done.output
            (burst,) = [row for row in rows(to) if row["of"] == "3"]
            assert burst["photo"] == f"trip/DSC_{best}.jpg"
            assert burst["sure"] == "1.0"
            lines[1 + best] = f"trip/DSC_{best}.jpg,1"

    def test_a_dry_run_copies_nothing(self, album, scorer, tmp_path):
        done = run(album, "--scorer", scorer, "--to", tmp_path / "keepers", "--dry-run")
        assert done.exit_code == 0, done.output
        assert "a.jpg" in done.output
        assert not (tmp_path / "keepers").exists()

    def test_broken_photos_are_named_and_the_others_kept(self, album, scorer, tmp_path):
        (album / "broken.jpg").write_bytes((album / "a.jpg").read_bytes()[:200])
        done = run(album, "--scorer", scorer, "--to", tmp_path / "keepers")
        assert done.exit_code == SKIPPED
        assert "broken.jpg" in done.stderr
        assert len(rows(tmp_path / "keepers")) == 3

    def test_a_folder_in_the_album_or_around_it_is_refused_before_anything(
        self, album, scorer, tmp_path
    ):
        (tmp_path / "inside").symlink_to(album / "trip")
        for to in (album, album / "keepers", tmp_path, tmp_path / "inside" / "best"):
            done = run(album, "--scorer", "nowhere", "--to", to)
            assert done.exit_code == FAILED
            assert "folder beside it" in done.stderr

    def test_a_disk_that_fills_up_leaves_whole_files_and_names_the_rest(
        self, album, scorer, tmp_path, monkeypatch
    ):
        copy, copied = shutil.copy2, []

        def full(source, target):
            if copied:
                Path(target).write_bytes(b"half")
                raise OSError(errno.ENOSPC, "No space left on device")
            copied.append(source)
            return copy(source, target)

        to = tmp_path / "keepers"
        monkeypatch.setattr(keepers_module.shutil, "copy2", full)
        done = run(album, "--scorer", scorer, "--to", to)
        assert done.exit_code == FAILED
        assert "No space left" in done.stderr
        assert "the disk is full" in done.stderr
        found = files(to)
        assert len(found) == 2  # and the table
        assert all(found[name] == files(album)[name] for name in found if name != "keepers.csv")
        monkeypatch.setattr(keepers_module.shutil, "copy2", copy)
        assert run(album, "--scorer", scorer, "--to", to).exit_code == 0
        assert len(rows(to)) == 3


class TestPlan:
    def test_a_name_that_is_taken_by_another_photo_gets_a_number_with_its_sidecars(
        self, album, tmp_path
    ):
        to = tmp_path / "keepers"
        (to / "trip").mkdir(parents=True)
        (to / "trip" / "DSC_0.jpg").write_bytes(b"of another camera")
        plan = plan_of(album, "trip/DSC_0.jpg")
        for _ in range(2):
            plan.copy(to)
            assert set(files(to)) == {
                "trip/DSC_0.jpg", "trip/DSC_0 (2).jpg", "trip/DSC_0 (2).jpg.xmp",
                "trip/DSC_0 (2).NEF", "trip/dsc_0 (2).XMP", "keepers.csv",
            }  # fmt: skip
        assert (to / "trip" / "DSC_0.jpg").read_bytes() == b"of another camera"
        assert rows(to)[0]["photo"] == "trip/DSC_0 (2).jpg"
        assert rows(to)[0]["original"] == "trip/DSC_0.jpg"

    def test_a_sidecar_that_was_changed_in_the_folder_is_kept(self, album, tmp_path):
        to, plan = tmp_path / "keepers", plan_of(album, "trip/DSC_0.jpg")
        plan.copy(to)
        (to / "trip" / "DSC_0.jpg.xmp").write_text("five stars")
        done = plan.copy(to)
        assert done.kept == [to / "trip" / "DSC_0.jpg.xmp"]
        assert not done.new
        assert (to / "trip" / "DSC_0.jpg.xmp").read_text() == "five stars"

    def test_links_take_no_space_and_are_not_made_twice(self, album, tmp_path):
        to, plan = tmp_path / "keepers", plan_of(album, "a.jpg")
        assert plan.copy(to, link=True).new == [album / "a.jpg"]
        assert (to / "a.jpg").samefile(album / "a.jpg")
        assert not (to / "a.jpg").is_symlink()
        assert not plan.copy(to, link=True).new

    def test_links_are_symbolic_across_disks(self, album, tmp_path, monkeypatch):
        def across(self, target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        monkeypatch.setattr(Path, "hardlink_to", across)
        to, plan = tmp_path / "keepers", plan_of(album, "a.jpg")
        plan.copy(to, link=True)
        assert (to / "a.jpg").is_symlink()
        assert (to / "a.jpg").samefile(album / "a.jpg")
        assert not plan.copy(to, link=True).new

    def test_a_photo_that_is_gone_is_named_and_the_others_are_copied(self, album, tmp_path):
        plan = plan_of(album, "a.jpg", "b.jpg")
        (album / "a.jpg").unlink()
        done = plan.copy(tmp_path / "keepers")
        assert list(done.failed) == [album / "a.jpg"]
        assert done.new == [album / "b.jpg"]

    def test_a_table_of_somebody_else_is_never_overwritten(self, album, tmp_path):
        to = tmp_path / "keepers"
        to.mkdir()
        (to / "keepers.csv").write_text("photo,mine\n")
        with pytest.raises(OutputError, match="no table of keepers"):
            plan_of(album, "a.jpg").copy(to)
        assert files(to) == {"keepers.csv": b"photo,mine\n"}

    def test_a_link_back_into_the_album_is_not_followed(self, album, tmp_path):
        to, before = tmp_path / "keepers", files(album)
        to.mkdir()
        (to / "trip").symlink_to(album / "trip")
        done = plan_of(album, "trip/DSC_0.jpg", "a.jpg").copy(to)
        assert done.new == [album / "a.jpg"]
        assert "leads into the album" in done.failed[album / "trip/DSC_0.jpg"]
        assert files(album) == before


class TestChoice:
    def test_the_best_of_each_burst_best_first(self):
        scores = np.array([1.0, 3.0, 2.0, 5.0, 4.0])
        ranked = best_of([[0, 1], [2], [3, 4]], scores)
        kept = choose(ranked, [3, 4, 1, 2, 0], scores, best=2)
        assert kept[0] == Keeper(3, 5.0, 3, 2, pytest.approx(1 / (1 + np.exp(-1))))
        assert [keeper.photo for keeper in kept] == [3, 1]
        twice = choose(ranked, [3, 4, 1, 2, 0], scores, per_burst=2)
        assert [keeper.photo for keeper in twice] == [3, 4, 1, 2, 0]
        with pytest.raises(SettingError):
            choose(ranked, [0], scores, best=0)

    def test_choices_in_bursts_are_learned_and_ones_own_stand(self):
        random = np.random.default_rng(0)
        traits = random.normal(size=(200, 4))
        groups = [list(range(i, i + 5)) for i in range(0, 200, 5)]
        scores = random.normal(size=200) * 0.01
        liking = traits[:, 2] - traits[:, 1]
        pairs = [
            (best, other)
            for group in groups[:15]
            for best in [max(group, key=liking.__getitem__)]
            for other in group
            if other != best
        ]
        right = [max(group, key=liking.__getitem__) for group in groups]
        before = BurstTaste.fit(groups, scores, traits).best_of()
        after = BurstTaste.fit(groups, scores, traits, pairs).best_of()
        assert [burst.photos for burst in before] == [
            burst.photos for burst in best_of(groups, scores)
        ]
        hits = [np.mean([b.photos[0] == r for b, r in zip(found[15:], right[15:], strict=True)])
                for found in (before, after)]  # fmt: skip
        assert hits[0] < 0.5 < 0.8 < hits[1]
        assert [burst.photos[0] for burst in after[:15]] == right[:15]
        assert np.mean([burst.chances[0] for burst in after[15:]]) > np.mean(
            [burst.chances[0] for burst in before[15:]]
        )

    def test_what_is_unknown_or_of_another_burst_tells_nothing(self):
        traits = np.full((4, 2), np.nan)
        groups = [[0, 1], [2], [3]]
        found = BurstTaste.fit(groups, np.zeros(4), traits, [(0, 3), (9, 0)])
        assert not found.pairs
        assert found.best_of()[0].chances == (0.5, 0.5)
        assert pairs_of_ratings(groups, {0: 3, 1: 4, 3: 1}) == [(1, 0)]

    def test_an_instant_fit_ranks_a_burst_as_it_does_the_album(self, photos):
        bank = make_bank(size=0.3)
        album = PhotoFeatures.compute(bank, photos)
        fit = InstantFit.of(album, {photo: 1 + i % 5 for i, photo in enumerate(photos[:8])})
        group = [photos[3], photos[9], photos[6]]
        found = fit.best_of(group)
        assert [photo for photo, _ in found] == [row.photo for row in fit.ranking(group)]
        assert sum(chance for _, chance in found) == pytest.approx(1)
        pair = fit.best_of(photos[:2])
        expected = fit.pair_probability(pair[0][0], pair[1][0])
        assert pair[0][1] == pytest.approx(expected, rel=1e-6)
        assert fit.best_of(photos[:1]) == [(photos[0], 1.0)]
