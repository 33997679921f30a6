"""The app in a real browser: what a person does there, from the first photo to the Hub."""

import csv
import re
import socket
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

from browser import ARTIFACTS, FLAGS, Watch, find_browser
from conftest import ALICE, HUB

pytest.importorskip("gradio")
sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
PATIENCE = 180_000  # milliseconds; machines may be busy


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[str]:
    """The address of the app on the sample photos, in a process of its own."""
    find_browser()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
    import os

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
def chromium() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitors(app, chromium):
    """Opens the app as a new visitor; at the end nothing may have gone wrong on any page."""
    contexts, watches = [], []

    def open_page(width: int = 1280, height: int = 900, **options) -> "Visitor":
        context = chromium.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        contexts.append(context)
        watches.append(Watch(page, app))
        visitor = Visitor(page)
        page.goto(app)
        visitor.wait_for_album()
        return visitor

    yield open_page
    for context in contexts:
        context.close()
    for watch in watches:
        assert watch.errors == []
        assert watch.elsewhere == []


@pytest.fixture(scope="module")
def returning(app, chromium):
    """One browser for many visitors in turn, so that the code of the page is loaded once."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    yield page, Watch(page, app)
    context.close()


@pytest.fixture
def visitor(app, returning) -> Iterator["Visitor"]:
    """A visitor whom the app does not know; at the end nothing may have gone wrong."""
    page, watch = returning
    page.goto(f"{app}/robots.txt")
    page.evaluate("localStorage.clear()")
    page.goto(app)
    visitor = Visitor(page)
    visitor.wait_for_album()
    yield visitor
    assert watch.errors == []
    assert watch.elsewhere == []


class Visitor:
    """What a person does and sees."""

    def __init__(self, page):
        self.page = page

    def text(self, elem_id: str) -> str:
        found = self.page.locator(f"#{elem_id} .md")
        return found.inner_text() if found.count() else ""

    def wait_for_text(self, elem_id: str, pattern: str) -> str:
        self.page.wait_for_function(
            "([id, pattern]) => new RegExp(pattern, 's').test("
            "document.querySelector(`#${id} .md`)?.innerText ?? '')",
            arg=[elem_id, pattern],
        )
        return self.text(elem_id)

    def wait_for_album(self) -> None:
        """Until all photos were looked at; the orders change until then, without any answer."""
        self.page.wait_for_selector("#photo img")
        self.wait_for_text("looking", r"^\s*$")

    def asked(self) -> str:
        return self.text("asking").split(" · ")[0]

    def press(self, key: str, answers: int) -> None:
        self.page.keyboard.press(key)
        self.wait_for_answers(answers)

    def click(self, elem_id: str) -> None:
        self.page.locator(f"#{elem_id}").click()

    def wait_for_answers(self, count: int) -> None:
        """Until the page shows so many ratings and comparisons."""
        self.page.wait_for_function(
            "count => { const text = document.querySelector('#standing .md')?.innerText ?? '';"
            "const first = text.split(' · ')[0];"
            "const numbers = (first.match(/\\d+/g) ?? []).map(Number);"
            "return numbers.reduce((a, b) => a + b, 0) === count; }",
            arg=count,
        )

    def rate(self, stars: str) -> None:
        """Rate as many photos as there are digits, with the keyboard."""
        before = self.answers()
        for number, star in enumerate(stars, 1):
            self.press(star, before + number)

    def answers(self) -> int:
        return sum(map(int, re.findall(r"\d+", self.text("standing").split(" · ")[0])))

    def order(self, gallery: str) -> list[str]:
        """The photos of a gallery, by their pictures."""
        return self.page.locator(f"#{gallery} img").evaluate_all("all => all.map(x => x.src)")

    def wait_for_order(self, other_than: list[str] = ()) -> list[str]:
        self.page.wait_for_function(
            "before => { const now = [...document.querySelectorAll('#mine img')].map(x => x.src);"
            "return now.length > 0 && JSON.stringify(now) !== JSON.stringify(before); }",
            arg=list(other_than),
        )
        return self.order("mine")

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def give(self, elem_id: str, files: list[Path]) -> None:
        self.page.locator(f"#{elem_id} input[type=file]").set_input_files(list(map(str, files)))

    def download(self, name: str, folder: Path) -> Path:
        with self.page.expect_download() as started:
            self.page.locator(f"#files a[download='{name}']").click()
        started.value.save_as(folder / name)
        return folder / name

    def picture(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


def make_photos(folder: Path, count: int, prefix: str = "own") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(count)
    paths = []
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (3, 4, 3), dtype=np.uint8))
        paths.append(folder / f"{prefix}{i:03d}.jpg")
        coarse.resize((64, 48)).save(paths[-1])
    return paths


def test_the_third_rating_puts_the_album_into_an_order_that_later_ones_change(visitor):
    assert visitor.order("mine") == []
    visitor.wait_for_text("standing", "3 more")
    first = visitor.asked()
    visitor.click("star-5")  # with the mouse
    visitor.wait_for_answers(1)
    assert visitor.asked() != first
    visitor.rate("21")  # with the keyboard
    order = visitor.wait_for_order()
    assert len(order) == 24
    assert order != visitor.order("generic")
    visitor.wait_for_text("standing", r"\d+% sure")
    visitor.rate("5")
    assert visitor.wait_for_order(order) != order


def test_keys_that_are_faster_than_the_server_all_count(visitor):
    for star in "512345123451":
        visitor.page.keyboard.press(star)
    visitor.wait_for_answers(12)
    for key in "uu3":
        visitor.page.keyboard.press(key)
    visitor.wait_for_answers(11)
    visitor.page.wait_for_function("!document.querySelector('#rating[data-waiting]')")
    visitor.tab("Keep and share")
    visitor.wait_for_text("files-text", "11 rated")


def test_undo_takes_back_the_last_answer_and_asks_for_it_again(visitor):
    visitor.rate("51")
    asked = visitor.asked()
    visitor.rate("4")
    order = visitor.wait_for_order()
    visitor.press("u", 2)
    assert visitor.asked() == asked
    visitor.press("1", 3)
    assert visitor.wait_for_order(order) != order


def test_the_better_of_two_is_chosen_by_mouse_and_by_keys(visitor):
    visitor.page.get_by_label("Better of two").click()
    visitor.page.wait_for_selector("#left img")
    visitor.page.locator("#left img").click()
    visitor.wait_for_answers(1)
    visitor.press("ArrowRight", 2)
    visitor.click("choose-left")
    visitor.wait_for_answers(3)
    order = visitor.wait_for_order()
    visitor.press("ArrowLeft", 4)
    visitor.press("u", 3)
    visitor.press("ArrowRight", 4)
    assert visitor.wait_for_text("standing", "4 compared")
    assert order


def test_a_photo_of_the_order_can_be_rated_again(visitor):
    visitor.rate("515")
    order = visitor.wait_for_order()
    photos = visitor.page.locator("#mine button.thumbnail-item")
    shown = visitor.page.locator("#photo img").get_attribute("src")
    photos.filter(has_not_text="yours").last.click()
    visitor.page.wait_for_function(
        "shown => document.querySelector('#photo img')?.getAttribute('src') !== shown", arg=shown
    )
    visitor.press("5", 4)
    visitor.wait_for_order(order)
    before = visitor.order("mine")
    photos.filter(has_text="yours 5").first.click()
    visitor.wait_for_text("asking", "you gave it 5")
    visitor.page.keyboard.press("1")
    visitor.wait_for_order(before)
    assert visitor.answers() == 4


def test_polished_scored_downloaded_and_loaded_in_a_fresh_process(visitor, tmp_path):
    visitor.rate("5142")
    visitor.tab("Is it better?")
    visitor.wait_for_text("figures", "one taste for all")
    visitor.page.wait_for_selector("#pictures img")
    visitor.picture("figures")
    visitor.tab("Why")
    visitor.wait_for_text("weights", "warmth")
    visitor.page.wait_for_selector("#heat-map img")
    visitor.picture("why")
    visitor.tab("Score new photos")
    visitor.click("polish")
    visitor.wait_for_text("polished", "Polished")
    photos = make_photos(tmp_path / "new", 2, "new")
    visitor.give("score-upload", photos)
    visitor.wait_for_text("scored-text", "2 scored")
    visitor.page.wait_for_selector("#scored img")
    visitor.picture("scored")
    visitor.tab("Keep and share")
    visitor.page.wait_for_selector("#files a[download='my-taste.zip']")
    visitor.picture("keep")
    ratings = visitor.download("ratings.csv", tmp_path)
    scores = visitor.download("scores.csv", tmp_path)
    with ratings.open() as file:
        assert sorted(row["rating"] for row in csv.DictReader(file)) == ["1", "2", "4", "5"]
    with scores.open() as file:
        assert [row["rank"] for row in csv.DictReader(file)] == [str(n) for n in range(1, 61)]
    with zipfile.ZipFile(visitor.download("my-taste.zip", tmp_path)) as taste:
        taste.extractall(tmp_path)
    code = (
        "import sys; from aesthetic_tv import AestheticScorer;"
        "scorer = AestheticScorer.from_pretrained(sys.argv[1]);"
        "print(all(1 <= x <= 5 for x in scorer.score(sys.argv[2:])))"
    )
    command = [sys.executable, "-c", code, tmp_path / "my-taste", *photos]
    said = subprocess.run(command, capture_output=True, text=True, env=_environment())
    assert said.stdout.strip() == "True", said.stderr


def test_ratings_are_loaded_again_and_continued(visitor, tmp_path):
    (tmp_path / "ratings.csv").write_text("photo,rating\ncat.jpg,5\nbee.jpg,1\nwine.jpg,3\n")
    (tmp_path / "broken.csv").write_text("photo,rating\ncat.jpg,lots\n")
    visitor.tab("Keep and share")
    visitor.give("load", [tmp_path / "broken.csv"])
    assert "broken.csv" in visitor.wait_for_text("loaded", "not a number")
    visitor.give("load", [tmp_path / "ratings.csv"])
    visitor.wait_for_text("loaded", "3 rated")
    visitor.tab("Rate")
    visitor.wait_for_order()
    visitor.rate("4")
    assert visitor.answers() == 4


def test_two_visitors_at_once_do_not_see_each_other(visitors, tmp_path):
    first, second = visitors(), visitors()
    first.tab("Photos")
    first.give("upload", make_photos(tmp_path / "own", 2))
    first.wait_for_text("album", "2 of your own")
    first.tab("Rate")
    first.rate("515")
    second.rate("1")
    assert first.answers() == 3
    assert second.answers() == 1
    assert second.order("mine") == []
    assert "of your own" not in second.text("album")
    # What the first one was shown is found by its address alone, which nobody can guess.
    own = set(first.order("mine") + first.order("generic"))
    assert all(re.search(r"/served/[\w-]{32}/", address) for address in own)


def test_a_broken_upload_is_named_and_the_others_are_taken(visitor, tmp_path):
    good = make_photos(tmp_path / "own", 1)
    (tmp_path / "own" / "broken.jpg").write_bytes(good[0].read_bytes()[:200])
    (tmp_path / "own" / "notes.txt").write_text("no photo")
    visitor.tab("Photos")
    visitor.give("upload", [*good, tmp_path / "own" / "broken.jpg", tmp_path / "own" / "notes.txt"])
    told = visitor.wait_for_text("uploaded", "1 added")
    assert "broken.jpg" in told and "notes.txt" in told
    visitor.wait_for_text("album", "1 of your own")


def test_a_hundred_photos_are_taken_while_rating_goes_on(visitor, tmp_path):
    visitor.tab("Photos")
    visitor.give("upload", make_photos(tmp_path / "own", 100))
    visitor.wait_for_text("album", "100 of your own")
    visitor.page.get_by_label("Only mine").click()
    visitor.tab("Rate")
    visitor.page.wait_for_function("document.querySelector('#asking').innerText.includes('own')")
    visitor.rate("52143")
    visitor.wait_for_order()
    visitor.wait_for_album()


def test_a_reload_in_the_middle_loses_nothing(visitor, tmp_path):
    visitor.tab("Photos")
    visitor.give("upload", make_photos(tmp_path / "own", 2))
    visitor.wait_for_text("album", "2 of your own")
    visitor.tab("Rate")
    visitor.wait_for_album()
    visitor.rate("514")
    order = visitor.wait_for_order()
    visitor.page.reload()
    visitor.wait_for_album()
    visitor.wait_for_answers(3)
    assert visitor.wait_for_order() == order
    visitor.tab("Photos")
    visitor.wait_for_text("album", "2 of your own")


def test_a_taste_is_pushed_and_the_page_tells_how_to_load_it(visitor):
    HUB.clear()
    visitor.rate("514")
    visitor.tab("Keep and share")
    visitor.page.locator("#repo input, #repo textarea").fill("no name")
    visitor.click("push")
    visitor.wait_for_text("pushed", "your-name/my-taste")
    visitor.page.locator("#repo input, #repo textarea").fill("alice/my-taste")
    visitor.click("push")
    told = visitor.wait_for_text("pushed", "Pushed")
    assert 'from_pretrained("alice/my-taste"' in visitor.page.locator("#pushed").inner_text()
    assert "alice/my-taste" in told
    visitor.picture("pushed")


def test_it_is_readable_on_a_phone_and_in_the_dark(visitors):
    phone = visitors(390, 844, has_touch=True)
    phone.page.locator("#star-4").tap()
    phone.wait_for_answers(1)
    phone.rate("52")
    phone.wait_for_order()
    phone.picture("phone")
    wide = phone.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    stars = phone.page.locator("#star-5").bounding_box()
    assert stars["y"] + stars["height"] < 844  # photo and stars at once, without scrolling
    dark = visitors(color_scheme="dark")
    dark.rate("5142")
    dark.wait_for_order()
    dark.picture("dark")
    dark.page.get_by_label("Better of two").click()
    dark.page.wait_for_selector("#left img")
    dark.picture("dark-pair")
