"""What the page asks the app for while photos are rated, and what the app refuses."""

import importlib
import io
import os
import socket
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from aesthetic_tv import cli
from aesthetic_tv.app import answers_on_disk
from aesthetic_tv.app.incoming import LONGEST_JSON, MOST_FILES
from aesthetic_tv.app.pages import WEB
from aesthetic_tv.app.server import _reach_this_machine_directly
from aesthetic_tv.errors import OutputError
from aesthetic_tv.personalization.ratings_file import read_ratings
from app_client import SERVER, App, files, jpeg


@pytest.fixture
def start(start_app):
    return start_app


@pytest.fixture
def app(start) -> App:
    app = start()
    app.entered = app.enter()
    return app


class TestEnter:
    def test_a_page_is_told_all_that_it_shows_first(self, app, tmp_path):
        entered = app.entered
        assert entered["album"]["name"] == "photos" and not entered["album"]["samples"]
        assert entered["album"]["ratings_file"] == str(tmp_path / "photos.ratings.csv")
        assert entered["settings"]["local"] and not entered["settings"]["uploads"]
        assert len(entered["photos"]) == entered["album"]["total"] == 12
        assert len(entered["state"]["ahead"]) == 12 and entered["state"]["done_seq"] == 0
        assert entered["state"]["standing"]["level"] == "none"
        key = app.client.get("/api/album").json()["storage_key"]
        assert key == entered["album"]["storage_key"]

    def test_photos_are_called_the_same_at_every_start(self, start, app):
        again = start()
        again.enter()
        assert again.ids == app.ids

    def test_what_is_known_of_photos_comes_when_it_was_found_out(self, app):
        state = app.settled()
        assert state["facts"] > app.entered["state"]["facts"] - 1
        photos = app.get("/api/photos").json()["photos"]
        assert {(photo["width"], photo["height"]) for photo in photos} == {(64, 48)}

    @pytest.mark.parametrize("kept", [None, 3, "x", [], {"album": "else"}, {"said": 1}])
    def test_what_a_browser_cannot_have_kept_is_passed_over(self, start, kept):
        assert start().enter(kept)["state"]["ratings"] == {}

    def test_a_reload_and_another_browser_go_on_with_one_record(self, start, app, tmp_path):
        app.rate(p00=5, p01=1)
        app.say({"do": "pick", "photo": app.ids["p02.jpg"]})
        other = start()  # as another port
        state = other.enter()["state"]  # as another browser: nothing is kept there
        assert state["ratings"] == {app.ids["p00.jpg"]: 5, app.ids["p01.jpg"]: 1}
        assert state["flags"] == {app.ids["p02.jpg"]: "pick"}
        other.rate(p03=4)
        app.rate(p04=2)
        found = read_ratings(tmp_path / "photos.ratings.csv")
        assert found == {"p00.jpg": 5, "p01.jpg": 1, "p03.jpg": 4, "p04.jpg": 2}

    def test_names_that_are_no_text_are_written_so_that_they_can_be_sent(self, start, tmp_path):
        album = tmp_path / os.fsdecode(b"alb\xff")
        try:
            album.mkdir()
        except OSError:
            pytest.skip("this file system takes no such names")
        (album / os.fsdecode(b"a\xfe.jpg")).write_bytes(jpeg())
        (album / "b.jpg").write_bytes(jpeg(1))
        app = start(album=album, ratings=tmp_path / os.fsdecode(b"alb\xff.ratings.csv"))
        entered = app.enter()
        for photo in entered["photos"]:
            assert app.client.get(f"{photo['view']}/320.jpg").status_code == 200
        assert app.say(*(
            {"do": "rate", "photo": photo["id"], "stars": 3} for photo in entered["photos"]
        ))["unsaved"] == ""  # fmt: skip

    def test_two_albums_after_each_other_do_not_mix(self, start, app, tmp_path, photos):
        kept = app.rate(p00=5, p01=1)["kept"]
        other = tmp_path / "other"
        other.mkdir()
        photos[0].rename(other / "p00.jpg")
        second = start(album=other, ratings=tmp_path / "other.ratings.csv")
        assert second.enter(kept)["state"]["ratings"] == {}


class TestAnswers:
    def test_each_kind_of_answer_is_given_and_taken_back(self, app):
        ids = app.ids
        app.rate(p00=4.5)
        app.say({"do": "better", "better": ids["p01.jpg"], "worse": ids["p02.jpg"]})
        app.say({"do": "skip", "photos": [ids["p03.jpg"]]})
        app.say({"do": "skip", "photos": [ids["p04.jpg"], ids["p05.jpg"]]})
        state = app.say({"do": "reject", "photo": ids["p06.jpg"]})
        assert state["ratings"] == {ids["p00.jpg"]: 4.5} and state["pairs"] == 1
        assert state["passed"] == [ids["p03.jpg"]] and state["flags"] == {ids["p06.jpg"]: "reject"}
        state = app.say({"do": "unflag", "photo": ids["p06.jpg"]},
                        {"do": "clear", "photo": ids["p00.jpg"]})  # fmt: skip
        assert state["ratings"] == {} and state["flags"] == {}
        assert app.say({"do": "undo"})["ratings"] == {ids["p00.jpg"]: 4.5}
        assert app.say({"do": "undo"})["flags"] == {ids["p06.jpg"]: "reject"}
        state = app.say(*[{"do": "undo"}] * 9)  # more than there is to take back
        assert not state["can_undo"] and not state["refused"]
        assert (state["ratings"], state["flags"], state["passed"], state["pairs"]) == (
            {},
            {},
            [],
            0,
        )

    def test_a_hundred_answers_come_in_one_request_and_each_counts(self, app, tmp_path):
        named = list(app.ids.values())
        answers = [{"do": "rate", "photo": named[i % 12], "stars": 1 + i % 5} for i in range(100)]
        state = app.say(*answers)
        assert state["done_seq"] == 100 and state["refused"] == []
        last = {answer["photo"]: answer["stars"] for answer in answers}
        assert state["ratings"] == last
        assert len(read_ratings(tmp_path / "photos.ratings.csv")) == 12
        assert app.say(*[{"do": "undo"}] * 100)["ratings"] == {}

    def test_an_answer_whose_reply_was_lost_is_not_given_twice(self, app):
        batch = {"answers": [{"seq": 1, "do": "rate", "photo": app.ids["p00.jpg"], "stars": 5},
                             {"seq": 2, "do": "rate", "photo": app.ids["p01.jpg"], "stars": 1},
                             {"seq": 3, "do": "undo"}]}  # fmt: skip
        for _ in range(3):
            state = app.post("/api/answers", json=batch).json()
            assert state["ratings"] == {app.ids["p00.jpg"]: 5} and state["done_seq"] == 3
        batch["answers"].append({"seq": 4, "do": "pick", "photo": app.ids["p02.jpg"]})
        assert app.post("/api/answers", json=batch).json()["done_seq"] == 4

    def test_a_gap_is_told_and_nothing_is_done_beyond_it(self, app):
        late = {"answers": [{"seq": 2, "do": "rate", "photo": app.ids["p00.jpg"], "stars": 5}]}
        reply = app.post("/api/answers", json=late)
        assert reply.status_code == 409 and reply.json()["done_seq"] == 0
        assert app.get("/api/state").json()["ratings"] == {}

    def test_two_pages_of_one_visit_have_numbers_of_their_own(self, app):
        kept = app.rate(p00=5)["kept"]
        first = app.headers
        app.enter(kept)
        assert app.rate(p01=1)["done_seq"] == 1
        assert len(app.get("/api/state").json()["ratings"]) == 2
        app.headers, app.seq = first, 1
        assert app.rate(p02=3)["done_seq"] == 2

    @pytest.mark.parametrize(
        "answer",
        [{"do": "rate", "photo": "nowhere", "stars": 3}, {"do": "rate", "photo": "p00", "stars": 6},
         {"do": "rate", "photo": "p00", "stars": 2.3}, {"do": "rate", "photo": "p00", "stars": "5"},
         {"do": "rate", "photo": "p00", "stars": True}, {"do": "rate", "photo": ["p00"]},
         {"do": "better", "better": "p00", "worse": "p00"}, {"do": "skip", "photos": "p00"},
         {"do": "skip", "photos": ["p00", "p00"]}, {"do": "skip", "photos": ["p00"] * 3},
         {"do": "pick"}, {"do": "delete", "photo": "p00"}, {}],
    )  # fmt: skip
    def test_an_answer_that_cannot_be_given_is_told_and_the_others_are(self, app, answer):
        def named(value):
            if isinstance(value, list):
                return [named(item) for item in value]
            return app.ids["p00.jpg"] if value == "p00" else value

        wrong = {key: named(value) for key, value in answer.items()}
        state = app.say(wrong, {"do": "rate", "photo": app.ids["p01.jpg"], "stars": 4})
        assert state["done_seq"] == 2 and state["ratings"] == {app.ids["p01.jpg"]: 4}
        ((number, sentence),) = state["refused"]
        assert number == 1 and sentence.endswith(".")

    @pytest.mark.parametrize(
        "sent",
        [b"{", b"[]", b'{"answers": 1}', b'{"answers": [1]}', b'{"answers": [{"seq": "1"}]}',
         b'{"answers": [{"seq": 0, "do": "undo"}]}', b'{"answers": [], "mode": "x"}',
         b'{"answers": [], "scope": []}', b"\xff\xfe", b"[" * 100_000,
         b'{"answers": [{"seq": NaN}]}'],
    )  # fmt: skip
    def test_what_is_no_batch_of_answers_is_refused(self, app, sent):
        kind = {"content-type": "application/json"}
        reply = app.client.post("/api/answers", content=sent, headers=app.headers | kind)
        assert reply.status_code == 400 and reply.json()["error"]
        assert app.get("/api/state").json()["done_seq"] == 0

    def test_too_much_is_refused(self, app):
        kind = {"content-type": "application/json"}
        content = b" " * (LONGEST_JSON + 1)
        reply = app.client.post("/api/answers", content=content, headers=app.headers | kind)
        assert reply.status_code == 413
        many = [{"seq": i, "do": "undo"} for i in range(1, 1002)]
        assert app.post("/api/answers", json={"answers": many}).status_code == 400

    def test_answers_of_two_threads_that_come_at_once_are_each_done_once(self, app):
        named = list(app.ids.values())
        batch = [{"seq": i + 1, "do": "rate", "photo": named[i], "stars": 3} for i in range(12)]

        def send():
            app.post("/api/answers", json={"answers": batch})

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        app.seq = 12
        assert app.say({"do": "undo"})["done_seq"] == 13
        assert len(app.get("/api/state").json()["ratings"]) == 11

    def test_a_full_disk_is_told_and_what_was_said_is_kept(self, app, monkeypatch, tmp_path):
        def full(*_):
            raise OutputError("the disk is full.")

        with monkeypatch.context() as patch:
            patch.setattr(answers_on_disk, "write_ratings", full)
            state = app.rate(p00=5, p01=1)
        assert "the disk is full" in state["unsaved"] and state["kept"]["saved"] is False
        assert len(state["kept"]["said"]["ratings"]) == len(state["ratings"]) == 2
        assert app.rate(p02=3)["unsaved"] == ""
        assert len(read_ratings(tmp_path / "photos.ratings.csv")) == 3

    def test_a_read_only_album_is_told_and_the_browser_keeps_the_answers(self, start, monkeypatch):
        monkeypatch.setattr(answers_on_disk, "_can_write", lambda path: False)
        app = start()
        assert "cannot be written to" in app.enter()["state"]["unsaved"]


class TestState:
    def test_the_same_state_is_not_sent_again(self, app):
        app.rate(p00=5, p01=1, p02=3)
        state = app.settled()
        assert app.get(f"/api/state?since={state['version']}").status_code == 204
        version = app.rate(p03=2)["version"]
        assert version > state["version"]
        assert app.get(f"/api/state?since={state['version']}").status_code == 200

    def test_after_three_answers_the_album_is_in_the_persons_order(self, app):
        assert app.get("/api/ranking").json()["stars"] == []
        app.settled()
        before = app.get("/api/ranking").json()
        assert not before["order_known"] and before["generic"] == list(range(1, 13))
        version = app.rate(p00=5, p01=1, p02=3)["ranking"]
        assert version > before["version"]
        found = app.get("/api/ranking").json()
        assert found["order_known"] and found["version"] >= version
        assert sorted(found["ids"]) == sorted(app.ids.values())
        assert sorted(found["generic"]) == list(range(1, 13))
        assert found["stars"] == sorted(found["stars"], reverse=True)
        assert len({*found["stars"]}) > 8 and found["stars"][0] <= 5 and found["stars"][-1] >= 1
        assert all(0.5 <= sure <= 1 for sure in found["sure"])

    def test_in_a_quiet_moment_the_order_becomes_exact_and_a_new_answer_undoes_that(self, app):
        app.settled()
        version = app.rate(p00=5, p01=1, p02=3, p03=4, p04=2)["ranking"]
        state = app.settled()
        assert ["Order", "exact"] in state["standing"]["details"] and state["ranking"] > version
        assert state["standing"]["verdict"]
        exact = app.get("/api/ranking").json()["ids"]
        visit = app.visits.of_page(app.headers["X-Visit"])
        scores = visit.session.polished.scores
        best = sorted(scores, key=lambda path: -scores[path])
        assert exact == [app.ids[Path(path).name] for path in best]
        state = app.rate(p05=3)
        assert ["Order", "exact"] not in state["standing"]["details"]
        assert ["Order", "exact"] in app.settled()["standing"]["details"]

    def test_after_an_undo_the_verdict_is_on_the_answers_that_are_left(self, app):
        app.settled()
        app.rate(p00=5, p01=1, p02=3, p03=4, p04=2)
        assert app.settled()["standing"]["verdict"]
        standing = app.say(*[{"do": "undo"}] * 5)["standing"]
        assert not standing["verdict"] and standing["level"] == "none" and standing["bar"] == 0

    def test_questions_ahead_are_never_answered_ones(self, app):
        app.settled()
        seen = set()
        for number in range(11):
            (photo,) = app.get("/api/state").json()["ahead"][0]
            assert photo not in seen
            seen.add(photo)
            app.say({"do": "rate", "photo": photo, "stars": 1 + number % 5})
        assert len(app.get("/api/state").json()["ahead"]) == 1
        pairs = app.get("/api/state?mode=pairs").json()["ahead"]
        assert len({frozenset(pair) for pair in pairs}) == 12

    def test_words_are_plain_and_say_how_far_one_is(self, app):
        app.settled()
        told = [app.get("/api/state").json()["standing"]]
        told += [app.rate(**{f"p{i:02d}": 1 + i % 5})["standing"] for i in range(4)]
        texts = [standing["text"] for standing in told]
        assert "3 more" in texts[0] and "about 31 more usually help" in texts[4]
        assert [standing["bar"] for standing in told] == sorted(s["bar"] for s in told)
        for word in ("SROCC", "polish", "task", "*", "`", "<"):
            assert not any(word in text for text in texts)


class TestViews:
    def test_a_photo_is_shown_in_three_sizes_at_addresses_nobody_can_guess(self, app):
        view = app.entered["photos"][0]["view"]
        assert len(view.split("/")[2]) >= 32
        for side in ("320", "1600", "full"):
            reply = app.client.get(f"{view}/{side}.jpg")
            assert reply.headers["content-type"] == "image/jpeg"
            assert "immutable" in reply.headers["cache-control"]
            assert Image.open(io.BytesIO(reply.content)).size == (64, 48)

    def test_other_addresses_show_nothing(self, app):
        _, _, secret, key = app.entered["photos"][0]["view"].split("/")
        for path in (f"/view/{secret}/{key}/640.jpg", f"/view/{secret}/{'0' * 20}/320.jpg",
                     f"/view/{'x' * 32}/{key}/320.jpg", f"/view/{secret}/..%2f..%2fetc/320.jpg",
                     f"/view/{secret}/{key}/320.png"):  # fmt: skip
            assert app.client.get(path).status_code == 404

    def test_a_photo_that_cannot_be_shown_is_named(self, start, photos):
        photos[3].write_bytes(b"no photo")
        app = start()
        entered = app.enter()
        (photo,) = (item for item in entered["photos"] if item["name"] == "p03.jpg")
        assert app.client.get(f"{photo['view']}/1600.jpg").status_code == 404
        state = app.settled()
        assert list(state["broken"]) == [photo["id"]] and "p03.jpg" in state["looking"]["text"]
        assert [photo["id"]] not in state["ahead"]


class TestUploads:
    @pytest.fixture
    def samples(self, start) -> App:
        app = start(album=None, ratings=None, local=False)
        app.entered = app.enter()
        return app

    def test_own_photos_join_the_album_and_nobody_else_sees_them(self, samples):
        app = samples
        sent = files(("x.jpg", jpeg()), ("../../up.jpg", jpeg(1)), ("bad.jpg", b"no photo"),
                     ("page.html", b"<script>"), ("", b""))  # fmt: skip
        reply = app.post("/api/photos", files=sent).json()
        assert [photo["name"] for photo in reply["added"]] == ["x.jpg", "up.jpg"]
        assert all(photo["own"] for photo in reply["added"]) and len(reply["refused"]) >= 2
        assert not list(app.visits.received.iterdir())
        views = [photo["view"] for photo in reply["added"]]
        assert app.client.get(f"{views[0]}/320.jpg").status_code == 200
        assert views[0].split("/")[2] != app.entered["photos"][0]["view"].split("/")[2]
        own = {photo["id"] for photo in reply["added"]}
        assert {x for (x,) in app.get("/api/state?scope=own").json()["ahead"]} == own
        first, kept = app.headers, app.get("/api/photos").json()
        assert len(kept["photos"]) == 62
        other = app.enter()
        assert len(other["photos"]) == 60
        state = app.say({"do": "rate", "photo": own.pop(), "stars": 5})
        assert state["refused"]
        app.headers = first
        app.post("/api/leave")
        assert app.get("/api/state").status_code == 410

    def test_photos_beyond_the_limits_are_refused(self, start):
        app = start(album=None, ratings=None, max_photos=1, max_megabytes=0.01, local=False)
        app.enter()
        noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
        heavy = io.BytesIO()
        Image.fromarray(noise).save(heavy, "PNG")
        sent = files(("heavy.png", heavy.getvalue()), ("a.jpg", jpeg()), ("b.jpg", jpeg(1)))
        reply = app.post("/api/photos", files=sent).json()
        assert [photo["name"] for photo in reply["added"]] == ["a.jpg"]
        assert "limit of 0.01 MB" in reply["refused"][0] and "the limit" in reply["refused"][1]
        too_much = files(*[(f"{i}.jpg", b"x" * 30_000) for i in range(9)])
        assert app.post("/api/photos", files=too_much).status_code == 413
        too_many = files(*[(f"{i}.jpg", b"x") for i in range(MOST_FILES + 1)])
        assert app.post("/api/photos", files=too_many).status_code == 400
        assert app.post("/api/photos", json={}).status_code == 415
        assert not list(app.visits.received.iterdir())

    def test_an_album_of_the_settings_takes_no_uploads(self, app):
        reply = app.post("/api/photos", files=files(("x.jpg", jpeg())))
        assert reply.status_code == 403

    def test_ratings_from_before_are_loaded_and_wrong_ones_told(self, app):
        table = b"photo,rating\np00.jpg,4\np01.jpg,2\nelsewhere.jpg,5\n"
        picks = b"photo,pick\np02.jpg,-1\n"
        reply = app.post("/api/load", files=files(("mine.csv", table), ("p.csv", picks))).json()
        assert "3 ratings loaded" in reply["text"] and "1 of these" in reply["text"]
        assert len(reply["state"]["ratings"]) == 2 and len(reply["kept"]["said"]["ratings"]) == 3
        assert reply["state"]["flags"] == {app.ids["p02.jpg"]: "reject"}
        wrong = app.post("/api/load", files=files(("mine.csv", b"photo,rating\np00.jpg,80\n")))
        assert wrong.status_code == 400 and "mine.csv" in wrong.json()["error"]
        assert str(app.visits.root) not in wrong.text
        assert app.post("/api/load", files={"files": ("", b"")}).status_code == 400

    def test_photos_that_were_not_rated_are_scored_by_the_own_scorer(self, app):
        sent = files(("../x.jpg", jpeg(5)), ("y.jpg", jpeg(6)), ("bad.jpg", b"x"))
        assert app.post("/api/score", files=sent).status_code == 409
        app.settled()
        app.rate(p00=5, p01=1, p02=3)
        reply = app.post("/api/score", files=sent).json()
        assert {item["name"] for item in reply["scored"]} == {"x.jpg", "y.jpg"}
        assert len(reply["refused"]) == 1
        above = [item["above"] for item in reply["scored"]]
        assert above == sorted(above, reverse=True)
        for item in reply["scored"]:
            assert 1 <= item["stars"] <= 5 and 0 <= item["above"] <= 1
            assert app.client.get(f"{item['view']}/1600.jpg").status_code == 200
        assert len(app.get("/api/photos").json()["photos"]) == 12
        views = [item["view"] for item in reply["scored"]]
        more = app.post("/api/score?more=1", files=files(("z.jpg", jpeg(7)))).json()
        assert [item["name"] for item in more["scored"]] == ["z.jpg"]
        assert app.client.get(f"{views[0]}/320.jpg").status_code == 200
        app.post("/api/score", files=files(("w.jpg", jpeg(8))))
        assert app.client.get(f"{views[0]}/320.jpg").status_code == 404


class TestDoor:
    @pytest.mark.parametrize(
        "path",
        ["/config", "/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/info",
         "/gradio_api/proxy=https://example.org/a", "/docs", "/openapi.json", "/login", "/logout",
         "/static/x", "/theme.css", "/monitoring/x", "/web/../api.py", "/web/%2e%2e/api.py",
         "/web/..%2fapi.py", "/oauth/huggingface/login", "/api/nothing", "/files/x/ratings.csv"],
    )  # fmt: skip
    def test_nothing_is_served_but_the_app(self, app, path):
        for method in ("GET", "POST"):
            reply = app.client.request(method, path)
            assert reply.status_code in (404, 405) and "error" in reply.json()

    def test_every_request_but_the_first_needs_the_pages_token(self, app):
        for path in ("/api/state", "/api/ranking", "/api/photos", "/api/why", "/api/figures",
                     "/api/files"):  # fmt: skip
            assert app.client.get(path).status_code == 410
            assert app.client.get(path, headers={"X-Visit": "x"}).status_code == 410
        for path in ("/api/answers", "/api/leave", "/api/load", "/api/score", "/api/photos",
                     "/api/stars", "/api/best", "/api/use-stars", "/api/push"):  # fmt: skip
            assert app.client.post(path, json={}).status_code == 410

    def test_other_sites_are_refused(self, app):
        for site in ("cross-site", "same-site"):
            headers = {"sec-fetch-site": site}
            assert app.client.post("/api/enter", json={}, headers=headers).status_code == 403
        plain = {"content-type": "text/plain"}  # which a form of another site can send
        assert app.client.post("/api/enter", content="{}", headers=plain).status_code == 415

    def test_on_this_machine_alone_another_name_for_it_is_refused(self, start):
        app = start(loopback=True)
        for host in ("localhost:7860", "127.0.0.1", "[::1]:7860"):
            assert app.client.get("/", headers={"host": host}).status_code == 200
        for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80"):
            assert app.client.get("/", headers={"host": host}).status_code == 403

    def test_the_browser_is_told_to_load_from_nowhere_else(self, app):
        headers = app.client.get("/").headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy and "http" not in policy
        assert "unsafe-inline" not in policy.split("style-src")[0]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"

    def test_the_page_and_its_parts_are_served(self, app):
        page = app.client.get("/")
        assert page.headers["content-type"].startswith("text/html") and "<title>" in page.text
        assert app.client.head("/").status_code == 200
        for path in WEB.iterdir():
            if path.suffix in (".js", ".css"):
                assert app.client.get(f"/web/{path.name}").content == path.read_bytes()


class TestCommand:
    def test_without_gradio_the_command_tells_what_to_install(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        result = CliRunner().invoke(cli.app, ["rate"])
        assert result.exit_code == 2
        assert "pip install 'aesthetic-tv[demo]'" in result.output

    def test_a_folder_without_photos_is_told(self, tmp_path):
        result = CliRunner().invoke(cli.app, ["rate", str(tmp_path), "--no-browser"])
        assert result.exit_code == 2
        assert "holds no photos" in result.output

    def test_a_port_that_is_taken_is_told_with_our_option_before_anything_starts(self, monkeypatch):
        monkeypatch.setattr(SERVER, "Visits", None)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            result = CliRunner().invoke(cli.app, ["rate", "--no-browser", "--port", port])
        assert result.exit_code == 2
        assert port in result.output and "--port" in result.output
        assert "server_port" not in result.output

    def test_this_machine_is_reached_without_the_proxy_and_others_with_it(self, monkeypatch):
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
