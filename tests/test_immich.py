"""Immich, against a small server that answers as version 3 is documented: no real one was run."""

import csv
import io
import json
import logging
import traceback
from pathlib import Path

import pytest

from aesthetic_tv.errors import (
    AestheticTVError,
    FormatError,
    ImmichAccessError,
    ImmichError,
    ImmichRefusedError,
    ImmichUnreachableError,
    OutputError,
    SettingError,
)
from aesthetic_tv.files import write_json
from aesthetic_tv.immich import client as client_module
from aesthetic_tv.immich import feedback, plan
from aesthetic_tv.immich.client import Immich
from aesthetic_tv.immich.connection import ATTEMPTS, Connection, checked_url
from aesthetic_tv.immich.library import pull
from aesthetic_tv.immich.manifest import MANIFEST, Manifest
from aesthetic_tv.immich.undo import Undo
from immich_server import ALICE, BOB, KEY, Fault, ImmichServer, jpeg
from mutations import OTHER_VALUES


@pytest.fixture
def server():
    server = ImmichServer()
    yield server
    server.close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def immich(server, pauses):
    with Immich(Connection(server.url, KEY, pause=pauses.append)) as immich:
        yield immich


@pytest.fixture
def filled(server):
    """Six photos: two with stars, one rejected, one with a heart, two with nothing."""
    for number, rating in enumerate((5, 2, -1, None, None, None)):
        server.add(f"IMG_{number}.jpg", rating=rating, favourite=number == 3)
    return server


@pytest.fixture
def album(filled, immich, tmp_path) -> Path:
    pull(immich, tmp_path / "album")
    return tmp_path / "album"


@pytest.fixture(autouse=True)
def key_is_in_no_file(tmp_path):
    yield
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def _mutated(shape):
    """An answer with each of its values, on every level, replaced by each of many others."""
    yield from OTHER_VALUES
    items = shape.items() if isinstance(shape, dict) else enumerate(shape)
    for key, value in items if isinstance(shape, dict | list) else ():
        for other in _mutated(value) if isinstance(value, dict | list) else OTHER_VALUES:
            if isinstance(shape, dict):
                yield shape | {key: other}
            else:
                yield [*shape[:key], other, *shape[key + 1 :]]


def table(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        return dict(list(csv.reader(file))[1:])


def failure(work, kind=AestheticTVError, pattern: str | None = None) -> str:
    """What an error says, which has the key nowhere, its causes included."""
    with pytest.raises(kind, match=pattern) as caught:
        work()
    whole = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY not in whole
    return str(caught.value)


class TestConnection:
    @pytest.mark.parametrize(
        ("given", "meant"),
        [
            ("http://photos:2283", "http://photos:2283"),
            (" https://Photos.example/api/ ", "https://photos.example"),
            ("https://example.org/photos/", "https://example.org/photos"),
            ("http://[fd00::1]:2283", "http://[fd00::1]:2283"),
        ],
    )
    def test_addresses_are_taken_as_people_have_them(self, given, meant):
        assert checked_url(given) == meant

    @pytest.mark.parametrize(
        "given",
        ["photos:2283", "", "ftp://photos", "http://", "http://a:b", "http://me:secret@photos",
         "http://photos?x-api-key=secret", "http://photos#secret", "http://[", "http://a\nb"],
    )  # fmt: skip
    def test_what_is_no_address_is_refused_and_a_password_in_it_not_shown(self, given):
        assert "secret" not in failure(lambda: checked_url(given), SettingError)

    @pytest.mark.parametrize("tail", [" more", "\r\nX-Other: 1", "\u00e4", "\x00"])
    def test_a_key_with_other_signs_is_refused_and_not_shown(self, server, tail):
        failure(lambda: Connection(server.url, KEY + tail), SettingError, "no key has")
        failure(lambda: Connection(server.url, "  "), SettingError, "empty")

    def test_the_key_is_in_no_text_of_it_and_in_no_log(self, server, caplog):
        with caplog.at_level(logging.DEBUG), Immich(Connection(server.url, f" {KEY}\n")) as immich:
            assert KEY not in repr(immich.connection)
            list(immich.photos())
        assert caplog.records and KEY not in caplog.text

    def test_a_wrong_key_is_told(self, server):
        message = failure(
            lambda: Immich(Connection(server.url, "wrong")), ImmichAccessError, "Invalid API key"
        )
        assert "API keys" in message and server.url in message

    def test_a_missing_permission_is_named(self, filled, immich, tmp_path):
        filled.permissions -= {"asset.view"}
        failure(lambda: pull(immich, tmp_path / "a"), ImmichAccessError, "permission asset.view")
        filled.permissions -= {"user.read"}
        failure(
            lambda: Immich(Connection(filled.url, KEY)), ImmichAccessError, "permission user.read"
        )

    def test_what_is_no_immich_gets_no_key(self, server):
        def open_it():
            return Immich(Connection(server.url, KEY, pause=lambda _: None))

        html = {"Content-Type": "text/html"}
        for fault, told in (
            (Fault("version", 404, body=b"<h1>not here</h1>"), "there is no Immich at"),
            (Fault("version", 200, body=b"<h1>router</h1>", headers=html), "text/html"),
            (Fault("version", 200, body=b'{"version": "3"}'), "there is no Immich at"),
            (Fault("version", 200, body=b"[" * 100_000), "not what an Immich sends"),
            (Fault("version", 500), "itself fails"),
        ):
            server.faults = [fault]
            failure(open_it, ImmichError, told)
        assert set(server.keys) == {None}

    @pytest.mark.parametrize(
        ("version", "told"), [((2, 7, 5), "Upgrade the server"), ((4, 0, 0), "pip install -U")]
    )
    def test_versions_of_another_api_get_no_key(self, server, version, told):
        server.version = version
        message = failure(lambda: Immich(Connection(server.url, KEY)), ImmichError, told)
        assert ".".join(map(str, version)) in message
        assert set(server.keys) == {None}

    def test_a_server_that_is_away(self, server, pauses):
        server.close()
        connection = Connection(server.url, KEY, pause=pauses.append)
        failure(lambda: Immich(connection), ImmichUnreachableError, "cannot be reached")
        assert len(pauses) == ATTEMPTS - 1

    def test_a_redirect_is_not_followed_and_the_key_stays(self, server, immich):
        other = ImmichServer()
        server.faults = [Fault("search", 307, headers={"Location": f"{other.url}/api/search"})]
        message = failure(lambda: list(immich.photos()), ImmichError, "sends on to")
        assert other.url in message and other.log == []
        other.close()

    def test_a_busy_server_is_asked_again_when_it_says(self, filled, immich, pauses):
        filled.faults = [Fault("search", 429, times=1, headers={"Retry-After": "7"}),
                         Fault("search", 503, times=1)]  # fmt: skip
        assert len(list(immich.photos())) == 6
        assert pauses == [7.0, 1.0]

    def test_a_server_that_stays_busy_is_an_error(self, filled, immich, pauses):
        filled.faults = [Fault("search", 429, headers={"Retry-After": "nan"})]
        failure(lambda: list(immich.photos()), ImmichError, "too many requests")
        assert filled.count("search") == ATTEMPTS and len(pauses) == ATTEMPTS - 1

    def test_what_may_not_be_sent_twice_is_not(self, server, immich):
        for kind in (503, "drop"):
            server.faults, server.log = [Fault("POST /api/albums", kind)], []
            failure(lambda: immich.create_album("Best", ""), ImmichError)
            assert server.count("albums") == 1

    def test_what_a_server_says_is_shown_on_a_line_and_without_the_key(self, server, immich):
        said = {"message": [f"{KEY}\x1b[31m\nhere", "x" * 5000]}
        server.faults = [Fault("albums", 400, body=json.dumps(said).encode())]
        message = failure(immich.albums, ImmichRefusedError, "(the key)")
        assert message.isprintable() and len(message) < 400


class TestClient:
    def test_all_pages_are_read_and_nothing_comes_twice(self, server, immich, monkeypatch):
        monkeypatch.setattr(client_module, "PAGE", 4)
        photos = [server.add(f"{n}.jpg") for n in range(11)]
        found = immich.photos()
        first = next(found)
        new = server.add("new.jpg")
        server.photos = {new.id: new, **server.photos}  # pushes the fourth to page 2
        ids = [first.id, *(photo.id for photo in found)]
        assert ids == [photo.id for photo in photos]
        assert server.count("search") == 3

    def test_pages_that_go_in_a_circle_end(self, filled, immich):
        page = {"assets": {"items": [], "nextPage": "1"}}
        filled.faults = [Fault("search", 200, body=json.dumps(page).encode())]
        failure(lambda: list(immich.photos()), ImmichError, "after page 1 of a search comes 1")

    def test_photos_of_others_and_archived_ones_are_left_out(self, server, immich):
        mine = server.add("mine.jpg")
        server.add("partner.jpg", owner=BOB, rating=5)
        archived = server.add("archived.jpg", visibility="archive")
        server.add("trash.jpg", trashed=True)
        assert [photo.id for photo in immich.photos()] == [mine.id]
        album = server.make_album("All", server.photos)
        assert [photo.id for photo in immich.photos(album=album)] == [mine.id, archived.id]

    @pytest.mark.parametrize(
        "change",
        [{"id": "../../api/users"}, {"ownerId": None}, {"id": 7}, {"exifInfo": "none"}],
    )
    def test_photos_of_another_shape_are_refused(self, server, immich, change):
        told = server.add("a.jpg").told(True) | change
        page = {"assets": {"items": [told], "nextPage": None}}
        server.faults = [Fault("search", 200, body=json.dumps(page).encode())]
        failure(lambda: list(immich.photos()), ImmichError, "otherwise than Immich 3")

    def test_whatever_stands_in_an_answer_it_is_an_error_of_ours_or_none(self, server):
        photo = server.add("a.jpg").told(True)
        user = {"role": "owner", "user": {"id": ALICE}}
        shapes = {
            "search": {"assets": {"items": [photo], "nextPage": None}},
            "albums": [{"id": photo["id"], "albumName": "a", "albumUsers": [user]}],
            f"assets/{photo['id']}": photo,
            "me": {"id": ALICE},
            "version": {"major": 3, "minor": 0, "patch": 0},
        }

        class Said(Connection):
            """Answers without a server."""

            def ask(self, method, path, *args, **kwargs):
                [answer] = [x for name, x in (shapes | changed).items() if path.endswith(name)
                            or path.startswith(name)]  # fmt: skip
                return answer

        count, said = 0, Said(server.url, KEY)
        for name, shape in shapes.items():
            for other in _mutated(shape):
                changed, count = {name: other}, count + 1
                try:
                    immich = Immich(said)
                    list(immich.photos()), immich.albums(), immich.photo(photo["id"])
                except ImmichError:
                    continue
        assert count > 500

    def test_ratings_that_immich_refuses_are_never_sent(self, filled, immich):
        photo = next(iter(filled.photos))
        for rating in (0, 6, 2.5):
            failure(lambda rating=rating: immich.rate([photo], rating), SettingError)
        assert filled.count("PUT") == 0
        # What the server would say.
        body = {"ids": [photo], "rating": 0}
        with pytest.raises(ImmichRefusedError, match=r"Validation failed; Must be -1"):
            immich.connection.ask("PUT", "assets", body)


class TestPull:
    def test_photos_stars_and_hearts_arrive(self, filled, album):
        names = {photo.name: f"2024-05/{photo.name[:-4]}" for photo in filled.photos.values()}
        files = sorted(path.relative_to(album).as_posix() for path in album.rglob("*.jpg"))
        assert len(files) == 6
        assert all(any(f.startswith(n) for f in files) for n in names.values())
        stars = table(album / "ratings.csv")
        assert sorted(stars.values()) == ["2", "5"]
        assert sorted(table(album / "picks.csv").values()) == ["-1", "1"]
        assert all((album / name).is_file() for name in stars)
        entries = Manifest.load(album).photos
        for name, entry in entries.items():
            photo = filled.photos[entry.asset]
            assert (album / name).read_bytes() == photo.preview
            assert entry.checksum == photo.checksum
        assert filled.url in (album / MANIFEST).read_text()

    def test_nothing_is_fetched_twice(self, filled, immich, album):
        fetched = filled.count("thumbnail")
        again = pull(immich, album)
        assert (again.photos, again.fetched) == (6, 0)
        assert filled.count("thumbnail") == fetched == 6

    def test_an_interrupted_run_goes_on(self, filled, immich, tmp_path):
        last = list(filled.photos)[4]
        filled.faults = [Fault(last, "drop", times=ATTEMPTS)]
        failure(lambda: pull(immich, tmp_path / "album"), ImmichUnreachableError, "goes on")
        assert len(list(tmp_path.rglob("*.jpg"))) == 4
        assert pull(immich, tmp_path / "album").fetched == 2
        assert [filled.count(f"{asset}/thumb") for asset in filled.photos] == [1] * 4 + [5, 1]

    def test_a_run_that_was_killed_goes_on(self, filled, immich, album):
        Manifest(immich.url, immich.account.id).save(album)  # as it was before the first photo
        assert pull(immich, album).fetched == 0
        assert len(Manifest.load(album).photos) == 6

    def test_a_download_that_breaks_off_is_begun_again(self, filled, immich, tmp_path):
        filled.faults = [Fault("thumbnail", "drop", times=2)]
        pull(immich, tmp_path / "album")
        photos = {photo.preview for photo in filled.photos.values()}
        assert {path.read_bytes() for path in tmp_path.rglob("*.jpg")} == photos

    @pytest.mark.parametrize(
        "name",
        ["../../x.jpg", "/etc/passwd.jpg", "..\\..\\x.jpg", "C:\\x.jpg", ".hidden.jpg", "..", "",
         "a\x00b\n.jpg", "con.jpg", "\u202egpj.exe",
         "x" * 300 + ".jpg", "\u00e9" * 200, "\ud800.jpg"],
    )  # fmt: skip
    def test_whatever_a_file_is_called_it_stays_in_the_folder(self, server, immich, tmp_path, name):
        server.add(name)
        pull(immich, tmp_path / "in" / "album")
        [path] = tmp_path.rglob("*.jpg")
        assert path.parent == tmp_path / "in" / "album" / "2024-05"
        assert path.name.isprintable() and not path.name.startswith(".")
        assert not {*'\\/:*?"<>|'} & {*path.name}  # which Windows takes for more than a name
        assert len(path.name.encode()) < 120

    def test_photos_of_one_name_and_moment_all_arrive(self, server, immich, tmp_path):
        for number in range(3):
            server.add("IMG_1.jpg", jpeg(number), rating=number + 1)
        pull(immich, tmp_path / "album")
        assert sorted(table(tmp_path / "album" / "ratings.csv").values()) == ["1", "2", "3"]

    def test_photos_that_went_meanwhile_or_have_no_preview_are_named(
        self, filled, immich, tmp_path
    ):
        filled.add("late.jpg").preview = None
        body = json.dumps({"message": "Not found or no asset.view access"}).encode()
        filled.faults = [Fault(f"{next(iter(filled.photos))}/thumb", 400, body=body)]
        done = pull(immich, tmp_path / "album")
        assert done.photos == 5 and {*done.skipped} == {"IMG_0.jpg", "late.jpg"}
        assert "no asset.view access" in done.skipped["IMG_0.jpg"]
        assert len(list(tmp_path.rglob("*.jpg"))) == 5

    def test_a_preview_that_is_damaged_is_named_and_asked_for_again(
        self, filled, immich, tmp_path, monkeypatch
    ):
        photos = list(filled.photos.values())
        heads = {"Content-Type": "image/jpeg"}
        filled.faults = [
            Fault(photos[0].id, 200, times=1, body=photos[0].preview[:500], headers=heads),
            Fault(photos[1].id, 200, times=1, body=b"", headers=heads),
            Fault(photos[2].id, 200, times=1, body=b"x", headers={"Content-Type": "image/x-odd"}),
        ]
        done = pull(immich, tmp_path / "album")
        assert {*done.skipped} == {"IMG_0.jpg", "IMG_1.jpg", "IMG_2.jpg"}
        assert pull(immich, tmp_path / "album").fetched == 3
        monkeypatch.setattr(client_module, "MOST_PREVIEW", 100)
        failure(lambda: pull(immich, tmp_path / "b"), ImmichError, "more than 0 MiB")

    def test_a_page_to_log_in_is_no_photo(self, filled, immich, tmp_path):
        page = Fault("thumb", 200, body=b"<h1>log in</h1>", headers={"Content-Type": "text/html"})
        filled.faults = [page]
        failure(lambda: pull(immich, tmp_path / "album"), ImmichError, "page to log in")
        assert not list(tmp_path.rglob("*.jpg"))

    def test_originals_are_compared_with_their_hash(self, filled, immich, album):
        photos = list(filled.photos.values())
        filled.faults = [
            Fault(f"{photos[0].id}/original", 200, body=b"damaged",
                  headers={"Content-Type": "image/jpeg"})
        ]  # fmt: skip
        filled.add("film.exe")
        done = pull(immich, album, originals=True)
        assert "arrived damaged" in done.skipped["IMG_0.jpg"]
        assert ".exe" in done.skipped["film.exe"]
        assert done.photos == 5
        # In place of the previews; the one that failed is still there.
        assert (
            len(list(album.rglob("*_original.jpg"))) == 5 and len(list(album.rglob("*.jpg"))) == 6
        )
        assert len(table(album / "ratings.csv")) == 2

    def test_one_album_hearts_and_the_newest_can_be_asked_for(self, filled, immich, tmp_path):
        ids = list(filled.photos)
        filled.make_album("Summer 2024", ids[2:5])
        assert pull(immich, tmp_path / "a", album="Summer 2024").photos == 3
        assert pull(immich, tmp_path / "b", favourites=True).photos == 1
        assert pull(immich, tmp_path / "c", limit=2).photos == 2
        failure(
            lambda: pull(immich, tmp_path / "d", album="Sumer 2024"),
            SettingError, "did you mean 'Summer 2024'",
        )  # fmt: skip
        filled.make_album("Summer 2024")
        failure(lambda: pull(immich, tmp_path / "d", album="Summer 2024"), SettingError, "its id")

    def test_a_folder_with_something_else_is_left_alone(self, filled, immich, tmp_path):
        (tmp_path / "letters.txt").write_text("mine")
        failure(lambda: pull(immich, tmp_path), OutputError, "left alone")
        assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]

    def test_an_album_of_another_user_is_left_alone(self, immich, album):
        manifest = Manifest.load(album)
        manifest.user = BOB
        manifest.save(album)
        before = (album / MANIFEST).read_bytes()
        failure(lambda: pull(immich, album), OutputError, "another user")
        assert (album / MANIFEST).read_bytes() == before

    def test_ratings_that_the_person_wrote_meanwhile_stay(self, filled, immich, album):
        (album / "ratings.csv").write_text("photo,rating\nmine.jpg,4\n")
        next(iter(filled.photos.values())).rating = 1
        done = pull(immich, album)
        assert (album / "ratings.csv").read_text() == "photo,rating\nmine.jpg,4\n"
        assert done.beside == {"ratings.csv": album / "immich-ratings.csv"}
        assert sorted(table(album / "immich-ratings.csv").values()) == ["1", "2"]

    def test_a_full_disk_leaves_nothing_half(self, filled, immich, tmp_path, monkeypatch):
        monkeypatch.setattr(Path, "write_bytes", _full_after(2, Path.write_bytes))
        failure(lambda: pull(immich, tmp_path / "album"), OutputError, "No space left")
        monkeypatch.undo()
        assert len(list(tmp_path.rglob("*.jpg"))) == 2
        assert not list(tmp_path.rglob("*.tmp"))
        assert pull(immich, tmp_path / "album").fetched == 4

    @pytest.mark.parametrize(
        "change",
        [{"photos": {"../x.jpg": {}}}, {"photos": {"a": {"asset": "x"}}}, {"user": "me"},
         {"server": "http://a:b@c"}, {"photos": []}],
    )  # fmt: skip
    def test_a_manifest_that_was_tampered_with_is_refused(self, album, change):
        told = json.loads((album / MANIFEST).read_text()) | change
        write_json(album / MANIFEST, told)
        with pytest.raises(FormatError):
            Manifest.load(album)


def _full_after(times: int, write):
    left = iter(range(times))

    def writing(self, data):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        return write(self, data)

    return writing


def everything(immich, album: Path, stars: int = 3, overwrite: bool = False, best: int = 0):
    """A plan that gives all photos the same stars, best first in the order of their names."""
    manifest = Manifest.load(album)
    names = sorted(manifest.photos)
    now = plan.states(immich, manifest, names)
    meant = plan.plan_ratings(manifest, dict.fromkeys(names, stars), now, overwrite=overwrite)
    scores = {name: -float(place) for place, name in enumerate(names)}
    if best:
        chosen = plan.best_photos(scores, now, best)
        meant = plan.with_album(immich, meant, "Best", chosen)
    return manifest, meant


class TestFeedback:
    def test_a_plan_changes_nothing_and_leaves_the_persons_ratings(self, filled, immich, album):
        before = filled.ratings()
        _, meant = everything(immich, album, best=2)
        assert len(meant.changes) == 3 and sorted(meant.kept.values()) == [-1, 2, 5]
        assert filled.ratings() == before and filled.albums == {}
        assert filled.count("PUT|DELETE") == 0

    def test_ratings_are_written_and_taken_back(self, filled, immich, album):
        sent = feedback.send(immich, album, *everything(immich, album))
        assert filled.ratings() == [5, 2, -1, 3, 3, 3] and sent.rated == 3
        back = feedback.take_back(immich, sent.undo)
        assert filled.ratings() == [5, 2, -1, None, None, None] and back.rated == 3
        assert feedback.take_back(immich, sent.undo).rated == 0

    def test_the_persons_own_are_changed_when_asked_and_come_back(self, filled, immich, album):
        sent = feedback.send(immich, album, *everything(immich, album, overwrite=True))
        assert filled.ratings() == [3] * 6
        pull(immich, album)  # they are still what a taste is learned from
        assert sorted(table(album / "ratings.csv").values()) == ["2", "5"]
        feedback.take_back(immich, sent.undo)
        assert filled.ratings() == [5, 2, -1, None, None, None]

    def test_what_was_given_is_not_the_persons_own_and_can_be_brought_up_to_date(
        self, filled, immich, album
    ):
        feedback.send(immich, album, *everything(immich, album, stars=4))
        pull(immich, album)
        assert len(table(album / "ratings.csv")) == 2
        list(filled.photos.values())[4].rating = 1  # the person does not agree
        manifest, meant = everything(immich, album, stars=5)
        assert len(meant.changes) == 2 and all(change.ours for change in meant.changes)
        sent = feedback.send(immich, album, manifest, meant)
        assert filled.ratings() == [5, 2, -1, 5, 1, 5]
        pull(immich, album)
        assert sorted(table(album / "ratings.csv").values()) == ["1", "2", "5"]
        feedback.take_back(immich, sent.undo)
        assert filled.ratings() == [5, 2, -1, 4, 1, 4]
        pull(immich, album)
        assert len(table(album / "ratings.csv")) == 3

    def test_what_the_person_changed_since_is_not_taken_back(self, filled, immich, album):
        sent = feedback.send(immich, album, *everything(immich, album))
        list(filled.photos.values())[3].rating = 5
        assert feedback.take_back(immich, sent.undo).rated == 2
        assert filled.ratings() == [5, 2, -1, 5, None, None]

    def test_one_photo_that_is_refused_does_not_stop_its_batch(self, server, immich, tmp_path):
        for number in range(40):
            server.add(f"{number}.jpg", visibility="timeline")
        pull(immich, tmp_path / "album")
        manifest, meant = everything(immich, tmp_path / "album", stars=2)
        lost = [change for change in meant.changes if change.photo.startswith("2024-05/7_")]
        del server.photos[lost[0].asset]  # between the look and the writing
        server.log.clear()
        sent = feedback.send(immich, tmp_path / "album", manifest, meant)
        assert {*sent.refused} == {lost[0].photo} and sent.rated == 39
        assert "no asset.update access" in sent.refused[lost[0].photo]
        assert server.ratings() == [2] * 39
        assert server.count("PUT") < 16
        assert Manifest.load(tmp_path / "album").photos[lost[0].photo].pushed == []

    def test_photos_that_went_or_lie_in_the_trash_are_named(self, filled, immich, album):
        photos = list(filled.photos.values())
        photos[3].trashed = True
        photos[4].owner = BOB
        del filled.photos[photos[5].id]
        _, meant = everything(immich, album)
        assert len(meant.gone) == 3 and meant.changes == ()
        told = " ".join(meant.gone.values())
        assert "trash" in told and "not in Immich any more" in told

    def test_a_push_that_is_cut_off_can_be_undone(self, filled, immich, album, monkeypatch):
        monkeypatch.setattr(feedback, "BATCH", 2)
        manifest, meant = everything(immich, album)
        keys = iter([None])

        def once(assets, rating, send=immich.rate):
            if next(keys, "cut") == "cut":
                raise ImmichUnreachableError("cut off")
            send(assets, rating)

        monkeypatch.setattr(immich, "rate", once)
        with pytest.raises(ImmichUnreachableError):
            feedback.send(immich, album, manifest, meant)
        monkeypatch.undo()
        assert filled.ratings().count(3) == 2
        pull(immich, album)
        assert len(table(album / "ratings.csv")) == 2
        [undo] = album.glob("immich-undo-*.json")
        assert feedback.take_back(immich, undo).rated == 2
        assert filled.ratings() == [5, 2, -1, None, None, None]

    def test_without_the_permission_nothing_changes(self, filled, immich, album):
        filled.permissions -= {"asset.update"}
        manifest, meant = everything(immich, album)
        failure(
            lambda: feedback.send(immich, album, manifest, meant),
            ImmichAccessError, "permission asset.update",
        )  # fmt: skip
        assert filled.ratings() == [5, 2, -1, None, None, None]

    def test_nothing_is_sent_where_the_undo_file_cannot_be_written(
        self, filled, immich, album, monkeypatch
    ):
        manifest, meant = everything(immich, album)
        monkeypatch.setattr(feedback, "new_name", lambda folder: album / "ratings.csv" / "no")
        failure(lambda: feedback.send(immich, album, manifest, meant), OutputError)
        assert filled.count("PUT") == 0

    def test_the_best_go_to_an_album_of_their_own_and_out_again(self, filled, immich, album):
        sent = feedback.send(immich, album, *everything(immich, album, best=3))
        [best] = filled.albums.values()
        photos = list(filled.photos)
        assert best["name"] == "Best" and best["assets"] == [photos[0], photos[1], photos[3]]
        assert sent.in_album == 3  # and not the rejected one
        assert everything(immich, album, best=3)[1].empty
        assert feedback.take_back(immich, sent.undo).in_album == 3
        assert filled.albums == {}

    def test_an_album_that_is_there_is_added_to_and_stays(self, filled, immich, album):
        photos = list(filled.photos)
        filled.make_album("Best", photos[:1])
        filled.make_album("Best", owner=BOB)  # shared with her
        sent = feedback.send(immich, album, *everything(immich, album, best=3))
        assert sent.in_album == 2
        feedback.take_back(immich, sent.undo)
        assert [a["assets"] for a in filled.albums.values()] == [photos[:1], []]

    def test_an_album_that_the_person_went_on_with_stays(self, filled, immich, album):
        sent = feedback.send(immich, album, *everything(immich, album, best=2))
        [best] = filled.albums.values()
        best["assets"].append("of the person")
        feedback.take_back(immich, sent.undo)
        assert best["assets"] == ["of the person"] and len(filled.albums) == 1

    def test_undo_files_that_are_none_or_of_another_user_are_refused(self, immich, album):
        failure(lambda: Undo.load(album / MANIFEST), FormatError, "no undo file")
        failure(lambda: Undo.load(album / "nowhere.json"), FormatError)
        Undo(immich.url, BOB).save(album / "u.json")
        failure(lambda: feedback.take_back(immich, album / "u.json"), OutputError, "another user")

    def test_stars_out_of_range_are_refused_before_anything_is_sent(self, filled, immich, album):
        for stars in (0, 6, -1):
            failure(lambda stars=stars: everything(immich, album, stars=stars), SettingError)
        assert filled.count("PUT") == 0


def test_previews_are_asked_for_as_edited_and_original_ones_for_their_hash(filled, immich):
    photo = next(iter(filled.photos))
    immich.preview(photo, io.BytesIO())
    immich.original(photo, io.BytesIO())
    assert filled.log[-2:] == [
        f"GET /api/assets/{photo}/thumbnail?size=preview&edited=true",
        f"GET /api/assets/{photo}/original",
    ]
