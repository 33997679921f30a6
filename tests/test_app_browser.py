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
from contextlib import ExitStack
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
PATIENCE = 30_000  # milliseconds; machines may be busy
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

    visitors: list[Visitor] = []
    with ExitStack() as stack:

        def start(folder: Path = album, port: int = 0, **options) -> "Visitor":
            wish = {"ratings": tmp_path / "ratings.csv", "local": True}
            settings = AppSettings(
                bank="embedded:tiny", album=folder, **wish | options.pop("settings", {})
            )
            visitors.append(open_page(stack.enter_context(serve(settings, port)), **options))
            return visitors[-1]

        yield start
        for visitor in visitors:  # before the server goes
            visitor.page.goto("about:blank")


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
        self.until("() => document.querySelector('#saving').hidden")

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
    visitor.wait_until_looked_at()
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


@pytest.mark.parametrize(
    "close",
    ["document.querySelector('#keys').close()", "document.querySelector('#grid .cell').click()"],
    ids=["the list of keys", "the grid"],
)
def test_a_key_right_after_something_closed_is_not_lost(visitor, close):
    if "grid" in close:
        visitor.press("g")
        visitor.at("#grid .cell").first.wait_for()
    else:
        visitor.press("?")
    before = visitor.page.evaluate(
        """close => {
            new Function(close)();
            const before = document.querySelector('#photo-name').textContent;
            const key = {key: 'ArrowRight', bubbles: true, cancelable: true};
            document.activeElement.dispatchEvent(new KeyboardEvent('keydown', key));
            return before;
        }""",
        close,
    )
    assert visitor.shown() != before


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
    visitor.sees("saving 3 answers …")
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
    names = visitor.order()
    by_name = "all => all.sort(new Intl.Collator(undefined, { numeric: true }).compare)"
    assert names == visitor.page.evaluate(by_name, names)


def test_the_grid_is_filtered_and_rated_with_the_keyboard_alone(visitor):
    visitor.wait_until_looked_at()
    visitor.press("5", "1", "3", "p", "g")
    visitor.at("#stacked").uncheck()
    visitor.at("#sort").select_option("name")
    visitor.at("#grid").focus()
    visitor.press("Home", "ArrowRight", "4")
    second = visitor.at("#grid .marked").get_attribute("title")
    visitor.press("ArrowDown", "3", "ArrowUp", "x")
    assert visitor.at("#grid .marked").get_attribute("title") == second
    visitor.at("#grid .marked[aria-label*=rejected]").wait_for()
    visitor.press("End")
    assert visitor.at("#grid .marked").get_attribute("aria-posinset") == "60"
    counts = visitor.counts()
    assert (counts["rated"], counts["picks"], counts["rejected"]) == (5, 1, 1)
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
    visitor.press(*"5142")
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


# Your taste.


def test_why_is_told_in_photos_and_the_verdict_in_words(visitor):
    visitor.wait_until_looked_at()
    visitor.press(*"5142531425")
    visitor.wait_until_saved()
    visitor.view("taste")
    visitor.at(".trait").first.wait_for()
    for strip in ("most", "least"):
        photos = visitor.at(".trait").first.locator(f".trait-strip:has(h4:text-is('{strip}')) img")
        assert photos.count() >= 3
    assert visitor.at(".liking span").count() >= 3
    assert visitor.at("#figures-verdict").inner_text()
    assert visitor.at("#heat-map img").is_hidden()
    visitor.at("#heat-map summary").click()
    visitor.until("() => document.querySelector('#heat-map img').naturalWidth > 0")
    visitor.at("#figures-numbers summary").click()
    visitor.until(
        "() => [...document.querySelectorAll('#figures-pictures img')]"
        ".some(image => image.naturalWidth > 0)"
    )
    visitor.picture("taste")


# New photos, and what was there before.


def test_new_photos_are_scored_and_broken_ones_are_named(visitor, tmp_path):
    visitor.press("5", "1", "4")
    visitor.wait_until_saved()
    good = make_photos(tmp_path / "new", 12, "new")
    (tmp_path / "broken.jpg").write_bytes(good[0].read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no photo")
    visitor.view("new")
    visitor.give("score", [*good, tmp_path / "broken.jpg", tmp_path / "notes.txt"])
    visitor.until("() => document.querySelectorAll('#scored li').length === 12")
    told = visitor.at("#score-note").inner_text()
    assert "12 photos scored" in told and "broken.jpg" in told and "notes.txt" in told
    stars = [float(text.split()[0]) for text in visitor.at("#scored strong").all_inner_texts()]
    assert stars == sorted(stars, reverse=True)
    assert "of the album" in visitor.at("#scored small").first.inner_text()
    visitor.until("() => document.querySelector('#scored img').naturalWidth > 0")
    visitor.picture("scored")


def test_own_photos_are_added_while_rating_goes_on_and_can_be_asked_about_alone(visitor, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    visitor.view("new")
    visitor.give("add", [*make_photos(tmp_path / "own", 25), tmp_path / "broken.jpg"])
    visitor.sees("25 photos added.")
    assert "broken.jpg" in visitor.at("#add-note").inner_text()
    assert visitor.counts()["all"] == 85
    visitor.view("rate")
    visitor.at("#scope").select_option("own")
    visitor.until("() => document.querySelector('#photo-name').textContent.startsWith('own')")
    visitor.press(*"52143")
    assert visitor.shown().startswith("own")
    visitor.wait_until_saved()
    visitor.page.reload()
    visitor.wait_for_photo()
    assert visitor.counts() | {"unrated": 0, "unsure": 0, "four": 0} == {
        "all": 85, "rated": 5, "unrated": 0, "unsure": 0, "four": 0,
        "picks": 0, "rejected": 0, "skipped": 0,
    }  # fmt: skip


def test_ratings_are_loaded_again_and_continued(visitor, tmp_path):
    (tmp_path / "ratings.csv").write_text("photo,rating\ncat.jpg,5\nbee.jpg,1\nwine.jpg,3\n")
    (tmp_path / "broken.csv").write_text("photo,rating\ncat.jpg,lots\n")
    visitor.view("new")
    visitor.watch.expected += ["400", "api/load"]
    visitor.give("load", [tmp_path / "broken.csv"])
    visitor.sees("not a number")
    assert "broken.csv" in visitor.at("#toasts .wrong").inner_text()
    visitor.give("load", [tmp_path / "ratings.csv"])
    visitor.until("() => /3/.test(document.querySelector('#load-note').textContent)")
    visitor.view("rate")
    visitor.press("4")
    assert visitor.counts()["rated"] == 4


def test_stars_that_are_in_the_photos_are_offered_and_used(at_album, tmp_path):
    folder = tmp_path / "rated"
    make_photos(folder, 6)
    for i in range(4):
        (folder / f"own{i:03d}.jpg.xmp").write_text(
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
            'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
            'rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
            f'xmp:Rating="{i + 1}"/></rdf:RDF></x:xmpmeta>'
        )
    visitor = at_album(folder)
    banner = visitor.at("#found-stars")
    banner.wait_for()
    assert "4" in banner.inner_text()
    visitor.at("#use-stars").click()
    banner.wait_for(state="hidden")
    assert visitor.counts()["rated"] == 4
    visitor.page.reload()
    visitor.wait_for_photo()
    assert banner.is_hidden()


# What is taken home.


def test_stars_are_written_after_a_look_at_what_would_change_and_taken_back(at_album, tmp_path):
    folder = tmp_path / "mine"
    make_photos(folder, 12)
    make_photo(folder / HOSTILE, 5)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    visitor = at_album(folder)
    visitor.wait_until_looked_at()
    visitor.press(*"51425")
    visitor.wait_until_saved()
    visitor.view("keep")
    visitor.at("#stars-form [type=submit]").click()
    visitor.at("#stars-write").wait_for()
    rows = visitor.at("#stars-rows tr")
    assert rows.count() == 13
    assert {path: path.read_bytes() for path in folder.glob("*.jpg")} == before
    assert not list(folder.glob("*.xmp"))
    visitor.at("#stars-write").click()
    visitor.at("#stars-undo button").wait_for()
    assert len(list(folder.glob("*.xmp"))) == 13
    assert {path: path.read_bytes() for path in folder.glob("*.jpg")} == before
    visitor.picture("stars-written")
    visitor.at("#stars-undo button").click()
    visitor.at("#stars-undo button").wait_for(state="detached")
    assert not list(folder.glob("*.xmp"))


def test_the_best_are_copied_and_downloaded(at_album, tmp_path):
    visitor = at_album()
    visitor.wait_until_looked_at()
    visitor.press(*"51425")
    visitor.wait_until_saved()
    visitor.view("keep")
    visitor.at("#best-count").fill("4")
    visitor.at("#best-to").fill(str(tmp_path / "keepers"))
    visitor.at("#best-form [type=submit]").click()
    visitor.at("#best-write").wait_for()
    names = visitor.at("#best-names li").all_inner_texts()
    assert len(names) == 4
    assert not (tmp_path / "keepers").exists()
    visitor.at("#best-write").click()
    visitor.at("#best-write").wait_for(state="hidden")
    assert len(list((tmp_path / "keepers").glob("*.jpg"))) == 4
    with zipfile.ZipFile(visitor.download("#best-zip", tmp_path)) as best:
        assert len([name for name in best.namelist() if name.endswith(".jpg")]) == 4


def test_tables_and_taste_are_downloaded_and_the_taste_scores_in_a_fresh_process(visitor, tmp_path):
    visitor.wait_until_looked_at()
    visitor.press(*"5142", "p")
    visitor.wait_until_saved()
    visitor.view("keep")
    visitor.at("#files a[download='my-taste.zip']").wait_for()
    visitor.picture("keep")
    ratings = visitor.download("#files a[download='ratings.csv']", tmp_path)
    assert sorted(ratings_in(ratings).values()) == ["1", "2", "4", "5"]
    scores = visitor.download("#files a[download='scores.csv']", tmp_path)
    with scores.open() as file:
        assert [row["rank"] for row in csv.DictReader(file)] == [str(n) for n in range(1, 61)]
    with zipfile.ZipFile(visitor.download("#files a[download='my-taste.zip']", tmp_path)) as taste:
        assert any(name == "README.txt" for name in taste.namelist())
        taste.extractall(tmp_path)
    code = (
        "import sys; from aesthetic_tv import AestheticScorer;"
        "scorer = AestheticScorer.from_pretrained(sys.argv[1]);"
        "print(all(1 <= x <= 5 for x in scorer.score(sys.argv[2:])))"
    )
    photos = make_photos(tmp_path / "new", 2)
    command = [sys.executable, "-c", code, tmp_path / "my-taste", *photos]
    said = subprocess.run(command, capture_output=True, text=True, env=_environment())
    assert said.stdout.strip() == "True", said.stderr


def test_a_taste_is_pushed_and_the_page_tells_how_to_load_it(visitor):
    HUB.clear()
    visitor.wait_until_looked_at()
    visitor.press(*"514")
    visitor.wait_until_saved()
    visitor.view("keep")
    visitor.watch.expected += ["400", "api/push"]
    visitor.at("#repo").fill("no name")
    visitor.at("#push-form [type=submit]").click()
    visitor.at("#toasts .wrong").wait_for()
    assert "your-name/my-taste" in visitor.at("#pushed").inner_text()
    visitor.at("#repo").fill("alice/my-taste")
    visitor.at("#push-form [type=submit]").click()
    visitor.at("#pushed pre").wait_for()
    assert 'from_pretrained("alice/my-taste"' in visitor.at("#pushed pre").inner_text()
    assert "alice/my-taste" in visitor.at("#pushed a").get_attribute("href")
    visitor.picture("pushed")


# Whose it is, and where.


def test_a_reload_in_the_middle_loses_nothing_even_what_had_not_arrived(visitor):
    visitor.watch.expected += ["net::ERR_FAILED"]
    visitor.press("5", "1")
    visitor.wait_until_saved()
    visitor.page.route("**/api/answers", lambda route: route.abort())
    visitor.press("4", "2")
    visitor.sees("The app does not answer")
    visitor.page.unroute("**/api/answers")
    visitor.page.reload()
    visitor.wait_for_photo()
    assert visitor.counts()["rated"] == 4


def test_two_visitors_at_once_do_not_see_each_other(app, open_page, tmp_path):
    first, second = open_page(app), open_page(app)
    first.view("new")
    first.give("add", make_photos(tmp_path / "own", 2))
    first.sees("2 photos added.")
    first.view("rate")
    first.press(*"515")
    second.press("1")
    assert (first.counts()["all"], first.counts()["rated"]) == (62, 3)
    assert (second.counts()["all"], second.counts()["rated"]) == (60, 1)
    # What the first one was shown is found by its address alone, which nobody can guess.
    first.view("photos")
    views = first.at("#grid img").evaluate_all("all => all.map(image => image.src)")
    assert all(re.search(r"/view/[\w-]{32}/", address) for address in views)


def test_two_albums_one_after_the_other_on_one_port_keep_their_own(chromium, tmp_path):
    from aesthetic_tv.app import AppSettings

    port = free_port()
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        make_photos(folder, 8)  # of the same names
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    for folder, said, there in [(0, "51", 2), (1, "4", 1), (0, "3", 3)]:
        settings = AppSettings(bank="embedded:tiny", album=folders[folder])
        with serve(settings, port) as address:
            watch = Watch(page, address)
            visitor = Visitor(page, watch).enter(address)
            visitor.press(*said)
            assert visitor.counts()["rated"] == there
            assert visitor.at("#album-name").inner_text() == folders[folder].name
            page.goto("about:blank")
            assert watch.wrong() == []
    context.close()


def test_a_photo_that_cannot_be_read_says_so_and_is_passed(at_album, tmp_path):
    folder = tmp_path / "some"
    good = make_photos(folder, 5)
    (folder / "a-broken.jpg").write_bytes(good[0].read_bytes()[:300])
    visitor = at_album(folder)
    visitor.watch.expected += ["404"]
    visitor.wait_until_looked_at()
    visitor.press(*"51324")
    visitor.wait_until_saved()
    assert visitor.counts()["rated"] == 5
    visitor.view("photos")
    visitor.at("#sort").select_option("name")
    visitor.at("#grid .missing").wait_for()
    visitor.at("#grid .cell[title='a-broken.jpg']").click()
    assert visitor.at("#pane-left .pane-note").inner_text()
    visitor.press("ArrowRight")
    visitor.wait_for_photo()


def test_names_that_would_be_code_are_names(at_album):
    visitor = at_album()
    visitor.view("photos")
    visitor.at("#sort").select_option("name")
    visitor.at("#grid").focus()
    visitor.until(
        "name => [...document.querySelectorAll('.cell')].some(cell => cell.title === name)", HOSTILE
    )
    assert visitor.at("#grid .cell").evaluate_all(
        "(all, name) => all.find(cell => cell.title === name).click()", HOSTILE
    ) is None  # fmt: skip
    assert visitor.shown() == HOSTILE
    visitor.press("5")
    assert visitor.at("#strip button").first.get_attribute("title") == HOSTILE
    assert visitor.page.title() != "666"
    assert visitor.at("img[src=x]").count() == 0


# Small, dark, and for everybody.


def test_a_phone_shows_photo_and_stars_at_once_and_nothing_scrolls_sideways(
    app, open_page, tmp_path
):
    phone = open_page(app, 390, 844, has_touch=True, is_mobile=True, device_scale_factor=2)
    stars = phone.at("#stars button").nth(3)
    assert all(stars.bounding_box()[side] >= 44 for side in ("width", "height"))
    assert phone.at("#stage").bounding_box()["height"] > 844 / 2
    stars.tap()
    phone.at("#stars button").nth(0).tap()
    phone.at("#stars button").nth(4).tap()
    phone.wait_until_saved()
    phone.picture("phone")
    for view in ("rate", "photos", "taste", "new", "keep"):
        phone.at(f"nav [data-view={view}]").tap()
        phone.page.wait_for_timeout(100)
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = phone.at(f"#{view} *:visible").evaluate_all(
            "all => all.filter(x => x.getBoundingClientRect().right > 391).map(x => x.outerHTML)"
        )
        assert [tag for tag in wide if "best" not in tag] == []
    phone.at("nav [data-view=photos]").tap()
    name = phone.at("#grid .cell").nth(4).get_attribute("title")
    phone.at("#grid .cell").nth(4).tap()
    assert phone.shown() == name
    phone.at("#stars button").nth(1).tap()
    assert phone.at("#stars .lit").count() == 2
    swipe(phone, -150)
    assert phone.shown() != name
    swipe(phone, 150)
    assert phone.shown() == name
    phone.at("nav [data-view=new]").click()  # a tap right after a swipe may count as its end
    phone.give("score", make_photos(tmp_path / "new", 1))
    phone.at("#scored a").wait_for()
    with phone.page.context.expect_page() as opened:
        phone.at("#scored a").tap()
    opened.value.wait_for_load_state()
    size = opened.value.locator("img").evaluate("img => [img.naturalWidth, img.naturalHeight]")
    assert size == [96, 64]


def swipe(phone: Visitor, by: float) -> None:
    """A finger moves over the photo."""
    finger = phone.page.context.new_cdp_session(phone.page)
    for kind, x in [("Start", 200), ("Move", 200 + by / 2), ("Move", 200 + by), ("End", None)]:
        points = [] if x is None else [{"x": x, "y": 300}]
        finger.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    phone.page.wait_for_timeout(400)  # what follows at once is no tap to the browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(app, open_page, scheme):
    visitor = open_page(app, color_scheme=scheme)
    visitor.press(*"5142")
    visitor.wait_until_saved()
    for view in ("rate", "photos", "new", "keep"):
        visitor.view(view)
        visitor.page.wait_for_timeout(50)
        assert visitor.page.evaluate(LOW_CONTRAST) == []
        visitor.picture(f"{scheme}-{view}")
    surround = visitor.at("#stage").evaluate("x => getComputedStyle(x).backgroundColor")
    assert len(set(re.findall(r"\d+", surround))) == 1  # grey, so that colours are seen as they are


# Texts whose contrast to the nearest background is below 4.5.
LOW_CONTRAST = """() => {
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map((x) => x / 255)
        .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
        .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const [r, g, b, a = 1] = numbers(getComputedStyle(at).backgroundColor);
            if (a > 0.5) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const low = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
        if (element.closest("svg, :disabled, .unseen, option, #stars")) continue;
        const [one, other] = [numbers(getComputedStyle(element).color), behind(element)].map(light);
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < 4.5) low.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
    }
    return low;
}"""


def test_everything_that_is_pressed_has_a_name_and_shows_that_it_is_marked(visitor):
    nameless = visitor.at("button, a, input, select, [role]").evaluate_all(
        "all => all.filter(x => x.checkVisibility())"
        ".filter(x => !(x.textContent.trim() || x.ariaLabel || x.labels?.length"
        " || x.ariaLabelledByElements?.length || x.role === 'status' || x.role === 'presentation'"
        " || x.role === 'alert')).map(x => x.outerHTML)"
    )
    assert nameless == []
    visitor.press("Tab", "Tab")
    outline = visitor.at(":focus-visible").evaluate("x => getComputedStyle(x).outlineStyle")
    assert outline == "solid"
    first = visitor.shown()
    visitor.press("4")  # a key means the photo, wherever the focus is
    visitor.until(
        "name => document.querySelector('#said').textContent === `${name}: you gave 4 stars`", first
    )


def test_a_space_logs_in_and_writes_no_files_of_its_machine(open_page, monkeypatch):
    from aesthetic_tv.app import AppSettings

    # Off a Space the client's own stand-in logs in whoever is logged in on the machine.
    who = {"type": "user", "fullname": "Alice", "name": "alice", "avatarUrl": "a.png"}
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("HF_TOKEN", ALICE)
    monkeypatch.setattr("huggingface_hub._oauth.whoami", lambda: who)
    with serve(AppSettings(bank="embedded:tiny", hub=True)) as address:
        visitor = open_page(address)
        visitor.view("keep")
        assert visitor.at("#sign-in").get_attribute("href") == "login"
        assert visitor.at("#push-form").is_hidden()
        assert visitor.at("#stars-card").is_hidden()
        assert visitor.at("#best-folder").is_hidden()
        assert visitor.at("#best-zip").is_visible()
        visitor.at("#sign-in").click()
        visitor.wait_for_photo()
        visitor.view("keep")
        visitor.at("#push-form").wait_for()
        assert visitor.at("#sign-out").inner_text() == "Sign out alice"
        visitor.page.goto("about:blank")
