"""The app's page and server, without a browser."""

import asyncio
import copy
import html
import importlib.util
import os
import re
import socket
import urllib.request

import pytest
from typer.testing import CliRunner

from conftest import make_bank, wait_for_features

gr = pytest.importorskip("gradio")

from aesthetic_tv import cli  # noqa: E402
from aesthetic_tv.app import AppSettings, build, words  # noqa: E402
from aesthetic_tv.app.page import lay_out  # noqa: E402
from aesthetic_tv.app.rating import LISTED, Rating  # noqa: E402
from aesthetic_tv.app.server import NoOtherHosts, _reach_this_machine_directly  # noqa: E402
from aesthetic_tv.app.session import Session  # noqa: E402
from aesthetic_tv.app.visits import Visits  # noqa: E402


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("bank") / "bank"
    make_bank().save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("hub", [True, False])
def test_visitors_log_in_on_the_page_only_where_it_can_be_done(bank, hub, monkeypatch):
    oauth = importlib.import_module("gradio.oauth")
    monkeypatch.setattr(oauth, "get_space", lambda: "me/personal-aesthetics")  # as on a Space
    for name in ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL"):
        monkeypatch.setattr(oauth, name, "http://127.0.0.1:9")
    blocks = build(AppSettings(bank, hub=hub))
    assert any(isinstance(part, gr.LoginButton) for part in blocks.blocks.values()) == hub


def test_nothing_can_be_called_from_elsewhere_and_nothing_is_reported(bank):
    blocks = build(AppSettings(bank))
    assert {call.api_visibility for call in blocks.fns.values() if call.fn} <= {"private"}
    assert not blocks.analytics_enabled


def test_the_album_of_one_app_cannot_have_uploads_beside_it(bank, photos):
    blocks = build(AppSettings(bank, album=photos[0].parent))
    upload = next(part for part in blocks.blocks.values() if part.elem_id == "upload")
    assert not upload.parent.visible


def served(path: str) -> list[dict]:
    """What the server sends for a path."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"served"})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path}
    asyncio.run(NoOtherHosts(app)(scope, None, send))
    return sent


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=https://example.org/a", "/gradio_api/proxy=https://example.org/a"]
)
def test_the_server_fetches_nothing_for_a_page(path):
    assert served(path)[0]["status"] == 403


def test_the_browser_is_told_to_load_from_nowhere_else():
    start, body = served("/")
    policy = dict(start["headers"])[b"content-security-policy"].decode()
    assert start["status"] == 200 and body["body"] == b"served"
    assert "default-src 'self'" in policy and "http" not in policy.replace("https:", "")


def test_without_gradio_the_command_tells_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = CliRunner().invoke(cli.app, ["rate"])
    assert result.exit_code == 2
    assert "pip install 'aesthetic-tv[demo]'" in result.output


def test_a_folder_without_photos_is_told(monkeypatch, tmp_path):
    result = CliRunner().invoke(cli.app, ["rate", str(tmp_path), "--no-browser"])
    assert result.exit_code == 2
    assert "holds no photos" in result.output


def test_a_port_that_is_taken_is_told_with_our_option_before_anything_starts(monkeypatch):
    app = importlib.import_module("aesthetic_tv.app.server")
    monkeypatch.setattr(app, "Visits", None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(cli.app, ["rate", "--no-browser", "--port", port])
    assert result.exit_code == 2
    assert port in result.output and "--port" in result.output
    assert "server_port" not in result.output


def test_this_machine_is_reached_without_the_proxy_and_others_with_it(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    _reach_this_machine_directly()
    assert not urllib.request.getproxies()
    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    _reach_this_machine_directly()
    for host in ("127.0.0.1:7860", "localhost", "example.org"):
        assert urllib.request.proxy_bypass(host)
    assert not urllib.request.proxy_bypass("huggingface.co")
    assert urllib.request.getproxies()["https"] == "http://proxy:3128"


@pytest.mark.parametrize("name", ["<b>.jpg", "a_b_c*.jpg", "[x](javascript:1)", "`x`", "a|b"])
def test_names_cannot_format_the_page(name):
    text = words.as_text(name)
    assert "<" not in text
    assert all(text[i - 1] == "\\" for i, c in enumerate(text) if c in "*_`[]()|")


@pytest.mark.parametrize("name", ["a & 'b' \"c\" #1.jpg", "<b>&amp;.jpg", "a_*[x](y)`|~.jpg"])
def test_a_page_shows_names_as_they_are(name):
    unescaped = re.sub(r"\\([\\`*_{}\[\]()#+!|~])", r"\1", words.as_text(name))
    assert html.unescape(unescaped) == name
    assert not re.search(r"&[^;]*\\", words.as_text(name))  # no entity is broken by Markdown's


def test_after_an_undo_the_verdict_is_on_the_answers_that_are_left(bank):
    visits = Visits(AppSettings(bank))
    with gr.Blocks():
        page = lay_out(visits.settings, visits.end)
    visit, rating = visits.enter("page"), Rating(page, visits)
    wait_for_features(visit.session)
    for stars in (5, 1, 3, 4, 2):
        visit.session.rate(visit.session.next_photo(), stars)
    assert "After 5 rated" in rating._answered(visit, "", "")[page.standing]
    assert "After 4 rated" in rating.undo(visit, "", "")[page.standing]
    for _ in range(4):
        told = rating.undo(visit, "", "")[page.standing]
    assert "After" not in told and told.startswith("0 rated")
    visits.close()


def test_a_page_that_is_opened_copies_nothing_of_the_app(bank):
    blocks = build(AppSettings(bank))
    # Gradio copies its description of the page for each request; what holds a lock cannot be.
    copy.deepcopy(blocks.get_config_file()["components"])


def test_the_page_looks_again_until_it_has_shown_all_photos_that_were_looked_at(bank, monkeypatch):
    visits = Visits(AppSettings(bank))
    with gr.Blocks():
        page = lay_out(visits.settings, visits.end)
    visit, rating = visits.enter("page"), Rating(page, visits)
    for stars in (5, 1, 3):
        visit.session.rate(visit.session.next_photo(), stars)
    wait_for_features(visit.session)
    features = visits.features
    ready, done = features.ready, features.done
    features.ready, features.done = None, 0
    taste = Session.taste

    def taste_while_the_photos_get_ready(session):
        try:
            return taste(session)
        finally:
            features.ready, features.done = ready, done

    monkeypatch.setattr(Session, "taste", taste_while_the_photos_get_ready)
    looks = [rating.tick(visit, '["cat.jpg"]', "", "") for _ in range(3)]
    assert [len(look[page.mine]) for look in looks] == [0, LISTED, LISTED]
    assert [bool(look[page.looking]) for look in looks] == [True, False, False]
    # The second one might still overwrite an answer that crossed it.
    assert [look[page.timer].active for look in looks] == [True, True, False]
    visits.close()
