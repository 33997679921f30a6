"""The app in a real browser: what a person does there, from the first photo to the keepers."""

import csv
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from browser import ARTIFACTS, FLAGS, Watch, find_browser, free_port, serve
from conftest import ALICE, HUB

pytest.importorskip("gradio")
sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
PATIENCE = 60_000  # milliseconds; machines may be busy
HOSTILE = "<img src=x onerror=document.title=666>&amp;'\"`.jpg"
BIG = (3000, 2000)


# The app, and a browser.


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[str]:
    """The address of the app on the sample photos, in a process of its own."""
    find_browser()
    port = free_port()
    log = tmp_path_factory.mktemp("app") / "log.txt"
    temporary = log.parent / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", "from aesthetic_tv.cli import main; main()", "rate"]
    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, "--bank", "embedded:tiny", "--no-browser", "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            # A proxy that is not there: nothing on this machine may be looked for behind it.
            env=_environment(HF_TOKEN=ALICE, TMPDIR=str(temporary), **PROXIES),
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, log)
        yield address
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        server.terminate()
        server.wait(60)
    assert not list(temporary.glob("aesthetic-tv-*"))  # no copy of a photo is left


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=10)
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """Three large photos, two bursts of three, one with a hostile name, and 110 small ones."""
    folder = tmp_path_factory.mktemp("holiday")
    make_photos(folder, 110)
    for i in range(3):
        make_photo(folder / f"big{i}.jpg", i, BIG)
    for burst in range(2):
        for shot in range(3):
            make_photo(folder / f"burst{burst}-{shot}.jpg", 50 + burst, (640, 480), shift=shot)
    make_photo(folder / HOSTILE, 99)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens the app as a new visitor; at the end nothing may have gone wrong on any page."""
    contexts, watches = [], []

    def open_page(address: str, width: int = 1440, height: int = 900, **options) -> "Visitor":
        context = chromium.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        watches.append(Watch(page, address))
        return Visitor(page, watches[-1]).enter(address)

    yield open_page
    for context in contexts:
        context.close()
    for watch in watches:
        assert watch.wrong() == []


@pytest.fixture
def visitor(app, open_page) -> "Visitor":
    """A visitor of the sample photos."""
    return open_page(app)


@pytest.fixture
def at_album(album, open_page, tmp_path):
    """Opens the album, its ratings in a file of the test's own; the server ends with the test."""
    from aesthetic_tv.app import AppSettings

    with _entered() as stack:

        def start(folder: Path = album, port: int = 0, **options) -> "Visitor":
            wish = {"ratings": tmp_path / "ratings.csv", "uploads": False}
            settings = AppSettings(
                bank="embedded:tiny", album=folder, **wish | options.pop("settings", {})
            )
            return open_page(stack.enter_context(serve(settings, port)), **options)

        yield start


def _entered():
    from contextlib import ExitStack

    return ExitStack()


class Visitor:
    """What a person does and sees."""

    def __init__(self, page, watch: Watch):
        self.page, self.watch = page, watch

    def enter(self, address: str) -> "Visitor":
        self.page.goto(address)
        self.wait_for_photo()
        return self

    # What is seen.

    def at(self, css: str):
        return self.page.locator(css)

    def sees(self, text: str):
        self.page.get_by_text(text).first.wait_for()

    def shown(self) -> str:
        return self.at("#photo-name").inner_text()

    def wait_for_photo(self) -> None:
        self.page.wait_for_selector("#pane-left img.ready")

    def until(self, script: str, arg=None) -> None:
        """Until that is so on the page, whose policy forbids playwright's own way to wait."""
        deadline = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(script, arg):
            assert time.monotonic() < deadline, script
            self.page.wait_for_timeout(30)

    def wait_until_saved(self) -> None:
        self.at("#saving").wait_for(state="hidden")

    def wait_until_looked_at(self) -> None:
        """Until the order changes by answers alone."""
        self.until("document.querySelector('#looking-bar').hidden")

    def counts(self) -> dict[str, int]:
        """How many photos each filter of the grid has."""
        self.wait_until_saved()
        was_open = self.at("#photos").is_visible()
        self.view("photos")
        found = self.at("#filters button").evaluate_all(
            "all => all.map(x => [x.dataset.filter, Number(x.lastChild.textContent)])"
        )
        if not was_open:
            self.view("rate")
        return dict(found)

    def order(self) -> list[str]:
        """Names in the grid, as far as it reaches, top left first."""
        return self.at("#grid .cell").evaluate_all("all => all.map(x => x.title)")

    def wait_for_order(self) -> list[str]:
        """The grid, once it is in the person's order."""
        self.view("photos")
        self.until("document.querySelector('#grid-note').textContent.startsWith('Gold')")
        return self.order()

    def photo_box(self, side: str = "left") -> dict[str, float]:
        return self.at(f"#pane-{side} img").bounding_box()

    # What is done.

    def view(self, name: str) -> None:
        self.at(f"nav [data-view={name}]").click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def give(self, name: str, files: list[Path]) -> None:
        self.at(f"#{name}-files").set_input_files(list(map(str, files)))

    def download(self, css: str, folder: Path) -> Path:
        with self.page.expect_download() as started:
            self.at(css).click()
        path = folder / started.value.suggested_filename
        started.value.save_as(path)
        return path

    def picture(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")


def make_photo(path: Path, seed: int, size=(96, 64), shift: int = 0) -> Path:
    """Coloured fields, the same of one seed; moved and lit a little by `shift`."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))
    pixels = np.clip(np.roll(pixels, 2 * shift, 1) * (1 - 0.03 * shift), 0, 255)
    exif = Image.Exif()
    exif[0x0132] = f"2026:05:01 10:{seed % 60:02d}:{shift:02d}"  # DateTime
    Image.fromarray(pixels.astype(np.uint8)).save(path, quality=90, exif=exif)
    return path


def make_photos(folder: Path, count: int, prefix: str = "own") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [make_photo(folder / f"{prefix}{i:03d}.jpg", 1000 + i) for i in range(count)]


def ratings_in(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {row["photo"]: row["rating"] for row in csv.DictReader(file)}


# The photo first.


def test_the_photo_has_most_of_the_window_and_the_first_screen_speaks_plainly(visitor):
    stage = visitor.at("#stage").bounding_box()
    assert stage["width"] * stage["height"] >= 0.7 * 1440 * 900
    for key in "5142":
        visitor.press(key)
    visitor.wait_until_saved()
    words = visitor.at("body").inner_text()
    assert not re.search(r"srocc|task|polish|cross-validat|coefficient", words, re.IGNORECASE)
    assert re.search(r"4 ratings", visitor.at("#standing-text").inner_text())
    assert 0 < visitor.at("#standing-bar").evaluate("bar => bar.value") < 1
    assert visitor.at("#standing-facts").is_hidden()


def test_a_click_zooms_to_all_pixels_where_it_clicks_and_a_drag_moves_them(at_album):
    visitor = at_album()
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.view("photos")
    visitor.at("#grid [title='big1.jpg']").click()
    visitor.wait_for_photo()
    whole = visitor.photo_box()
    assert whole["width"] <= 1440 and whole["width"] / whole["height"] == pytest.approx(1.5, 0.01)
    assert not any(url.endswith("full.jpg") for url in asked)
    x, y = whole["x"] + 0.25 * whole["width"], whole["y"] + 0.4 * whole["height"]
    visitor.page.mouse.click(x, y)
    visitor.until("() => document.querySelector('#pane-left img').naturalWidth === 3000")
    zoomed = visitor.photo_box()
    assert (zoomed["width"], zoomed["height"]) == pytest.approx(BIG)
    assert (x - zoomed["x"]) / zoomed["width"] == pytest.approx(0.25, abs=0.01)
    assert (y - zoomed["y"]) / zoomed["height"] == pytest.approx(0.4, abs=0.01)
    assert visitor.at("#pane-left .badge").inner_text() == "100 %"
    visitor.page.mouse.move(700, 400)
    visitor.page.mouse.down()
    visitor.page.mouse.move(640, 380, steps=3)
    visitor.page.mouse.up()
    assert visitor.photo_box()["x"] == pytest.approx(zoomed["x"] - 60, abs=1)
    visitor.page.mouse.wheel(0, 50)
    visitor.until(
        "y => document.querySelector('#pane-left img').getBoundingClientRect().y < y",
        zoomed["y"] - 20 - 40,
    )
    visitor.press("Space")
    assert visitor.photo_box() == pytest.approx(whole)
    visitor.press("Space", "Escape")
    assert visitor.photo_box() == pytest.approx(whole)


def test_the_next_two_photos_are_there_before_they_are_asked_for(visitor):
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.reload()
    visitor.wait_for_photo()
    visitor.page.wait_for_load_state("networkidle")
    large = {url for url in asked if url.endswith("1600.jpg")}
    assert len(large) == 3
    visitor.press("3")
    address = visitor.at("#pane-left img").evaluate("img => img.src")
    assert address in large


def test_every_key_does_what_the_list_of_keys_says(visitor):
    visitor.press("?")
    listed = set(visitor.at("#keys kbd").all_inner_texts())
    assert listed == {*"105PXSUFG?", "←", "→", "Space", "Enter", "Esc"}
    visitor.press("Escape")
    visitor.at("#keys").wait_for(state="hidden")
    first = visitor.shown()
    visitor.press("4")
    second = visitor.shown()
    assert second != first
    visitor.press("ArrowLeft")
    assert visitor.shown() == first
    assert visitor.at("#stars .lit").count() == 4
    visitor.press("0")
    assert visitor.at("#stars .lit").count() == 0
    visitor.press("2")  # said anew, and on to what has no answer yet
    assert visitor.shown() == second
    visitor.press("p", "x", "s")
    assert visitor.counts() | {"all": 0, "unrated": 0, "unsure": 0, "four": 0} == {
        "all": 0, "unrated": 0, "unsure": 0, "four": 0,
        "rated": 1, "picks": 1, "rejected": 1, "skipped": 1,
    }  # fmt: skip
    last = visitor.shown()
    visitor.press("u", "u", "u")
    assert visitor.shown() == second
    visitor.press("ArrowRight")
    assert visitor.shown() not in (first, second)
    visitor.press("f")
    assert visitor.at("#dock").is_hidden() and visitor.at("nav").is_hidden()
    visitor.press("Escape")
    visitor.at("#dock").wait_for()
    visitor.press("g")
    assert visitor.at("#grid").is_visible()
    visitor.press("g")
    assert visitor.at("#stage").is_visible()
    assert visitor.counts()["rated"] == 1
    assert last


def test_a_hundred_keys_at_fifty_milliseconds_are_a_hundred_answers(at_album, tmp_path):
    visitor = at_album()
    said = "".join(str(1 + (7 * i + i // 5) % 5) for i in range(100))
    began = time.monotonic()
    for i, key in enumerate(said):
        time.sleep(max(0, began + 0.05 * i - time.monotonic()))
        visitor.press(key)
    visitor.wait_until_saved()
    assert visitor.counts()["rated"] == 100
    saved = ratings_in(tmp_path / "ratings.csv")
    assert sorted(saved.values()) == sorted(said)


def test_what_the_reply_was_lost_of_is_done_once(visitor):
    lost = []

    def lose(route):
        if len(lost) < 2 and json.loads(route.request.post_data)["answers"]:
            lost.append(route.fetch().status)  # it arrived there; what came back did not
            route.abort()
        else:
            route.continue_()

    visitor.watch.expected += ["net::ERR_FAILED"]
    visitor.page.route("**/api/answers", lose)
    first = visitor.shown()
    visitor.press("5", "1", "3")
    visitor.sees("The app does not answer")
    assert visitor.at("#saving").inner_text() == "saving 3 answers …"
    visitor.wait_until_saved()
    assert lost == [200, 200]
    assert visitor.counts()["rated"] == 3
    lost.clear()
    visitor.press("u")
    visitor.wait_until_saved()
    assert visitor.counts()["rated"] == 2  # not two less
    visitor.press("u", "u")
    visitor.wait_until_saved()
    assert visitor.shown() == first


def test_a_server_that_forgot_the_visit_is_told_again(visitor):
    gone = []

    def forget(route):
        if len(gone) < 1 and json.loads(route.request.post_data)["answers"]:
            gone.append(1)
            route.fulfill(status=410, json={"error": "This page was put aside for long."})
        else:
            route.continue_()

    visitor.watch.expected += ["410"]
    visitor.page.route("**/api/answers", forget)
    visitor.press("5", "1", "3")
    visitor.wait_until_saved()
    assert gone
    assert visitor.counts()["rated"] == 3


def test_undo_takes_back_the_last_answer_and_asks_for_it_again(visitor):
    visitor.press("5", "1")
    asked = visitor.shown()
    visitor.press("4", "u")
    assert visitor.shown() == asked
    visitor.press("1")
    assert visitor.counts()["rated"] == 3
    visitor.page.reload()  # what was said before is undone too
    visitor.wait_for_photo()
    visitor.press("u")
    visitor.until("name => document.querySelector('#photo-name').textContent === name", asked)
    assert visitor.counts()["rated"] == 2


def test_the_better_of_two_is_chosen_by_mouse_and_by_keys_and_both_are_zoomed_as_one(visitor):
    visitor.at("[data-mode=pairs]").click()
    visitor.at("#pane-right img.ready").wait_for()
    names = visitor.at(".pane-name").all_inner_texts()
    box = visitor.photo_box("left")
    visitor.page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    looks = [relative_centre(visitor, side) for side in ("left", "right")]
    assert looks[0] == pytest.approx(looks[1], abs=0.02)
    assert visitor.at("#pane-right").get_attribute("class") == "pane zoomed"
    visitor.press("Space")
    visitor.at("#pane-left .choose").click()
    assert visitor.at(".pane-name").all_inner_texts() != names
    visitor.press("ArrowRight", "ArrowLeft", "ArrowLeft")
    visitor.wait_until_saved()
    assert "4 comparisons" in visitor.at("#standing-text").inner_text()
    visitor.press("u")
    visitor.wait_until_saved()
    assert "3 comparisons" in visitor.at("#standing-text").inner_text()


def relative_centre(visitor: Visitor, side: str) -> list[float]:
    """The point of a photo that is in the middle of its pane."""
    pane, image = visitor.at(f"#pane-{side}").bounding_box(), visitor.photo_box(side)
    return [
        (pane[at] + pane[size] / 2 - image[at]) / image[size]
        for at, size in (("x", "width"), ("y", "height"))
    ]


# All photos.


def test_the_third_rating_puts_the_album_into_an_order_that_later_ones_change(visitor):
    visitor.wait_until_looked_at()
    visitor.press("5")
    visitor.at("#stars button").nth(0).click()  # with the mouse
    visitor.press("2")
    order = visitor.wait_for_order()
    visitor.view("rate")
    visitor.press("5", "1", "1", "1")
    visitor.wait_until_saved()
    visitor.view("photos")
    visitor.until(
        "before => [...document.querySelectorAll('.cell')].map(x => x.title).join() !== before",
        ",".join(order),
    )
    moves = visitor.at("#grid .move").all_inner_texts()
    assert any(move.startswith("▲") for move in moves)
    visitor.at("#sort").select_option("generic")
    assert visitor.order() != order
    visitor.at("#sort").select_option("name")
    assert visitor.order() == sorted(visitor.order(), key=lambda name: name.replace(".", "~"))


def test_the_grid_is_filtered_and_rated_with_the_keyboard_alone(visitor):
    visitor.press("5", "1", "p")
    visitor.press("g")
    visitor.at("#sort").select_option("name")
    visitor.at("#grid").focus()
    visitor.press("Home", "ArrowRight", "4")
    second = visitor.at("#grid .marked").get_attribute("title")
    visitor.press("ArrowDown", "3", "ArrowUp", "x")
    assert visitor.at("#grid .marked").get_attribute("title") == second
    assert "rejected" in visitor.at("#grid .marked").get_attribute("aria-label")
    visitor.press("End")
    assert visitor.at("#grid .marked").get_attribute("aria-posinset") == "60"
    counts = visitor.counts()
    assert counts["rated"] == 4 and counts["picks"] == 1 and counts["rejected"] == 1
    for name in ("rated", "rejected", "unrated"):
        visitor.at(f"#filters [data-filter={name}]").click()
        assert visitor.at("#grid .cell").first.get_attribute("aria-setsize") == str(counts[name])
    visitor.at("#filters [data-filter=rejected]").click()
    visitor.at("#grid").focus()
    visitor.press("Enter")
    assert visitor.shown() == second
    visitor.press("Escape")
    assert visitor.at("#grid").is_visible()


def test_a_photo_of_the_grid_is_looked_at_rated_and_left_for_the_next(visitor):
    visitor.press("5", "1", "3")
    order = visitor.wait_for_order()
    visitor.at("#grid .cell").nth(0).click()
    assert visitor.shown() == order[0]
    visitor.press("ArrowRight")
    assert visitor.shown() == order[1]
    visitor.press("2")
    assert visitor.shown() == order[1]  # it stays; it is looked at
    assert visitor.at("#stars .lit").count() == 2
    visitor.at("#back-to-grid").click()
    marked = visitor.at("#grid .marked")
    assert marked.get_attribute("title") == order[1]
    assert "you gave 2 stars" in marked.get_attribute("aria-label")


def test_a_burst_is_a_stack_with_its_best_on_top(at_album):
    visitor = at_album()
    visitor.wait_until_looked_at()
    visitor.view("photos")
    stacks = visitor.at("#grid .stack-count:visible")
    visitor.at("#stacked").wait_for()
    visitor.at("#sort").select_option("name")
    closed = int(visitor.at("#grid .cell").first.get_attribute("aria-setsize"))
    burst = visitor.at("#grid .cell[title^=burst0]")
    assert burst.count() == 1
    assert stacks.first.inner_text().endswith("3")
    burst.locator(".stack-count").click()
    assert burst.count() == 3
    burst.first.locator(".stack-count").click()
    assert burst.count() == 1
    visitor.at("#stacked").uncheck()
    assert burst.count() == 3
    assert int(visitor.at("#grid .cell").first.get_attribute("aria-setsize")) >= closed + 4


def test_thousands_of_photos_scroll_with_few_of_them_in_the_page(app, open_page):
    visitor = open_page(app)
    photos = 5000

    def many(route):
        reply = route.fetch().json()
        some = reply["photos"]
        reply["photos"] += [
            {**some[i % len(some)], "id": f"more{i}", "name": f"z{i:05d}.jpg"}
            for i in range(photos - len(some))
        ]
        route.fulfill(json=reply)

    visitor.page.route("**/api/enter", many)
    visitor.page.reload()
    visitor.wait_for_photo()
    visitor.view("photos")
    visitor.at("#sort").select_option("name")
    frames = visitor.page.evaluate(
        """async () => {
            const box = document.querySelector("#grid"), times = [];
            let before = await new Promise(requestAnimationFrame);
            for (let i = 0; i < 60; i++) {
                box.scrollTop += 400;
                const now = await new Promise(requestAnimationFrame);
                times.push(now - before);
                before = now;
            }
            return times;
        }"""
    )
    assert np.median(frames) < 150  # 17 where nothing else is at work
    assert visitor.at("#grid .cell").count() < 150
    visitor.at("#grid").focus()
    visitor.press("End")
    visitor.at(f"#grid .cell[title='z{photos - 61:05d}.jpg']").wait_for()
    visitor.press("Home")
    assert visitor.at("#grid").evaluate("box => box.scrollTop") == 0
