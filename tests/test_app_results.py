"""What the page shows besides photos, what a person takes home, and what is written here."""

import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from starlette.requests import Request

from aesthetic_tv.app import log_in
from aesthetic_tv.app.words import NOTHING_TO_KEEP
from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.personalization import Personalization
from aesthetic_tv.photo_metadata.stars import read_stars
from app_client import App
from conftest import ALICE
from hub_server import HubServer


@pytest.fixture
def start(start_app):
    """Starts an app on the twelve photos, with a page."""

    def start(**settings) -> App:
        app = start_app(**settings)
        app.entered = app.enter()
        return app

    return start


@pytest.fixture
def app(start) -> App:
    app = start()
    app.settled()
    return app


STARS = {"p00": 5, "p01": 1, "p02": 3, "p03": 4, "p04": 2, "p05": 5, "p06": 1, "p07": 3}


class TestWhy:
    def test_nothing_is_told_before_there_is_a_taste(self, app):
        for path in ("/api/why", "/api/figures", "/api/files"):
            reply = app.get(path).json()
            assert not reply.get("ready") and not reply.get("files")

    def test_each_trait_has_photos_with_most_and_least_of_it(self, app):
        app.rate(**STARS)
        reply = app.get("/api/why").json()
        assert reply["ready"] and len(reply["traits"]) == 3
        sizes = [abs(trait["liking"]) for trait in reply["traits"]]
        assert sizes == sorted(sizes, reverse=True) and sizes[0] <= 1
        for trait in reply["traits"]:
            assert trait["name"].startswith("Task") and "most" in trait["text"]
            assert len(trait["most"]) == len(trait["least"]) == 6
            assert not {*trait["most"]} & {*trait["least"]}
        picture = app.client.get(reply["heat_map"])
        assert Image.open(io.BytesIO(picture.content)).format == "PNG"

    def test_figures_come_with_words_numbers_and_pictures(self, app):
        app.rate(**STARS)
        reply = app.get("/api/figures").json()
        assert reply["ready"] and reply["verdict"] and len(reply["rows"]) > 3
        assert len(reply["pictures"]) == 2  # a curve takes ten ratings
        for picture in reply["pictures"]:
            assert app.client.get(picture["url"]).headers["content-type"] == "image/png"
        _, _, secret, *_ = reply["pictures"][0]["url"].split("/")
        for name in ("../files/ratings.csv", "..%2ffiles%2fratings.csv", "other.png"):
            assert app.client.get(f"/files/{secret}/pictures/{name}").status_code == 404


class TestTakeHome:
    def test_all_files_come_and_the_taste_is_made_when_it_is_asked_for(self, app, tmp_path):
        app.rate(p00=5, p01=1, p02=3)  # too few for the taste to be made by itself
        app.say({"do": "pick", "photo": app.ids["p03.jpg"]})
        app.settled()
        reply = app.get("/api/files").json()
        assert reply["making"] and "my-taste.zip" not in str(reply["files"])
        app.settled()
        reply = app.get("/api/files").json()
        names = ["ratings.csv", "picks.csv", "scores.csv", "my-taste.zip"]
        assert [file["name"] for file in reply["files"]] == names and not reply["making"]
        got = {file["name"]: app.client.get(file["url"]) for file in reply["files"]}
        assert all("attachment" in reply.headers["content-disposition"] for reply in got.values())
        assert got["picks.csv"].text == "photo,pick\np03.jpg,1\n"
        with zipfile.ZipFile(io.BytesIO(got["my-taste.zip"].content)) as file:
            assert "README.txt" in file.namelist()
            file.extractall(tmp_path / "home")
        Personalization.from_pretrained(tmp_path / "home" / "my-taste")

    def test_a_taste_that_cannot_be_made_is_told_and_not_waited_for(self, app, monkeypatch):
        def fails(*_):
            raise PreferenceError("no photo can be read any more.")

        with monkeypatch.context() as patch:
            patch.setattr("aesthetic_tv.app.session.polish", fails)
            app.rate(**STARS)
            app.settled()
            reply = app.get("/api/files").json()
        assert not reply["making"] and "no photo can be read" in reply["text"]
        app.rate(p08=2)
        app.settled()
        assert "my-taste.zip" in str(app.get("/api/files").json()["files"])

    def test_the_best_come_as_a_zip_with_what_lies_beside_them_and_no_reject(self, app, photos):
        app.rate(**STARS)
        best = app.get("/api/ranking").json()["ids"]
        named = {photo: name for name, photo in app.ids.items()}
        app.say({"do": "reject", "photo": best[0]})
        sidecar = photos[0].parent / named[best[1]].replace("jpg", "xmp")
        sidecar.write_text("<x/>")
        url = app.entered["downloads"] + "/best.zip"
        with zipfile.ZipFile(io.BytesIO(app.client.get(f"{url}?count=12").content)) as file:
            assert file.testzip() is None
            names = [name for name in file.namelist() if name.endswith(".jpg")]
            assert names == [named[photo] for photo in best[1:]]
            assert file.read(names[3]) == (photos[0].parent / names[3]).read_bytes()
            assert sidecar.name in file.namelist()
        app.say({"do": "pick", "photo": app.ids["p09.jpg"]})
        with zipfile.ZipFile(io.BytesIO(app.client.get(f"{url}?what=picks").content)) as file:
            assert file.namelist() == ["p09.jpg"]
        for wrong in ("count=0", "count=x", "count=-1", "what=all", "count=1e9"):
            assert app.client.get(f"{url}?{wrong}").status_code == 400

    def test_of_near_duplicates_the_best_one_comes_or_those_that_were_picked(self, start, photos):
        twin = photos[0].with_name("p00 twin.jpg")
        Image.open(photos[0]).save(twin, quality=70)
        app = start()
        app.settled()
        app.rate(**STARS)
        (stack,) = app.get("/api/ranking").json()["stacks"]
        pair = {app.ids[photos[0].name], app.ids[twin.name]}
        assert {*stack} == pair
        url = app.entered["downloads"] + "/best.zip?count=100"

        def kept() -> set[str]:
            with zipfile.ZipFile(io.BytesIO(app.client.get(url).content)) as file:
                return {app.ids[name] for name in file.namelist()}

        assert kept() & pair == {stack[0]} and len(kept()) == 12
        app.say({"do": "pick", "photo": stack[1]})
        assert kept() & pair == {stack[1]}
        app.say({"do": "pick", "photo": stack[0]})
        assert kept() & pair == pair

    def test_raw_and_jpeg_are_one_photo_and_stay_together(self, start, photos):
        photos[0].with_suffix(".NEF").write_bytes(b"raw")
        app = start()
        assert len(app.entered["photos"]) == 12
        assert [x["name"] for x in app.entered["photos"] if x["raw"]] == ["p00.jpg"]
        app.settled()
        app.say({"do": "pick", "photo": app.ids["p00.jpg"]})
        reply = app.client.get(app.entered["downloads"] + "/best.zip?what=picks")
        with zipfile.ZipFile(io.BytesIO(reply.content)) as file:
            assert file.namelist() == ["p00.jpg", "p00.NEF"]

    def test_where_others_look_too_copies_go_into_the_zip(self, start, photos):
        exif = Image.Exif()
        exif[0x010F] = "Maker"
        for photo in photos:
            Image.open(photo).save(photo, exif=exif)
        app = start(local=False, ratings=None)
        app.settled()
        content = app.client.get(app.entered["downloads"] + "/best.zip?count=3").content
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            assert len(file.namelist()) == 3
            for name in file.namelist():
                assert not Image.open(io.BytesIO(file.read(name))).getexif()

    def test_nothing_picked_is_told(self, app):
        reply = app.client.get(app.entered["downloads"] + "/best.zip?what=picks")
        assert reply.status_code == 400 and reply.json()["error"] == NOTHING_TO_KEEP["picks"]


class TestOnThisMachine:
    def test_stars_are_written_after_a_dry_run_and_taken_back(self, app, photos):
        assert app.post("/api/stars", json={}).status_code == 400  # no order yet
        app.rate(**STARS)
        before = {path.name: path.read_bytes() for path in photos}
        plan = app.post("/api/stars", json={"spread": "mine"}).json()
        assert plan["changed"] == len(plan["rows"]) == 12 and not list(
            photos[0].parent.glob("*.xmp")
        )
        assert app.post("/api/stars", json={"write": True, "plan": "other"}).status_code == 409
        plan = app.post("/api/stars", json={"spread": "mine"}).json()
        done = app.post("/api/stars", json={"write": True, "plan": plan["plan"]}).json()
        assert not done["problems"]
        found = {Path(path).name: stars for path, stars in read_stars(photos).ratings.items()}
        assert len(found) == 12
        assert {name: found[f"{name}.jpg"] for name in STARS} == STARS
        assert {path.name: path.read_bytes() for path in photos} == before
        assert app.post("/api/stars/undo", json={"undo": "/etc/passwd"}).status_code == 404
        assert app.post("/api/stars/undo", json={"undo": done["undo"]}).status_code == 200
        assert not read_stars(photos).ratings

    def test_stars_by_shares_and_wrong_shares(self, app):
        app.rate(**STARS)
        plan = app.post("/api/stars", json={"spread": "25,25,0,25,25"}).json()
        assert sorted(row[2] for row in plan["rows"]) == [1] * 3 + [2] * 3 + [4] * 3 + [5] * 3
        for wrong in ({"spread": "1,2"}, {"spread": 5}, {"overwrite": "yes"}):
            assert app.post("/api/stars", json=wrong).status_code == 400

    def test_stars_of_the_photos_are_taken_and_never_over_ones_own(self, start, photos):
        packet = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
            'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
            'xmlns:xmp="http://ns.adobe.com/xap/1.0/" rdf:about="" xmp:Rating="{}"/></rdf:RDF>'
            "</x:xmpmeta>"
        )
        for name, stars in {"p00": 5, "p01": 2, "p02": -1}.items():
            (photos[0].parent / f"{name}.xmp").write_text(packet.format(stars))
        app = start()
        app.rate(p00=3)
        state = app.settled()
        assert state["found_stars"]["count"] == 1
        reply = app.post("/api/use-stars", json={}).json()
        assert reply["state"]["ratings"] == {app.ids["p00.jpg"]: 3, app.ids["p01.jpg"]: 2}
        assert reply["state"]["flags"] == {app.ids["p02.jpg"]: "reject"}
        assert reply["state"]["found_stars"] is None
        assert app.say({"do": "undo"})["ratings"] == {app.ids["p00.jpg"]: 3}

    def test_the_best_are_copied_to_a_folder_beside_the_album(self, app, photos, tmp_path):
        app.rate(**STARS)
        wanted = {"count": 3, "to": "keepers"}
        dry = app.post("/api/best", json=wanted).json()
        assert dry["folder"] == str(tmp_path / "keepers") and not (tmp_path / "keepers").exists()
        done = app.post("/api/best", json=wanted | {"write": True}).json()
        assert not done["problems"]
        copied = {path.name for path in (tmp_path / "keepers").glob("*.jpg")}
        assert copied == {*dry["names"]} and len(copied) == 3
        for wrong in ({"to": ""}, {"to": 5}, {"to": "x", "count": 0}, {"to": "x", "what": "z"},
                      {"to": str(photos[0].parent / "in")}, {"to": "a\0b"}, {}):  # fmt: skip
            reply = app.post("/api/best", json=wrong | {"write": True})
            assert reply.status_code == 400, reply.text
        assert {path.name for path in photos[0].parent.iterdir()} == {p.name for p in photos}

    @pytest.mark.parametrize("settings", [{"local": False}, {"album": None, "ratings": None}])
    def test_nothing_is_written_where_that_is_not_allowed(self, start, settings):
        app = start(**settings)
        for path in ("/api/stars", "/api/stars/undo", "/api/best", "/api/use-stars"):
            reply = app.post(path, json={"to": "x", "write": True, "undo": "x"})
            assert reply.status_code == 403


class TestHub:
    def test_a_taste_is_pushed_as_who_is_logged_in_here(self, app, hub: HubServer, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", ALICE)
        app.rate(p00=5, p01=1, p02=3)
        for wrong in ({"repo": "x"}, {"repo": 5}, {}, {"repo": "a/b", "private": "no"}):
            assert app.post("/api/push", json=wrong).status_code == 400
        reply = app.post("/api/push", json={"repo": "alice/my-taste", "private": True}).json()
        assert hub.model("alice/my-taste").private
        assert 'from_pretrained("alice/my-taste"' in reply["code"] and reply["url"]
        assert "personalization_config.json" in hub.model("alice/my-taste").files()

    def test_visitors_log_in_on_the_page_only_where_it_can_be_done(
        self, start, hub: HubServer, monkeypatch
    ):
        # Off a Space the client's own stand-in logs in whoever is logged in on the machine.
        monkeypatch.delenv("SPACE_ID", raising=False)
        monkeypatch.setenv("HF_TOKEN", ALICE)
        monkeypatch.setattr("huggingface_hub._oauth.whoami", lambda: WHO)
        app = start(hub=True, local=False, ratings=None)
        app.client.base_url = "https://testserver"  # the cookie goes over https alone
        assert app.entered["settings"] | {"hub": True, "signed_in": None} == app.entered["settings"]
        app.rate(p00=5, p01=1, p02=3)
        refused = app.post("/api/push", json={"repo": "alice/my-taste"})
        assert refused.status_code == 400 and "Sign in" in refused.json()["error"]
        assert app.client.get("/login").status_code == 200  # and back on the page
        again = app.enter(app.say()["kept"])
        assert again["settings"]["signed_in"] == "alice"
        assert ALICE not in str(again)
        reply = app.post("/api/push", json={"repo": "alice/my-taste"})
        assert reply.status_code == 200 and ALICE not in reply.text
        app.client.get("/logout")
        assert app.enter()["settings"]["signed_in"] is None

    def test_on_a_space_the_log_in_leads_to_the_hub(self, start, monkeypatch):
        class Provider(BaseHTTPRequestHandler):
            def do_GET(self):
                told = {"issuer": url, "authorization_endpoint": f"{url}/authorize"}
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(told).encode())

            def log_message(self, *_):
                pass

        monkeypatch.setenv("SPACE_ID", "me/personal-aesthetics")
        with HTTPServer(("127.0.0.1", 0), Provider) as provider:
            url = f"http://127.0.0.1:{provider.server_port}"
            threading.Thread(target=provider.serve_forever, daemon=True).start()
            for name, value in {"CLIENT_ID": "the-app", "CLIENT_SECRET": "hidden",
                                "SCOPES": "openid profile contribute-repos"}.items():  # fmt: skip
                monkeypatch.setattr(f"huggingface_hub.constants.OAUTH_{name}", value)
            monkeypatch.setattr("huggingface_hub.constants.OPENID_PROVIDER_URL", url)
            app = start(hub=True, local=False, ratings=None)
            reply = app.client.get("/login", follow_redirects=False)
            reply = app.client.get(reply.headers["location"], follow_redirects=False)
            provider.shutdown()
        leads_to = urlsplit(reply.headers["location"])
        asked = parse_qs(leads_to.query)
        assert reply.headers["location"].startswith(f"{url}/authorize?")
        assert asked["client_id"] == ["the-app"] and "hidden" not in reply.headers["location"]
        assert asked["scope"] == ["openid profile contribute-repos"]
        assert asked["redirect_uri"][0].startswith("http://testserver/oauth/huggingface/callback")

    def test_a_log_in_leads_nowhere_else(self, start, monkeypatch):
        monkeypatch.delenv("SPACE_ID", raising=False)
        monkeypatch.setattr("huggingface_hub._oauth.whoami", lambda: WHO)
        monkeypatch.setenv("HF_TOKEN", ALICE)
        app = start(hub=True, local=False, ratings=None)
        for target in ("https://evil.example", "//evil.example", "/\\evil.example",
                       "https:evil.example", "javascript:1", "\\\\evil.example"):  # fmt: skip
            for step in ("login", "logout", "callback"):
                reply = app.client.get(
                    f"/oauth/huggingface/{step}",
                    params={"_target_url": target},
                    follow_redirects=False,
                )
                assert reply.status_code == 403, (target, step)

    def test_a_cookie_of_another_version_is_nobody(self):
        for session in ({"oauth_info": {"expires_at": "never"}}, {"oauth_info": 5}, {}):
            request = Request({"type": "http", "session": session})
            assert log_in.name_of(request) is None and log_in.token_of(request) is None


WHO = {"type": "user", "fullname": "Alice", "name": "alice", "avatarUrl": "a.png"}
