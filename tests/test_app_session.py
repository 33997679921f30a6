"""The app's session without a page: what is said, what follows, and what becomes of the files."""

import csv
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesthetic_tv.app.album import Album, Uploads
from aesthetic_tv.app.answers import PICK, REJECT, Answers
from aesthetic_tv.app.answers_on_disk import read_files
from aesthetic_tv.app.asking import Asking
from aesthetic_tv.app.features import GrowingFeatures, Workshop
from aesthetic_tv.app.figures import agreement_by_count
from aesthetic_tv.app.keeping import write_files
from aesthetic_tv.app.session import Session
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.views import FULL_ONES, Views
from aesthetic_tv.app.visits import Visits
from aesthetic_tv.errors import PreferenceError, RatingsFileError, SettingError
from aesthetic_tv.personalization import InstantFit, Personalization
from aesthetic_tv.photo_metadata.shots import shots
from conftest import wait_for_features


@pytest.fixture
def workshop(bank_folder):
    workshop = Workshop(str(bank_folder))
    yield workshop
    workshop.close()


@pytest.fixture
def session(workshop, photos, tmp_path) -> Session:
    return make_session(workshop, photos, tmp_path)


def make_session(workshop, photos, tmp_path, settings=None) -> Session:
    album = Album.of_folder(photos[0].parent, shots(photos), Views(tmp_path / "views"))
    shared = GrowingFeatures(workshop, list(album.paths.values()))
    uploads = Uploads(tmp_path / "own", Views(tmp_path / "own-views"), settings or AppSettings())
    session = Session(album, shared, uploads, GrowingFeatures(workshop))
    wait_for_features(session)
    return session


def upload(session: Session, folder: Path, *names: str) -> tuple[list[str], list[str]]:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(len(names))
    for name in names:
        pixels = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 48)).save(folder / name)
    return session.upload([str(folder / name) for name in names])


def next_photo(session: Session, scope="all") -> str | None:
    return next(iter(Asking(session).photos(scope)), None)


def next_pair(session: Session, scope="all") -> tuple[str, str] | None:
    return next(iter(Asking(session).pairs(scope)), None)


class HeldWorkshop(Workshop):
    """A workshop that does nothing before it is let go."""

    def __init__(self, bank: str):
        super().__init__(bank)
        self.go = threading.Event()
        self.submit(lambda: self.go.wait(60) and None)


def test_a_rating_takes_the_place_of_an_earlier_one_of_the_same_photo():
    said = Answers().rated("a", 2).rated("b", 3).rated("a", 5)
    assert said.ratings == {"a": 5, "b": 3}
    assert len(said) == 2


def test_a_choice_takes_the_place_of_the_opposite_one():
    said = Answers().compared("a", "b").compared("c", "b").compared("b", "a")
    assert said.pairs == (("c", "b"), ("b", "a"))


@pytest.mark.parametrize("stars", [0, 6, float("nan")])
def test_stars_beyond_one_to_five_are_refused(stars):
    with pytest.raises(PreferenceError, match="from 1 to 5"):
        Answers().rated("a", stars)


def test_nothing_can_be_learned_from_equal_stars_alone_but_from_a_choice_besides():
    said = Answers().rated("a", 3).rated("b", 3)
    assert said.preferences() is None
    preferences = said.compared("a", "b").preferences()
    assert preferences is not None
    assert [preferences.photos[i] for i in preferences.better] == ["a"]


def test_ratings_and_choices_count_together():
    preferences = Answers().rated("a", 5).rated("b", 1).compared("c", "a").preferences()
    assert preferences.photos == ("a", "b", "c")
    pairs = zip(preferences.better, preferences.worse, strict=True)
    assert {(preferences.photos[i], preferences.photos[j]) for i, j in pairs} == {
        ("a", "b"),
        ("c", "a"),
    }


def test_what_a_browser_has_kept_is_told_again():
    said = Answers().rated("a", 4).compared("b", "c").passed_over("d").passed_over("a", "c")
    said = said.flagged("e", PICK).flagged("f", REJECT)
    assert Answers.of_kept(said.kept()) == said


@pytest.mark.parametrize(
    "content",
    [None, 3, [], {"ratings": 1}, {"ratings": {"a": "5"}}, {"ratings": {"a": 9}},
     {"flags": {"a": 2, "b": True, "c": "1"}}, {"flags": [1]},
     {"pairs": [["a"], ["a", "a"], 7]}, {"passed": {"a": 1}, "passed_pairs": [[1, 2]]}],
)  # fmt: skip
def test_what_a_browser_cannot_have_kept_is_left_out(content):
    assert Answers.of_kept(content) == Answers()


def test_what_an_earlier_version_kept_is_read():
    kept = {"ratings": {"a": 4}, "pairs": [["b", "c"]], "passed": ["d"], "passed_pairs": []}
    assert Answers.of_kept(kept) == Answers({"a": 4}, (("b", "c"),), frozenset({"d"}))


def test_flags_teach_nothing_and_are_not_asked_for():
    said = Answers().flagged("a", PICK).flagged("b", REJECT).flagged("a", 0)
    assert said.flags == {"b": REJECT} and len(said) == 0 and said.preferences() is None
    assert said.settled == {"b"}


def test_a_photo_whose_stars_are_taken_away_is_asked_for_again():
    said = Answers().rated("a", 2).passed_over("a").cleared("a")
    assert not said.settled and not said.ratings


def test_an_album_is_put_into_the_persons_order_after_three_answers(session):
    for stars in (5, 1):
        session.rate(next_photo(session), stars)
        assert session.taste() is None
    session.rate(next_photo(session), 3)
    rows = session.taste().ranking()
    assert [row.rank for row in rows] == list(range(1, 13))
    assert sorted(row.generic_rank for row in rows) == list(range(1, 13))
    assert len({row.stars for row in rows}) > 8
    assert all(1 <= row.stars <= 5 and 0 <= row.upper <= 1 for row in rows)
    assert 0.5 <= session.taste().sureness() <= 1


def test_the_order_is_that_of_an_instant_fit(session):
    told = {"p00.jpg": 5, "p03.jpg": 1, "p07.jpg": 3, "p08.jpg": 2}
    for name, stars in told.items():
        session.rate(name, stars)
    by_path = {session.paths[name]: stars for name, stars in told.items()}
    expected = InstantFit.of(session.features, by_path, scale=(1, 5)).ranking()
    found = [session.paths[row.name] for row in session.taste().ranking()]
    assert found == [row.photo for row in expected]


def test_every_photo_is_asked_for_once_and_skipped_ones_not_again(session):
    asked = []
    while (name := next_photo(session)) is not None:
        asked.append(name)
        if len(asked) % 4 == 0:
            session.pass_over(name)
        else:
            session.rate(name, 1 + len(asked) % 5)
    assert sorted(asked) == sorted(session.names())


def test_no_pair_is_asked_for_twice(session):
    asked = []
    for turn in range(20):
        pair = next_pair(session)
        asked.append(frozenset(pair))
        session.pass_over(*pair) if turn % 5 == 4 else session.compare(*pair)
    assert len(set(asked)) == 20


def test_undo_goes_back_to_the_beginning_answer_by_answer(session):
    session.rate("p00.jpg", 5)
    session.rate("p00.jpg", 2)
    session.compare("p01.jpg", "p02.jpg")
    session.flag("p03.jpg", PICK)
    session.clear("p00.jpg")
    assert session.undo() and session.answers.ratings == {"p00.jpg": 2}
    assert session.undo() and session.answers.flags == {}
    assert session.undo() and session.answers.pairs == ()
    assert session.undo() and session.answers.ratings == {"p00.jpg": 5}
    assert session.undo() and len(session.answers) == 0
    assert not session.undo()


def test_a_photo_that_was_rated_is_looked_at_before_the_others(
    bank_folder, photos, tmp_path, monkeypatch
):
    for size in ("FIRST_BATCH", "LARGEST_BATCH"):
        monkeypatch.setattr(f"aesthetic_tv.app.features.{size}", 1)
    workshop = HeldWorkshop(str(bank_folder))
    album = Album.of_folder(photos[0].parent, shots(photos), Views(tmp_path / "views"))
    shared = GrowingFeatures(workshop, list(album.paths.values()))
    uploads = Uploads(tmp_path / "own", Views(tmp_path / "own-views"), AppSettings())
    session = Session(album, shared, uploads, GrowingFeatures(workshop))
    last = list(album.paths)[-1]
    session.rate(last, 5)
    workshop.go.set()
    wait_for_features(session)
    assert str(session.features.photos[0]) == album.paths[last]
    workshop.close()


def test_answers_before_the_features_are_kept_and_count_when_those_are_there(
    bank_folder, photos, tmp_path
):
    workshop = HeldWorkshop(str(bank_folder))
    album = Album.of_folder(photos[0].parent, shots(photos), Views(tmp_path / "views"))
    shared = GrowingFeatures(workshop, list(album.paths.values()))
    uploads = Uploads(tmp_path / "own", Views(tmp_path / "own-views"), AppSettings())
    session = Session(album, shared, uploads, GrowingFeatures(workshop))
    for stars in (5, 1, 3):
        session.rate(next_photo(session), stars)
    assert session.taste() is None and len(session.counted) == 0 and len(session.answers) == 3
    workshop.go.set()
    wait_for_features(session)
    assert len(session.counted) == 3
    assert session.taste() is not None
    workshop.close()


def test_a_bank_that_is_not_there_is_told_and_no_rating_is_lost(photos, tmp_path):
    workshop = Workshop(str(tmp_path / "no-bank"))
    album = Album.of_folder(photos[0].parent, shots(photos), Views(tmp_path / "views"))
    shared = GrowingFeatures(workshop, list(album.paths.values()))
    uploads = Uploads(tmp_path / "own", Views(tmp_path / "own-views"), AppSettings())
    session = Session(album, shared, uploads, GrowingFeatures(workshop))
    deadline = time.monotonic() + 60
    while not session.error and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "no-bank" in session.error
    session.rate(next_photo(session), 4)
    assert len(session.answers) == 1
    workshop.close()


def test_a_photo_that_cannot_be_read_is_named_and_not_asked_for(workshop, photos, tmp_path):
    photos[4].write_bytes(b"no photo")
    session = make_session(workshop, photos, tmp_path)
    assert list(session.broken) == ["p04.jpg"]
    assert session.album.views.copy(str(photos[4])) is None
    asked = []
    while (name := next_photo(session)) is not None:
        asked.append(name)
        session.rate(name, 1 + len(asked) % 5)
    assert "p04.jpg" not in asked and len(asked) == 11


def test_uploads_join_the_album_and_can_be_ranked_alone(session, tmp_path):
    for name, stars in {"p00.jpg": 5, "p01.jpg": 1, "p02.jpg": 3}.items():
        session.rate(name, stars)
    added, refused = upload(session, tmp_path / "sent", "x.jpg", "p00.jpg")
    assert added == ["x.jpg", "p00 (2).jpg"] and refused == []
    wait_for_features(session)
    assert len(session.taste().ranking()) == 14
    assert {row.name for row in session.taste("own").ranking()} == set(added)
    assert next_photo(session, "own") in added
    assert set(next_pair(session, "own")) == set(added)
    assert not list((tmp_path / "sent").iterdir())


def test_uploads_beyond_the_limits_are_refused_with_the_limit_said(workshop, photos, tmp_path):
    settings = AppSettings(max_photos=2, max_megabytes=0.05, max_megapixels=0.01)
    session = make_session(workshop, photos, tmp_path, settings)
    folder = tmp_path / "sent"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "heavy.png")
    Image.new("RGB", (200, 200)).save(folder / "wide.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "empty.jpg").touch()
    (folder / "page.html").write_text("<script>")
    _, refused = session.upload([str(path) for path in sorted(folder.iterdir())])
    told = "\n".join(refused)
    for reason in ("limit of 0.05 MB", "limit of 0.01", "broken.jpg", "is empty", "is no photo"):
        assert reason in told
    added, refused = upload(session, folder, "a.jpg", "b.jpg", "c.jpg")
    assert added == ["a.jpg", "b.jpg"]
    assert refused == ["c.jpg: there are 2 already, the limit."]
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["<img src=x>.jpg", "=1+1.jpg", "a\nb.jpg"])
def test_names_of_uploads_are_harmless_on_a_page_and_in_a_table(session, tmp_path, name):
    (tmp_path / "sent").mkdir()
    path = tmp_path / "sent" / name
    Image.new("RGB", (8, 8)).save(path)
    (shown,), _ = session.upload([str(path)])
    assert not set(shown) & set('<>"\n') and not shown.startswith("=")


def test_scaled_copies_carry_nothing_that_a_camera_wrote(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    Image.new("RGB", (900, 600)).save(tmp_path / "a.jpg", exif=exif)
    views = Views(tmp_path / "views")
    for side, size in {"320": (320, 213), "1600": (900, 600), "full": (900, 600)}.items():
        with Image.open(views.copy(str(tmp_path / "a.jpg"), side)) as copy:
            assert copy.size == size
            assert not copy.getexif()


def test_copies_of_all_pixels_are_few_and_the_newest(tmp_path):
    views = Views(tmp_path / "views")
    for number in range(FULL_ONES + 3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
        assert views.copy(str(tmp_path / f"{number}.png"), "full").exists()
    assert len(list(views.folder.glob("*-full.jpg"))) == FULL_ONES
    assert views.copy(str(tmp_path / "0.png"), "full").exists()  # made once more


def test_several_who_look_at_one_photo_at_once_get_one_copy(tmp_path):
    Image.new("RGB", (900, 600)).save(tmp_path / "a.jpg")
    views, found = Views(tmp_path / "views"), []
    threads = [
        threading.Thread(target=lambda: found.append(views.copy(str(tmp_path / "a.jpg"), "1600")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*found}) == 1 and [*views.folder.iterdir()] == [found[0]]


def test_questions_ahead_are_new_and_twelve_at_a_time_where_there_are(session):
    asking = Asking(session)
    for stars in (5, 1, 3):
        session.rate(asking.photos()[0], stars)
    session.flag("p11.jpg", REJECT)
    ahead = asking.photos()
    assert len(ahead) == len({*ahead}) == 12 - len({*session.answers.ratings, "p11.jpg"})
    assert not {*ahead} & session.answers.settled
    pairs = asking.pairs()
    assert len({frozenset(pair) for pair in pairs}) == 12
    assert not any("p11.jpg" in pair for pair in pairs)


def test_figures_are_told_only_where_there_is_enough(session):
    for number, name in enumerate(session.names()[:3]):
        session.rate(name, 1 + number)
    assert session.figures() is None
    for name, stars in {"p05.jpg": 5, "p06.jpg": 1, "p07.jpg": 4}.items():
        session.rate(name, stars)
    assert session.figures().num_photos == 6
    assert agreement_by_count(session) == ([], {})
    for number, name in enumerate(session.names()):
        session.rate(name, 1 + number % 5)
    counts, curves = agreement_by_count(session)
    assert counts[0] == 5 and counts[-1] == 12
    assert curves["personal"][-1] == pytest.approx(session.figures().personal)


def test_polishing_gives_the_exact_order_until_more_is_said(session):
    for name, stars in {"p00.jpg": 5, "p01.jpg": 1, "p02.jpg": 3}.items():
        session.rate(name, stars)
    stages = []
    polished = session.polish(lambda stage, done, total: stages.append(stage))
    assert set(stages) == {"fit", "scoring"}
    assert session.polish() is polished
    paths = [session.paths[row.name] for row in session.taste().ranking()]
    exact = polished.personalization.merge().score(paths)
    assert list(exact) == sorted(exact, reverse=True)
    session.rate("p03.jpg", 2)
    assert session.polished is None and session.taste().exact is None
    session.undo()
    session.flag("p03.jpg", PICK)  # which changes nothing of the taste
    assert session.polished is polished


def test_a_taste_of_ratings_and_choices_is_on_the_persons_stars(session):
    session.rate("p00.jpg", 5)
    session.rate("p01.jpg", 1)
    session.compare("p02.jpg", "p03.jpg")
    scores = session.polish().personalization.merge().score(list(session.paths.values()))
    assert ((scores >= 1) & (scores <= 5)).all()


def test_all_files_come_back(session, tmp_path):
    assert write_files(session, tmp_path / "files") == []
    session.rate("p00.jpg", 5)
    session.rate("p01.jpg", 1)
    session.compare("p02.jpg", "p03.jpg")
    session.flag("p04.jpg", PICK)
    session.flag("p05.jpg", REJECT)
    session.polish()
    written = write_files(session, tmp_path / "files")
    names = ["ratings.csv", "comparisons.csv", "picks.csv", "scores.csv", "my-taste.zip"]
    assert [path.name for path in written] == names
    with written[3].open() as file:
        rows = list(csv.DictReader(file))
    assert [row["photo"] for row in rows] == [row.name for row in session.taste().ranking()]
    with zipfile.ZipFile(written[4]) as file:
        assert b"aesthetic-tv score" in file.read("README.txt")
        file.extractall(tmp_path)
    loaded = Personalization.from_pretrained(tmp_path / "my-taste")
    assert loaded.tasks == session.features.bank.names
    assert not (tmp_path / "my-taste" / "ratings.csv").exists()
    assert read_files(written[:3]) == session.answers


def test_ratings_on_another_scale_and_broken_tables_are_refused_by_their_bare_names(tmp_path):
    for text, reason in [
        ("photo,rating\na.jpg,50\n", "stars go from 1 to 5"),
        ("photo,rating\na.jpg,many\n", "not a number"),
        ("better,worse\na.jpg,a.jpg\n", "line 2 is no pair"),
        ("photo,pick\na.jpg,7\n", "line 2 is no `photo,pick`"),
    ]:
        (tmp_path / "mine.csv").write_text(text)
        with pytest.raises(RatingsFileError, match=reason) as refused:
            read_files([tmp_path / "mine.csv"])
        assert str(tmp_path) not in str(refused.value)


def test_visits_share_the_album_and_nothing_else(bank_folder, tmp_path):
    visits = Visits(AppSettings(str(bank_folder)))
    first, second = visits.enter("page1"), visits.enter("page2")
    assert first.session.album is second.session.album
    first.session.rate("cat.jpg", 5)
    upload(first.session, tmp_path / "sent", "x.jpg")
    assert len(second.session.answers) == 0 and "x.jpg" not in second.session.paths
    views = first.session.views("x.jpg")
    view = views.copy(first.session.paths["x.jpg"])
    assert view.is_relative_to(first.served) and not view.is_relative_to(second.served)
    assert visits.views(views.secret) is views
    assert views.secret != second.session.uploads.views.secret
    visits.close()
    assert not visits.root.exists()


def test_a_reload_finds_its_visit_and_a_visit_ends_when_its_last_page_is_closed(
    bank_folder, tmp_path
):
    visits = Visits(AppSettings(str(bank_folder), grace=0))
    first = visits.enter("page1")
    first.session.rate("cat.jpg", 5)
    upload(first.session, tmp_path / "sent", "x.jpg")
    kept = visits.kept(first)
    assert visits.enter("page2", kept) is first
    visits.leave("page1")
    assert first.folder.exists() and first.ending is None
    visits.leave("page2")
    deadline = time.monotonic() + 30
    left = (first.folder, first.served)
    while any(folder.exists() for folder in left) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(folder.exists() for folder in left)
    assert len(visits) == 0
    later = visits.enter("page3", kept)
    assert later is not first
    assert later.session.answers.ratings == {"cat.jpg": 5}
    visits.close()


def test_a_page_that_nothing_is_heard_of_is_closed(bank_folder, monkeypatch):
    monkeypatch.setattr("aesthetic_tv.app.visits.LOOKED_EVERY", 0.02)
    visits = Visits(AppSettings(str(bank_folder), grace=0))
    visit = visits.enter("page1")
    time.sleep(0.1)
    assert visits.of_page("page1") is visit
    visit.pages["page1"].heard -= 1000
    deadline = time.monotonic() + 30
    while visit.folder.exists() and time.monotonic() < deadline:  # it goes last
        time.sleep(0.01)
    assert visits.of_page("page1") is None and not visit.folder.exists()
    visits.close()


def test_what_was_kept_of_another_album_is_not_taken_for_this_one(bank_folder, photos):
    visits = Visits(AppSettings(str(bank_folder), album=photos[0].parent))
    kept = visits.kept(visits.enter("page1")) | {"album": "samples", "said": {"ratings": {"a": 5}}}
    assert len(visits.enter("page2", kept).session.answers) == 0
    visits.close()


def test_settings_come_from_the_environment_and_are_checked(monkeypatch, tmp_path):
    monkeypatch.setenv("AESTHETIC_TV_BANK", "me/bank")
    monkeypatch.delenv("OAUTH_CLIENT_ID", raising=False)
    assert AppSettings.from_environment() == AppSettings("me/bank")
    assert AppSettings.from_environment(bank="mine").bank == "mine"
    with pytest.raises(SettingError, match="no folder"):
        AppSettings(album=tmp_path / "nowhere")
    with pytest.raises(SettingError, match="max_photos"):
        AppSettings(max_photos=0)
