"""The app in a real browser: what a person does there, from the first photo to the Hub."""

import csv
import json
import re
import shutil
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
from browser import ARTIFACTS, FLAGS, Watch, find_browser
from conftest import ALICE, HUB
from PIL import Image

pytest.importorskip("gradio")
sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE = 60_000  # milliseconds; machines may be busy


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[str]:
    """The address of the app on the sample photos, in a process of its own."""
    find_browser()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("app") / "log.txt"
    command = [sys.executable, "-c", "from aesthetic_tv.cli import main; main()", "rate"]
    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, "--no-browser", "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(HF_TOKEN=ALICE),
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, log)
        yield address
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        server.terminate()
        server.wait(30)


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
        visitor.wait_for_photo()
        return visitor

    yield open_page
    for context in contexts:
        context.close()
    for watch in watches:
        assert watch.errors == []
        assert watch.elsewhere == []


@pytest.fixture
def visitor(visitors):
    return visitors()


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

    def wait_for_photo(self) -> None:
        self.page.wait_for_selector("#photo img")

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
        self.page.get_by_role("tab", name=name).click()

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
    assert len(order) == 30
    assert order != visitor.order("generic")
    visitor.wait_for_text("standing", r"\d+% sure")
    visitor.rate("5")
    assert visitor.wait_for_order(order) != order


def test_undo_takes_back_the_last_answer_and_asks_for_it_again(visitor):
    visitor.rate("51")
    asked = visitor.asked()
    visitor.rate("4")
    order = visitor.wait_for_order()
    visitor.press("u", 2)
    assert visitor.asked() == asked
    visitor.press("1", 3)
    assert visitor.wait_for_order(order) != order
