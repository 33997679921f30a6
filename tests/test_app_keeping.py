"""The app loses no answer, keeps no photo, and forgets nobody too early."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aesthetic_tv import cli
from aesthetic_tv.app import answers_on_disk, temporary
from aesthetic_tv.app.answers import Answers
from aesthetic_tv.app.answers_on_disk import comparisons_beside, picks_beside, ratings_place
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.visits import STORAGE, Visits
from aesthetic_tv.errors import OutputError, RatingsFileError
from aesthetic_tv.personalization.ratings_file import read_ratings
from aesthetic_tv.photo_metadata import beside_album


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    return tmp_path / "photos.ratings.csv"


@pytest.fixture
def start(bank_folder, photos, ratings):
    """Starts the app's part behind the page on the twelve photos, saving ratings beside them."""
    running = []

    def start(**settings) -> Visits:
        settings = {"album": photos[0].parent, "ratings": ratings, "grace": 600} | settings
        running.append(Visits(AppSettings(str(bank_folder), **settings)))
        return running[-1]

    yield start
    for visits in running:
        visits.close()


def saved(path: Path) -> dict[str, float]:
    return read_ratings(path) if path.exists() else {}


class TestThreads:
    @pytest.mark.parametrize(("turns", "on_disk"), [(200, False), (20, True)])
    def test_of_what_two_threads_say_at_once_nothing_is_lost(
        self, start, photos, ratings, turns, on_disk
    ):
        session = start(ratings=ratings if on_disk else None).enter("page").session
        names = [photo.name for photo in photos]
        begin = threading.Barrier(2)

        def rate(mine: list[str]) -> None:
            begin.wait()
            for turn in range(turns):
                session.rate(mine[turn % len(mine)], 1 + turn % 5)

        threads = [threading.Thread(target=rate, args=[names[i::2]]) for i in range(2)]
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
        # The last six turns rated each of the six last, and each answer can be taken back.
        last = {name: 1 + turn % 5 for i in range(2) for turn in range(turns - 6, turns)
                for name in [names[i::2][turn % 6]]}  # fmt: skip
        assert session.answers.ratings == last
        assert saved(ratings) == (last if on_disk else {})
        undone = 0
        while session.undo():
            undone += 1
        assert undone == 2 * turns
        assert not ratings.exists()


class TestOnDisk:
    def test_each_answer_is_saved_as_it_is_given_and_read_at_the_next_start(
        self, start, photos, ratings
    ):
        session = start().enter("page").session
        session.rate("p00.jpg", 5)
        assert saved(ratings) == {"p00.jpg": 5}
        session.rate("p01.jpg", 2)
        session.compare("p02.jpg", "p03.jpg")
        session.rate("p00.jpg", 4)
        session.undo()
        said = start().enter("another page").session.answers
        assert said.ratings == {"p00.jpg": 5, "p01.jpg": 2}
        assert said.pairs == (("p02.jpg", "p03.jpg"),)
        # As `personalize --ratings` reads it.
        folder = photos[0].parent
        assert read_ratings(ratings, folder) == {
            str(folder / "p00.jpg"): 5,
            str(folder / "p01.jpg"): 2,
        }
        assert comparisons_beside(ratings).read_text() == "better,worse\np02.jpg,p03.jpg\n"

    def test_picks_have_a_file_of_their_own_and_answers_of_one_batch_are_saved_once(
        self, start, ratings, monkeypatch
    ):
        session, saves = start().enter("page").session, []
        save = session._disk.save
        monkeypatch.setattr(session._disk, "save", lambda *both: (saves.append(1), save(*both)))
        with session.batch():
            for number in range(10):
                session.rate(f"p{number:02d}.jpg", 1 + number % 5)
            session.flag("p10.jpg", 1)
            session.flag("p11.jpg", -1)
        assert len(saves) == 1 and len(saved(ratings)) == 10
        picks = ratings.with_name("photos.picks.csv")
        assert picks_beside(ratings) == picks
        assert picks.read_text() == "photo,pick\np10.jpg,1\np11.jpg,-1\n"
        again = start().enter("another page").session
        assert again.answers == session.answers
        again.flag("p10.jpg", 0)
        again.flag("p11.jpg", 0)
        assert not picks.exists()

    def test_two_visits_and_another_app_add_to_one_file(self, start, ratings):
        first = start()
        one, two, three = first.enter("1").session, first.enter("2").session, None
        one.rate("p00.jpg", 1)
        two.rate("p01.jpg", 2)
        three = start().enter("3").session
        three.rate("p02.jpg", 3)
        one.undo()
        one.rate("p03.jpg", 4)
        assert saved(ratings) == {"p01.jpg": 2, "p02.jpg": 3, "p03.jpg": 4}

    def test_lines_on_photos_that_are_elsewhere_and_by_other_spellings_are_kept(
        self, start, photos, ratings
    ):
        (photos[0].parent / "sub").mkdir()
        photos[11].rename(photos[0].parent / "sub" / "e\u0301.jpg")
        ratings.write_text("Photo;Rating\n\u00e9.jpg;3,5\ngone.jpg;4\np00.jpg;1\n", "utf-8")
        session = start().enter("page").session
        assert session.answers.ratings == {"sub/e\u0301.jpg": 3.5, "gone.jpg": 4, "p00.jpg": 1}
        session.rate("p00.jpg", 2)
        assert saved(ratings) == {"sub/\u00e9.jpg": 3.5, "gone.jpg": 4, "p00.jpg": 2}

    @pytest.mark.parametrize(
        ("text", "told"),
        [("photo,rating\np00.jpg,80\n", "stars go from 1 to 5"),
         ("photo,rating,note\np00.jpg,5,dear\n", "3 columns")],
    )  # fmt: skip
    def test_a_file_that_saving_would_harm_is_refused_and_left(
        self, start, ratings, text, told, monkeypatch, tmp_path_factory
    ):
        ratings.write_text(text)
        temporary = tmp_path_factory.mktemp("temporary")  # of this test: others run beside it
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        with pytest.raises(RatingsFileError, match=told):
            start()
        assert ratings.read_text() == text
        assert not list(temporary.glob("aesthetic-tv-*"))

    def test_an_empty_table_is_a_beginning(self, start, ratings):
        ratings.write_text("photo,rating\n")
        session = start().enter("page").session
        session.rate("p00.jpg", 3)
        assert saved(ratings) == {"p00.jpg": 3}

    def test_what_cannot_be_saved_is_told_kept_and_saved_later(self, start, ratings, monkeypatch):
        visits = start()
        visit = visits.enter("page")
        visit.session.rate("p00.jpg", 5)

        def full(*_):
            raise OutputError("no space left")

        with monkeypatch.context() as patch:
            patch.setattr(answers_on_disk, "write_ratings", full)
            visit.session.rate("p01.jpg", 1)
            visit.session.rate("p02.jpg", 2)
        assert visit.session.unsaved == "no space left"
        kept = visits.kept(visit)
        assert kept["saved"] is False
        # The browser alone has them now: an app that is started anew takes them from there.
        again = start().enter("page", kept)
        assert again.session.answers.ratings == {"p00.jpg": 5, "p01.jpg": 1, "p02.jpg": 2}
        assert saved(ratings) == again.session.answers.ratings
        visit.session.rate("p03.jpg", 3)
        assert visit.session.saved
        assert saved(ratings) == again.session.answers.ratings | {"p03.jpg": 3}

    def test_a_file_spoiled_meanwhile_is_left_and_told(self, start, ratings):
        session = start().enter("page").session
        session.rate("p00.jpg", 5)
        ratings.write_text("photo,rating\np00.jpg,lots\n")
        session.rate("p01.jpg", 1)
        assert "lots" in session.unsaved and "lots" in ratings.read_text()
        ratings.write_text("photo,rating\np00.jpg,4\n")
        session.rate("p02.jpg", 2)
        assert not session.unsaved
        assert saved(ratings) == {"p00.jpg": 4, "p01.jpg": 1, "p02.jpg": 2}

    def test_the_file_has_the_last_word_over_a_browser_that_was_saved(self, start, ratings):
        visits = start()
        visit = visits.enter("page")
        visit.session.rate("p00.jpg", 5)
        visit.session.rate("p01.jpg", 1)
        visit.session.pass_over("p02.jpg")
        kept = visits.kept(visit)
        ratings.write_text("photo,rating\np00.jpg,3\n")  # by hand
        said = start().enter("page", kept).session.answers
        assert said.ratings == {"p00.jpg": 3} and said.passed == {"p02.jpg"}
        ratings.unlink()  # moved away, perhaps
        assert start().enter("page", kept).session.answers.ratings == {"p00.jpg": 5, "p01.jpg": 1}

    def test_the_difference_of_two_states_is_done_to_a_third(self):
        before = Answers({"a": 1, "b": 2}, (("a", "b"), ("c", "d")))
        now = Answers({"a": 3, "c": 4}, (("a", "b"), ("e", "f")))
        there = Answers({"a": 5, "b": 2, "x": 1}, (("c", "d"), ("f", "e"), ("x", "y")))
        assert there.changed(before, now) == Answers(
            {"a": 3, "x": 1, "c": 4}, (("x", "y"), ("e", "f"))
        )
        before, now = Answers(flags={"a": 1, "b": 1}), Answers(flags={"b": -1})
        assert Answers(flags={"a": 1, "x": 1}).changed(before, now).flags == {"x": 1, "b": -1}


class TestPlace:
    @pytest.fixture(autouse=True)
    def own(self, monkeypatch, tmp_path) -> Path:
        monkeypatch.setattr(beside_album, "user_data_path", lambda name: tmp_path / "own" / name)
        return tmp_path / "own"

    @pytest.fixture
    def cannot_write(self, monkeypatch):
        """Folders count as read-only, also for root."""
        folders: list[Path] = []
        can = answers_on_disk._can_write

        def can_write(path: Path) -> bool:
            return path.parent not in folders and can(path)

        monkeypatch.setattr(answers_on_disk, "_can_write", can_write)
        return folders

    def test_it_is_beside_the_album(self, photos, ratings):
        place = ratings_place(photos[0].parent)
        assert (place.path, place.others, place.reason) == (ratings, (), "")
        assert not ratings.exists()

    def test_where_that_cannot_be_written_the_persons_folder_takes_its_place(
        self, start, photos, ratings, cannot_write
    ):
        ratings.write_text("photo,rating\np00.jpg,5\n")
        cannot_write.append(ratings.parent)
        place = ratings_place(photos[0].parent)
        assert place.path.name.startswith("photos-") and "cannot be written" in place.reason
        session = start(ratings=place.path, ratings_before=place.others).enter("page").session
        session.rate("p01.jpg", 1)
        assert saved(ratings) == {"p00.jpg": 5}
        assert saved(place.path) == {"p00.jpg": 5, "p01.jpg": 1}
        cannot_write.clear()  # once more as usual: nothing of either file is lost
        again = ratings_place(photos[0].parent)
        assert again.path == ratings and again.others == (place.path,)
        start(ratings=again.path, ratings_before=again.others)
        assert saved(ratings) == {"p00.jpg": 5, "p01.jpg": 1}

    def test_where_nothing_can_be_written_that_is_told(self, start, photos, ratings, cannot_write):
        cannot_write.extend(p.parent for p in answers_on_disk.usual_places(photos[0].parent))
        place = ratings_place(photos[0].parent)
        assert place.path == ratings and "only the browser" in place.reason
        assert not place.writable
        visits = start(ratings=place.path)
        visit = visits.enter("page")
        assert str(ratings) in visit.session.unsaved
        assert visits.kept(visit)["saved"] is False

    def test_a_named_file_that_cannot_be_used_is_told_at_once(self, tmp_path):
        for name, told in [("a.json", "ends in .csv"), ("a.jpg/a.csv", "cannot be written")]:
            (tmp_path / "a.jpg").touch()
            command = ["rate", "--no-browser", "--ratings", str(tmp_path / name)]
            result = CliRunner().invoke(cli.app, command)
            assert result.exit_code == 2 and told in result.output

    @pytest.mark.parametrize(
        ("ratings", "comparisons"),
        [("a.ratings.csv", "a.comparisons.csv"), ("ratings.csv", "comparisons.csv"),
         ("mine.csv", "mine.comparisons.csv")],
    )  # fmt: skip
    def test_comparisons_have_a_file_beside(self, ratings, comparisons):
        assert comparisons_beside(Path(ratings)) == Path(comparisons)


class TestBrowser:
    def test_each_album_has_its_own_place_in_the_browser(self, start, tmp_path, photos):
        other = tmp_path / "other"
        other.mkdir()
        photos[0].rename(other / "a.jpg")
        keys = {
            start().storage_key,
            start(album=other, ratings=None).storage_key,
            start(album=None, ratings=None).storage_key,
            start(ratings=tmp_path / "bob.csv").storage_key,
        }
        assert len(keys) == 4 and STORAGE not in keys
        assert start(ratings=None).storage_key == start().storage_key

    def test_what_an_earlier_version_kept_is_taken_over(self, start, ratings):
        visits = start()
        kept = {"album": visits.album_key, "token": "old", "said": {"ratings": {"p00.jpg": 4}}}
        ratings.write_text("photo,rating\np01.jpg,2\n")
        session = visits.enter("page", kept).session
        assert session.answers.ratings == {"p00.jpg": 4, "p01.jpg": 2}
        assert saved(ratings) == session.answers.ratings


class TestGrace:
    def test_the_timer_of_an_earlier_leave_does_not_end_a_visit(self, start):
        visits = start(grace=1.0)
        visit = visits.enter("page 1")
        kept = visits.kept(visit)
        visits.leave("page 1")
        time.sleep(0.7)
        assert visits.enter("page 2", kept) is visit
        visits.leave("page 2")
        time.sleep(0.6)  # the first grace is over, the second is not
        assert len(visits) == 1 and visit.folder.exists()
        deadline = time.monotonic() + 30
        while len(visits) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(visits) == 0

    def test_no_timer_is_left_while_a_page_is_open(self, start):
        visits = start()
        visit = visits.enter("page 1")
        visits.enter("page 2", visits.kept(visit))
        visits.leave("page 1")
        assert visit.ending is None
        visits.leave("page 2")
        assert visit.ending is not None
        visits.enter("page 3", visits.kept(visit))
        assert visit.ending is None


# A process that dies with its folder held, as by SIGKILL; another folder it would have let go.
DIES = """
import os
from aesthetic_tv.app.temporary import TemporaryFolder
print(TemporaryFolder().path, flush=True)
os._exit(9)
"""


class TestTemporary:
    def test_what_a_dead_process_left_is_deleted_and_nothing_else(self, tmp_path, monkeypatch):
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        died = subprocess.run(
            [sys.executable, "-c", DIES], env=environment, capture_output=True, text=True
        )
        left = Path(died.stdout.strip())
        (left / "photo.jpg").write_bytes(b"private")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        alive = temporary.TemporaryFolder()
        others = [tmp_path / f"aesthetic-tv-{name}" for name in ("no-lock", "not-yet-held")]
        for folder in others:
            folder.mkdir()
        (others[1] / temporary.LOCK).touch()  # between its first two steps
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "aesthetic-tv-link").symlink_to(left)
        temporary.clean()
        assert not left.exists()
        assert alive.path.exists() and all(folder.exists() for folder in others)
        alive.remove()
        assert not alive.path.exists()

    def test_folders_of_other_users_are_left(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        folder = temporary.TemporaryFolder()
        folder._lock.release()
        (folder.path / temporary.LOCK).touch()
        with monkeypatch.context() as patch:
            patch.setattr(os, "getuid", lambda: 123456789)
            temporary.clean()
        assert folder.path.exists()
        temporary.clean()
        assert not folder.path.exists()
