"""`aesthetic-tv immich` end to end, against a small server that answers as version 3 does."""

import importlib
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.cli.outcome import FAILED, SKIPPED
from aesthetic_tv.immich import connection
from conftest import make_bank
from immich_server import KEY, Fault, ImmichServer

module = importlib.import_module("aesthetic_tv.cli.immich")


def run(*arguments: object, typed: str | None = None):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)
    assert KEY not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def server(photos, monkeypatch):
    """Twelve photos, eight of them with the person's stars."""
    server = ImmichServer()
    for number, path in enumerate(photos):
        rating = 1 + number % 5 if number < 8 else None
        server.add(path.name, path.read_bytes(), rating=rating)
    monkeypatch.setenv("IMMICH_API_KEY", KEY)
    monkeypatch.setenv("IMMICH_URL", server.url)
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.0)
    yield server
    server.close()


@pytest.fixture
def album(server, tmp_path) -> Path:
    assert run("immich", "pull", "--out", tmp_path / "album").exit_code == 0
    return tmp_path / "album"


@pytest.fixture
def scorer(tmp_path) -> Path:
    make_bank().task_scorer("task1").save_pretrained(tmp_path / "scorer")
    return tmp_path / "scorer"


@pytest.fixture
def terminal(monkeypatch):
    """As if somebody sat there."""
    stream = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(module, "sys", SimpleNamespace(stdin=stream, stdout=stream))


def test_from_the_stars_in_immich_to_ratings_there_and_back(server, tmp_path):
    make_bank().save_pretrained(tmp_path / "bank")
    before, album, taste = server.ratings(), tmp_path / "album", tmp_path / "my-taste"
    pulled = run("immich", "pull", "--out", album)
    assert pulled.exit_code == 0, pulled.output
    assert "12 photos in" in pulled.stdout and "8 with your stars" in pulled.stdout
    command = shlex.split(pulled.stdout.strip().splitlines()[-1])
    assert command[:2] == ["aesthetic-tv", "personalize"]
    quick = ("--bank", tmp_path / "bank", "--folds", 0, "--solver", "instant")
    learned = run(*command[1:-1], taste, *quick)
    assert learned.exit_code == 0, learned.output
    arguments = ("immich", "push", album, "--scorer", taste, "--bank", tmp_path / "bank")
    pushed = run(*arguments, "--best", 3, "--yes")
    assert pushed.exit_code == 0, pushed.output
    assert "4 ratings written, 3 photos put into the album" in pushed.stdout
    assert server.ratings()[:8] == before[:8]
    assert all(rating in range(1, 6) for rating in server.ratings())
    assert [album["name"] for album in server.albums.values()] == ["Best by my taste"]
    back = run(*shlex.split(pushed.stdout.strip().splitlines()[-1])[1:])
    assert back.exit_code == 0, back.output
    assert "4 ratings taken back, 3 photos taken out" in back.stdout
    assert server.ratings() == before and server.albums == {}
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


class TestPush:
    def test_nothing_is_written_unless_asked(self, server, album, scorer):
        before = server.ratings()
        for more in ([], ["--dry-run"], ["--dry-run", "--yes"]):
            result = run("immich", "push", album, "--scorer", scorer, *more)
            assert result.exit_code == 0, result.output
            assert "Nothing was written" in result.stdout
            assert "photos keep the rating that you gave them" in result.stdout
        assert server.ratings() == before and server.albums == {}
        assert server.count("PUT|DELETE|POST /api/albums") == 0

    @pytest.mark.parametrize(("answer", "written"), [("y", 4), ("n", 0), ("", 0)])
    def test_on_a_terminal_it_asks(self, server, album, scorer, terminal, answer, written):
        result = run("immich", "push", album, "--scorer", scorer, typed=f"{answer}\n")
        assert "Write this to Immich?" in result.stdout
        assert sum(rating is not None for rating in server.ratings()) == 8 + written

    def test_shares_decide_the_stars(self, server, album, scorer):
        arguments = ("immich", "push", album, "--scorer", scorer, "--best", 0, "--yes")
        result = run(*arguments, "--stars", "25,0,50,0,25", "--overwrite")
        assert result.exit_code == 0, result.output
        assert sorted(server.ratings()) == [1] * 3 + [3] * 6 + [5] * 3
        assert run(*arguments, "--stars", "1,2").exit_code == FAILED

    def test_an_album_alone(self, server, album, scorer):
        before = server.ratings()
        arguments = ("--stars", "none", "--best", 2, "--album", "Yes!", "--yes")
        assert run("immich", "push", album, "--scorer", scorer, *arguments).exit_code == 0
        assert server.ratings() == before
        [made] = server.albums.values()
        assert (made["name"], len(made["assets"])) == ("Yes!", 2)

    def test_photos_that_went_or_cannot_be_read_are_named(self, server, album, scorer):
        del server.photos[list(server.photos)[10]]
        broken, missing = sorted(album.rglob("*.jpg"))[8:10]
        broken.write_bytes(b"")
        missing.unlink()
        result = run("immich", "push", album, "--scorer", scorer, "--yes")
        assert result.exit_code == SKIPPED
        assert "3 photos were skipped" in result.stderr
        for told in ("is empty", "no such file any more", "not in Immich any more"):
            assert told in result.stderr
        assert server.ratings()[8] is None and server.ratings()[10] is not None

    def test_a_folder_that_was_not_pulled(self, server, photos, scorer):
        result = run("immich", "push", photos[0].parent, "--scorer", scorer)
        assert result.exit_code == FAILED and "holds no immich.json" in result.stderr


class TestKey:
    def test_it_is_typed_where_the_environment_has_none(
        self, server, tmp_path, terminal, monkeypatch
    ):
        monkeypatch.delenv("IMMICH_API_KEY")
        result = run("immich", "pull", "--out", tmp_path / "album", typed=f"{KEY}\n")
        assert result.exit_code == 0, result.output
        assert f"API key for {server.url} (not shown)" in result.stdout

    def test_it_is_no_option(self, server, tmp_path):
        for name in ("--key", "--api-key"):
            assert run("immich", "pull", "--out", tmp_path / "a", name, "x").exit_code == FAILED

    def test_without_one_and_without_a_terminal_nothing_is_asked(
        self, server, tmp_path, monkeypatch
    ):
        monkeypatch.delenv("IMMICH_API_KEY")
        result = run("immich", "pull", "--out", tmp_path / "album")
        assert result.exit_code == FAILED and "IMMICH_API_KEY" in result.stderr
        monkeypatch.delenv("IMMICH_URL")
        result = run("immich", "pull", "--out", tmp_path / "album")
        assert result.exit_code == FAILED and "--url" in result.stderr
        assert server.log == []

    def test_it_goes_to_no_address_that_only_a_file_names(self, server, album, scorer, monkeypatch):
        monkeypatch.delenv("IMMICH_URL")
        server.log.clear()
        result = run("immich", "push", album, "--scorer", scorer)
        assert result.exit_code == FAILED and "Your key was not sent" in result.stderr
        assert server.log == []

    def test_a_person_may_say_that_the_address_in_the_files_is_right(
        self, server, album, scorer, terminal, monkeypatch
    ):
        monkeypatch.delenv("IMMICH_URL")
        arguments = ("immich", "push", album, "--scorer", scorer, "--dry-run")
        assert run(*arguments, typed="n\n").exit_code == FAILED
        assert run(*arguments, typed="y\n").exit_code == 0

    @pytest.mark.parametrize(
        ("place", "open_to_all"),
        [("http://photos.example.org", True), ("http://93.184.216.34:2283", True),
         ("http://192.168.1.5:2283", False), ("http://localhost:2283", False),
         ("http://nas.local", False), ("http://[::1]:2283", False),
         ("https://photos.example.org", False)],
    )  # fmt: skip
    def test_an_address_where_it_could_be_read_on_the_way_is_warned_of(self, place, open_to_all):
        assert module._is_open(place) is open_to_all


def test_failures_end_with_a_line(server, tmp_path, monkeypatch):
    pull = ("immich", "pull", "--out", tmp_path / "album")
    server.faults = [Fault("search", 302, headers={"Location": "https://login.example/x?y"})]
    result = run(*pull)
    assert result.exit_code == FAILED and "https://login.example," in result.stderr
    server.faults, server.version = [], (2, 5, 0)
    assert "2.5.0" in run(*pull).stderr
    monkeypatch.setenv("IMMICH_API_KEY", "wrong")
    server.version = (3, 0, 0)
    result = run(*pull)
    assert result.exit_code == FAILED and result.stderr.startswith("Error: ")
    assert not (tmp_path / "album").exists()


def test_nothing_rated_leads_to_rating(server, tmp_path):
    for photo in server.photos.values():
        photo.rating = None
    result = run("immich", "pull", "--out", tmp_path / "album")
    assert result.stdout.strip().splitlines()[-1].split()[:2] == ["aesthetic-tv", "rate"]
